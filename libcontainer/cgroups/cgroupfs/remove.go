// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Remove removes the cgroup and those below it. It waits for processes that are
// still in there until the deadline; a missing cgroup is no error.
//
// The usual case is one rmdir(2): whatever can be known beforehand, that call
// tells as well. As long as there are processes, nothing is removed: somebody lives there.
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

// RemoveOwn is Remove for what a container leaves: a cgroup that it has found stays itself.
func (d Dir) RemoveOwn(found bool, deadline time.Time) error {
	if found {
		return d.removeEmpty(unix.EBUSY, deadline, d.removeBelow)
	}
	return d.Remove(deadline)
}

// RemoveIdle is Remove for a cgroup that may be somebody else's: nobody is waited for but
// who is on his way out anyway, and it is no error that there is somebody. Removed says
// that it is gone.
func (d Dir) RemoveIdle(deadline time.Time) (removed bool, err error) {
	err = d.Remove(deadline)
	if errors.Is(err, unix.EBUSY) {
		return false, nil
	}
	return err == nil, err
}

// AwaitIdle waits until there are no processes in d and below; ErrTimeout when there still
// are.
func (d Dir) AwaitIdle(deadline time.Time) error {
	return d.removeEmpty(ErrTimeout, deadline, func() error { return nil })
}

// removeEmpty calls remove when there are no processes in d and below, until it succeeds.
// busy is why it is called, for errors.
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

// removeBelow removes the cgroups below d. One that cannot be removed does not keep the
// others.
func (d Dir) removeBelow() error {
	var busy error
	err := d.walk(func(_, above int, name string) error {
		if above < 0 {
			return nil
		}
		_, err := retry(func() (int, error) { return 0, unix.Unlinkat(above, name, unix.AT_REMOVEDIR) })
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
	_, err := retry(func() (int, error) { return 0, unix.Rmdir(string(d)) })
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return &fs.PathError{Op: "rmdir", Path: string(d), Err: err}
	}
	return nil
}

// awaitEmpty waits for a change that makes another rmdir worth while. v2 tells
// it; v1 has no such event, so there it is the end of one of the processes.
//
// A process stops counting as a member shortly after its pidfd tells its end,
// hence the short sleep at the end, growing with the pause.
func (d Dir) awaitEmpty(pause time.Duration, deadline time.Time) {
	err := d.AwaitEvent("populated", "0", deadline)
	if gone(err) {
		if left := time.Until(deadline); left < pause {
			pause = left
		}
		pids, _ := d.Pids()
		awaitExit(pids, pause)
	}
	time.Sleep(pause / 10)
}

// explainBusy adds to err who keeps the cgroup from being removed.
func (d Dir) explainBusy(err error) error {
	pids, _ := d.Pids()
	if len(pids) == 0 {
		return err
	}
	return fmt.Errorf("%w: %s still in %s", err, listPids(pids), d)
}

// listPids is text for errors: "process 7", "processes 7, 8, 9 and 20 more".
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
