// SPDX-License-Identifier: Apache-2.0

package record

import (
	"maps"
	"testing"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
)

func TestMovedCgroups(t *testing.T) {
	legacy := map[string]string{
		"cpu": "/sys/fs/cgroup/cpu,cpuacct/c", "cpuacct": "/sys/fs/cgroup/cpu,cpuacct/c",
		"name=systemd": "/sys/fs/cgroup/systemd/c", "": "/sys/fs/cgroup/unified/c",
	}
	moved := maps.Clone(legacy)
	moved["cpu"], moved["cpuacct"] = "/sys/fs/cgroup/cpu,cpuacct/c/init", "/sys/fs/cgroup/cpu,cpuacct/c/init"
	for _, tt := range []struct {
		text        string
		paths, want map[string]string
		found       bool
	}{
		{"4:cpu,cpuacct:/c\n1:name=systemd:/c\n0::/c\n", legacy, legacy, false},
		{"4:cpu,cpuacct:/c/init\n1:name=systemd:/c\n0::/c\n", legacy, moved, true},
		{"0::/c/init\n", map[string]string{"": "/sys/fs/cgroup/c"}, map[string]string{"": "/sys/fs/cgroup/c/init"}, true},
		{"", legacy, legacy, false},
	} {
		got, found := movedCgroups(tt.paths, cgroupfs.ParseMemberships(tt.text))
		if found != tt.found || !maps.Equal(got, tt.want) {
			t.Errorf("%q: %v, %v; want %v", tt.text, got, found, tt.want)
		}
	}
}
