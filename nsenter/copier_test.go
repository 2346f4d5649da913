// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// copyDirs returns a directory to copy, and one to copy it to.
func copyDirs(t *testing.T) (from, to string, c *Copy) {
	t.Helper()
	requireInit(t)
	checkLeaks(t)
	base := t.TempDir()
	from, to = filepath.Join(base, "from"), filepath.Join(base, "to")
	c = &Copy{}
	for dir, f := range map[string]**os.File{from: &c.From, to: &c.To} {
		err := os.Mkdir(dir, 0o755)
		if err == nil {
			*f, err = os.Open(dir)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { (*f).Close() })
	}
	return from, to, c
}

func put(t *testing.T, name, data string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(name), 0o755)
	if err == nil {
		err = os.WriteFile(name, []byte(data), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestCopy(t *testing.T) {
	defer unix.Umask(unix.Umask(0o022))
	from, to, c := copyDirs(t)
	put(t, from+"/sub/file", "content")
	put(t, from+"/empty", "")
	put(t, from+"/large", strings.Repeat("0123456789", 1<<18))
	err := errors.Join(
		os.Chown(from, 5, 6),
		unix.Chmod(from, unix.S_ISGID|0o751),
		os.Symlink("/etc/shadow", from+"/link"),
		os.Symlink(strings.Repeat("x", unix.PathMax-1), from+"/long"),
		os.Chown(from+"/sub/file", 7, 8),
		unix.Chmod(from+"/sub/file", unix.S_ISUID|0o750),
		os.Lchown(from+"/link", 9, 10),
		unix.Mkfifo(from+"/fifo", 0o640),
		unix.Mknod(from+"/null", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))),
		// A file capability: lost when the owner is changed after it.
		unix.Setxattr(from+"/sub/file", "security.capability", []byte("\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0),
		unix.Setxattr(from+"/sub", "trusted.berth", []byte("x"), 0),
	)
	c.Owner = true
	if err = errors.Join(err, c.Run()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]unix.Stat_t{
		"":          {Mode: unix.S_IFDIR | 0o755, Uid: 5, Gid: 6}, // the mode is the mount's
		"/sub":      {Mode: unix.S_IFDIR | 0o755},
		"/sub/file": {Mode: unix.S_IFREG | unix.S_ISUID | 0o750, Uid: 7, Gid: 8},
		"/empty":    {Mode: unix.S_IFREG | 0o644},
		"/link":     {Mode: unix.S_IFLNK | 0o777, Uid: 9, Gid: 10},
		"/fifo":     {Mode: unix.S_IFIFO | 0o640, Gid: 6}, // of the set-gid directory
		"/null":     {Mode: unix.S_IFCHR | 0o600, Gid: 6, Rdev: unix.Mkdev(1, 3)},
	} {
		var st unix.Stat_t
		if err := unix.Lstat(to+name, &st); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if st.Mode != want.Mode || st.Uid != want.Uid || st.Gid != want.Gid || st.Rdev != want.Rdev {
			t.Errorf("%s: mode %o, owner %d:%d, want %o, %d:%d", name, st.Mode, st.Uid, st.Gid, want.Mode, want.Uid, want.Gid)
		}
	}
	checkCopied(t, from, to)
	for name, attr := range map[string]string{"/sub/file": "security.capability", "/sub": "trusted.berth"} {
		if _, err := unix.Getxattr(to+name, attr, nil); err != nil {
			t.Errorf("%s has no %s: %v", name, attr, err)
		}
	}
}

// checkCopied compares files, links and times.
func checkCopied(t *testing.T, from, to string) {
	t.Helper()
	for _, name := range []string{"/sub/file", "/empty", "/large"} {
		want, werr := os.ReadFile(from + name)
		got, gerr := os.ReadFile(to + name)
		if err := errors.Join(werr, gerr); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v, want %d", name, len(got), err, len(want))
		}
	}
	for _, name := range []string{"/link", "/long"} {
		want, werr := os.Readlink(from + name)
		got, gerr := os.Readlink(to + name)
		if err := errors.Join(werr, gerr); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"/sub", "/sub/file", "/link", "/fifo"} {
		want, werr := os.Lstat(from + name)
		got, gerr := os.Lstat(to + name)
		if err := errors.Join(werr, gerr); err != nil || !got.ModTime().Equal(want.ModTime()) {
			t.Errorf("%s: %v, time %v, want %v", name, err, got.ModTime(), want.ModTime())
		}
	}
}

// TestCopySparse: holes take no memory. An image may have a file of a terabyte.
func TestCopySparse(t *testing.T) {
	from, to, c := copyDirs(t)
	const size = 1 << 40
	f, err := os.Create(from + "/sparse")
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{0, 1 << 30, size - 1} {
		if _, err := f.WriteAt([]byte("x"), at); err != nil {
			t.Fatal(err)
		}
	}
	put(t, from+"/hole", "")
	if err := errors.Join(os.Truncate(from+"/hole", 1<<30), f.Close(), c.Run()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{"/sparse": size, "/hole": 1 << 30} {
		var st unix.Stat_t
		if err := unix.Stat(to+name, &st); err != nil || st.Size != want || st.Blocks > 1024 {
			t.Errorf("%s: %v, %d bytes in %d blocks", name, err, st.Size, st.Blocks)
		}
	}
}

// TestCopyErrors: each names the path.
func TestCopyErrors(t *testing.T) {
	for _, test := range []struct {
		name string
		make func(t *testing.T, from, to string)
		want string
	}{
		{"a file of the kernel's", func(t *testing.T, from, _ string) {
			put(t, from+"/a/kmsg", "")
			bind(t, "/proc/kmsg", from+"/a/kmsg")
		}, "a/kmsg: a file of the kernel's: invalid argument"},
		{"deep", func(t *testing.T, from, _ string) {
			if err := os.MkdirAll(from+strings.Repeat("/d", 300), 0o755); err != nil {
				t.Fatal(err)
			}
		}, strings.Repeat("d/", 256) + "d: nested too deeply: too many levels of symbolic links"},
		{"in the way", func(t *testing.T, from, to string) {
			put(t, from+"/file", "")
			put(t, to+"/file", "")
		}, "file: openat: file exists"},
	} {
		t.Run(test.name, func(t *testing.T) {
			from, to, c := copyDirs(t)
			test.make(t, from, to)
			err := c.Run()
			if ce := new(copyError); !errors.As(err, &ce) || err.Error() != test.want {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func bind(t *testing.T, from, to string) {
	t.Helper()
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(to, 0); err != nil {
			t.Error(err)
		}
	})
}

// TestCopyExchange repeatedly exchanges names: a file with a fifo, and a directory with a
// symbolic link. The copier copies one or the other, and neither blocks nor follows the link.
func TestCopyExchange(t *testing.T) {
	from, to, c := copyDirs(t)
	secret := filepath.Join(filepath.Dir(from), "secret")
	put(t, secret+"/file", "secret")
	put(t, from+"/dir/file", "inside")
	put(t, from+"/file", "inside")
	if err := errors.Join(unix.Mkfifo(from+"/fifo", 0o600), os.Symlink(secret, from+"/link")); err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			for a, b := range map[string]string{"/dir": "/link", "/file": "/fifo"} {
				if err := unix.Renameat2(unix.AT_FDCWD, from+a, unix.AT_FDCWD, from+b, unix.RENAME_EXCHANGE); err != nil {
					<-stop
					done <- err
					return
				}
			}
		}
	}()
	for i := range 50 {
		dir := fmt.Sprintf("%s/%d", to, i)
		err := os.Mkdir(dir, 0o700)
		if err == nil {
			c.To, err = os.Open(dir)
		}
		if err == nil {
			err = errors.Join(c.Run(), c.To.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		found, err := filepath.Glob(dir + "/*/file")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if st, err := os.Lstat(filepath.Dir(f)); err != nil || !st.IsDir() {
				continue // the link itself
			}
			if data, err := os.ReadFile(f); err != nil || string(data) != "inside" {
				t.Fatalf("%s: %q, %v", f, data, err)
			}
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
