// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestRestoredSurvives: a run in the foreground, whose container is saved and restored by the
// same name, has nothing to do with the restored one, whenever it comes to notice.
func TestRestoredSurvives(t *testing.T) {
	c := newContainer(t)
	needCriu(t)
	onlyBerth(t)
	run := c.stoppedRun()
	c.tryCheckpoint().must()
	c.restore()
	c.endStopped(run)
	c.status(specs.StateRunning)
}
