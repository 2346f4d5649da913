// SPDX-License-Identifier: Apache-2.0

// Package cgrouptree removes the cgroups of containers that nest them deeper than a runtime can
// remove, so that such a test leaves nothing behind.
package cgrouptree

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Remove removes a cgroup without processes and those below it, at any depth. It is no error if
// the cgroup does not exist.
func Remove(top string) error {
	for {
		removed, err := removeLowest(top)
		if err != nil || !removed {
			return err
		}
	}
}

// removeLowest descends as far as possible, and then removes what can be removed on the way back.
// It returns false if there was nothing below top, which it has then removed.
func removeLowest(top string) (bool, error) {
	dir, err := os.Open(top)
	if os.IsNotExist(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { dir.Close() }()
	for depth := 0; ; depth++ {
		entries, err := dir.ReadDir(-1)
		if err != nil {
			return false, err
		}
		below := ""
		for _, e := range entries {
			if e.IsDir() && unix.Unlinkat(int(dir.Fd()), e.Name(), unix.AT_REMOVEDIR) != nil {
				below = e.Name()
			}
		}
		if below == "" {
			if depth > 0 {
				return true, nil
			}
			return false, os.Remove(top)
		}
		fd, err := unix.Openat(int(dir.Fd()), below, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return false, fmt.Errorf("open a cgroup below %s: %w", top, err)
		}
		dir.Close()
		dir = os.NewFile(uintptr(fd), below)
	}
}
