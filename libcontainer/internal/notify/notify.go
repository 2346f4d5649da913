// SPDX-License-Identifier: Apache-2.0

// Package notify tells a service manager that a container is ready (sd_notify(3)).
package notify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/unixsocket"
	"golang.org/x/sys/unix"
)

// SocketEnv is the variable with which a service manager says where it expects the message that
// a service is ready (sd_notify(3)).
const SocketEnv = "NOTIFY_SOCKET"

// The container gets its own socket, in a directory of its state that it sees at Mount. It may
// not be able to reach the manager's socket, and the manager accepts messages only from
// processes in the service's cgroup, and those of the container are not in it.
const (
	Dir    = "notify"
	Socket = "notify.sock"
	Mount  = "/run/notify"
)

// patience is how long a manager may take to process its messages.
const patience = 30 * time.Second

// Notifier tells a service manager that a container is ready when the container says so.
type Notifier struct {
	manager string
	socket  *os.File // the container's; nil if it has none
	pidfd   *os.File
	pid     int
}

// New returns a Notifier for the manager at an address as in NOTIFY_SOCKET: a path, or @ and
// the name of an abstract socket. For the address "" it returns nil, a Notifier that does
// nothing.
func New(manager string) (*Notifier, error) {
	if manager == "" {
		return nil, nil
	}
	if c := manager[0]; (c != '/' && c != '@') || len(manager) == 1 {
		return nil, fmt.Errorf("environment: %s=%q is neither a path nor an abstract socket", SocketEnv, manager)
	}
	return &Notifier{manager: manager}, nil
}

// Listen makes the container's socket before the container can send anything. A container that
// was created without one does not get it.
func (n *Notifier) Listen(c *record.Record) error {
	if n == nil {
		return nil
	}
	path := filepath.Join(c.Dir, Dir)
	dir, err := os.OpenFile(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	pidfd, err := c.OpenInit()
	if errors.Is(err, record.ErrNotRunning) {
		return nil // The start will report it.
	}
	if err != nil {
		return err
	}
	socket, err := bindNotify(dir)
	if err != nil {
		_ = pidfd.Close()
		return fmt.Errorf("%s: %w", filepath.Join(path, Socket), err)
	}
	n.socket, n.pidfd, n.pid = socket, pidfd, c.Saved.PID
	return nil
}

// bindNotify makes the socket in dir. An existing one was left by a start that failed.
func bindNotify(dir *os.File) (*os.File, error) {
	if err := unix.Unlinkat(int(dir.Fd()), Socket, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return nil, os.NewSyscallError("unlink", err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	socket := os.NewFile(uintptr(fd), Socket)
	// The full path may be longer than a socket address can be.
	name := "/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + Socket
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: name}); err != nil {
		_ = socket.Close()
		return nil, os.NewSyscallError("bind", err)
	}
	// The umask has removed the write permission for the container's users.
	if err := allowAll(dir, Socket); err != nil {
		_ = socket.Close()
		return nil, err
	}
	return socket, nil
}

// allowAll gives everybody all permissions on a socket. The container can write to the
// directory, so the change applies to the socket itself, never to the target of a link.
func allowAll(dir *os.File, name string) error {
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("openat", err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return errors.New("is not the socket any more")
	}
	return os.Chmod("/proc/self/fd/"+strconv.Itoa(fd), 0o777)
}

// Await returns when the container has reported that it is ready and the manager has been told,
// or when the container has ended. mainPID becomes the main process of the service; 0 stands
// for the container's first process.
func (n *Notifier) Await(mainPID int) error {
	if n == nil || n.socket == nil {
		return nil
	}
	ready, err := n.isReady()
	if err != nil || !ready {
		return err
	}
	if mainPID == 0 {
		mainPID = n.pid
	}
	if err := notifyManager(n.manager, "READY=1\nMAINPID="+strconv.Itoa(mainPID)); err != nil {
		return fmt.Errorf("%s %s: %w", SocketEnv, n.manager, err)
	}
	return nil
}

// isReady waits for the message.
func (n *Notifier) isReady() (bool, error) {
	for {
		fds := []unix.PollFd{{Fd: int32(n.socket.Fd()), Events: unix.POLLIN}, {Fd: int32(n.pidfd.Fd()), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return false, fmt.Errorf("poll: %w", err)
		}
		ended := fds[1].Revents != 0
		if ready, err := n.read(); ready || err != nil || ended {
			return ready, err
		}
	}
}

// read reads the messages that have arrived. There is no room for descriptors that come along,
// so the kernel closes them. That releases a sender that waits for its own barrier.
func (n *Notifier) read() (ready bool, err error) {
	buf := make([]byte, 4096) // systemd takes no more
	for {
		size, err := unix.Read(int(n.socket.Fd()), buf)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return false, nil
		case err != nil:
			return false, fmt.Errorf("read %s: %w", n.socket.Name(), err)
		case saysReady(string(buf[:size])):
			return true, nil
		}
	}
}

// saysReady looks for the only line that is passed on to the manager. The others are about pids
// and descriptors in the container, or would be the first of several messages that nobody
// passes on once a detached container runs.
func saysReady(message string) bool {
	return slices.Contains(strings.Split(message, "\n"), "READY=1")
}

// Discard receives further messages and drops them until the container has ended, so that the
// container neither blocks nor fails on a socket that nobody reads.
func (n *Notifier) Discard() error {
	if n == nil || n.socket == nil {
		return nil
	}
	for {
		ready, err := n.isReady()
		if err != nil || !ready {
			return err
		}
	}
}

// Close closes the container's socket.
func (n *Notifier) Close() error {
	if n == nil || n.socket == nil {
		return nil
	}
	return errors.Join(n.socket.Close(), n.pidfd.Close())
}

// notifyManager sends a message and waits until the manager has processed it: the manager
// identifies the sender by its pid, so the sender must exist until then.
func notifyManager(address, message string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(fd)
	limit := unix.NsecToTimeval(int64(patience))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit); err != nil {
		return fmt.Errorf("setsockopt: %w", err)
	}
	if err := unixsocket.Connect(fd, address); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if err := sendNotification(fd, message, nil); err != nil {
		return err
	}
	return barrier(fd)
}

// barrier is sd_notify_barrier(3): the manager closes the descriptor that it receives when it
// processes the message.
func barrier(fd int) error {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("pipe: %w", err)
	}
	defer unix.Close(pipe[0])
	err := sendNotification(fd, "BARRIER=1", unix.UnixRights(pipe[1]))
	_ = unix.Close(pipe[1])
	if err != nil {
		return err
	}
	deadline := time.Now().Add(patience)
	for {
		fds := []unix.PollFd{{Fd: int32(pipe[0])}} // POLLHUP
		n, err := unix.Poll(fds, max(0, int(time.Until(deadline).Milliseconds())))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("poll: %w", err)
		case n == 0:
			return fmt.Errorf("no answer within %v", patience)
		default:
			return nil
		}
	}
}

func sendNotification(fd int, message string, rights []byte) error {
	for {
		err := unix.Sendmsg(fd, []byte(message), rights, nil, unix.MSG_NOSIGNAL)
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("sendmsg", err)
		}
	}
}
