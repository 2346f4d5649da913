// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestDefaultRoot runs without --root. The state is in /run, in a directory named after the
// runtime.
func TestDefaultRoot(t *testing.T) {
	c := newContainer(t)
	c.global = []string{"--root", "/run/" + suite.name} // for the commands at the end of the test
	c.write()
	r := c.shell(`unset XDG_RUNTIME_DIR; exec "$@" </dev/null >/dev/null`, suite.runtime, "create", c.id)
	r.must()
	if _, err := os.Stat(filepath.Join("/run", suite.name, c.id)); err != nil {
		t.Error(err)
	}
	c.status(specs.StateCreated)
	c.command("delete", "--force", c.id).must()
}

// TestRunDoesNotWaitForOrphans: run ends with the first process, and kills the processes that it
// leaves.
func TestRunDoesNotWaitForOrphans(t *testing.T) {
	c := newContainer(t).without(specs.PIDNamespace)
	c.sh("sleep 10000 </dev/null >/dev/null 2>&1 & exit 3").run().code(3)
	c.checkNothingLeft()
}

// TestRunReapsOrphans: the exit status of an orphan that ends earlier is not that of run.
func TestRunReapsOrphans(t *testing.T) {
	only(t, !suite.users.ordinary(), "root: without a cgroup and a pid namespace orphans cannot be found")
	c := newContainer(t).without(specs.PIDNamespace)
	c.sh("(sh -c 'exit 77' &) ; (sh -c 'exit 78' &); cat /proc/self/stat >/dev/null; exit 4").run().code(4)
}

// TestBundleIsReadonly: the runtime writes nothing to the bundle.
func TestBundleIsReadonly(t *testing.T) {
	c := newContainer(t).sh("echo fine")
	c.write()
	dir := c.path("ro")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(c.dir, dir, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if err := unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	want(t, "output", c.command("run", "--bundle", dir, c.id).must().out, "fine\n")
}

// TestStateByAnotherPath: the state directory may be reached by another path.
func TestStateByAnotherPath(t *testing.T) {
	c := newContainer(t).running()
	link := c.path("link")
	if err := os.Symlink(c.state, link); err != nil {
		t.Fatal(err)
	}
	c.global = []string{"--root", link}
	c.status(specs.StateRunning)
}

// TestLockedFlags: in a user namespace, the flags of the host's mounts are locked. They are kept
// unless the config asks to clear them, which is an error.
func TestLockedFlags(t *testing.T) {
	cases := []struct {
		name    string
		options []string
		fails   bool
	}{
		{"another flag", []string{"bind", "noexec"}, false},
		{"read-only", []string{"bind", "ro"}, false},
		{"clearing it", []string{"bind", "suid"}, true},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainer(t).userNamespace()
			dir := c.tmpfsVolume("vol", unix.MS_NOSUID|unix.MS_NODEV)
			c.mount("/data", "bind", dir, tc.options...)
			// The container's root may not create anything in a root file system of the host.
			if err := os.Mkdir(c.rootfs("data"), 0o755); err != nil {
				t.Fatal(err)
			}
			if tc.fails {
				c.run().fails("", "")
				return
			}
			m := c.mountOf("/data")
			if opts := strings.Join(m.options, ","); !strings.Contains(opts, "nosuid") || !strings.Contains(opts, "nodev") {
				t.Errorf("options %q", opts)
			}
		})
	}
}

// userNamespace gives the container a user namespace with ids from 100000 on.
func (c *container) userNamespace() *container {
	only(c.t, suite.users.name == "root", "the mode in which containers have the user namespace of their test")
	c.namespace(specs.UserNamespace, "")
	ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
	c.spec.Linux.UIDMappings, c.spec.Linux.GIDMappings = ids, ids
	return c
}

func TestUserNamespaceMaps(t *testing.T) {
	c := newContainer(t).userNamespace().sh("cat /proc/self/uid_map /proc/self/gid_map; id -u; cat /proc/self/setgroups; hostname; echo x >/dev/null && echo null")
	got := squeeze(c.output())
	want(t, "output", got, "0 100000 65536 0 100000 65536 0 allow testbox null")
}

func TestUserNamespaceUser(t *testing.T) {
	c := newContainer(t).userNamespace().args("cat", "/proc/self/status")
	c.spec.Process.User = specs.User{UID: 1000, GID: 1000, AdditionalGids: []uint32{2000}}
	out := squeeze(c.output())
	for _, w := range []string{"Uid: 1000 1000 1000 1000", "Gid: 1000 1000 1000 1000"} {
		if !strings.Contains(out, w) {
			t.Errorf("no %q in %q", w, out)
		}
	}
}

// TestManyContainers: several containers at the same time, with one runtime root.
func TestManyContainers(t *testing.T) {
	first := newContainer(t)
	all := []*container{first}
	for range 5 {
		all = append(all, anotherContainer(t, first))
	}
	for _, c := range all {
		c.running()
	}
	if n := len(strings.Fields(first.command("list", "-q").must().out)); n != len(all) {
		t.Errorf("%d containers in the list, want %d", n, len(all))
	}
	for _, c := range all {
		c.command("delete", "--force", c.id).must()
	}
}

// TestManyMounts: more mounts than fit into a message of a fixed size.
func TestManyMounts(t *testing.T) {
	c := newContainer(t)
	dir := c.volume("vol")
	for i := range 150 {
		c.mount(fmt.Sprintf("/data/%d", i), "bind", dir, "bind", "ro")
	}
	n := 0
	for _, m := range c.mounts() {
		if strings.HasPrefix(m.point, "/data/") {
			n++
		}
	}
	if n != 150 {
		t.Errorf("%d mounts, want 150", n)
	}
}

// TestLargeProcess: many arguments and a large environment.
func TestLargeProcess(t *testing.T) {
	c := newContainer(t)
	args := []string{"/bin/sh", "-c", `echo $# ${#LARGE}`, "sh"}
	for i := range 3000 {
		args = append(args, fmt.Sprintf("argument-%d", i))
	}
	c.args(args...)
	c.spec.Process.Env = append(c.spec.Process.Env, "LARGE="+strings.Repeat("v", 120_000))
	for i := range 1000 {
		c.spec.Process.Env = append(c.spec.Process.Env, fmt.Sprintf("VARIABLE_%d=%d", i, i))
	}
	want(t, "output", c.output(), "3000 120000")
}
