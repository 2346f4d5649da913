// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// printPrivileges prints what the process has that an unprivileged user does not have: root's ids and
// groups, and capabilities. It may be run from a file of the image with the set-user-ID bit or
// with capabilities.
func printPrivileges([]string) error {
	if uid := os.Geteuid(); uid == 0 {
		fmt.Println("root's user id")
	}
	if gid := os.Getegid(); gid == 0 {
		fmt.Println("root's group id")
	}
	for line := range strings.Lines(read("/proc/self/status")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		switch name {
		case "CapInh", "CapPrm", "CapEff", "CapAmb":
			if strings.Trim(value, "0") != "" {
				fmt.Println(name, value)
			}
		case "Groups":
			if value != "" {
				fmt.Println(name, value)
			}
		}
	}
	return nil
}

// user is the unprivileged user of the container's processes.
const user = 1000

// unprivileged returns a container of that user. Its image has a program for this user, which
// mark gives privileges of root.
func (s *stage) unprivileged(mark func(path string) error) *box {
	s.Helper()
	b := s.box("user").sh("exec sleep 1000")
	b.spec.Process.User = specs.User{UID: user, GID: user}
	b.spec.Process.Env = append(b.spec.Process.Env, helperEnv+"=ids")
	self, err := os.Executable()
	if err != nil {
		s.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		s.Fatal(err)
	}
	program := filepath.Join(b.path("rootfs"), "program")
	if err := os.WriteFile(program, data, 0o755); err != nil {
		s.Fatal(err)
	}
	if err := mark(program); err != nil {
		s.Fatal(err)
	}
	return b
}

// TestSetUserID: noNewPrivileges also applies to processes that exec adds.
func TestSetUserID(t *testing.T) {
	weakened(t, 1, func(s *stage) string {
		b := s.unprivileged(func(path string) error { return os.Chmod(path, os.ModeSetuid|os.ModeSetgid|0o755) })
		b.spec.Process.NoNewPrivileges = !s.weak
		b.startOutput()
		first := b.must("exec", b.id, "/program").out
		// These are other ways to name the same user.
		return strings.TrimSpace(first + b.must("exec", "--user", fmt.Sprintf("%d:%d", user, user), b.id, "/program").out)
	})
}

// TestFileCapabilities: a program with inheritable capabilities in its file gets those that the
// process may inherit, which must be none (CVE-2022-29162).
func TestFileCapabilities(t *testing.T) {
	weakened(t, 1, func(s *stage) string {
		b := s.unprivileged(func(path string) error {
			// struct vfs_cap_data, revision 2: inheritable CAP_NET_RAW and CAP_CHOWN, effective.
			data := binary.LittleEndian.AppendUint32(nil, 0x02000001)
			for _, word := range []uint32{0, 1<<unix.CAP_NET_RAW | 1<<unix.CAP_CHOWN, 0, 0} {
				data = binary.LittleEndian.AppendUint32(data, word)
			}
			return unix.Setxattr(path, "security.capability", data, 0)
		})
		b.spec.Process.NoNewPrivileges = false
		if s.weak {
			b.spec.Process.Capabilities.Inheritable = []string{"CAP_NET_RAW", "CAP_CHOWN"}
		}
		b.startOutput()
		// --cap is for capabilities of root, and may not make any inheritable.
		return strings.TrimSpace(b.must("exec", b.id, "/program").out + b.must("exec", "--cap", "CAP_NET_RAW", b.id, "/program").out)
	})
}

// TestGroupsOfCaller: a process that exec adds has none of the groups of berth's caller.
func TestGroupsOfCaller(t *testing.T) {
	groups, err := unix.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	// Setgroups of package syscall changes all threads.
	if err := syscall.Setgroups([]int{0, 42}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setgroups(groups); err != nil {
			t.Error(err)
		}
	}()
	weakened(t, 1, func(s *stage) string {
		b := s.unprivileged(func(string) error { return nil })
		if s.weak {
			b.spec.Annotations = map[string]string{"run.oci.keep_original_groups": "1"}
		}
		b.spec.Process.Args = []string{"/program"}
		out := b.must("run", b.id).out
		b.must("delete", "--force", b.id)
		b.sh("exec sleep 1000").startOutput()
		return strings.TrimSpace(out + b.must("exec", b.id, "/program").out)
	})
}

// useSockets prints the descriptors, other than the standard streams, of this process and of the
// container's first one which are sockets, terminals or filters. To a socket it sends a
// descriptor of its own, because the other end waits for one: a terminal, or the listener of a
// filter, with which the container would then answer.
func useSockets([]string) error {
	for _, dir := range []string{"/proc/self/fd", "/proc/1/fd"} {
		fds, _ := os.ReadDir(dir)
		for _, fd := range fds {
			target, _ := os.Readlink(filepath.Join(dir, fd.Name()))
			switch {
			case strings.HasPrefix(target, "socket:"):
				sent := "a socket"
				var n int
				_, _ = fmt.Sscan(fd.Name(), &n)
				if dir == "/proc/self/fd" && unix.Sendmsg(n, []byte("forged"), unix.UnixRights(0), nil, 0) == nil {
					sent += ", which took a descriptor"
				}
				fmt.Println(sent)
			case strings.HasSuffix(target, "ptmx"):
				fmt.Println("the master of a terminal")
			case strings.Contains(target, "seccomp"):
				fmt.Println("the listener of a filter")
			}
		}
	}
	return nil
}

// TestSocketsInside: the container cannot reach the sockets over which terminals and the
// listeners of filters are sent, nor the terminals and listeners themselves. The weak container
// gets such a socket.
func TestSocketsInside(t *testing.T) {
	weakened(t, 1, func(s *stage) string {
		b := s.box("sockets").helper("sockets")
		console, agent := b.listen("console"), b.listen("agent")
		b.spec.Process.Terminal = true
		b.spec.Linux.Seccomp = &specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow, ListenerPath: b.path("agent"),
			Syscalls: []specs.LinuxSyscall{{Names: []string{"swapon"}, Action: specs.ActNotify}},
		}
		b.write()
		args := []string{"--root", b.state, "run", "--detach", "--console-socket", b.path("console")}
		if s.weak {
			args = append(args, "--preserve-fds", "1")
		}
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		cmd := exec.CommandContext(ctx, b.runtime, append(args, b.id)...)
		cmd.Dir = b.dir
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
		// This is a descriptor that an engine has forgotten to close. The weak runtime is told to
		// pass it on.
		cmd.ExtraFiles = []*os.File{theirs}
		out, err := cmd.CombinedOutput()
		// A file that was sent to the socket would keep the terminal open.
		_, _ = ours.Close(), theirs.Close()
		if err != nil {
			t.Fatalf("run: %v: %s", err, out)
		}
		terminal := console.takeFile()
		defer terminal.Close()
		listener := agent.takeFile()
		defer listener.Close()
		return drain(terminal)
	})
}
