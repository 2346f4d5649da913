// SPDX-License-Identifier: Apache-2.0

package sysfile

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRemoveTree(t *testing.T) {
	dir := t.TempDir()
	if err := RemoveTree(filepath.Join(dir, "nothing")); err != nil {
		t.Errorf("of what is not there: %v", err)
	}
	tree, kept := filepath.Join(dir, "tree"), filepath.Join(dir, "kept")
	for _, d := range []string{filepath.Join(tree, "a", "b"), kept} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// More names than one call of the kernel tells.
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

// TestWriteNewFails: a file that does not fit into its file system is not left in part.
func TestWriteNewFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(unix.SIGXFSZ)
	defer signal.Reset(unix.SIGXFSZ)
	err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 4, Max: limit.Max})
	if err != nil {
		t.Fatal(err)
	}
	err = WriteNew(path, []byte("too long"), 0o600)
	if rerr := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); rerr != nil {
		t.Fatal(rerr)
	}
	if !errors.Is(err, unix.EFBIG) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
}
