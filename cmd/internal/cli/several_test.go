// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"slices"
	"testing"

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
