// SPDX-License-Identifier: Apache-2.0

package host

import (
	"slices"
	"strings"
	"testing"
)

func TestOutsideMounts(t *testing.T) {
	const table = `22 27 0:21 / /proc rw - proc proc rw
23 27 0:22 / /sys rw shared:7 master:1 - sysfs sysfs rw
24 23 0:23 / /sys/fs/cgroup rw - tmpfs tmpfs rw
25 22 0:21 /sys /proc/sys ro - proc proc rw
26 27 0:25 / /with\040space\134 rw - proc proc rw
27 1 0:26 / /c/rootfs/proc rw - proc proc rw
28 1 0:26 / /c/rootfs rw - ext4 disk rw
29 1 0:26 / /c/rootfs2/proc rw - proc proc rw
bad line - proc
- sysfs
`
	got := outsideMounts(table, "/c/rootfs")
	want := []outsideMount{
		{"/proc", true},
		{"/sys", true},
		{"/sys/fs/cgroup", false},
		{"/proc/sys", false},
		{`/with space\`, true},
		{"/c/rootfs2/proc", true},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func FuzzOutsideMounts(f *testing.F) {
	f.Add("22 27 0:21 / /proc rw - proc proc rw\n", "/c")
	f.Add(`1 2 3 / /a\04 rw - sysfs`, "/")
	f.Fuzz(func(t *testing.T, table, except string) {
		for _, m := range outsideMounts(table, except) {
			if m.point == except || strings.HasPrefix(m.point, except+"/") {
				t.Errorf("%q is in %q", m.point, except)
			}
		}
	})
}
