// SPDX-License-Identifier: Apache-2.0

// Package record keeps what is known about a container: its directory below the store's, the lock
// on that, the files that later commands read, and which process is init. It knows nothing
// about the inside of the container.
package record

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/berth-run/berth/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// Record is what is known about a container: its directory, and what is saved there.
type Record struct {
	// Root is the store's directory, and Dir the container's, Root/ID.
	Root, Dir string
	ID        string
	Saved     State
	Log       options.Logger // of Store.LogTo; nil for none
	Trace     *trace.Trace   // of Store.TraceTo; nil for none
}

// Path returns the path of a file in the container's state directory.
func (c *Record) Path(name string) string { return filepath.Join(c.Dir, name) }

// Lock locks the container against other commands. They may have changed the state before: call
// Reload.
func (c *Record) Lock() (*Lock, error) {
	lock, err := LockDir(c.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNotExist
	}
	return lock, err
}

// Reload reads the state again.
func (c *Record) Reload() error {
	st, err := Read(c.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return ErrNotExist
	}
	if err != nil {
		return err
	}
	c.Saved = *st
	return nil
}

// OpenFifo opens one of the fifos without waiting for the other end.
func (c *Record) OpenFifo(name string, flags int) (int, error) {
	fd, err := unix.Open(c.Path(name), flags|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: c.Path(name), Err: err}
	}
	return fd, nil
}

// RemoveFifos removes the fifos after a start, or those that a killed start has left. It is not an
// error if they are gone already.
func (c *Record) RemoveFifos() (errs []error) {
	for _, name := range [...]string{FifoFile, ReportFile} {
		if err := unix.Unlink(c.Path(name)); err != nil && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, &os.PathError{Op: "unlink", Path: c.Path(name), Err: err})
		}
	}
	return errs
}

// Debugging reports whether debug messages are logged. If not, there is no need to prepare them.
func (c *Record) Debugging() bool { return c.Log != nil && c.Log.Debugging() }

// Debugf logs a debug message with the container's id, because several commands may share a log.
func (c *Record) Debugf(format string, args ...any) {
	if c.Debugging() {
		c.Log.Debugf("container %s: "+format, append([]any{c.ID}, args...)...)
	}
}

// Begin begins a phase of the runtime in the trace.
func (c *Record) Begin(what string) trace.Span { return c.Trace.Begin(trace.Runtime, what) }

// MakeFifos makes the fifos by which `start` and init communicate. Only the owner of the state opens
// them by name.
func (c *Record) MakeFifos() error {
	for _, name := range [...]string{FifoFile, ReportFile} {
		path := filepath.Join(c.Dir, name)
		if err := unix.Mkfifo(path, 0o600); err != nil {
			return &os.PathError{Op: "mkfifo", Path: path, Err: err}
		}
	}
	return nil
}

// OpenFifos opens the fifos for init, because the container's user may not open them. It opens each
// for reading and writing, so that the open does not wait for the other end.
func (c *Record) OpenFifos() (fifos [2]*os.File, err error) {
	for n, name := range [...]string{FifoFile, ReportFile} {
		if fifos[n], err = sysfile.Open(filepath.Join(c.Dir, name), unix.O_RDWR|unix.O_NOFOLLOW); err != nil {
			if n > 0 {
				_ = fifos[0].Close()
			}
			return fifos, err
		}
	}
	return fifos, nil
}

// Claim makes the container's directory, which claims the id, and locks it.
func (c *Record) Claim() (*Lock, error) {
	if err := os.MkdirAll(c.Root, 0o700); err != nil {
		return nil, err
	}
	for {
		err := os.Mkdir(c.Dir, 0o700)
		if errors.Is(err, os.ErrExist) {
			return nil, ErrExist
		}
		if err != nil {
			return nil, err
		}
		lock, err := LockDir(c.Dir)
		if err == nil {
			return lock, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return nil, errors.Join(err, os.Remove(c.Dir))
		}
		// A delete --force at the same time took the empty directory for a leftover.
	}
}
