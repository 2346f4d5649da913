// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestKillRegex(t *testing.T) {
	for _, flag := range []string{"--regex", "-r"} {
		t.Run(flag, func(t *testing.T) {
			c := newContainer(t).running()
			d := anotherContainer(t, c).running()
			gone := anotherContainer(t, c).create().start()
			gone.wait()
			c.command("kill", flag, "^"+c.id+"$", "KILL").must().silent()
			c.wait()
			d.status(specs.StateRunning)
			c.command("kill", flag, "^"+suite.token+"-[0-9]+$", "KILL").must().silent()
			d.wait()
		})
	}
}

func TestDeleteRegex(t *testing.T) {
	c := newContainer(t).running()
	d := anotherContainer(t, c).create()
	c.command("delete", "--regex", "^(nobody|"+d.id+")$").must().silent()
	c.command("state", d.id).fails("container does not exist", "")
	c.command("delete", "--regex", "^"+suite.token).fails("not stopped: running", "")
	c.command("delete", "--force", "-r", "^"+suite.token).must().silent()
	c.command("state", c.id).fails("container does not exist", "")
	c.command("delete", "--regex", "^nothing$").must().silent()
	c.command("delete", "--regex", "(").fails("", "")
}
