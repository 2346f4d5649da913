// SPDX-License-Identifier: Apache-2.0

package internal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recipe is a script that uses the cache.
const recipe = `set -euo pipefail
. "$LIBRARY/cache.sh"
make_tree() {
	echo made >>"$COUNT"
	mkdir "$1/bin"
	echo content >"$1/bin/sh"
	ln -s sh "$1/bin/true"
	if [[ -e $BROKEN ]]; then false; fi
}
dir=
cached tree make_tree
echo "$dir"
`

// TestCache: a directory is kept, and made again if it or its recipe has changed.
func TestCache(t *testing.T) {
	work := t.TempDir()
	script, count := filepath.Join(work, "script"), filepath.Join(work, "count")
	library, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(work, "broken")
	run := func(text string) (dir string, made int) {
		t.Helper()
		if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := bash(t, "caller.sh", `bash "$SCRIPT" 2>/dev/null`, "SCRIPT="+script, "COUNT="+count, "LIBRARY="+library,
			"BROKEN="+broken, "BERTH_TEST_CACHE="+filepath.Join(work, "a cache"))
		if err != nil {
			dir = "error"
		} else {
			dir = out
		}
		data, err := os.ReadFile(count)
		if err != nil {
			t.Fatal(err)
		}
		return dir, strings.Count(string(data), "made")
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	must(os.WriteFile(broken, nil, 0o600))
	if dir, _ := run(recipe); dir != "error" {
		t.Errorf("a recipe that fails returns %q", dir)
	}
	must(os.Remove(broken))
	first, made := run(recipe)
	if made != 2 {
		t.Fatalf("%q was made %d times", first, made-1)
	}
	for what, damage := range map[string]func() error{
		"nothing":        func() error { return nil },
		"a lost link":    func() error { return os.Remove(first + "/bin/true") },
		"a mode":         func() error { return os.Chmod(first+"/bin/sh", 0o600) },
		"other contents": func() error { return os.WriteFile(first+"/bin/sh", []byte("CONTENT\n"), 0o644) },
		"one more":       func() error { return os.WriteFile(first+"/x", nil, 0o644) },
		"no list":        func() error { return os.Remove(first + ".files") },
	} {
		must(damage())
		before := made
		var dir string
		dir, made = run(recipe)
		if dir != first || made-before != map[bool]int{true: 0, false: 1}[what == "nothing"] {
			t.Errorf("%s: %q was made %d times", what, dir, made-before)
		}
		if data, err := os.ReadFile(first + "/bin/true"); err != nil || string(data) != "content\n" {
			t.Errorf("%s: %q, %v", what, data, err)
		}
	}
	if other, _ := run(recipe + "# changed\n"); other == first || other == "error" {
		t.Errorf("a changed recipe returns %q", other)
	}
}
