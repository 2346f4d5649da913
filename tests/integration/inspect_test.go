// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// item is a part of what `inspect --format json` prints.
type item struct {
	Area, Name, Asked, Effective, Note string
	Differs                            bool
}

func (c *container) inspect(options ...string) map[string]item {
	c.t.Helper()
	var v struct {
		ID          string
		Differences int
		Items       []item
	}
	decode(c.t, c.command(append(append([]string{"inspect", "--format", "json"}, options...), c.id)...).must().out, &v)
	all := make(map[string]item)
	for _, i := range v.Items {
		all[i.Area+": "+i.Name] = i
	}
	if v.ID != c.id {
		c.t.Errorf("id %q", v.ID)
	}
	return all
}

// TestInspect: what is in effect, beside what was asked for.
func TestInspect(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).args("/bin/sleep", "1000")
	if err := os.Mkdir(c.path("volume"), 0o755); err != nil {
		t.Fatal(err)
	}
	c.mount("/data", "bind", c.path("volume"), "bind", "ro", "nosuid")
	c.spec.Process.NoNewPrivileges = true
	c.spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_CORE", Soft: 0, Hard: 0}}
	c.spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"reboot"}, Action: specs.ActErrno}}}
	c.create()
	c.start()
	all := c.inspect()
	for name, want := range map[string]string{
		"process: umask":                 "0022",
		"confinement: seccomp":           "filter",
		"confinement: no new privileges": "yes",
		"rlimits: RLIMIT_CORE":           "soft 0, hard 0",
		"namespaces: pid":                "own",
		"namespaces: time":               "shared",
	} {
		if i := all[name]; i.Effective != want || i.Differs {
			t.Errorf("%s: %+v", name, i)
		}
	}
	if i := all["mounts: /data"]; i.Differs || !strings.Contains(i.Effective, "ro,nosuid") {
		t.Errorf("the mount: %+v", i)
	}
	if i, ok := all["host: mount /data"]; !ok || !strings.Contains(i.Effective, "read-only") {
		t.Errorf("the mount of the host: %+v", i)
	}
	if i, ok := all["host: time namespace"]; !ok {
		t.Errorf("a shared namespace: %+v", i)
	}
	text := c.command("inspect", c.id).must().out
	if !strings.Contains(text, "mounts\n") || !strings.Contains(text, "  seccomp: filter\n") {
		t.Errorf("prints %s", text)
	}
}

// TestInspectDiff: --diff shows what somebody has changed since, and what the kernel has made of it.
func TestInspectDiff(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).args("/bin/sleep", "1000")
	c.spec.Process.User = specs.User{UID: 1, GID: 1}
	c.spec.Process.Capabilities = &specs.LinuxCapabilities{
		Bounding: []string{"CAP_KILL"}, Permitted: []string{"CAP_KILL"}, Effective: []string{"CAP_KILL"},
	}
	if suite.users.name == "inside" {
		c.spec.Process.User = specs.User{}
		c.spec.Process.Capabilities.Effective = nil
	}
	score := 300
	c.spec.Process.OOMScoreAdj = &score
	c.create()
	c.start()
	score++
	if err := os.WriteFile(filepath.Join("/proc", fmt.Sprint(c.pid), "oom_score_adj"), []byte(fmt.Sprint(score)), 0); err != nil {
		t.Fatal(err)
	}
	all := c.inspect("--diff")
	for name, i := range all {
		if !i.Differs {
			t.Errorf("%s: %+v", name, i)
		}
	}
	if i := all["process: oom_score_adj"]; i.Asked != "300" || i.Effective != "301" {
		t.Errorf("%+v", i)
	}
	if i := all["capabilities: effective"]; !i.Differs || i.Note == "" {
		t.Errorf("%+v", i)
	}
}

// needRootsCgroup skips a test for users who may have no cgroup.
func needRootsCgroup(t *testing.T) {
	t.Helper()
	if suite.users.ordinary() {
		t.Skip("requires cgroups of root")
	}
}

// TestInspectRounded: the kernel rounds a limit of memory to whole pages.
func TestInspectRounded(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).args("/bin/sleep", "1000")
	needController(t, "memory")
	needRootsCgroup(t)
	limit := int64(64<<20 + 1)
	c.createLimited(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit}})
	for name, i := range c.inspect("--diff") {
		if !strings.HasPrefix(name, "limits: memory.limit ") {
			continue
		}
		if i.Asked != "67108865" || i.Effective != "67108864" || !strings.Contains(i.Note, "whole pages") {
			t.Errorf("%s: %+v", name, i)
		}
		return
	}
	t.Error("no difference of memory.limit")
}

// TestInspectDevices: the device rules are those of config.json, until one of the two is changed.
func TestInspectDevices(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).args("/bin/sleep", "1000")
	needRootsCgroup(t)
	rule := specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: new(int64(10)), Minor: new(int64(229)), Access: "r"}
	c.spec.Linux.Resources = &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}, rule}}
	c.create()
	name := "limits: devices (devices.list)"
	if suite.unified {
		name = "limits: devices (eBPF filter)"
	}
	i := c.inspect()[name]
	if i.Differs || !strings.Contains(i.Asked, "c 10:229 r,") || i.Effective == "" {
		t.Errorf("%+v", i)
	}
	c.spec.Linux.Resources.Devices = c.spec.Linux.Resources.Devices[:1]
	c.write()
	if i := c.inspect("--diff")[name]; !i.Differs || strings.Contains(i.Asked, "c 10:229") {
		t.Errorf("after a change of config.json: %+v", i)
	}
}

// TestInspectTmpfs: somebody has given a tmpfs another size.
func TestInspectTmpfs(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).args("/bin/sleep", "1000")
	only(t, suite.users.name == "root", "root") // who may change it
	c.mount("/data", "tmpfs", "tmpfs", "size=64k")
	c.create()
	if i := c.inspect()["mounts: /data"]; i.Differs || !strings.Contains(i.Asked, "size=64k") || !strings.Contains(i.Effective, "size=64k") {
		t.Errorf("%+v", i)
	}
	mount := exec.Command("nsenter", fmt.Sprintf("--mount=/proc/%d/ns/mnt", c.pid), "mount", "-t", "tmpfs", "-o", "remount,size=128k", "tmpfs", "/data")
	if out, err := mount.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", mount, err, out)
	}
	if i := c.inspect("--diff")["mounts: /data"]; i.Note != "with size=128k" {
		t.Errorf("%+v", i)
	}
}

// TestInspectDescriptor: a descriptor of a directory of the host stands out.
func TestInspectDescriptor(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).args("/bin/sleep", "1000")
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	c.files = []*os.File{dir}
	c.create("--preserve-fds", "1")
	c.start()
	i := c.inspect("--diff")[fmt.Sprintf("host: descriptor 3 of process %d", c.pid)]
	if i.Effective != dir.Name() || !strings.Contains(i.Note, "a directory outside") {
		t.Errorf("%+v", i)
	}
}

// TestInspectErrors: a container that has stopped, or is none, and a bundle that is gone.
func TestInspectErrors(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).args("/bin/sleep", "1000")
	c.command("inspect", c.id).fails("does not exist", "")
	c.command("inspect").fails("argument", "")
	c.create()
	c.command("inspect", "--format=x", c.id).fails("invalid format", "")
	if err := os.Rename(c.path("config.json"), c.path("gone")); err != nil {
		t.Fatal(err)
	}
	if i, ok := c.inspect()["mounts: config.json"]; !ok || i.Differs {
		t.Errorf("%+v", i)
	}
	c.command("kill", c.id, "KILL").must()
	c.wait()
	c.command("inspect", c.id).fails("not running", "")
}
