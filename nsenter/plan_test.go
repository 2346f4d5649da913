// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/berth-run/berth/nsenter/internal/wire"
)

var update = flag.Bool("update", false, "write testdata/*.plan")

func examplePlans() map[string]*Plan {
	return map[string]*Plan{
		"minimal": {Args: []string{"true"}, Cwd: "/"},
		"full": {
			Args: []string{"sh", "-c", "echo hello", ""}, Env: []string{"PATH=/bin:/usr/bin", "EMPTY="}, Cwd: "/srv",
			UID: 1000, GID: 1001, Groups: []uint32{5, 10, 4294967294}, SetGroups: true, Umask: 0o22,
			Bounding: 1 << 40, Effective: 2, Permitted: 3, Inheritable: 4, Ambient: 5,
			AppArmor: "docker-default", SELinux: "system_u:system_r:container_t:s0",
			Personality: new(uint32), MemoryPolicy: &MemoryPolicy{Mode: 2, Nodes: []uint64{1, 1 << 63}},
			NoNewPrivileges: true, Keyring: "_ses.x", NewSession: true,
			Seccomp: bytes.Repeat([]byte{6, 0, 0, 0, 0, 0, 0xff, 0x7f}, 3), SeccompFlags: 4,
			Hooks: []Hook{
				{Path: "/bin/a"},
				{Path: "/bin/b", Args: []string{"b", "-x"}, Env: []string{"A=1"}, TimeoutSeconds: 7},
			},
		},
	}
}

// The C test (make c-test) parses the same bytes.
func TestEncodeGolden(t *testing.T) {
	for name, p := range examplePlans() {
		got, err := p.encode(false)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		path := filepath.Join("testdata", name+".plan")
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the encoding differs from %s; if that is intended, run go test -update", name, path)
		}
	}
}

func TestEncodeLayout(t *testing.T) {
	p := examplePlans()["full"]
	data, err := p.encode(false)
	if err != nil {
		t.Fatal(err)
	}
	var w wire.Plan
	copy(wire.Bytes(&w), data)
	part := func(s wire.Span) string { return string(data[s.Offset : s.Offset+s.Size]) }
	if int(w.Size) != len(data) {
		t.Errorf("size %d, want %d", w.Size, len(data))
	}
	if got, want := part(w.Args), "sh\x00-c\x00echo hello\x00\x00"; got != want || w.Args.Count != 4 {
		t.Errorf("args %q (%d), want %q", got, w.Args.Count, want)
	}
	if got, want := part(w.Seccomp), string(p.Seccomp); got != want || w.Seccomp.Offset%8 != 0 || w.Seccomp.Count != 3 {
		t.Errorf("seccomp %q at %d", got, w.Seccomp.Offset)
	}
	if w.Groups.Count != 3 || w.Groups.Size != 12 || w.Groups.Offset%4 != 0 {
		t.Errorf("groups %+v", w.Groups)
	}
	if w.Hooks.Count != 2 || w.Hooks.Size != 2*uint32(unsafe.Sizeof(wire.Hook{})) || w.Hooks.Offset%4 != 0 {
		t.Fatalf("hooks %+v", w.Hooks)
	}
	var h wire.Hook
	copy(wire.Bytes(&h), part(w.Hooks))
	if got := part(h.Args); got != "/bin/a\x00" {
		t.Errorf("a hook without args has argv %q, want its path", got)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		change     func(*Plan)
	}{
		{"no args", "args must not be empty", func(p *Plan) { p.Args = nil }},
		{"relative cwd", `cwd "tmp" is not absolute`, func(p *Plan) { p.Cwd = "tmp" }},
		{"empty cwd", `cwd "" is not absolute`, func(p *Plan) { p.Cwd = "" }},
		{"NUL in args", "args[1]: string with a NUL byte", func(p *Plan) { p.Args = []string{"a", "b\x00c"} }},
		{"NUL in env", "env[0]: string with a NUL byte", func(p *Plan) { p.Env = []string{"A=\x00"} }},
		{"NUL in a profile", "AppArmor profile[0]: string with a NUL byte", func(p *Plan) { p.AppArmor = "a\x00" }},
		{"NUL in cwd", "cwd[0]: string with a NUL byte", func(p *Plan) { p.Cwd = "/\x00" }},
		{"half an instruction", "seccomp filter of 12 bytes", func(p *Plan) { p.Seccomp = make([]byte, 12) }},
		{"large filter", "seccomp filter of 524288 bytes", func(p *Plan) { p.Seccomp = make([]byte, 8<<16) }},
		{"negative timeout", "hook /h: timeout of -1 seconds", func(p *Plan) {
			p.Hooks = []Hook{{Path: "/h", TimeoutSeconds: -1}}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &Plan{Args: []string{"true"}, Cwd: "/"}
			tt.change(p)
			if _, err := p.encode(false); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
