// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// memory prints the peak of the memory that create uses: that of the runtime's own process, and
// what is charged to the container's cgroup until it waits for start.
func memory(w io.Writer, c *config) error {
	names, rss, peak := "\t", "the runtime's resident peak\t", "the container's cgroup's peak\t"
	for _, rt := range c.runtimes {
		r, p, err := memoryOf(rt)
		if err != nil {
			return err
		}
		names += rt.name + "\t"
		rss += r + "\t"
		peak += p + "\t"
	}
	return table(w, "memory of create, in KiB", names+"\n"+rss+"\n"+peak, nil)
}

// memoryOf creates a container and reads both.
func memoryOf(rt *runtimeUnderTest) (rss, peak string, err error) {
	id := newID()
	dir, err := rt.bundle(id, "/bin/true")
	if err != nil {
		return "", "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if rss, err = rt.peakRSS(dir, "create", id); err != nil {
		return "", "", err
	}
	peak = "-"
	for _, file := range []string{
		filepath.Join("/sys/fs/cgroup/memory/berth-bench", id, "memory.max_usage_in_bytes"),
		filepath.Join("/sys/fs/cgroup/berth-bench", id, "memory.peak"),
	} {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // the other version, or no memory controller
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
		if err != nil {
			return "", "", fmt.Errorf("%s: %w", file, err)
		}
		peak = strconv.FormatInt(n>>10, 10)
	}
	_, err = rt.call(dir, "delete", "--force", id)
	return rss, peak, err
}

// peakRSS runs a command and reads VmHWM just before it exits. The child's rusage would be wrong:
// it starts with the peak of the parent process, and the bench is larger than some runtimes.
func (rt *runtimeUnderTest) peakRSS(dir string, args ...string) (string, error) {
	runtime.LockOSThread() // ptrace(2) is per thread
	defer runtime.UnlockOSThread()
	cmd := rt.command(args...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	pid, peak := cmd.Process.Pid, ""
	if _, err := unix.Wait4(pid, nil, 0, nil); err != nil { // the stop after execve
		return "", fmt.Errorf("wait for %s: %w", rt.name, err)
	}
	if err := unix.PtraceSetOptions(pid, unix.PTRACE_O_TRACEEXIT|unix.PTRACE_O_TRACEEXEC); err != nil {
		return "", fmt.Errorf("ptrace %s: %w", rt.name, err)
	}
	for signal := 0; ; {
		if err := unix.PtraceCont(pid, signal); err != nil && !errors.Is(err, unix.ESRCH) {
			return "", fmt.Errorf("ptrace %s: %w", rt.name, err)
		}
		var ws unix.WaitStatus
		if _, err := unix.Wait4(pid, &ws, 0, nil); err != nil {
			return "", fmt.Errorf("wait for %s: %w", rt.name, err)
		}
		switch {
		case ws.Exited() && ws.ExitStatus() == 0 && peak != "":
			return peak, cmd.Process.Release()
		case ws.Exited() || ws.Signaled():
			return "", fmt.Errorf("%s %s: wait status %#x", rt.name, strings.Join(args, " "), ws)
		case ws.TrapCause() == unix.PTRACE_EVENT_EXIT:
			signal, peak = 0, highWater(pid)
		case ws.TrapCause() == unix.PTRACE_EVENT_EXEC:
			signal = 0
		default:
			signal = int(ws.StopSignal())
		}
	}
}

// highWater returns VmHWM of a process in KiB.
func highWater(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmHWM:" {
			return f[1]
		}
	}
	return ""
}
