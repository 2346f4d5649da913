// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// bindFlags says how the options of a bind mount combine with the flags of its source, as in
// runc. Options that name a flag, set or cleared, replace all flags of the source. An option that
// sets an access time replaces the source's access time, which is kept otherwise. Recursive
// options are applied after that and change only the flags that they name. Flags that a user
// namespace locks (ro, nosuid, nodev, noexec) are kept there, and to clear one by name is an
// error.
var bindFlags = []struct {
	source  uintptr
	options string
	// want are the flags without a user namespace. userns are those with one, where they differ;
	// "error" means that the mount is refused.
	want, userns string
}{
	{0, "", "rw,relatime", ""},
	{0, "ro", "ro,relatime", ""},
	{0, "nosuid,nodev,noexec", "nodev,noexec,nosuid,relatime,rw", ""},
	{0, "ro,rw", "relatime,rw", ""},
	{0, "rw,ro", "relatime,ro", ""},
	{0, "nosuid,suid", "relatime,rw", ""},
	{allLocked, "", "nodev,noexec,nosuid,relatime,ro", ""},
	{allLocked, "private", "nodev,noexec,nosuid,relatime,ro", ""},
	{allLocked, "rnosuid", "nodev,noexec,nosuid,relatime,ro", ""},
	{allLocked, "ro", "relatime,ro", "nodev,noexec,nosuid,relatime,ro"},
	{allLocked, "nosuid", "nosuid,relatime,rw", "nodev,noexec,nosuid,relatime,ro"},
	{allLocked, "nosuid,nodev", "nodev,nosuid,relatime,rw", "nodev,noexec,nosuid,relatime,ro"},
	{allLocked, "private,nosuid", "nosuid,relatime,rw", "nodev,noexec,nosuid,relatime,ro"},
	{allLocked, "rro,nosuid", "nosuid,relatime,ro", "nodev,noexec,nosuid,relatime,ro"},
	{allLocked, "noexec,rnodev", "nodev,noexec,relatime,rw", "nodev,noexec,nosuid,relatime,ro"},
	{allLocked, "rw", "relatime,rw", "error"},
	{allLocked, "suid", "relatime,rw", "error"},
	{allLocked, "dev,nosuid", "nosuid,relatime,rw", "error"},
	{allLocked, "exec", "relatime,rw", "error"},
	{allLocked, "rsuid", "nodev,noexec,relatime,ro", "error"},
	// Options of a file system, which a bind mount cannot have, count as well.
	{allLocked, "sync", "relatime,rw", "nodev,noexec,nosuid,relatime,ro"},
	{allLocked, "async", "relatime,rw", "nodev,noexec,nosuid,relatime,ro"},
	{allLocked, "loud", "relatime,rw", "nodev,noexec,nosuid,relatime,ro"},
	{allLocked, "nolazytime", "relatime,rw", "nodev,noexec,nosuid,relatime,ro"},
	{allLocked, "diratime", "relatime,rw", "nodev,noexec,nosuid,relatime,ro"},
	{allLocked, "nostrictatime", "relatime,rw", "nodev,noexec,nosuid,relatime,ro"},
	{unix.MS_NOSYMFOLLOW, "nosuid", "nosuid,relatime,rw", ""},
	{unix.MS_NOSYMFOLLOW, "", "nosymfollow,relatime,rw", ""},
	{unix.MS_NOSYMFOLLOW, "symfollow", "relatime,rw", ""},
	// Access times.
	{unix.MS_NOATIME, "", "noatime,rw", ""},
	{unix.MS_NOATIME, "ro", "noatime,ro", ""},
	{unix.MS_NOATIME, "norelatime", "noatime,rw", ""},
	{unix.MS_NOATIME, "atime", "noatime,rw", ""},
	{unix.MS_NOATIME | unix.MS_NODIRATIME, "nosuid", "noatime,nodiratime,nosuid,rw", ""},
	{unix.MS_NOATIME | unix.MS_NODIRATIME, "diratime", "noatime,nodiratime,rw", ""},
	{unix.MS_STRICTATIME, "ro", "ro", ""},
	{unix.MS_STRICTATIME, "nostrictatime", "rw", ""},
}

// bindAtimes are more rows of bindFlags, which runc refuses with a user namespace. Berth clones
// the source with the rights of the host, where access times are not locked.
var bindAtimes = []struct {
	source        uintptr
	options, want string
}{
	{0, "noatime", "noatime,rw"},
	{0, "strictatime", "rw"},
	{0, "nodiratime", "nodiratime,relatime,rw"},
	{0, "relatime", "relatime,rw"},
	{unix.MS_NOATIME, "relatime", "relatime,rw"},
	{unix.MS_NOATIME, "nodiratime", "nodiratime,relatime,rw"},
	{unix.MS_NOATIME, "strictatime", "rw"},
	{unix.MS_NOATIME | unix.MS_NODIRATIME, "noatime", "noatime,rw"},
	{unix.MS_NOATIME | unix.MS_NODIRATIME, "relatime", "relatime,rw"},
	{unix.MS_STRICTATIME, "relatime", "relatime,rw"},
	{0, "noatime,atime", "relatime,rw"},
	// The flags are in the kernel's order, not in that of the options.
	{0, "noatime,relatime", "noatime,rw"},
	{0, "relatime,noatime", "noatime,rw"},
	{0, "strictatime,noatime", "rw"},
	{0, "noatime,strictatime", "rw"},
}

const allLocked = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

func TestBindFlagRule(t *testing.T) {
	for _, userns := range []bool{false, true} {
		for _, test := range []struct{ kind, source string }{
			{"bind", "bind"}, {"rbind", "bind"}, {"bind", "tmpfs"}, {"bind", "fuse"},
		} {
			t.Run(fmt.Sprintf("%s/%s/userns=%v", test.kind, test.source, userns), func(t *testing.T) {
				// crun 1.28 handles "rw", "suid", "dev" and "exec" differently.
				only(t, suite.name == "berth" || suite.name == "runc", "runc")
				kind, source := test.kind, test.source
				good := newBindCase(newContainer(t), userns, source)
				// In the other modes there always is a user namespace. For an ordinary user the
				// kernel has locked the access times.
				userns := userns || suite.users.name != "root"
				for i, test := range bindFlags {
					if userns && test.userns != "" {
						test.want = test.userns
					}
					if test.want == "error" {
						bad := newBindCase(anotherContainer(t, good.c), userns, source)
						bad.add(i, test.source, kind, test.options, "")
						if r := bad.c.command("run", bad.c.id); r.status == 0 {
							t.Errorf("%s: not refused: %s", test.options, r.out)
						}
						bad.c.command("delete", "--force", bad.c.id)
						continue
					}
					good.add(i, test.source, kind, test.options, test.want)
				}
				if !userns || suite.name == "berth" && !suite.users.ordinary() {
					for i, test := range bindAtimes {
						good.add(len(bindFlags)+i, test.source, kind, test.options, test.want)
					}
				}
				good.check()
			})
		}
	}
}

// bindCase is a container with many bind mounts and their expected flags.
type bindCase struct {
	c    *container
	want map[string]string
	dir  string // of the sources; its owner is not to be changed
}

// newBindCase returns a container whose sources are on a file system of the given kind: "tmpfs",
// "fuse", or "bind" for the file system of the temporary directory.
func newBindCase(c *container, userns bool, source string) *bindCase {
	t := c.t
	t.Helper()
	if userns {
		c.userns()
	}
	dir, err := os.MkdirTemp("", "berth-sources")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	switch source {
	case "tmpfs":
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unmountSource(t, dir) })
	case "fuse":
		mountFuse(t, dir, true)
	}
	return &bindCase{c.args("cat", "/proc/self/mountinfo"), map[string]string{}, dir}
}

func unmountSource(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
		t.Error(err)
	}
}

// mountFuse mounts an empty FUSE file system until the test ends. others says whether users other
// than root have access to it.
func mountFuse(t *testing.T, dir string, others bool) {
	t.Helper()
	fuse, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	only(t, err == nil, "a machine with FUSE")
	fuse.Close()
	_, err = exec.LookPath("bindfs")
	require(t, err == nil, "bindfs")
	from := t.TempDir()
	if err := os.Chmod(from, 0o755); err != nil {
		t.Fatal(err)
	}
	// bindfs goes into the background, as a child of the tests, once the file system is mounted.
	option := "--no-allow-other"
	if others {
		option = "-oallow_other"
	}
	cmd := exec.Command("bindfs", option, from, dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("bindfs: %v: %s", err, out)
	}
	t.Cleanup(func() { unmountSource(t, dir) })
}

// TestBindFuse: only the user who has mounted a FUSE file system has access, unless it was
// mounted with allow_other. A container with another user gets the bind mount, but no access to
// its files.
func TestBindFuse(t *testing.T) {
	only(t, suite.name == "berth" || suite.name == "runc", "runc") // crun needs access to the source
	for _, tt := range []struct {
		name           string
		others, userns bool
		want           string
	}{
		{"of the same user", false, false, "text"},
		{"for all", true, false, "text"},
		{"of another", false, true, "closed"},
		{"for all, with a user namespace", true, true, "text"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			only(t, suite.users.name == "root", "root, who has mounted the file system")
			b := newBindCase(newContainer(t), tt.userns, "bind")
			mountFuse(t, b.dir, tt.others)
			b.c.content(b.dir+"/file", "text")
			b.c.mount("/dir", "bind", b.dir, "rbind", "ro").mount("/one", "bind", b.dir+"/file", "bind", "nosuid")
			if suite.name == "runc" { // which stats the source to create a mount point
				b.c.mkdir(b.c.rootfs("dir"))
				b.c.content(b.c.rootfs("one"), "")
			}
			b.c.sh("cat /dir/file 2>/dev/null || echo closed; cat /one 2>/dev/null || echo closed")
			want(t, "files", squeeze(b.c.output()), tt.want+" "+tt.want)
		})
	}
}

// add adds a bind mount to the container. The source is a mount with the given flags.
func (b *bindCase) add(i int, flags uintptr, kind, options, want string) {
	t := b.c.t
	t.Helper()
	dir := fmt.Sprintf("%s/%d", b.dir, i)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if flags&(unix.MS_NOATIME|unix.MS_STRICTATIME) == 0 {
		flags |= unix.MS_RELATIME
	}
	if err := unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|flags, ""); err != nil {
		t.Fatal(err)
	}
	dest := fmt.Sprintf("/m/%d", i)
	b.c.mount(dest, "bind", dir, strings.Split(strings.TrimSuffix(kind+","+options, ","), ",")...)
	b.want[dest] = want
	b.c.write()
}

func (b *bindCase) check() {
	t := b.c.t
	t.Helper()
	got := map[string]string{}
	for _, m := range parseMountinfo(b.c.output()) {
		slices.Sort(m.options)
		got[m.point] = strings.Join(m.options, ",")
	}
	for dest, w := range b.want {
		sorted := strings.Split(w, ",")
		slices.Sort(sorted)
		if w = strings.Join(sorted, ","); got[dest] != w {
			for _, m := range b.c.spec.Mounts {
				if m.Destination == dest {
					t.Errorf("%s: flags %q, want %q", m.Options, got[dest], w)
				}
			}
		}
	}
}
