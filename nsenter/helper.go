// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// listenerChannel leads to the helper of init that sends the seccomp listener where
// this process may not take it out of init (init/helper.c). A nil one is for where it
// may.
type listenerChannel struct {
	// sock is this process's end, helpers the other one.
	sock, helpers *os.File
	// process is a pidfd of the helper, nil before it has been told.
	process *os.File
}

// listenerChannel makes the channel for a plan that needs one.
func (i *Init) listenerChannel(p *Plan) (*listenerChannel, error) {
	if p.Listener == nil {
		return nil, nil
	}
	// Init is undumpable by then.
	if err := i.skipInside(); err != nil {
		return nil, err
	}
	if i.mayTakeFiles() {
		return nil, nil
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socketpair: %w", err)
	}
	return &listenerChannel{
		sock:    os.NewFile(uintptr(pair[0]), "channel to the helper"),
		helpers: os.NewFile(uintptr(pair[1]), "helper's channel"),
	}, nil
}

// mayTakeFiles asks the kernel, with the file that init surely has. It takes the right
// to trace init, and no filter of an outer container that forbids pidfd_getfd(2), as
// Docker's does. An init that is gone will be missed soon enough.
func (i *Init) mayTakeFiles() bool {
	fd, err := unix.PidfdGetfd(int(i.PIDFD.Fd()), 0, 0)
	runtime.KeepAlive(i)
	if err == nil {
		unix.Close(fd)
	}
	return err == nil || errors.Is(err, unix.ESRCH)
}

// adopt takes the helper's pidfd, the last of the files that came with the
// announcement, and leaves the rest.
func (c *listenerChannel) adopt(files []int) ([]int, error) {
	if c == nil {
		return files, nil
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%w: no helper", errBadReport)
	}
	last := len(files) - 1
	c.process = os.NewFile(uintptr(files[last]), "pidfd of the helper")
	return files[:last], nil
}

// listener gets the listener from the helper. With a gate it is there, and the helper
// waits to be told so; without one the helper looks for it, and is told when it can
// look for the last time, because init has ended.
func (c *listenerChannel) listener(i *Init, gated bool) (*os.File, error) {
	fds := []unix.PollFd{
		{Fd: int32(c.sock.Fd()), Events: unix.POLLIN},
		{Fd: int32(c.process.Fd()), Events: unix.POLLIN},
		{Fd: int32(i.PIDFD.Fd()), Events: unix.POLLIN},
	}
	defer runtime.KeepAlive(i)
	if gated {
		if err := c.proceed(); err != nil {
			return nil, err
		}
		fds[2].Fd = -1
	}
	for {
		_, err := unix.Poll(fds, -1)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, fmt.Errorf("poll the helper: %w", err)
		case fds[0].Revents != 0:
			return c.receive(i)
		case fds[1].Revents != 0:
			return c.lastWord(i)
		default:
			if err := c.proceed(); err != nil {
				return nil, err
			}
			fds[2].Fd = -1
		}
	}
}

// lastWord is for a helper that has ended: what it has said before, or why not.
func (c *listenerChannel) lastWord(i *Init) (*os.File, error) {
	said, err := isReadable(c.sock)
	if err != nil {
		return nil, err
	}
	if said {
		return c.receive(i)
	}
	// The first process of a pid namespace takes it along, and is itself not dead
	// before that; but its socket, which the helper had too, is closed by now.
	if said, err = isReadable(i.sock); err != nil {
		return nil, err
	}
	if said {
		if err := i.noListener(); !errors.Is(err, errBadReport) {
			return nil, err
		}
	}
	// Init is well: a process of the container has ended the helper.
	return nil, errors.New("the helper for the seccomp listener was killed")
}

func (c *listenerChannel) receive(i *Init) (*os.File, error) {
	_, files, err := i.receiveFrom(c.sock, wireListener)
	if err != nil {
		return nil, err
	}
	if len(files) != 1 {
		closeAll(files)
		return nil, fmt.Errorf("%w: no listener", errBadReport)
	}
	return checkListener(files[0])
}

// proceed tells the helper that it can look for the listener now. One that is gone
// has its pidfd tell.
func (c *listenerChannel) proceed() error {
	err := sendMessage(c.sock, []byte{wireGo}, nil)
	if err != nil && !errors.Is(err, unix.EPIPE) {
		return fmt.Errorf("send to the helper: %w", err)
	}
	return nil
}

// end ends the helper, and returns when the container has no such process any more.
func (c *listenerChannel) end() error {
	if c == nil || c.process == nil {
		return nil
	}
	fd := int(c.process.Fd())
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill the helper: %w", err)
	}
	ended := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(ended, -1)
		if err == nil {
			// Init's child, which nobody need wait for, or this process's.
			err = unix.Waitid(unix.P_PIDFD, fd, nil, unix.WEXITED, nil)
		}
		switch {
		case err == nil, errors.Is(err, unix.ECHILD):
			return nil
		case !errors.Is(err, unix.EINTR):
			return fmt.Errorf("wait for the helper: %w", err)
		}
	}
}

func (c *listenerChannel) close() {
	if c == nil {
		return
	}
	for _, f := range []*os.File{c.sock, c.helpers, c.process} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// isReadable does not wait.
func isReadable(f *os.File) (bool, error) {
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, 0)
		runtime.KeepAlive(f)
		switch {
		case err == nil:
			return n > 0, nil
		case !errors.Is(err, unix.EINTR):
			return false, fmt.Errorf("poll %s: %w", f.Name(), err)
		}
	}
}
