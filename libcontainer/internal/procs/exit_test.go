// SPDX-License-Identifier: Apache-2.0

package procs

import (
	"strings"
	"testing"
)

func TestParseExitStatus(t *testing.T) {
	line := "7 (a) b) S" + strings.Repeat(" 1", 48)
	if ws, err := ParseExitStatus([]byte(line + " 1792\n")); err != nil || ExitCode(ws) != 7 {
		t.Errorf("%d, %v", ws, err)
	}
	for _, bad := range []string{line, line + " x", line + " -1", "", "7 (a"} {
		if ws, err := ParseExitStatus([]byte(bad)); err == nil {
			t.Errorf("%q: %d", bad, ws)
		}
	}
}

func FuzzParseExitStatus(f *testing.F) {
	f.Add([]byte("7 (a) S" + strings.Repeat(" 1", 49)))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = ParseExitStatus(data) })
}
