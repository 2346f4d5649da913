// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"os"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

const cgroupFlags = unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NODEV | unix.MS_RDONLY

// TestCgroupV1 mounts the hierarchies of a v1 or hybrid host. It requires "cpu" and "pids".
func TestCgroupV1(t *testing.T) {
	for _, test := range []struct {
		name string
		ns   func(t *testing.T, c *configs.Config)
		root string
	}{
		{"new namespace", func(*testing.T, *configs.Config) {}, "/"},
		{"host's namespace", func(_ *testing.T, c *configs.Config) { c.Namespaces = c.Namespaces[:4] }, "/"},
		{"joined namespace", func(_ *testing.T, c *configs.Config) { c.Namespaces[4].Path = "/proc/self/ns/cgroup" }, "/"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inChild(t, func(t *testing.T, dir string) {
				if !isFilesystem("/sys/fs/cgroup/cpu", unix.CGROUP_SUPER_MAGIC) || !isFilesystem("/sys/fs/cgroup/pids", unix.CGROUP_SUPER_MAGIC) {
					t.Skip("requires cgroup v1")
				}
				// As systemd does, so that a clone would be a slave.
				if err := unix.Mount("", "/", "", unix.MS_SHARED|unix.MS_REC, ""); err != nil {
					t.Fatal(err)
				}
				c := plan(image(t, dir))
				test.ns(t, c)
				add(c, configs.Mount{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Flags: cgroupFlags})
				o := options(t, c)
				o.Cgroups = []CgroupHierarchy{
					{Name: "cpu", Options: "cpu", HostPath: "/sys/fs/cgroup/cpu", Links: []string{"cpu-link"}},
					{Name: "pids", Options: "pids", HostPath: "/sys/fs/cgroup/pids"},
				}
				unified := isFilesystem("/sys/fs/cgroup/unified", unix.CGROUP2_SUPER_MAGIC)
				if unified {
					o.Cgroups = append(o.Cgroups, CgroupHierarchy{Name: "unified", V2: true, HostPath: "/sys/fs/cgroup/unified"})
				}
				b, err := New(o)
				if err != nil {
					t.Fatal(err)
				}
				defer b.Close()
				build(t, b)
				const want = "ro,nosuid,nodev,noexec,relatime"
				points := map[string]string{"": "tmpfs", "/cpu": "cgroup", "/pids": "cgroup"}
				if unified {
					points["/unified"] = "cgroup2"
				}
				for point, fstype := range points {
					m := topMount(t, b, "/sys/fs/cgroup"+point)
					if m.fstype != fstype || m.options != want || m.tags != "" || m.root != test.root {
						t.Errorf("%+v", m)
					}
				}
				if link, err := os.Readlink("/sys/fs/cgroup/cpu-link"); err != nil || link != "cpu" {
					t.Errorf("link %q, %v", link, err)
				}
				if _, err := os.Stat("/sys/fs/cgroup/cpu/tasks"); err != nil {
					t.Error(err)
				}
				wantErr(t, os.Mkdir("/sys/fs/cgroup/cpu/berth-rootfs-test", 0o755), unix.EROFS)
				wantErr(t, os.Mkdir("/sys/fs/cgroup/berth-rootfs-test", 0o755), unix.EROFS)
			})
		})
	}
}

// TestCgroupV2 mounts the only hierarchy, by a bind mount if the kernel refuses a new one.
func TestCgroupV2(t *testing.T) {
	for _, namespace := range []bool{true, false} {
		name := "new namespace"
		if !namespace {
			name = "host's namespace"
		}
		t.Run(name, func(t *testing.T) {
			inChild(t, func(t *testing.T, dir string) {
				c := plan(image(t, dir))
				if !namespace {
					c.Namespaces = c.Namespaces[:4]
					haveUnified(t)
				}
				add(c, configs.Mount{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Flags: cgroupFlags})
				o := options(t, c)
				o.Cgroups = []CgroupHierarchy{{V2: true, HostPath: "/sys/fs/cgroup"}}
				b, err := New(o)
				if err != nil {
					t.Fatal(err)
				}
				defer b.Close()
				build(t, b)
				m := topMount(t, b, "/sys/fs/cgroup")
				if m.fstype != "cgroup2" || m.options != "ro,nosuid,nodev,noexec,relatime" || m.tags != "" {
					t.Errorf("%+v", m)
				}
				if _, err := os.Stat("/sys/fs/cgroup/cgroup.procs"); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// haveUnified mounts cgroup2 on /sys/fs/cgroup of this mount namespace, unless it is there.
func haveUnified(t *testing.T) {
	t.Helper()
	var fs unix.Statfs_t
	if err := unix.Statfs("/sys/fs/cgroup", &fs); err != nil {
		t.Fatal(err)
	}
	if fs.Type == unix.CGROUP2_SUPER_MAGIC {
		return
	}
	if err := unix.Mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, ""); err != nil {
		t.Fatal(err)
	}
}

// TestCgroupV2Refused: in a user namespace without its own cgroup namespace, the kernel does
// not mount cgroup2.
func TestCgroupV2Refused(t *testing.T) {
	inUserNamespace(t, func(t *testing.T, dir string) {
		c := plan(dir + "/rootfs")
		c.Mounts, c.PopulateDev = nil, false
		c.Namespaces, c.Cgroup.Rootless = c.Namespaces[:4], true
		add(c, configs.Mount{Destination: "/sys/fs/cgroup", Type: "cgroup", Flags: cgroupFlags})
		b, err := New(&Options{Config: c, Cgroups: []CgroupHierarchy{{V2: true, HostPath: dir + "/host"}}})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		b.c.MaskedPaths, b.c.ReadonlyPaths, b.c.Sysctls = nil, nil, nil
		build(t, b)
		// Its origin shows that it is the bind mount.
		if m := topMount(t, b, "/sys/fs/cgroup"); m.fstype != "tmpfs" || !m.has("ro") || m.source != "volume" {
			t.Errorf("%+v", m)
		}
	})
}

// If the container has no cgroup, the host's are shown, read-only.
func TestCgroupNone(t *testing.T) {
	inChild(t, func(t *testing.T, dir string) {
		c := plan(image(t, dir))
		c.MaskedPaths, c.ReadonlyPaths, c.Sysctls = nil, nil, nil
		add(c, configs.Mount{Destination: "/sys/fs/cgroup", Type: "cgroup", Flags: unix.MS_NOSUID})
		b := start(t, c)
		build(t, b)
		found := 0
		for _, m := range mountTable(t, b) {
			if !strings.HasPrefix(m.point, "/sys/fs/cgroup") {
				continue
			}
			if found++; !m.has("ro") || !m.has("nosuid") {
				t.Errorf("%+v", m)
			}
		}
		if found == 0 {
			t.Error("there is no such mount")
		}
	})
}

func isFilesystem(path string, magic int64) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && int64(st.Type) == magic
}
