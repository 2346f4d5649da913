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
	"unsafe"

	"golang.org/x/sys/unix"
)

// trace is what a command and all that it starts do until the command ends.
type trace struct {
	calls   int64 // without waits
	threads int64
}

// traceCalls runs a command and counts its system calls and the threads that it starts, and
// those of its descendants.
func traceCalls(cmd *exec.Cmd) (t trace, err error) {
	var cpus unix.CPUSet // the caller's: another thread may have others
	if err := unix.SchedGetaffinity(0, &cpus); err != nil {
		return t, fmt.Errorf("sched_getaffinity: %w", err)
	}
	done := make(chan struct{})
	go func() {
		// A tracer is a thread. This one ends with the goroutine, and so the kernel detaches
		// from the processes that live on.
		runtime.LockOSThread()
		defer close(done)
		if err = unix.SchedSetaffinity(0, &cpus); err != nil {
			err = fmt.Errorf("sched_setaffinity: %w", err)
			return
		}
		err = t.follow(cmd)
	}()
	<-done
	return t, err
}

// follow traces until the command has ended.
func (t *trace) follow(cmd *exec.Cmd) error {
	if err := seize(cmd); err != nil {
		return err
	}
	main := cmd.Process.Pid
	for {
		var ws unix.WaitStatus
		// Its own tracees only, threads as well.
		pid, err := unix.Wait4(-1, &ws, unix.WALL|unix.WNOTHREAD, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("wait: %w", err)
		}
		if ws.Stopped() {
			// One that is being killed is not there any more.
			if err := unix.PtraceSyscall(pid, t.stop(pid, ws)); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("ptrace: %w", err)
			}
		} else if pid == main {
			if !ws.Exited() || ws.ExitStatus() != 0 {
				return fmt.Errorf("%s: wait status %#x", strings.Join(cmd.Args, " "), ws)
			}
			if t.calls == 0 {
				err = errors.New("no system call was counted: PTRACE_GET_SYSCALL_INFO requires Linux 5.3")
			}
			return errors.Join(err, cmd.Process.Release())
		}
	}
}

// seize starts a command that is traced by PTRACE_SEIZE. With PTRACE_TRACEME, what it starts
// would begin with a SIGSTOP, and stay stopped if the tracer ended just then.
func seize(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	pid := cmd.Process.Pid
	wait := func(options int) error {
		if _, err := unix.Wait4(pid, nil, options, nil); err != nil {
			return fmt.Errorf("wait: %w", err)
		}
		return nil
	}
	if err := wait(0); err != nil { // the stop after execve
		return err
	}
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_DETACH, uintptr(pid), 0, uintptr(unix.SIGSTOP), 0, 0); errno != 0 {
		return fmt.Errorf("detach: %w", errno)
	}
	if err := wait(unix.WUNTRACED); err != nil {
		return err
	}
	if err := unix.PtraceSeize(pid); err != nil {
		return fmt.Errorf("seize: %w", err)
	}
	if err := wait(0); err != nil { // the same stop, as a tracee
		return err
	}
	const options = unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACEEXEC |
		unix.PTRACE_O_TRACESYSGOOD
	if err := unix.PtraceSetOptions(pid, options); err != nil {
		return fmt.Errorf("ptrace: %w", err)
	}
	// Or its threads would begin as stopped as it is.
	if err := unix.Kill(pid, unix.SIGCONT); err != nil {
		return fmt.Errorf("kill: %w", err)
	}
	return unix.PtraceSyscall(pid, 0)
}

// stop counts what a process has stopped for, and returns the signal that it is to get.
func (t *trace) stop(pid int, ws unix.WaitStatus) int {
	const eventShift = 16
	switch {
	case ws.StopSignal() == unix.SIGTRAP|0x80:
		if nr, ok := entersCall(pid); ok && !slices.Contains(waits, nr) {
			t.calls++
		}
		return 0
	case ws.TrapCause() == unix.PTRACE_EVENT_CLONE:
		if id, err := unix.PtraceGetEventMsg(pid); err == nil && isThread(int(id)) {
			t.threads++
		}
		return 0
	case ws>>eventShift != 0:
		return 0
	}
	return int(ws.StopSignal())
}

// waits are the system calls of Go's scheduler: threads wait for each other, for work, and
// interrupt one that works for long. How many these are is a matter of time.
var waits = []uint64{
	unix.SYS_FUTEX, unix.SYS_NANOSLEEP, unix.SYS_SCHED_YIELD, unix.SYS_EPOLL_PWAIT, unix.SYS_TGKILL, unix.SYS_GETPID,
	unix.SYS_RT_SIGRETURN,
}

// entersCall returns the number of the system call at whose beginning a process has stopped,
// if it is not at its end.
func entersCall(pid int) (nr uint64, ok bool) {
	const getSyscallInfo, entry = 0x420e, 1 // PTRACE_GET_SYSCALL_INFO, PTRACE_SYSCALL_INFO_ENTRY
	// struct ptrace_syscall_info up to the number, and room for the rest.
	var info struct {
		op   uint8
		arch uint32
		ip   uint64
		sp   uint64
		nr   uint64
		rest [8]uint64
	}
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, getSyscallInfo, uintptr(pid), unsafe.Sizeof(info),
		uintptr(unsafe.Pointer(&info)), 0, 0)
	return info.nr, errno == 0 && info.op == entry
}

// isThread tells whether an id is one of a thread that is not the first of its process.
func isThread(id int) bool {
	tgid, err := statusField(fmt.Sprintf("/proc/%d", id), "Tgid:")
	return err == nil && int(tgid) != id
}
