// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

// idMapper applies id maps to mounts. mount_setattr(2) takes them as a user namespace: the
// container's own if it has the same maps, otherwise one that is created only for this, and
// kept for the next mount with the same maps.
type idMapper struct {
	cfg *configs.Config
	// initPID is a process in the container's user namespace; 0 if there is none yet.
	initPID int
	made    []madeUserns
}

// madeUserns is a user namespace with its maps.
type madeUserns struct {
	uids, gids []configs.IDMap
	file       *os.File
}

// apply maps the ids of the detached tree as m says.
func (x *idMapper) apply(m *configs.Mount, tree *os.File) error {
	userns, err := x.userns(m)
	if err != nil {
		return err
	}
	err = mountapi.SetIDMap(int(tree.Fd()), m.IDMap == "ridmap", int(userns.Fd()))
	switch {
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("id-mapped mount: %w (its file system, or one below it, does not support that)", err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("id-mapped mount: %w (it is id-mapped already, or its file system is not the runtime's)", err)
	case err != nil:
		return fmt.Errorf("id-mapped mount: %w", err)
	}
	return nil
}

// userns returns the user namespace with the maps of m.
func (x *idMapper) userns(m *configs.Mount) (*os.File, error) {
	uids, gids := m.UIDMappings, m.GIDMappings
	if len(uids) == 0 {
		uids, gids = x.cfg.UIDMappings, x.cfg.GIDMappings
	}
	for _, u := range x.made {
		if slices.Equal(u.uids, uids) && slices.Equal(u.gids, gids) {
			return u.file, nil
		}
	}
	var f *os.File
	var err error
	if x.initPID != 0 && x.cfg.Namespaces.Contains(configs.NewUser) && slices.Equal(uids, x.cfg.UIDMappings) && slices.Equal(gids, x.cfg.GIDMappings) {
		f, err = os.Open("/proc/" + strconv.Itoa(x.initPID) + "/ns/user")
	} else {
		f, err = userns.New(&nsenter.Options{
			UIDMappings: userns.SysMap(uids), GIDMappings: userns.SysMap(gids),
			OwnerUID: uids[0].ContainerID, OwnerGID: gids[0].ContainerID,
		})
	}
	if err != nil {
		return nil, err
	}
	x.made = append(x.made, madeUserns{uids, gids, f})
	return f, nil
}

func (x *idMapper) close() {
	for _, u := range x.made {
		_ = u.file.Close()
	}
}
