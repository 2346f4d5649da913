// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/berth-run/berth/libcontainer/internal/builder"
	"github.com/berth-run/berth/libcontainer/internal/exec"
	"github.com/berth-run/berth/libcontainer/internal/notify"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/libcontainer/options"
)

// Errors that callers test for. Engines match the texts literally.
var (
	ErrNotExist   = record.ErrNotExist
	ErrExist      = record.ErrExist
	ErrNotRunning = record.ErrNotRunning
	ErrInvalidID  = record.ErrInvalidID
)

// Paused is the only status that the runtime-spec does not define.
const Paused = record.Paused

// Options of the commands, and types that they use.
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
	// Logger receives warnings and debug messages.
	Logger = options.Logger
)

// KeepInterrupts catches the signals that end a command. The command then checks for them
// between its steps ([Interrupts]).
func KeepInterrupts() (*Interrupts, error) { return options.KeepInterrupts() }

// ProcessDocument returns the JSON text of the process that the container was created with.
func (c *Container) ProcessDocument() (string, error) {
	data, _, err := sysfile.ReadOwned(filepath.Join(c.rec.Dir, record.ProcessFile))
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(c.rec.Dir); err != nil {
			return "", record.ErrNotExist
		}
		target, err := exec.OpenTarget(c.rec)
		if err != nil {
			return "", err // it is being created, or deleted
		}
		_ = target.Close()
		return "", fmt.Errorf("%s is missing: the container was created by a version of berth without exec", record.ProcessFile)
	}
	if err != nil {
		return "", err
	}
	return sysfile.StringOf(data), nil
}

// Annotations returns the annotations of the container's config.
func (c *Container) Annotations() map[string]string { return c.rec.Saved.Annotations }

// BuilderCommand is the name of the hidden command that calls [RunBuilder].
const BuilderCommand = builder.Command

// RunBuilder runs a builder process. It reports all errors to the runtime that started it.
func RunBuilder() { builder.Run() }

// InUserNamespace reports whether this process is in a user namespace other than the initial one.
func InUserNamespace() bool { return userns.Inside() }

// NotifySocketEnv is the environment variable with the address of the service manager's socket
// (sd_notify(3)).
const NotifySocketEnv = notify.SocketEnv

// Notifier tells a service manager when a container reports that it is ready.
type Notifier = notify.Notifier

// NewNotifier returns a Notifier for the service manager at the address, which is a path or, for
// an abstract socket, "@" and a name. For "" it returns nil, a Notifier that does nothing.
func NewNotifier(manager string) (*Notifier, error) { return notify.New(manager) }
