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

	"github.com/berth-run/berth/nsenter/internal/wire"
	"golang.org/x/sys/unix"
)

// InitName is the name of init's thread until it execs (PR_SET_NAME in
// init/main.c).
const InitName = "berth:init"

// ErrStarted means that somebody else has released init and it has executed the program.
var ErrStarted = errors.New("the init process has been let go already")

// pollInterval is how often a silent init is checked.
const pollInterval = time.Second

// LetGo releases an init that waits for `start`. fifo is open for writing. It is not an error
// if init has died or gone on in the meantime, so that nobody reads any more: AwaitExec
// distinguishes the two.
func LetGo(fifo int) error {
	for {
		_, err := unix.Write(fifo, []byte{wire.Go})
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EPIPE):
			return nil
		default:
			return err
		}
	}
}

// AwaitExec reads init's report from the fifo, a non-blocking descriptor opened for reading,
// after `start` has released init. It returns nil after a successful exec, a *StepError after a
// failed one, ErrInitGone if init (pid, pidfd) died first, and ErrStarted if init was not
// waiting.
//
// Init announces the exec, and at the exec the kernel closes the fifo. A kill between the two
// also closes it. The two can be distinguished as long as init has not been reaped. If it has,
// the announcement counts: it is more likely that the program ended at once, and the container
// is stopped in either case.
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
			// The announcement may have been read by another start, which was killed.
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
			if r.Kind == wire.Failed {
				failed := new(fileNames).stepError(r, detail)
				if failed.AboutProgram() {
					failed.Facts = factsOfFifo(fifo, rest)
				}
				return failed
			}
			announced = announced || r.Kind == wire.Exec
			pending = rest
		}
	}
}

// waitReadable waits until the fifo is readable, or at its end. ended is true if the process is
// dead and the fifo is empty: a process that has opened the fifo closes it before its death is
// reported.
//
// A fifo that init closed before it was opened for reading never reports its end. This happens
// if another start has released init and was killed, and this one came just in between. The
// kernel has no event for it, so init is checked from time to time.
func waitReadable(fifo int, pidfd *os.File) (ended bool, err error) {
	defer runtime.KeepAlive(pidfd)
	fds := []unix.PollFd{{Fd: int32(fifo), Events: unix.POLLIN}, {Fd: int32(pidfd.Fd()), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, int(pollInterval.Milliseconds()))
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
		// poll(2) checks the two one after the other, so check the fifo again.
		if _, err := unix.Poll(fds[:1], 0); err != nil && !errors.Is(err, unix.EINTR) {
			return false, fmt.Errorf("poll the reports of init: %w", err)
		}
		return fds[0].Revents == 0, nil
	}
}

// diedBeforeExec finds out why init's last descriptor was closed. It returns nil for the exec,
// ErrInitGone for a death before it, and unknown if that cannot be found out.
//
// A process that is not exiting has executed the program. One that is exiting has no executable
// any more, because it releases its memory before its descriptors. Then its name decides,
// because the exec sets it. Once the process is reaped nothing can be found out, even if its
// pid has been reused.
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

// statOf returns the name and the flags of the process behind a pidfd, unless it has been
// reaped.
func statOf(pidfd *os.File) (name string, flags uint64, ok bool) {
	pid := pidOf(pidfd)
	if pid <= 0 {
		return "", 0, false
	}
	var buf [512]byte
	name, flags, ok = parseStat(readOnce("/proc/"+strconv.Itoa(pid)+"/stat", buf[:]))
	// The pid may have been reused before the file was read.
	return name, flags, ok && pidOf(pidfd) == pid
}

// pidOf returns the pid of the process behind a pidfd. It is not positive if the process has
// been reaped.
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

// parseStat parses the name and the flags in /proc/PID/stat. The name is in parentheses and may
// contain some.
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
