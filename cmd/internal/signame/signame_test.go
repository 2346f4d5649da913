// SPDX-License-Identifier: Apache-2.0

package signame

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestParse(t *testing.T) {
	tests := []struct {
		text string
		want unix.Signal
		ok   bool
	}{
		{"15", unix.SIGTERM, true},
		{"0", 0, true},
		{"64", 64, true},
		{"KILL", unix.SIGKILL, true},
		{"SIGKILL", unix.SIGKILL, true},
		{"sigusr1", unix.SIGUSR1, true},
		{"Term", unix.SIGTERM, true},
		{"CLD", unix.SIGCHLD, true},
		{"SIGPOLL", unix.SIGIO, true},
		{"iot", unix.SIGABRT, true},
		{"WINCH", unix.SIGWINCH, true},
		{"RTMIN", 34, true},
		{"SIGRTMIN+1", 35, true},
		{"rtmax-1", 63, true},
		{"RTMAX", 64, true},
		{"RTMIN+30", 64, true},
		{"RTMIN+31", 0, false},
		{"RTMAX-31", 0, false},
		{"RTMIN-1", 0, false},
		{"RTMAX+1", 0, false},
		{"RTMIN+", 0, false},
		{"RTMIN1", 0, false},
		{"RTMIN++1", 0, false},
		{"RTMIN+999999999999999999999", 0, false},
		{"65", 0, false},
		{"-1", 0, false},
		{"", 0, false},
		{"SIG", 0, false},
		{"SIGSIGKILL", 0, false},
		{"FOO", 0, false},
		{"9 ", 0, false},
	}
	for _, test := range tests {
		got, err := Parse(test.text)
		if (err == nil) != test.ok || got != test.want {
			t.Errorf("Parse(%q) = %d, %v; want %d, ok %v", test.text, int(got), err, int(test.want), test.ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"9", "KILL", "sigrtmin+3", "RTMAX-", "-0", "+5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if s < 0 || s > Max {
			t.Errorf("Parse(%q) = %d, no signal", text, int(s))
		}
		if err != nil && s != 0 {
			t.Errorf("Parse(%q) = %d together with the error %v", text, int(s), err)
		}
	})
}
