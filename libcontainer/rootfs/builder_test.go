// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/rootfs/host"
	"golang.org/x/sys/unix"
)

// TestDefault builds a container as engines ask for one, and inspects it from inside: once with
// everything that the kernel has, and once with the calls of Linux 5.10.
func TestDefault(t *testing.T) {
	for _, variant := range []struct {
		name    string
		setattr bool
		noPivot bool
	}{
		{"setattr", true, false},
		{"remount", false, false},
		{"no pivot", true, true},
	} {
		t.Run(variant.name, func(t *testing.T) {
			inChild(t, func(t *testing.T, dir string) {
				c := plan(image(t, dir))
				c.NoPivotRoot = variant.noPivot
				b := start(t, c)
				if !b.attacher.Early {
					t.Skip("requires Linux 5.12")
				}
				b.attacher.Early = variant.setattr
				host, err := os.Open("/")
				if err != nil {
					t.Fatal(err)
				}
				defer host.Close()
				build(t, b)
				if variant.noPivot {
					checkNothingFull(t, host)
				}
				checkMounts(t, b)
				checkDev(t)
				checkSealed(t)
				checkNames(t, b)
				checkHidden(t, dir)
				if n := len(mountTable(t, b)); !variant.noPivot && n > 40 {
					t.Errorf("%d mounts are left: the host's among them?", n)
				}
			})
		})
	}
}

// checkHidden looks for a directory of the host.
func checkHidden(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{dir, "/.." + dir, "/../../" + dir, "." + dir, ".." + dir} {
		if _, err := os.Stat(name); !os.IsNotExist(err) {
			t.Errorf("%s of the host can be seen: %v", name, err)
		}
	}
}

// checkNothingFull checks that a process that gets out of its chroot finds no procfs and no
// sysfs there.
func checkNothingFull(t *testing.T, host *os.File) {
	t.Helper()
	for _, name := range []string{"proc", "sys"} {
		fd, err := unix.Openat(int(host.Fd()), name, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Error(err)
			continue
		}
		var st unix.Statfs_t
		if err := unix.Fstatfs(fd, &st); err != nil || st.Type == unix.PROC_SUPER_MAGIC || st.Type == unix.SYSFS_MAGIC {
			t.Errorf("the host's /%s is still there: %x, %v", name, st.Type, err)
		}
		unix.Close(fd)
	}
}

func checkMounts(t *testing.T, b *Builder) {
	t.Helper()
	for _, want := range []struct{ point, fstype, options string }{
		{"/", "", "ro"},
		{"/proc", "proc", "rw,relatime"},
		{"/dev", "tmpfs", "rw,nosuid"}, // no atime mode: strictatime
		{"/dev/pts", "devpts", "rw,nosuid,noexec,relatime"},
		{"/dev/shm", "tmpfs", "rw,nosuid,nodev,noexec,relatime"},
		{"/dev/mqueue", "mqueue", "rw,nosuid,nodev,noexec,relatime"},
		{"/sys", "sysfs", "ro,nosuid,nodev,noexec,relatime"},
		{"/proc/sys", "proc", "ro,relatime"},
		{"/proc/sysrq-trigger", "proc", "ro,relatime"},
		{"/proc/kcore", "tmpfs", "rw,nosuid"},
		{"/sys/firmware", "tmpfs", "ro,nosuid,nodev,noexec,relatime"},
	} {
		if _, err := os.Lstat(want.point); err != nil {
			continue // this kernel has no such file
		}
		m := topMount(t, b, want.point)
		if want.fstype != "" && m.fstype != want.fstype {
			t.Errorf("%s: type %s, want %s", want.point, m.fstype, want.fstype)
		}
		if want.point == "/" && m.has("ro") {
			continue
		}
		if m.options != want.options {
			t.Errorf("%s: options %s, want %s", want.point, m.options, want.options)
		}
		if m.tags != "" {
			t.Errorf("%s: propagation %s", want.point, m.tags)
		}
	}
	if m := topMount(t, b, "/sys"); !strings.HasPrefix(m.super, "rw") {
		t.Errorf("/sys: the superblock is read-only: %+v", m)
	}
	if m := topMount(t, b, "/dev/shm"); !strings.Contains(m.super, "size=65536k") {
		t.Errorf("/dev/shm: %s", m.super)
	}
}

func checkDev(t *testing.T) {
	t.Helper()
	for name, minor := range map[string]uint32{"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9} {
		var st unix.Stat_t
		if err := unix.Lstat("/dev/"+name, &st); err != nil {
			t.Error(err)
			continue
		}
		if st.Mode != unix.S_IFCHR|0o666 || st.Rdev != unix.Mkdev(1, minor) || st.Uid != 0 || st.Gid != 0 {
			t.Errorf("/dev/%s: mode %o, device %x, owner %d:%d", name, st.Mode, st.Rdev, st.Uid, st.Gid)
		}
	}
	for name, want := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
		"stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx",
	} {
		if got, err := os.Readlink("/dev/" + name); err != nil || got != want {
			t.Errorf("/dev/%s: %q, %v, want %q", name, got, err, want)
		}
	}
}

// checkSealed tries what the masks and read-only paths are to prevent.
func checkSealed(t *testing.T) {
	t.Helper()
	wantErr(t, os.WriteFile("/new", nil, 0o600), unix.EROFS)
	wantErr(t, os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0), unix.EROFS)
	if _, err := os.Lstat("/proc/sysrq-trigger"); err == nil {
		wantErr(t, os.WriteFile("/proc/sysrq-trigger", []byte("h"), 0), unix.EROFS)
	}
	for _, name := range []string{"/proc/keys", "/proc/timer_list", "/proc/kcore"} {
		data, err := os.ReadFile(name)
		if err == nil && len(data) > 0 {
			t.Errorf("%s shows %d bytes", name, len(data))
		}
	}
	entries, err := os.ReadDir("/sys/firmware")
	if err == nil && len(entries) > 0 {
		t.Errorf("/sys/firmware has %v", entries)
	}
	if err == nil {
		wantErr(t, os.Mkdir("/sys/firmware/x", 0o700), unix.EROFS)
	}
}

func checkNames(t *testing.T, b *Builder) {
	t.Helper()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil || unix.ByteSliceToString(u.Nodename[:]) != "berth-test" {
		t.Errorf("host name %q, %v", unix.ByteSliceToString(u.Nodename[:]), err)
	}
	data, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil || string(data) != "7\n" {
		t.Errorf("sysctl: %q, %v", data, err)
	}
	if st, err := os.Stat("/work/deep/down"); err != nil || st.Mode() != os.ModeDir|0o755 {
		t.Errorf("cwd: %v, %v", st, err)
	}
	for uid, want := range map[uint32]string{0: "/root", 1000: "/home/bob", 7: "/"} {
		if home, err := b.Home(uid); err != nil || home != want {
			t.Errorf("home of %d: %q, %v, want %q", uid, home, err, want)
		}
	}
	if wd, err := unix.Getwd(); err != nil || wd != "/" {
		t.Errorf("the working directory is %q, %v", wd, err)
	}
}

// TestNoMountNamespace: the mounts are made in the host's namespace, and removed again.
func TestNoMountNamespace(t *testing.T) {
	inChild(t, func(t *testing.T, dir string) {
		root := image(t, dir)
		// Two peers of one host: what is mounted in one shows up in the other.
		outside := sharedHost(t, dir)
		c := plan(root)
		c.Namespaces = c.Namespaces[1:]
		c.MaskedPaths, c.ReadonlyPaths = nil, nil
		b := start(t, c)
		before := len(mountTable(t, b))
		if err := b.Mount(); err != nil {
			t.Fatal(err)
		}
		if b.mountID == 0 {
			t.Fatal("no mount id")
		}
		if m := topMount(t, b, c.Rootfs.Path+"/proc"); m.fstype != "proc" || m.tags != "" {
			t.Errorf("%+v", m)
		}
		if m := topMount(t, b, c.Rootfs.Path); m.tags != "" {
			t.Errorf("the rootfs is not private: %+v", m)
		}
		if err := host.Detach(c.Rootfs.Path, b.mountID+1); err != nil {
			t.Error(err)
		}
		if n := len(mountTable(t, b)); n <= before {
			t.Error("Detach has removed a mount that is not ours")
		}
		for range 2 {
			if err := host.Detach(c.Rootfs.Path, b.mountID); err != nil {
				t.Error(err)
			}
		}
		if n := len(mountTable(t, b)); n != before {
			t.Errorf("%d mounts, want %d as before", n, before)
		}
		outside()
	})
}

// TestNoMountNamespaceFails: a Mount that fails leaves nothing on the host.
func TestNoMountNamespaceFails(t *testing.T) {
	inChild(t, func(t *testing.T, dir string) {
		c := plan(image(t, dir))
		c.Namespaces = c.Namespaces[1:]
		add(c, configs.Mount{Destination: "/x", Type: "nosuchfs"})
		b := start(t, c)
		before := mountTable(t, b)
		wantErr(t, b.Mount(), unix.ENODEV)
		if after := mountTable(t, b); len(after) != len(before) || b.mountID != 0 {
			t.Errorf("%d mounts, want %d as before", len(after), len(before))
		}
	})
}

// TestNoMountNamespaceEnter: init gets a directory to chroot into.
func TestNoMountNamespaceEnter(t *testing.T) {
	inChild(t, func(t *testing.T, dir string) {
		c := plan(image(t, dir))
		c.Namespaces = c.Namespaces[1:]
		c.MaskedPaths, c.ReadonlyPaths = nil, nil
		b := start(t, c)
		build(t, b)
		checkDev(t)
		checkNames(t, b)
	})
}

func TestRootfsMissing(t *testing.T) {
	inChild(t, func(t *testing.T, dir string) {
		_, err := New(options(t, plan(dir+"/none")))
		wantErr(t, err, unix.ENOENT)
		if err != nil && !strings.HasPrefix(err.Error(), "root.path: ") {
			t.Errorf("error %q does not name the field", err)
		}
	})
}

// TestBusybox runs programs in the result. It requires a static busybox.
func TestBusybox(t *testing.T) {
	const busybox = "/bin/busybox"
	if _, err := os.Stat(busybox); err != nil {
		t.Skip("requires " + busybox)
	}
	inChild(t, func(t *testing.T, dir string) {
		root := image(t, dir)
		data, err := os.ReadFile(busybox)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(root+busybox, data, 0o755); err != nil {
			t.Fatal(err)
		}
		b := start(t, plan(root))
		build(t, b)
		const script = `set -e
			PATH=/bin; busybox --install -s /dev/shm; PATH=/dev/shm
			echo gone >/dev/null; head -c 4 /dev/zero | wc -c
			test -t 0 && exit 1
			echo hi | cat /dev/stdin
			hostname
			(echo x >/file) 2>/dev/null || echo ro
			echo $(ls /sys/firmware | wc -l) $(cat /proc/keys | wc -c)
			ls -d /proc/self/task/* | wc -l`
		// If the links were programs, noexec would prevent their use.
		cmd := exec.Command(busybox, "sh", "-c", script)
		cmd.Stdin = strings.NewReader("")
		out, err := cmd.CombinedOutput()
		if want := "4\nhi\nberth-test\nro\n0 0\n1\n"; err != nil || string(out) != want {
			t.Errorf("%v: %q, want %q", err, out, want)
		}
	})
}
