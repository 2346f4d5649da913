// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// mountOnRoot adds a mount on "/" to the container, as the last mount or as the first one.
func (c *container) mountOnRoot(last bool, typ, source string, options ...string) *container {
	c.mount("/", typ, source, options...)
	if !last {
		n := len(c.spec.Mounts) - 1
		c.spec.Mounts = append([]specs.Mount{c.spec.Mounts[n]}, c.spec.Mounts[:n]...)
	}
	return c
}

// TestMountOntoRoot: a mount on "/" becomes the root file system, also for later mounts, and
// nothing of the root.path directory remains visible. runc refuses it.
func TestMountOntoRoot(t *testing.T) {
	onlyBerth(t) // crun ignores root.readonly for it
	const script = "cat /marker; echo x >/file && echo written || echo read-only; ls /proc/self/exe /dev/null /old 2>/dev/null; cat /proc/self/mountinfo"
	for _, tt := range []struct {
		name, typ string
		options   []string
		readonly  bool // root.readonly
		want      string
		flags     string
	}{
		{"bind", "bind", []string{"bind"}, false, "marker written", "rw"},
		{"rbind, private", "bind", []string{"rbind", "rprivate"}, false, "marker written", "rw"},
		{"ro", "bind", []string{"bind", "ro", "nosuid"}, false, "marker read-only", "ro,nosuid"},
		{"rro", "bind", []string{"rbind", "rro"}, false, "marker read-only", "ro"},
		{"root.readonly", "bind", []string{"bind"}, true, "marker read-only", "ro"},
		{"tmpfs", "tmpfs", []string{"tmpcopyup"}, false, "old written", "rw"},
		{"tmpfs, ro", "tmpfs", []string{"tmpcopyup", "ro", "nodev"}, false, "old read-only", "ro,nodev"},
		{"overlay", "overlay", []string{"lowerdir="}, false, "marker read-only", "rw"},
	} {
		for _, userns := range []bool{false, true} {
			if userns && tt.typ == "overlay" {
				continue // overlays cannot be stacked there
			}
			t.Run(fmt.Sprintf("%s/userns=%v", tt.name, userns), func(t *testing.T) {
				only(t, tt.typ != "overlay" || suite.users.name == "root", "the host's root, who can stack overlays")
				// The root of a user namespace cannot copy files that only the host's root may
				// read.
				only(t, !userns || tt.typ != "tmpfs" || suite.kind == "busybox", "a root file system with files that everybody may read")
				c := newContainer(t)
				c.content(c.rootfs("old"), "old")
				c.content(c.rootfs("marker"), "old")
				other := anotherRoot(c)
				options := slices.Clone(tt.options)
				if tt.typ == "overlay" {
					// These are more than fsconfig(2) takes.
					long := c.path(strings.Repeat("x", 200), strings.Repeat("y", 100))
					c.mkdir(long)
					options = []string{options[0] + other + ":" + long}
				}
				if userns {
					c.userns()
				}
				c.spec.Root.Readonly = tt.readonly
				c.mountOnRoot(false, tt.typ, other, options...).sh(script)
				lines := strings.Split(c.output(), "\n")
				c.checkRoot(lines, tt.want, tt.flags)
			})
		}
	}
}

// anotherRoot creates the root file system of a container that does not run. It has a marker
// file, and everybody may write to it.
func anotherRoot(first *container) string {
	t := first.t
	t.Helper()
	other := anotherContainer(t, first)
	other.content(other.rootfs("marker"), "marker")
	if err := os.Chmod(other.rootfs(), 0o777); err != nil {
		t.Fatal(err)
	}
	return other.rootfs()
}

func (c *container) checkRoot(lines []string, wanted, flags string) {
	t := c.t
	t.Helper()
	if got := strings.Join(lines[:2], " "); got != wanted {
		t.Errorf("printed %q, want %q", got, wanted)
	}
	rest := strings.Join(lines[2:], "\n")
	if !strings.Contains(rest, "/proc/self/exe\n") || !strings.Contains(rest, "/dev/null\n") {
		t.Errorf("missing: %q", rest)
	}
	if strings.HasPrefix(wanted, "marker") && strings.Contains(rest, "/old\n") {
		t.Error("the old root is still visible")
	}
	roots := 0
	for _, m := range parseMountinfo(rest) {
		if m.point != "/" {
			continue
		}
		roots++
		for _, flag := range strings.Split(flags, ",") {
			if !slices.Contains(m.options, flag) {
				t.Errorf("root has flags %q, want %s", m.options, flags)
			}
		}
	}
	if roots != 1 {
		t.Errorf("%d root mounts", roots)
	}
}

// TestMountOntoRootLast: a later mount on "/" hides earlier mounts, as everywhere in the list.
func TestMountOntoRootLast(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).sh("cat /marker; ls /proc; ls /hidden; cat /after/file")
	other := anotherRoot(c)
	c.mount("/hidden", "bind", c.volume("vol"), "bind")
	c.mountOnRoot(true, "bind", other, "bind", "dest-nofollow")
	c.mount("/after", "bind", c.volume("vol2"), "bind", "ro")
	// The host's directory stays unchanged, so the devices need a file system.
	c.mount("/dev", "tmpfs", "tmpfs")
	r := c.run()
	want(t, "output", r.out, "marker\nfrom the host\n")
	if !strings.Contains(r.stderr, "/hidden") {
		t.Errorf("stderr %q", r.stderr)
	}
}

// TestRemountRoot: the mount of the root file system gets the flags. The host's file system
// behind it does not change.
func TestRemountRoot(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).sh("touch /file 2>/dev/null || echo no; cat /proc/self/mountinfo")
	c.mountOnRoot(false, "", "", "bind", "remount", "ro", "nosuid").mount("/made/late", "tmpfs", "tmpfs")
	out := c.output()
	if !strings.HasPrefix(out, "no\n") {
		t.Errorf("printed %q", out)
	}
	roots := 0
	for _, m := range parseMountinfo(out) {
		if m.point != "/" {
			continue
		}
		roots++
		if !slices.Contains(m.options, "ro") || !slices.Contains(m.options, "nosuid") || !slices.Contains(m.super, "rw") {
			t.Errorf("root %q, %q", m.options, m.super)
		}
	}
	if roots != 1 {
		t.Errorf("%d root mounts", roots)
	}
	c.content(c.rootfs("still"), "writable")
}

// TestBadMountOntoRoot: file systems that cannot be a root, and options that berth does not
// support.
func TestBadMountOntoRoot(t *testing.T) {
	onlyBerth(t)
	for _, tt := range []struct {
		typ, source, fails string
		options            []string
	}{
		{"bind", "/etc/hostname", "the source is not a directory, the root is one", []string{"bind"}},
		{"bind", "/no/such", "failed to fulfil mount request: open /no/such", []string{"bind"}},
		{"proc", "proc", "mounts[0].type: a mount of type proc is no root file system", nil},
		{"", "", "mounts[0].options: a remount of the root file system itself needs bind", []string{"remount", "ro"}},
		{"bind", "/tmp", "mounts[0].options: shared and unbindable are no propagation for the root file system itself", []string{"bind", "rshared"}},
	} {
		newContainer(t).args("true").mountOnRoot(false, tt.typ, tt.source, tt.options...).run().fails(tt.fails, "")
	}
}

// TestMountOntoRootExec: exec and later mounts see the same root. A checkpoint is refused, and
// the container continues to run.
func TestMountOntoRootExec(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).args("sleep", "1000")
	c.mountOnRoot(false, "bind", anotherRoot(c), "bind").create().start()
	want(t, "marker", c.command("exec", c.id, "cat", "/marker").must().out, "marker\n")
	c.command("checkpoint", "--image-path", c.path("image"), c.id).
		fails("mounts[0].destination: a container whose root file system is a mount on / cannot be checkpointed", "")
	c.status(specs.StateRunning)
}
