// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestRuntimes: what engines are told about runtimes is found in their files, and nothing else.
func TestRuntimes(t *testing.T) {
	for name, test := range map[string]struct {
		read func(string) (map[string]string, error)
		text string
		want map[string]string
		bad  bool
	}{
		"docker":         {dockerRuntimes, `{"runtimes": {"berth": {"path": "/b/berth"}, "x": {"runtimeType": "io.x"}}}`, map[string]string{"berth": "/b/berth"}, false},
		"docker, broken": {dockerRuntimes, `{"runtimes": [`, nil, true},
		"docker, list":   {dockerRuntimes, `{"runtimes": []}`, nil, true},
		"podman":         {tomlRuntimes, "[engine]\nruntime = \"crun\"\n[engine.runtimes]\nberth = [\"/b/berth\",\n \"/c\"]\n# x = [\"y\"]\n", map[string]string{"berth": "/b/berth"}, false},
		"podman, lines":  {tomlRuntimes, "[engine.runtimes]\nberth = [\n \"/b/berth\",\n]\n", map[string]string{"berth": "/b/berth"}, false},
		"crio":           {tomlRuntimes, "[crio.runtime.runtimes.berth]\nruntime_path = '/b/berth'\n", map[string]string{"berth": "/b/berth"}, false},
		"containerd": {
			tomlRuntimes,
			"[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.berth]\nruntime_type = \"x\"\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.berth.options]\n  BinaryName = \"/b/berth\"\n",
			map[string]string{"berth": "/b/berth"},
			false,
		},
		"nothing": {tomlRuntimes, "\x00[[[\n= =\n[", nil, false},
	} {
		got, err := test.read(test.text)
		if (err != nil) != test.bad || err == nil && !maps.Equal(got, test.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestEngine(t *testing.T) {
	dir := t.TempDir()
	file, program := filepath.Join(dir, "daemon.json"), filepath.Join(dir, "berth")
	e := engine{"Test", []string{"no-such-program"}, []string{filepath.Join(dir, "*.json")}, dockerRuntimes, "mend it"}
	check := func(status Status, found string) {
		t.Helper()
		if c := e.examine(); c.Status != status || !strings.Contains(c.Found, found) {
			t.Errorf("%+v, want %s: %s", c, status, found)
		}
	}
	check(Unused, "not installed")
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write(file, `{"runtimes": {"x": {"path": "`+program+`"}}}`, 0o644)
	check(Missing, program)
	write(program, "", 0o755)
	check(OK, "x = "+program)
	write(file, `{`, 0o644)
	check(Missing, file)
	e.programs = []string{"sh"}
	write(file, `{}`, 0o644)
	check(Limited, "not configured in "+file)
}

func TestRanges(t *testing.T) {
	file := filepath.Join(t.TempDir(), "subuid")
	if err := os.WriteFile(file, []byte("# x\nann:100000:65536\nbob:1:x\n1000:300000:10\nann:5\n\nann:-1:7\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, id string
		want     uint64
	}{{"ann", "1000", 65536 + 10 + 7}, {"bob", "7", 0}, {"eve", "8", 0}} {
		if got, err := rangesIn(file, test.name, test.id); got != test.want || err != nil {
			t.Errorf("%s: %d, %v, want %d", test.name, got, err, test.want)
		}
	}
	if _, err := rangesIn(file+"x", "ann", "1"); err == nil {
		t.Error("a missing file is no error")
	}
}

// TestNeeds: a plan's fields, and the conditions that they need.
func TestNeeds(t *testing.T) {
	limit, quota := int64(1), int64(1000)
	cfg := &configs.Config{
		Namespaces:  configs.Namespaces{{Type: configs.NewUser}, {Type: configs.NewNet, Path: "/x"}},
		UIDMappings: []configs.IDMap{{Size: 10}}, GIDMappings: []configs.IDMap{{Size: 10}},
		Mounts:  []configs.Mount{{Field: "mounts[0]", IDMap: "idmap"}, {Field: "mounts[1]", RecAttrSet: 1}},
		Process: configs.Process{AppArmorProfile: "p", SELinuxLabel: "l", Landlock: &configs.Landlock{}},
		Seccomp: &specs.LinuxSeccomp{DefaultAction: specs.ActNotify, Flags: []specs.LinuxSeccompFlag{"F"}},
		Cgroup: configs.Cgroup{Rootless: true, Systemd: true, Resources: &specs.LinuxResources{
			Memory: &specs.LinuxMemory{Limit: &limit, Swap: &limit}, CPU: &specs.LinuxCPU{Quota: &quota, Cpus: "0"},
			Pids: &specs.LinuxPids{Limit: &limit}, BlockIO: &specs.LinuxBlockIO{}, Unified: map[string]string{"hugetlb.2MB.max": "0"},
		}},
		IntelRdt: &configs.IntelRdt{}, MemoryPolicy: &configs.MemoryPolicy{},
	}
	var got []string
	for _, n := range needs(cfg, 1000) {
		got = append(got, n.condition)
	}
	for _, want := range []string{
		"user namespace", "making user namespaces", "newuidmap", "newgidmap", "range in /etc/subuid", "range in /etc/subgid",
		"id-mapped mounts", "mount_setattr", "memory controller", "cpu controller", "cpuset controller", "pids controller",
		"io controller", "hugetlb controller", "swap accounting", "delegation to this user", "systemd", "resctrl", "memory policies",
		"seccomp", "seccomp notifications", "F", "Landlock", "AppArmor", "SELinux",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%q does not have %q", got, want)
		}
	}
	none := int64(-1)
	cfg.Cgroup.Resources = &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: &none, Swap: &none}, CPU: &specs.LinuxCPU{Quota: &none}, Pids: &specs.LinuxPids{Limit: &none},
	}
	for _, n := range needs(cfg, 1000) {
		if strings.HasSuffix(n.condition, " controller") {
			t.Errorf("limits of none need the %s", n.condition)
		}
	}
	if slices.Contains(got, "network namespace") {
		t.Error("a namespace that is joined need not be made")
	}
}

// TestExamine: each condition has a status and, if it is not met, says what to do.
func TestExamine(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Examine(&Options{Root: "/run/berth"}) {
		if c.Area == "" || c.Name == "" || seen[c.Name] {
			t.Errorf("%+v", c)
		}
		seen[c.Name] = true
		switch c.Status {
		case OK, Unused, Unknown:
		case Missing, Limited:
			if c.Effect == "" || c.Mend == "" && c.Found == "" {
				t.Errorf("%+v does not say what to do", c)
			}
		default:
			t.Errorf("%+v", c)
		}
	}
	cfg := &configs.Config{Process: configs.Process{SELinuxLabel: "x"}, Cgroup: configs.Cgroup{Resources: new(specs.LinuxResources)}}
	found := false
	for _, c := range Examine(&Options{Root: "/run/berth", For: cfg}) {
		found = found || c.Name == "SELinux"
		if !c.Essential && len(c.NeededBy) == 0 {
			t.Errorf("%+v is not needed", c)
		}
	}
	if !found {
		t.Error("SELinux is not among what is needed")
	}
}

// TestMountHierarchy: a controller that cgroup v2 uses has to be turned off there first.
func TestMountHierarchy(t *testing.T) {
	dir := t.TempDir()
	for used, first := range map[string]string{
		"":             "mkdir ",
		"io hugetlb\n": "echo -hugetlb >" + dir + "/cgroup.subtree_control; mkdir ",
		"hugetlbx\n":   "mkdir ",
	} {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte(used), 0o600); err != nil {
			t.Fatal(err)
		}
		if mend, command := mountHierarchy("hugetlb", cgroupfs.Dir(dir)); !strings.HasPrefix(command, first) || !strings.Contains(mend, "mount its hierarchy") {
			t.Errorf("in use: %q: %q, %q", used, mend, command)
		}
	}
	if _, command := mountHierarchy("hugetlb", cgroupfs.Dir(dir+"/absent")); !strings.HasPrefix(command, "mkdir ") {
		t.Errorf("no hybrid host: %q", command)
	}
}
