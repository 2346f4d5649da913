// SPDX-License-Identifier: Apache-2.0

package sysfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/internal/mountapi/mounttest"
	"golang.org/x/sys/unix"
)

func TestRemoveTree(t *testing.T) {
	dir := t.TempDir()
	if err := RemoveTree(filepath.Join(dir, "nothing")); err != nil {
		t.Errorf("of a missing directory: %v", err)
	}
	tree, kept := filepath.Join(dir, "tree"), filepath.Join(dir, "kept")
	for _, d := range []string{filepath.Join(tree, "a", "b"), kept} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// These are more names than one call of getdents64(2) returns.
	for i := range 200 {
		for _, d := range []string{tree, filepath.Join(tree, "a", "b")} {
			if err := os.WriteFile(filepath.Join(d, fmt.Sprintf("a file with a name of some length %d", i)), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(os.WriteFile(filepath.Join(kept, "x"), nil, 0o600), os.Symlink(kept, filepath.Join(tree, "link"))); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(tree, "a", "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := RemoveTree(tree); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(tree); !os.IsNotExist(err) {
		t.Errorf("still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(kept, "x")); err != nil {
		t.Errorf("a link was followed: %v", err)
	}
	if err := RemoveTree(filepath.Join(kept, "x")); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("of a file: %v", err)
	}
}

// TestWriteNewFull: on a full file system nothing is left of the file, and the error names it.
func TestWriteNewFull(t *testing.T) {
	mounttest.Run(t, func(dir string) error {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4k"); err != nil {
			return err
		}
		path := filepath.Join(dir, "f")
		err := WriteNew(path, make([]byte, 1<<20), 0o600)
		if !errors.Is(err, unix.ENOSPC) || err.Error() != "write "+path+": no space left on device" {
			t.Errorf("error %v", err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("left behind: %v", err)
		}
		return nil
	})
}

// TestDup: the copy is closed at an exec, and stays when the original is closed.
func TestDup(t *testing.T) {
	f, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	fd, err := Dup(int(f.Fd()))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err := errors.Join(err, unix.Close(fd)); err != nil || flags != unix.FD_CLOEXEC {
		t.Errorf("flags %#x, %v", flags, err)
	}
	if fd, err := Dup(-1); fd != -1 || !errors.Is(err, unix.EBADF) {
		t.Errorf("of nothing: %d, %v", fd, err)
	}
}

// TestReadAll: files of every size, in pieces of every size, are read to their end.
func TestReadAll(t *testing.T) {
	for _, size := range []int{0, 1, 4095, 4096, 4097, 16383, 16384, 16385, 100_000} {
		for _, piece := range []int{1000, 4096, 100_000} {
			want := make([]byte, size)
			for i := range want {
				want[i] = byte(i / 7)
			}
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				for rest := want; len(rest) > 0; {
					n := min(piece, len(rest))
					_, _ = w.Write(rest[:n])
					rest = rest[n:]
				}
				_ = w.Close()
			}()
			got, err := ReadAll(int(r.Fd()), "pipe")
			_ = r.Close()
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes in pieces of %d: got %d, %v", size, piece, len(got), err)
			}
		}
	}
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if _, err := ReadAll(int(dir.Fd()), "the/path"); !errors.Is(err, unix.EISDIR) || !strings.Contains(err.Error(), "read the/path: ") {
		t.Errorf("error %v, want EISDIR with the path", err)
	}
}

// TestReadOwned: files of every size are read whole, and the owner is theirs.
func TestReadOwned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, size := range []int{0, 1, 4096, 5000, maxAtOnce - 1, maxAtOnce, maxAtOnce + 1} {
		want := bytes.Repeat([]byte("x"), size)
		if err := os.WriteFile(path, want, 0o600); err != nil {
			t.Fatal(err)
		}
		got, owner, err := ReadOwned(path)
		if err != nil || !bytes.Equal(got, want) || owner != uint32(os.Geteuid()) {
			t.Errorf("%d bytes: got %d of user %d, %v", size, len(got), owner, err)
		}
	}
	// This file has a size, and is shorter.
	const short = "/sys/kernel/mm/transparent_hugepage/enabled"
	if want, err := os.ReadFile(short); err == nil {
		if got, _, err := ReadOwned(short); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", short, got, err, want)
		}
	}
	if _, _, err := ReadOwned(t.TempDir()); !errors.Is(err, unix.EISDIR) {
		t.Errorf("a directory: %v", err)
	}
}

func TestReadLine(t *testing.T) {
	got, err := ReadLine("/proc/self/comm")
	if err != nil || !strings.HasSuffix(string(got), "\n") || len(got) < 2 {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := ReadLine("/proc/self/nothing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}
