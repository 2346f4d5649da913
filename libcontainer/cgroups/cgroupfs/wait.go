// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"golang.org/x/sys/unix"
)

// Patience is the longest time that this package waits. A process that is stuck in the kernel,
// for example on a dead network file system, does not die before its server answers; there is
// no point in waiting for that.
const Patience = 10 * time.Second

// ErrTimeout is returned if a wait took too long.
var ErrTimeout = errors.New("timed out")

// awaitEvent waits until key in cgroup.events of d (v2) has the value want. A cgroup that is
// removed in the meantime counts as neither populated nor frozen.
func (d Dir) awaitEvent(key, want string, deadline time.Time) error {
	fd, err := d.open("cgroup.events", unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	buf := make([]byte, 256)
	for {
		n, err := sysfile.RetryEINTR(func() (int, error) { return unix.Pread(fd, buf, 0) })
		if gone(err) && want == "0" {
			return nil
		}
		if err != nil {
			return &fs.PathError{Op: "read", Path: "cgroup.events", Err: err}
		}
		if v, ok := Event(string(buf[:n]), key); ok && v == want {
			return nil
		}
		// The kernel raises POLLPRI when the file has changed since it was
		// last read through this fd, so no change can be missed.
		if err := pollUntil([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}, deadline); err != nil {
			return fmt.Errorf("wait for %s %s in cgroup.events: %w", key, want, err)
		}
	}
}

// Event returns the value of key in a flat keyed file of cgroup v2: lines of a key, a space and
// a value.
func Event(text, key string) (string, bool) {
	for line := range strings.Lines(text) {
		k, v, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if ok && k == key {
			return v, true
		}
	}
	return "", false
}

// awaitExit waits until one of the processes has ended or the time is over. Without processes
// it is just a pause.
func awaitExit(pids []int, pause time.Duration) {
	if len(pids) > 64 {
		pids = pids[:64] // Any of them will do.
	}
	fds := make([]unix.PollFd, 0, len(pids))
	for _, pid := range pids {
		if fd, err := unix.PidfdOpen(pid, 0); err == nil {
			defer unix.Close(fd)
			fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		}
	}
	_ = pollUntil(fds, time.Now().Add(pause))
}

func pollUntil(fds []unix.PollFd, deadline time.Time) error {
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return ErrTimeout
		}
		// Rounded up, otherwise the last millisecond would be a busy loop.
		n, err := unix.Poll(fds, int((left+time.Millisecond-1)/time.Millisecond))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return &fs.PathError{Op: "poll", Path: "cgroup.events", Err: err}
		case n > 0:
			return nil
		}
	}
}
