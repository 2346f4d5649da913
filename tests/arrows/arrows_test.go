// SPDX-License-Identifier: Apache-2.0

// Package arrows_test checks which folder of berth imports which (the table in
// docs/architecture.md). Without it, a shortcut would compile, and the layers would erode
// unnoticed.
package arrows_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/berth-run/berth/"

// arrows lists every folder of this module and which other folders it may import, in addition to
// those below itself, border and tools. A package belongs to the entry with the longest matching
// path.
//
// The folders below libcontainer/internal are in order: none imports one that comes before it in
// its own group, and none imports libcontainer itself.
var arrows = map[string][]string{
	"cmd":      {"specconv", "libcontainer", "libcontainer/signals", "libcontainer/cgroups/stats", "libcontainer/trace", "seccomp", "nsenter/timerslack"},
	"specconv": {},

	"libcontainer": {
		room + "restore", room + "checkpoint", room + "exec", room + "create", room + "builder",
		room + "hooks", room + "notify", room + "initproc", room + "limits", room + "record", room + "preview", room + "doctor",
		room + "inspect",
		"libcontainer/options", "libcontainer/cgroups", "libcontainer/cgroups/stats", "libcontainer/rootfs", "libcontainer/network",
		"nsenter",
	},

	// These implement one command each.
	room + "inspect": {room + "attr", room + "record", "libcontainer/cgroups"},
	room + "doctor":  {room + "attr", "libcontainer/cgroups", "nsenter", "seccomp"},
	room + "preview": {room + "create", room + "attr", room + "record", "libcontainer/cgroups", "seccomp"},
	room + "restore": {
		room + "create", room + "checkpoint", room + "criu", room + "builder", room + "handover", room + "notify", room + "record",
		"libcontainer/options", "libcontainer/cgroups", "libcontainer/rootfs", "libcontainer/network", "nsenter",
	},
	room + "checkpoint": {room + "criu", room + "record", "libcontainer/options", "libcontainer/cgroups", "libcontainer/network"},
	room + "exec": {
		room + "handover", room + "initproc", room + "attr", room + "record",
		"libcontainer/options", "libcontainer/cgroups", "libcontainer/rootfs", "nsenter",
	},
	room + "create": {
		room + "builder", room + "hooks", room + "handover", room + "notify", room + "initproc", room + "attr", room + "record",
		"libcontainer/options", "libcontainer/cgroups", "libcontainer/rootfs", "libcontainer/network", "nsenter", "seccomp",
	},

	// These are used by the ones above.
	room + "builder": {
		room + "handover", room + "initproc", room + "attr", room + "record",
		"libcontainer/cgroups", "libcontainer/rootfs", "libcontainer/network", "nsenter",
	},
	room + "criu":     {room + "handover", "libcontainer/options", "libcontainer/cgroups", "libcontainer/network", "libcontainer/signals"},
	room + "initproc": {room + "attr", room + "record", "libcontainer/options", "nsenter", "seccomp"},
	room + "handover": {"libcontainer/options", "libcontainer/signals", "nsenter", "seccomp"},
	room + "notify":   {room + "record"},
	room + "hooks":    {"libcontainer/options"},
	room + "attr":     {},
	room + "limits":   {},
	room + "record":   {"libcontainer/options", "libcontainer/cgroups", "nsenter"},

	"libcontainer/options":       {"libcontainer/signals"},
	"libcontainer/cgroups":       {"libcontainer/cgroups/stats"},
	"libcontainer/cgroups/stats": {"libcontainer/cgroups"}, // its files, cgroupfs
	"libcontainer/rootfs":        {},
	"libcontainer/network":       {},
	"libcontainer/signals":       {},
	"nsenter":                    {},
	"seccomp":                    {},
	"tests":                      {},

	// These tools do not depend on containers. Their entries say what they import themselves.
	room + "userns":   {"nsenter"},
	room + "firstuse": {}, room + "inroot": {}, room + "landlock": {}, room + "mountapi": {}, room + "mountinfo": {},
	room + "osthread": {}, room + "program": {}, room + "procfs": {}, room + "procs": {}, room + "resctrl": {}, room + "steps": {},
	room + "sysfile": {}, room + "testlog": {}, room + "unixsocket": {}, "libcontainer/trace": {}, "nsenter/timerslack": {},

	// border: plans, their text form, why access to a path is denied, kinds of errors, and what a wrong
	// word may mean.
	"libcontainer/configs": {}, "libcontainer/codec": {}, "libcontainer/access": {"libcontainer/nearest"}, "libcontainer/codes": {}, "libcontainer/nearest": {},
}

const room = "libcontainer/internal/"

// tools are the folders that all of libcontainer and nsenter may import. border are those that
// every folder may import.
var (
	tools = []string{
		room + "userns", room + "firstuse", room + "inroot", room + "landlock", room + "mountapi", room + "mountinfo",
		room + "osthread", room + "program", room + "procfs", room + "procs", room + "resctrl", room + "steps", room + "sysfile",
		room + "testlog", room + "unixsocket", "libcontainer/trace", "nsenter/timerslack",
	}
	border = []string{"libcontainer/configs", "libcontainer/codec", "libcontainer/access", "libcontainer/codes", "libcontainer/nearest"}
)

// mayImport reports whether a package in the folder from may import one in the folder to.
func mayImport(from, to string) bool {
	switch {
	case from == to, slices.Contains(arrows[from], to):
		return true
	case slices.Contains(border, to):
		return !slices.Contains(border, from) || from == "libcontainer/codec"
	case slices.Contains(tools, to):
		return strings.HasPrefix(from, "libcontainer") && !slices.Contains(border, from) || from == "nsenter"
	}
	return false
}

// goPackage is a part of the output of `go list -json` for a package.
type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
	CgoFiles   []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	// The test cache only knows the files that the test itself has read, and not those that go
	// list has read. Without this, an old result would be reused.
	err := filepath.WalkDir("../..", func(_ string, _ fs.DirEntry, err error) error { return err })
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps,CgoFiles", module+"...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, stderr.String())
	}
	var packages []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// folder returns the entry of arrows to which a package of this module belongs.
func folder(importPath string) (string, bool) {
	path := strings.TrimPrefix(importPath, module)
	for {
		if _, ok := arrows[path]; ok {
			return path, true
		}
		i := strings.LastIndexByte(path, '/')
		if i < 0 || path[:i+1] == room { // a folder that is not in the table
			return "", false
		}
		path = path[:i]
	}
}

func TestArrows(t *testing.T) {
	packages := listPackages(t)
	if len(packages) < 5 {
		t.Fatalf("go list found only %d packages", len(packages))
	}
	for _, p := range packages {
		from, ok := folder(p.ImportPath)
		if !ok {
			t.Errorf("%s: in no folder of the table", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if !strings.HasPrefix(imported, module) {
				continue
			}
			to, ok := folder(imported)
			if !ok || !mayImport(from, to) {
				t.Errorf("%s imports %s: %s may import %s only", p.ImportPath, imported, from, arrows[from])
			}
		}
	}
}

// TestNoCgo: cgo would add a dynamic loader and C threads to a program that enters namespaces in
// single threads.
func TestNoCgo(t *testing.T) {
	for _, p := range listPackages(t) {
		if len(p.CgoFiles) > 0 {
			t.Errorf("%s uses cgo: %s", p.ImportPath, p.CgoFiles)
		}
	}
}

// TestStart: every command pays for what is linked into berth, even if it does not use it:
// package initialization, and the pages of the tables that this fills (GODEBUG=inittrace=1 shows
// it). Package regexp is allowed: it costs 0.05 to 0.07 of the 2 ms of CPU time of `berth state`
// (the median of 600 alternating pairs of builds with and without it; 0.02 ms are for the maps of
// package unicode), and the choice of containers by `delete --regex` must be right. So is
// crypto/sha256, which costs 0.01 to 0.03 ms (measured in the same way), since readers of our
// code know it.
func TestStart(t *testing.T) {
	checkNotLinked(t, "cmd/berth", "github.com/spf13/cobra", "net/http", "os/signal", "text/template", "text/template/parse",
		"github.com/gdamore/tcell/v2")
}

// TestViewer: the program for terminals has nothing to do with containers. It gets its numbers from
// berth, which has been given the rights for that.
func TestViewer(t *testing.T) {
	checkNotLinked(t, "cmd/berth-top", module+"libcontainer", module+"nsenter", module+"specconv", module+"cmd/internal/cli")
}

// TestBuilderImports: the builder runs on a thread inside a container, where name lookups would
// read the container's files, and a goroutine would run on another thread, outside of it.
func TestBuilderImports(t *testing.T) {
	checkNotLinked(t, "libcontainer/rootfs", "net", "os/user", "os/exec", "os/signal", "net/http")
}

// checkNotLinked checks that a package of this module depends on none of the forbidden ones.
func checkNotLinked(t *testing.T, name string, forbidden ...string) {
	t.Helper()
	packages := listPackages(t)
	i := slices.IndexFunc(packages, func(p goPackage) bool { return p.ImportPath == module+name })
	if i < 0 {
		t.Fatalf("no %s found", name)
	}
	for _, dep := range forbidden {
		if slices.Contains(packages[i].Deps, dep) {
			t.Errorf("%s depends on %s", name, dep)
		}
	}
}

// TestTimerSlack: whatever starts a program gives it the timer slack that berth has got itself
// (package timerslack). Package firstuse is for benchmarks.
func TestTimerSlack(t *testing.T) {
	starts := regexp.MustCompile(`exec\.Command|ForkExec\(|StartProcess\(`)
	found := 0
	for _, dir := range [...]string{"cmd", "libcontainer", "nsenter", "seccomp", "specconv"} {
		err := filepath.WalkDir("../../"+dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "/firstuse.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil || !starts.Match(text) {
				return err
			}
			found++
			if !bytes.Contains(text, []byte("timerslack.Restore()")) && !strings.Contains(path, "/cmd/berth-top/") { // which is started with its caller's
				t.Errorf("%s starts a program without timerslack.Restore", path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found == 0 {
		t.Error("nothing that starts a program was found")
	}
}

func TestFolder(t *testing.T) {
	tests := []struct {
		path, want string
		ok         bool
	}{
		{"libcontainer", "libcontainer", true},
		{"libcontainer/cgroups/v2", "libcontainer/cgroups", true},
		{"libcontainer/internal/procs", "libcontainer/internal/procs", true},
		{"libcontainer/internal/pathfd", "", false},
		{"seccomp/internal/filter", "seccomp", true},
		{"utils", "", false},
		{"libcontainerd", "", false},
	}
	for _, test := range tests {
		if got, ok := folder(module + test.path); got != test.want || ok != test.ok {
			t.Errorf("folder(%q) = %q, %v", test.path, got, ok)
		}
	}
}
