// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/create"
	"github.com/berth-run/berth/libcontainer/internal/preview"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/options"
)

// TestPreviewKnowsSteps: a preview has the steps of a create, and knows each of them.
func TestPreviewKnowsSteps(t *testing.T) {
	cr := create.New(&record.Record{}, new(configs.Config), new(options.Create))
	for _, s := range createSteps(cr) {
		if !preview.Known(s.What) {
			t.Errorf("package preview does not know the step %q", s.What)
		}
	}
	if preview.Known("something else") {
		t.Error("package preview knows any step")
	}
}
