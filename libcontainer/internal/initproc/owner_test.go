// SPDX-License-Identifier: Apache-2.0

package initproc

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

func TestParseMap(t *testing.T) {
	want := []configs.IDMap{{ContainerID: 0, HostID: 1000, Size: 1}, {ContainerID: 1, HostID: 100000, Size: 65536}}
	if got := ParseMap("         0       1000          1\n         1     100000      65536\n"); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if got := ParseMap("0 1\na b c\n0 0 4294967296\n"); got != nil {
		t.Errorf("of nonsense: %v", got)
	}
}

func TestUnmappedOwner(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "f"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(root, "f"), &st); err != nil {
		t.Fatal(err)
	}
	me := uint32(os.Getuid())
	m := &Mapping{Root: root, UIDs: []configs.IDMap{{HostID: me + 10, Size: 5}}}
	f := &nsenter.Fact{Path: "/f", UID: overflowID, Dev: uint64(st.Dev), Ino: st.Ino} //nolint:unconvert // not the same type everywhere
	n := func(u uint32) string { return strconv.FormatUint(uint64(u), 10) }
	want := "; on the host this is user " + n(me) + ", whom linux.uidMappings does not map: they have " + n(me+10) + "-" + n(me+14)
	if got := m.explain(f); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	other := *f
	other.Ino++ // another file is there from outside
	if got := m.explain(&other); got != "; its owner may not be mapped in the user namespace" {
		t.Errorf("another file: %q", got)
	}
	m.UIDs[0].HostID = me
	if got := m.explain(f); got != "" {
		t.Errorf("mapped: %q", got)
	}
	f.UID = 0
	if got := m.explain(f); got != "" {
		t.Errorf("another owner: %q", got)
	}
}
