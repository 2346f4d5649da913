// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMayEnter checks the kernel's rule with plain files: a file that exists is writable.
func TestMayEnter(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"a/own", "a/b/c", "x/y"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"a", "a/b/c", "x/y"} {
		if err := os.WriteFile(filepath.Join(root, dir, "cgroup.procs"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	at := func(path string) Dir { return Dir(root + path) }
	for _, test := range []struct{ to, own, missing string }{
		{"/a/b/c", "/a/own", ""},
		{"/a/b/c", "/a", ""},
		{"/a/b/c", "/a/b/c", ""},
		{"/a/b/c", "/a/b/c/d", ""},
		{"/a/b", "/a/own", "/a/b"},
		{"/a/b/c", "/a/b/other", "/a/b"},
		{"/x/y", "/a/own", ""},
		{"/x/y", "", ""},
		{"/x/y", "/x", "/x"},
	} {
		err := mayEnter(at(""), at(test.to), at(test.own))
		wanted := test.missing
		if wanted == "" && test.to == "/x/y" {
			wanted = " " // the mount point itself
		}
		switch {
		case wanted == "" && err != nil:
			t.Errorf("%+v: %v", test, err)
		case wanted != "" && (!errors.Is(err, unix.ENOENT) || !strings.Contains(err.Error(), "cgroup.procs of "+root+strings.TrimSpace(wanted)+":")):
			t.Errorf("%+v: %v", test, err)
		}
	}
}
