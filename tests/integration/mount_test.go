// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// volume creates a directory with a file on the host.
func (c *container) volume(name string) string {
	c.t.Helper()
	dir := c.path(name)
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("from the host\n"), 0o666); err != nil {
		c.t.Fatal(err)
	}
	return dir
}

func TestMountTypes(t *testing.T) {
	c := newContainer(t)
	seen := map[string]mountEntry{}
	for _, m := range c.mounts() {
		seen[m.point] = m
	}
	for path, fs := range map[string]string{
		"/proc": "proc", "/dev": "tmpfs", "/dev/pts": "devpts", "/dev/shm": "tmpfs", "/dev/mqueue": "mqueue", "/sys": "sysfs",
	} {
		want(t, "file system at "+path, seen[path].fsType, fs)
	}
	for _, o := range []string{"nosuid", "nodev", "noexec", "ro"} {
		if !slices.Contains(seen["/sys"].options, o) {
			t.Errorf("/sys has no %s: %q", o, seen["/sys"].options)
		}
	}
}

// TestMountOptions checks each option that sets a flag, and its opposite, on a tmpfs.
func TestMountOptions(t *testing.T) {
	cases := []struct {
		options  []string
		has, not string
	}{
		{[]string{"ro"}, "ro", "rw"},
		{[]string{"rw"}, "rw", "ro"},
		{[]string{"ro", "rw"}, "rw", "ro"},
		{[]string{"nosuid"}, "nosuid", ""},
		{[]string{"nosuid", "suid"}, "", "nosuid"},
		{[]string{"nodev"}, "nodev", ""},
		{[]string{"nodev", "dev"}, "", "nodev"},
		{[]string{"noexec"}, "noexec", ""},
		{[]string{"noexec", "exec"}, "", "noexec"},
		{[]string{"sync"}, "sync", ""},
		{[]string{"sync", "async"}, "", "sync"},
		{[]string{"dirsync"}, "dirsync", ""},
		{[]string{"noatime"}, "noatime", "relatime"},
		{[]string{"noatime", "atime"}, "relatime", "noatime"},
		{[]string{"nodiratime"}, "nodiratime", ""},
		{[]string{"nodiratime", "diratime"}, "", "nodiratime"},
		{[]string{"relatime"}, "relatime", ""},
		{[]string{"strictatime"}, "", "relatime"},
		{[]string{"defaults"}, "rw", "noexec"},
		{[]string{"size=1024k"}, "size=1024k", ""},
		{[]string{"mode=700"}, "mode=700", ""},
		{[]string{"nr_inodes=77", "size=64k"}, "nr_inodes=77", ""},
	}
	for _, tc := range cases {
		t.Run(strings.Join(tc.options, ","), func(t *testing.T) {
			c := newContainer(t).mount("/mnt", "tmpfs", "tmpfs", tc.options...)
			got := c.mountOf("/mnt")
			all := append(slices.Clone(got.options), got.super...)
			if tc.has != "" && !slices.Contains(all, tc.has) {
				t.Errorf("options %q have no %s", all, tc.has)
			}
			if tc.not != "" && slices.Contains(got.options, tc.not) {
				t.Errorf("options %q have %s", got.options, tc.not)
			}
		})
	}
}

// TestNewMountOptions checks options that not every runtime knows.
func TestNewMountOptions(t *testing.T) {
	for option, seen := range map[string]string{"nosymfollow": "nosymfollow", "lazytime": "lazytime", "mand": "mand", "iversion": "i_version"} {
		t.Run(option, func(t *testing.T) {
			c := newContainer(t).mount("/mnt", "tmpfs", "tmpfs", option)
			opts := c.mountOptions("/mnt")
			// Some kernels no longer show some of them.
			if option == "nosymfollow" && !slices.Contains(opts, seen) {
				t.Errorf("options %q have no %s", opts, seen)
			}
		})
	}
}

func TestBind(t *testing.T) {
	cases := []struct {
		name, typ string
		options   []string
	}{
		{"type bind", "bind", []string{"bind"}},
		{"type none", "none", []string{"bind"}},
		{"type none, rbind", "none", []string{"rbind"}},
		{"no type", "", []string{"rbind"}},
		{"another type", "ext4", []string{"bind"}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainer(t).sh("cat /data/file; echo new >/data/new; test -d /data/sub && echo dir")
			dir := c.volume("vol")
			c.mount("/data", tc.typ, dir, tc.options...)
			want(t, "output", c.output(), "from the host\ndir")
			if _, err := os.Stat(filepath.Join(dir, "new")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBindFile(t *testing.T) {
	c := newContainer(t).sh("cat /new/dir/name; echo added >>/new/dir/name")
	file := filepath.Join(c.volume("vol"), "file")
	c.mount("/new/dir/name", "bind", file, "bind")
	want(t, "output", c.output(), "from the host")
	data, err := os.ReadFile(file)
	if err != nil || !strings.HasSuffix(string(data), "added\n") {
		t.Errorf("file %q, %v", data, err)
	}
}

func TestBindRelativeSource(t *testing.T) {
	c := newContainer(t).args("cat", "/data/file")
	c.volume("vol")
	c.mount("/data", "bind", "vol", "bind")
	want(t, "output", c.output(), "from the host")
}

func TestBindReadonly(t *testing.T) {
	c := newContainer(t).sh("cat /data/file; touch /data/x 2>/dev/null || echo read-only")
	dir := c.volume("vol")
	c.mount("/data", "bind", dir, "bind", "ro")
	want(t, "output", c.output(), "from the host\nread-only")
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o644); err != nil {
		t.Errorf("the host's directory: %v", err)
	}
}

// TestBindFlags: a bind mount gets the flags that are asked for instead of those of the source,
// whose own mount does not change.
func TestBindFlags(t *testing.T) {
	c := newContainer(t)
	dir := c.tmpfsVolume("vol", unix.MS_NOSUID|unix.MS_NODEV)
	c.mount("/data", "bind", dir, "bind", "noexec")
	opts := c.mountOf("/data").options
	for o, has := range map[string]bool{"noexec": true, "nosuid": false, "nodev": false} {
		if slices.Contains(opts, o) != has && suite.users.name == "root" {
			t.Errorf("options %q: %s is %v", opts, o, !has)
		}
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil || st.Flags&unix.ST_NOEXEC != 0 {
		t.Errorf("flags of the host's mount %#x, %v", st.Flags, err)
	}
}

// tmpfsVolume creates a directory with a mount of its own on the host.
func (c *container) tmpfsVolume(name string, flags uintptr) string {
	c.t.Helper()
	dir := c.path(name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		c.t.Fatal(err)
	}
	c.tmpfsAt(dir, flags)
	return dir
}

// tmpfsAt mounts a tmpfs on the host until the test ends.
func (c *container) tmpfsAt(dir string, flags uintptr) {
	c.t.Helper()
	if err := unix.Mount(filepath.Base(dir), dir, "tmpfs", flags, ""); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			c.t.Errorf("unmount %s: %v", dir, err)
		}
	})
}

// nestedVolume creates a volume with another mount in it.
func (c *container) nestedVolume() string {
	c.t.Helper()
	dir := c.tmpfsVolume("vol", 0)
	inner := filepath.Join(dir, "inner")
	if err := os.Mkdir(inner, 0o755); err != nil {
		c.t.Fatal(err)
	}
	c.tmpfsAt(inner, 0)
	if err := os.WriteFile(filepath.Join(inner, "file"), []byte("deep\n"), 0o644); err != nil {
		c.t.Fatal(err)
	}
	return dir
}

func TestBindIsNotRecursive(t *testing.T) {
	for option, sees := range map[string]string{"bind": "nothing", "rbind": "deep"} {
		t.Run(option, func(t *testing.T) {
			c := newContainer(t).sh("cat /data/inner/file 2>/dev/null || echo nothing")
			c.mount("/data", "bind", c.nestedVolume(), option)
			want(t, "the inner mount", c.output(), sees)
		})
	}
}

// TestRecursiveAttributes: "ro" applies to the topmost mount only, and "rro" to all mounts.
func TestRecursiveAttributes(t *testing.T) {
	cases := []struct {
		options    []string
		inner, not string
	}{
		{[]string{"rbind", "ro"}, "rw", "ro"},
		{[]string{"rbind", "rro"}, "ro", "rw"},
		{[]string{"rbind", "rnosuid"}, "nosuid", ""},
		{[]string{"rbind", "rnodev"}, "nodev", ""},
		{[]string{"rbind", "rnoexec"}, "noexec", ""},
		{[]string{"rbind", "rnoatime"}, "noatime", "relatime"},
		{[]string{"rbind", "rnodiratime"}, "nodiratime", ""},
		{[]string{"rbind", "rstrictatime"}, "rw", "relatime"},
		{[]string{"rbind", "rnosymfollow"}, "nosymfollow", ""},
	}
	for _, tc := range cases {
		t.Run(strings.Join(tc.options, ","), func(t *testing.T) {
			c := newContainer(t)
			c.mount("/data", "bind", c.nestedVolume(), tc.options...)
			opts := c.mountOf("/data/inner").options
			if tc.inner != "" && !slices.Contains(opts, tc.inner) {
				t.Errorf("options %q have no %s", opts, tc.inner)
			}
			if tc.not != "" && slices.Contains(opts, tc.not) {
				t.Errorf("options %q have %s", opts, tc.not)
			}
		})
	}
}

func TestMountPropagation(t *testing.T) {
	for option, w := range map[string]string{
		"private": "private", "rprivate": "private", "shared": "shared", "rshared": "shared", "unbindable": "unbindable", "runbindable": "unbindable",
	} {
		t.Run(option, func(t *testing.T) {
			c := newContainer(t)
			c.mount("/data", "bind", c.nestedVolume(), "rbind", option)
			var outer, inner string
			for _, m := range c.mounts() {
				switch m.point {
				case "/data":
					outer = propagation(m.optional)
				case "/data/inner":
					inner = propagation(m.optional)
				}
			}
			want(t, "propagation", outer, w)
			if option[0] == 'r' {
				want(t, "propagation of the inner mount", inner, w)
			}
		})
	}
}

func TestMountOrder(t *testing.T) {
	c := newContainer(t).sh("cat /a/b/file; ls /a")
	c.mount("/a", "tmpfs", "tmpfs").mount("/a/b", "bind", c.volume("vol"), "bind")
	want(t, "output", c.output(), "from the host\nb")
}

// TestMountHides: a later mount hides an earlier one at the same path.
func TestMountHides(t *testing.T) {
	c := newContainer(t).sh("ls /a")
	c.mount("/a", "bind", c.volume("vol"), "bind").mount("/a", "tmpfs", "tmpfs")
	want(t, "output", c.output(), "")
}

func TestTmpfsMode(t *testing.T) {
	c := newContainer(t)
	if err := os.Mkdir(c.rootfs("sticky"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(c.rootfs("sticky"), 0o1777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	c.mount("/sticky", "tmpfs", "tmpfs").mount("/fresh", "tmpfs", "tmpfs", "mode=0700")
	c.args("stat", "-c", "%a", "/sticky", "/fresh")
	want(t, "modes", c.output(), "1777\n700")
}

func TestTmpCopyUp(t *testing.T) {
	c := newContainer(t).sh("cat /data/file /data/dir/deep; readlink /data/link; stat -c '%a %u' /data/file; echo x >/data/new; stat -f -c %T /data")
	if err := os.MkdirAll(c.rootfs("data/dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"data/file", "data/dir/deep"} {
		if err := os.WriteFile(c.rootfs(f), []byte(f+"\n"), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(c.rootfs("data/file"), 1234, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", c.rootfs("data/link")); err != nil {
		t.Fatal(err)
	}
	c.mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
	want(t, "output", c.output(), "data/file\ndata/dir/deep\nfile\n640 1234\ntmpfs")
	if _, err := os.Stat(c.rootfs("data/new")); err == nil {
		t.Error("the root file system was written")
	}
	c.mount("/x", "bind", c.volume("vol"), "bind", "tmpcopyup")
	if suite.name == "berth" {
		c.run().fails("mounts[7]", "")
	}
}

// TestReadonlyTmpfs: mounts below a read-only tmpfs can still be made.
func TestReadonlyTmpfs(t *testing.T) {
	c := newContainer(t).sh("cat /data/below/file; touch /data/x 2>/dev/null || echo read-only")
	c.mount("/data", "tmpfs", "tmpfs", "ro").mount("/data/below", "bind", c.volume("vol"), "bind")
	want(t, "output", c.output(), "from the host\nread-only")
}

func TestSecondProc(t *testing.T) {
	c := newContainer(t).sh("cat /other/proc/self/status | grep -c ^Pid").mount("/other/proc", "proc", "proc")
	want(t, "output", c.output(), "1")
}

// TestProcSubmounts: mounts on the files in /proc that lxcfs replaces.
func TestProcSubmounts(t *testing.T) {
	c := newContainer(t).args("cat", "/proc/uptime")
	c.mount("/proc/uptime", "bind", filepath.Join(c.volume("vol"), "file"), "bind")
	want(t, "uptime", c.output(), "from the host")
}

// TestSymlinkInDestination: a symbolic link of the image leads to a path in the image.
func TestSymlinkInDestination(t *testing.T) {
	cases := []struct{ name, link, seen string }{
		{"absolute", "/real", "/real/file"},
		{"relative", "real", "/real/file"},
		{"out of the root", "../../../../../real", "/real/file"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainer(t).args("cat", tc.seen)
			if err := os.Mkdir(c.rootfs("real"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(tc.link, c.rootfs("link")); err != nil {
				t.Fatal(err)
			}
			c.mount("/link", "bind", c.volume("vol"), "bind")
			want(t, "output", c.output(), "from the host")
		})
	}
}

// outside creates a directory on the host. checkEmpty checks that nothing was created in it.
func (c *container) outside() (path string, checkEmpty func()) {
	path = c.path("outside")
	if err := os.Mkdir(path, 0o755); err != nil {
		c.t.Fatal(err)
	}
	return path, func() {
		entries, err := os.ReadDir(path)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, e := range entries {
			c.t.Errorf("%s was made on the host", e.Name())
		}
	}
}

// TestSymlinkToHost: no symbolic link of the image makes the runtime create something on the
// host.
func TestSymlinkToHost(t *testing.T) {
	c := newContainer(t).args("/bin/true")
	outside, checkEmpty := c.outside()
	if err := os.Symlink(outside, c.rootfs("link")); err != nil {
		t.Fatal(err)
	}
	c.mount("/link/dir/data", "bind", c.volume("vol"), "bind").mount("/link/file", "bind", filepath.Join(c.path("vol"), "file"), "bind")
	c.spec.Process.Cwd = "/link/cwd"
	c.spec.Linux.Devices = []specs.LinuxDevice{{Path: "/link/device", Type: "c", Major: 1, Minor: 3}}
	c.run()
	checkEmpty()
}

// TestProcIsSymlink: an image whose /proc or /sys is a symbolic link is refused.
func TestProcIsSymlink(t *testing.T) {
	for _, name := range []string{"proc", "sys"} {
		t.Run(name, func(t *testing.T) {
			c := newContainer(t)
			if err := os.Mkdir(c.rootfs("elsewhere"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(c.rootfs(name)); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("elsewhere", c.rootfs(name)); err != nil {
				t.Fatal(err)
			}
			c.write()
			c.checkRefused("", "")
		})
	}
}

// TestDevIsSymlink: if /dev of the image is a symbolic link, the devices are created in the
// image.
func TestDevIsSymlink(t *testing.T) {
	c := newContainer(t).sh("true")
	outside, checkEmpty := c.outside()
	if err := os.RemoveAll(c.rootfs("dev")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, c.rootfs("dev")); err != nil {
		t.Fatal(err)
	}
	c.spec.Mounts = []specs.Mount{{Destination: "/proc", Type: "proc", Source: "proc"}}
	c.run()
	checkEmpty()
}

func TestNoMounts(t *testing.T) {
	c := newContainer(t).sh("echo fine")
	c.spec.Mounts = nil
	c.spec.Linux.MaskedPaths, c.spec.Linux.ReadonlyPaths = nil, nil
	want(t, "output", c.output(), "fine")
}

func TestNoPivot(t *testing.T) {
	c := newContainer(t).sh("cat /file /data/file; ls / | grep -c berth-test; ls -d " + suite.rootfs + " 2>/dev/null; true")
	c.mount("/data", "bind", c.volume("vol"), "bind")
	if err := os.WriteFile(c.rootfs("file"), []byte("in the root\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := c.run("--no-pivot").must()
	want(t, "output", r.out, "in the root\nfrom the host\n0\n")
}
