// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"path"
	"strings"
	"testing"
)

func TestParseName(t *testing.T) {
	long := strings.Repeat("x", 300)
	tests := []struct {
		path, id          string
		user              bool
		unit, slice, want string
		err               string
	}{
		{path: "system.slice:docker:abc", unit: "docker-abc.scope", slice: "system.slice", want: "system.slice/docker-abc.scope"},
		{path: "", id: "c1", unit: "berth-c1.scope", slice: "system.slice", want: "system.slice/berth-c1.scope"},
		{path: "", id: "c1", user: true, unit: "berth-c1.scope", slice: "user.slice", want: "user.slice/berth-c1.scope"},
		{path: "", id: `a+b\c`, unit: `berth-a\x2bb\x5cc.scope`, slice: "system.slice", want: `system.slice/berth-a\x2bb\x5cc.scope`},
		{path: ":p:n", user: true, unit: "p-n.scope", slice: "user.slice", want: "user.slice/p-n.scope"},
		{path: "::", id: "c1", unit: "-c1.scope", slice: "system.slice", want: "system.slice/-c1.scope"},
		{path: "a-b-c.slice:p:n", unit: "p-n.scope", slice: "a-b-c.slice", want: "a.slice/a-b.slice/a-b-c.slice/p-n.scope"},
		{path: "-.slice:p:n", unit: "p-n.scope", slice: "-.slice", want: "p-n.scope"},
		{path: "machine.slice:libpod:n.1", unit: "libpod-n.1.scope", slice: "machine.slice", want: "machine.slice/libpod-n.1.scope"},
		{path: "::pod.slice", unit: "pod.slice", want: "pod.slice"},
		{path: "a.slice:ignored:a-b.slice", unit: "a-b.slice", want: "a.slice/a-b.slice"},
		{path: "::a-b-c.slice", unit: "a-b-c.slice", want: "a.slice/a-b.slice/a-b-c.slice"},

		{path: "b.slice::a-b.slice", err: `slice a-b.slice cannot be in b.slice: its name tells that it is in "/a.slice/"`},
		{path: "b::a.slice", err: `invalid slice name: "b"`},
		{path: "::-.slice", err: `"-.slice" is no cgroup of the container's own`},
		{path: "::.slice", err: `invalid slice name: ".slice"`},
		{path: "/a/b", err: `expected slice:prefix:name for the systemd driver, got "/a/b"`},
		{path: "a.slice:b", err: `got "a.slice:b"`},
		{path: "a.slice:b:c:d", err: `got "a.slice:b:c:d"`},
		{path: "foo:p:n", err: `invalid slice name: "foo"`},
		{path: "a--b.slice:p:n", err: `invalid slice name: "a--b.slice"`},
		{path: "-a.slice:p:n", err: `invalid slice name: "-a.slice"`},
		{path: "a-.slice:p:n", err: `invalid slice name: "a-.slice"`},
		{path: "../a.slice:p:n", err: `not a name for a unit: "../a.slice"`},
		{path: "a.slice/../b.slice:p:n", err: `not a name for a unit: "a.slice/../b.slice"`},
		{path: "a.slice:p/../q:n", err: `not a name for a unit: "p/../q-n.scope"`},
		{path: "a.slice:p:n x", err: `not a name for a unit`},
		{path: "a.slice:p:ü", err: `not a name for a unit`},
		{path: "a.slice:p:" + long, err: "the name of the unit would be longer than 255 characters"},
		{path: long + ".slice:p:n", err: "the name of the unit would be longer than 255 characters"},
	}
	for _, tt := range tests {
		got, err := parseName(tt.path, tt.id, tt.user)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q: error %v, want %s", tt.path, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", tt.path, err)
		}
		if got.unit != tt.unit || got.slice != tt.slice || got.path() != tt.want {
			t.Errorf("%q: unit %q in %q at %q, want %q in %q at %q", tt.path, got.unit, got.slice, got.path(), tt.unit, tt.slice, tt.want)
		}
	}
}

func TestObjectPath(t *testing.T) {
	for unit, want := range map[string]string{
		"a-b.scope":     "a_2db_2escope",
		"9a.scope":      "_39a_2escope",
		`a\x2bb_.scope`: "a_5cx2bb_5f_2escope",
	} {
		if got := objectPath(unit); got != "/org/freedesktop/systemd1/unit/"+want {
			t.Errorf("%q: got %q, want %q", unit, got, want)
		}
	}
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"", "a.slice:p:n", "a-b.slice::n", "::x.slice", "-.slice:p:", ":::", "a.slice:p:" + strings.Repeat("y", 260)} {
		f.Add(s, "id", false)
	}
	f.Fuzz(func(t *testing.T, text, id string, user bool) {
		n, err := parseName(text, id, user)
		if err != nil {
			return
		}
		p := n.path()
		if path.Clean("/"+p) != "/"+p || path.Base(p) != n.unit {
			t.Errorf("%q: path %q of unit %q", text, p, n.unit)
		}
		if len(n.unit) > maxUnitName || strings.ContainsFunc(n.unit, notInUnitName) {
			t.Errorf("%q: unit %q", text, n.unit)
		}
		if strings.HasSuffix(n.unit, scopeSuffix) == (n.slice == "") {
			t.Errorf("%q: unit %q in slice %q", text, n.unit, n.slice)
		}
	})
}
