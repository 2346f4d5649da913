// SPDX-License-Identifier: Apache-2.0

package filesystem

import (
	"os"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"golang.org/x/sys/unix"
)

// NeedsOldCall reports whether only mount(2) can express m: fsconfig(2) limits a value to 255
// bytes, which the directories of an overlay may well exceed, and has no name for MS_I_VERSION.
func NeedsOldCall(m *configs.Mount) bool {
	if m.Type == "proc" {
		return false // mount(2) would use the builder's pid namespace
	}
	if m.Flags&unix.MS_I_VERSION != 0 || len(m.Source) > mountapi.MaxOption {
		return true
	}
	for _, o := range m.Data {
		if _, value, _ := strings.Cut(o, "="); len(value) > mountapi.MaxOption {
			return true
		}
	}
	return false
}

// oldCallFlags are the flags that mount(2) accepts for a new mount.
const oldCallFlags = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_SYNCHRONOUS |
	unix.MS_MANDLOCK | unix.MS_DIRSYNC | unix.MS_NOATIME | unix.MS_NODIRATIME | unix.MS_RELATIME |
	unix.MS_STRICTATIME | unix.MS_LAZYTIME | unix.MS_I_VERSION | unix.MS_SILENT | unix.MS_NOSYMFOLLOW

// OldCall makes the mount with mount(2), on path.
func OldCall(m *configs.Mount, label configs.MountLabel, path string) error {
	data := m.Data
	if label.Label != "" && takesContext(m.Type) {
		data = append(data[:len(data):len(data)], label.OptionName()+`="`+label.Label+`"`)
	}
	source := m.Source
	if source == "" {
		source = "none" // as with the new calls
	}
	err := unix.Mount(source, path, m.Type, m.Flags&oldCallFlags, strings.Join(data, ","))
	return os.NewSyscallError("mount", err)
}
