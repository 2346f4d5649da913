// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestRootWritable(t *testing.T) {
	c := newContainer(t).sh("echo written >/file && cat /file")
	want(t, "file", c.output(), "written")
	data, err := os.ReadFile(c.rootfs("file"))
	if err != nil || string(data) != "written\n" {
		t.Errorf("file on the host: %q, %v", data, err)
	}
}

func TestRootReadonly(t *testing.T) {
	c := newContainer(t).sh("touch /file 2>/dev/null || echo refused; touch /dev/shm/x /mnt-rw/x && echo mounts are writable")
	c.spec.Root.Readonly = true
	c.mount("/mnt-rw", "tmpfs", "tmpfs")
	want(t, "output", c.output(), "refused\nmounts are writable")
	if _, err := os.Stat(c.rootfs("file")); err == nil {
		t.Error("the file is there")
	}
}

// TestRootAbsolute and the next test use other forms of root.path.
func TestRootAbsolute(t *testing.T) {
	c := newContainer(t).sh("echo fine")
	c.spec.Root.Path = c.rootfs()
	want(t, "output", c.output(), "fine")
}

func TestRootElsewhere(t *testing.T) {
	c := newContainer(t).sh("echo fine")
	c.spec.Root.Path = "./../" + filepath.Base(c.dir) + "/rootfs/"
	want(t, "output", c.output(), "fine")
}

// TestRootLink: root.path is a symbolic link that stays inside the bundle.
func TestRootLink(t *testing.T) {
	only(t, suite.name != "runc", "runc") // refuses all links
	c := newContainer(t).sh("echo fine")
	c.link("rootfs", c.path("link"))
	for _, root := range []string{"link", c.path("link")} {
		c.spec.Root.Path = root
		want(t, "output", c.output(), "fine")
	}
	c.link(suite.work, c.path("out"))
	c.spec.Root.Path = "out/" + filepath.Base(c.dir) + "/rootfs"
	want(t, "output of a link out and back in", c.output(), "fine")
	if suite.name != "berth" {
		return
	}
	c.spec.Root.Path = "out"
	c.write()
	c.checkRefused("root.path: invalid rootfs: a symbolic link in it must not lead out of the bundle: ", "")
}

// TestMaskedTwice: a path that is listed twice, even by different names, is masked once.
func TestMaskedTwice(t *testing.T) {
	onlyBerth(t) // runc and crun mount twice
	c := newContainer(t)
	c.mkdir(c.rootfs("dir"))
	c.content(c.rootfs("file"), "text")
	c.link("dir", c.rootfs("dirlink"))
	c.link("file", c.rootfs("filelink"))
	c.spec.Linux.MaskedPaths = []string{"/dir", "/file", "/dir", "/file/", "/dirlink", "/filelink"}
	c.spec.Linux.ReadonlyPaths = []string{"/proc/sys", "/proc/sys/", "/proc/sys"}
	n := map[string]int{}
	for _, m := range c.mounts() {
		n[m.point]++
	}
	want(t, "mounts", fmt.Sprint(n["/dir"], n["/file"], n["/proc/sys"]), "1 1 1")
}

// TestReadonlyRootPath: a mount on the root would not be visible to processes whose root is the
// mount below it.
func TestReadonlyRootPath(t *testing.T) {
	c := newContainer(t).mount("/data", "tmpfs", "tmpfs")
	c.spec.Linux.ReadonlyPaths = []string{"/"}
	c.sh("touch /file 2>/dev/null || echo no; touch /data/file && echo yes")
	want(t, "output", c.output(), "no\nyes")
}

// TestMaskedRoot: a mask on the root would have no effect.
func TestMaskedRoot(t *testing.T) {
	onlyBerth(t) // runc mounts it where it is not visible
	c := newContainer(t).args("true")
	c.spec.Linux.MaskedPaths = []string{"/"}
	c.run().fails("linux.maskedPaths[0]: /: the root file system itself cannot be masked", "")
}

// TestRemountDevReadonly: devices and mount points in /dev are created before the remount.
func TestRemountDevReadonly(t *testing.T) {
	for _, userns := range []bool{false, true} {
		c := newContainer(t)
		if userns {
			c.userns()
		}
		c.mount("/dev", "tmpfs", "tmpfs", "remount", "ro", "nosuid").mount("/dev/more/below", "tmpfs", "tmpfs")
		c.sh("echo x >/dev/null && echo written; touch /dev/file 2>/dev/null || echo no; touch /dev/more/below/file && echo yes; readlink /dev/fd")
		want(t, "output", c.output(), "written\nno\nyes\n/proc/self/fd")
		m := c.mountOf("/dev")
		want(t, "flags", fmt.Sprint(slices.Contains(m.options, "ro"), slices.Contains(m.options, "nosuid")), "true true")
	}
}

// TestHostIsHidden: the host's root and its mounts are not visible.
func TestHostIsHidden(t *testing.T) {
	c := newContainer(t).sh("cat /proc/self/mountinfo; ls -d " + suite.rootfs + " " + suite.work + " 2>/dev/null; true")
	out := c.output()
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) > 4 && strings.HasPrefix(f[4], suite.work) || strings.HasPrefix(line, "/") {
			t.Errorf("seen from inside: %q", line)
		}
	}
}

// stat returns a line for each path: its type, device number, mode and owner.
func (c *container) stat(paths ...string) []string {
	c.t.Helper()
	c.args(append([]string{"stat", "-c", "%F %t:%T %a %u:%g"}, paths...)...)
	return strings.Split(c.output(), "\n")
}

func TestDefaultDevices(t *testing.T) {
	devices := []struct{ path, stat string }{
		{"/dev/null", "1:3"}, {"/dev/zero", "1:5"}, {"/dev/full", "1:7"}, {"/dev/random", "1:8"}, {"/dev/urandom", "1:9"}, {"/dev/tty", "5:0"},
	}
	var paths []string
	for _, d := range devices {
		paths = append(paths, d.path)
	}
	for i, line := range newContainer(t).stat(paths...) {
		want(t, devices[i].path, line, "character special file "+devices[i].stat+" 666 0:0")
	}
}

func TestDevicesWork(t *testing.T) {
	c := newContainer(t).sh(`echo x >/dev/null && head -c 4 /dev/zero | od -An -tx1 && head -c 3 /dev/urandom | wc -c
		echo x 2>/dev/null >/dev/full || echo full; head -c 2 /dev/random | wc -c`)
	c.spec.Process.User = specs.User{UID: 1000, GID: 1000}
	want(t, "output", squeeze(c.output()), "00 00 00 00 3 full 2")
}

func TestListedDevices(t *testing.T) {
	c := newContainer(t)
	mode, uid, gid := os.FileMode(0o640), uint32(12), uint32(34)
	c.spec.Linux.Devices = []specs.LinuxDevice{
		{Path: "/dev/mine", Type: "c", Major: 10, Minor: 229, FileMode: &mode, UID: &uid, GID: &gid},
		{Path: "/dev/sub/dir/disk", Type: "b", Major: 8, Minor: 0x11},
		{Path: "/dev/unbuffered", Type: "u", Major: 10, Minor: 200},
		{Path: "/dev/queue", Type: "p", FileMode: &mode},
		{Path: "/dev/full", Type: "c", Major: 1, Minor: 5, FileMode: &mode},
	}
	got := c.stat("/dev/mine", "/dev/sub/dir/disk", "/dev/unbuffered", "/dev/queue", "/dev/full")
	for i, w := range []string{
		"character special file a:e5 640 12:34", "block special file 8:11 666 0:0", "character special file a:c8 666 0:0",
		"fifo 0:0 640 0:0", "character special file 1:5 640 0:0",
	} {
		want(t, "device", got[i], w)
	}
}

func TestDeviceOutsideDev(t *testing.T) {
	c := newContainer(t)
	c.spec.Linux.Devices = []specs.LinuxDevice{{Path: "/opt/zero", Type: "c", Major: 1, Minor: 5}}
	want(t, "device", c.stat("/opt/zero")[0], "character special file 1:5 666 0:0")
}

func TestDeviceLinks(t *testing.T) {
	c := newContainer(t).sh("for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done; readlink /dev/core")
	w := []string{"/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "pts/ptmx"}
	if _, err := os.Stat("/proc/kcore"); err == nil {
		w = append(w, "/proc/kcore")
	}
	got := strings.Split(c.run().out, "\n")
	got = slices.DeleteFunc(got, func(s string) bool { return s == "" })
	if len(got) > len(w) {
		got = got[:len(w)] // crun creates /dev/core, which leads nowhere
	}
	for i := range got {
		got[i] = strings.TrimPrefix(got[i], "/dev/")
	}
	if !slices.Equal(got, w) {
		t.Errorf("links %q, want %q", got, w)
	}
}

func TestNoConsoleWithoutTerminal(t *testing.T) {
	c := newContainer(t).sh("ls /dev/console 2>/dev/null || echo none")
	want(t, "/dev/console", c.output(), "none")
}

func TestDevPts(t *testing.T) {
	c := newContainer(t).sh("stat -c '%a' /dev/pts/ptmx; ls /dev/pts; test -c /dev/ptmx && echo char")
	want(t, "devpts", c.output(), "666\nptmx\nchar")
}

// TestDevIsBind: the runtime does not change what is in a bind mount on /dev.
func TestDevIsBind(t *testing.T) {
	c := newContainer(t).sh("ls /dev")
	if err := os.Mkdir(c.path("dev"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.path("dev/mine"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	// Runtimes use /dev/null themselves.
	if err := unix.Mknod(c.path("dev/null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		t.Fatal(err)
	}
	c.spec.Mounts = []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc"},
		{Destination: "/dev", Type: "bind", Source: c.path("dev"), Options: []string{"bind"}},
	}
	want(t, "/dev", c.output(), "mine\nnull")
}

func TestMaskedPaths(t *testing.T) {
	c := newContainer(t).sh(`cat /secret/file /secret.txt 2>&1; ls /secret | wc -l; touch /secret/new 2>/dev/null || echo read-only
		echo x >/secret.txt; cat /secret.txt | wc -c; cat /proc/timer_list | wc -c; stat -c %F /secret.txt`)
	if err := os.Mkdir(c.rootfs("secret"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"secret/file", "secret.txt"} {
		if err := os.WriteFile(c.rootfs(f), []byte("hidden\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	c.spec.Linux.MaskedPaths = append(c.spec.Linux.MaskedPaths, "/secret", "/secret.txt", "/no/such/path", "/proc/nothing")
	out := c.output()
	if strings.Contains(out, "hidden") {
		t.Errorf("masked content in %q", out)
	}
	lines := strings.Split(out, "\n")
	if w := []string{"0", "read-only", "0", "0", "character special file"}; !slices.Equal(lines[len(lines)-5:], w) {
		t.Errorf("printed %q, want the end %q", lines, w)
	}
}

func TestReadonlyPaths(t *testing.T) {
	c := newContainer(t).sh(`touch /ro/new 2>/dev/null || echo dir; echo x 2>/dev/null >/ro.txt || echo file
		echo 1 2>/dev/null >/proc/sys/kernel/shm_rmid_forced || echo sys; cat /ro/file; touch /ro/sub/x 2>/dev/null || echo below`)
	if err := os.MkdirAll(c.rootfs("ro/sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"ro/file", "ro.txt"} {
		if err := os.WriteFile(c.rootfs(f), []byte("content\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	c.spec.Linux.ReadonlyPaths = append(c.spec.Linux.ReadonlyPaths, "/ro", "/ro.txt", "/no/such/path")
	want(t, "output", c.output(), "dir\nfile\nsys\ncontent\nbelow")
}

// TestReadonlyPathKeepsFlags: the flags of the mount below are kept.
func TestReadonlyPathKeepsFlags(t *testing.T) {
	c := newContainer(t).mount("/data", "tmpfs", "tmpfs", "nosuid", "nodev", "noexec")
	c.spec.Linux.ReadonlyPaths = []string{"/data"}
	opts := c.mountOptions("/data")
	for _, o := range []string{"ro", "nosuid", "nodev", "noexec"} {
		if !slices.Contains(opts, o) {
			t.Errorf("options %q have no %s", opts, o)
		}
	}
}

func TestSysctl(t *testing.T) {
	c := newContainer(t).sh("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/conf/lo/forwarding /proc/sys/kernel/msgmax")
	c.spec.Linux.Sysctl = map[string]string{
		"net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1", "kernel.msgmax": "4096",
	}
	lines := strings.Split(c.output(), "\n")
	want(t, "sysctls", strings.Join(lines, " "), "1 1 1 4096")
}

func TestSysctlSlashes(t *testing.T) {
	c := newContainer(t).args("cat", "/proc/sys/net/ipv4/ip_default_ttl")
	c.spec.Linux.Sysctl = map[string]string{"net/ipv4/ip_default_ttl": "33"}
	want(t, "ttl", c.output(), "33")
}

// propagation returns the propagation of a mount: "shared", "master" (a slave), "private" or
// "unbindable".
func propagation(optional string) string {
	switch {
	case strings.Contains(optional, "shared:") && strings.Contains(optional, "master:"):
		return "shared,slave"
	case strings.Contains(optional, "shared:"):
		return "shared"
	case strings.Contains(optional, "master:"):
		return "slave"
	case strings.Contains(optional, "unbindable"):
		return "unbindable"
	}
	return "private"
}

func TestRootfsPropagation(t *testing.T) {
	for mode, w := range map[string]string{"shared": "shared", "private": "private", "unbindable": "unbindable", "": "private", "slave": "private"} {
		t.Run(fmt.Sprintf("%q", mode), func(t *testing.T) {
			c := newContainer(t)
			c.spec.Linux.RootfsPropagation = mode
			want(t, "propagation of /", propagation(c.mountOf("/").optional), w)
		})
	}
}

// TestSlavePropagation: with a slave root, a mount of the host is propagated to a bind mount that
// is a slave, and no mount is propagated to the host.
func TestSlavePropagation(t *testing.T) {
	for _, mode := range []string{"rslave", "rshared", "rprivate"} {
		t.Run(mode, func(t *testing.T) {
			c := newContainer(t)
			go1, done := c.fifo("go"), c.fifo("done")
			source := c.path("vol")
			for _, d := range []string{source, source + "/from-host", source + "/from-inside"} {
				if err := os.Mkdir(d, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := unix.Mount("vol", source, "tmpfs", 0, ""); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = unix.Unmount(source+"/from-inside", unix.MNT_DETACH)
				_ = unix.Unmount(source+"/from-host", unix.MNT_DETACH)
				if err := unix.Unmount(source, 0); err != nil {
					t.Error(err)
				}
			})
			if err := unix.Mount("", source, "", unix.MS_SHARED, ""); err != nil {
				t.Fatal(err)
			}
			for _, d := range []string{source + "/from-host", source + "/from-inside"} {
				if err := os.Mkdir(d, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			c.mount("/vol", "bind", source, "rbind", mode)
			c.spec.Linux.RootfsPropagation = "shared"
			if mode == "rslave" {
				c.spec.Linux.RootfsPropagation = "slave"
			}
			c.spec.Process.Capabilities.Bounding = append(c.spec.Process.Capabilities.Bounding, "CAP_SYS_ADMIN")
			c.spec.Process.Capabilities.Permitted = append(c.spec.Process.Capabilities.Permitted, "CAP_SYS_ADMIN")
			c.spec.Process.Capabilities.Effective = append(c.spec.Process.Capabilities.Effective, "CAP_SYS_ADMIN")
			c.sh(`mount -t tmpfs in /vol/from-inside; echo mounted >/done; read x </go; grep -q ' /vol/from-host ' /proc/self/mountinfo && echo seen >/done || echo unseen >/done; read x </go`)
			c.create().start()
			want(t, "first line", done.line(), "mounted")
			out := slices.Contains(mountPoints(t), source+"/from-inside")
			if out != (mode == "rshared") {
				t.Errorf("the container's mount is on the host: %v", out)
			}
			if err := unix.Mount("host", source+"/from-host", "tmpfs", 0, ""); err != nil {
				t.Fatal(err)
			}
			go1.send("")
			in := map[bool]string{true: "seen", false: "unseen"}[mode != "rprivate"]
			want(t, "the host's mount in the container", done.line(), in)
			go1.send("")
			c.wait()
		})
	}
}
