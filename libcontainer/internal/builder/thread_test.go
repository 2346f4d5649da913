// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

// whereabouts tells in which namespaces and directories the calling thread is, and its umask.
func whereabouts(t *testing.T) string {
	t.Helper()
	var at []string
	for _, path := range []string{"ns/mnt", "ns/uts", "ns/ipc", "ns/net", "root", "cwd"} {
		target, err := os.Readlink("/proc/thread-self/" + path)
		if err != nil {
			t.Error(err)
		}
		at = append(at, target)
	}
	umask := unix.Umask(0)
	unix.Umask(umask)
	return strings.Join(append(at, string(rune('0'+umask&7))), " ")
}

// TestVisit: the thread works in the namespaces of init, and is afterwards, and outside, where and
// as it was.
func TestVisit(t *testing.T) {
	const kinds = configs.NewUTS | configs.NewIPC | configs.NewNet
	t.Run("mounts of its own", func(t *testing.T) { testVisit(t, kinds|configs.NewMount) })
	t.Run("mounts of the host", func(t *testing.T) { testVisit(t, kinds) })
}

func testVisit(t *testing.T, kinds configs.NamespaceType) {
	if os.Geteuid() != 0 {
		t.Skip("requires root, to make namespaces")
	}
	runtime.LockOSThread() // and never unlocked: the umask and the directory are this thread's
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		t.Fatal(err)
	}
	unix.Umask(0o023)
	if err := unix.Chdir(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	init, err := nsenter.Start(&nsenter.Options{NewNamespaces: uintptr(kinds)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = errors.Join(init.Abort(), init.Close()) }()
	if _, err := init.Namespaces(); err != nil {
		t.Fatal(err)
	}
	home := whereabouts(t)
	v := newVisit(init, kinds)
	defer v.end()
	failure := errors.New("failure")
	for round := range 2 {
		var first string
		err = v.do(func() error {
			first = whereabouts(t)
			for i, part := range strings.Fields(first)[:4] {
				if part == strings.Fields(home)[i] && (i > 0 || kinds&configs.NewMount != 0) {
					t.Errorf("inside, %s is that of the host", part)
				}
			}
			if !strings.HasSuffix(first, " 0") {
				t.Errorf("inside, the umask is not 0: %s", first)
			}
			err := v.outside(func() error {
				if got := whereabouts(t); got != home {
					t.Errorf("outside is %s, want %s", got, home)
				}
				return failure
			})
			if got := whereabouts(t); got != first {
				t.Errorf("after outside, inside is %s, want %s", got, first)
			}
			// As the builder of a container without a mount namespace does.
			if round == 1 {
				if err := unix.Chroot("/usr"); err != nil {
					t.Error(err)
				}
			}
			return err
		})
		if !errors.Is(err, failure) {
			t.Errorf("error %v, want that of the function", err)
		}
		if got := whereabouts(t); got != home {
			t.Errorf("at home is %s, want %s", got, home)
		}
	}
	// It begins again where it has been.
	err = v.do(func() error {
		if _, err := os.Stat("/usr"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("/usr in the root directory /usr: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := init.Abort(); err != nil {
		t.Fatal(err)
	}
	if err := v.do(func() error { t.Error("entered the namespaces of a process that is gone"); return nil }); err == nil {
		t.Error("no error for a process that is gone")
	}
	if got := whereabouts(t); got != home {
		t.Errorf("after an error it is at %s, want %s", got, home)
	}
}

// TestStayingThread: the thread runs each function in the namespaces of init, and ends.
func TestStayingThread(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("requires root, to make namespaces")
	}
	init, err := nsenter.Start(&nsenter.Options{NewNamespaces: unix.CLONE_NEWUTS})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = errors.Join(init.Abort(), init.Close()) }()
	if _, err := init.Namespaces(); err != nil {
		t.Fatal(err)
	}
	s := &stayingThread{site: &Site{Init: init, Config: &configs.Config{Namespaces: configs.Namespaces{{Type: configs.NewUTS}}}}}
	threads := make(map[int]bool)
	failure := errors.New("failure")
	for range 3 {
		err := s.do(func() error {
			threads[unix.Gettid()] = true
			return failure
		})
		if !errors.Is(err, failure) {
			t.Errorf("error %v, want that of the function", err)
		}
	}
	if len(threads) != 1 || threads[unix.Getpid()] || threads[unix.Gettid()] {
		t.Errorf("threads %v, this is %d of %d", threads, unix.Gettid(), unix.Getpid())
	}
	s.end()
	s.end()
}
