// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer"
)

func TestCheckTerminal(t *testing.T) {
	tests := []struct {
		terminal, detached bool
		socket             string
		err                string
	}{
		{true, true, "s", ""},
		{true, false, "", ""},
		{false, true, "", ""},
		{false, false, "", ""},
		{true, true, "", "cannot allocate tty if berth will detach"},
		{false, true, "s", "cannot use console socket"},
		{true, false, "s", "cannot use console socket"},
		{false, false, "s", "cannot use console socket"},
	}
	for _, test := range tests {
		err := (&app{name: "berth"}).checkTerminal(test.terminal, test.detached, test.socket)
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%+v: error %v", test, err)
		}
	}
}

func TestListenFDs(t *testing.T) {
	self := strconv.Itoa(os.Getpid())
	for _, test := range []struct {
		value, pid string
		want       libcontainer.ListenFDs
		fails      bool
	}{
		{"", "", libcontainer.ListenFDs{}, false},
		{"0", "", libcontainer.ListenFDs{Names: "a:b"}, false},
		{"2", "", libcontainer.ListenFDs{Count: 2, Names: "a:b"}, false},
		{"2", self, libcontainer.ListenFDs{Count: 2, Names: "a:b"}, false},
		{"2", "1", libcontainer.ListenFDs{}, false},
		{"2", "x", libcontainer.ListenFDs{}, false},
		{"-1", "", libcontainer.ListenFDs{}, true},
		{"x", self, libcontainer.ListenFDs{}, true},
	} {
		got, err := listenFDs(func(name string) string {
			return map[string]string{"LISTEN_FDS": test.value, "LISTEN_PID": test.pid, "LISTEN_FDNAMES": "a:b"}[name]
		})
		if test.fails != (err != nil) || got != test.want {
			t.Errorf("LISTEN_FDS=%s LISTEN_PID=%s: %+v, %v, want %+v", test.value, test.pid, got, err, test.want)
		}
	}
}
