// SPDX-License-Identifier: Apache-2.0

package create

import (
	"fmt"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/resctrl"
)

// planResctrl chooses the container's resctrl group and saves in the state what a delete has to
// remove.
func (cr *Creation) planResctrl() error {
	rdt := cr.Cfg.IntelRdt
	if rdt == nil {
		return nil
	}
	fs, err := resctrl.Open(resctrl.MountPoint)
	if err != nil {
		return fmt.Errorf("%w (%s, %s)", err, configs.PhraseNoRdt, configs.PhraseNoRdtMemory)
	}
	cr.Resctrl, err = fs.Find(&resctrl.Plan{
		ID: cr.ID, ClosID: rdt.ClosID, Schemata: rdt.Schemata, Monitoring: rdt.Monitoring,
	})
	if err != nil {
		return err
	}
	cr.Saved.ResctrlGroups, cr.Saved.ResctrlDir = cr.Resctrl.Owned(), cr.Resctrl.Dir()
	return nil
}

// MakeResctrl makes the groups.
func (cr *Creation) MakeResctrl() error {
	if cr.Resctrl == nil {
		return nil
	}
	if err := cr.Resctrl.Create(); err != nil {
		return err
	}
	cr.Undo.Push("remove the resctrl groups", cr.Resctrl.Remove)
	return nil
}

// joinResctrl moves init into the groups, while it has no threads or children yet.
func (cr *Creation) joinResctrl() error {
	if cr.Resctrl == nil {
		return nil
	}
	return cr.Resctrl.Join(cr.Init.PID)
}
