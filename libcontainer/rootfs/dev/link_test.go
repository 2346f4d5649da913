// SPDX-License-Identifier: Apache-2.0

package dev

import (
	"errors"
	"os"
	"testing"

	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"github.com/berth-run/berth/libcontainer/rootfs/reach"
)

// TestLinks: what the image has stays, except for ptmx.
func TestLinks(t *testing.T) {
	path := t.TempDir()
	err := errors.Join(
		os.Mkdir(path+"/dev", 0o755),
		os.WriteFile(path+"/dev/ptmx", nil, 0o644),
		os.WriteFile(path+"/dev/stdin", nil, 0o644),
		os.Symlink("/elsewhere", path+"/dev/fd"),
		os.Symlink("/proc/self/fd/1", path+"/dev/stdout"))
	if err != nil {
		t.Fatal(err)
	}
	root, err := inroot.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	m := &Maker{Root: reach.NewRoot(root, nil)}
	for range 2 { // the second time, all of them are there
		if err := m.Links(); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"fd": "/elsewhere", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx",
		} {
			if got, err := os.Readlink(path + "/dev/" + name); got != want {
				t.Errorf("%s: %q, %v, want %q", name, got, err, want)
			}
		}
		if info, err := os.Lstat(path + "/dev/stdin"); err != nil || !info.Mode().IsRegular() {
			t.Errorf("stdin: %v, %v", info, err)
		}
	}
}
