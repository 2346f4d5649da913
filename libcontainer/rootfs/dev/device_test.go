// SPDX-License-Identifier: Apache-2.0

package dev

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// TestChownNode: a file that another process has put in the place of a node that was just made
// keeps its owner.
func TestChownNode(t *testing.T) {
	path := t.TempDir()
	if err := errors.Join(os.WriteFile(path+"/file", nil, 0o644), os.Symlink(path+"/file", path+"/link")); err != nil {
		t.Fatal(err)
	}
	dir, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dir)
	d := &configs.Device{Path: "/dev/null", Type: 'c', Major: 1, Minor: 3, UID: 4242, GID: 4242}
	for _, name := range []string{"file", "link"} {
		if err := chownNode(d, dir, name); err == nil || !strings.Contains(err.Error(), "a different file has taken its place") {
			t.Errorf("%s: %v", name, err)
		}
		var st unix.Stat_t
		if err := unix.Lstat(path+"/"+name, &st); err != nil || st.Uid == 4242 {
			t.Errorf("%s: %v, owner %d", name, err, st.Uid)
		}
	}
}
