// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// passListener takes the listener of the filter that init loads out of init, which
// may be unable to make one more system call by itself, and hands it on.
// init/listener.c has the other half. With a channel there is a helper that sends
// the listener.
func (i *Init) passListener(handOn func(*os.File) error, channel *listenerChannel) error {
	r, files, err := i.receive(wireListener)
	if err != nil {
		return err
	}
	if files, err = channel.adopt(files); err != nil {
		return err
	}
	// Closing the gate lets init through, and so comes last.
	defer closeAll(files)
	listener, err := i.listener(int(r.Index), files, channel)
	// The helper has done all that it can do.
	if err = errors.Join(err, channel.end()); err != nil {
		if listener != nil {
			_ = listener.Close()
		}
		return err
	}
	// The agent's is to be the only copy: the kernel answers for it when it dies.
	defer listener.Close()
	return handOn(listener)
}

// listener waits for the listener, of that number in init. gate is empty for none.
func (i *Init) listener(number int, gate []int, channel *listenerChannel) (*os.File, error) {
	if len(gate) > 0 {
		if err := i.awaitGate(gate[0]); err != nil {
			return nil, err
		}
	}
	switch {
	case channel != nil:
		return channel.listener(i, len(gate) > 0)
	case len(gate) > 0:
		return i.takeListener(number)
	}
	return i.listenerWithoutGate(number)
}

// awaitGate waits until init has come to the gate, a userfaultfd(2) that
// becomes readable then: the filter is loaded, and the listener there.
func (i *Init) awaitGate(gate int) error {
	fds := []unix.PollFd{
		{Fd: int32(gate), Events: unix.POLLIN},
		{Fd: int32(i.sock.Fd()), Events: unix.POLLIN},
	}
	for {
		_, err := unix.Poll(fds, -1)
		runtime.KeepAlive(i)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("poll the seccomp gate: %w", err)
		case fds[0].Revents&unix.POLLIN != 0:
			return nil
		default:
			return i.noListener()
		}
	}
}

// listenerWithoutGate looks again and again, as nothing tells when the listener is
// there: needs no userfaultfd(2), which comes with Linux 5.11, where it is built in
// and no filter of an outer container forbids it. The load takes microseconds, but
// a cgroup may stop init in the midst of it for long: then this is a look every
// millisecond.
//
// What init says ends it: a failure, its end, or ready, for which it has loaded the
// filter. The latter stays for who waits for it.
func (i *Init) listenerWithoutGate(number int) (*os.File, error) {
	const briefly = 1000
	said := []unix.PollFd{{Fd: int32(i.sock.Fd()), Events: unix.POLLIN}}
	for n := 0; ; n++ {
		pause := 0
		if n > briefly {
			pause = 1
		}
		_, err := unix.Poll(said, pause)
		runtime.KeepAlive(i)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return nil, fmt.Errorf("poll init: %w", err)
		}
		listener, err := i.takeListener(number)
		gone := errors.Is(err, unix.EBADF) || errors.Is(err, unix.ESRCH)
		switch {
		case err == nil || !gone:
			return listener, err
		case said[0].Revents != 0:
			return nil, i.noListener()
		}
		runtime.Gosched()
	}
}

// noListener is why there is none, once init has said something else.
func (i *Init) noListener() error {
	_, _, err := i.receive(wireFailed)
	return err
}

// takeListener copies init's descriptor of that number.
func (i *Init) takeListener(number int) (*os.File, error) {
	fd, err := unix.PidfdGetfd(int(i.PIDFD.Fd()), number, 0)
	runtime.KeepAlive(i)
	if err != nil {
		return nil, fmt.Errorf("pidfd_getfd of the seccomp listener: %w", err)
	}
	return checkListener(fd)
}

// checkListener makes a file of a descriptor that must be a listener: nothing else
// of init's may ever get to an agent.
func checkListener(fd int) (*os.File, error) {
	// No notification has the number 0, as a listener says; other files know no
	// such call.
	const idValid = 0x40082102 // SECCOMP_IOCTL_NOTIF_ID_VALID
	var id uint64
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), idValid, uintptr(unsafe.Pointer(&id)))
	if errno != unix.ENOENT {
		unix.Close(fd)
		return nil, fmt.Errorf("a descriptor of init is no seccomp listener: %w", errno)
	}
	return os.NewFile(uintptr(fd), "seccomp listener"), nil
}
