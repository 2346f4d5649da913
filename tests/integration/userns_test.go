// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// firstID is the host id of a container's root, and idCount the number of mapped ids.
const (
	firstID = 100000
	idCount = 65536
)

// mapRow returns an id map with one row.
func mapRow(container, host, size uint32) specs.LinuxIDMapping {
	return specs.LinuxIDMapping{ContainerID: container, HostID: host, Size: size}
}

// userns gives the container a user namespace with the given map, or with the usual one. The
// container's root then owns the root file system.
func (c *container) userns(rows ...specs.LinuxIDMapping) *container {
	c.t.Helper()
	only(c.t, suite.users.name == "root", "the mode in which containers have the user namespace of their test")
	if len(rows) == 0 {
		rows = []specs.LinuxIDMapping{mapRow(0, firstID, idCount)}
	}
	c.namespace(specs.UserNamespace, "")
	c.spec.Linux.UIDMappings, c.spec.Linux.GIDMappings = rows, rows
	if err := os.Chown(c.rootfs(), int(rows[0].HostID), int(rows[0].HostID)); err != nil {
		c.t.Fatal(err)
	}
	return c
}

// pinned returns the path of a user namespace with the usual map and without a process, like an
// engine's for a pod.
func pinned(t *testing.T) string {
	t.Helper()
	ids := []syscall.SysProcIDMap{{HostID: firstID, Size: idCount}}
	cmd := exec.Command("/bin/sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	path := filepath.Join(t.TempDir(), "user")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(fmt.Sprintf("/proc/%d/ns/user", cmd.Process.Pid), path, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(path, 0); err != nil {
			t.Error(err)
		}
	})
	return path
}

// inode returns the inode number, which identifies a namespace.
func inode(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// owners is a script that prints the owners of what the runtime creates in a container.
const owners = "cat /proc/self/uid_map; for f in /dev /dev/shm /dev/fd /made/for/it /dev/pts/ptmx; do stat -c '%n %u:%g' $f; done"

func TestUserNamespaceOwners(t *testing.T) {
	c := newContainer(t).userns().sh(owners)
	c.mount("/made/for/it", "tmpfs", "tmpfs")
	got := squeeze(strings.ReplaceAll(c.output(), "\n", " "))
	want(t, "map and owners", strings.TrimSpace(got),
		"0 100000 65536 /dev 0:0 /dev/shm 0:0 /dev/fd 0:0 /made/for/it 0:0 /dev/pts/ptmx 0:0")
}

// TestUserNamespaceMqueue: the root directory of mqueue belongs to the creator of the ipc
// namespace.
func TestUserNamespaceMqueue(t *testing.T) {
	c := newContainer(t).userns().args("stat", "-c", "%u:%g", "/dev/mqueue")
	want(t, "owner", c.output(), "0:0")
}

// TestUserNamespaceDevices: device nodes cannot be created in a user namespace, so the host's are
// used.
func TestUserNamespaceDevices(t *testing.T) {
	c := newContainer(t).userns().sh("for d in null zero full random urandom tty; do test -c /dev/$d || echo no $d; done; echo x >/dev/null && head -c 2 /dev/zero | wc -c")
	want(t, "devices", c.output(), "2")
}

// TestUserNamespaceJoined joins a user namespace by its path. Engines give the maps as well.
func TestUserNamespaceJoined(t *testing.T) {
	for _, test := range []struct {
		name string
		rows []specs.LinuxIDMapping
		err  string
	}{
		{"without maps", nil, ""},
		{"with the same maps", []specs.LinuxIDMapping{mapRow(0, firstID, idCount)}, ""},
		{"with the same maps in parts", []specs.LinuxIDMapping{mapRow(1000, firstID+1000, idCount-1000), mapRow(0, firstID, 1000)}, ""},
		{"with other maps", []specs.LinuxIDMapping{mapRow(0, firstID, 1000)}, "linux.uidMappings: the user namespace to join has other mappings"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newContainer(t).userns().sh(owners + "; readlink /proc/self/ns/user; echo $$; sleep 0 & echo $!")
			path := pinned(t)
			c.namespace(specs.UserNamespace, path)
			c.spec.Linux.UIDMappings, c.spec.Linux.GIDMappings = test.rows, test.rows
			c.mount("/made/for/it", "tmpfs", "tmpfs")
			if test.err != "" {
				c.write()
				c.checkRefused(test.err, "")
				return
			}
			lines := strings.Split(c.output(), "\n")
			want(t, "map", squeeze(lines[0]), "0 100000 65536")
			for _, line := range lines[1:6] {
				if !strings.HasSuffix(line, " 0:0") {
					t.Errorf("owner: %s", line)
				}
			}
			want(t, "namespace", lines[6], fmt.Sprintf("user:[%d]", inode(t, path)))
			want(t, "pid", lines[7], "1")
		})
	}
}

// TestUserNamespaceJoinedOfContainer joins the user namespace of another container, like the
// containers of a pod.
func TestUserNamespaceJoinedOfContainer(t *testing.T) {
	first := newContainer(t).userns().running()
	c := anotherContainer(t, first).userns()
	for typ, file := range map[specs.LinuxNamespaceType]string{
		specs.UserNamespace: "user", specs.NetworkNamespace: "net", specs.IPCNamespace: "ipc",
		specs.UTSNamespace: "uts", specs.PIDNamespace: "pid",
	} {
		c.namespace(typ, fmt.Sprintf("/proc/%d/ns/%s", first.pid, file))
	}
	c.running()
	for _, file := range []string{"user", "net", "ipc", "uts", "pid"} {
		if nsOf(t, c.pid, file) != nsOf(t, first.pid, file) {
			t.Errorf("%s is not the namespace to be joined", file)
		}
	}
	for _, file := range []string{"mnt", "cgroup"} {
		if nsOf(t, c.pid, file) == nsOf(t, first.pid, file) {
			t.Errorf("%s is not a new namespace", file)
		}
	}
}

// TestUserNamespaceWithOthers: the container joins namespaces that its user namespace does not
// own, such as the network namespace of an engine.
func TestUserNamespaceWithOthers(t *testing.T) {
	for name, joined := range map[string]bool{"new": false, "joined": true} {
		t.Run(name, func(t *testing.T) {
			first := newContainer(t).running()
			c := anotherContainer(t, first).userns()
			if joined {
				c.namespace(specs.UserNamespace, pinned(t))
			}
			kinds := map[specs.LinuxNamespaceType]string{
				specs.NetworkNamespace: "net", specs.UTSNamespace: "uts", specs.CgroupNamespace: "cgroup",
			}
			for typ, file := range kinds {
				c.namespace(typ, fmt.Sprintf("/proc/%d/ns/%s", first.pid, file))
			}
			c.spec.Hostname = ""
			c.running()
			for _, file := range kinds {
				if nsOf(t, c.pid, file) != nsOf(t, first.pid, file) {
					t.Errorf("%s is not the namespace to be joined", file)
				}
			}
			for _, file := range []string{"pid", "mnt", "ipc"} {
				if nsOf(t, c.pid, file) == nsOf(t, first.pid, file) {
					t.Errorf("%s is not a new namespace", file)
				}
			}
		})
	}
}

// TestUserNamespaceWithTime: only a privileged process with a single thread can join a time
// namespace.
func TestUserNamespaceWithTime(t *testing.T) {
	needTime(t)
	for name, joined := range map[string]bool{"new": false, "joined": true} {
		t.Run(name, func(t *testing.T) {
			onlyBerth(t) // crun 1.8 cannot set the offsets
			first := newContainer(t).namespace(specs.TimeNamespace, "")
			first.spec.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: 1 << 20}}
			first.running()
			c := anotherContainer(t, first).userns()
			if joined {
				c.namespace(specs.UserNamespace, pinned(t))
			}
			c.namespace(specs.TimeNamespace, fmt.Sprintf("/proc/%d/ns/time", first.pid))
			c.sh("cat /proc/self/uid_map; id -u; cut -d. -f1 /proc/uptime; stat -c %u:%g /dev /dev/mqueue; cat /proc/self/setgroups; echo $$")
			lines := strings.Split(squeeze(c.output()), " ")
			want(t, "map and root", strings.Join(lines[:4], " "), "0 100000 65536 0")
			if uptime, err := strconv.Atoi(lines[4]); err != nil || uptime < 1<<20 {
				t.Errorf("uptime %q, want more than the offset", lines[4])
			}
			want(t, "owners, setgroups, pid", strings.Join(lines[5:], " "), "0:0 0:0 allow 1")
		})
	}
}

// TestRuntimeIsNotInPIDNamespace: each process in a pid namespace gets the next number, so a
// process of the runtime would leave a gap, however short-lived it is.
func TestRuntimeIsNotInPIDNamespace(t *testing.T) {
	only(t, suite.name == "berth", "berth")
	const next = "sleep 0 & echo $!"
	for name, prepare := range map[string]func(c *container){
		"no user namespace":     func(*container) {},
		"new user namespace":    func(c *container) { c.userns() },
		"joined user namespace": func(c *container) { c.userns().namespace(specs.UserNamespace, pinned(c.t)) },
	} {
		t.Run("new/"+name, func(t *testing.T) {
			c := newContainer(t).sh(next)
			prepare(c)
			want(t, "first child of process 1", c.output(), "2")
		})
		t.Run("joined/"+name, func(t *testing.T) {
			first := newContainer(t).running()
			c := anotherContainer(t, first).sh("echo $$; " + next)
			prepare(c)
			// The pid namespace is the host's, whose procfs the root of another user namespace
			// cannot mount.
			c.spec.Mounts, c.spec.Linux.MaskedPaths, c.spec.Linux.ReadonlyPaths = c.spec.Mounts[1:], nil, nil
			c.namespace(specs.PIDNamespace, fmt.Sprintf("/proc/%d/ns/pid", first.pid))
			lines := strings.Split(c.output(), "\n")
			var init, child int
			if _, err := fmt.Sscan(strings.Join(lines, " "), &init, &child); err != nil {
				t.Fatalf("%q: %v", lines, err)
			}
			if child != init+1 {
				t.Errorf("process %d, and then its child %d", init, child)
			}
			if init > 3 {
				t.Errorf("the process is number %d, after process 1 and perhaps one child of it", init)
			}
		})
	}
}

// TestUnreachableBindSource: the root of a user namespace may have no access to the source of a
// bind mount that the caller of the runtime can access.
func TestUnreachableBindSource(t *testing.T) {
	c := newContainer(t).userns().sh("cat /inside/file; echo; awk '$5 == \"/inside\" {print $6}' /proc/self/mountinfo; echo x 2>/dev/null >/inside/file || echo refused")
	if err := os.MkdirAll(c.path("closed/dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.path("closed/dir/file"), []byte("content"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(c.path("closed"), 0o700); err != nil {
		t.Fatal(err)
	}
	c.mount("/inside", "bind", c.path("closed/dir"), "rbind", "ro", "nosuid")
	lines := strings.Split(c.output(), "\n")
	if lines[0] != "content" || !strings.HasPrefix(lines[1], "ro,nosuid") || lines[2] != "refused" {
		t.Errorf("printed %q", lines)
	}
}

// TestSysfsWithHostNetwork: a sysfs shows the network namespace. Only the root of the user
// namespace that owns this can mount it.
func TestSysfsWithHostNetwork(t *testing.T) {
	c := newContainer(t).userns().without(specs.NetworkNamespace).sh("ls -d /sys/class/net/lo; awk '$5 == \"/sys\" {print $6}' /proc/self/mountinfo")
	lines := strings.Split(c.output(), "\n")
	if lines[0] != "/sys/class/net/lo" || !strings.HasPrefix(lines[1], "ro,nosuid,nodev,noexec") {
		t.Errorf("printed %q", lines)
	}
}

// TestSysfsWithForeignNetwork: the sysfs shows the network namespace that is joined, and none of
// the host's mounts below /sys.
func TestSysfsWithForeignNetwork(t *testing.T) {
	onlyBerth(t) // crun bind-mounts the host's /sys
	for _, network := range []string{"joined", "host's"} {
		t.Run(network, func(t *testing.T) {
			first := newContainer(t)
			first.args("sleep", "1000").create().start()
			// From outside: not every root file system has ip.
			ip := exec.Command("nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", first.pid), "ip", "link", "set", "lo", "mtu", "4321")
			if out, err := ip.CombinedOutput(); err != nil {
				t.Fatalf("%v: %v: %s", ip, err, out)
			}
			c := anotherContainer(t, first).userns()
			mtu := "4321"
			if network == "joined" {
				c.namespace(specs.NetworkNamespace, fmt.Sprintf("/proc/%d/ns/net", first.pid))
			} else {
				c.without(specs.NetworkNamespace)
				mtu = strings.TrimSpace(readFile(t, "/sys/class/net/lo/mtu"))
			}
			c.spec.Linux.MaskedPaths = nil
			c.sh("cat /sys/class/net/lo/mtu; ls /sys/fs/cgroup | wc -l; awk '$5 ~ \"^/sys\" {print $5, $6}' /proc/self/mountinfo")
			want(t, "printed", squeeze(c.output()), mtu+" 0 /sys ro,nosuid,nodev,noexec,relatime")
		})
	}
}

// TestUserNamespaceWithoutRoot: if root is not mapped, what the runtime creates belongs to the
// container's user.
func TestUserNamespaceWithoutRoot(t *testing.T) {
	c := newContainer(t).userns(mapRow(1000, firstID+1000, 10)).sh("id -u; for f in /dev /dev/mqueue /made; do stat -c '%n %u:%g' $f; done")
	c.spec.Process.User = specs.User{UID: 1000, GID: 1001}
	for i := range c.spec.Mounts {
		if m := &c.spec.Mounts[i]; m.Type == "devpts" {
			m.Options = m.Options[:len(m.Options)-1] // gid=5
		}
	}
	c.mount("/made", "tmpfs", "tmpfs")
	want(t, "owners", strings.ReplaceAll(c.output(), "\n", " "), "1000 /dev 1000:1001 /dev/mqueue 1000:1001 /made 1000:1001")
}

// TestUserNamespaceGroups: mapped supplementary groups are set.
func TestUserNamespaceGroups(t *testing.T) {
	c := newContainer(t).userns().args("grep", "Groups", "/proc/self/status")
	c.spec.Process.User = specs.User{UID: 1, GID: 2, AdditionalGids: []uint32{3, 4}}
	want(t, "groups", squeeze(c.output()), "Groups: 3 4")
}

// TestCgroupDelegation: the container's root may use a cgroup only if the container sees no other
// one, and sees it writable.
func TestCgroupDelegation(t *testing.T) {
	only(t, suite.unified, "cgroup v2")
	for _, test := range []struct {
		name    string
		options []string
		private bool
		want    string
	}{
		{"writable", []string{"nosuid"}, true, "made"},
		{"read-only", []string{"nosuid", "ro"}, true, "refused"},
		{"host's namespace", []string{"nosuid"}, false, "refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newContainer(t).userns().mount("/sys/fs/cgroup", "cgroup", "cgroup", test.options...)
			c.sh("d=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup); test -d $d || d=/sys/fs/cgroup; stat -c %u $d/cgroup.max.depth; mkdir 2>/dev/null $d/sub && rmdir $d/sub && echo made || echo refused")
			if !test.private {
				c.without(specs.CgroupNamespace)
			}
			lines := strings.Split(c.output(), "\n")
			want(t, "mkdir", lines[len(lines)-1], test.want)
			want(t, "owner of a limit", lines[0], "65534")
		})
	}
}

func TestBadUserNamespace(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(c *container)
		err    string
	}{
		{"no uid map", func(c *container) { c.spec.Linux.UIDMappings = nil }, "linux.uidMappings"},
		{"no gid map", func(c *container) { c.spec.Linux.GIDMappings = nil }, "linux.gidMappings"},
		{"overlap inside", func(c *container) {
			c.userns(mapRow(0, firstID, 10), mapRow(5, firstID+100, 10))
		}, "linux.uidMappings[1]: overlaps"},
		{"overlap outside", func(c *container) {
			c.userns(mapRow(0, firstID, 10), mapRow(100, firstID+5, 10))
		}, "linux.uidMappings[1]: overlaps"},
		{"size 0", func(c *container) { c.userns(mapRow(0, firstID, 0)) }, "linux.uidMappings[0].size"},
		{"uid is not mapped", func(c *container) { c.spec.Process.User.UID = idCount }, "process.user.uid"},
		{"gid is not mapped", func(c *container) { c.spec.Process.User.GID = idCount }, "process.user.gid"},
		{"group is not mapped", func(c *container) { c.spec.Process.User.AdditionalGids = []uint32{0, idCount} }, "process.user.additionalGids[1]"},
		{"path of another kind", func(c *container) { c.namespace(specs.UserNamespace, "/proc/self/ns/net") }, "is not a user namespace"},
		{"path of nothing", func(c *container) { c.namespace(specs.UserNamespace, "/proc/self/ns/nothing") }, "no such file or directory"},
		{"uid is not mapped in a joined one", func(c *container) {
			c.namespace(specs.UserNamespace, pinned(c.t))
			c.spec.Process.User.UID = idCount
			c.spec.Linux.UIDMappings, c.spec.Linux.GIDMappings = nil, nil
		}, "process.user.uid"},
		{"bind source is missing", func(c *container) { c.mount("/x", "bind", "/nonexistent", "rbind") }, "mounts[6]: mount bind on /x: open_tree /nonexistent"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newContainer(t).userns()
			only(t, suite.name == "berth", "berth")
			test.change(c)
			c.write()
			c.checkRefused(test.err, "")
		})
	}
}

// TestUserNamespaceLongMap: the kernel accepts less than a page of text.
func TestUserNamespaceLongMap(t *testing.T) {
	onlyBerth(t) // runc 1.3: invalid argument
	c := newContainer(t).userns().sh("cat /proc/self/uid_map")
	if suite.users.ordinary() {
		t.Skip("requires the right to map these ids without newuidmap")
	}
	var rows []specs.LinuxIDMapping
	for i := range uint32(339) {
		rows = append(rows, mapRow(i, firstID+i, 1))
	}
	c.spec.Linux.UIDMappings, c.spec.Linux.GIDMappings = rows, append(rows, mapRow(339, firstID+339, idCount-339))
	want(t, "map", squeeze(c.output()), "0 100000 339")
}
