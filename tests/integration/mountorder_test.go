// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestMountSourceOrder: if the source of a bind mount is in the root file system, it is what
// earlier mounts have put there, whichever process opens it.
func TestMountSourceOrder(t *testing.T) {
	for _, mode := range []string{"plain", "userns", "idmap"} {
		for _, test := range []struct {
			name   string
			mounts func(c *container)
			script string
			want   string
			// image means that the source is in the image, which is an overlay here. An overlay
			// cannot be id-mapped.
			image bool
		}{
			{"a file of an earlier bind", func(c *container) {
				c.mount("/mnt", "bind", c.volume("vol"), "bind")
				c.bindOf("/made/here", c.rootfs("mnt/file"), mode, "bind")
			}, "cat /made/here", "from the host", false},
			{"a directory behind a link of the host", func(c *container) {
				c.mount("/mnt", "bind", c.volume("vol"), "bind")
				c.link(c.rootfs(), c.path("way"))
				c.bindOf("/made", c.path("way/mnt/sub/.."), mode, "bind")
			}, "cat /made/file", "from the host", false},
			{"an earlier tmpfs, with what is mounted in it", func(c *container) {
				c.mount("/mnt", "tmpfs", "tmpfs")
				c.mount("/mnt/below", "tmpfs", "tmpfs", "size=64k")
				if mode == "idmap" {
					c.bindOf("/made", c.rootfs("mnt"), "plain", "rbind")
					return
				}
				c.bindOf("/made", c.rootfs("mnt"), mode, "rbind")
			}, "echo x >/mnt/below/file; echo y >/mnt/file; cat /made/below/file /made/file", "x\ny", false},
			{"read-only since an earlier bind", func(c *container) {
				c.mkdir(c.rootfs("here"))
				if err := os.Chmod(c.rootfs("here"), 0o777); err != nil {
					c.t.Fatal(err)
				}
				c.mount("/here", "bind", c.rootfs("here"), "bind", "ro")
				c.bindOf("/made", c.rootfs("here"), mode, "bind")
			}, "touch /made/file 2>/dev/null || echo no", "no", true},
			{"what an earlier bind has covered", func(c *container) {
				c.mkdir(c.rootfs("mnt"))
				c.link("/nowhere", c.rootfs("mnt/file"))
				c.mount("/mnt", "bind", c.volume("vol"), "bind")
				c.bindOf("/made", c.rootfs("mnt/file"), mode, "bind")
			}, "cat /made", "from the host", false},
			{"an absolute link is followed as the host does", func(c *container) {
				dir := c.volume("vol")
				c.mkdir(c.path("other"))
				c.content(c.path("other/name"), "of the host's path")
				c.link(c.path("other/name"), dir+"/link")
				c.mount("/mnt", "bind", dir, "bind")
				c.bindOf("/made", c.rootfs("mnt/link"), mode, "bind")
			}, "cat /made", "of the host's path", false},
			{"untouched", func(c *container) {
				c.mkdir(c.rootfs("here"))
				c.content(c.rootfs("here/file"), "of the image")
				c.mount("/mnt", "tmpfs", "tmpfs")
				option := "noatime"
				if suite.users.ordinary() {
					option = "noexec" // access times are locked
				}
				c.bindOf("/made", c.rootfs("here"), mode, "bind", option)
			}, "cat /made/file; grep -Ec ' /made .*(noatime|noexec)' /proc/self/mounts", "of the image\n1", true},
		} {
			if mode == "idmap" && (test.image || suite.users.ordinary()) {
				continue // an ordinary user cannot id-map
			}
			t.Run(mode+"/"+test.name, func(t *testing.T) {
				only(t, mode == "plain" || suite.name == "berth", "berth")
				c := newContainer(t)
				if mode == "userns" {
					c.userns()
				}
				test.mounts(c)
				want(t, "output", c.sh(test.script).output(), test.want)
			})
		}
	}
}

// bindOf adds a bind mount, with id maps if the mode has them.
func (c *container) bindOf(dest, source, mode string, options ...string) {
	c.mount(dest, "bind", source, options...)
	if mode == "idmap" {
		m := &c.spec.Mounts[len(c.spec.Mounts)-1]
		rows := []specs.LinuxIDMapping{mapRow(0, 0, 1000)}
		m.UIDMappings, m.GIDMappings = rows, rows
	}
}

func (c *container) mkdir(path string) {
	c.t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		c.t.Fatal(err)
	}
}

func (c *container) content(path, text string) {
	c.t.Helper()
	if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

func (c *container) link(target, path string) {
	c.t.Helper()
	if err := os.Symlink(target, path); err != nil {
		c.t.Fatal(err)
	}
}

// TestMountSourceMissing: if a source does not exist when it is needed, the error names it.
func TestMountSourceMissing(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).userns()
	c.mount("/mnt", "tmpfs", "tmpfs")
	c.mount("/made", "bind", c.rootfs("mnt/missing"), "bind")
	c.write()
	r := c.command("run", c.id)
	if text := r.out + r.stderr; r.status == 0 || !strings.Contains(text, "rootfs/mnt/missing: no such file or directory") {
		t.Errorf("status %d: %s", r.status, text)
	}
}

// TestRootfsPropagationLive: what the host mounts and unmounts below the root file system while
// the container runs is propagated to the container.
func TestRootfsPropagationLive(t *testing.T) {
	for mode, seen := range map[string]bool{"rslave": true, "rshared": true, "slave": true, "shared": true, "rprivate": false, "private": false, "": false} {
		for _, userns := range []bool{false, true} {
			name := mode
			if userns {
				name += ", with a user namespace"
			}
			t.Run(name, func(t *testing.T) {
				onlyBerth(t) // runc 1.3 and crun 1.28 do not propagate it
				c := newContainer(t)
				if userns {
					c.userns()
				}
				c.shareRootfs()
				c.mkdir(c.rootfs("late"))
				c.spec.Linux.RootfsPropagation = mode
				go1, done := c.fifo("go"), c.fifo("done")
				c.sh(`look() { grep -q ' /late ' /proc/self/mountinfo && echo seen >/done || echo unseen >/done; }
					read x </go; look; read x </go; look`)
				c.create().start()
				for _, m := range mountPoints(t) {
					if strings.HasPrefix(m, c.rootfs("dev")) || strings.HasPrefix(m, c.rootfs("proc")) {
						t.Errorf("a mount of the container is on the host: %s", m)
					}
				}
				if err := unix.Mount("late", c.rootfs("late"), "tmpfs", 0, ""); err != nil {
					t.Fatal(err)
				}
				go1.send("")
				first := done.line()
				if err := unix.Unmount(c.rootfs("late"), unix.MNT_DETACH); err != nil {
					t.Fatal(err)
				}
				go1.send("")
				want(t, "the host's mount in the container", first, map[bool]string{true: "seen", false: "unseen"}[seen])
				want(t, "what is left of it", done.line(), "unseen")
				c.wait()
			})
		}
	}
}

// shareRootfs makes the root file system a shared mount on the host.
func (c *container) shareRootfs() {
	c.t.Helper()
	dir := c.rootfs()
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			c.t.Error(err)
		}
	})
	if err := unix.Mount("", dir, "", unix.MS_SHARED, ""); err != nil {
		c.t.Fatal(err)
	}
}
