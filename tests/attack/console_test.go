// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"net"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestConsoleLink: /dev/console on a volume on /dev is a symbolic link to another file. The
// terminal would be mounted on that file, or the file would be created (CVE-2025-52565).
func TestConsoleLink(t *testing.T) {
	withstandsOf(t, "runc", "1.1", 1, func(s *stage) string {
		d := s.dirs("dev")[0]
		b := s.box("a").sh("test -c /etc/hit && echo hit >/hit; echo done >/done; sleep 1000")
		must(t, os.Symlink("/etc/hit", d+"/console"), os.WriteFile(b.path("rootfs/etc/hit"), []byte("a file"), 0o600),
			os.Mkdir(d+"/pts", 0o755), os.Symlink("pts/ptmx", d+"/ptmx"),
			unix.Mknod(d+"/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
		var mounts []specs.Mount
		for _, m := range b.spec.Mounts {
			if m.Destination == "/dev" {
				m = specs.Mount{Destination: "/dev", Type: "bind", Source: d, Options: []string{"bind"}}
			}
			if m.Destination != "/dev/shm" && m.Destination != "/dev/mqueue" {
				mounts = append(mounts, m)
			}
		}
		b.spec.Mounts, b.spec.Process.Terminal = mounts, true
		// This path is short enough for a socket address.
		socket, err := os.MkdirTemp("", "attack.")
		must(t, err)
		defer os.RemoveAll(socket)
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket + "/s"})
		must(t, err)
		terminal := make(chan []byte, 1)
		defer func() { closeReceived(t, <-terminal) }()
		defer l.Close()
		go func() {
			oob, n := make([]byte, unix.CmsgSpace(4)), 0
			if c, err := l.AcceptUnix(); err == nil {
				defer c.Close()
				_, n, _, _, _ = c.ReadMsgUnix(make([]byte, 4096), oob)
			}
			terminal <- oob[:n]
		}()
		if r := b.command("run", "--detach", "--console-socket", socket+"/s", b.id); r.status != 0 {
			s.Log(r)
			return ""
		}
		s.waitUntil(func() bool { return strings.HasPrefix(read(b.path("rootfs/done")), "done") || b.hasStopped() })
		if read(b.path("rootfs/hit")) != "" {
			return "the terminal is on the file of the link"
		}
		return ""
	})
}

// hasStopped reports whether the container has stopped.
func (b *box) hasStopped() bool {
	b.Helper()
	return strings.Contains(b.command("state", b.id).out, `"stopped"`)
}

// closeReceived closes the terminal in a control message.
func closeReceived(t *testing.T, oob []byte) {
	t.Helper()
	messages, err := unix.ParseSocketControlMessage(oob)
	must(t, err)
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue // nothing was received
		}
		for _, fd := range fds {
			must(t, unix.Close(fd))
		}
	}
}
