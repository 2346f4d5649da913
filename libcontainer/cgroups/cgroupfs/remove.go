// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"golang.org/x/sys/unix"
)

// Remove removes the cgroup and those below it. It waits until the deadline for processes that
// are still in there. A missing cgroup is not an error.
//
// The usual case is one rmdir(2), which fails if the cgroup is not empty, so there is no need
// to check first. As long as there are processes, nothing is removed.
func (d Dir) Remove(deadline time.Time) error {
	err := d.rmdir()
	if !errors.Is(err, unix.EBUSY) {
		return err
	}
	return d.removeEmpty(err, deadline, func() error {
		if err := d.removeBelow(); err != nil {
			return err
		}
		return d.rmdir()
	})
}

// RemoveOwn is Remove for a container's cgroup: if the cgroup existed before the container,
// only those below it are removed.
func (d Dir) RemoveOwn(found bool, deadline time.Time) error {
	if found {
		return d.removeEmpty(unix.EBUSY, deadline, d.removeBelow)
	}
	return d.Remove(deadline)
}

// RemoveIdle is Remove for a cgroup that may belong to somebody else. It waits only for
// processes that are ending anyway, and it is not an error if there are others. removed reports
// whether the cgroup is gone.
func (d Dir) RemoveIdle(deadline time.Time) (removed bool, err error) {
	err = d.Remove(deadline)
	if errors.Is(err, unix.EBUSY) {
		return false, nil
	}
	return err == nil, err
}

// AwaitIdle waits until there are no processes in d and below. It returns ErrTimeout if there
// still are.
func (d Dir) AwaitIdle(deadline time.Time) error {
	return d.removeEmpty(ErrTimeout, deadline, func() error { return nil })
}

// removeEmpty waits until there are no processes in d and below and calls remove, until that
// succeeds. busy is the earlier error, which it returns on a timeout.
func (d Dir) removeEmpty(busy error, deadline time.Time, remove func() error) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		pids, err := d.Pids()
		if err != nil {
			return err
		}
		if len(pids) == 0 {
			if busy = remove(); !errors.Is(busy, unix.EBUSY) {
				return busy
			}
		}
		if !time.Now().Before(deadline) {
			return d.explainBusy(busy)
		}
		d.awaitEmpty(pause, deadline)
	}
}

// removeBelow removes the cgroups below d. If one cannot be removed, it still removes the
// others.
func (d Dir) removeBelow() error {
	var busy error
	err := d.walk(func(_, above int, name string) error {
		if above < 0 {
			return nil
		}
		_, err := sysfile.RetryEINTR(func() (int, error) { return 0, unix.Unlinkat(above, name, unix.AT_REMOVEDIR) })
		if err != nil && !gone(err) && busy == nil {
			busy = &fs.PathError{Op: "rmdir", Path: string(d) + "/…/" + name, Err: err}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return busy
}

func (d Dir) rmdir() error {
	_, err := sysfile.RetryEINTR(func() (int, error) { return 0, unix.Rmdir(string(d)) })
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return &fs.PathError{Op: "rmdir", Path: string(d), Err: err}
	}
	return nil
}

// awaitEmpty waits for a change after which another rmdir makes sense. v2 reports when a cgroup
// is empty. v1 has no such event, so there it waits until one of the processes ends.
//
// A process leaves the cgroup shortly after its pidfd reports its end. Hence the short sleep at
// the end, which grows with pause.
func (d Dir) awaitEmpty(pause time.Duration, deadline time.Time) {
	err := d.awaitEvent("populated", "0", deadline)
	if gone(err) {
		if left := time.Until(deadline); left < pause {
			pause = left
		}
		pids, _ := d.Pids()
		awaitExit(pids, pause)
	}
	time.Sleep(pause / 10)
}

// explainBusy adds to err the processes that keep the cgroup from being removed.
func (d Dir) explainBusy(err error) error {
	pids, _ := d.Pids()
	if len(pids) == 0 {
		return err
	}
	return fmt.Errorf("%w: %s still in %s", err, listPids(pids), d)
}

// listPids returns a text for errors: "process 7", "processes 7, 8, 9 and 20 more".
func listPids(pids []int) string {
	const shown = 10
	var b strings.Builder
	b.WriteString("process")
	if len(pids) > 1 {
		b.WriteString("es")
	}
	for i, pid := range pids {
		if i == shown {
			fmt.Fprintf(&b, " and %d more", len(pids)-shown)
			break
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte(' ')
		b.WriteString(strconv.Itoa(pid))
	}
	return b.String()
}
