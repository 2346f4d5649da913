// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"github.com/berth-run/berth/nsenter/internal/wire"
	"golang.org/x/sys/unix"
)

// helper is a copy of init that sends the listener of init's seccomp filter (init/helper.c),
// over its own channel. Methods of a nil helper do nothing.
type helper struct {
	// ours is this process's end of the channel, theirs the other end.
	ours, theirs *os.File
	// process is a pidfd of the helper, nil until it has been received.
	process *os.File
}

func newHelper() (*helper, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socketpair: %w", err)
	}
	return &helper{
		ours:   os.NewFile(uintptr(pair[0]), "channel to the helper"),
		theirs: os.NewFile(uintptr(pair[1]), "helper's channel"),
	}, nil
}

// adopt waits until init has started the helper. From then on only the helper has its end of
// the channel open.
func (h *helper) adopt(i *Init) error {
	_, files, err := i.receive(wire.Helping)
	if err != nil {
		return err
	}
	if len(files) != 1 {
		closeAll(files)
		return fmt.Errorf("%w: no helper", errBadReport)
	}
	h.process = os.NewFile(uintptr(files[0]), "pidfd of the helper")
	err = h.theirs.Close()
	h.theirs = nil
	return err
}

// takeListener returns the listener of the filter that init loads, nil if there is none.
func (i *Init) takeListener(p *Plan) (*os.File, error) {
	if p.Listener == nil {
		return nil, nil
	}
	r, err := i.await(wire.Listener)
	if err != nil {
		return nil, err
	}
	listener, err := i.helper.listener(i, r.Index)
	// The helper closes init's copy of the listener, and ends.
	if err == nil {
		err = i.helper.reap()
	}
	if err != nil && listener != nil {
		_ = listener.Close()
		listener = nil
	}
	return listener, err
}

// passListener passes the listener, if there is one, to the agent, and closes it here. The
// agent must have the only copy, so that the kernel answers when the agent has died.
func passListener(listener *os.File, p *Plan) error {
	if listener == nil {
		return nil
	}
	defer listener.Close()
	return p.Listener(listener)
}

// listener receives the listener from the helper, which looks for it. If init has ended, it
// tells the helper to look for the last time.
func (h *helper) listener(i *Init, number uint32) (*os.File, error) {
	err := sendMessage(h.ours, binary.NativeEndian.AppendUint32(nil, number), nil)
	if err != nil && !errors.Is(err, unix.EPIPE) {
		return nil, fmt.Errorf("send to the helper: %w", err)
	}
	fds := []unix.PollFd{
		{Fd: int32(h.ours.Fd()), Events: unix.POLLIN},
		{Fd: int32(h.process.Fd()), Events: unix.POLLIN},
		{Fd: int32(i.PIDFD.Fd()), Events: unix.POLLIN},
	}
	defer runtime.KeepAlive(i)
	for {
		_, err := unix.Poll(fds, -1)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, fmt.Errorf("poll the helper: %w", err)
		case fds[0].Revents != 0:
			return h.receive(i)
		case fds[1].Revents != 0:
			return h.lastMessage(i)
		default:
			if err := h.lookLastTime(); err != nil {
				return nil, err
			}
			fds[2].Fd = -1
		}
	}
}

// lastMessage is for a helper that has ended. It returns its last message, or the reason why
// there is none.
func (h *helper) lastMessage(i *Init) (*os.File, error) {
	said, err := isReadable(h.ours)
	if err != nil {
		return nil, err
	}
	if said {
		return h.receive(i)
	}
	return nil, i.whyNoListener()
}

// whyNoListener returns the error for a helper that has ended without a message.
func (i *Init) whyNoListener() error {
	// If the first process of a pid namespace dies, the helper is killed with it, before the
	// process itself counts as dead. But its socket, which the helper also had, is closed by
	// now.
	said, err := isReadable(i.sock)
	if err != nil {
		return err
	}
	if said {
		if _, err := i.await(wire.Failed); !errors.Is(err, errBadReport) {
			return err
		}
	}
	// Init is still alive, so somebody has killed the helper.
	return errors.New("the helper for the seccomp listener was killed")
}

func (h *helper) receive(i *Init) (*os.File, error) {
	_, files, err := i.receiveFrom(h.ours, wire.Listener)
	if errors.Is(err, ErrInitGone) {
		return nil, i.whyNoListener()
	}
	if err != nil {
		return nil, err
	}
	if len(files) != 1 {
		closeAll(files)
		return nil, fmt.Errorf("%w: no listener", errBadReport)
	}
	return checkListener(files[0])
}

// lookLastTime tells the helper to look for the last time. If the helper is gone, its pidfd
// will report it.
func (h *helper) lookLastTime() error {
	err := sendMessage(h.ours, []byte{wire.Go}, nil)
	if err != nil && !errors.Is(err, unix.EPIPE) {
		return fmt.Errorf("send to the helper: %w", err)
	}
	return nil
}

// end ends the helper, and returns when the process is gone.
func (h *helper) end() error {
	if h == nil || h.process == nil {
		return nil
	}
	fd := int(h.process.Fd())
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill the helper: %w", err)
	}
	return h.reap()
}

// reap waits for the end of the helper.
func (h *helper) reap() error {
	fd := int(h.process.Fd())
	ended := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(ended, -1)
		if err == nil {
			// It is a child of init, for which nobody needs to wait, or of this process.
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

// close ends the helper, if it still runs, and closes the channel.
func (h *helper) close() error {
	if h == nil {
		return nil
	}
	err := h.end()
	for _, f := range []**os.File{&h.ours, &h.theirs, &h.process} {
		if *f != nil {
			err = errors.Join(err, (*f).Close())
			*f = nil
		}
	}
	return err
}

// checkListener returns a file for a descriptor, and checks that it is a listener: an agent
// must never get any other file of init.
func checkListener(fd int) (*os.File, error) {
	// No notification has the id 0, so a listener returns ENOENT. Other files do not know the
	// ioctl.
	const idValid = 0x40082102 // SECCOMP_IOCTL_NOTIF_ID_VALID
	var id uint64
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), idValid, uintptr(unsafe.Pointer(&id)))
	if errno != unix.ENOENT {
		unix.Close(fd)
		return nil, fmt.Errorf("a descriptor of init is no seccomp listener: %w", errno)
	}
	return os.NewFile(uintptr(fd), "seccomp listener"), nil
}

// isReadable is readableWithin without waiting.
func isReadable(f *os.File) (bool, error) { return readableWithin(f, 0) }

// readableWithin waits at most the given number of milliseconds until f is readable or at its
// end.
func readableWithin(f *os.File, milliseconds int) (bool, error) {
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, milliseconds)
		runtime.KeepAlive(f)
		switch {
		case err == nil:
			return n > 0, nil
		case !errors.Is(err, unix.EINTR):
			return false, fmt.Errorf("poll %s: %w", f.Name(), err)
		}
	}
}
