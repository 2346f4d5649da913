// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// TestPropagation: the final propagation of "/". The container's mounts in a volume are
// propagated to the host only if that was requested.
func TestPropagation(t *testing.T) {
	for _, test := range []struct {
		name  string
		flags uintptr
		// root is the propagation of "/", volume that of the bind mount.
		root, volume string
	}{
		{"default", 0, "", "master"},
		{"rslave", unix.MS_SLAVE | unix.MS_REC, "master", "master"},
		{"slave", unix.MS_SLAVE, "master", "shared"},
		{"rprivate", unix.MS_PRIVATE | unix.MS_REC, "", ""},
		{"shared", unix.MS_SHARED, "shared", "shared"},
		{"rshared", unix.MS_SHARED | unix.MS_REC, "shared", "shared"},
		{"unbindable", unix.MS_UNBINDABLE, "unbindable", "master"},
	} {
		for _, noPivot := range []bool{false, true} {
			name := test.name
			if noPivot {
				name += " no pivot"
			}
			t.Run(name, func(t *testing.T) {
				inChild(t, func(t *testing.T, dir string) {
					// A mount of its own, so that "/" is not the rootfs's.
					if err := unix.Mount("disk", dir, "tmpfs", 0, ""); err != nil {
						t.Fatal(err)
					}
					root := image(t, dir)
					outside := sharedHost(t, dir)
					c := plan(root)
					c.Rootfs.Propagation, c.NoPivotRoot = test.flags, noPivot
					add(c, configs.Mount{Destination: "/m", Type: "bind", Source: dir + "/host", Flags: unix.MS_BIND})
					b := start(t, c)
					build(t, b)
					for point, want := range map[string]string{"/": test.root, "/m": test.volume} {
						tags, _, _ := strings.Cut(topMount(t, b, point).tags, ":")
						if tags != want {
							t.Errorf("%s: propagation %q, want %q", point, tags, want)
						}
					}
					outside()
				})
			})
		}
	}
}

// sharedHost turns the current mount namespace into "the host", with shared mounts like
// systemd's, and enters a copy of it, like a container's. The function that it returns checks
// that the host's mounts have not changed.
func sharedHost(t *testing.T, dir string) func() {
	t.Helper()
	host := filepath.Join(dir, "host")
	if err := unix.Mount("", "/", "", unix.MS_SHARED|unix.MS_REC, ""); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("volume", host, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	self := "/proc/thread-self/"
	ns, err := unix.Open(self+"ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	before := hostPoints(t)
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Setns(ns, unix.CLONE_NEWNS); err != nil {
			t.Fatal(err)
		}
		unix.Close(ns)
		if after := hostPoints(t); after != before {
			t.Errorf("the host's mounts changed from\n%s\nto\n%s", before, after)
		}
	}
}

func hostPoints(t *testing.T) string {
	t.Helper()
	b := &Builder{proc: hostProc(t)}
	defer b.proc.Close()
	var out strings.Builder
	for _, m := range mountTable(t, b) {
		out.WriteString(m.point + " " + m.fstype + "\n")
	}
	return out.String()
}
