// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/moby/sys/mountinfo"
)

func parseMounts(t *testing.T, text string) []*mountinfo.Info {
	t.Helper()
	mounts, err := mountinfo.GetMountsFromReader(strings.NewReader(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return mounts
}

const hostMounts = `21 1 8:1 / / rw - ext4 /dev/sda1 rw
22 21 0:20 / /proc rw - proc proc rw
23 21 0:21 / /sys rw - sysfs sysfs rw
24 23 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
25 21 0:6 / /dev rw - devtmpfs udev rw
26 25 0:22 / /dev/mqueue rw - mqueue mqueue rw
27 21 0:40 / /srv/volume rw - tmpfs tmpfs rw
28 21 0:41 / /srv/overlay rw - overlay overlay rw
`

func TestExternalMounts(t *testing.T) {
	const all = configs.NewMount | configs.NewPID | configs.NewNet | configs.NewIPC | configs.NewCgroup
	tests := map[string]struct {
		inside string
		own    configs.NamespaceType
		want   []string
	}{
		"its own": {
			inside: `50 40 8:1 /bundle/rootfs / rw - ext4 /dev/sda1 rw
51 50 0:60 / /proc rw - proc proc rw
52 51 0:60 /sys /proc/sys ro - proc proc rw
53 50 0:61 / /dev rw - tmpfs tmpfs rw
54 53 0:61 /null /proc/keys rw - tmpfs tmpfs rw
55 50 0:62 / /sys ro - sysfs sysfs rw
56 55 0:30 / /sys/fs/cgroup ro - cgroup2 cgroup2 rw
57 50 8:1 /bundle/rootfs/etc /etc ro - ext4 /dev/sda1 rw
`,
			own: all,
		},
		"the host's": {
			inside: `50 40 8:1 /bundle/rootfs / rw - ext4 /dev/sda1 rw
51 50 8:1 /bundle/rootfs2 /one rw - ext4 /dev/sda1 rw
52 50 0:40 /sub /two rw - tmpfs tmpfs rw
53 50 0:6 /null /dev/null rw - devtmpfs udev rw
54 50 0:30 /cg /sys/fs/cgroup rw - cgroup2 cgroup2 rw
55 50 0:99 / /gone rw - xfs /dev/sdb rw
56 52 8:1 /x /two rw - ext4 /dev/sda1 rw
57 50 0:41 / /a\040blank rw - overlay overlay rw
`,
			own:  all &^ configs.NewCgroup,
			want: []string{"/one", "/two", "/dev/null", "/sys/fs/cgroup", "/gone", "/a blank"},
		},
		"shared namespaces": {
			inside: `50 40 0:41 / / rw - overlay overlay rw
51 50 0:20 / /proc rw - proc proc rw
52 50 0:21 / /sys rw - sysfs sysfs rw
53 50 0:22 / /dev/mqueue rw - mqueue mqueue rw
`,
			own: configs.NewMount,
		},
		"bound in spite of a namespace": {
			inside: `50 40 0:41 / / rw - overlay overlay rw
51 50 0:20 / /host/proc rw - proc proc rw
52 50 0:21 / /host/sys rw - sysfs sysfs rw
`,
			own:  all,
			want: []string{"/host/proc", "/host/sys"},
		},
		"user namespace": {
			inside: `50 40 0:41 / / rw - overlay overlay rw
51 50 0:21 / /sys rw - sysfs sysfs rw
`,
			own:  configs.NewMount | configs.NewUser,
			want: []string{"/sys"},
		},
		"two roots": {
			inside: `49 40 8:1 /elsewhere / rw - ext4 /dev/sda1 rw
50 49 0:41 / / rw - overlay overlay rw
51 50 8:1 /elsewhere/x /x rw - ext4 /dev/sda1 rw
`,
			own:  all,
			want: []string{"/x"},
		},
	}
	for name, test := range tests {
		got := ExternalMounts(parseMounts(t, test.inside), parseMounts(t, hostMounts), test.own)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestBeneath(t *testing.T) {
	for _, test := range []struct {
		path, dir string
		want      bool
	}{
		{"/a", "/a", true},
		{"/a/b", "/a", true},
		{"/a/b", "/a/", true},
		{"/ab", "/a", false},
		{"/a", "/a/b", false},
		{"/a", "/", true},
		{"/", "/", true},
	} {
		if got := Beneath(test.path, test.dir); got != test.want {
			t.Errorf("%s beneath %s: %v", test.path, test.dir, got)
		}
	}
}
