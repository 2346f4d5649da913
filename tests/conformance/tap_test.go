// SPDX-License-Identifier: Apache-2.0

package main

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseTAP(t *testing.T) {
	cases := []struct {
		name, in string
		want     tapResult
	}{
		{"plan last", "TAP version 13\nok 1 - a\nnot ok 2 - b\n1..2\n", tapResult{
			Tests:   []tapTest{{1, true, false, "a"}, {2, false, false, "b"}},
			Planned: 2,
		}},
		{"skip", "1..1\nok 1 # SKIP not here\n", tapResult{Tests: []tapTest{{1, true, true, ""}}, Planned: 1}},
		{"no numbers", "ok\nnot ok - x\n", tapResult{
			Tests:   []tapTest{{1, true, false, ""}, {2, false, false, "x"}},
			Planned: -1,
		}},
		{"two streams", "1..1\nok 1 - a\nTAP version 13\nnot ok 1 - b\n1..1\n", tapResult{
			Tests:   []tapTest{{1, true, false, "a"}, {2, false, false, "b"}},
			Planned: 2,
		}},
		{"an error and no test", "TAP version 13\n  ---\n  {\n    \"error\": \"hooks \\\"x\\\"\"\n  }\n  ...\n1..0\n", tapResult{
			Planned: 0, Errors: []string{`hooks "x"`},
		}},
		{"the error of a test is not the program's", "not ok 1 - a\n  ---\n  {\n    \"error\": \"no\"\n  }\n  ...\n1..1\n", tapResult{
			Tests: []tapTest{{1, false, false, "a"}}, Planned: 1,
		}},
		{"tests inside a diagnostic do not count", "  ---\n  ok 1 - inner\n  ...\nok 1 - outer", tapResult{
			Tests: []tapTest{{1, true, false, "outer"}}, Planned: -1,
		}},
		{"words that begin like a test", "okay\nnotok\n1..x\n", tapResult{Planned: -1}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseTAP(strings.NewReader(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, c.want) {
				t.Errorf("got %+v, want %+v", *got, c.want)
			}
		})
	}
}

func FuzzParseTAP(f *testing.F) {
	f.Add("ok 1 - a # SKIP b\n1..1\n")
	f.Add("not ok\n  ---\n  \"error\": \"\\u00\"\n")
	f.Fuzz(func(t *testing.T, in string) {
		res, err := parseTAP(strings.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Tests) > strings.Count(in, "ok") {
			t.Errorf("%d tests in %q", len(res.Tests), in)
		}
	})
}
