// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"
)

func TestCgroupManager(t *testing.T) {
	for manager, want := range map[string]struct {
		systemd, none bool
		err           string
	}{
		"":         {},
		"cgroupfs": {},
		"systemd":  {systemd: true},
		"disabled": {none: true},
		"other":    {err: `unknown manager "other"`},
	} {
		g := globalOptions{manager: manager}
		err := g.checkManager()
		if g.systemdCgroup != want.systemd || g.noCgroup != want.none || (err == nil) != (want.err == "") || err != nil && !strings.Contains(err.Error(), want.err) {
			t.Errorf("%q: systemd %t, none %t, error %v", manager, g.systemdCgroup, g.noCgroup, err)
		}
	}
	g := globalOptions{manager: "disabled", systemdCgroup: true}
	if err := g.checkManager(); err == nil {
		t.Error("disabled and --systemd-cgroup do not contradict each other")
	}
}
