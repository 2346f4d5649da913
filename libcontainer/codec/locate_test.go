// SPDX-License-Identifier: Apache-2.0

package codec_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/codec"
)

func TestLocate(t *testing.T) {
	const document = `{
 "a": {"b": [1, {"c": "x"}], "d.e": {"f": 1}},
 "a.b": 2,
 "ann": {"run.oci.x": "v", "é": {"n": 1}},
 "twice": 1, "twice": 2,
 "Case": true
}`
	for _, test := range []struct {
		path         string
		line, column int
		whole        bool
	}{
		{"a", 2, 7, true},
		{"a.b", 3, 9, true},
		{"a.b[0]", 3, 9, false},
		{"a.d.e.f", 2, 43, true},
		{"a.d.none", 2, 7, false},
		{"ann[\"run.oci.x\"]", 4, 23, true},
		{"ann.run.oci.x", 4, 23, true},
		{"ann.é.n", 4, 39, true},
		{"ann.none", 4, 9, false},
		{"twice", 5, 23, true},
		{"case", 6, 10, true},
		{"none", 0, 0, false},
		{"", 0, 0, false},
	} {
		line, column, whole := codec.Locate(document, test.path)
		if line != test.line || column != test.column || whole != test.whole {
			t.Errorf("%s: %d:%d %v, want %d:%d %v", test.path, line, column, whole, test.line, test.column, test.whole)
		}
	}
	if line, column, whole := codec.Locate(`{"m": [ {"o": ["x", "y"]} ], `, "m[0].o[1]"); line != 1 || column != 21 || !whole {
		t.Errorf("a document that ends early: %d:%d %v", line, column, whole)
	}
}

type inner struct {
	Name string
	N    uint32
	List []string
}

type outer struct {
	Objects []inner
	One     inner
	Map     map[string]string
	Last    bool
}

func innerFields(c *codec.Coder, v *inner) {
	codec.Text(c, "name", &v.Name)
	codec.Unsigned(c, "n", &v.N)
	codec.Texts(c, "list", &v.List)
}

func outerFields(c *codec.Coder, v *outer) {
	codec.Records(c, "objects", &v.Objects, innerFields)
	codec.Object(c, "one", &v.One, innerFields)
	codec.TextMap(c, "map", &v.Map)
	codec.Boolean(c, "last", &v.Last)
}

// TestReadAllFaults: a wrong type does not end the reading, and each fault has its path and place.
func TestReadAllFaults(t *testing.T) {
	const document = `{
 "objects": [{"name": 1, "n": 2}, 7, {"n": -1, "name": "ok", "list": ["a", 2, {"x": [}]]}],
 "one": {"n": 99999999999, "unknown": {"n": "x"}, "list": {}},
 "map": {"k.1": [], "l": "fine"},
 "last": true
}`
	valid := strings.Replace(document, "[}]", "[]}", 1)
	v, faults, notices, err := codec.ReadAllFaults(valid, outerFields)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range faults {
		line, column := f.Position(valid)
		got = append(got, fmt.Sprintf("%d:%d %v", line, column, f))
	}
	want := []string{
		"2:23 objects[0].name: expected a string, found a number",
		"2:35 objects[1]: expected an object, found a number",
		"2:44 objects[2].n: ",
		"2:76 objects[2].list[1]: expected a string, found a number",
		"2:79 objects[2].list[2]: expected a string, found an object",
		"3:15 one.n: ",
		"3:59 one.list: expected an array of strings, found an object",
		"4:17 map.k.1: expected a string, found an array",
	}
	if len(got) != len(want) {
		t.Fatalf("%d faults: %q", len(got), got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
	if len(notices) != 1 || !v.Last || v.Objects[2].Name != "ok" || v.Objects[2].List[0] != "a" || v.Map["l"] != "fine" {
		t.Errorf("%v, %+v", notices, v)
	}
	if _, faults, _, err := codec.ReadAllFaults(document, outerFields); err == nil || len(faults) == 0 {
		t.Errorf("not JSON: %v, %v", faults, err)
	}
	if _, _, _, err := codec.ReadAllFaults("null", outerFields); err == nil {
		t.Error("null was accepted")
	}
}

// FuzzReadAllFaults: the first fault is what Read returns, and a document without faults reads the
// same.
func FuzzReadAllFaults(f *testing.F) {
	f.Add(`{"objects": [{"name": 1}], "last": 0}`)
	f.Add(`{"map": {"a": {}}, "one": null, "last": true, "last": "x"}`)
	f.Fuzz(func(t *testing.T, document string) {
		_, err := codec.Read(document, outerFields)
		_, faults, _, all := codec.ReadAllFaults(document, outerFields)
		if (err == nil) != (all == nil && len(faults) == 0) {
			t.Fatalf("%v, but %v and %v", err, faults, all)
		}
		if len(faults) > 0 {
			line, column := faults[0].Position(document)
			if want := fmt.Sprintf("line %d, column %d: %v", line, column, faults[0]); err.Error() != want {
				t.Fatalf("%v, but %v", err, want)
			}
		}
		codec.Locate(document, "objects[0].name")
	})
}
