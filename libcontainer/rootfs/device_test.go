// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"os"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// TestDevices makes nodes of every kind, in new directories too, with the requested mode and
// owner whatever the umask is.
func TestDevices(t *testing.T) {
	inChild(t, func(t *testing.T, dir string) {
		unix.Umask(0o077)
		c := plan(image(t, dir))
		c.Devices = append(c.Devices,
			configs.Device{Path: "/dev/net/tun", Type: 'c', Major: 10, Minor: 200, FileMode: 0o622, UID: 3, GID: 4},
			configs.Device{Path: "/dev/loop9", Type: 'b', Major: 7, Minor: 9, FileMode: 0o660, GID: 6},
			configs.Device{Path: "/dev/fifo", Type: 'p', FileMode: 0o640},
			configs.Device{Path: "/srv/dev/null", Type: 'c', Major: 1, Minor: 3, FileMode: 0o666},
		)
		b := start(t, c)
		build(t, b)
		for name, want := range map[string]unix.Stat_t{
			"/dev/net/tun":  {Mode: unix.S_IFCHR | 0o622, Rdev: unix.Mkdev(10, 200), Uid: 3, Gid: 4},
			"/dev/loop9":    {Mode: unix.S_IFBLK | 0o660, Rdev: unix.Mkdev(7, 9), Gid: 6},
			"/dev/fifo":     {Mode: unix.S_IFIFO | 0o640},
			"/srv/dev/null": {Mode: unix.S_IFCHR | 0o666, Rdev: unix.Mkdev(1, 3)},
			"/dev/net":      {Mode: unix.S_IFDIR | 0o755},
		} {
			var st unix.Stat_t
			if err := unix.Lstat(name, &st); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if st.Mode != want.Mode || st.Rdev != want.Rdev || st.Uid != want.Uid || st.Gid != want.Gid {
				t.Errorf("%s: mode %o, device %x, owner %d:%d", name, st.Mode, st.Rdev, st.Uid, st.Gid)
			}
		}
		checkDev(t)
	})
}

// TestDevicesThatExist: the image has its own /dev.
func TestDevicesThatExist(t *testing.T) {
	for _, test := range []struct {
		name  string
		node  func(name string) error
		fails bool
	}{
		{"the same", func(n string) error { return unix.Mknod(n, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))) }, false},
		{"another number", func(n string) error { return unix.Mknod(n, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))) }, true},
		{"a block device", func(n string) error { return unix.Mknod(n, unix.S_IFBLK|0o600, int(unix.Mkdev(1, 3))) }, true},
		{"a file", func(n string) error { return os.WriteFile(n, nil, 0o600) }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			inChild(t, func(t *testing.T, dir string) {
				c := plan(image(t, dir))
				withoutDev(c, "")
				if err := test.node(c.Rootfs.Path + "/dev/null"); err != nil {
					t.Fatal(err)
				}
				// Left by the engine or an earlier run, with a ptmx like the host's.
				symlink(t, "/proc/self/fd", c.Rootfs.Path+"/dev/fd")
				if err := unix.Mknod(c.Rootfs.Path+"/dev/ptmx", unix.S_IFCHR|0o666, int(unix.Mkdev(5, 2))); err != nil {
					t.Fatal(err)
				}
				err := start(t, c).Mount()
				if !test.fails {
					if err != nil {
						t.Fatal(err)
					}
					if link, err := os.Readlink(c.Rootfs.Path + "/dev/ptmx"); err != nil || link != "pts/ptmx" {
						t.Errorf("ptmx: %q, %v", link, err)
					}
					return
				}
				const want = "device /dev/null: a different file exists there"
				if err == nil || err.Error() != want {
					t.Errorf("error %v, want %s", err, want)
				}
			})
		})
	}
}

// TestUserNamespace builds where mknod(2) is forbidden and the flags of the host's mounts are
// locked.
func TestUserNamespace(t *testing.T) {
	inUserNamespace(t, func(t *testing.T, dir string) {
		c := plan(dir + "/rootfs")
		for i := range c.Mounts {
			if c.Mounts[i].Type == "devpts" {
				c.Mounts[i].Data = []string{"newinstance", "ptmxmode=0666"} // no gid 5 here
			}
		}
		add(c, configs.Mount{Destination: "/m", Type: "bind", Source: dir + "/host", Flags: unix.MS_BIND | unix.MS_NOEXEC})
		b := start(t, c)
		build(t, b)
		for name, minor := range map[string]uint32{"null": 3, "zero": 5} {
			var st unix.Stat_t
			if err := unix.Lstat("/dev/"+name, &st); err != nil || st.Rdev != unix.Mkdev(1, minor) {
				t.Errorf("/dev/%s: %v, %x", name, err, st.Rdev)
			}
			if m := topMount(t, b, "/dev/"+name); m.root != "/"+name || !m.has("nosuid") || !m.has("noexec") {
				t.Errorf("/dev/%s is not the host's: %+v", name, m)
			}
		}
		if m := topMount(t, b, "/m"); m.options != "rw,nosuid,nodev,noexec,noatime" {
			t.Errorf("%+v", m)
		}
		checkSealed(t)
	})
}

// TestLockedFlag: an option that clears a locked flag is an error.
func TestLockedFlag(t *testing.T) {
	for _, setattr := range []bool{true, false} {
		name := "setattr"
		if !setattr {
			name = "remount"
		}
		t.Run(name, func(t *testing.T) {
			inUserNamespace(t, func(t *testing.T, dir string) {
				c := plan(dir + "/rootfs")
				c.Mounts = nil
				c.PopulateDev = false
				add(c, configs.Mount{Destination: "/m", Type: "bind", Source: dir + "/host", Flags: unix.MS_BIND, Cleared: unix.MS_NODEV})
				b := start(t, c)
				b.attacher.Early = setattr
				err := b.Mount()
				wantErr(t, err, unix.EPERM)
				if err != nil && !strings.HasPrefix(err.Error(), "mounts[0]: mount bind on /m: the options clear a flag") {
					t.Errorf("error %q", err)
				}
			})
		})
	}
}

// TestRemountLocked: a remount that names no flag keeps those that may be locked.
func TestRemountLocked(t *testing.T) {
	inUserNamespace(t, func(t *testing.T, dir string) {
		c := plan(dir + "/rootfs")
		c.Mounts = nil
		c.PopulateDev = false
		add(c, configs.Mount{Destination: "/m", Type: "bind", Source: dir + "/host", Flags: unix.MS_BIND})
		add(c, configs.Mount{Destination: "/m", Type: "bind", Flags: unix.MS_BIND | unix.MS_REMOUNT | unix.MS_NOEXEC})
		b := start(t, c)
		if err := b.Mount(); err != nil {
			t.Fatal(err)
		}
		fd, err := b.root.Open("/m", unix.O_PATH, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		var st unix.Statfs_t
		if err := unix.Fstatfs(fd, &st); err != nil || st.Flags&unix.ST_NODEV == 0 || st.Flags&unix.ST_NOEXEC == 0 {
			t.Errorf("flags %#x, %v", st.Flags, err)
		}
	})
}
