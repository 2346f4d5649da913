// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"
)

// TestNoTerminal: without a terminal of the caller, a program in the foreground would wait forever for
// somebody to type. setsid takes away the controlling terminal that the tests may have.
func TestNoTerminal(t *testing.T) {
	c := newContainer(t).args("cat")
	c.spec.Process.Terminal = true
	c.write()
	try := func(args ...string) *result {
		t.Helper()
		return c.mustFinish(c.exec(nil, "setsid", append([]string{"--wait", suite.runtime}, append(c.globals(), args...)...)...))
	}
	try("run", "--bundle", c.dir, c.id).fails("/dev/tty", "")
	c.spec.Process.Terminal = false
	c.running()
	try("exec", "--tty", c.id, "cat").fails("/dev/tty", "")
}
