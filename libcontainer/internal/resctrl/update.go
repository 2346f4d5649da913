// SPDX-License-Identifier: Apache-2.0

package resctrl

import (
	"errors"
	"fmt"
	"path/filepath"
)

// Update writes schemata to the container's own group, the one among owned (see Group.Owned)
// that is not a monitoring group. A group that the container shares with others, or the root
// group, is not changed for one container.
func Update(owned, schemata []string) error {
	if len(schemata) == 0 {
		return nil
	}
	for _, dir := range owned {
		if filepath.Base(filepath.Dir(dir)) == "mon_groups" {
			continue
		}
		g := &Group{fs: &FS{root: filepath.Dir(dir)}, plan: &Plan{Schemata: schemata}, dir: dir}
		if err := g.configure(); err != nil {
			return fmt.Errorf("linux.intelRdt.schemata: %w", err)
		}
		return nil
	}
	return errors.New("linux.intelRdt.schemata: the container has no resctrl group of its own")
}
