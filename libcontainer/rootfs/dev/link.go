// SPDX-License-Identifier: Apache-2.0

package dev

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// links are the symbolic links in /dev that programs expect (spec: config-linux.md, "Default
// Devices" and "/dev symbolic links").
var links = [...]struct{ name, target string }{
	{"fd", "/proc/self/fd"},
	{"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"},
}

// Links makes the links in /dev. What the image has in place of one stays, except for ptmx:
// a device node there would open the host's pty instance.
func (m *Maker) Links() error {
	dir, err := m.Root.MkdirAll("/dev", 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	for _, l := range links {
		if err := m.makeLink(dir, l.name, l.target); err != nil {
			return err
		}
	}
	if unix.Access("/proc/kcore", unix.F_OK) == nil {
		if err := m.makeLink(dir, "core", "/proc/kcore"); err != nil {
			return err
		}
	}
	const ptmx = "pts/ptmx"
	err = m.Root.Symlink(ptmx, dir, "/dev", "ptmx")
	if !errors.Is(err, unix.EEXIST) {
		return err
	}
	if err := unix.Unlinkat(dir, "ptmx", 0); err != nil {
		return &os.PathError{Op: "unlinkat", Path: "/dev/ptmx", Err: err}
	}
	return m.Root.Symlink(ptmx, dir, "/dev", "ptmx")
}

func (m *Maker) makeLink(dir int, name, target string) error {
	return skipExists(m.Root.Symlink(target, dir, "/dev", name))
}

func skipExists(err error) error {
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}
