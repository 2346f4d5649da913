// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/options"
)

// What callers branch on. Engines match these texts literally.
var (
	ErrNotExist   = record.ErrNotExist
	ErrExist      = record.ErrExist
	ErrNotRunning = record.ErrNotRunning
	ErrInvalidID  = record.ErrInvalidID
)

// Paused is the one status that the runtime-spec does not name.
const Paused = record.Paused

// What commands take besides a plan.
type (
	// CreateOptions are [Store.Create]'s.
	CreateOptions = options.Create
	// ExecOptions are [Container.Exec]'s.
	ExecOptions = options.Exec
	// CriuOptions are what a checkpoint and a restore have in common.
	CriuOptions = options.CRIU
	// CheckpointOptions are [Container.Checkpoint]'s.
	CheckpointOptions = options.Checkpoint
	// RestoreOptions are [Store.Restore]'s.
	RestoreOptions = options.Restore
	// PageServer is where the memory of a checkpoint goes.
	PageServer = options.PageServer
	// ListenFDs are sockets of socket activation.
	ListenFDs = options.ListenFDs
	// Interrupts end a command early.
	Interrupts = options.Interrupts
	// Logger is how the engine tells what is not an error.
	Logger = options.Logger
)

// KeepInterrupts keeps the signals that end a command for [Interrupts] to ask for.
func KeepInterrupts() (*Interrupts, error) { return options.KeepInterrupts() }
