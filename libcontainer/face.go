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

// ProcessDocument is the JSON text of the process that the container was created with.
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

// Annotations are those of the container's config.
func (c *Container) Annotations() map[string]string { return c.rec.Saved.Annotations }

// BuilderCommand is the name of the hidden command that runs RunBuilder. It is not for
// users.
const BuilderCommand = builder.Command

// RunBuilder is the life of a builder process. It never returns an error that was not told
// to the runtime.
func RunBuilder() { builder.Run() }

// InUserNamespace says whether this process is not in the first user namespace.
func InUserNamespace() bool { return userns.Inside() }

// NotifySocketEnv is the variable by which a service manager tells where it wants to hear
// that a service is ready (sd_notify(3)).
const NotifySocketEnv = notify.SocketEnv

// Notifier tells a service manager that a container is ready, when the container says so.
type Notifier = notify.Notifier

// NewNotifier is for the manager at an address as in NOTIFY_SOCKET: a path, or @ and the
// name of an abstract socket. The address "" gives nil, which is a Notifier for nobody.
func NewNotifier(manager string) (*Notifier, error) { return notify.New(manager) }
