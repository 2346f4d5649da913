// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// ownedVolume creates a directory of files, each named after its owner and group, and a mount
// with the same files below it.
func (c *container) ownedVolume(ids ...int) string {
	c.t.Helper()
	dir := c.path("volume")
	fill := func(dir string) {
		for _, id := range ids {
			name := fmt.Sprintf("%s/%d", dir, id)
			if err := os.WriteFile(name, nil, 0o644); err != nil {
				c.t.Fatal(err)
			}
			if err := os.Chown(name, id, id); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	if err := os.MkdirAll(dir+"/sub", 0o755); err != nil {
		c.t.Fatal(err)
	}
	fill(dir)
	if err := unix.Mount("none", dir+"/sub", "tmpfs", 0, "mode=755"); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := unix.Unmount(dir+"/sub", 0); err != nil {
			c.t.Error(err)
		}
	})
	fill(dir + "/sub")
	return dir
}

// idmap mounts a volume with files of 0, 5 and 1000 on /v. The container prints their owners.
func (c *container) idmap(uids, gids []specs.LinuxIDMapping, options ...string) *container {
	c.mount("/v", "bind", c.ownedVolume(0, 5, 1000), append(options, "rbind")...)
	m := &c.spec.Mounts[len(c.spec.Mounts)-1]
	m.UIDMappings, m.GIDMappings = uids, gids
	return c.sh("cd /v; stat -c %n=%u:%g 0 5 1000 sub/5; touch new 2>/dev/null && stat -c %n=%u:%g new && rm new")
}

func TestIDMappedMount(t *testing.T) {
	all := []specs.LinuxIDMapping{mapRow(0, firstID, idCount)}
	swap := []specs.LinuxIDMapping{mapRow(0, 1000, 1), mapRow(1000, 0, 1)}
	shift := []specs.LinuxIDMapping{mapRow(0, firstID+7, 6)}
	const plain, none = "0=0:0 5=5:5 1000=1000:1000", "65534:65534"
	for _, test := range []struct {
		name       string
		userns     bool
		uids, gids []specs.LinuxIDMapping
		options    []string
		want       string
	}{
		{"container's maps by option", true, nil, nil, []string{"idmap"}, plain + " sub/5=" + none + " new=0:0"},
		{"container's maps, recursive", true, nil, nil, []string{"ridmap"}, plain + " sub/5=5:5 new=0:0"},
		{"container's maps given", true, all, all, nil, plain + " sub/5=" + none + " new=0:0"},
		{"container's maps given, read-only", true, all, all, []string{"ro"}, plain + " sub/5=" + none},
		{"other maps", true, shift, shift, nil, "0=7:7 5=12:12 1000=" + none + " sub/5=" + none},
		{"uids and gids differ", true, shift, all, nil, "0=7:0 5=12:5 1000=65534:1000 sub/5=" + none},
		{"without a user namespace", false, swap, swap, nil, "0=1000:1000 5=65534:65534 1000=0:0 sub/5=5:5 new=0:0"},
		{"inline", false, nil, nil, []string{"ridmap=uids=0-1000-1#5-6-1;gids=0-2-1#5-3-1"}, "0=1000:2 5=6:3 1000=" + none + " sub/5=6:3"},
		{"inline, relative", true, nil, nil, []string{"idmap=uids=@0-2-6;gids=@0-3-6"}, "0=2:3 5=7:8 1000=" + none + " sub/5=" + none},
	} {
		t.Run(test.name, func(t *testing.T) {
			// crun 1.8 agrees, except about what is mounted below. runc 1.1 has no id-mapped
			// mounts.
			only(t, suite.name == "berth", "berth")
			c := newContainer(t)
			if slices.ContainsFunc(test.options, func(o string) bool { return strings.HasPrefix(o, "ridmap") }) && !kernelAtLeast(t, 6, 3) {
				t.Skip("requires Linux 6.3, where the tmpfs sub can be id-mapped")
			}
			if test.userns {
				c.userns()
			}
			if test.uids != nil {
				test.options = append(test.options, "nosuid")
			}
			c.idmap(test.uids, test.gids, test.options...)
			got := strings.ReplaceAll(c.run().out, "\n", " ")
			want(t, "owners", strings.TrimSpace(got), test.want)
		})
	}
}

// TestIDMappedFilesystem: id maps of a new file system that is mounted for the container.
func TestIDMappedFilesystem(t *testing.T) {
	if !kernelAtLeast(t, 6, 3) {
		t.Skip("requires Linux 6.3, where a tmpfs can be id-mapped")
	}
	all := []specs.LinuxIDMapping{mapRow(0, firstID, idCount)}
	swap := []specs.LinuxIDMapping{mapRow(0, 1000, 1), mapRow(1000, 0, 1)}
	shift := []specs.LinuxIDMapping{mapRow(0, firstID+7, 6)}
	for _, test := range []struct {
		name    string
		userns  bool
		rows    []specs.LinuxIDMapping
		dest    string
		options []string
		want    string
	}{
		{"without a user namespace", false, swap, "/t", nil, "1000:1000 1777 new=0:0"},
		{"mode", false, swap, "/t", []string{"mode=751"}, "1000:1000 751 new=0:0"},
		{"mode of what it covers", false, swap, "/srv/closed", nil, "1000:1000 750 new=0:0"},
		{"inline", false, nil, "/t", []string{"idmap=uids=0-1000-1#1000-0-1;gids=0-5-1#7-0-1"}, "1000:5 1777 new=0:0"},
		{"read-only", false, swap, "/t", []string{"ro"}, "1000:1000 1777"},
		{"copied up", false, swap, "/srv/closed", []string{"tmpcopyup"}, "0:0 750 file=0:0 new=0:0"},
		{"container's maps", true, all, "/t", nil, "0:0 1777 new=0:0"},
		{"container's maps by option", true, nil, "/t", []string{"idmap"}, "0:0 1777 new=0:0"},
		{"container's maps, mode of what it covers", true, nil, "/srv/closed", []string{"idmap"}, "0:0 750 new=0:0"},
		{"other maps", true, shift, "/t", nil, "7:7 1777"},
		{"other maps, mode of what it covers", true, shift, "/srv/closed", nil, "7:7 750"},
		{"ids of nobody there", true, swap, "/srv/closed", nil, "65534:65534 1777"},
	} {
		t.Run(test.name, func(t *testing.T) {
			onlyBerth(t)
			c := newContainer(t)
			if test.userns {
				c.userns()
			}
			if err := errors.Join(os.MkdirAll(c.rootfs("srv/closed"), 0o755), os.WriteFile(c.rootfs("srv/closed/file"), nil, 0o644), os.Chmod(c.rootfs("srv/closed"), 0o750)); err != nil {
				t.Fatal(err)
			}
			c.mount(test.dest, "tmpfs", "tmpfs", test.options...)
			m := &c.spec.Mounts[len(c.spec.Mounts)-1]
			m.UIDMappings, m.GIDMappings = test.rows, test.rows
			c.sh("cd " + test.dest + "; stat -c '%u:%g %a' .; touch new 2>/dev/null; for f in *; do test -e $f && stat -c %n=%u:%g $f; done; true")
			want(t, "printed", squeeze(c.output()), test.want)
		})
	}
}

// TestIDMappedMountInJoined: the maps are those of the user namespace that is joined.
func TestIDMappedMountInJoined(t *testing.T) {
	only(t, suite.name != "runc", "runtimes with id-mapped mounts")
	c := newContainer(t).userns()
	c.namespace(specs.UserNamespace, pinned(t))
	c.spec.Linux.UIDMappings, c.spec.Linux.GIDMappings = nil, nil
	c.idmap(nil, nil, "idmap")
	want(t, "owners", strings.Split(c.output(), "\n")[2], "1000=1000:1000")
}

// TestIDMappedMountsShare: several mounts with the same maps.
func TestIDMappedMountsShare(t *testing.T) {
	only(t, suite.name != "runc", "runtimes with id-mapped mounts")
	c := newContainer(t)
	rows := []specs.LinuxIDMapping{mapRow(0, 3, 1)}
	c.idmap(rows, rows)
	second := c.spec.Mounts[len(c.spec.Mounts)-1]
	second.Destination = "/w"
	c.spec.Mounts = append(c.spec.Mounts, second)
	c.args("stat", "-c", "%u", "/v/0", "/w/0")
	want(t, "owners", c.output(), "3\n3")
}

// TestBadIDMappedFilesystem: each type of file system that cannot be id-mapped.
func TestBadIDMappedFilesystem(t *testing.T) {
	for fstype, text := range map[string]string{
		"proc":   "mounts[6].uidMappings: a mount of type proc cannot be id-mapped",
		"cgroup": "mounts[6].uidMappings: a mount of type cgroup cannot be id-mapped",
		"mqueue": "mounts[6]: mount mqueue on /v: id-mapped mount: mount_setattr: invalid argument (its file system",
		"nofs":   "mounts[6]: mount nofs on /v: id-mapped mount: fsopen nofs: no such device",
	} {
		t.Run(fstype, func(t *testing.T) {
			onlyBerth(t)
			c := newContainer(t).mount("/v", fstype, "none")
			rows := []specs.LinuxIDMapping{mapRow(0, 3, 1)}
			c.spec.Mounts[6].UIDMappings, c.spec.Mounts[6].GIDMappings = rows, rows
			c.write()
			c.checkRefused(text, "")
		})
	}
}

func TestBadIDMappedMount(t *testing.T) {
	rows := []specs.LinuxIDMapping{mapRow(0, 3, 1)}
	for _, test := range []struct {
		name       string
		source     string
		uids, gids []specs.LinuxIDMapping
		options    []string
		err        string
	}{
		{"file system without", "/proc/sys", rows, rows, nil, "mounts[6]: mount bind on /v: id-mapped mount: mount_setattr: invalid argument"},
		{"no uids", "/tmp", nil, rows, nil, "mounts[6].uidMappings: id-mapped mounts must have both uid and gid mappings specified"},
		{"no gids", "/tmp", rows, nil, nil, "mounts[6].gidMappings: id-mapped mounts must have both uid and gid mappings specified"},
		{"no maps anywhere", "/tmp", nil, nil, []string{"idmap"}, "mounts[6].options"},
		{"inline nonsense", "/tmp", nil, nil, []string{"idmap=uids=0-1"}, "mounts[6].options"},
	} {
		t.Run(test.name, func(t *testing.T) {
			only(t, suite.name == "berth", "berth")
			c := newContainer(t)
			c.mount("/v", "bind", test.source, append(test.options, "rbind")...)
			m := &c.spec.Mounts[6]
			m.UIDMappings, m.GIDMappings = test.uids, test.gids
			c.write()
			c.checkRefused(test.err, "")
		})
	}
}
