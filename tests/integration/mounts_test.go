// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// changeMounts adds or removes mounts, given as separate arguments or in a document.
func (c *container) changeMounts(what string, mounts any) *result {
	c.t.Helper()
	path := c.path("mounts.json")
	document, isText := mounts.(string)
	if !isText {
		document = string(marshal(c.t, mounts))
	}
	if err := os.WriteFile(path, []byte(document), 0o644); err != nil {
		c.t.Fatal(err)
	}
	return c.command("mounts", what, c.id, path)
}

// liveMounts returns the mounts that a process in the container sees now, except those below /proc,
// /sys and /dev.
func (c *container) liveMounts() string {
	c.t.Helper()
	var b strings.Builder
	for _, m := range parseMountinfo(c.execOut(c.id, "cat", "/proc/self/mountinfo")) {
		top, _, _ := strings.Cut(m.point[1:], "/")
		if !slices.Contains([]string{"", "proc", "sys", "dev"}, top) {
			fmt.Fprintf(&b, "%s %s;", m.point, m.fsType)
		}
	}
	return b.String()
}

// TestMountsAdd adds each kind of mount that config.json may have to a running container. All
// options take effect, and the host does not see the mounts.
func TestMountsAdd(t *testing.T) {
	c := newContainer(t)
	vol := c.volume("vol")
	c.running()
	before := mountPoints(t)
	c.changeMounts("add", []specs.Mount{
		{Destination: "/vol", Type: "bind", Source: vol, Options: []string{"rbind", "ro", "nosuid", "nodev"}},
		{Destination: "/etc/added", Source: "vol/file", Options: []string{"bind"}}, // relative to the bundle
		{Destination: "/t", Type: "tmpfs", Source: "tmpfs", Options: []string{"ro", "size=64k"}},
		{Destination: "/t/below", Type: "tmpfs", Source: "tmpfs", Options: []string{"mode=700"}},
		{Destination: "/proc2", Type: "proc", Source: "proc"},
		{Destination: "/sys2", Type: "sysfs", Source: "sysfs", Options: []string{"ro"}},
		{Destination: "/queue", Type: "mqueue", Source: "mqueue"},
	}).must().silent()
	want(t, "mounts of the host", strings.Join(mountPoints(t), " "), strings.Join(before, " "))
	script := `cat /vol/file /etc/added; stat -c %a /t /t/below
		for f in /vol/new /t/new /sys2/new; do touch $f 2>/dev/null && echo $f is writable; done
		touch /t/below/new && echo ok
		ls -d /proc2/1; ls /sys2/class/net /queue`
	want(t, "in the container", c.execOut(c.id, "sh", "-c", script),
		"from the host\nfrom the host\n1777\n700\nok\n/proc2/1\n/queue:\n\n/sys2/class/net:\nlo")
	for _, m := range parseMountinfo(c.execOut(c.id, "cat", "/proc/self/mountinfo")) {
		if m.point == "/vol" {
			for _, o := range []string{"ro", "nosuid", "nodev"} {
				if !slices.Contains(m.options, o) {
					t.Errorf("/vol: no %s in %q", o, m.options)
				}
			}
		}
	}
	// Mounts are removed in reverse order.
	c.changeMounts("remove", `[{"destination":"/vol"},{"destination":"/etc/added"},{"destination":"/t"},{"destination":"/t/below"},
		{"destination":"/proc2"},{"destination":"/sys2"},{"destination":"queue/"}]`).must()
	want(t, "mounts afterwards", c.liveMounts(), "")
	c.status(specs.StateRunning)
}

// TestMountsCgroup: a cgroup mount that is added later looks like one that was there from the
// beginning.
func TestMountsCgroup(t *testing.T) {
	for _, host := range []bool{false, true} {
		t.Run(fmt.Sprintf("host's namespace %v", host), func(t *testing.T) {
			c := newContainer(t).mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro")
			if host {
				c.without(specs.CgroupNamespace)
			}
			c.running()
			c.changeMounts("add", []specs.Mount{{Destination: "/cg", Type: "cgroup", Source: "cgroup", Options: []string{"ro"}}}).must()
			table := func(dir string) (all string) {
				for _, m := range parseMountinfo(c.execOut(c.id, "cat", "/proc/self/mountinfo")) {
					if m.point == dir || strings.HasPrefix(m.point, dir+"/") {
						all += m.root + " " + m.point[len(dir):] + " " + m.fsType + " " + strings.Join(m.options, ",") + "\n"
					}
				}
				lines := strings.Split(all, "\n")
				slices.Sort(lines)
				return strings.Join(lines, "\n")
			}
			want(t, "mounts", table("/cg"), table("/sys/fs/cgroup"))
			c.changeMounts("remove", `[{"destination":"/cg"}]`).must()
			want(t, "mounts afterwards", c.liveMounts(), "")
		})
	}
}

// TestMountsOverlay: paths in the options are the host's, even if the container has the same
// ones. There are more than fit into an option of the new mount calls.
func TestMountsOverlay(t *testing.T) {
	c := newContainer(t)
	var lower []string
	for i := range 8 {
		dir := c.path(strings.Repeat("lower", 8), fmt.Sprint(i))
		for _, d := range []string{dir, c.rootfs(dir)} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(os.WriteFile(filepath.Join(dir, fmt.Sprint("host", i)), nil, 0o644),
			os.WriteFile(filepath.Join(c.rootfs(dir), "fake"), nil, 0o644)); err != nil {
			t.Fatal(err)
		}
		lower = append(lower, dir)
	}
	c.running()
	for _, n := range []int{2, 8} {
		c.changeMounts("add", []specs.Mount{{
			Destination: "/o", Type: "overlay", Source: "overlay", Options: []string{"ro", "lowerdir=" + strings.Join(lower[:n], ":")},
		}}).must()
		files := strings.Fields(c.execOut(c.id, "ls", "/o"))
		if len(files) != n || slices.Contains(files, "fake") {
			t.Errorf("files %q, want %d of the host", files, n)
		}
		c.changeMounts("remove", `[{"destination":"/o"}]`).must()
	}
}

// TestMountsStates: mounts can be added unless the container has stopped, also while it is
// paused, without resuming it.
func TestMountsStates(t *testing.T) {
	const add = `{"mounts":[{"destination":"/t","type":"tmpfs"}]}`
	c := newContainer(t).args("test", "-d", "/t/stays")
	c.create()
	c.changeMounts("add", add).must()
	c.command("exec", c.id, "mkdir", "/t/stays").must()
	c.start()
	if ws := c.wait(); ws.ExitStatus() != 0 {
		t.Errorf("exit status %d: the container does not see what was mounted before its start", ws.ExitStatus())
	}
	c.changeMounts("add", add).fails("container not running", "is not running")
	c.changeMounts("remove", add).fails("container not running", "is not running")
	c.command("mounts", "add", "nobody", c.path("mounts.json")).fails("container does not exist", "")
}

func TestMountsPaused(t *testing.T) {
	c := newContainer(t)
	c.running()
	c.command("pause", c.id).must()
	c.changeMounts("add", `[{"destination":"/t","type":"tmpfs"},{"destination":"/t/proc","type":"proc"}]`).must()
	c.status("paused")
	c.command("resume", c.id).must()
	want(t, "mounts", c.liveMounts(), "/t tmpfs;/t/proc proc;")
	c.command("pause", c.id).must()
	c.changeMounts("remove", `[{"destination":"/t"}]`).must()
	c.command("resume", c.id).must()
	want(t, "mounts", c.liveMounts(), "")
}

// TestMountsStandardInput reads the document from stdin.
func TestMountsStandardInput(t *testing.T) {
	c := newContainer(t).running()
	if err := os.WriteFile(c.path("in"), []byte(`[{"destination":"/t","type":"tmpfs"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"add", "remove"} {
		in, err := os.Open(c.path("in"))
		if err != nil {
			t.Fatal(err)
		}
		c.commandWithStdin(in, "mounts", what, c.id, "-").must().silent()
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
		want(t, "mounts after "+what, c.liveMounts(), map[string]string{"add": "/t tmpfs;", "remove": ""}[what])
	}
}

// TestMountsRefused: the error names the entry, and the mounts of earlier entries are undone.
func TestMountsRefused(t *testing.T) {
	const first = `[{"destination":"/a","type":"tmpfs"},{"destination":"/a/b","type":"bind","source":"/usr","options":["rbind"]},`
	for _, tc := range []struct{ name, what, document, text string }{
		{"no source", "add", first + `{"destination":"/c","type":"bind","source":"/no/such","options":["bind"]}]`, "mounts[2]: mount bind on /c: open_tree /no/such: no such file or directory"},
		{"no such type", "add", first + `{"destination":"/c","type":"nofs"}]`, "mounts[2]: mount nofs on /c: fsopen nofs: no such device"},
		{"bad option", "add", first + `{"destination":"/c","type":"tmpfs","options":["size=x"]}]`, "mounts[2]: mount tmpfs on /c: fsconfig size=x"},
		{"the root", "add", first + `{"destination":"/tmp/..","type":"tmpfs"}]`, "mounts[2].destination: a mount over the root file system itself is not possible"},
		{"no destination", "add", first + `{"type":"tmpfs"}]`, "mounts[2].destination: must not be empty"},
		{"inside proc", "add", first + `{"destination":"/proc/sys","type":"tmpfs"}]`, "mounts[2]: mount tmpfs on /proc/sys: /proc/sys cannot be mounted because it is inside /proc"},
		{"a directory on a file", "add", first + `{"destination":"/etc/passwd","type":"tmpfs"}]`, "mounts[2]: mount tmpfs on /etc/passwd: not a directory"},
		{"remount", "add", first + `{"destination":"/a","options":["remount","ro"]}]`, `mounts[2].options: "remount" does not add a mount`},
		{"remove no mount", "remove", `[{"destination":"/etc"},{"destination":"/kept"}]`, "mounts[0].destination: /etc: it is not a mount point"},
		{"remove a part of a mount", "remove", `[{"destination":"/kept/file"}]`, "mounts[0].destination: /kept/file: it is not a mount point"},
		{"remove nothing", "remove", `[{"destination":"/nope"},{"destination":"/kept"}]`, "mounts[0].destination: /nope: "},
		{"remove a mask", "remove", `[{"destination":"/proc/timer_list"},{"destination":"/kept"}]`, "mounts[0].destination: /proc/timer_list: it hides a part of the container's proc"},
		{"remove a read-only path", "remove", `[{"destination":"/proc/sys"},{"destination":"/kept"}]`, "mounts[0].destination: /proc/sys: it hides a part of the container's proc"},
		{"remove a mask of sysfs", "remove", `[{"destination":"/sys/firmware"},{"destination":"/kept"}]`, "mounts[0].destination: /sys/firmware: it hides a part of the container's sysfs"},
		{"remove the root", "remove", `[{"destination":"/dev/.."},{"destination":"/kept"}]`, "mounts[0].destination: a mount over the root"},
		{"no JSON", "add", `[{"destination":}]`, "mounts.json: line 1, column 17: invalid character"},
		{"no array", "add", `"/t"`, "mounts.json: line 1, column 1: mounts: expected an array of objects, found a string"},
		{"no mounts", "add", `{"root":{}}`, "mounts.json: line 1, column 1: mounts: is missing"},
		{"neither", "list", `[]`, `"list" is neither add nor remove`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainer(t).mount("/kept", "tmpfs", "tmpfs").running()
			c.command("exec", c.id, "sh", "-c", "mkdir /kept/file; mkdir /kept/below").must()
			c.changeMounts("add", `[{"destination":"/kept/below","type":"tmpfs"}]`).must()
			c.changeMounts(tc.what, tc.document).code(1).fails(tc.text, "")
			want(t, "mounts", c.liveMounts(), "/kept tmpfs;/kept/below tmpfs;")
			want(t, "files", c.execOut(c.id, "ls", "/kept"), "below\nfile")
		})
	}
}

// TestMountsUmask: the caller's umask has no effect on what is created.
func TestMountsUmask(t *testing.T) {
	c := newContainer(t).running()
	path := c.path("mounts.json")
	if err := os.WriteFile(path, []byte(`[{"destination":"/made/here","type":"tmpfs"}]`), 0o644); err != nil {
		t.Fatal(err)
	}
	c.shell(`umask 077; exec "$@"`, suite.runtime, "--root", c.state, "mounts", "add", c.id, path).must()
	want(t, "modes", squeeze(c.execOut(c.id, "stat", "-c", "%a", "/made")), "755")
}

func TestMountsArguments(t *testing.T) {
	c := newContainer(t).running()
	c.command("mounts", "add", c.id).fails("requires exactly 3 argument(s)", "")
	c.command("mounts", "add", c.id, "/no/such").fails("open /no/such: no such file or directory", "")
}

// TestMountsIDMapped: owners of the volume are mapped as with create.
func TestMountsIDMapped(t *testing.T) {
	c := newContainer(t)
	swap := []specs.LinuxIDMapping{mapRow(0, 1000, 1), mapRow(1000, 0, 1)}
	vol := c.ownedVolume(0, 1000)
	c.running()
	c.changeMounts("add", []specs.Mount{{Destination: "/v", Type: "bind", Source: vol, Options: []string{"bind"}, UIDMappings: swap, GIDMappings: swap}}).must()
	want(t, "owners", c.execOut(c.id, "stat", "-c", "%n=%u:%g", "/v/0", "/v/1000"), "/v/0=1000:1000\n/v/1000=0:0")
}

// TestMountsIDMappedToUserNamespace: the maps are those of the container's user namespace.
func TestMountsIDMappedToUserNamespace(t *testing.T) {
	c := newContainer(t)
	c.userns(mapRow(0, firstID, idCount))
	vol := c.ownedVolume(0, 5)
	c.running()
	c.changeMounts("add", []specs.Mount{
		{Destination: "/v", Type: "bind", Source: vol, Options: []string{"bind", "idmap"}},
		{Destination: "/w", Type: "bind", Source: vol, Options: []string{"bind"}},
	}).must()
	want(t, "owners", c.execOut(c.id, "stat", "-c", "%n=%u:%g", "/v/0", "/v/5", "/w/5"), "/v/0=0:0\n/v/5=5:5\n/w/5=65534:65534")
}

// TestMountsLockedFlags: with a user namespace, the flags of the host's mount cannot be removed
// in this way either.
func TestMountsLockedFlags(t *testing.T) {
	c := newContainer(t)
	vol := c.path("locked")
	if err := os.Mkdir(vol, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", vol, "tmpfs", unix.MS_NOEXEC|unix.MS_NODEV|unix.MS_NOSUID, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(vol, 0); err != nil {
			t.Error(err)
		}
	})
	c.userns(mapRow(0, firstID, idCount))
	c.running()
	c.changeMounts("add", []specs.Mount{{Destination: "/v", Type: "bind", Source: vol, Options: []string{"bind", "exec"}}}).
		fails("mounts[0]: mount bind on /v: ", "")
	c.changeMounts("add", []specs.Mount{{Destination: "/v", Type: "bind", Source: vol, Options: []string{"bind"}}}).must()
	for _, m := range parseMountinfo(c.execOut(c.id, "cat", "/proc/self/mountinfo")) {
		if m.point == "/v" && !slices.Contains(m.options, "noexec") {
			t.Errorf("options %q", m.options)
		}
	}
}

// TestMountsPropagation: what the host mounts later is propagated to the container's volume, but
// not the other way round.
func TestMountsPropagation(t *testing.T) {
	c := newContainer(t)
	vol := c.volume("vol")
	if err := errors.Join(unix.Mount(vol, vol, "", unix.MS_BIND, ""), unix.Mount("", vol, "", unix.MS_SHARED, "")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(vol, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	c.running()
	c.changeMounts("add", []specs.Mount{{Destination: "/v", Type: "bind", Source: vol, Options: []string{"rbind"}}}).must()
	c.changeMounts("add", `[{"destination":"/v/sub","type":"tmpfs","options":["size=4k"]}]`).must()
	if slices.Contains(mountPoints(t), vol+"/sub") {
		t.Error("the container's mount is on the host")
	}
	c.changeMounts("remove", `[{"destination":"/v/sub"}]`).must()
	if err := unix.Mount("none", vol+"/sub", "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	want(t, "mounts", c.liveMounts(), "/v "+fsTypeOf(t, vol)+";/v/sub tmpfs;")
}

// fsTypeOf returns the type of the file system at a path.
func fsTypeOf(t *testing.T, path string) (fsType string) {
	t.Helper()
	for _, m := range parseMountinfo(readFile(t, "/proc/self/mountinfo")) {
		if m.point == path {
			fsType = m.fsType
		}
	}
	return fsType
}

// TestMountsAttack: the container repeatedly exchanges a directory for a symbolic link to the
// host while mounts are made below it.
func TestMountsAttack(t *testing.T) {
	c := newContainer(t)
	victim := c.volume("victim")
	for _, d := range []string{c.rootfs("swap"), c.rootfs(victim)} {
		if err := os.MkdirAll(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(victim, c.rootfs("link")); err != nil {
		t.Fatal(err)
	}
	c.running()
	before := strings.Join(mountPoints(t), " ")
	stop, done := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if err := unix.Renameat2(unix.AT_FDCWD, c.rootfs("swap"), unix.AT_FDCWD, c.rootfs("link"), unix.RENAME_EXCHANGE); err != nil {
				<-stop
				done <- err
				return
			}
		}
	}()
	added := 0
	for i := range 40 {
		doc := fmt.Sprintf(`[{"destination":"/swap/d%d/deep","type":"tmpfs"},{"destination":"/swap/f%d","type":"bind","source":"/dev/null"}]`, i, i)
		if c.changeMounts("add", doc).status == 0 {
			added++
		}
		if now := strings.Join(mountPoints(t), " "); now != before {
			t.Fatalf("mounts of the host: %s, want %s", now, before)
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(victim)
	if err != nil || len(entries) != 2 {
		t.Errorf("the host's directory has %v, %v", entries, err)
	}
	if added == 0 {
		t.Error("nothing was ever mounted: the test proves nothing")
	}
}

// TestMountsNoMountNamespace: without a mount namespace the mounts are made on the host, and last
// as long as the container.
func TestMountsNoMountNamespace(t *testing.T) {
	c := newContainer(t).without(specs.MountNamespace)
	c.spec.Linux.MaskedPaths, c.spec.Linux.ReadonlyPaths = nil, nil
	vol := c.volume("vol")
	c.running()
	before := strings.Join(mountPoints(t), " ")
	c.changeMounts("add", []specs.Mount{
		{Destination: "/t", Type: "tmpfs"}, {Destination: "/vol", Type: "bind", Source: vol, Options: []string{"bind"}},
	}).must()
	want(t, "file", c.execOut(c.id, "cat", "/vol/file"), "from the host")
	c.changeMounts("remove", `[{"destination":"/t"}]`).must()
	want(t, "mounts of the host", strings.Join(mountPoints(t), " "), before+" "+c.rootfs("vol"))
}
