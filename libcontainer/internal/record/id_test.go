// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckID(t *testing.T) {
	for _, id := range []string{"a", "A-b_c+d.e", "..a", strings.Repeat("x", maxIDLength)} {
		if err := CheckID(id); err != nil {
			t.Errorf("%q is refused: %v", id, err)
		}
	}
	long := strings.Repeat("x", 1<<20)
	for _, id := range []string{"", ".", "..", "/", "a/b", "a b", "a\x00", "ä", CacheName, long} {
		err := CheckID(id)
		if !errors.Is(err, ErrInvalidID) {
			t.Errorf("%.40q: got %v", id, err)
		} else if len(err.Error()) > 200 {
			t.Errorf("%.40q: the error has %d bytes", id, len(err.Error()))
		}
	}
}
