// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer"
	"golang.org/x/sys/unix"
)

func TestEachContainer(t *testing.T) {
	fails := map[string]error{"b": unix.EPERM, "d": unix.ENOENT}
	tests := []struct {
		ids  []string
		want string
	}{
		{nil, ""},
		{[]string{"b"}, "operation not permitted"},
		{[]string{"a", "c"}, ""},
		{[]string{"a", "b", "c"}, "b: operation not permitted"},
		{[]string{"a", "b", "c", "d"}, "b: operation not permitted; d: no such file or directory"},
	}
	for _, test := range tests {
		var done []string
		err := eachContainer(test.ids, func(id string) error {
			done = append(done, id)
			return fails[id]
		})
		if !slices.Equal(done, test.ids) {
			t.Errorf("%q: only %q was done", test.ids, done)
		}
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%q: %q, want %q", test.ids, got, test.want)
		}
		for _, id := range test.ids {
			if fails[id] != nil && !errors.Is(err, fails[id]) {
				t.Errorf("%q: %v does not wrap %v", test.ids, err, fails[id])
			}
		}
	}
}

// TestMatching: expressions are those of POSIX, without Perl extensions.
func TestMatching(t *testing.T) {
	root := t.TempDir()
	for _, id := range []string{"db", "web-1", "web-12"} {
		if err := os.Mkdir(filepath.Join(root, id), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	a, store := newApp("berth", nil, nil, nil), libcontainer.Open(root)
	for pattern, want := range map[string]string{
		"":                      "db web-1 web-12",
		"b":                     "db web-1 web-12",
		"^(web-1|db)$":          "db web-1",
		"^web-[[:digit:]]{2}$":  "web-12",
		"^[^w]":                 "db",
		"web.12":                "web-12",
		`web\.12`:               "",
		"^web-1(2)?$|^nothing$": "web-1 web-12",
		"^" + strings.Repeat("(a*)*", 100) + "c$": "",
	} {
		ids, err := a.matching(store, pattern)
		slices.Sort(ids)
		if got := strings.Join(ids, " "); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", pattern, got, err, want)
		}
	}
	for _, pattern := range []string{"(", "a)", "*", "a{2,1}", "[b-a]", "[[:foo:]]", `\d`, "(?:a)", `\`} {
		if ids, err := a.matching(store, pattern); err == nil || !strings.HasPrefix(err.Error(), "--regex: ") {
			t.Errorf("%q: %q, %v", pattern, ids, err)
		}
	}
}
