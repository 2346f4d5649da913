// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// checkRefused runs create and run with an invalid bundle. Each must fail with a one-line error and
// leave nothing behind.
func (c *container) checkRefused(text, crunText string) {
	c.t.Helper()
	for _, command := range [][]string{{"create"}, {"run"}, {"run", "--detach"}} {
		r := c.command(append(command, c.id)...).fails(text, crunText)
		if n := strings.Count(strings.TrimSpace(r.stderr), "\n"); n > 0 && suite.name == "berth" {
			c.t.Errorf("%s: %d lines instead of one: %q", r.what, n+1, r.stderr)
		}
		if r.out != "" {
			c.t.Errorf("%s: stdout %q", r.what, r.out)
		}
		if r.status == 0 {
			return
		}
		c.checkNothingLeft()
	}
}

// checkNothingLeft checks that nothing of the container is left.
func (c *container) checkNothingLeft() {
	c.t.Helper()
	if _, err := os.Stat(filepath.Join(c.state, c.id)); err == nil {
		c.t.Error("a state directory is left")
	}
	if left := cgroupsOf(c.id); len(left) > 0 && findGap(cgroupLeak) == "" {
		c.t.Errorf("cgroups are left: %q", left)
	}
	for _, pid := range children(c.t) {
		if !endsSoon(pid) {
			c.t.Errorf("process %d is left", pid)
		}
	}
	for _, m := range mountPoints(c.t) {
		if strings.HasPrefix(m, c.dir+"/") && m != c.path("rootfs") {
			c.t.Errorf("mount %s is left", m)
		}
	}
}

func TestBadBundle(t *testing.T) {
	cases := []struct {
		name, config   string
		text, crunText string
	}{
		{"no config.json", "", "config.json not found", "config.json"},
		{"empty config.json", " ", "", ""},
		{"broken JSON", "{\n  \"ociVersion\": \"1.0.2\",\n  \"process\": nonsense\n}", "", ""},
		{"wrong type", `{"ociVersion": "1.0.2", "process": {"args": "sh"}}`, "args", ""},
		{"a list", `[]`, "", ""},
		{"trailing garbage", `{"ociVersion": "1.0.2"} x`, "", ""},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainer(t)
			if tc.config != "" {
				if err := os.WriteFile(c.path("config.json"), []byte(tc.config), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			c.checkRefused(tc.text, tc.crunText)
		})
	}
}

// TestBrokenJSONPosition: the error for invalid JSON names the line.
func TestBrokenJSONPosition(t *testing.T) {
	c := newContainer(t)
	config := "{\n  \"ociVersion\": \"1.0.2\",\n  \"process\": nonsense\n}"
	if err := os.WriteFile(c.path("config.json"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	r := c.command("create", c.id).fails("", "")
	if !strings.Contains(r.stderr, "line 3") && !strings.Contains(r.stderr, "config.json:3:") {
		t.Errorf("stderr %q does not say line 3", r.stderr)
	}
}

func TestBundleIsMissing(t *testing.T) {
	c := newContainer(t)
	c.command("create", "--bundle", c.path("no/such/dir"), c.id).fails("no such file or directory", "o such file or directory")
	c.checkNothingLeft()
}

func TestBadConfig(t *testing.T) {
	relative := func(c *container) { c.spec.Process.Cwd = "tmp" }
	cases := []struct {
		name string
		// text is the part of the error that has runc's words; "" accepts any.
		text string
		// field is what berth's error must name in addition.
		field  string
		change func(c *container)
	}{
		{"no process", "process", "process", func(c *container) { c.spec.Process = nil }},
		{"no args", "args", "process.args", func(c *container) { c.spec.Process.Args = []string{} }},
		{"relative cwd", "wd", "process.cwd", relative},
		{"no root", "", "root", func(c *container) { c.spec.Root = nil }},
		{"missing rootfs", "", "root.path", func(c *container) { c.spec.Root.Path = "nowhere" }},
		{"rootfs is a file", "", "root.path", func(c *container) { c.spec.Root.Path = "config.json" }},
		{"unknown namespace", "namespace", "linux.namespaces[6].type", func(c *container) { c.namespace("nonsense", "") }},
		{"namespace twice", "", "linux.namespaces[6]", func(c *container) {
			c.spec.Linux.Namespaces = append(c.spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.PIDNamespace})
		}},
		{"missing namespace file", "", "linux.namespaces", func(c *container) { c.namespace(specs.NetworkNamespace, "/no/such/file") }},
		{"no namespace file", "", "linux.namespaces", func(c *container) { c.namespace(specs.NetworkNamespace, "/dev/null") }},
		{"namespace file of another type", "", "linux.namespaces", func(c *container) {
			c.namespace(specs.NetworkNamespace, "/proc/self/ns/uts")
		}},
		{"hostname without uts namespace", "", "hostname", func(c *container) { c.without(specs.UTSNamespace) }},
		{"masked paths without mount namespace", "", "linux.maskedPaths", func(c *container) { c.without(specs.MountNamespace) }},
		{"unknown rlimit", "rlimit", "process.rlimits[0].type", func(c *container) {
			c.spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NONSENSE", Hard: 1, Soft: 1}}
		}},
		{"rlimit twice", "", "process.rlimits[1]", func(c *container) {
			l := specs.POSIXRlimit{Type: "RLIMIT_CORE", Hard: 0, Soft: 0}
			c.spec.Process.Rlimits = []specs.POSIXRlimit{l, l}
		}},
		{"unknown mount type", "", "mounts[6]", func(c *container) { c.mount("/mnt", "nonsense", "nonsense") }},
		{"unknown tmpfs option", "", "mounts[6]", func(c *container) { c.mount("/mnt", "tmpfs", "tmpfs", "nonsense") }},
		{"bind of nothing", "", "mounts[6]", func(c *container) { c.mount("/mnt", "bind", "/no/such/source", "bind") }},
		{"NUL in a mount destination", "", "mounts[6]", func(c *container) { c.mount("/mnt\x00/x", "tmpfs", "tmpfs") }},
		{"mount inside proc", "", "mounts[6]", func(c *container) { c.mount("/proc/self", "tmpfs", "tmpfs") }},
		{"bad sysctl", "sysctl", "linux.sysctl", func(c *container) { c.spec.Linux.Sysctl = map[string]string{"vm.swappiness": "1"} }},
		{"kernel.hostname as a sysctl", "", "linux.sysctl", func(c *container) {
			c.spec.Linux.Sysctl = map[string]string{"kernel.hostname": "x"}
		}},
		{"net sysctl of the host", "", "linux.sysctl", func(c *container) {
			c.without(specs.NetworkNamespace)
			c.spec.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1"}
		}},
		{"bad propagation", "", "linux.rootfsPropagation", func(c *container) { c.spec.Linux.RootfsPropagation = "nonsense" }},
		{"bad device type", "", "linux.devices[0]", func(c *container) {
			c.spec.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/x", Type: "z"}}
		}},
		{"NUL in an argument", "", "process.args", func(c *container) { c.args("/bin/true", "a\x00b") }},
		{"environment without =", "", "process.env", func(c *container) { c.spec.Process.Env = []string{"NONSENSE"} }},
		{"time offsets without a time namespace", "", "linux.timeOffsets", func(c *container) {
			c.spec.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: 1}}
		}},
		{"oom_score_adj out of range", "", "process.oomScoreAdj", func(c *container) {
			n := 1001
			c.spec.Process.OOMScoreAdj = &n
		}},
		{"hook with a relative path", "", "hooks", func(c *container) {
			c.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "bin/true"}}}
		}},
		{"memory limit that is too large for nothing", "", "linux.resources.memory", func(c *container) {
			n := int64(-2)
			c.spec.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &n}}
		}},
		{"device rule without access", "", "linux.resources.devices[0]", func(c *container) {
			c.spec.Linux.Resources = &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: true, Type: "c"}}}
		}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainer(t)
			tc.change(c)
			c.write()
			c.checkRefused(tc.text, "")
			if suite.name != "berth" {
				return
			}
			if r := c.command("create", c.id); !strings.Contains(r.stderr, tc.field) {
				t.Errorf("stderr %q does not name %s", r.stderr, tc.field)
			}
		})
	}
}

// TestBadConfigWarns: mistakes that no runtime refuses.
func TestBadConfigWarns(t *testing.T) {
	cases := []struct {
		name   string
		change func(c *container)
	}{
		{"unknown capability", func(c *container) {
			caps := c.spec.Process.Capabilities
			caps.Bounding = append(caps.Bounding, "CAP_NONSENSE")
		}},
		{"relative mount destination", func(c *container) { c.mount("mnt", "tmpfs", "tmpfs") }},
		{"ambient capability that is not inheritable", func(c *container) {
			c.spec.Process.Capabilities.Ambient = []string{"CAP_KILL"}
		}},
		{"kernel memory", func(c *container) {
			n := int64(1 << 30)
			c.spec.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Kernel: &n}}
		}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainer(t).sh("echo fine")
			tc.change(c)
			if r := c.run().must(); r.out != "fine\n" {
				t.Errorf("printed %q", r.out)
			}
		})
	}
}

func TestUnknownConfigKeys(t *testing.T) {
	c := newContainer(t).sh("echo fine")
	c.write()
	var doc map[string]any
	readJSON(t, c.path("config.json"), &doc)
	doc["unknown"] = map[string]any{"a": 1}
	doc["vm"] = map[string]any{"kernel": map[string]any{"path": "/x"}}
	doc["process"].(map[string]any)["unknown"] = true
	writeJSON(t, c.path("config.json"), doc)
	if r := c.command("run", c.id).must(); r.out != "fine\n" {
		t.Errorf("printed %q", r.out)
	}
}

func TestBadID(t *testing.T) {
	long := strings.Repeat("x", 100<<10) // the most that one argument can be is 128 KiB
	for _, id := range []string{"", ".", "..", "a/b", "../x", "a b", "a\nb", "ä", long} {
		t.Run(shortenID(id), func(t *testing.T) {
			c := newContainer(t)
			c.write()
			before := tree(t, c.dir)
			for _, args := range [][]string{{"create", id}, {"run", id}, {"state", id}, {"delete", "--force", id}} {
				r := c.command(args...)
				// This container never exists, so there is nothing to delete.
				if r.status <= 0 && args[0] != "delete" {
					t.Errorf("%s: status %d", args[0], r.status)
				}
			}
			if after := tree(t, c.dir); after != before {
				t.Errorf("files before:\n%s\nafter:\n%s", before, after)
			}
			if _, err := os.Stat(c.path("config.json")); err != nil {
				t.Error(err)
			}
		})
	}
}

func shortenID(id string) string {
	if len(id) > 20 {
		return "long"
	}
	return "id " + id
}

// tree lists the files below dir, except the output of commands and an empty runtime root.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		name := d.Name()
		switch {
		case err != nil:
			return err
		case name == "rootfs" || name == "work":
			return filepath.SkipDir
		case strings.HasPrefix(name, "std") || name == "state" || strings.HasPrefix(name, "."):
			return nil
		}
		b.WriteString(path + "\n")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestUnusableRoot(t *testing.T) {
	for _, root := range []string{"/proc/nowhere", "config.json"} {
		t.Run(root, func(t *testing.T) {
			c := newContainer(t)
			c.write()
			bad := root
			if !filepath.IsAbs(bad) {
				bad = c.path(root) // a file
			}
			c.global = []string{"--root", bad}
			c.command("create", c.id).fails("", "")
			c.command("run", c.id).fails("", "")
			c.checkNothingLeft()
		})
	}
}

func TestCommandCannotRun(t *testing.T) {
	cases := []struct {
		name, arg, text string
	}{
		{"absolute path", "/no/such/file", `exec: "/no/such/file": stat /no/such/file: no such file or directory`},
		{"not in PATH", "no-such-command", `exec: "no-such-command": executable file not found in $PATH`},
		{"directory", "/etc", `exec: "/etc": is a directory: permission denied`},
		{"not executable", "/etc/passwd", `exec: "/etc/passwd": permission denied`},
		{"below a file", "/etc/passwd/x", "not a directory"},
		{"empty", "", ""},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainer(t).args(tc.arg)
			c.write()
			c.checkRefused(tc.text, "")
		})
	}
}

// TestExecFailsInStart: if only execve(2) can refuse the program, start reports it, in the words
// that create uses for other programs.
func TestExecFailsInStart(t *testing.T) {
	cases := []struct{ name, content, text string }{
		{"bad format", "neither ELF nor script\n", "exec format error"},
		{"interpreter is missing", "#!/no/such/interpreter\n", "no such file or directory"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainer(t).args("/prog")
			if err := os.WriteFile(c.rootfs("prog"), []byte(tc.content), 0o755); err != nil {
				t.Fatal(err)
			}
			c.create()
			c.command("start", c.id).fails(tc.text, tc.text)
			c.wait()
			c.status(specs.StateStopped)
			c.command("delete", c.id).must()
			c.run().fails(tc.text, tc.text)
			c.checkNothingLeft()
		})
	}
}

// TestExecutableVanishes removes the command between create and start.
func TestExecutableVanishes(t *testing.T) {
	c := newContainer(t).args("/prog")
	if err := os.WriteFile(c.rootfs("prog"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	c.create()
	if err := os.Remove(c.rootfs("prog")); err != nil {
		t.Fatal(err)
	}
	c.command("start", c.id).fails("no such file or directory", "no such file")
	c.wait()
}

func writeJSON(t *testing.T, path string, doc any) {
	t.Helper()
	data := marshal(t, doc)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
