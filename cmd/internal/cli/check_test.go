// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer"
	"github.com/berth-run/berth/specconv"
)

func TestProblemLine(t *testing.T) {
	for _, test := range []struct {
		p    specconv.Problem
		want string
	}{
		{specconv.Problem{Line: 3, Column: 7, Severity: "error", Field: "process.cwd", Reason: "x", Suggestion: `"/y"`}, "f:3:7: error: process.cwd: x (did you mean \"/y\"?)\n"},
		{specconv.Problem{Severity: "warning", Reason: "a\nb\x1b[31m"}, "f: warning: a\\nb\\x1b[31m\n"},
	} {
		if got := problemLine("f", &test.p); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// TestConditionLines: only what is not met has more than a line.
func TestConditionLines(t *testing.T) {
	c := libcontainer.Condition{Name: "n", Status: "ok", Found: "f\x1b", Effect: "e", Mend: "m", Command: "c"}
	if got := conditionLines(&c); got != "  ok       n: f\\x1b\n" {
		t.Errorf("%q", got)
	}
	c.Status, c.NeededBy = "missing", []string{"a", "b"}
	want := "  missing  n: f\\x1b (for a, b)\n             without: e\n             mend:    m\n             type:    c\n"
	if got := conditionLines(&c); got != want {
		t.Errorf("%q", got)
	}
}

func TestItemLines(t *testing.T) {
	got := itemLines([]libcontainer.InspectedItem{
		{Area: "a", Name: "x", Asked: "1", Effective: "1"},
		{Area: "a", Name: "y", Asked: "1", Effective: "2", Differs: true, Note: "n"},
		{Area: "b", Name: "z", Effective: "\n"},
	})
	if want := "a\n  x: 1\n! y: asked 1; is 2 (n)\nb\n  z: \\n\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestCheckJSON: what scripts read. Without problems the list is empty, and not null.
func TestCheckJSON(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/rootfs", 0o755); err != nil {
		t.Fatal(err)
	}
	config := `{"ociVersion": "1.0.2", "process": {"args": ["/none"], "cwd": "/"}, "root": {"path": "rootfs"}, "mounts": [{"destination": "/", "type": "tmpfs"}], "linux": {"namespaces": [{"type": "mount"}, {"type": "user"}], "uidMappings": [{"size": 1}], "gidMappings": [{"size": 1}]}}`
	if err := os.WriteFile(dir+"/config.json", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	got := invoke(t, "berth", "--cgroup-manager=disabled", "check", "--format=json", dir)
	var v map[string]any
	if err := json.Unmarshal([]byte(got.stdout), &v); err != nil {
		t.Fatalf("%v: %q", err, got.stdout)
	}
	if list, ok := v["problems"].([]any); !ok || v["file"] != filepath.Join(dir, "config.json") || float64(len(list)) != v["errors"].(float64)+v["warnings"].(float64) {
		t.Errorf("%s", got.stdout)
	}
}

// FuzzCheckBundle: no document makes check fall over, or its preview, or wait for somebody.
func FuzzCheckBundle(f *testing.F) {
	f.Add(`{"ociVersion": "1.0.2", "process": {"args": ["x"], "cwd": "/", "env": ["PATH=:/bin"]}, "root": {"path": "rootfs"}, "hooks": {"prestart": [{"path": "/x"}]}}`)
	f.Add(`{"process": {"args": [""], "cwd": "/"}, "root": {"path": "rootfs"}, "linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}, "namespaces": [{"type": "mount", "path": "/proc/self/ns/mnt"}]}}`)
	f.Add(`{"process": {}, "mounts": [{"destination": "/a", "type": "bind", "source": "/", "options": ["rro"]}, {"destination": "/", "type": "tmpfs"}], "linux": {"resources": {"memory": {"limit": -1, "swap": 5}, "cpu": {"period": 7}, "unified": {"a.b": "c"}, "rdma": {"x": {}}, "hugepageLimits": [{}]}}}`)
	dir := f.TempDir()
	if err := os.Mkdir(dir+"/rootfs", 0o755); err != nil {
		f.Fatal(err)
	}
	a := newApp("berth", nil, nil, nil)
	a.global.rootless = "false"
	f.Fuzz(func(t *testing.T, document string) {
		if err := os.WriteFile(dir+"/config.json", []byte(document), 0o600); err != nil {
			t.Fatal(err)
		}
		ch, _, err := a.checkBundle(dir, "")
		if err != nil {
			return
		}
		for _, p := range ch.Problems {
			if strings.Count(problemLine("f", &p), "\n") != 1 {
				t.Errorf("%+v", p)
			}
		}
		if ch.Plan != nil && !ch.Failed() {
			if _, err := libcontainer.Open(dir).Preview(plannedID, ch.Plan); err != nil {
				t.Errorf("no preview: %v", err)
			}
		}
	})
}
