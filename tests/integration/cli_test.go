// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/berth-run/berth/tests/internal/bundle"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"
)

func TestVersion(t *testing.T) {
	for _, flag := range []string{"--version", "-v", "-version"} {
		t.Run(flag, func(t *testing.T) {
			c := newContainer(t)
			r := c.command(flag).must()
			first, rest, _ := strings.Cut(r.out, "\n")
			if want := suite.name + " version "; suite.name != "berth" && !strings.HasPrefix(first, want) {
				t.Errorf("first line %q, want %q…", first, want)
			}
			if !regexp.MustCompile(`^\w+ version \d+\.\d+`).MatchString(first) {
				t.Errorf("first line %q", first)
			}
			if !regexp.MustCompile(`(?m)^spec: \d+\.\d+\.\d+`).MatchString(rest) {
				t.Errorf("no line of the spec in %q", rest)
			}
			if r.stderr != "" {
				t.Errorf("stderr %q", r.stderr)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	c := newContainer(t)
	for _, args := range [][]string{{"--help"}, {"-h"}, {"create", "--help"}, {"run", "-h"}, {"kill", "--help"}, {"delete", "--help"}} {
		r := c.command(args...).code(0)
		if !strings.Contains(strings.ToLower(r.out), "usage") {
			t.Errorf("%v: %q", args, r.out)
		}
		if suite.name == "crun" {
			continue
		}
		for _, heading := range []string{"NAME:\n   " + suite.name, "\nUSAGE:\n", "OPTIONS:\n"} {
			if !strings.Contains(r.out, heading) {
				t.Errorf("%v: no %q in %q", args, heading, r.out)
			}
		}
	}
}

func TestUsageErrors(t *testing.T) {
	c := newContainer(t)
	c.write()
	cases := [][]string{
		{"no-such-command"},
		{"--no-such-flag", "list"},
		{"state"},
		{"start"},
		{"kill"},
		{"delete"},
		{"create"},
		{"run"},
		{"state", "a", "b"},
		{"start", "--no-such-flag", "a"},
		{"create", "a", "b"},
		{"list", "--format", "xml"},
		{"--log-format", "xml", "list"},
	}
	for _, args := range cases {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			if findGap(t.Name()) != "" {
				t.Skip(findGap(t.Name()))
			}
			if r := c.command(args...); r.status <= 0 {
				t.Errorf("status %d, stdout %q, stderr %q", r.status, r.out, r.stderr)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(c.state, "a")); err == nil {
		t.Error("a container was made")
	}
}

func TestFeatures(t *testing.T) {
	c := newContainer(t)
	r := c.command("features").must()
	if r.stderr != "" {
		t.Errorf("stderr %q", r.stderr)
	}
	var f features.Features
	decode(t, r.out, &f)
	if f.OCIVersionMin != "1.0.0" || f.OCIVersionMax < "1.0.2" {
		t.Errorf("versions %q to %q", f.OCIVersionMin, f.OCIVersionMax)
	}
	hooks := []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}
	for _, h := range hooks {
		if !slices.Contains(f.Hooks, h) {
			t.Errorf("no hook %s", h)
		}
	}
	for _, o := range []string{"ro", "rbind", "rprivate", "noexec"} {
		if !slices.Contains(f.MountOptions, o) {
			t.Errorf("no mount option %s", o)
		}
	}
	if f.Linux == nil || f.Linux.Cgroup == nil {
		t.Fatalf("no linux.cgroup: %s", r.out)
	}
	if !*f.Linux.Cgroup.V1 || !*f.Linux.Cgroup.V2 {
		t.Error("cgroup v1 or v2 is missing")
	}
	for _, ns := range []string{"cgroup", "ipc", "mount", "network", "pid", "uts"} {
		if !slices.Contains(f.Linux.Namespaces, ns) {
			t.Errorf("no namespace %s", ns)
		}
	}
	if !slices.Contains(f.Linux.Capabilities, "CAP_SYS_ADMIN") {
		t.Error("no capability CAP_SYS_ADMIN")
	}
}

func TestSpec(t *testing.T) {
	c := newContainer(t)
	c.command("spec").must().silent()
	var s specs.Spec
	readJSON(t, c.path("config.json"), &s)
	if s.Process == nil || !slices.Equal(s.Process.Args, []string{"sh"}) || !s.Process.Terminal {
		t.Errorf("process %+v", s.Process)
	}
	if s.Root == nil || s.Root.Path != "rootfs" || !s.Root.Readonly {
		t.Errorf("root %+v", s.Root)
	}
	c.command("spec").fails("", "") // it does not overwrite

	// The template runs, except that it asks for a terminal.
	s.Process.Terminal, s.Process.Args, s.Version = false, []string{"echo", "from the template"}, bundle.Version
	s.Linux.CgroupsPath = c.cgroup
	// The machine may be unable to raise a limit.
	s.Process.Rlimits = nil
	c.spec = &s
	if r := c.run().must(); r.out != "from the template\n" {
		t.Errorf("printed %q", r.out)
	}
}

func TestSpecBundle(t *testing.T) {
	c := newContainer(t)
	dir := c.path("other")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	suite.users.mapOwners(c)
	c.command("spec", "--bundle", dir).must().silent()
	var s specs.Spec
	readJSON(t, filepath.Join(dir, "config.json"), &s)
}

func TestSpecRootless(t *testing.T) {
	c := newContainer(t)
	c.command("spec", "--rootless").must().silent()
	var s specs.Spec
	readJSON(t, c.path("config.json"), &s)
	hasUser, hasNet := false, false
	for _, ns := range s.Linux.Namespaces {
		hasUser = hasUser || ns.Type == specs.UserNamespace
		hasNet = hasNet || ns.Type == specs.NetworkNamespace
	}
	if !hasUser || hasNet {
		t.Errorf("namespaces %+v", s.Linux.Namespaces)
	}
	if len(s.Linux.UIDMappings) != 1 || len(s.Linux.GIDMappings) != 1 || s.Linux.UIDMappings[0].Size != 1 {
		t.Errorf("maps %+v %+v", s.Linux.UIDMappings, s.Linux.GIDMappings)
	}
	if s.Linux.Resources != nil {
		t.Errorf("resources %+v", s.Linux.Resources)
	}
	for _, m := range s.Mounts {
		if m.Destination == "/sys" && m.Type == "sysfs" {
			t.Error("/sys is a sysfs, which needs an own network namespace")
		}
		for _, o := range m.Options {
			if strings.HasPrefix(o, "gid=") || strings.HasPrefix(o, "uid=") {
				t.Errorf("%s: option %s", m.Destination, o)
			}
		}
	}
}

func TestList(t *testing.T) {
	c := newContainer(t)
	if r := c.command("list", "--quiet"); r.out != "" {
		t.Errorf("list of nothing printed %q", r.out)
	}
	c.running()
	other := anotherContainer(t, c)
	other.create()

	ids := strings.Fields(c.command("list", "-q").must().out)
	slices.Sort(ids)
	want := []string{c.id, other.id}
	slices.Sort(want)
	if !slices.Equal(ids, want) {
		t.Errorf("ids %q, want %q", ids, want)
	}

	table := strings.Split(c.command("list").must().out, "\n")
	header := strings.Fields(table[0])
	if len(header) < 5 || header[1] != "PID" || header[2] != "STATUS" || header[3] != "BUNDLE" {
		t.Errorf("header %q", table[0])
	}
	if !strings.Contains(strings.Join(table[1:], "\n"), "running") || len(table) != 4 {
		t.Errorf("table %q", table)
	}

	var entries []struct {
		ID, Status, Bundle string
		PID                int
		Created            time.Time
	}
	r := c.command("list", "--format", "json").must()
	decode(t, r.out, &entries)
	if len(entries) != 2 {
		t.Fatalf("entries %+v", entries)
	}
	for _, e := range entries {
		wantC, status := c, "running"
		if e.ID == other.id {
			wantC, status = other, "created"
		}
		if e.ID != wantC.id || e.PID != wantC.pid || e.Bundle != wantC.dir || e.Status != status {
			t.Errorf("entry %+v, want status %q of %s", e, status, wantC.id)
		}
	}
}

// TestListOwner checks the owner's name and that -f is the short form.
// TestListDot: an ID may begin with a dot.
func TestListDot(t *testing.T) {
	c := newContainer(t)
	c.id = "." + c.id
	c.create()
	want(t, "list", c.command("list", "-q").must().out, c.id+"\n")
}

func TestListOwner(t *testing.T) {
	c := newContainer(t).create()
	r := c.command("list", "-f", "json").must()
	var entries []struct{ Owner, ID string }
	decode(t, r.out, &entries)
	owner := map[bool]string{false: "root", true: "berthtest"}[suite.users.rootless()]
	if len(entries) != 1 || entries[0].Owner != owner {
		t.Errorf("entries %+v", entries)
	}
}

// TestListBrokenEntry: one of the directories below the runtime root is not a container.
func TestListBrokenEntry(t *testing.T) {
	c := newContainer(t).create()
	if err := os.Mkdir(filepath.Join(c.state, "broken"), 0o700); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(filepath.Join(c.state, "broken"))
	r := c.command("list", "-q")
	if strings.TrimSpace(r.out) != c.id {
		t.Errorf("status %d, listed %q; stderr %q", r.status, r.out, r.stderr)
	}
}

func TestListMissingRoot(t *testing.T) {
	c := newContainer(t)
	r := c.command("list", "--format", "json")
	if r.status != 0 {
		return // as runc 1.1 does
	}
	var entries []any
	if decode(t, r.out, &entries); len(entries) > 0 {
		t.Errorf("printed %q", r.out)
	}
}

// logLine is a line of a JSON log.
type logLine struct {
	Level, Msg string
	Time       time.Time
}

// readLog reads a JSON log. Every line must be valid.
func readLog(t *testing.T, path string) []logLine {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []logLine
	for dec := json.NewDecoder(f); dec.More(); {
		var l logLine
		if err := dec.Decode(&l); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		lines = append(lines, l)
	}
	return lines
}

func TestLogJSON(t *testing.T) {
	c := newContainer(t)
	log := c.path("log.json")
	c.global = []string{"--log", log, "--log-format", "json"}
	before := time.Now().Add(-2 * time.Second)
	r := c.command("state", c.id).code(1)
	lines := readLog(t, log)
	if len(lines) != 1 || lines[0].Level != "error" || lines[0].Msg == "" {
		t.Fatalf("log %+v", lines)
	}
	if at := lines[0].Time; at.Before(before) || at.After(time.Now().Add(2*time.Second)) {
		t.Errorf("time %v", at)
	}
	if !strings.Contains(r.stderr, lines[0].Msg) && suite.name != "crun" {
		t.Errorf("stderr %q does not have the message of the log: %q", r.stderr, lines[0].Msg)
	}
	// A second command appends to the log.
	c.command("start", c.id).code(1)
	if lines = readLog(t, log); len(lines) != 2 {
		t.Errorf("log after a second command: %+v", lines)
	}
}

// TestLogQuiet: a normal life of a container logs nothing.
func TestLogQuiet(t *testing.T) {
	c := newContainer(t)
	log := c.path("log.json")
	c.global = []string{"--log", log, "--log-format=json"}
	c.running()
	c.command("kill", c.id, "KILL").must().silent()
	c.wait()
	c.command("delete", c.id).must().silent()
	if data, err := os.ReadFile(log); err == nil && len(data) > 0 {
		t.Errorf("log %q", data)
	}
}

func TestLogText(t *testing.T) {
	c := newContainer(t)
	log := c.path("log.txt")
	c.global = []string{"--log", log, "--log-format", "text"}
	c.command("state", c.id).code(1)
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(data), "\n") != 1 || strings.HasPrefix(string(data), "{") {
		t.Errorf("log %q", data)
	}
}

func TestLogOfFailedCreate(t *testing.T) {
	c := newContainer(t).args("/no/such/file")
	log := c.path("log.json")
	c.global = []string{"--log", log, "--log-format", "json"}
	c.tryCreate().code(1)
	lines := readLog(t, log)
	if len(lines) == 0 {
		t.Fatal("no log")
	}
	last := lines[len(lines)-1]
	if last.Level != "error" || !strings.Contains(strings.ToLower(last.Msg), "no such file or directory") {
		t.Errorf("last line %+v", last)
	}
}

func TestLogUnwritable(t *testing.T) {
	c := newContainer(t)
	c.global = []string{"--log", c.path("no/such/dir/log")}
	c.command("list").fails("no such file or directory", "")
}

func TestDebug(t *testing.T) {
	c := newContainer(t).sh("echo fine")
	log := c.path("log.json")
	c.global = []string{"--debug", "--log", log, "--log-format", "json"}
	if r := c.run().must(); r.out != "fine\n" {
		t.Errorf("printed %q", r.out)
	}
	for _, l := range readLog(t, log) {
		if l.Level == "error" {
			t.Errorf("log %+v", l)
		}
	}
}

func TestLogLevel(t *testing.T) {
	c := newContainer(t).sh("echo fine")
	for _, level := range []string{"debug", "warning", "error"} {
		c.global = []string{"--log-level", level, "--log", c.path(level)}
		c.run().must()
	}
	c.global = []string{"--log-level", "nonsense"}
	c.command("list").fails("", "")
}

func TestRootlessFlag(t *testing.T) {
	c := newContainer(t).sh("echo fine")
	for _, v := range []string{"auto", "false"} {
		c.global = []string{"--rootless=" + v}
		c.run().must()
	}
	c.global = []string{"--rootless", "perhaps"}
	c.run().fails("", "")
}

// TestSystemdCgroup: on a machine without systemd, --systemd-cgroup is an error.
func TestSystemdCgroup(t *testing.T) {
	c := newContainer(t)
	_, err := os.Stat("/run/systemd/system")
	only(t, err != nil, "machines without systemd")
	c.spec.Linux.CgroupsPath = "system.slice:berth:" + c.id
	c.global = []string{"--systemd-cgroup"}
	c.run().fails("systemd", "")
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	decode(t, string(data), into)
}
