// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// InitName is the name of init's thread until it execs (PR_SET_NAME in
// init/main.c).
const InitName = "berth:init"

// ErrStarted says that somebody else has let init go: it has exec'd the program.
var ErrStarted = errors.New("the init process has been let go already")

// glance is how often a look is taken at an init that says nothing.
const glance = time.Second

// LetGo lets an init go on that waits for `start`. fifo is open for writing. One that has died
// or gone on meanwhile, so that nobody reads any more, is no error: AwaitExec tells the two
// apart.
func LetGo(fifo int) error {
	for {
		_, err := unix.Write(fifo, []byte{wireGo})
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EPIPE):
			return nil
		default:
			return err
		}
	}
}

// AwaitExec reads from the fifo of reports, a descriptor opened for reading and non-blocking,
// what init says once `start` has let it go: nil after a successful exec, a
// *StepError after a failed one, ErrInitGone when init (pid, pidfd) died first,
// ErrStarted when it has not been waiting for this.
//
// Init announces the exec, and the kernel closes the fifo in it. A kill between
// the two closes it as well; the two are told apart as long as init has not
// been reaped. If it has, the announcement counts: a program that ended at
// once is the likelier story, and the container is stopped in either case.
func AwaitExec(fifo, pid int, pidfd *os.File) error {
	var pending []byte
	announced := false
	for {
		ended, err := waitReadable(fifo, pidfd)
		if err != nil {
			return err
		}
		if ended {
			return ErrInitGone
		}
		var buf [reportMax]byte
		n, err := unix.Read(fifo, buf[:])
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("read the reports of init: %w", err)
		case n == 0 && announced:
			return diedBeforeExec(pid, pidfd, nil)
		case n == 0:
			// Who heard the announcement may have been another start, that was killed.
			return diedBeforeExec(pid, pidfd, ErrInitGone)
		}
		pending = append(pending, buf[:n]...)
		for {
			r, detail, rest, err := parseReport(pending)
			if err != nil {
				return err
			}
			if r == nil {
				break
			}
			if r.Kind == wireFailed {
				return new(fileNames).stepError(r, detail)
			}
			announced = announced || r.Kind == wireExec
			pending = rest
		}
	}
}

// waitReadable waits until the fifo has something to read, its end included.
// ended is true when the process is dead and the fifo has nothing: a process
// that has opened the fifo closes it before its death is told.
//
// A fifo that init has closed before it was opened for reading never has an end. That
// is so when another start has let init go and was killed, and this one came in the
// moment between. The kernel has no event for it, so init is looked at now and then.
func waitReadable(fifo int, pidfd *os.File) (ended bool, err error) {
	defer runtime.KeepAlive(pidfd)
	fds := []unix.PollFd{{Fd: int32(fifo), Events: unix.POLLIN}, {Fd: int32(pidfd.Fd()), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, int(glance.Milliseconds()))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return false, fmt.Errorf("poll the reports of init: %w", err)
		}
		if n == 0 {
			if name, _, ok := statOf(pidfd); ok && name != InitName {
				return false, ErrStarted
			}
			continue
		}
		if fds[0].Revents != 0 {
			return false, nil
		}
		// The two are looked at one after the other: look at the fifo again.
		if _, err := unix.Poll(fds[:1], 0); err != nil && !errors.Is(err, unix.EINTR) {
			return false, fmt.Errorf("poll the reports of init: %w", err)
		}
		return fds[0].Revents == 0, nil
	}
}

// diedBeforeExec tells what the end of init's last descriptor meant: nil for the exec,
// ErrInitGone for a death before it, and unknown when that cannot be told.
//
// A process that is not exiting has exec'd, and one that is has no executable any more:
// it gives up its memory before its descriptors. Of one that is, dead or dying, the
// name tells: the exec sets it. Once it is reaped nothing can be told, not even when its
// number is another's already.
func diedBeforeExec(pid int, pidfd *os.File, unknown error) error {
	var exe [1]byte
	if _, err := unix.Readlink("/proc/"+strconv.Itoa(pid)+"/exe", exe[:]); err == nil {
		return nil
	}
	name, flags, ok := statOf(pidfd)
	if !ok {
		return unknown
	}
	const exiting = 0x4 // PF_EXITING
	if flags&exiting != 0 && name == InitName {
		return ErrInitGone
	}
	return nil
}

// statOf is the name and the flags of the process behind a pidfd, unless it has been
// reaped.
func statOf(pidfd *os.File) (name string, flags uint64, ok bool) {
	pid := pidOf(pidfd)
	if pid <= 0 {
		return "", 0, false
	}
	var buf [512]byte
	name, flags, ok = parseStat(readOnce("/proc/"+strconv.Itoa(pid)+"/stat", buf[:]))
	// The number may have gone to another process before it was read.
	return name, flags, ok && pidOf(pidfd) == pid
}

// pidOf is the process id behind a pidfd, not positive when it has been reaped.
func pidOf(pidfd *os.File) int {
	var buf [512]byte
	info := readOnce("/proc/self/fdinfo/"+strconv.Itoa(int(pidfd.Fd())), buf[:])
	runtime.KeepAlive(pidfd)
	_, after, ok := bytes.Cut(info, []byte("\nPid:"))
	if !ok {
		return 0
	}
	line, _, _ := bytes.Cut(after, []byte("\n"))
	pid, err := strconv.Atoi(string(bytes.TrimSpace(line)))
	if err != nil {
		return 0
	}
	return pid
}

// parseStat takes the name and the flags out of /proc/PID/stat. The name is in
// parentheses and may itself have some.
func parseStat(stat []byte) (name string, flags uint64, ok bool) {
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return "", 0, false
	}
	// state ppid pgrp session tty_nr tpgid flags
	fields := bytes.Fields(stat[end+1:])
	if len(fields) < 7 {
		return "", 0, false
	}
	flags, err := strconv.ParseUint(string(fields[6]), 10, 64)
	return string(stat[open+1 : end]), flags, err == nil
}

// readOnce reads a small file of /proc with one read; nothing on error.
func readOnce(path string, buf []byte) []byte {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return nil
	}
	return buf[:n]
}
