// SPDX-License-Identifier: Apache-2.0

package specconv

import "testing"

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "-1": -1, "1024": 1024, "7b": 7, "64k": 64 << 10, "64K": 64 << 10, "64kb": 64 << 10, "64KiB": 64 << 10,
		"512m": 512 << 20, "1.5g": 3 << 29, "2 t": 2 << 40, "9223372036854775807": 1<<63 - 1,
	} {
		if got, err := ParseSize(text); got != want || err != nil {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "k", "1xx", "1kk", "1mg", "-2", "-1k", "1.2.3", "9223372036854775808", "8388608t", "9p9", "1i", "0x10", "1e3"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q: %d, want an error", text, got)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	f.Add("1.5g")
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := ParseSize(text); err == nil && n < -1 {
			t.Errorf("%q: %d", text, n)
		}
	})
}
