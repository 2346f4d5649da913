// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestRuntimeIsNotInside: no process in the container executes the runtime's file, or a file that
// can be written (CVE-2019-5736).
func TestRuntimeIsNotInside(t *testing.T) {
	c := newContainer(t).create()
	var own, inside unix.Stat_t
	if err := unix.Stat(suite.runtime, &own); err != nil {
		t.Fatal(err)
	}
	exe := fmt.Sprintf("/proc/%d/exe", c.pid)
	if err := unix.Stat(exe, &inside); err != nil {
		t.Fatal(err)
	}
	if own.Dev == inside.Dev && own.Ino == inside.Ino {
		t.Error("the process in the container is the runtime's binary")
	}
	// Opening it for writing must also fail when no process executes it any more.
	fd, err := unix.Open(exe, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	c.start().wait()
	if w, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_WRONLY|unix.O_CLOEXEC, 0); err == nil {
		_, err = unix.Write(w, []byte{0})
		unix.Close(w)
		if err == nil {
			t.Error("the program of the waiting process can be written")
		}
	}
}

// TestNotDumpable: no user in the container may access the waiting process, except perhaps the
// root of its user namespace.
func TestNotDumpable(t *testing.T) {
	c := newContainer(t)
	c.spec.Process.User = specs.User{UID: 1000, GID: 1000}
	c.create()
	var st unix.Stat_t
	if err := unix.Stat(fmt.Sprintf("/proc/%d/environ", c.pid), &st); err != nil {
		t.Fatal(err)
	}
	if int(st.Uid) != suite.users.hostID(0) {
		t.Errorf("uid %d may access the waiting process", st.Uid)
	}
	c.start().wait()
}

// TestCwdIsNotOutside tries to get a working directory on the host through a descriptor of the
// runtime (CVE-2024-21626).
func TestCwdIsNotOutside(t *testing.T) {
	c := newContainer(t)
	marker := "/" + suite.token + "-marker"
	if err := os.WriteFile(marker, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(marker)
	for n := 3; n < 24; n++ {
		up := strings.Repeat("../", 12)
		c.sh("ls -d ." + marker + " " + up + marker[1:] + " 2>/dev/null; true")
		c.spec.Process.Cwd = fmt.Sprintf("/proc/self/fd/%d", n)
		if r := c.run(); strings.Contains(r.out, "marker") {
			t.Errorf("the host's root is reached through fd %d: %q", n, r.out)
		}
	}
}

// TestErrorsAreOneLine: control characters in a config do not get into a log.
func TestErrorsAreOneLine(t *testing.T) {
	c := newContainer(t).args("/no/such\nfile\x1b[31m")
	c.write()
	r := c.command("run", c.id).fails("", "")
	if strings.ContainsAny(strings.TrimSuffix(r.stderr, "\n"), "\n\x1b") {
		t.Errorf("stderr %q", r.stderr)
	}
}

// TestMaskOverChangedNull: if /dev/null in the image is not the null device, masked paths must
// not show content (CVE-2025-31133).
func TestMaskOverChangedNull(t *testing.T) {
	c := newContainer(t).sh("cat /proc/timer_list; stat -c %F /proc/timer_list; echo x >/proc/timer_list")
	if err := os.MkdirAll(c.path("dev"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", c.path("dev/null")); err != nil {
		t.Fatal(err)
	}
	// A bind mount on /dev belongs to the caller, so the runtime does not correct it.
	for i, m := range c.spec.Mounts {
		if m.Destination == "/dev" {
			c.spec.Mounts[i] = specs.Mount{Destination: "/dev", Type: "bind", Source: c.path("dev"), Options: []string{"bind"}}
		}
	}
	c.spec.Mounts = append(c.spec.Mounts[:2:2], c.spec.Mounts[5])
	before, err := os.ReadFile(c.rootfs("etc/passwd"))
	if err != nil {
		t.Fatal(err)
	}
	if r := c.run(); strings.Contains(r.out, "root:") {
		t.Errorf("the masked path shows %q", shorten(r.out))
	}
	after, err := os.ReadFile(c.rootfs("etc/passwd"))
	if err != nil || string(after) != string(before) {
		t.Errorf("the image was written through a mask: %v", err)
	}
}

// TestStateIsPrivate: only the caller of the runtime has access to the state.
func TestStateIsPrivate(t *testing.T) {
	onlyBerth(t)
	only(t, suite.users.name != "inside", "callers that have the ids of another user")
	c := newContainer(t)
	c.spec.Process.User = specs.User{UID: 1000, GID: 1000}
	c.create()
	err := filepath.WalkDir(filepath.Join(c.state, c.id), func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	c.start().wait()
}
