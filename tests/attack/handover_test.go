// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// handover is a socket to which a runtime sends a descriptor.
type handover struct {
	*box
	l *net.UnixListener
}

// listen creates the socket in the bundle. It is closed when the stage's test ends.
func (b *box) listen(name string) *handover {
	b.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: b.path(name), Net: "unix"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	return &handover{b, l}
}

// takeFile waits for a connection, and receives the one descriptor that must come over it.
func (h *handover) takeFile() *os.File {
	h.Helper()
	if err := h.l.SetDeadline(time.Now().Add(limit)); err != nil {
		h.Fatal(err)
	}
	conn, err := h.l.AcceptUnix()
	if err != nil {
		h.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		h.Fatal(err)
	}
	text, rights := make([]byte, 64<<10), make([]byte, unix.CmsgSpace(4*16))
	_, n, _, _, err := conn.ReadMsgUnix(text, rights)
	if err != nil {
		h.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) != 1 {
		h.Fatalf("%d messages with descriptors, %v", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		h.Fatalf("descriptors %v, %v", fds, err)
	}
	return os.NewFile(uintptr(fds[0]), h.l.Addr().String())
}

// drain reads a terminal until its other side is closed.
func drain(terminal *os.File) string {
	var b strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := terminal.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			return strings.TrimSpace(b.String()) // EIO: no process has the other side open
		}
	}
}
