// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/resctrl"
)

// planResctrl decides on the container's resctrl group and puts into the state what a
// delete has to remove.
func (cr *creation) planResctrl() error {
	rdt := cr.cfg.IntelRdt
	if rdt == nil {
		return nil
	}
	fs, err := resctrl.Open(resctrl.MountPoint)
	if err != nil {
		return fmt.Errorf("%w (%s, %s)", err, configs.PhraseNoRdt, configs.PhraseNoRdtMemory)
	}
	cr.resctrl, err = fs.Find(&resctrl.Plan{
		ID: cr.ID, ClosID: rdt.ClosID, Schemata: rdt.Schemata, Monitoring: rdt.Monitoring,
	})
	if err != nil {
		return err
	}
	cr.Saved.ResctrlGroups, cr.Saved.ResctrlDir = cr.resctrl.Owned(), cr.resctrl.Dir()
	return nil
}

// makeResctrl makes the groups.
func (cr *creation) makeResctrl() error {
	if cr.resctrl == nil {
		return nil
	}
	if err := cr.resctrl.Create(); err != nil {
		return err
	}
	cr.undo.Push("remove the resctrl groups", cr.resctrl.Remove)
	return nil
}

// joinResctrl puts init into the groups, while it has no threads or children yet.
func (cr *creation) joinResctrl() error {
	if cr.resctrl == nil {
		return nil
	}
	return cr.resctrl.Join(cr.init.PID)
}
