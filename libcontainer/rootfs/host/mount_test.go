// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"os"
	"testing"

	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"golang.org/x/sys/unix"
)

// TestDetach: only mounts of the container are removed. It is no error if a mount no longer
// exists.
func TestDetach(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("requires root, to mount")
	}
	dir := t.TempDir()
	id := func() uint64 {
		t.Helper()
		id, err := MountID(dir)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	mount := func() uint64 {
		t.Helper()
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
		return id()
	}
	bare := id()
	lower := mount()
	upper := mount()

	// Use an id that is never used again, since Detach checks nothing else.
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	upperID, err := mountapi.ID(fd)
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		t.Fatal(err)
	}

	for name, test := range map[string]struct {
		detach func(path string, id uint64) error
		path   string
		id     uint64
	}{
		"another mount": {Detach, dir, upperID + 1}, "nothing": {Detach, dir + "/none", upperID},
		"nothing above": {DetachAbove, dir, upper}, "above nothing": {DetachAbove, dir + "/none", lower},
	} {
		if err := test.detach(test.path, test.id); err != nil || id() != upper {
			t.Errorf("%s: %v, and %d is on top, want %d", name, err, id(), upper)
		}
	}
	if err := os.Mkdir(dir+"/below", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Detach(dir+"/below", upperID); err == nil || err.Error() != "umount2 "+dir+"/below: invalid argument" {
		t.Errorf("no mount point: %v", err)
	}
	if err := Detach(dir, upperID); err != nil || id() != lower {
		t.Errorf("the upper: %v, and %d is on top, want %d", err, id(), lower)
	}
	mount()
	mount()
	if err := DetachAbove(dir, lower); err != nil || id() != lower {
		t.Errorf("above the lower: %v, and %d is on top, want %d", err, id(), lower)
	}
	if err := DetachAbove(dir, bare); err != nil || id() != bare {
		t.Errorf("above what is not mounted here: %v, and %d is on top, want %d", err, id(), bare)
	}
}
