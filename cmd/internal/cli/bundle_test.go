// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
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
		{true, true, "", "cannot allocate tty"},
		{false, true, "s", "cannot use console socket"},
		{true, false, "s", "cannot use console socket"},
		{false, false, "s", "cannot use console socket"},
	}
	for _, test := range tests {
		err := checkTerminal(test.terminal, test.detached, test.socket)
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%+v: error %v", test, err)
		}
	}
}

func TestAddListenFDs(t *testing.T) {
	tests := []struct {
		value string
		fds   int
		env   []string
		fails bool
	}{
		{value: "", fds: 1},
		{value: "0", fds: 1},
		{value: "2", fds: 3, env: []string{"LISTEN_FDS=2", "LISTEN_PID=1"}},
		{value: "-1", fails: true},
		{value: "x", fails: true},
	}
	for _, test := range tests {
		p := preparation{config: new(configs.Config)}
		p.create.PreserveFDs = 1
		err := p.addListenFDs(test.value)
		if test.fails {
			if err == nil {
				t.Errorf("LISTEN_FDS=%s is accepted", test.value)
			}
			continue
		}
		if err != nil || p.create.PreserveFDs != test.fds || !slices.Equal(p.config.Process.Env, test.env) {
			t.Errorf("LISTEN_FDS=%s: %v, %d fds, env %q", test.value, err, p.create.PreserveFDs, p.config.Process.Env)
		}
	}
}
