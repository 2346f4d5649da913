// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountinfo"
	"golang.org/x/sys/unix"
)

// TestHolds: a file has what was written to it, though the kernel shows it in another form.
func TestHolds(t *testing.T) {
	for _, test := range []struct {
		file, value, have string
		want              bool
	}{
		{"memory.max", "max", "max", true},
		{"memory.max", "1000001", "999424", false},
		{"memory.limit_in_bytes", "-1", "9223372036854771712", true},
		{"memory.limit_in_bytes", "-1", "4096", false},
		{"cpu.max", "50000", "50000 100000", true},
		{"cpu.max", "50000 200000", "50000 100000", false},
		{"cpu.max", "5000", "50000 100000", false},
		{"cpuset.cpus", "0,1,2", "0-2", true},
		{"cpuset.cpus", "0", "0-2", false},
		{"cpuset.cpus", "x", "", true},
		{"io.max", "8:0 rbps=100", "8:0 rbps=100 wbps=max riops=max wiops=max", true},
		{"io.max", "8:0 rbps=100", "8:0 rbps=200 wbps=max riops=max wiops=max", false},
		{"io.max", "8:0 rbps=max", "", true},
		{"io.max", "8:0 rbps=1", "", false},
		{"io.weight", "100", "default 100", true},
		{"blkio.throttle.read_bps_device", "8:0 0", "", true},
		{"memory.oom_control", "1", "oom_kill_disable 1\nunder_oom 0", true},
		{"pids.max", "5", "6", false},
	} {
		if got := holdsOne(test.file, test.value, test.have); got != test.want {
			t.Errorf("%s: wrote %q, has %q: %v", test.file, test.value, test.have, got)
		}
	}
	if got := numbers("0-99999999999,3-1,-,2"); len(got) != 1 || got[0] != 2 {
		t.Errorf("numbers: %v", got)
	}
	if got := roundingNote([]string{"1000001"}, "999424"); !strings.Contains(got, "whole pages") {
		t.Errorf("%q", got)
	}
	if got := roundingNote([]string{"1000001"}, "4096"); !strings.Contains(got, "changed") {
		t.Errorf("%q", got)
	}
}

// TestTmpfsSizes: a tmpfs has the size that was asked for, in whole pages.
func TestTmpfsSizes(t *testing.T) {
	for _, test := range []struct{ asked, have, differ string }{
		{"size=64k", "rw,size=64k", ""},
		{"size=65536", "rw,size=64k", ""},
		{"size=1", "rw,size=4k,mode=755", ""},
		{"size=0x10000", "rw,size=64k", ""},
		{"size=1G", "rw,size=1048576k", ""},
		{"size=1m mode=755 size=64k", "rw,size=64k", ""},
		{"size=50%", "rw,size=4096k", ""},
		{"size=", "rw", ""},
		{"mode=755", "rw,size=64k", ""},
		{"nr_inodes=1k", "rw,nr_inodes=1024", ""},
		{"size=64k", "rw,size=128k", "with size=128k"},
		{"size=64k", "rw,nr_inodes=64", "with size=(the default)"},
		{fmt.Sprint("nr_inodes=", memoryPages()/2), "rw", ""},
		{fmt.Sprintf("size=%dk", memoryPages()/2*uint64(os.Getpagesize())/1024), "rw", ""},
		{"size=64k nr_inodes=10", "rw,size=64k,nr_inodes=20", "with nr_inodes=20"},
	} {
		asked := &configs.Mount{Type: "tmpfs", Data: strings.Fields(test.asked)}
		if _, differ := tmpfsSizes(asked, &mountinfo.Mount{Type: "tmpfs", Options: test.have}); differ != test.differ {
			t.Errorf("%s, %s: %q", test.asked, test.have, differ)
		}
	}
}

func TestLimitTable(t *testing.T) {
	text, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		t.Fatal(err)
	}
	have := limitTable(string(text))
	for n, l := range limitNames() {
		var want unix.Rlimit
		if err := unix.Getrlimit(n, &want); err != nil {
			t.Fatal(err)
		}
		if got := have[l.kernel]; got != rlimitText(number(want.Cur), number(want.Max)) {
			t.Errorf("%s: %q, want %d %d", l.name, got, want.Cur, want.Max)
		}
	}
	if got := limitTable("x\n\nLimit                     Soft\n"); len(got) > 0 {
		t.Errorf("%v", got)
	}
}

func TestHostPath(t *testing.T) {
	host := []mountinfo.Mount{
		{Device: "8:1", Root: "/", Point: "/"},
		{Device: "8:2", Root: "/sub", Point: "/data"},
		{Device: "0:5", Root: "/", Point: "/proc"},
	}
	for _, test := range []struct {
		m    mountinfo.Mount
		want string
	}{
		{mountinfo.Mount{Device: "8:1", Root: "/srv/x"}, "/srv/x"},
		{mountinfo.Mount{Device: "8:1", Root: "/"}, "/"},
		{mountinfo.Mount{Device: "8:2", Root: "/sub/y"}, "/data/y"},
		{mountinfo.Mount{Device: "8:2", Root: "/subway"}, ""},
		{mountinfo.Mount{Device: "8:3", Root: "/"}, ""},
		{mountinfo.Mount{Device: "0:5", Root: "/", Type: "proc"}, ""},
	} {
		if got := hostPath(host, &test.m); got != test.want {
			t.Errorf("%+v: %q, want %q", test.m, got, test.want)
		}
	}
}

// TestMount: a mount differs if a restriction is missing, or there is no mount.
func TestMount(t *testing.T) {
	table := []mountinfo.Mount{
		{Point: "/a", Type: "tmpfs", Flags: "ro,nosuid"},
		{Point: "/b", Type: "ext4", Flags: "rw", Root: "/x"},
		{Point: "/b", Type: "ext4", Flags: "ro", Root: "/y"},
	}
	for _, test := range []struct {
		asked   configs.Mount
		differs bool
		note    string
	}{
		{configs.Mount{Destination: "/a", Type: "tmpfs", Flags: unix.MS_NOSUID | unix.MS_RDONLY}, false, ""},
		{configs.Mount{Destination: "/a", Type: "tmpfs", Flags: unix.MS_NODEV | unix.MS_RDONLY}, true, "without nodev"},
		{configs.Mount{Destination: "/a", Type: "ext4", Flags: unix.MS_RDONLY}, true, "of type tmpfs"},
		{configs.Mount{Destination: "/b", Type: "bind", Source: "/y"}, false, "read-only, although not asked for: as its source is"},
		{configs.Mount{Destination: "/c", Type: "proc"}, true, ""},
	} {
		in := new(inspection)
		in.mount(table, &test.asked, test.asked.Destination)
		if i := in.items[0]; i.Differs != test.differs || i.Note != test.note {
			t.Errorf("%+v: %+v", test.asked, i)
		}
	}
}

func TestCapabilityNote(t *testing.T) {
	p := &configs.Process{UID: 1000, Capabilities: configs.Capabilities{Bounding: 7, Effective: 3, Permitted: 3}}
	if got := capabilityNote("effective", p, 0, 3); !strings.Contains(got, "only the ambient") {
		t.Errorf("%q", got)
	}
	p.UID = 0
	if got := capabilityNote("effective", p, 7, 3); !strings.Contains(got, "root gets") {
		t.Errorf("%q", got)
	}
	if got := capabilityNote("effective", p, 1, 3); !strings.Contains(got, "dropped") {
		t.Errorf("%q", got)
	}
}
