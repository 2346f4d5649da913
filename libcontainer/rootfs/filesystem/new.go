// SPDX-License-Identifier: Apache-2.0

// Package filesystem makes file systems, as mounts that are attached nowhere yet, and prepares
// their root directories.
package filesystem

import (
	"fmt"
	"os"
	"slices"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"golang.org/x/sys/unix"
)

// New makes a detached mount as described by m, which is neither a bind mount nor of type proc or
// cgroup. It is made in the namespaces of the calling thread, with its rights, which a builder may
// not have.
func New(m *configs.Mount, label configs.MountLabel) (*os.File, error) {
	if NeedsOldCall(m) {
		return nil, fmt.Errorf("an option of more than %d bytes, or iversion: %w", mountapi.MaxOption, unix.EOPNOTSUPP)
	}
	c, err := mountapi.NewContext(m.Type)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	fd, err := FromContext(c, m, label)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), m.Type), nil
}

// FromContext makes the detached mount of a context of m's type, with the options of m and more.
// label is its SELinux label, empty for none.
func FromContext(c *mountapi.Context, m *configs.Mount, label configs.MountLabel, more ...string) (int, error) {
	flags := m.Flags
	if StaysWritable(m) {
		flags &^= unix.MS_RDONLY
	}
	if m.Source != "" {
		if err := c.SetString("source", m.Source); err != nil {
			return -1, err
		}
	}
	super := flags
	if isPseudo(m.Type) {
		// Their superblocks are shared: if one were read-only, it would be so for the next
		// mount as well. The flag of the mount itself is enough.
		super &^= unix.MS_RDONLY
	}
	if err := setSuperFlags(c, super, 0); err != nil {
		return -1, err
	}
	for _, o := range slices.Concat(m.Data, more) {
		if err := c.SetOption(o); err != nil {
			return -1, err
		}
	}
	if label.Label != "" && takesContext(m.Type) {
		if err := c.SetString(label.OptionName(), label.Label); err != nil {
			return -1, err
		}
	}
	if err := c.Create(); err != nil {
		return -1, err
	}
	return c.Mount(mountapi.AttrOf(flags, 0).Set)
}

// Reconfigure applies the options of m to the file system behind the mount whose root fd is.
func Reconfigure(m *configs.Mount, fd int) error {
	c, err := mountapi.Pick(fd)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := setSuperFlags(c, m.Flags, m.Cleared); err != nil {
		return err
	}
	for _, o := range m.Data {
		if err := c.SetOption(o); err != nil {
			return err
		}
	}
	return c.Reconfigure()
}

// StaysWritable reports whether a read-only mount becomes read-only only at the end, because
// mount points of later mounts, or devices, are created in it.
func StaysWritable(m *configs.Mount) bool {
	return m.Type == "tmpfs" || m.Destination == "/dev"
}

// superFlags are the MS_* that belong to the superblock, with the names by which fsconfig(2)
// sets and clears them. MS_SILENT is left out: it is about the kernel's log.
var superFlags = [...]struct {
	ms         uintptr
	set, clear string
}{
	{unix.MS_RDONLY, "ro", "rw"},
	{unix.MS_SYNCHRONOUS, "sync", "async"},
	{unix.MS_DIRSYNC, "dirsync", ""},
	{unix.MS_LAZYTIME, "lazytime", "nolazytime"},
	{unix.MS_MANDLOCK, "mand", "nomand"},
}

func setSuperFlags(c *mountapi.Context, set, cleared uintptr) error {
	for _, f := range superFlags {
		name := ""
		switch {
		case set&f.ms != 0:
			name = f.set
		case cleared&f.ms != 0:
			name = f.clear
		}
		if name == "" {
			continue
		}
		if err := c.SetFlag(name); err != nil {
			return err
		}
	}
	return nil
}

// isPseudo reports whether a file system has no device that would have to be opened read-only.
func isPseudo(fstype string) bool {
	switch fstype {
	case "proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2":
		return true
	}
	return false
}
