// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// bindFlags says what becomes of the flags of a bind mount's source, as runc has it. The
// rule: options that name a flag, set or cleared, replace all flags of the source; one that
// sets an access time replaces those, which stay otherwise; recursive options come after
// that, and change no more than they name. Flags that a user namespace locks (ro, nosuid,
// nodev, noexec) stay there, and to clear one by name is an error.
var bindFlags = []struct {
	source  uintptr
	options string
	// want are the flags without a user namespace, userns those with one where they
	// differ; "error" for a refusal.
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
	// The options of a file system that a bind cannot have count as well.
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

// bindAtimes are more of bindFlags, which runc refuses with a user namespace: berth clones
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
	// The kernel's order, not that of the options.
	{0, "noatime,relatime", "noatime,rw"},
	{0, "relatime,noatime", "noatime,rw"},
	{0, "strictatime,noatime", "rw"},
	{0, "noatime,strictatime", "rw"},
}

const allLocked = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

func TestBindFlagRule(t *testing.T) {
	for _, userns := range []bool{false, true} {
		for _, kind := range []string{"bind", "rbind"} {
			t.Run(fmt.Sprintf("%s/userns=%v", kind, userns), func(t *testing.T) {
				// crun 1.28 applies "rw", "suid", "dev" and "exec" in another way.
				only(t, suite.name == "berth" || suite.name == "runc", "runc")
				good := newBindCase(t, userns)
				// With other users there is one in any case, and for an ordinary one the
				// kernel has locked the access times.
				userns := userns || suite.users.name != "root"
				for i, test := range bindFlags {
					if userns && test.userns != "" {
						test.want = test.userns
					}
					if test.want == "error" {
						bad := newBindCase(t, userns)
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

// bindCase is a container with many bind mounts.
type bindCase struct {
	c    *container
	want map[string]string
	dir  string // of the sources, which nobody else is to own
}

func newBindCase(t *testing.T, userns bool) *bindCase {
	c := newContainer(t)
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
	return &bindCase{c.args("cat", "/proc/self/mountinfo"), map[string]string{}, dir}
}

// add binds a source with the flags.
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
