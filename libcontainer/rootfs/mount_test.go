// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// TestMountOptions makes mounts with one set of options each, and checks the mount table.
func TestMountOptions(t *testing.T) {
	// The source of the bind mounts is host/, a nosuid,nodev,noatime tmpfs with a tmpfs "sub"
	// in it.
	const rec = unix.MS_REC
	for _, test := range []struct {
		name string
		m    configs.Mount
		// options, tags and super are what /m has. sub holds the options of /m/sub ("" if it
		// must not exist).
		options, tags, super, sub string
		// newer is set if Linux 5.12 is needed.
		newer bool
	}{
		{
			name:    "tmpfs",
			m:       configs.Mount{Type: "tmpfs", Source: "x", Flags: unix.MS_NODEV | unix.MS_NOATIME, Data: []string{"size=64k"}},
			options: "rw,nodev,noatime", super: "size=64k",
		},
		{
			name: "tmpfs ro", m: configs.Mount{Type: "tmpfs", Flags: unix.MS_RDONLY},
			options: "ro,relatime", super: "rw",
		},
		{
			name: "superblock flags", m: configs.Mount{Type: "tmpfs", Flags: unix.MS_SYNCHRONOUS | unix.MS_DIRSYNC | unix.MS_SILENT},
			options: "rw,relatime", super: "sync,dirsync",
		},
		{
			name: "iversion", m: configs.Mount{Type: "tmpfs", Flags: unix.MS_I_VERSION | unix.MS_NOEXEC, Propagation: []uintptr{unix.MS_SHARED}},
			options: "rw,noexec,relatime", tags: "shared",
		},
		{
			name: "bind inherits", m: configs.Mount{Type: "bind", Flags: unix.MS_BIND},
			options: "rw,nosuid,nodev,noatime",
		},
		{
			name: "rbind", m: configs.Mount{Type: "bind", Flags: unix.MS_BIND | rec},
			options: "rw,nosuid,nodev,noatime", sub: "rw,relatime",
		},
		{
			name: "bind ro", m: configs.Mount{Type: "bind", Flags: unix.MS_BIND | rec | unix.MS_RDONLY},
			options: "ro,noatime", sub: "rw,relatime",
		},
		{
			name: "bind cleared", m: configs.Mount{Type: "bind", Flags: unix.MS_BIND | unix.MS_NOEXEC, Cleared: unix.MS_NOSUID | unix.MS_NOATIME},
			options: "rw,noexec,noatime",
		},
		{
			name: "bind strictatime", m: configs.Mount{Type: "bind", Flags: unix.MS_BIND | unix.MS_STRICTATIME},
			options: "rw",
		},
		{
			name: "bind recursive attributes",
			m: configs.Mount{
				Type: "bind", Flags: unix.MS_BIND | rec,
				RecAttrSet: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOATIME, RecAttrClear: unix.MOUNT_ATTR_NODEV,
			},
			options: "ro,nosuid,noatime", sub: "ro,noatime", newer: true,
		},
		{
			name: "propagation in order", m: configs.Mount{Type: "bind", Flags: unix.MS_BIND, Propagation: []uintptr{unix.MS_PRIVATE | rec, unix.MS_SHARED}},
			options: "rw,nosuid,nodev,noatime", tags: "shared",
		},
		{
			name: "unbindable", m: configs.Mount{Type: "tmpfs", Propagation: []uintptr{unix.MS_UNBINDABLE}},
			options: "rw,relatime", tags: "unbindable",
		},
	} {
		for _, setattr := range []bool{true, false} {
			name := test.name
			if !setattr {
				name += " by remount"
				if test.newer {
					continue
				}
			}
			t.Run(name, func(t *testing.T) {
				inChild(t, func(t *testing.T, dir string) {
					c := plan(image(t, dir))
					test.m.Destination = "/m"
					if test.m.IsBind() {
						test.m.Source = volume(t, dir)
					}
					add(c, test.m)
					b := start(t, c)
					b.attacher.Early = setattr
					build(t, b)
					m := topMount(t, b, "/m")
					tags, _, _ := strings.Cut(m.tags, ":")
					if m.options != test.options || tags != test.tags || !strings.Contains(m.super, test.super) {
						t.Errorf("%+v, want options %s, propagation %q, %s", m, test.options, test.tags, test.super)
					}
					sub := ""
					for _, m := range mountTable(t, b) {
						if m.point == "/m/sub" {
							sub = m.options
						}
					}
					if sub != test.sub {
						t.Errorf("submount: %q, want %q", sub, test.sub)
					}
				})
			})
		}
	}
}

// volume mounts a file system of "the host" with another one in it.
func volume(t *testing.T, dir string) string {
	t.Helper()
	v := filepath.Join(dir, "host")
	for _, m := range []struct {
		path  string
		flags uintptr
	}{{v, unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOATIME}, {v + "/sub", 0}} {
		if err := os.MkdirAll(m.path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("volume", m.path, "tmpfs", m.flags, ""); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("", m.path, "", unix.MS_PRIVATE, ""); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, v+"/file", "data")
	return v
}

// TestMountErrors: the error names the mount, the call, and the kernel's message.
func TestMountErrors(t *testing.T) {
	for _, test := range []struct {
		name string
		m    configs.Mount
		want string
	}{
		{
			"bad option",
			configs.Mount{Type: "tmpfs", Data: []string{"size=lots"}},
			"mounts[6]: mount tmpfs on /m: fsconfig size=lots: invalid argument (tmpfs: Bad value for 'size')",
		},
		{
			"unknown option",
			configs.Mount{Type: "tmpfs", Data: []string{"fooo"}},
			"mounts[6]: mount tmpfs on /m: fsconfig fooo: invalid argument (tmpfs: Unknown parameter 'fooo')",
		},
		{
			"unknown type",
			configs.Mount{Type: "nosuchfs"},
			"mounts[6]: mount nosuchfs on /m: fsopen nosuchfs: no such device",
		},
		{
			"no source",
			configs.Mount{Type: "bind", Source: "/no/such/file", Flags: unix.MS_BIND},
			"mounts[6]: mount bind on /m: open_tree /no/such/file: no such file or directory",
		},
		{
			"file on directory",
			configs.Mount{Type: "bind", Source: "/dev/null", Flags: unix.MS_BIND, Destination: "/tmp"},
			"mounts[6]: mount bind on /tmp: the source is not a directory, the target is one",
		},
		{
			"directory on file",
			configs.Mount{Type: "bind", Source: "/tmp", Flags: unix.MS_BIND, Destination: "/etc/passwd"},
			"mounts[6]: mount bind on /etc/passwd: not a directory, but the source is one",
		},
		{
			"idmap",
			configs.Mount{Type: "bind", Source: "/tmp", Flags: unix.MS_BIND, IDMap: "idmap"},
			"mounts[6]: mount bind on /m: the caller must open id-mapped mounts",
		},
		{
			"no context",
			configs.Mount{Type: "proc", Field: "drop"},
			"mounts[6]: mount proc on /m: no procfs context of the container is left",
		},
		{
			"remount of nothing",
			configs.Mount{Type: "tmpfs", Destination: "/work", Flags: unix.MS_REMOUNT},
			"mounts[6]: mount tmpfs on /work: fspick: invalid argument",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			inChild(t, func(t *testing.T, dir string) {
				c := plan(image(t, dir))
				if test.m.Destination == "" {
					test.m.Destination = "/m"
				}
				drop := test.m.Field == "drop"
				add(c, test.m)
				b := start(t, c)
				if drop {
					b.procContexts[1].Close()
					b.procContexts = b.procContexts[:1]
				}
				if err := b.Mount(); err == nil || !strings.HasPrefix(err.Error(), test.want) {
					t.Errorf("error\n%v, want\n%s", err, test.want)
				}
			})
		})
	}
}

// TestBindReplacesFlags: if the options name any flags, those that they do not name are
// cleared, except for access times. A remount does the same.
func TestBindReplacesFlags(t *testing.T) {
	inChild(t, func(t *testing.T, dir string) {
		c := plan(image(t, dir))
		add(c, configs.Mount{Destination: "/m", Type: "bind", Source: volume(t, dir), Flags: unix.MS_BIND | unix.MS_RDONLY})
		add(c, configs.Mount{Destination: "/m", Type: "bind", Flags: unix.MS_BIND | unix.MS_REMOUNT | unix.MS_NOEXEC, Cleared: unix.MS_RDONLY})
		b := start(t, c)
		build(t, b)
		if m := topMount(t, b, "/m"); m.options != "rw,noexec,noatime" {
			t.Errorf("%+v", m)
		}
	})
}

// TestRemountFilesystem changes a file system's own option.
func TestRemountFilesystem(t *testing.T) {
	inChild(t, func(t *testing.T, dir string) {
		c := plan(image(t, dir))
		add(c, configs.Mount{Destination: "/dev/shm", Type: "tmpfs", Flags: unix.MS_REMOUNT | unix.MS_NOEXEC, Data: []string{"size=128k"}})
		b := start(t, c)
		build(t, b)
		if m := topMount(t, b, "/dev/shm"); m.options != "rw,noexec,relatime" || !strings.Contains(m.super, "size=128k") {
			t.Errorf("%+v", m)
		}
	})
}

// TestLongOption: fsconfig(2) accepts 255 bytes.
func TestLongOption(t *testing.T) {
	inChild(t, func(t *testing.T, dir string) {
		c := plan(image(t, dir))
		work := filepath.Join(dir, strings.Repeat("a", 120), strings.Repeat("b", 130))
		for _, d := range []string{"lower", "upper", "work"} {
			if err := os.MkdirAll(filepath.Join(work, d), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		// The upper directory of an overlay cannot be on every file system.
		if err := unix.Mount("t", work, "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		writeFile(t, work+"/lower/file", "below")
		for _, d := range []string{"upper", "work"} {
			if err := os.Mkdir(filepath.Join(work, d), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		add(c, configs.Mount{
			Destination: "/m", Type: "overlay", Source: "overlay", Flags: unix.MS_NODEV,
			Data: []string{"lowerdir=" + work + "/lower", "upperdir=" + work + "/upper", "workdir=" + work + "/work"},
		})
		b := start(t, c)
		err := b.Mount()
		if errors.Is(err, unix.ENODEV) {
			t.Skip("requires overlay")
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Enter(); err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile("/m/file"); err != nil || string(data) != "below" {
			t.Errorf("%q, %v", data, err)
		}
		if m := topMount(t, b, "/m"); m.fstype != "overlay" || !m.has("nodev") {
			t.Errorf("%+v", m)
		}
	})
}

// TestTmpfs: a tmpfs gets the mode and owner of the directory that it hides, and a read-only
// tmpfs can contain mounts.
func TestTmpfs(t *testing.T) {
	inChild(t, func(t *testing.T, dir string) {
		root := image(t, dir)
		writeFile(t, root+"/data/file", "content")
		if err := errors.Join(unix.Chmod(root+"/data", unix.S_ISGID|0o751), os.Mkdir(root+"/empty", 0o700), os.Chown(root+"/empty", 5, 6)); err != nil {
			t.Fatal(err)
		}
		c := plan(root)
		add(c, configs.Mount{Destination: "/tmp", Type: "tmpfs"})
		add(c, configs.Mount{Destination: "/run", Type: "tmpfs", Flags: unix.MS_RDONLY, Data: []string{"mode=700"}})
		add(c, configs.Mount{Destination: "/run/in/side", Type: "tmpfs"})
		add(c, configs.Mount{Destination: "/data", Type: "tmpfs", CopyUp: true})
		add(c, configs.Mount{Destination: "/empty", Type: "tmpfs", CopyUp: true})
		add(c, configs.Mount{Destination: "/fresh", Type: "tmpfs", CopyUp: true})
		o := options(t, c)
		var copied []string
		o.CopyUp = func(from, to *os.File, owner bool) error {
			names, err := from.Readdirnames(-1)
			copied = append(copied, fmt.Sprintln(names, owner))
			return errors.Join(err, unix.Mkdirat(int(to.Fd()), "copy", 0o700))
		}
		b := startWith(t, o)
		build(t, b)
		for name, want := range map[string]os.FileMode{
			"/tmp":   os.ModeDir | os.ModeSticky | 0o777,
			"/run":   os.ModeDir | 0o700,
			"/data":  os.ModeDir | os.ModeSetgid | 0o751,
			"/empty": os.ModeDir | 0o700,
			"/fresh": os.ModeDir | os.ModeSticky | 0o777,
		} {
			if st, err := os.Stat(name); err != nil || st.Mode() != want {
				t.Errorf("%s: %v, %v, want %v", name, st.Mode(), err, want)
			}
		}
		wantErr(t, os.WriteFile("/run/x", nil, 0o600), unix.EROFS)
		if err := os.WriteFile("/run/in/side/x", nil, 0o600); err != nil {
			t.Error(err)
		}
		// Nothing has to be copied from an empty directory.
		if want := []string{"[file] true\n"}; !slices.Equal(copied, want) {
			t.Errorf("copied %q, want %q", copied, want)
		}
		if _, err := os.Stat("/data/copy"); err != nil {
			t.Error(err)
		}
		var st unix.Stat_t
		if err := unix.Stat("/empty", &st); err != nil || st.Uid != 5 || st.Gid != 6 {
			t.Errorf("/empty: owner %d:%d, %v", st.Uid, st.Gid, err)
		}
	})
}

// TestProc: a real procfs may be bind-mounted on /proc, a second one may be mounted elsewhere,
// and the files of lxcfs may be mounted in it.
func TestProc(t *testing.T) {
	inChild(t, func(t *testing.T, dir string) {
		root := image(t, dir)
		c := plan(root)
		c.Mounts[0] = configs.Mount{Destination: "/proc", Type: "bind", Source: "/proc", Flags: unix.MS_BIND | unix.MS_NOSUID}
		add(c, configs.Mount{Destination: "/other/proc", Type: "proc", Source: "p", Data: []string{"hidepid=2"}})
		add(c, configs.Mount{Destination: "/proc/uptime", Type: "bind", Source: dir + "/host/secret", Flags: unix.MS_BIND})
		b := start(t, c)
		build(t, b)
		if m := topMount(t, b, "/proc"); m.fstype != "proc" || !m.has("nosuid") {
			t.Errorf("%+v", m)
		}
		if m := topMount(t, b, "/other/proc"); m.fstype != "proc" || m.source != "p" || !strings.Contains(m.super, "hidepid=") {
			t.Errorf("%+v", m)
		}
		if data, err := os.ReadFile("/proc/uptime"); err != nil || string(data) != "host" {
			t.Errorf("%q, %v", data, err)
		}
		checkNames(t, b)
	})
}
