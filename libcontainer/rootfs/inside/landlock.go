// SPDX-License-Identifier: Apache-2.0

package inside

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"github.com/berth-run/berth/libcontainer/internal/landlock"
	"golang.org/x/sys/unix"
)

// Landlock makes the ruleset of a process in the container whose root directory is root, for the
// files as they are now. It returns nil if the plan has none.
func Landlock(root *inroot.Root, l *configs.Landlock) (*os.File, error) {
	if l == nil {
		return nil, nil
	}
	r, err := landlock.New(l.FS, l.Net, l.Scoped)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", configs.LandlockField, err)
	}
	if err := allow(r, root, l); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r.File(), nil
}

// allow adds the rules.
func allow(r *landlock.Ruleset, root *inroot.Root, l *configs.Landlock) error {
	for i := range l.Paths {
		p := &l.Paths[i]
		fd, err := root.Open(p.Path, unix.O_PATH, 0)
		if err == nil {
			err = errors.Join(r.AllowPath(fd, p.Allow), unix.Close(fd))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.Field, err)
		}
	}
	for _, p := range l.Ports {
		if err := r.AllowPort(p.Port, p.Allow); err != nil {
			return fmt.Errorf("%s.netPort: %w", configs.LandlockField, err)
		}
	}
	return nil
}
