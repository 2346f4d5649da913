// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The image decides what is in the files that the runtime reads with the host's privileges.

// TestPasswdKernelLog: the file with HOME is a symbolic link to the host's kernel log, which has
// no end, and which loses what is read.
func TestPasswdKernelLog(t *testing.T) {
	for name, command := range map[string][]string{"run": {"run", "--detach"}, "create": {"create"}} {
		t.Run(name, func(t *testing.T) {
			withstands(t, 1, func(s *stage) string {
				b := s.box("a").sh("sleep 1000")
				must(t, os.Remove(b.path("rootfs/etc/passwd")), os.Symlink("/proc/kmsg", b.path("rootfs/etc/passwd")))
				return b.reads("/proc/kmsg", append(command, b.id)...)
			})
		})
	}
	t.Run("exec", func(t *testing.T) {
		withstands(t, 1, func(s *stage) string {
			b := s.box("a").sh("rm /etc/passwd; ln -s /proc/kmsg /etc/passwd; touch /ready; sleep 1000")
			b.spec.Process.Env = append(b.spec.Process.Env, "HOME=/")
			b.must("run", "--detach", b.id)
			s.waitUntil(func() bool { _, err := os.Stat(b.path("rootfs/ready")); return err == nil })
			b.spec.Process.Env = nil
			return b.reads("/proc/kmsg", "exec", "--process", b.processFile(), b.id)
		})
	})
}

// processFile writes a process document without HOME.
func (b *box) processFile() string {
	b.Helper()
	const document = `{"args": ["/bin/true"], "cwd": "/", "user": {"uid": 0, "gid": 0}}`
	if err := os.WriteFile(b.path("process.json"), []byte(document), 0o644); err != nil {
		b.Fatal(err)
	}
	return b.path("process.json")
}

// reads runs a command of the runtime until it ends or has the file open. Then the command is
// killed.
func (b *box) reads(file string, args ...string) string {
	b.Helper()
	b.write()
	cmd := exec.Command(b.runtime, append([]string{"--root", b.state}, args...)...)
	cmd.Dir = b.dir
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its status does not matter
		close(ended)
	}()
	won := ""
	b.waitUntil(func() bool {
		select {
		case <-ended:
			return true
		default:
		}
		links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", cmd.Process.Pid))
		for _, l := range links {
			// A descriptor with O_PATH does not read.
			target, err := os.Readlink(l)
			if err == nil && strings.HasSuffix(target, filepath.Base(file)) && !isPath(cmd.Process.Pid, filepath.Base(l)) {
				won = "the runtime has " + file + " open"
			}
		}
		return won != ""
	})
	if won != "" {
		_ = cmd.Process.Signal(unix.SIGKILL)
		<-ended
	}
	return won
}

// isPath reports whether a descriptor of a process has O_PATH, or no longer exists.
func isPath(pid int, fd string) bool {
	info := read(fmt.Sprintf("/proc/%d/fdinfo/%s", pid, fd))
	_, after, found := strings.Cut(info, "flags:\t")
	line, _, _ := strings.Cut(after, "\n")
	flags, err := strconv.ParseUint(line, 8, 64)
	return !found || err != nil || flags&unix.O_PATH != 0
}
