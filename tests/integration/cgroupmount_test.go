// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestCgroupMount: /sys/fs/cgroup in a container with and without a cgroup namespace.
func TestCgroupMount(t *testing.T) {
	for _, private := range []bool{true, false} {
		for _, mode := range []string{"ro", "rw"} {
			name := mode
			if !private {
				name += ", host cgroup namespace"
			}
			t.Run(name, func(t *testing.T) {
				c := newContainer(t)
				c.mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", mode)
				if !private {
					c.without(specs.CgroupNamespace)
				}
				if suite.unified {
					checkUnifiedMount(t, c, mode, private)
				} else {
					checkLegacyMount(t, c, mode)
				}
			})
		}
	}
}

func checkUnifiedMount(t *testing.T, c *container, mode string, private bool) {
	t.Helper()
	m := c.mountOf("/sys/fs/cgroup")
	want(t, "file system", m.fsType, "cgroup2")
	if !slices.Contains(m.options, mode) {
		t.Errorf("options %q, want %s", m.options, mode)
	}
	if !private {
		return // the host's hierarchy
	}
	// The container sees its own cgroup, and nothing above it.
	c.sh("cat /sys/fs/cgroup/cgroup.procs | head -1; test -e /sys/fs/cgroup/cgroup.type && echo not the root")
	want(t, "what is mounted", c.output(), "1\nnot the root")
	c.sh("mkdir /sys/fs/cgroup/sub 2>/dev/null && rmdir /sys/fs/cgroup/sub && echo writable || echo read-only")
	want(t, "access", c.output(), map[string]string{"ro": "read-only", "rw": "writable"}[mode])
}

func checkLegacyMount(t *testing.T, c *container, mode string) {
	t.Helper()
	mounts := c.mounts()
	var names []string
	for _, m := range mounts {
		dir, found := strings.CutPrefix(m.point, "/sys/fs/cgroup/")
		if !found {
			continue
		}
		names = append(names, dir)
		// Not cgroup v2, by which programs know a host that has nothing else.
		if m.fsType != "cgroup" {
			t.Errorf("file system at %s is %s", m.point, m.fsType)
		}
		if !slices.Contains(m.options, mode) {
			t.Errorf("options of %s: %q, want %s", m.point, m.options, mode)
		}
	}
	for _, controller := range []string{"memory", "devices", "freezer", "pids", "systemd"} {
		if !slices.Contains(names, controller) {
			t.Errorf("no mount for %s in %q", controller, names)
		}
	}
	c.sh("cat /sys/fs/cgroup/memory/cgroup.procs | head -1; cat /sys/fs/cgroup/pids/cgroup.procs | head -1")
	want(t, "first process", c.output(), "1\n1")
	c.sh("mkdir /sys/fs/cgroup/memory/sub 2>/dev/null && rmdir /sys/fs/cgroup/memory/sub && echo writable || echo read-only")
	want(t, "access", c.output(), map[string]string{"ro": "read-only", "rw": "writable"}[mode])
}

// TestMountBelowCgroups: a later mount can be below the directory of hierarchies, although that is
// read-only in the end.
func TestMountBelowCgroups(t *testing.T) {
	only(t, !suite.unified, "cgroup v1")
	c := newContainer(t).mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid").
		mount("/sys/fs/cgroup/below", "tmpfs", "tmpfs")
	c.sh("touch /sys/fs/cgroup/below/file && ls /sys/fs/cgroup/below")
	want(t, "below", c.output(), "file")
	if suite.name == "runc" {
		return // It leaves the directory writable.
	}
	want(t, "the directory is", c.mountOf("/sys/fs/cgroup").options[0], "ro")
}

// TestHostCgroupOptions: a container that sees the host's hierarchy leaves its options alone. The
// kernel applies those of a new mount to the whole hierarchy, and has none of systemd's then.
func TestHostCgroupOptions(t *testing.T) {
	onlyBerth(t) // runc 1.3 and crun 1.28 clear them
	only(t, suite.unified, "cgroup v2")
	only(t, suite.users.name == "root", "root, who may mount it")
	before := cgroupOptions(t)
	set := func(options string) {
		t.Helper()
		if err := unix.Mount("", "/sys/fs/cgroup", "", unix.MS_REMOUNT|unix.MS_RELATIME, options); err != nil {
			t.Fatal(err)
		}
	}
	// One that means nothing to other cgroups here: where the memory controller is on v2, systemd
	// has set it already.
	const option = "memory_recursiveprot"
	words := strings.Split(before, ",")
	if !slices.Contains(words, option) {
		set(strings.Join(append(slices.DeleteFunc(words, func(w string) bool { return w == "rw" }), option), ","))
		t.Cleanup(func() { set(strings.TrimPrefix(strings.TrimPrefix(before, "rw"), ",")) })
	}
	with := cgroupOptions(t)
	if !strings.Contains(with, option) {
		t.Fatalf("options %q of the host, want %s", with, option)
	}
	for _, path := range []string{"", "/proc/self/ns/cgroup"} {
		c := newContainer(t).mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro").without(specs.CgroupNamespace)
		if path != "" {
			c.spec.Linux.Namespaces = append(c.spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.CgroupNamespace, Path: path})
		}
		c.sh("test -e /sys/fs/cgroup/cgroup.procs && ! test -e /sys/fs/cgroup/cgroup.type && echo the root")
		want(t, "in the container is", c.output(), "the root")
		want(t, "options with the path "+strconv.Quote(path), cgroupOptions(t), with)
	}
}

// cgroupOptions returns the options of the hierarchy of cgroup v2.
func cgroupOptions(t *testing.T) string {
	t.Helper()
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range parseMountinfo(string(table)) {
		if m.point == "/sys/fs/cgroup" {
			return strings.Join(m.super, ",")
		}
	}
	t.Fatal("no mount on /sys/fs/cgroup")
	return ""
}
