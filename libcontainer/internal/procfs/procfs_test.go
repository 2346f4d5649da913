// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFromFD(t *testing.T) {
	for path, ok := range map[string]bool{
		"/proc": true, "/proc/sys": false, "/proc/self": false, "/tmp": false, "/sys": false,
	} {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if IsRoot(fd) != ok {
			t.Errorf("%s: IsRoot is %v", path, !ok)
		}
		h, err := FromFD(fd)
		if (err == nil) != ok {
			t.Errorf("%s: error %v", path, err)
		}
		if err == nil {
			h.Close()
		}
		if err := unix.Close(fd); !errors.Is(err, unix.EBADF) {
			t.Errorf("%s: the descriptor was not taken over: %v", path, err)
		}
	}
}

// TestWriteRefuses: only plain files of this procfs are opened.
func TestWriteRefuses(t *testing.T) {
	h := host(t)
	for name, want := range map[string]error{
		"self/comm":                    unix.ELOOP, // self is a link
		"sys/kernel/../kernel/no_such": unix.EINVAL,
		"../etc/passwd":                unix.EINVAL,
		"/etc/passwd":                  unix.EXDEV,
		"sys/no_such":                  unix.ENOENT,
		"sys":                          unix.EISDIR,
	} {
		err := h.Write(name, "x")
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if !errors.Is(err, ErrUnopened) && !errors.Is(err, unix.EINVAL) {
			t.Errorf("%s: %v is not ErrUnopened", name, err)
		}
	}
}

func TestWrite(t *testing.T) {
	h := host(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	data, err := os.ReadFile("/proc/thread-self/comm")
	if err != nil {
		t.Fatal(err)
	}
	link, err := os.Readlink("/proc/thread-self")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Write(link+"/comm", "berth"); err != nil {
		t.Fatal(err)
	}
	now, err := os.ReadFile("/proc/thread-self/comm")
	if err != nil || string(now) != "berth\n" {
		t.Errorf("%q, %v", now, err)
	}
	if err := h.Write(link+"/comm", string(data)); err != nil {
		t.Error(err)
	}
}

// TestCovered: a mount on a file, or on a directory above it, is not crossed. It requires root.
func TestCovered(t *testing.T) {
	p := private(t)
	defer p.Close()
	decoy := filepath.Join(t.TempDir(), "decoy")
	if err := os.WriteFile(decoy, []byte("untouched"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(decoy, "/proc/sys/kernel/hostname", "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	h := host(t)
	if err := h.Write("sys/kernel/hostname", "evil"); !errors.Is(err, unix.EXDEV) {
		t.Errorf("error %v, want EXDEV", err)
	}
	if data, err := os.ReadFile(decoy); err != nil || string(data) != "untouched" {
		t.Errorf("decoy: %q, %v", data, err)
	}
	// The private procfs does not have the cover.
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Write("sys/kernel/hostname", name); err != nil {
		t.Error(err)
	}
}

func TestReopen(t *testing.T) {
	h := host(t)
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	// The path is gone, but the file is not.
	if err := os.Rename(name, name+"2"); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	in, err := h.Reopen(fd, unix.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(in)
	buf := make([]byte, 8)
	if n, err := unix.Read(in, buf); err != nil || string(buf[:n]) != "data" {
		t.Errorf("%q, %v", buf[:n], err)
	}
}

func TestReadThread(t *testing.T) {
	h := host(t)
	data, err := h.ReadThread("mountinfo")
	if err != nil || !strings.Contains(string(data), " /proc ") {
		t.Errorf("%q, %v", data, err)
	}
}

func host(t *testing.T) *Handle {
	t.Helper()
	h, err := Host()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// private returns a private procfs, on a thread with its own mount and uts namespaces.
func private(t *testing.T) *Handle {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("requires root")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWUTS); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		t.Fatal(err)
	}
	p, err := Private()
	if err != nil {
		t.Fatal(err)
	}
	return p
}
