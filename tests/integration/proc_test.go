// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"
)

// TestForeignProc: if /proc belongs to another pid namespace, its pids mean other processes. The
// runtime creates nothing and kills nobody.
func TestForeignProc(t *testing.T) {
	onlyBerth(t)
	only(t, !suite.users.ordinary(), "the mode in which root creates the pid namespace")
	c := newContainer(t).args("sleep", "1000").create()
	inside := func(setup string, args ...string) *result {
		t.Helper()
		script := setup + ` exec "$0" "$@"`
		return c.mustFinish(c.exec(nil, "unshare", append([]string{"--fork", "--pid", "--mount", "sh", "-c", script, suite.runtime},
			append(c.globals(), args...)...)...))
	}
	other := anotherContainer(t, c).args("sleep", "1000")
	other.write()
	commands := [][]string{
		{"create", "--bundle", other.dir, other.id},
		{"run", "--bundle", other.dir, other.id},
		{"start", c.id},
		{"state", c.id},
		{"list"},
		{"kill", c.id, "KILL"},
		{"delete", "--force", c.id},
		{"exec", c.id, "true"},
		{"ps", c.id},
		{"pause", c.id},
		{"update", "--pids-limit", "10", c.id},
		{"events", "--stats", c.id},
	}
	for _, args := range commands {
		inside("", args...).fails("shows the processes of another pid namespace", "")
		inside("umount -l /proc;", args...).fails("/proc is no procfs", "")
	}
	other.command("state", other.id).fails("does not exist", "")
	c.status("created")
	inside("mount -t proc proc /proc;", "list", "-q").must()
}
