// SPDX-License-Identifier: Apache-2.0

package restore

import (
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/create"
	"github.com/berth-run/berth/libcontainer/internal/criu"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/libcontainer/options"
)

// TestFindStage: the mounts of criu's stage hide no path that criu needs.
func TestFindStage(t *testing.T) {
	if userns.Unprivileged() {
		t.Skip("needs root, to restore a user namespace")
	}
	r := &Restoration{
		Creation: create.Creation{Record: &record.Record{Dir: "/run/berth/id"}, Cfg: &configs.Config{}},
		o:        &options.Restore{},
		run:      &criu.Run{Task: criu.Task{Path: "/usr/sbin/criu"}},
	}
	if stage, err := r.findStage(); err != nil || stage != r.Dir {
		t.Errorf("without a user namespace: %q, %v", stage, err)
	}
	r.Cfg.Namespaces = configs.Namespaces{{Type: configs.NewUser}}
	first, err := r.findStage()
	if err != nil {
		t.Fatal(err)
	}
	for name, place := range map[string]*string{
		"root file system": &r.Cfg.Rootfs.Path, "images": &r.o.ImagePath, "logs": &r.o.WorkPath, "criu": &r.run.Task.Path,
	} {
		before := *place
		*place = first + "/below/it"
		if stage, err := r.findStage(); err == nil && criu.Beneath(*place, stage) {
			t.Errorf("%s: %q hides %s", name, stage, *place)
		}
		*place = before
	}
}
