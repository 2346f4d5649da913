// SPDX-License-Identifier: Apache-2.0

package procs

import "testing"

func TestParseProcStat(t *testing.T) {
	const tail = " 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 "
	for in, want := range map[string]Stat{
		"7 (sh) S" + tail + "4711 99 1":                    {"sh", 'S', 1, 4194560, 4711},
		"7 (a) (b) Z 9) R" + tail + "18446744073709551615": {"a) (b) Z 9", 'R', 1, 4194560, 1<<64 - 1},
		"7 (\n) Z" + tail + "1 2":                          {"\n", 'Z', 1, 4194560, 1},
	} {
		got, err := Parse([]byte(in))
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "7 (sh", "7 sh) S" + tail + "1", "7 )(sh S" + tail + "1", "7 (sh) S 1 2", "7 (sh) S" + tail + "x", "7 (sh) S x" + tail + "1", "7 (sh) S 1 1 1 0 -1 x 1", "7 (sh) \x00" + tail + "1", "7 (sh) SS" + tail + "1"} {
		if got, err := Parse([]byte(in)); err == nil {
			t.Errorf("%q: got %+v and no error", in, got)
		}
	}
}

func FuzzParseProcStat(f *testing.F) {
	f.Add([]byte("7 (sh) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 99 1"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if p, err := Parse(in); err == nil && p.state == 0 {
			t.Errorf("%q: parsed without a state", in)
		}
	})
}
