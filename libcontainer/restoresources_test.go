// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/criu"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/options"
)

// TestFindStage: nothing that criu needs is below the directory that its mounts hide.
func TestFindStage(t *testing.T) {
	if unprivileged() {
		t.Skip("needs root, for whom there are user namespaces to restore")
	}
	r := &restoration{
		creation: creation{Record: &record.Record{Dir: "/run/berth/id"}, cfg: &configs.Config{}},
		o:        &options.Restore{},
		run:      &criuRun{task: criu.Task{Path: "/usr/sbin/criu"}},
	}
	if stage, err := r.findStage(); err != nil || stage != r.Dir {
		t.Errorf("without a user namespace: %q, %v", stage, err)
	}
	r.cfg.Namespaces = configs.Namespaces{{Type: configs.NewUser}}
	first, err := r.findStage()
	if err != nil {
		t.Fatal(err)
	}
	for name, place := range map[string]*string{
		"root file system": &r.cfg.Rootfs.Path, "images": &r.o.ImagePath, "logs": &r.o.WorkPath, "criu": &r.run.task.Path,
	} {
		before := *place
		*place = first + "/below/it"
		if stage, err := r.findStage(); err == nil && beneath(*place, stage) {
			t.Errorf("%s: %q hides %s", name, stage, *place)
		}
		*place = before
	}
}
