// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// proceed is an agent's answer that lets the call continue. Other answers are the errno of the
// call.
const proceed = unix.Errno(0)

// seccompAgent listens on a socket for the listener of one container's filter, and answers its
// notifications (seccomp_unotify(2)).
type seccompAgent struct {
	t      *testing.T
	path   string
	answer func(nr uint32) unix.Errno
	// leave makes the agent end as soon as it has the listener.
	leave bool
	// connected receives the state that came with the listener.
	connected chan specs.ContainerProcessState
	// stuck receives the notifications that an agent without answers does not answer.
	stuck chan struct{}
	done  sync.WaitGroup
	mu    sync.Mutex
	asked []uint32
}

// newAgent starts an agent at agent.sock in the bundle. If answer is nil, the agent receives
// notifications but never answers.
func newAgent(c *container, answer func(nr uint32) unix.Errno) *seccompAgent {
	c.t.Helper()
	a := &seccompAgent{
		t: c.t, path: c.path("agent.sock"), answer: answer,
		connected: make(chan specs.ContainerProcessState, 1), stuck: make(chan struct{}, 64),
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: a.path, Net: "unix"})
	if err != nil {
		c.t.Fatal(err)
	}
	a.done.Add(1)
	go func() {
		defer a.done.Done()
		a.accept(l)
	}()
	c.t.Cleanup(func() {
		_ = l.Close()
		c.command("delete", "--force", c.id).code(0)
		// Before Linux 6.11 a zombie keeps its filter, and so the listener does not end.
		reapZombies(c.t)
		a.done.Wait()
	})
	return a
}

// accept serves connections that send a listener. A runtime may also connect and then fail before
// it has a listener.
func (a *seccompAgent) accept(l *net.UnixListener) {
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			return
		}
		state, listener, err := receiveListener(conn)
		_ = conn.Close()
		if err != nil {
			a.t.Errorf("agent: %v", err)
		}
		if listener < 0 {
			continue
		}
		if a.leave {
			_ = unix.Close(listener)
			listener = -1
		}
		a.connected <- state
		a.done.Add(1)
		go func() {
			defer a.done.Done()
			if listener >= 0 {
				a.serve(listener)
				_ = unix.Close(listener)
			}
		}()
	}
}

// receiveListener reads the only message of the connection, and closes that.
func receiveListener(conn *net.UnixConn) (state specs.ContainerProcessState, listener int, err error) {
	buf, oob := make([]byte, 64<<10), make([]byte, unix.CmsgSpace(4*4))
	n, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
	if err != nil || n == 0 {
		return state, -1, nil
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		return state, -1, errors.New("no descriptors with the message")
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return state, -1, errors.New("not one descriptor with the message")
	}
	return state, fds[0], json.Unmarshal(buf[:n], &state)
}

// serve answers notifications until all processes with the filter have ended.
func (a *seccompAgent) serve(listener int) {
	for {
		fds := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		_, err := unix.Poll(fds, -1)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil || fds[0].Revents&unix.POLLIN == 0:
			return
		}
		a.answerOne(listener)
	}
}

// answerOne receives one notification and answers it.
func (a *seccompAgent) answerOne(listener int) {
	const receive, send = 0xc0502100, 0xc0182101
	var request [80]byte
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), receive, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return // the process has been killed in the meantime
	}
	nr := binary.NativeEndian.Uint32(request[16:])
	a.mu.Lock()
	a.asked = append(a.asked, nr)
	a.mu.Unlock()
	if a.answer == nil {
		a.stuck <- struct{}{}
		return
	}
	var response [24]byte
	copy(response[:8], request[:8])
	if e := a.answer(nr); e == proceed {
		binary.NativeEndian.PutUint32(response[20:], unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE)
	} else {
		binary.NativeEndian.PutUint32(response[16:], uint32(-int32(e)))
	}
	_, _, errno = unix.Syscall(unix.SYS_IOCTL, uintptr(listener), send, uintptr(unsafe.Pointer(&response)))
	if errno != 0 && errno != unix.ENOENT {
		a.t.Errorf("agent: answer for system call %d: %v", nr, errno)
	}
}

// wasAsked reports whether there was a notification for a system call.
func (a *seccompAgent) wasAsked(nr uint32) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Contains(a.asked, nr)
}

// notify gives the container a profile that allows all calls except names, about which the agent
// decides.
func (a *seccompAgent) notify(c *container, names ...string) {
	c.spec.Linux.Seccomp = &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		ListenerPath:  a.path, ListenerMetadata: "some\nmetadata",
		Syscalls: []specs.LinuxSyscall{{Names: names, Action: specs.ActNotify}},
	}
}

// socketless returns the path of a socket on which nobody listens.
func socketless(c *container) string {
	c.t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: c.path("deaf.sock"), Net: "unix"})
	if err != nil {
		c.t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := errors.Join(l.Close(), os.Chmod(c.path("deaf.sock"), 0o600)); err != nil {
		c.t.Fatal(err)
	}
	return c.path("deaf.sock")
}
