// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestParseUser(t *testing.T) {
	for _, tt := range []struct {
		text     string
		uid, gid uint32
		hasGID   bool
	}{
		{"0", 0, 0, false},
		{"1000", 1000, 0, false},
		{"1000:0", 1000, 0, true},
		{"007:8", 7, 8, true},
		{"4294967294:4294967294", 4294967294, 4294967294, true},
	} {
		uid, gid, hasGID, err := ParseUser(tt.text)
		if err != nil || uid != tt.uid || gid != tt.gid || hasGID != tt.hasGID {
			t.Errorf("%q: %d, %d, %v, %v", tt.text, uid, gid, hasGID, err)
		}
	}
	for _, text := range []string{
		"", ":", "1:", ":1", "1:2:3", "root", "1:root", "-1", "+1", " 1", "1 ", "1\n", "0x1", "1_0", "1:-1",
		"4294967295", "1:4294967295", "4294967296", "99999999999999999999", "1.0", "١",
	} {
		if uid, gid, _, err := ParseUser(text); err == nil || uid != 0 || gid != 0 {
			t.Errorf("%q: %d, %d, %v; want an error", text, uid, gid, err)
		}
	}
}

func FuzzParseUser(f *testing.F) {
	for _, s := range []string{"0", "1:2", "1:", "4294967295", "+1", "007"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		uid, gid, hasGID, err := ParseUser(text)
		if err != nil {
			if uid != 0 || gid != 0 {
				t.Fatalf("%q: an error and %d:%d", text, uid, gid)
			}
			return
		}
		// What is accepted is the same as the text, except for leading zeros.
		want := fmt.Sprint(uid)
		if hasGID {
			want += ":" + fmt.Sprint(gid)
		}
		var given []string
		for part := range strings.SplitSeq(text, ":") {
			if part = strings.TrimLeft(part, "0"); part == "" {
				part = "0"
			}
			given = append(given, part)
		}
		if got := strings.Join(given, ":"); got != want {
			t.Errorf("%q was taken for %s", text, want)
		}
	})
}

func TestAddCapabilities(t *testing.T) {
	shared := make([]string, 1, 8)
	shared[0] = "CAP_KILL"
	p := &specs.Process{Capabilities: &specs.LinuxCapabilities{
		Bounding: shared, Effective: shared, Permitted: shared,
		Inheritable: []string{"CAP_CHOWN", "CAP_NET_ADMIN"}, Ambient: []string{"CAP_CHOWN"},
	}}
	before := p.Capabilities
	if err := AddCapabilities(p, []string{"CAP_SYS_ADMIN", "net_admin", "Chown"}); err != nil {
		t.Fatal(err)
	}
	want := []string{"CAP_KILL", "CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_CHOWN"}
	c := p.Capabilities
	for name, got := range map[string][]string{"bounding": c.Bounding, "effective": c.Effective, "permitted": c.Permitted} {
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if !slices.Equal(c.Inheritable, []string{"CAP_CHOWN", "CAP_NET_ADMIN"}) {
		t.Errorf("inheritable: %q", c.Inheritable)
	}
	if !slices.Equal(c.Ambient, []string{"CAP_CHOWN", "CAP_NET_ADMIN"}) {
		t.Errorf("ambient: %q", c.Ambient)
	}
	if len(before.Bounding) != 1 || shared[:2][1] != "" {
		t.Error("another process's list was changed")
	}

	p = new(specs.Process)
	if err := AddCapabilities(p, []string{"CAP_KILL"}); err != nil || len(p.Capabilities.Permitted) != 1 || p.Capabilities.Ambient != nil {
		t.Errorf("to none: %+v, %v", p.Capabilities, err)
	}
	if err := AddCapabilities(p, []string{"CAP_NOPE"}); err == nil {
		t.Error("an unknown capability was accepted")
	}
}

func TestInheritProcess(t *testing.T) {
	umask, adj := uint32(0o77), 7
	container := &specs.Process{
		Capabilities: &specs.LinuxCapabilities{}, ApparmorProfile: "a", SelinuxLabel: "s",
		User: specs.User{UID: 1, Umask: &umask}, OOMScoreAdj: &adj, NoNewPrivileges: true,
		Scheduler: &specs.Scheduler{}, IOPriority: &specs.LinuxIOPriority{}, ExecCPUAffinity: &specs.CPUAffinity{},
		Rlimits: []specs.POSIXRlimit{{}}, Env: []string{"A=1"}, Cwd: "/c",
	}
	p := &specs.Process{Args: []string{"x"}}
	InheritProcess(p, container)
	want := *container
	want.Args, want.User.UID = []string{"x"}, 0
	want.NoNewPrivileges, want.Rlimits, want.Env, want.Cwd = false, nil, nil, ""
	if !reflect.DeepEqual(*p, want) {
		t.Errorf("got  %+v\nwant %+v", *p, want)
	}
	own := *container
	other := uint32(0)
	own.ApparmorProfile, own.User.Umask = "other", &other
	kept := own
	InheritProcess(&own, container)
	if !reflect.DeepEqual(own, kept) {
		t.Errorf("a setting of the document was replaced: %+v", own)
	}
}

func TestConvertExec(t *testing.T) {
	p := &specs.Process{Args: []string{"x"}, Cwd: "/"}
	plan, err := ConvertExec(p, map[string]string{annotationKeepGroups: "0"}, &Options{})
	if err != nil || !plan.KeepGroups {
		t.Errorf("%+v, %v", plan, err)
	}
	p.Cwd = "relative"
	if _, err := ConvertExec(p, nil, &Options{}); err == nil || !strings.Contains(err.Error(), "Cwd must be an absolute path") {
		t.Errorf("error %v", err)
	}
}

func TestLoadProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "process.json")
	for document, want := range map[string]string{
		`{"args":["a"],"cwd":"/","later":{"x":[1]}}`: "",
		`{"args":["a"],`:   "line 1, column 15",
		`{"args":"a"}`:     "args: expected an array",
		`null`:             "expected an object",
		`{"cwd":"/"} rest`: "expected the end of the file",
	} {
		if err := os.WriteFile(path, []byte(document), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := LoadProcess(path, nil)
		if want == "" {
			if err != nil || len(p.Args) != 1 || p.Cwd != "/" {
				t.Errorf("%s: %+v, %v", document, p, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%s: error %v, want %q", document, err, want)
		}
	}
	if _, err := LoadProcess(path+"x", nil); err == nil || !strings.Contains(err.Error(), "no such file or directory") {
		t.Errorf("error %v", err)
	}
}

// The text of the process can be parsed again, whatever surrounds it.
func TestLoadGivesProcess(t *testing.T) {
	dir := t.TempDir()
	for document, want := range map[string]string{
		`{"ociVersion":"1.0.0","process" : {"cwd":"/","args":["}"]} ,"root":{}}`: `{"cwd":"/","args":["}"]}`,
		`{"ociVersion":"1.0.0"}`: "",
	} {
		if err := os.WriteFile(filepath.Join(dir, configFile), []byte(document), 0o600); err != nil {
			t.Fatal(err)
		}
		spec, process, err := Load(dir, nil)
		if err != nil || process != want {
			t.Fatalf("%s: process %q, %v", document, process, err)
		}
		if want == "" {
			continue
		}
		if p, err := DecodeProcess(process); err != nil || !reflect.DeepEqual(p, spec.Process) {
			t.Errorf("read again: %+v, %v", p, err)
		}
	}
}
