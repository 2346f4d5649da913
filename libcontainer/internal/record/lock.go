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

// lockPatience is how long a command waits for another one on the same container.
// Hooks may take long, but a command that waits for ever is worse than one that
// says what it waits for.
const lockPatience = 30 * time.Second

// forcePatience is how long a delete by force waits before it takes from the other command
// what that may be waiting for.
const forcePatience = 2 * time.Second

// Lock is an exclusive flock(2) on a container's state directory. The directory
// itself is the lock file, so that there is nothing to leave behind, and a lock on a
// directory that has been removed meanwhile is seen as such.
type Lock struct{ dir *os.File }

// LockDir locks the state directory at path. os.ErrNotExist when there is none, or
// when it was removed while waiting.
func LockDir(path string) (*Lock, error) { return LockByForce(path, nil) }

// LockByForce is LockDir that calls unblock, if it is not nil, once it has waited for
// forcePatience.
func LockByForce(path string, unblock func()) (*Lock, error) {
	dir, err := sysfile.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW)
	if err != nil {
		return nil, err
	}
	err = flockPatiently(dir, unblock)
	if err == nil {
		err = checkNamed(dir, path)
	}
	if err != nil {
		_ = dir.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &Lock{dir}, nil
}

// flockPatiently takes the lock or gives up after lockPatience. The waiting thread of
// a lock that came too late dies with the process, as does its lock.
func flockPatiently(dir *os.File, unblock func()) error {
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
		force = time.After(forcePatience)
	}
	end := time.After(lockPatience)
	for {
		select {
		case err := <-done:
			return err
		case <-force:
			unblock()
		case <-end:
			return fmt.Errorf("another command has been working on this container for %v", lockPatience)
		}
	}
}

// checkNamed is os.ErrNotExist when path does not lead to the open directory any more.
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
