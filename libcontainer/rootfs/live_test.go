// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/osthread"
	"golang.org/x/sys/unix"
)

// lived is an existing container. The test's thread is in its mount namespace.
type lived struct {
	t *testing.T
	b *Builder
	// ns is the namespace.
	ns int
	// old forces what kernels without mount_setattr(2) need.
	old bool
}

// live builds a container and enters it.
func live(t *testing.T, dir string) *lived {
	t.Helper()
	c := plan(image(t, dir))
	c.Rootfs.Readonly = false
	l := &lived{t: t, b: start(t, c)}
	build(t, l.b)
	var err error
	if l.ns, err = l.b.proc.OpenThread("ns/mnt"); err != nil {
		t.Fatal(err)
	}
	return l
}

// change adds or removes mounts, on a thread that sees the files of the host.
func (l *lived) change(do func(*Live) error, mounts ...configs.Mount) error {
	l.t.Helper()
	c := &configs.Config{Mounts: mounts, Namespaces: configs.Namespaces{{Type: configs.NewMount, Path: "x"}, {Type: configs.NewCgroup, Path: "x"}}}
	number(c)
	o := &LiveOptions{Options: *options(l.t, c), Root: "/"}
	o.Enter = func() error { return setMountNamespace(l.ns) }
	done := make(chan error)
	osthread.Go(func() {
		err := unix.Unshare(unix.CLONE_NEWNS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, "")
		}
		if err != nil {
			done <- err
			return
		}
		live, err := NewLive(o)
		if err != nil {
			done <- err
			return
		}
		if l.old {
			live.b.attacher.Early = false
		}
		before, err := live.b.proc.ReadThread("mountinfo")
		if err == nil {
			err = do(live)
		}
		after, rerr := live.b.proc.ReadThread("mountinfo")
		if rerr != nil || string(before) != string(after) {
			err = errors.Join(err, fmt.Errorf("mounts on the host: %w, %s", rerr, after))
		}
		done <- errors.Join(err, live.Close())
	})
	return <-done
}

// table returns the container's mounts in a short form.
func (l *lived) table() string {
	var all []string
	for _, m := range mountTable(l.t, l.b) {
		all = append(all, m.point+" "+m.root+" "+m.fstype+" "+m.options)
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// withoutInherited removes options that bind mounts inherit from the file system of temporary
// files, unless they are wanted.
func withoutInherited(st *unix.Statfs_t, options, wanted string) string {
	inherited := map[string]int64{"nosuid": unix.ST_NOSUID, "nodev": unix.ST_NODEV, "noexec": unix.ST_NOEXEC}
	kept := slices.DeleteFunc(strings.Split(options, ","), func(o string) bool {
		return st.Flags&inherited[o] != 0 && !slices.Contains(strings.Split(wanted, ","), o)
	})
	return strings.Join(kept, ",")
}

func TestLive(t *testing.T) {
	for _, old := range []bool{false, true} {
		t.Run(fmt.Sprintf("old kernel %v", old), func(t *testing.T) {
			inChild(t, func(t *testing.T, dir string) {
				host := filepath.Join(dir, "host")
				var tmp unix.Statfs_t
				if err := unix.Statfs(dir, &tmp); err != nil {
					t.Fatal(err)
				}
				l := live(t, dir)
				l.old = old
				before := l.table()
				mounts := []configs.Mount{
					{Destination: "/dir", Type: "bind", Source: host, Flags: unix.MS_BIND | unix.MS_REC | unix.MS_RDONLY | unix.MS_NOSUID},
					{Destination: "/file", Type: "bind", Source: host + "/secret", Flags: unix.MS_BIND | unix.MS_NOEXEC},
					{Destination: "/tmpfs", Type: "tmpfs", Source: "tmpfs", Flags: unix.MS_RDONLY | unix.MS_NODEV, Data: []string{"mode=711"}},
					{Destination: "/tmpfs/below", Type: "tmpfs", Source: "tmpfs", Propagation: []uintptr{unix.MS_SHARED}},
					{Destination: "/old", Type: "tmpfs", Source: "tmpfs", Flags: unix.MS_I_VERSION | unix.MS_NOEXEC},
					{Destination: "/proc2", Type: "proc", Source: "proc", Flags: unix.MS_RDONLY},
				}
				if err := l.change((*Live).Add, mounts...); err != nil {
					t.Fatal(err)
				}
				for point, wanted := range map[string]string{
					"/dir": "ro,nosuid", "/file": "rw,noexec", "/tmpfs": "ro,nodev", "/tmpfs/below": "rw", "/old": "rw,noexec", "/proc2": "ro",
				} {
					m := topMount(t, l.b, point)
					if got := withoutInherited(&tmp, strings.TrimSuffix(m.options, ",relatime"), wanted); got != wanted {
						t.Errorf("%s: options %s, want %s", point, got, wanted)
					}
					if shared := strings.Contains(m.tags, "shared:"); shared != (point == "/tmpfs/below") {
						t.Errorf("%s: %q", point, m.tags)
					}
				}
				if data, err := os.ReadFile("/dir/secret"); err != nil || len(data) == 0 {
					t.Errorf("the host's file: %q, %v", data, err)
				}
				if err := l.change((*Live).Remove, mounts...); err != nil {
					t.Fatal(err)
				}
				if after := l.table(); after != before {
					t.Errorf("mounts afterwards\n%s\nwant\n%s", after, before)
				}
			})
		})
	}
}

// TestLiveUndone: whichever mount fails, those before it are removed. If a removal fails, all
// mounts are still there.
func TestLiveUndone(t *testing.T) {
	inChild(t, func(t *testing.T, dir string) {
		l := live(t, dir)
		tmpfs := func(at string) configs.Mount { return configs.Mount{Destination: at, Type: "tmpfs", Source: "tmpfs"} }
		before := l.table()
		for _, bad := range []configs.Mount{
			tmpfs("/etc/passwd"),
			tmpfs("/proc/sys"),
			{Destination: "/x", Type: "nofs"},
			{Destination: "/x", Type: "bind", Source: "/no/such", Flags: unix.MS_BIND},
			{Destination: "/x", Type: "tmpfs", Flags: unix.MS_REMOUNT},
			{Destination: "/x", Type: "proc", Data: []string{"nonsense"}},
		} {
			err := l.change((*Live).Add, tmpfs("/a"), tmpfs("/a/b"), tmpfs("/a"), bad)
			if err == nil || !strings.HasPrefix(err.Error(), "mounts[3]") {
				t.Errorf("%+v: error %v", bad, err)
			}
			if after := l.table(); after != before {
				t.Errorf("mounts afterwards\n%s\nwant\n%s", after, before)
			}
		}
		if err := l.change((*Live).Add, tmpfs("/a"), tmpfs("/a/b"), tmpfs("/a/c"), tmpfs("/a/c")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("/a/b/file", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		before = l.table()
		for _, bad := range []string{"/etc", "/no/such", "/proc/sys", "/up"} {
			symlink(t, "/", "/up")
			err := l.change((*Live).Remove, tmpfs(bad), tmpfs("/a"), tmpfs("/a/b"), tmpfs("/a/c"), tmpfs("/a/c"))
			if err == nil || !strings.HasPrefix(err.Error(), "mounts[0].destination: "+bad+": ") {
				t.Errorf("%s: error %v", bad, err)
			}
			if after := l.table(); after != before {
				t.Errorf("mounts after %s\n%s\nwant\n%s", bad, after, before)
			}
		}
		if _, err := os.Stat("/a/b/file"); err != nil {
			t.Error(err)
		}
		// An unbindable mount cannot be copied.
		unbindable := configs.Mount{Destination: "/u", Type: "tmpfs", Source: "tmpfs", Propagation: []uintptr{unix.MS_UNBINDABLE}}
		if err := l.change((*Live).Add, unbindable); err != nil {
			t.Fatal(err)
		}
		if err := l.change((*Live).Remove, tmpfs("/etc"), unbindable); err == nil || !strings.Contains(err.Error(), "put mounts[1] back on /u") {
			t.Errorf("error %v", err)
		}
	})
}

// TestLiveAttack: the container replaces the directory of the destination by symbolic links and
// by its own mounts while it is used, and unmounts what it gets.
func TestLiveAttack(t *testing.T) {
	inChild(t, func(t *testing.T, dir string) {
		host := filepath.Join(dir, "host")
		if err := os.Mkdir(host, 0o755); err != nil {
			t.Fatal(err)
		}
		hostDir, err := os.Open(host)
		if err != nil {
			t.Fatal(err)
		}
		defer hostDir.Close()
		l := live(t, dir)
		if err := errors.Join(os.MkdirAll("/swap", 0o755), os.MkdirAll(host, 0o755)); err != nil {
			t.Fatal(err)
		}
		symlink(t, host, "/link")
		before := snapshot(t, hostDir)
		added, removed := 0, 0
		for i := range 60 {
			at := "/swap/" + strconv.Itoa(i)
			done := make(chan error)
			go func() { done <- l.change((*Live).Add, configs.Mount{Destination: at, Type: "tmpfs", Source: "tmpfs"}) }()
			err := l.attack(done)
			if err == nil {
				added++
			}
			go func() { done <- l.change((*Live).Remove, configs.Mount{Destination: at}) }()
			if l.attack(done) == nil {
				removed++
			}
		}
		if after := snapshot(t, hostDir); before != after {
			t.Errorf("the host's files changed from\n%s\nto\n%s", before, after)
		}
		if added == 0 || removed == 0 {
			t.Errorf("%d added, %d removed: the test proves nothing", added, removed)
		}
	})
}

// attack runs in the container until the change is done.
func (l *lived) attack(done <-chan error) error {
	for {
		select {
		case err := <-done:
			return err
		default:
		}
		for range 16 {
			// Any of these may fail, because both sides change things.
			_ = unix.Renameat2(unix.AT_FDCWD, "/swap", unix.AT_FDCWD, "/link", unix.RENAME_EXCHANGE)
		}
		_ = unix.Mount("tmpfs", "/swap", "tmpfs", 0, "")
		_ = unix.Unmount("/swap", unix.MNT_DETACH)
	}
}

func TestMountedOn(t *testing.T) {
	const table = `20 1 8:1 / / rw - ext4 /dev/sda rw
30 20 0:5 / /proc rw shared:3 - proc proc rw
31 30 0:6 /null /proc/kcore rw - tmpfs tmpfs rw
32 20 0:7 / /a\040b rw master:1 propagate_from:2 - sysfs sysfs ro
33 32 0:8 / /a\040b/fs/cgroup rw - tmpfs tmpfs rw
34 30 0:9 / /proc rw - proc proc rw
40 39 0:1
`
	for _, test := range []struct {
		id           uint64
		fstype, name string
	}{
		{20, "", ""},
		{30, "ext4", "proc"},
		{31, "proc", "kcore"},
		{32, "ext4", "a b"},
		{33, "sysfs", "fs/cgroup"},
		{34, "proc", ""},
		{35, "", ""},
		{40, "", ""},
	} {
		fstype, name := mountedOn(table, test.id)
		if fstype != test.fstype || name != test.name {
			t.Errorf("%d: %q, %q, want %q, %q", test.id, fstype, name, test.fstype, test.name)
		}
	}
}
