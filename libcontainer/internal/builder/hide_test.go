// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"errors"
	"os"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

func TestUnmappedID(t *testing.T) {
	rows := []configs.IDMap{{ContainerID: 0, HostID: 5, Size: 1}, {ContainerID: 1, HostID: 1 << 30, Size: 1 << 30}}
	for id, want := range map[uint32]bool{4: false, 5: true, 6: false, 1 << 30: true, 1<<31 - 1: true, 1 << 31: false} {
		if got := hasHostID(rows, id); got != want {
			t.Errorf("host id %d: %v", id, got)
		}
	}
	if id, ok := unmappedID(rows); hasHostID(rows, id) || id != 1<<30-1 || !ok {
		t.Errorf("unmapped id %d, %v", id, ok)
	}
	if id, ok := unmappedID(nil); id != 1<<31-1 || !ok {
		t.Errorf("unmapped id without a map: %d, %v", id, ok)
	}
	if id, ok := unmappedID([]configs.IDMap{{HostID: 9, Size: 1<<32 - 10}, {ContainerID: 1<<32 - 10, HostID: 0, Size: 9}}); ok {
		t.Errorf("unmapped id of all: %d", id)
	}
}

// TestUnreadableCopy: only the host's root can read it, not even a process with the caller's
// ids.
func TestUnreadableCopy(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to read what only can be executed")
	}
	program, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	for owner, rows := range map[uint32][]configs.IDMap{
		0:         {{ContainerID: 0, HostID: 100000, Size: 65536}},
		1<<31 - 1: {{ContainerID: 0, HostID: 0, Size: 65536}},
	} {
		f, err := unreadableCopy(program, &configs.Config{UIDMappings: rows})
		if err != nil {
			t.Fatal(err)
		}
		var st, of unix.Stat_t
		if err := unix.Fstat(int(f.Fd()), &st); err != nil {
			t.Fatal(err)
		}
		if err := unix.Fstat(int(program.Fd()), &of); err != nil {
			t.Fatal(err)
		}
		if st.Uid != owner || st.Mode&0o777 != 0o111 || st.Size != of.Size {
			t.Errorf("owner %d, mode %o, %d bytes of %d", st.Uid, st.Mode, st.Size, of.Size)
		}
		if _, err := program.Seek(0, 0); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
}

// TestUnreadableCopyOfAll: if the container has all ids, nothing hides the builder.
func TestUnreadableCopyOfAll(t *testing.T) {
	program, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	rows := []configs.IDMap{{HostID: 0, Size: 1<<32 - 1}}
	f, err := unreadableCopy(program, &configs.Config{UIDMappings: rows})
	if !errors.Is(err, errExposed) {
		t.Errorf("error %v", err)
	}
	if err == nil {
		f.Close()
	}
}
