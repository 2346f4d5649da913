// SPDX-License-Identifier: Apache-2.0

package configs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPhrasesAreUsed: every phrase is part of an error.
func TestPhrasesAreUsed(t *testing.T) {
	source, err := os.ReadFile("phrases.go")
	if err != nil {
		t.Fatal(err)
	}
	unused := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\t(Phrase\w+) += "`).FindAllStringSubmatch(string(source), -1) {
		unused["configs."+m[1]] = true
	}
	if len(unused) < 50 {
		t.Fatalf("only %d phrases found", len(unused))
	}
	word := regexp.MustCompile(`\bconfigs\.Phrase\w+`)
	for _, dir := range []string{"../../libcontainer", "../../specconv", "../../seccomp", "../../nsenter", "../../cmd"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, name := range word.FindAllString(string(text), -1) {
				delete(unused, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name := range unused {
		t.Errorf("no error contains %s", name)
	}
}
