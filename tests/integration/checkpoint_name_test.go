// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestRestoredSurvives: if the container of a foreground run is checkpointed and restored under
// the same name, run leaves the restored one alone, whenever it notices.
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
