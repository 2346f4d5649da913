// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestRestoreMounts: mounts from the host at different kinds of places, with options. For one of
// them the source is another directory when the container is restored.
func TestRestoreMounts(t *testing.T) {
	k := newCounter(t)
	dir, other := k.volume("volume"), k.volume("other")
	if err := os.WriteFile(filepath.Join(other, "file"), []byte("another\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("sub", k.rootfs("link")); err != nil {
		t.Fatal(err)
	}
	k.tmpfsAt(filepath.Join(dir, "sub"), unix.MS_NOSUID)
	k.mount("/moved", "bind", dir, "bind")
	k.mount("/ro", "bind", dir, "bind", "ro", "nosuid")
	k.mount("/rec", "bind", dir, "rbind", "rslave")
	k.mount("/link/below", "bind", dir, "bind")
	k.mount("/etc/one", "bind", filepath.Join(dir, "file"), "bind", "ro")
	k.mount("/tmp", "tmpfs", "tmpfs", "size=1m", "nodev")
	k.mount("/tmp/in", "bind", dir, "bind")
	k.runAndCount()
	k.execOut(k.id, "sh", "-c", "echo kept >/tmp/kept")
	before := k.execOut(k.id, "cat", "/proc/self/mountinfo")
	k.checkpoint()
	for i := range k.spec.Mounts {
		if k.spec.Mounts[i].Destination == "/moved" {
			k.spec.Mounts[i].Source = other
		}
	}
	k.restore()
	k.ask()
	after := k.execOut(k.id, "cat", "/proc/self/mountinfo")
	want(t, "mounts", strings.ReplaceAll(mountList(after), "/other ", "/volume "), mountList(before))
	want(t, "tmpfs", k.execOut(k.id, "cat", "/tmp/kept"), "kept")
	want(t, "other source", k.execOut(k.id, "cat", "/moved/file"), "another")
	want(t, "the rest", k.execOut(k.id, "cat", "/ro/file", "/etc/one", "/tmp/in/file", "/sub/below/file"), strings.TrimSpace(strings.Repeat("from the host\n", 4)))
	if res := k.command("exec", k.id, "touch", "/ro/x"); res.status == 0 {
		t.Error("the read-only mount is writable")
	}
	k.command("delete", "--force", k.id).must()
}

// TestRestoreSharedMounts: mounts with propagation from a shared mount, which is systemd's
// default on a host.
func TestRestoreSharedMounts(t *testing.T) {
	k := newCounter(t)
	dir := k.tmpfsVolume("volume", 0)
	if err := unix.Mount("", dir, "", unix.MS_SHARED, ""); err != nil {
		t.Fatal(err)
	}
	k.mount("/slave", "bind", dir, "rbind", "rslave")
	k.mount("/private", "bind", dir, "rbind", "rprivate")
	k.runAndCount()
	k.checkpoint()
	k.restore()
	k.ask()
	sub := filepath.Join(dir, "new")
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	k.tmpfsAt(sub, 0)
	text := k.execOut(k.id, "cat", "/proc/self/mountinfo")
	if !strings.Contains(text, " /slave/new ") {
		t.Errorf("no mount was propagated: %s", text)
	}
	if strings.Contains(text, " /private/new ") {
		t.Errorf("a mount was propagated to a private one: %s", text)
	}
	k.command("delete", "--force", k.id).must()
}

// TestRestoreMountMissing: the images have a mount that is no longer in the config.
func TestRestoreMountMissing(t *testing.T) {
	k := newCounter(t)
	k.mount("/volume", "bind", k.volume("volume"), "bind")
	k.runAndCount()
	k.checkpoint()
	k.spec.Mounts = k.spec.Mounts[:len(k.spec.Mounts)-1]
	k.tryRestore().fails("/volume", "")
	k.checkNothingLeft()
}

func TestRestoreIDMappedMount(t *testing.T) {
	k := newCounter(t)
	dir := k.ownedVolume(0, 1)
	rows := []specs.LinuxIDMapping{mapRow(0, 20000, 10)}
	k.spec.Mounts = append(k.spec.Mounts, specs.Mount{
		Destination: "/mapped", Type: "bind", Source: dir, Options: []string{"bind"}, UIDMappings: rows, GIDMappings: rows,
	})
	k.runAndCount()
	before := k.execOut(k.id, "stat", "-c", "%u %g %n", "/mapped")
	k.checkpoint()
	k.restore()
	k.ask()
	want(t, "owners", k.execOut(k.id, "stat", "-c", "%u %g %n", "/mapped"), before)
}

// TestCheckpointIDMappedFilesystem: criu would create the file system without its id maps.
func TestCheckpointIDMappedFilesystem(t *testing.T) {
	onlyBerth(t)
	if !kernelAtLeast(t, 6, 3) {
		t.Skip("requires Linux 6.3, where a tmpfs can be id-mapped")
	}
	k := newCounter(t)
	k.mount("/t", "tmpfs", "tmpfs", "idmap=uids=0-1000-1;gids=0-1000-1")
	k.runAndCount()
	k.tryCheckpoint().fails("/t: an id-mapped file system", "")
	k.ask()
}

// TestRestoreJoinedNetwork: the container joins a network namespace, and another one when it is
// restored.
func TestRestoreJoinedNetwork(t *testing.T) {
	k := newCounter(t)
	first, second := anotherContainer(t, k.container).running(), anotherContainer(t, k.container).running()
	k.namespace(specs.NetworkNamespace, fmt.Sprintf("/proc/%d/ns/net", first.pid))
	k.runAndCount()
	k.checkpoint()
	k.namespace(specs.NetworkNamespace, fmt.Sprintf("/proc/%d/ns/net", second.pid))
	k.restore()
	k.ask()
	if nsOf(t, k.pid, "net") != nsOf(t, second.pid, "net") {
		t.Error("not in the namespace to be joined")
	}
}

// TestRestoreSharedPID: restore into the pid namespace of a pod. It is refused if a process there
// could trace criu, and by that gain access to the host.
func TestRestoreSharedPID(t *testing.T) {
	for _, traces := range []bool{false, true} {
		t.Run(map[bool]string{false: "ordinary", true: "CAP_SYS_PTRACE"}[traces], func(t *testing.T) {
			k := newCounter(t)
			first, pod := anotherContainer(t, k.container).running(), anotherContainer(t, k.container)
			if traces {
				caps := pod.spec.Process.Capabilities
				caps.Bounding = append(slices.Clone(caps.Bounding), "CAP_SYS_PTRACE")
			}
			pod.running()
			k.namespace(specs.PIDNamespace, fmt.Sprintf("/proc/%d/ns/pid", first.pid))
			k.runAndCount()
			k.checkpoint()
			// Use another pid namespace, as the pids are still in use in the first one.
			k.namespace(specs.PIDNamespace, fmt.Sprintf("/proc/%d/ns/pid", pod.pid))
			k.write()
			if traces {
				only(t, suite.name == "berth", "runtimes that check which processes could trace criu")
				k.tryRestore().fails(fmt.Sprintf("linux.namespaces: process %d in it may trace others (CAP_SYS_PTRACE)", pod.pid), "")
				return
			}
			k.restore()
			k.ask()
			if nsOf(t, k.pid, "pid") != nsOf(t, pod.pid, "pid") {
				t.Error("not in the namespace to be joined")
			}
		})
	}
}

// TestRestoreJoined: restore into the namespaces of a pod.
func TestRestoreJoined(t *testing.T) {
	for _, typ := range []specs.LinuxNamespaceType{specs.IPCNamespace, specs.UTSNamespace} {
		t.Run(string(typ), func(t *testing.T) {
			k := newCounter(t)
			pod := anotherContainer(t, k.container).running()
			k.namespace(typ, fmt.Sprintf("/proc/%d/ns/%s", pod.pid, nsFiles[typ]))
			hostSafe(k.container, typ)
			k.runAndCount()
			k.checkpoint()
			k.restore()
			k.ask()
			if nsOf(t, k.pid, nsFiles[typ]) != nsOf(t, pod.pid, nsFiles[typ]) {
				t.Error("not in the namespace to be joined")
			}
		})
	}
}

// TestRestoreAbsent: namespaces that are shared with the host are still shared.
func TestRestoreAbsent(t *testing.T) {
	for _, typ := range []specs.LinuxNamespaceType{specs.NetworkNamespace, specs.IPCNamespace, specs.UTSNamespace, specs.CgroupNamespace} {
		t.Run(string(typ), func(t *testing.T) {
			k := newCounter(t)
			k.without(typ)
			hostSafe(k.container, typ)
			k.runAndCount()
			k.checkpoint()
			k.restore()
			k.ask()
			if nsOf(t, k.pid, nsFiles[typ]) != nsOf(t, os.Getpid(), nsFiles[typ]) {
				t.Error("not the host's namespace")
			}
		})
	}
}

// TestRestoreHooks: restore runs the hooks that run in the runtime's namespaces, and they get the
// pid of the restored process.
func TestRestoreHooks(t *testing.T) {
	k := newCounter(t)
	k.spec.Hooks = &specs.Hooks{Poststop: []specs.Hook{k.logHook("poststop")}}
	k.runAndCount()
	k.checkpoint()
	want(t, "hooks after the checkpoint", k.hookLog(), "poststop")
	save := specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", "cat >" + k.path("state.hook")}}
	k.spec.Hooks = &specs.Hooks{
		Prestart: []specs.Hook{k.logHook("prestart"), save}, CreateRuntime: []specs.Hook{k.logHook("createRuntime")},
		Poststop: []specs.Hook{k.logHook("poststop2")},
	}
	k.restore()
	k.ask()
	want(t, "hooks after the restore", k.hookLog(), "poststop prestart createRuntime")
	data, err := os.ReadFile(k.path("state.hook"))
	if err != nil || !strings.Contains(string(data), fmt.Sprintf(`"pid":%d`, k.pid)) {
		t.Errorf("the hook's state %s, %v; want pid %d", data, err, k.pid)
	}
	k.command("delete", "--force", k.id).must()
	want(t, "hooks after delete", k.hookLog(), "poststop prestart createRuntime poststop2")
}

func TestRestoreHookFails(t *testing.T) {
	k := newCounter(t).runAndCount()
	k.checkpoint()
	k.spec.Hooks = &specs.Hooks{
		CreateRuntime: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo no such luck; exit 3"}}},
		Poststop:      []specs.Hook{k.logHook("poststop")},
	}
	k.tryRestore().fails("no such luck", "")
	k.command("state", k.id).fails("does not exist", "")
	k.checkNothingLeft()
	want(t, "hooks", k.hookLog(), "poststop")
}

// TestRestoreNewRootfs: the root file system is a new copy of the image, without mount points.
func TestRestoreNewRootfs(t *testing.T) {
	k := newCounter(t)
	k.mount("/made/volume", "bind", k.volume("volume"), "bind")
	k.mount("/made/file", "bind", filepath.Join(k.path("volume"), "file"), "bind")
	k.runAndCount()
	k.checkpoint()
	again := anotherContainer(t, k.container)
	again.spec.Process, again.spec.Mounts = k.spec.Process, k.spec.Mounts
	moved := &counter{container: again, in: again.fifo("in"), out: again.fifo("out"), n: k.n}
	if err := os.Rename(k.images(), again.images()); err != nil {
		t.Fatal(err)
	}
	moved.restore()
	moved.ask()
	want(t, "the volume", moved.execOut(moved.id, "cat", "/made/volume/file", "/made/file"), "from the host\nfrom the host")
	moved.command("delete", "--force", moved.id).must()
}

// TestRestoreNotify: the mount of the notify socket is not in the config.
func TestRestoreNotify(t *testing.T) {
	k := newCounter(t)
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: k.path("manager"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	k.env = append(os.Environ(), "NOTIFY_SOCKET="+k.path("manager"))
	k.detached("create", "--pid-file", k.path("pid"), k.id).must()
	k.env = nil
	k.pid = k.readPID()
	k.start()
	k.ask()
	k.checkpoint()
	k.restore()
	k.ask()
	want(t, "the directory", k.execOut(k.id, "sh", "-c", "grep -c ' /run/notify ' /proc/self/mountinfo"), "1")
}

// TestRestoreListedDevices: device nodes that were created for a user namespace.
func TestRestoreListedDevices(t *testing.T) {
	k := newCounter(t)
	k.userns().device("/dev/mine", "c", 1, 5, 0o640, 7)
	k.mount("/tmp/own", "tmpfs", "tmpfs")
	k.runAndCount()
	look := func() string { return k.execOut(k.id, "stat", "-c", "%a %u %g %t:%T", "/dev/mine") }
	want(t, "node", look(), "640 7 7 1:5")
	k.checkpoint()
	k.restore()
	k.ask()
	want(t, "node of the restored container", look(), "640 7 7 1:5")
	k.command("delete", "--force", k.id).must()
}

// TestRestoreRootPropagation: mounts of the host are propagated to the root file system.
func TestRestoreRootPropagation(t *testing.T) {
	for _, mode := range []string{"rslave", "rshared"} {
		k := newCounter(t)
		k.shareRootfs()
		k.spec.Linux.RootfsPropagation = mode
		k.runAndCount()
		k.checkpoint()
		k.restore()
		k.ask()
		c := k.container
		c.mkdir(c.rootfs("late"))
		k.tmpfsAt(c.rootfs("late"), 0)
		if text := k.execOut(k.id, "cat", "/proc/self/mountinfo"); !strings.Contains(text, " /late ") {
			t.Errorf("%s: no mount was propagated: %s", mode, text)
		}
		k.command("delete", "--force", k.id).must()
	}
}
