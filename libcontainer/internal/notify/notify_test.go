// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAllowAll: the container may have replaced its socket by another file.
func TestAllowAll(t *testing.T) {
	path := t.TempDir()
	victim := filepath.Join(path, "victim")
	err := os.WriteFile(victim, nil, 0o600)
	dir, derr := os.Open(path)
	if err := errors.Join(err, derr, os.Symlink(victim, filepath.Join(path, "link"))); err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	socket, err := bindNotify(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	if st, err := os.Stat(filepath.Join(path, Socket)); err != nil || st.Mode().Perm() != 0o777 {
		t.Errorf("the socket: %v, %v", st, err)
	}
	for _, name := range []string{"link", "victim"} {
		if err := allowAll(dir, name); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := allowAll(dir, "none"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("none: %v", err)
	}
	if st, err := os.Stat(victim); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the other file: %v, %v", st, err)
	}
}
