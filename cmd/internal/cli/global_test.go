// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"
)

func TestCgroupManager(t *testing.T) {
	for manager, want := range map[string]struct {
		systemd bool
		err     string
	}{
		"":         {},
		"cgroupfs": {},
		"systemd":  {systemd: true},
		"disabled": {err: "not supported"},
		"other":    {err: `unknown manager "other"`},
	} {
		g := globalOptions{manager: manager}
		err := g.checkManager()
		if g.systemdCgroup != want.systemd || (err == nil) != (want.err == "") || err != nil && !strings.Contains(err.Error(), want.err) {
			t.Errorf("%q: systemd %t, error %v", manager, g.systemdCgroup, err)
		}
	}
}
