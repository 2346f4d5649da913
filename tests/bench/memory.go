// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// peakRSS runs a command and tells the most memory in KiB that its process had, VmHWM just
// before it exits. The rusage of a child does not do: it starts with the peak of the process
// that started it, and the bench is larger than some runtimes.
func peakRSS(cmd *exec.Cmd) (int64, error) {
	runtime.LockOSThread() // a tracer is a thread
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	pid, peak := cmd.Process.Pid, int64(0)
	if _, err := unix.Wait4(pid, nil, 0, nil); err != nil { // the stop after execve
		return 0, fmt.Errorf("wait: %w", err)
	}
	if err := unix.PtraceSetOptions(pid, unix.PTRACE_O_TRACEEXIT|unix.PTRACE_O_TRACEEXEC); err != nil {
		return 0, fmt.Errorf("ptrace: %w", err)
	}
	for signal := 0; ; {
		if err := unix.PtraceCont(pid, signal); err != nil && !errors.Is(err, unix.ESRCH) {
			return 0, fmt.Errorf("ptrace: %w", err)
		}
		var ws unix.WaitStatus
		if _, err := unix.Wait4(pid, &ws, 0, nil); err != nil {
			return 0, fmt.Errorf("wait: %w", err)
		}
		switch {
		case ws.Exited() && ws.ExitStatus() == 0 && peak > 0:
			return peak, cmd.Process.Release()
		case ws.Exited() || ws.Signaled():
			return 0, fmt.Errorf("%s: wait status %#x", strings.Join(cmd.Args, " "), ws)
		case ws.TrapCause() == unix.PTRACE_EVENT_EXIT:
			signal = 0
			// Without it, the end is an error.
			peak, _ = statusField(fmt.Sprintf("/proc/%d", pid), "VmHWM:")
		case ws.TrapCause() == unix.PTRACE_EVENT_EXEC:
			signal = 0
		default:
			signal = int(ws.StopSignal())
		}
	}
}

// resident is the memory in KiB of the descendants that were not there before.
func resident(before []int) (int64, error) {
	now, err := descendants()
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, pid := range now {
		if slices.Contains(before, pid) {
			continue
		}
		n, err := statusField(fmt.Sprintf("/proc/%d", pid), "VmRSS:")
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}
