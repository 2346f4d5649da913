// SPDX-License-Identifier: Apache-2.0

package dev

import (
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"golang.org/x/sys/unix"
)

// Console mounts the peer of a pty on /dev/console, which it creates if there is none.
func (m *Maker) Console(peer int) error {
	dir, name, err := m.Root.Parent("/dev/console")
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	target, err := m.Root.OpenMountFile(dir, "/dev", name)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	tree, err := mountapi.CloneTree(peer, false)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	return m.Attacher.Attach(tree, target, nil)
}
