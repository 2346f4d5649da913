// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"golang.org/x/sys/unix"
)

// OOMWatch reports out-of-memory events of a cgroup.
type OOMWatch struct {
	dir cgroupfs.Dir
	// fd is the descriptor to poll: an eventfd (v1) or memory.events (v2).
	fd     int
	legacy bool
	kills  uint64
}

// WatchLegacyOOM watches a cgroup of v1's memory controller: the kernel increments an eventfd
// (Documentation/admin-guide/cgroup-v1/memory.rst, section 10).
func WatchLegacyOOM(d cgroupfs.Dir) (*OOMWatch, error) {
	control, err := unix.Open(string(d)+"/memory.oom_control", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cgroup %s: %w", d, &fs.PathError{Op: "open", Path: "memory.oom_control", Err: err})
	}
	defer unix.Close(control) // The kernel does not need it any more.
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	if err := d.Write("cgroup.event_control", strconv.Itoa(fd)+" "+strconv.Itoa(control)); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("cgroup %s: %w", d, err)
	}
	return &OOMWatch{dir: d, fd: fd, legacy: true}, nil
}

// WatchOOM watches a cgroup of v2: the kernel raises POLLPRI on memory.events.
func WatchOOM(d cgroupfs.Dir) (*OOMWatch, error) {
	fd, err := unix.Open(string(d)+"/memory.events", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cgroup %s: %w", d, &fs.PathError{Op: "open", Path: "memory.events", Err: err})
	}
	w := &OOMWatch{dir: d, fd: fd}
	// Reading the file also sets the point from which the kernel reports changes.
	if w.kills, err = w.readKills(); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return w, nil
}

// PollFd returns the descriptor and events to poll. If it is ready, there may be news.
func (w *OOMWatch) PollFd() unix.PollFd {
	if w.legacy {
		return unix.PollFd{Fd: int32(w.fd), Events: unix.POLLIN}
	}
	return unix.PollFd{Fd: int32(w.fd), Events: unix.POLLPRI}
}

// News returns the number of events since the last call, and whether there can be more. A
// cgroup that is removed also raises an event.
func (w *OOMWatch) News() (n uint64, gone bool, err error) {
	if !w.dir.Exists() {
		return 0, true, nil
	}
	if !w.legacy {
		kills, err := w.readKills()
		if errors.Is(err, unix.ENODEV) {
			return 0, true, nil
		}
		if err != nil {
			return 0, false, err
		}
		if kills > w.kills {
			n = kills - w.kills
		}
		w.kills = kills
		return n, false, nil
	}
	var buf [8]byte
	_, err = unix.Read(w.fd, buf[:])
	switch {
	case err == nil:
		return binary.NativeEndian.Uint64(buf[:]), false, nil
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return 0, false, nil
	}
	return 0, false, fmt.Errorf("read eventfd: %w", err)
}

func (w *OOMWatch) readKills() (uint64, error) {
	buf := make([]byte, 1024)
	n, err := unix.Pread(w.fd, buf, 0)
	if err != nil {
		return 0, fmt.Errorf("cgroup %s: read memory.events: %w", w.dir, err)
	}
	events, err := parseFlat(string(buf[:n]))
	if err != nil {
		return 0, fmt.Errorf("cgroup %s: memory.events: %w", w.dir, err)
	}
	return events["oom_kill"], nil
}

// Close ends the watch.
func (w *OOMWatch) Close() error { return unix.Close(w.fd) }
