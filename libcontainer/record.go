// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// record is what is known of a container: its directory, and what is written there.
type record struct {
	// root is the store's directory, and dir the container's, root/id.
	root, dir string
	id        string
	saved     savedState
	log       Logger // of Store.LogTo; nil for none
}

// file is the path of a file in the container's state directory.
func (c *record) file(name string) string { return filepath.Join(c.dir, name) }

// lock keeps other commands off the container. What they have changed in its state
// until then is for reload to see.
func (c *record) lock() (*dirLock, error) {
	lock, err := lockDir(c.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNotExist
	}
	return lock, err
}

// reload reads the state again, after a lock may have been waited for.
func (c *record) reload() error {
	st, err := readState(c.dir)
	if errors.Is(err, os.ErrNotExist) {
		return ErrNotExist
	}
	if err != nil {
		return err
	}
	c.saved = *st
	return nil
}

func (c *record) openFifo(name string, flags int) (int, error) {
	fd, err := unix.Open(c.file(name), flags|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: c.file(name), Err: err}
	}
	return fd, nil
}

// removeFifos removes them when they have done their work, or what a start that was
// killed has left. That they are gone already is no error.
func (c *record) removeFifos() (errs []error) {
	for _, name := range [...]string{fifoFile, reportFile} {
		if err := unix.Unlink(c.file(name)); err != nil && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, &os.PathError{Op: "unlink", Path: c.file(name), Err: err})
		}
	}
	return errs
}

// debugging says whether anybody reads it: what has to be put together first is not worth
// it otherwise.
func (c *record) debugging() bool { return c.log != nil && c.log.Debugging() }

// debugf names the container, since a log may be that of several commands.
func (c *record) debugf(format string, args ...any) {
	if c.debugging() {
		c.log.Debugf("container %s: "+format, append([]any{c.id}, args...)...)
	}
}
