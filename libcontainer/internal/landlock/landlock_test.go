// SPDX-License-Identifier: Apache-2.0

package landlock

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// requireABI skips the test if the kernel is too old. The kernel of CI must not be.
func requireABI(t *testing.T, abi int) {
	t.Helper()
	have, err := ABI()
	if err == nil && have >= abi {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("Landlock ABI %d: %v, want %d", have, err, abi)
	}
	t.Skipf("Landlock ABI %d: %v, want %d", have, err, abi)
}

// confined runs f on a thread that the ruleset confines, and that ends afterwards.
func confined(t *testing.T, r *Ruleset, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			t.Error(err)
			return
		}
		if _, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, r.File().Fd(), 0, 0); errno != 0 {
			t.Error(errno)
			return
		}
		f()
	}()
	<-done
}

func openPath(t *testing.T, path string) int {
	t.Helper()
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func TestAllowPath(t *testing.T) {
	requireABI(t, 1)
	dir := t.TempDir()
	for _, name := range []string{"file", "other", "unruled"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := New(unix.LANDLOCK_ACCESS_FS_WRITE_FILE|unix.LANDLOCK_ACCESS_FS_READ_DIR, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	// The right to list directories does not apply to a file, which gets the other right.
	err = r.AllowPath(openPath(t, filepath.Join(dir, "file")), unix.LANDLOCK_ACCESS_FS_WRITE_FILE|unix.LANDLOCK_ACCESS_FS_READ_DIR)
	err = errors.Join(err,
		r.AllowPath(openPath(t, filepath.Join(dir, "other")), unix.LANDLOCK_ACCESS_FS_READ_DIR),
		FromFile(r.File()).AllowPath(openPath(t, dir), unix.LANDLOCK_ACCESS_FS_READ_DIR))
	if err != nil {
		t.Fatal(err)
	}
	confined(t, r, func() {
		for name, want := range map[string]error{"file": nil, "other": unix.EACCES, "unruled": unix.EACCES} {
			f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
			f.Close()
		}
		if _, err := os.ReadDir(dir); err != nil {
			t.Error(err)
		}
		if _, err := os.ReadDir(filepath.Dir(dir)); !errors.Is(err, unix.EACCES) {
			t.Errorf("above: %v", err)
		}
	})
}

func TestAllowPort(t *testing.T) {
	requireABI(t, 4)
	r, err := New(0, unix.LANDLOCK_ACCESS_NET_CONNECT_TCP, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var ports []int
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	if err := r.AllowPort(uint16(ports[0]), unix.LANDLOCK_ACCESS_NET_CONNECT_TCP); err != nil {
		t.Fatal(err)
	}
	confined(t, r, func() {
		for i, want := range []error{nil, unix.EACCES} {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Error(err)
				return
			}
			err = unix.Connect(fd, &unix.SockaddrInet4{Port: ports[i], Addr: [4]byte{127, 0, 0, 1}})
			if !errors.Is(err, want) {
				t.Errorf("port %d: %v, want %v", i, err, want)
			}
			unix.Close(fd)
		}
	})
}

func TestErrors(t *testing.T) {
	requireABI(t, 4)
	if _, err := New(0, 0, 0); err == nil || !strings.HasPrefix(err.Error(), "landlock_create_ruleset: ") {
		t.Errorf("an empty ruleset: %v", err)
	}
	r, err := New(unix.LANDLOCK_ACCESS_FS_EXECUTE, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for want, err := range map[string]error{
		"fstat: bad file descriptor":                    r.AllowPath(-1, 1),
		"landlock_add_rule: invalid argument":           r.AllowPath(openPath(t, "/"), unix.LANDLOCK_ACCESS_FS_READ_DIR),
		"port 443: landlock_add_rule: invalid argument": r.AllowPort(443, 1),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
