// SPDX-License-Identifier: Apache-2.0

package cli

import "testing"

func TestFilterProcesses(t *testing.T) {
	for _, test := range []struct{ name, table, want string }{
		{"ef", "UID        PID  PPID CMD\nroot        12     1 sleep 300\nroot       120     1 sleep 12\n", "UID        PID  PPID CMD\nroot        12     1 sleep 300\n"},
		{"blanks before", "CMD           PID\nsleep 300      12\nsleep 12      120\n", "CMD           PID\nsleep 300      12\n"},
		{"first", "  PID CMD\n   12 a\n   13 b 12\n", "  PID CMD\n   12 a\n"},
		{"long field", "USER PID CMD\nsomebody_long 12 a\nsomebody_long 13 12\n", "USER PID CMD\nsomebody_long 12 a\n"},
		{"another column", "PPID PID\n  12   1\n   1  12\n", "PPID PID\n   1  12\n"},
		{"nobody", "PID CMD\n 13 a\n", "PID CMD\n"},
	} {
		if got, err := filterProcesses(test.table, []int{12, 14}); got != test.want || err != nil {
			t.Errorf("%s: %q, %v", test.name, got, err)
		}
	}
	if _, err := filterProcesses("CMD\na\n", []int{12}); err == nil {
		t.Error("no column PID, and no error")
	}
}

func FuzzFilterProcesses(f *testing.F) {
	f.Add("UID PID\nroot 12\n")
	f.Fuzz(func(_ *testing.T, table string) { _, _ = filterProcesses(table, []int{12}) })
}
