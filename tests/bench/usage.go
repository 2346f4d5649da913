// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// usage is what processes have taken since they were started.
type usage struct {
	cpu                 time.Duration
	faults              int64
	voluntary, switches int64 // switches are all of them
}

func (u usage) minus(o usage) usage {
	return usage{u.cpu - o.cpu, u.faults - o.faults, u.voluntary - o.voluntary, u.switches - o.switches}
}

func (u *usage) plus(o usage) {
	*u = usage{u.cpu + o.cpu, u.faults + o.faults, u.voluntary + o.voluntary, u.switches + o.switches}
}

// adopt makes containers' processes the bench's children when their runtime ends, as they
// are an engine's.
func adopt() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become a subreaper: %w", err)
	}
	return nil
}

// reap collects children that have ended and that nobody waits for. There must be no
// command running.
func reap() {
	for {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if pid <= 0 && !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// spent is the usage of all descendants there have ever been: of those that have ended,
// which the kernel adds to the one who waited for them, and of those that live. A difference
// is what a command has taken, with everything that it has started, and what containers that
// were there before have taken meanwhile. What the kernel does for a command in its own
// threads is in neither.
func spent() (u usage, err error) {
	for range 10 {
		// A process may end while it is looked at.
		if u, err = spentNow(); err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
			break
		}
	}
	return u, err
}

func spentNow() (usage, error) {
	reap()
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_CHILDREN, &ru); err != nil {
		return usage{}, fmt.Errorf("getrusage: %w", err)
	}
	u := usage{
		cpu:       time.Duration(ru.Utime.Nano() + ru.Stime.Nano()),
		faults:    ru.Minflt + ru.Majflt,
		voluntary: ru.Nvcsw, switches: ru.Nvcsw + ru.Nivcsw,
	}
	pids, err := descendants()
	if err != nil {
		return usage{}, err
	}
	for _, pid := range pids {
		o, err := spentBy(pid)
		if err != nil {
			return usage{}, err
		}
		u.plus(o)
	}
	return u, nil
}

// descendants are the processes below the bench.
func descendants() ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if f, err := statFields(pid); err == nil { // otherwise it has just ended
			ppid, _ := strconv.Atoi(f[1])
			children[ppid] = append(children[ppid], pid)
		}
	}
	found := children[os.Getpid()]
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i]]...)
	}
	return found, nil
}

// statFields are the fields of /proc/PID/stat from the third on, the state.
func statFields(pid int) ([]string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	_, rest, ok := bytes.Cut(data[bytes.LastIndexByte(data, ')')+1:], []byte(" "))
	f := strings.Fields(string(rest))
	if !ok || len(f) < 11 {
		return nil, fmt.Errorf("/proc/%d/stat: %q", pid, data)
	}
	return f, nil
}

// spentBy is the usage of a process that lives. Its threads that have ended are missing
// from CPU time and switches.
func spentBy(pid int) (u usage, err error) {
	f, err := statFields(pid)
	if err != nil {
		return u, err
	}
	for _, i := range []int{7, 9} { // minflt and majflt
		n, err := strconv.ParseInt(f[i], 10, 64)
		if err != nil {
			return u, err
		}
		u.faults += n
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil {
		return u, err
	}
	for _, task := range tasks {
		data, err := os.ReadFile(task + "/schedstat")
		if err != nil {
			return u, err
		}
		ns, err := strconv.ParseInt(strings.Fields(string(data))[0], 10, 64)
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(ns)
		voluntary, err := statusField(task, "voluntary_ctxt_switches:")
		if err != nil {
			return u, err
		}
		other, err := statusField(task, "nonvoluntary_ctxt_switches:")
		if err != nil {
			return u, err
		}
		u.voluntary += voluntary
		u.switches += voluntary + other
	}
	return u, nil
}

// statusField is a number in the status of a process or thread, whose directory is dir.
func statusField(dir, name string) (int64, error) {
	data, err := os.ReadFile(dir + "/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name {
			return strconv.ParseInt(f[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s/status: no %s", dir, name)
}
