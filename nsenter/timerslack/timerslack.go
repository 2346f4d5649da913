// SPDX-License-Identifier: Apache-2.0

// Package timerslack keeps Go's monitor thread from waking up all the time.
//
// The monitor thread (sysmon) sleeps 20 µs at a time as long as a program is young. With the
// kernel's default timer slack of 50 µs that is a wakeup every 70 µs, of a thread that in a
// program of a few milliseconds finds nothing to do, or takes a P from a thread that is in a
// short system call and starts another thread for it. With a longer
// slack a `run` made 73 context switches instead of 131, and took 5 % less CPU time (medians of 100
// interleaved runs on a busy machine).
//
// A child inherits the timer slack of the thread that forks it, and any thread may have been
// started by the monitor thread. So whatever starts a program calls [Restore] first.
package timerslack

import (
	"golang.org/x/sys/unix"
)

// relaxed is the timer slack of the monitor thread, in nanoseconds. It is the longest time that
// a goroutine waits for the P of a thread which is in a system call.
const relaxed = "2000000"

// inherited is what this process got from its parent, in nanoseconds; 0 if Relax has not run or
// has changed nothing.
var inherited uintptr

// Relax changes the timer slack of the monitor thread, which is the first that Go starts. It has to
// be called while there is no other child process to start. Without the right to do so
// (CAP_SYS_NICE) it changes nothing. It takes three system calls in /proc, so it is for commands
// that start a process; a shorter one does not gain what it costs.
func Relax() {
	if inherited != 0 {
		return
	}
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		return
	}
	// The threads in the order in which they were started.
	dir, err := unix.Open("/proc/self/task", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	var entries [512]byte
	n, err := unix.Getdents(dir, entries[:])
	_ = unix.Close(dir)
	if err != nil {
		return
	}
	_, _, threads := unix.ParseDirent(entries[:n], 2, make([]string, 0, 2))
	if len(threads) == 2 && set(threads[1]) {
		inherited = uintptr(slack)
	}
}

// set reports whether the timer slack of a thread of this process could be changed.
func set(thread string) bool {
	// Not in /proc/self/task: the kernel has the file only for what it shows as a process.
	fd, err := unix.Open("/proc/"+thread+"/timerslack_ns", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	_, err = unix.Write(fd, []byte(relaxed))
	_ = unix.Close(fd)
	return err == nil
}

// Restore gives the calling thread the timer slack that this process got from its parent, for
// a child to inherit. The goroutine should stay on its thread until it has forked.
func Restore() {
	if inherited != 0 {
		// A raw system call, for which Go does not give the thread's P away.
		_, _, _ = unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, inherited, 0)
	}
}
