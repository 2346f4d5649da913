// SPDX-License-Identifier: Apache-2.0

package inroot

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// tree makes a root with a directory outside beside it, and the links that the tests follow.
func tree(t *testing.T) (root *Root, dir string) {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(base, "root")
	for _, d := range []string{"a/b", "etc"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "etc/file"), []byte("inside"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(base, "outside"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"abs": "/a", "up": "../../../a", "out": "/outside", "outup": "../outside", "deep": "a/b/../../new/x",
		"loop1": "loop2", "loop2": "/loop1", "tofile": "/etc/file", "dangling": "run/none/file", "self": ".", "slash": "/",
		"a/b/rel": "../c",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	root, err = Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := root.Close(); err != nil {
			t.Error(err)
		}
		left, err := os.ReadDir(filepath.Join(base, "outside"))
		if err != nil || len(left) > 0 {
			t.Errorf("outside has %v, %v", left, err)
		}
		top, err := os.ReadDir(base)
		if err != nil || len(top) != 2 {
			t.Errorf("beside the root: %v, %v", top, err)
		}
	})
	return root, dir
}

// where returns the path of fd, seen from the root.
func where(t *testing.T, fd int, dir string) string {
	t.Helper()
	defer unix.Close(fd)
	buf := make([]byte, 4096)
	n, err := unix.Readlink("/proc/self/fd/"+strconv.Itoa(fd), buf)
	if err != nil {
		t.Fatal(err)
	}
	rest, ok := strings.CutPrefix(string(buf[:n]), dir)
	if !ok {
		t.Fatalf("%s is outside of %s", buf[:n], dir)
	}
	return rest
}

// made is a name below a root, and the place where a file of that name is created, or the
// reason why it is not.
type made struct {
	name    string
	resolve uint64
	want    string
	err     error
}

func checkMade(t *testing.T, tests []made, do func(*Root, *made) (int, error)) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root, dir := tree(t)
			fd, err := do(root, &test)
			if !errors.Is(err, test.err) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if data, err := os.ReadFile(dir + "/etc/file"); err != nil || string(data) != "inside" {
				t.Errorf("the existing file: %q, %v", data, err)
			}
			if err != nil {
				return
			}
			if got := where(t, fd, dir); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestMkdirAll(t *testing.T) {
	checkMade(t, []made{
		{name: "/", want: ""},
		{name: "/a/b", want: "/a/b"},
		{name: "/x/y/z", want: "/x/y/z"},
		{name: "x//y/./z/", want: "/x/y/z"},
		{name: "/../../x", want: "/x"},
		{name: "/x/../../y", want: "/y"},
		{name: "/abs/new", want: "/a/new"},
		{name: "/up/new", want: "/a/new"},
		{name: "/out", want: "/outside"},
		{name: "/out/new", want: "/outside/new"},
		{name: "/outup/new", want: "/outside/new"},
		{name: "/deep/y", want: "/new/x/y"},
		{name: "/self/self/x", want: "/x"},
		{name: "/slash/x", want: "/x"},
		{name: "/a/b/rel/x", want: "/a/c/x"},
		{name: "/loop1/x", err: unix.ELOOP},
		{name: "/etc/file/x", err: unix.ENOTDIR},
		{name: "/tofile/x", err: unix.ENOTDIR},
		{name: "/x\x00y", err: unix.EINVAL},
		{name: "/abs/new", resolve: unix.RESOLVE_NO_SYMLINKS, err: unix.ELOOP},
		{name: "/a/b/rel", resolve: unix.RESOLVE_NO_SYMLINKS, err: unix.ELOOP},
		{name: "/new/y", resolve: unix.RESOLVE_NO_SYMLINKS, want: "/new/y"},
		{name: "/" + strings.Repeat("n", 256) + "/x", err: unix.ENAMETOOLONG},
	}, func(root *Root, test *made) (int, error) { return root.MkdirAll(test.name, 0o755, test.resolve) })
}

func TestOpenOrCreate(t *testing.T) {
	checkMade(t, []made{
		{name: "/etc/file", want: "/etc/file"},
		{name: "/a", want: "/a"},
		{name: "/new", want: "/new"},
		{name: "/x/y/new", want: "/x/y/new"},
		{name: "/abs/new", want: "/a/new"},
		{name: "/tofile", want: "/etc/file"},
		{name: "/dangling", want: "/run/none/file"},
		{name: "/out", want: "/outside"},
		{name: "/a/b/rel", want: "/a/c"},
		{name: "/loop1", err: unix.ELOOP},
		{name: "/loop1/x", err: unix.ELOOP},
		{name: "/none/..", err: unix.EISDIR},
		{name: "/etc/file/x", err: unix.ENOTDIR},
		{name: "/tofile", resolve: unix.RESOLVE_NO_SYMLINKS, err: unix.ELOOP},
		{name: "/dangling", resolve: unix.RESOLVE_NO_SYMLINKS, err: unix.ELOOP},
		{name: "/abs/new", resolve: unix.RESOLVE_NO_SYMLINKS, err: unix.ELOOP},
	}, func(root *Root, test *made) (int, error) {
		return root.OpenOrCreate(test.name, 0o644, 0o755, test.resolve)
	})
}

func TestParent(t *testing.T) {
	for _, test := range []struct {
		name, want, base string
		err              error
	}{
		{name: "/dev/null", want: "/dev", base: "null"},
		{name: "/abs/null", want: "/a", base: "null"},
		{name: "/out", want: "", base: "out"}, // the link itself
		{name: "/x/..", err: unix.EISDIR},
		{name: "/", err: unix.EISDIR},
	} {
		t.Run(test.name, func(t *testing.T) {
			root, dir := tree(t)
			fd, base, err := root.Parent(test.name, 0o755)
			if !errors.Is(err, test.err) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if err != nil {
				return
			}
			if got := where(t, fd, dir); got != test.want || base != test.base {
				t.Errorf("%q in %q, want %q in %q", base, got, test.base, test.want)
			}
		})
	}
}

func TestOpenRefusesMagicLinks(t *testing.T) {
	root, err := Open("/proc")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if fd, err := root.Open("/self/exe", unix.O_PATH, 0); !errors.Is(err, unix.ELOOP) {
		t.Errorf("fd %d, %v, want ELOOP", fd, err)
	}
}

func TestOpenRootOverLink(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/etc", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir + "/link"); !errors.Is(err, unix.ELOOP) {
		t.Errorf("error %v, want ELOOP", err)
	}
}

// FuzzMkdirAll: whatever the path is, the result is inside.
func FuzzMkdirAll(f *testing.F) {
	for _, s := range []string{"/a/b", "abs/../x", "/out/y", "self/slash/up/..", "./..//loop1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		root, dir := tree(t)
		fd, err := root.MkdirAll(name, 0o755, 0)
		if err == nil {
			where(t, fd, dir)
		}
	})
}

// TestExchange replaces a directory by a link to the outside again and again, while paths
// through it are created (CVE-2024-45310). The clean-up of tree checks the outside.
func TestExchange(t *testing.T) {
	root, dir := tree(t)
	base := filepath.Dir(dir)
	a, b := filepath.Join(dir, "swap"), filepath.Join(dir, "link")
	if err := os.Mkdir(a, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join("..", "outside"), b); err != nil {
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
			if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil {
				<-stop
				done <- err
				return
			}
		}
	}()
	made := 0
	for i := range 500 {
		fd, err := root.OpenOrCreate("/swap/d"+strconv.Itoa(i)+"/file", 0o644, 0o755, 0)
		if err == nil {
			made++
			unix.Close(fd)
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if made == 0 {
		t.Error("nothing was ever made: the test proves nothing")
	}
	if left, err := os.ReadDir(filepath.Join(base, "outside")); err != nil || len(left) > 0 {
		t.Errorf("outside has %v, %v", left, err)
	}
}
