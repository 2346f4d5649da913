// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLockSerialises(t *testing.T) {
	dir := t.TempDir()
	first, err := LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := unix.Flock(int(other.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Fatalf("a second lock in addition to the first: %v", err)
	}
	order := make(chan string, 2)
	done := make(chan struct{})
	go func() {
		defer close(done)
		second, err := LockDir(dir)
		if err != nil {
			t.Error(err)
			return
		}
		order <- "second"
		second.Unlock()
	}()
	order <- "first"
	first.Unlock()
	<-done
	if a, b := <-order, <-order; a != "first" || b != "second" {
		t.Errorf("order %s, %s", a, b)
	}
}

func TestLockOfARemovedDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	first, err := LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error)
	go func() {
		_, err := LockDir(dir)
		waiting <- err
	}()
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	first.Unlock()
	if err := <-waiting; !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a lock on a removed directory: %v", err)
	}
}

// A directory that cannot be checked does not count as removed, or else create would retry
// forever.
func TestLockOfAnUnreachableDirectory(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "root")
	path := filepath.Join(parent, "c")
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := checkNamed(dir, path); err != nil {
		t.Errorf("an existing directory: %v", err)
	}
	if err := os.Rename(parent, parent+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(parent, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := checkNamed(dir, path); !errors.Is(err, unix.ENOTDIR) || errors.Is(err, os.ErrNotExist) {
		t.Errorf("a directory below a file: %v", err)
	}
}

// TestLockByForce: the caller gets the lock after its function has made the holder release it.
func TestLockByForce(t *testing.T) {
	dir := t.TempDir()
	first, err := LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := LockByForce(dir, first.Unlock)
	if err != nil {
		t.Fatal(err)
	}
	second.Unlock()
}
