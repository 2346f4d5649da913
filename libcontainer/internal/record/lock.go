// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"golang.org/x/sys/unix"
)

// lockTimeout is how long a command waits for another command on the same container. Hooks may
// take long, but a command that says what it waits for is better than one that waits forever.
const lockTimeout = 30 * time.Second

// forceTimeout is how long a delete --force waits for the lock before it kills the process that the
// other command may be waiting for.
const forceTimeout = 2 * time.Second

// Lock is an exclusive flock(2) on a container's state directory. Because the directory itself is
// the lock file, nothing is left behind, and a lock on a directory that was removed in the
// meantime is noticed.
type Lock struct{ dir *os.File }

// LockDir locks the state directory at path. The error is os.ErrNotExist if there is none, or if it
// was removed while waiting.
func LockDir(path string) (*Lock, error) { return LockByForce(path, nil) }

// LockByForce is LockDir, but calls unblock, if not nil, after it has waited for forceTimeout.
func LockByForce(path string, unblock func()) (*Lock, error) {
	dir, err := sysfile.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW)
	if err != nil {
		return nil, err
	}
	err = flockTimeout(dir, unblock)
	if err == nil {
		err = checkNamed(dir, path)
	}
	if err != nil {
		_ = dir.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &Lock{dir}, nil
}

// flockTimeout takes the lock or gives up after lockTimeout. Then a thread may still wait for the
// lock; it ends with the process, and so does its lock.
func flockTimeout(dir *os.File, unblock func()) error {
	fd := int(dir.Fd())
	err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return err
	}
	done := make(chan error, 1)
	go func() {
		for {
			err := unix.Flock(fd, unix.LOCK_EX)
			if !errors.Is(err, unix.EINTR) {
				done <- err
				return
			}
		}
	}()
	var force <-chan time.Time
	if unblock != nil {
		force = time.After(forceTimeout)
	}
	end := time.After(lockTimeout)
	for {
		select {
		case err := <-done:
			return err
		case <-force:
			unblock()
		case <-end:
			return fmt.Errorf("another command has been working on this container for %v", lockTimeout)
		}
	}
}

// checkNamed returns os.ErrNotExist if path no longer leads to the open directory.
func checkNamed(dir *os.File, path string) error {
	var a, b unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &a); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if err := unix.Lstat(path, &b); err != nil {
		return os.NewSyscallError("lstat", err)
	}
	if a.Dev != b.Dev || a.Ino != b.Ino {
		return unix.ENOENT
	}
	return nil
}

// Unlock releases the lock.
func (l *Lock) Unlock() { _ = l.dir.Close() }
