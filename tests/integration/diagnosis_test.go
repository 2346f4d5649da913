// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// checked is what `check --format json` prints.
type checked struct {
	Errors, Warnings int
	Problems         []struct {
		Line, Column                        int
		Severity, Field, Reason, Suggestion string
	}
	Plan []struct {
		Step    string
		Actions []string
	}
}

func (c *container) check(status int, options ...string) *checked {
	c.t.Helper()
	r := c.command(append([]string{"check", "--format", "json"}, options...)...).code(status)
	v := new(checked)
	decode(c.t, r.out, v)
	if n := strings.Count(r.stderr, "\n"); n != status {
		c.t.Errorf("check: %d lines on stderr: %q", n, r.stderr)
	}
	return v
}

// TestCheckAgreesWithCreate: what create accepts, check accepts, and what it refuses, check explains
// with the same words. Neither leaves anything.
func TestCheckAgreesWithCreate(t *testing.T) {
	onlyBerth(t)
	for _, test := range []struct {
		name   string
		change func(c *container)
		field  string
	}{
		{"good", func(*container) {}, ""},
		{"cwd", func(c *container) { c.spec.Process.Cwd = "tmp" }, "process.cwd"},
		{"mount option", func(c *container) { c.mount("/data", "bind", c.dir, "bind", "nosiud") }, "mounts"},
		{"source", func(c *container) { c.mount("/data", "bind", "/no/such/file", "bind") }, "mounts"},
		{"seccomp", func(c *container) {
			c.spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: "SCMP_ACT_DENY"}
		}, "linux.seccomp.defaultAction"},
		{"namespace", func(c *container) { c.namespace(specs.UTSNamespace, "/proc/self/ns/net") }, "linux.namespaces"},
		{"hook", func(c *container) {
			c.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/no/such/hook"}}}
		}, "hooks.createRuntime[0].path"},
		{"program", func(c *container) { c.args("/no/such/program") }, "process.args[0]"},
		{"interpreter", func(c *container) {
			script := c.rootfs("script")
			if err := os.WriteFile(script, []byte("#!/no/such/interpreter\n"), 0o755); err != nil {
				c.t.Fatal(err)
			}
			c.args("/script")
		}, "process.args[0]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newContainer(t).args("/bin/sh", "-c", "true")
			test.change(c)
			c.write()
			if test.field == "" {
				if v := c.check(0, "--plan"); v.Errors > 0 || len(v.Plan) == 0 {
					t.Errorf("%+v", v)
				}
				c.checkNothingLeft()
				c.run().must()
				return
			}
			v := c.check(1)
			if !slices.ContainsFunc(v.Problems, func(p struct {
				Line, Column                        int
				Severity, Field, Reason, Suggestion string
			},
			) bool {
				return p.Severity == "error" && strings.HasPrefix(p.Field, test.field) && p.Line > 0
			}) {
				t.Errorf("no error of %s: %+v", test.field, v.Problems)
			}
			c.checkNothingLeft()
			if c.command("run", c.id).status == 0 {
				t.Error("but it runs")
			}
		})
	}
}

// TestCheckHostileFiles: nothing in a root file system makes check wait, or leads it out.
func TestCheckHostileFiles(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t)
	if err := unix.Mkfifo(c.rootfs("fifo"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/../../../../../../etc/passwd", c.rootfs("out")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("loop", c.rootfs("loop")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ program, reason string }{
		{"/fifo", "a FIFO"},
		{"/out", ""},
		{"/loop", "too many links"},
		{"/bin", "is a directory"},
		{"/etc/passwd/x", "is not a directory"},
	} {
		c.args(test.program).write()
		if v := c.check(1); !strings.Contains(fmt.Sprint(v.Problems), test.reason) {
			t.Errorf("%s: %+v", test.program, v.Problems)
		}
	}
}

// TestCheckStatus: the exit status of warnings, and of a config that is not there.
func TestCheckStatus(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).args("/bin/true")
	c.spec.Process.Capabilities.Bounding = append(c.spec.Process.Capabilities.Bounding, "CAP_NONE")
	c.write()
	if v := c.check(0); v.Warnings == 0 {
		t.Errorf("no warning: %+v", v)
	}
	c.check(1, "--strict")
	c.command("check", "/no/such/bundle").fails("not found", "")
	c.command("check", "--format", "xml").fails("invalid format", "")
	c.command("check", ".", ".").fails("argument", "")
	r := c.command("check").code(0)
	if !strings.Contains(r.out, "config.json:") || !strings.Contains(r.out, ": warning: process.capabilities: ") || !strings.Contains(r.out, "0 errors, 1 warning") {
		t.Errorf("prints %q", r.out)
	}
}

// TestPlanIsWhatCreateDoes: the cgroup files that the plan names have the values after the create.
func TestPlanIsWhatCreateDoes(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).args("/bin/sleep", "1000")
	needController(t, "pids")
	needRootsCgroup(t)
	pids := int64(77)
	c.spec.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &pids}}
	c.write()
	var write string
	for _, step := range c.check(0, "--plan").Plan {
		for _, action := range step.Actions {
			if strings.HasPrefix(action, "write ") && strings.Contains(action, "pids.max") {
				write = action
			}
		}
	}
	file, rest, ok := strings.Cut(strings.TrimPrefix(write, "write "), ": ")
	if !ok || rest != "77 (linux.resources.pids.limit)" {
		t.Fatalf("the plan writes %q", write)
	}
	c.create()
	data, err := os.ReadFile(strings.ReplaceAll(file, "CONTAINER", c.id))
	if err != nil || strings.TrimSpace(string(data)) != "77" {
		t.Errorf("after create: %q, %v", data, err)
	}
}

// doctored is what `doctor --format json` prints.
type doctored struct {
	Missing    int
	Conditions []struct {
		Area, Name, Status, Found, Effect, Mend, Command string
		Essential                                        bool
		NeededBy                                         []string
	}
}

// TestDoctor: the host on which these tests run can run containers.
func TestDoctor(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t)
	v := new(doctored)
	decode(t, c.command("doctor", "--format", "json").must().out, v)
	if v.Missing > 0 || len(v.Conditions) < 30 {
		t.Errorf("%+v", v)
	}
	for _, o := range v.Conditions {
		if o.Status == "missing" && o.Mend == "" && o.Found == "" {
			t.Errorf("%+v does not say how to mend it", o)
		}
	}
	text := c.command("doctor").must().out
	for _, want := range []string{"kernel\n", "ok       clone3\n", "cgroup\n", "engines\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	c.command("doctor", "x").fails("argument", "")
	c.command("doctor", "--format=x").fails("invalid format", "")
	c.command("doctor", "--for", "/no/such/file").fails("no", "")
}

// TestDoctorFor: only what the config needs, and a status for what is missing.
func TestDoctorFor(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).args("/bin/true")
	c.write()
	v := new(doctored)
	decode(t, c.command("doctor", "--for", c.dir, "--format", "json").must().out, v)
	for _, o := range v.Conditions {
		if !o.Essential && len(o.NeededBy) == 0 {
			t.Errorf("%+v is not needed", o)
		}
	}
	c.spec.Process.SelinuxLabel = "system_u:system_r:container_t:s0"
	c.spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_LOG"}}
	c.write()
	r, state := c.command("doctor", "--for", c.path("config.json")), "ok     "
	if haveSELinux() {
		r.must()
	} else {
		r.fails("missing what it needs: 1", "")
		state = "missing"
	}
	for _, want := range []string{state + "  SELinux (for process.selinuxLabel)\n", "ok       SECCOMP_FILTER_FLAG_LOG (for linux.seccomp.flags)\n"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in %s", want, r.out)
		}
	}
}

// TestDoctorCriu: doctor asks criu itself.
func TestDoctorCriu(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t)
	fake := c.path("criu")
	script := "#!/bin/sh\ncase $1 in\n--version) echo Version: 9.9;;\ncheck) echo 'Error (x.c:1): no such feature'; exit 1;;\nesac\n"
	if err := os.WriteFile(fake, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(c.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	out := c.command("--criu", fake, "doctor").must().out
	if !strings.Contains(out, "criu: Version: 9.9") || suite.users.name == "root" && !strings.Contains(out, "missing  criu: Version: 9.9: criu check: Error (x.c:1): no such feature") {
		t.Errorf("%s", out)
	}
}

// TestCheckNoexec: a program on a file system that is mounted noexec.
func TestCheckNoexec(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).args("/bin/true").mount("/bin", "bind", "rootfs/bin", "bind", "noexec")
	c.write()
	if v := c.check(1); !strings.Contains(fmt.Sprint(v.Problems), "/bin is mounted noexec") {
		t.Errorf("%+v", v.Problems)
	}
}
