// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"reflect"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/landlock"
)

func TestLandlock(t *testing.T) {
	const field = configs.LandlockField + ".pathBeneath"
	for _, tc := range []struct {
		text string
		want configs.Landlock
	}{
		{`{"abi":1,"handledAccessFS":["all"]}`, configs.Landlock{ABI: 1, FS: 0x1fff}},
		{`{"abi":2,"handledAccessFS":["all"]}`, configs.Landlock{ABI: 2, FS: 0x3fff}},
		{`{"abi":4,"handledAccessFS":["all"],"handledAccessNet":["all"]}`, configs.Landlock{ABI: 4, FS: 0x7fff, Net: 3}},
		{`{"abi":6,"handledAccessFS":["all"],"scoped":["all"]}`, configs.Landlock{ABI: 6, FS: 0xffff, Scoped: 3}},
		{`{"abi":6,"scoped":["signal"]}`, configs.Landlock{ABI: 6, Scoped: 2}},
		{
			`{"abi":5,"handledAccessFS":["ioctl_dev","execute","truncate"],"pathBeneath":[
				{"paths":["/a","/b c"],"allowedAccess":["all"]},{"paths":["/"],"allowedAccess":["execute"]}]}`,
			configs.Landlock{ABI: 5, FS: 0xc001, Paths: []configs.LandlockPath{
				{Path: "/a", Allow: 0xc001, Field: field + "[0].paths[0]"},
				{Path: "/b c", Allow: 0xc001, Field: field + "[0].paths[1]"},
				{Path: "/", Allow: 1, Field: field + "[1].paths[0]"},
			}},
		},
		{
			` {"abi":4,"handledAccessNet":["connect_tcp"],"netPort":[{"ports":[0,443,65535],"allowedAccess":["connect_tcp"]}]} `,
			configs.Landlock{ABI: 4, Net: 2, Ports: []configs.LandlockPort{{Port: 0, Allow: 2}, {Port: 443, Allow: 2}, {Port: 65535, Allow: 2}}},
		},
	} {
		s := example()
		s.Annotations = map[string]string{configs.LandlockAnnotation: tc.text}
		plan, err := Convert(s, &newBundle(t).Options)
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		if got := plan.Process.Landlock; got == nil || !reflect.DeepEqual(*got, tc.want) {
			t.Errorf("%s: %+v, want %+v", tc.text, got, tc.want)
		}
		added, err := ConvertExec(s.Process, s.Annotations, &newBundle(t).Options)
		if err != nil || !reflect.DeepEqual(added.Landlock, plan.Process.Landlock) {
			t.Errorf("%s: exec has %+v (%v)", tc.text, added, err)
		}
	}
}

func TestLandlockErrors(t *testing.T) {
	for text, want := range map[string]string{
		``:                                      ": line 1, column 1: unexpected end of the file",
		`x`:                                     ": line 1, column 1: invalid character 'x'",
		`[]`:                                    ": expected an object, found an array",
		`{}`:                                    ".abi: must be 1 to 6: 0",
		`{"abi":`:                               ": line 1, column 8: unexpected end of the file",
		`{"abi":1,"handledAccessFS":["all"]} {`: ": line 1, column 37: invalid character '{', expected the end of the file",
		`{"abi":1,"handledAccessFs2":["all"]}`:  `.handledAccessFs2: unknown key`,
		`{"abi":"1"}`:                           ".abi: expected an integer, found a string",
		`{"ABI":1,"handledAccessFS":["all"]}`:   ".ABI: unknown key",
		`{"abi":7,"handledAccessFS":["all"]}`:   ".abi: must be 1 to 6: 7",
		`{"abi":3}`:                             ".handledAccessFS: nothing is handled",
		`{"abi":3,"handledAccessNet":["all"]}`:  ".handledAccessFS: nothing is handled",
		`{"abi":3,"handledAccessFS":["write"]}`: `.handledAccessFS[0]: unknown right "write"`,
		`{"abi":1,"handledAccessFS":["refer"]}`: `.handledAccessFS[0]: "refer" needs abi 2`,
		`{"abi":5,"scoped":["all","signal"]}`:   `.scoped[1]: "signal" needs abi 6`,
		`{"abi":4,"handledAccessNet":["udp"]}`:  `.handledAccessNet[0]: unknown right "udp"`,
		rules(`{"paths":["a"],"allowedAccess":["all"]}`, ``):              `.pathBeneath[0].paths[0]: not an absolute path: "a"`,
		rules(`{"paths":["/a\u0000"],"allowedAccess":["all"]}`, ``):       `.pathBeneath[0].paths[0]: must not contain a NUL byte`,
		rules(`{"paths":["/a"],"allowedAccess":["read_file"]}`, ``):       `.pathBeneath[0].allowedAccess[0]: "read_file" is not handled`,
		rules(`{"paths":[],"allowedAccess":["all"]}`, ``):                 `.pathBeneath[0].paths: a rule has paths`,
		rules(`{"paths":["/a"]}`, ``):                                     `.pathBeneath[0].paths: a rule has paths`,
		rules(`{"paths":["/a"],"ports":[1],"allowedAccess":["all"]}`, ``): `.pathBeneath[0].paths: a rule has paths`,
		rules(``, `{"ports":[65536],"allowedAccess":["all"]}`):            `.netPort[0].ports[0]: number 65536 is out of range (0 to 65535)`,
		rules(``, `{"ports":[1,-1],"allowedAccess":["all"]}`):             `.netPort[0].ports[1]: number -1 is out of range (0 to 65535)`,
		rules(``, `{"ports":["1"],"allowedAccess":["all"]}`):              `.netPort[0].ports[0]: expected an integer, found a string`,
		rules(``, `{"allowedAccess":["all"]}`):                            `.netPort[0].ports: a rule has ports`,
		rules(``, `{"ports":[1],"allowedAccess":["connect_tcp"]}`):        `.netPort[0].allowedAccess[0]: "connect_tcp" is not handled`,
	} {
		s := example()
		s.Annotations = map[string]string{configs.LandlockAnnotation: text}
		_, err := Convert(s, &newBundle(t).Options)
		if err == nil || !strings.HasPrefix(err.Error(), configs.LandlockField+want) {
			t.Errorf("%s: error %v, want %s", text, err, want)
		}
	}
}

// rules returns a document with one rule.
func rules(path, port string) string {
	return `{"abi":4,"handledAccessFS":["execute"],"handledAccessNet":["bind_tcp"],"pathBeneath":[` + path + `],"netPort":[` + port + `]}`
}

func FuzzLandlock(f *testing.F) {
	f.Add(rules(`{"paths":["/a"],"allowedAccess":["all"]}`, `{"ports":[1],"allowedAccess":["all"]}`))
	f.Add(`{"abi":6,"scoped":["all"]}`)
	f.Fuzz(func(t *testing.T, text string) {
		l, err := landlock.Rules(map[string]string{configs.LandlockAnnotation: text})
		if err != nil {
			return
		}
		for _, p := range l.Paths {
			if p.Allow == 0 || p.Allow&^l.FS != 0 || !strings.HasPrefix(p.Path, "/") {
				t.Errorf("%q: rule %+v of %+v", text, p, l)
			}
		}
		for _, p := range l.Ports {
			if p.Allow == 0 || p.Allow&^l.Net != 0 {
				t.Errorf("%q: rule %+v of %+v", text, p, l)
			}
		}
		if l.FS|l.Net|l.Scoped == 0 {
			t.Errorf("%q: nothing is handled", text)
		}
	})
}
