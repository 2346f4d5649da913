// SPDX-License-Identifier: Apache-2.0

package codes

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"
)

// TestCodes: docs/errors.md has each code, once, and in the order of the source.
func TestCodes(t *testing.T) {
	find := func(path, pattern string) (all []string) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(text, -1) {
			all = append(all, string(m[1]))
		}
		return all
	}
	source := find("codes.go", `(?m)^\t\w+ +Code = "([a-z-]+)"$`)
	document := find("../../docs/errors.md", "(?m)^\\| `([a-z-]+)` \\| [^|]+ \\|$")
	if len(source) < 30 || !slices.Equal(source, document) {
		t.Errorf("the source has\n%q\ndocs/errors.md has\n%q", source, document)
	}
	slices.Sort(source)
	if n := len(slices.Compact(source)); n != len(document) {
		t.Errorf("%d of %d codes are different", n, len(document))
	}
}

func TestCodeOf(t *testing.T) {
	plain := errors.New("plain")
	sentinel := New(IDInvalid, "bad id")
	for _, tc := range []struct {
		err  error
		want Code
	}{
		{plain, Failed},
		{With(Usage, plain), Usage},
		{fmt.Errorf("x: %w", With(Usage, plain)), Usage},
		{With(Usage, fmt.Errorf("x: %w", With(MountFailed, plain))), MountFailed},
		{fmt.Errorf("%w: %d", sentinel, 1), IDInvalid},
		{With(Usage, fmt.Errorf("%w: %w", plain, sentinel)), IDInvalid},
		{errors.Join(plain, With(HookFailed, plain), sentinel), HookFailed},
	} {
		if got := Of(tc.err); got != tc.want {
			t.Errorf("%v: %s, want %s", tc.err, got, tc.want)
		}
	}
	if With(Usage, nil) != nil {
		t.Error("With makes an error of nil")
	}
	if err := With(Usage, plain); err.Error() != "plain" || !errors.Is(err, plain) {
		t.Errorf("%v", err)
	}
}
