// SPDX-License-Identifier: Apache-2.0

// Package libcontainer is the engine: it creates, starts, signals, inspects and
// deletes containers, each a directory below the root of a [Store].
package libcontainer

import (
	"errors"
	"os"
	"time"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// What callers branch on. The texts are matched literally by engines.
var (
	ErrNotExist     = errors.New("container does not exist")
	ErrExist        = errors.New("container with given ID already exists")
	ErrNotRunning   = errors.New("container not running")
	ErrInvalidID    = errors.New("invalid container ID format")
	ErrStillRunning = errors.New("container init still running")
)

// Status of a container, in the runtime-spec's words.
type Status string

// The statuses.
const (
	Creating Status = "creating"
	Created  Status = "created"
	Running  Status = "running"
	Paused   Status = "paused"
	Stopped  Status = "stopped"
)

// Store is a directory of containers (`--root`).
type Store struct{ root string }

// Open is the store at root, an absolute path. The directory is made by the first
// Create, not before.
func Open(root string) (*Store, error) { return &Store{root: root}, nil }

// Logger is how the engine tells what is not an error.
type Logger interface {
	Warnf(format string, args ...any)
	Debugf(format string, args ...any)
}

// CreateOptions are what a create adds to the plan.
type CreateOptions struct {
	// Stdio are the container's standard streams.
	Stdio [3]*os.File
	// PreserveFDs passes the caller's fds 3 to 3+n-1 on to the process.
	PreserveFDs int
	// ConsoleSocket gets the pty master (SCM_RIGHTS); "" for none.
	ConsoleSocket string
	// PIDFDSocket gets a pidfd of init (SCM_RIGHTS); "" for none.
	PIDFDSocket string
	// PIDFile gets init's pid, atomically; "" for none.
	PIDFile string
	// Console receives the pty master in the foreground; exclusive with
	// ConsoleSocket.
	Console func(master *os.File) error
	Log     Logger
}

// Create sets the container up until only `start` is missing.
func (s *Store) Create(id string, c *configs.Config, o *CreateOptions) (*Container, error) {
	return nil, errors.ErrUnsupported
}

// Load finds the container. ErrNotExist when there is none.
func (s *Store) Load(id string) (*Container, error) { return nil, errors.ErrUnsupported }

// List loads all containers; broken entries are reported to log and skipped.
func (s *Store) List(log Logger) ([]*Container, error) { return nil, errors.ErrUnsupported }

// Delete removes a container; see Container.Delete. With force it is no error when
// there is none, and remains of a killed create are removed.
func (s *Store) Delete(id string, force bool, log Logger) error { return errors.ErrUnsupported }

// Container is one container of a store.
type Container struct{}

// ID of the container.
func (c *Container) ID() string { return "" }

// Start lets init exec the user's program, and tells why when it cannot.
func (c *Container) Start(log Logger) error { return errors.ErrUnsupported }

// Signal sends sig to init, or with all to every process of the container.
func (c *Container) Signal(sig unix.Signal, all bool) error { return errors.ErrUnsupported }

// Wait waits for init, which must be a child of the caller, and reaps other
// children meanwhile. The result is the exit code as a shell has it.
func (c *Container) Wait() (int, error) { return 0, errors.ErrUnsupported }

// State is what `state` and `list` print.
type State struct {
	specs.State
	Rootfs  string    `json:"rootfs"`
	Created time.Time `json:"created"`
	Owner   string    `json:"owner"`
}

// State reads the container's present state.
func (c *Container) State() (*State, error) { return nil, errors.ErrUnsupported }
