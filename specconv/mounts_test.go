// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

func TestMountsDocument(t *testing.T) {
	for _, document := range []string{
		`[{"destination":"/a","type":"tmpfs","options":["ro"]},{"destination":"b","source":"vol","options":["rbind"]}]`,
		` {"ociVersion":"1.0.2","mounts":[{"destination":"/a","type":"tmpfs","options":["ro"]},{"destination":"b","source":"vol","options":["rbind"]}]}`,
	} {
		mounts, err := Mounts(document, "mounts", nil)
		if err != nil {
			t.Fatal(err)
		}
		warned := 0
		o := &Options{Warn: func(string, ...any) { warned++ }}
		plan := &configs.Config{Bundle: "/bundle"}
		if err := ConvertMounts(mounts, plan, o); err != nil {
			t.Fatal(err)
		}
		a, b := plan.Mounts[0], plan.Mounts[1]
		if len(plan.Mounts) != 2 || a.Field != "mounts[0]" || a.Destination != "/a" || a.Flags != unix.MS_RDONLY {
			t.Errorf("first mount %+v", a)
		}
		if b.Field != "mounts[1]" || b.Destination != "/b" || !b.IsBind() || b.Source != "/bundle/vol" || b.Flags&unix.MS_REC == 0 {
			t.Errorf("second mount %+v", b)
		}
		if warned != 1 {
			t.Errorf("%d warnings, want one about the relative path", warned)
		}
	}
}

func TestMountsErrors(t *testing.T) {
	for _, test := range []struct{ document, want string }{
		{``, `line 1, column 1: unexpected end of the file, expected a value`},
		{`null`, `line 1, column 1: expected an array of objects, found null`},
		{`"x"`, `line 1, column 1: mounts: expected an array of objects, found a string`},
		{`[{}, 1]`, `line 1, column 6: mounts[1]: expected an object, found a number`},
		{`[{"options":[7]}]`, `line 1, column 14: mounts[0].options[0]: expected a string, found a number`},
		{`{"mounts":{}}`, `line 1, column 11: mounts: expected an array of objects, found an object`},
		{`{"mounts":null}`, `line 1, column 1: mounts: is missing`},
		{`[] []`, `line 1, column 4: invalid character '[', expected the end of the file`},
		{`[{"type":"tmpfs"}]`, `mounts[0].destination: must not be empty`},
		{`[{"destination":"/a"}]`, `mounts[0].type: must not be empty`},
		{`[{"destination":"/a","type":"bind"}]`, `mounts[0].source: must not be empty for a bind mount`},
		{`[{"destination":"/a","source":"/b","options":["bind","idmap"]}]`, `mounts[0].options: id-mapped mounts must have both uid and gid mappings specified, or a user namespace to take them from: option "idmap"`},
	} {
		mounts, err := Mounts(test.document, "mounts", nil)
		if err == nil {
			err = ConvertMounts(mounts, &configs.Config{Bundle: "/bundle"}, &Options{})
		}
		if err == nil || err.Error() != test.want {
			t.Errorf("%s:\n got %v\nwant %s", test.document, err, test.want)
		}
	}
}

// TestDestinations: only these are needed to remove mounts.
func TestDestinations(t *testing.T) {
	for _, test := range []struct{ document, want, err string }{
		{document: `[]`},
		{document: `[{"destination":"/a/../b/"},{"destination":"/c","type":"nofs","options":["tmpcopyup"]}]`, want: "/b /c"},
		{document: `[{"destination":"/a"},{}]`, err: `mounts[1].destination: must not be empty`},
		{document: `[{"destination":"/"}]`, err: `mounts[0].destination: a mount over the root file system itself is not possible: "/"`},
		{document: `[{"destination":"/a\u0000"}]`, err: `mounts[0].destination: must not contain a NUL byte: "/a\x00"`},
	} {
		mounts, err := Mounts(test.document, "mounts", nil)
		if err != nil {
			t.Fatal(err)
		}
		plan := &configs.Config{}
		err = ConvertDestinations(mounts, plan, &Options{})
		if test.err != "" {
			if err == nil || err.Error() != test.err {
				t.Errorf("%s: error %v, want %s", test.document, err, test.err)
			}
			continue
		}
		var got []string
		for _, m := range plan.Mounts {
			got = append(got, m.Destination)
		}
		if err != nil || strings.Join(got, " ") != test.want {
			t.Errorf("%s: %q, %v, want %s", test.document, got, err, test.want)
		}
	}
}

// FuzzMounts: no panic, and accepted mounts fulfil what the builder relies on.
func FuzzMounts(f *testing.F) {
	f.Add(`[{"destination":"/a","type":"tmpfs","options":["ro","size=1m"]}]`)
	f.Add(`{"mounts":[{"destination":"b","source":"c","options":["rbind","idmap=uids=0-0-1;gids=0-0-1"]}]}`)
	f.Fuzz(func(t *testing.T, document string) {
		mounts, err := Mounts(document, "mounts", nil)
		if err != nil {
			return
		}
		plan := &configs.Config{Bundle: "/bundle"}
		if ConvertDestinations(mounts, plan, &Options{}) != nil {
			return
		}
		destinations := plan.Mounts
		if ConvertMounts(mounts, plan, &Options{}) != nil {
			return
		}
		for i, m := range plan.Mounts {
			if filepath.Clean(m.Destination) != m.Destination || !filepath.IsAbs(m.Destination) || m.Destination == "/" || m.Destination != destinations[i].Destination {
				t.Errorf("mount %+v, removed as %+v", m, destinations[i])
			}
		}
	})
}
