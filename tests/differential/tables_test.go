// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"*", "", true},
		{"*", "anything", true},
		{"", "", true},
		{"", "x", false},
		{"a", "a", true},
		{"a", "ab", false},
		{"a*", "ab", true},
		{"*b", "ab", true},
		{"*b", "abc", false},
		{"a*c*e", "abcde", true},
		{"a*c*e", "abde", false},
		{"*aab", "aaab", true},
	} {
		if matches(c.pattern, c.text) != c.want {
			t.Errorf("%q, %q: want %v", c.pattern, c.text, c.want)
		}
	}
}

func TestAssign(t *testing.T) {
	for _, c := range []struct{ path, value, want string }{
		{"a.b", `1`, `{"a":{"b":1,"l":[1]}}`},
		{"a.l[]", `2`, `{"a":{"b":0,"l":[1,2]}}`},
		{"a.l[]*", `[2,3]`, `{"a":{"b":0,"l":[1,2,3]}}`},
		{"a.l", `"@absent"`, `{"a":{"b":0}}`},
		{"c.d", `{}`, `{"a":{"b":0,"l":[1]},"c":{"d":{}}}`},
	} {
		config := map[string]any{"a": map[string]any{"b": 0, "l": []any{1}}}
		v, err := decode(c.value)
		if err != nil {
			t.Fatal(err)
		}
		if err := assign(config, c.path, v); err != nil {
			t.Errorf("%s: %v", c.path, err)
		}
		got, err := json.Marshal(config)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v, want %s", c.path, got, err, c.want)
		}
	}
	if err := assign(map[string]any{"a": "text"}, "a.b", 1); err == nil {
		t.Error("a path through a string was accepted")
	}
}

// TestCases: every case can be made, has a unique name, and is the same each time.
func TestCases(t *testing.T) {
	for _, mode := range []string{"v1", "v2"} {
		c := &config{mode: mode, seed: 7, combinations: 300}
		all, err := makeCases(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := makeCases(c)
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]int{}
		for i, tc := range all {
			if tc.Number != i || tc.String() != again[i].String() || tc.Config != again[i].Config {
				t.Errorf("case %d differs the second time: %s, %s", i, tc, again[i])
			}
			if len(tc.Parts) == 1 || tc.Setup != "" {
				name := strings.Join(tc.Parts, " & ")
				if before, ok := names[name]; ok {
					t.Errorf("cases %d and %d are both %s", before, i, name)
				}
				names[name] = i
			}
		}
		if len(all) < 500 {
			t.Errorf("cgroup %s: only %d cases", mode, len(all))
		}
	}
}

func TestSplit(t *testing.T) {
	got, err := split(`a 'b c' '' d{3} --e=f`)
	if want := []string{"a", "b c", "", "ddd", "--e=f"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if _, err := split("'a"); err == nil {
		t.Error("a quote without end was accepted")
	}
}

// TestRules: the table can be read, and no row repeats the patterns of an earlier one.
func TestRules(t *testing.T) {
	for _, mode := range []string{"v1", "v2"} {
		rules, err := readRules(&config{mode: mode})
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		for _, r := range rules {
			key := strings.Join([]string{r.peer, strings.Join(r.parts, "&"), r.key, r.berth, r.peers}, "|")
			if before, ok := seen[key]; ok {
				t.Errorf("differences:%d has the patterns of differences:%d", r.line, before)
			}
			seen[key] = r.line
			if r.text == "" || strings.Contains(r.text, "|") {
				t.Errorf("differences:%d: no reason", r.line)
			}
		}
		if len(rules) < 100 {
			t.Errorf("cgroup %s: only %d rows", mode, len(rules))
		}
	}
}

// TestUselessRows: a row that explains nothing is a failure in the last run that could use it.
func TestUselessRows(t *testing.T) {
	for _, c := range []struct {
		name, mode  string
		text        string
		whole, last bool
		explained   int
		fails       bool
	}{
		{"another mode follows", "", "", true, false, 0, false},
		{"no other mode follows", "", "", true, true, 0, true},
		{"a row of this mode alone", "v1", "", true, false, 0, true},
		{"used", "v1", "", true, true, 1, false},
		{"by chance", "", byChance + "as runc", true, true, 0, false},
		{"some cases", "v1", "", false, true, 0, false},
	} {
		r := newReport(&config{mode: "v1", last: c.last}, []*rule{{mode: c.mode, text: c.text, explained: c.explained}})
		if err := r.finish(c.whole); (err != nil) != c.fails {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestCompare(t *testing.T) {
	tc := &testCase{}
	keys := func(a, b outcome) string {
		var all []string
		for _, d := range compare(tc, "runc", a, b) {
			all = append(all, d.key)
		}
		return strings.Join(all, " ")
	}
	for _, c := range []struct {
		name, want string
		a, b       outcome
	}{
		{"alike", "", outcome{"outcome": "ran", "in.end": "1", "#stderr": "a"}, outcome{"outcome": "ran", "in.end": "1"}},
		{"an effect", "in.uid", outcome{"outcome": "ran", "in.uid": "0", "in.end": "1"}, outcome{"outcome": "ran", "in.uid": "1", "in.end": "1"}},
		{"one refused", "outcome", outcome{"outcome": "refused", "stage": "create"}, outcome{"outcome": "ran", "in.uid": "1"}},
		{"refused later", "stage", outcome{"outcome": "refused", "stage": "create"}, outcome{"outcome": "refused", "stage": "start", "exit": "1"}},
		{"refused with something left", "left.state", outcome{"outcome": "refused"}, outcome{"outcome": "refused", "left.state": "x", "in.uid": "1"}},
		{"silent", "in.end", outcome{"outcome": "ran"}, outcome{"outcome": "ran", "in.uid": "1", "mount./": "x", "in.end": "1"}},
	} {
		if got := keys(c.a, c.b); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
