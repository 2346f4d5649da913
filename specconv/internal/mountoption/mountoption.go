// SPDX-License-Identifier: Apache-2.0

// Package mountoption has the mount options, and the effect of each on a mount of the plan.
package mountoption

import (
	"fmt"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/nearest"
	"golang.org/x/sys/unix"
)

// optionKind says what an option changes.
type optionKind uint8

// The kinds of options.
const (
	setFlag      optionKind = iota // an MS_* flag on
	clearFlag                      // an MS_* flag off
	propagation                    // the propagation
	setRecAttr                     // a MOUNT_ATTR_* on, recursively
	clearRecAttr                   // a MOUNT_ATTR_* off, recursively
	CopyUp                         // tmpcopyup
	idMapOption                    // idmap, ridmap
	linkOption                     // how a bind mount takes symbolic links
)

// The values of linkOption.
const (
	copySymlink = iota
	sourceNoFollow
	destNoFollow
)

// Option is an option that berth itself implements.
type Option struct {
	Name  string
	Kind  optionKind
	value uintptr
}

// Options are sorted by name, which a test checks.
var Options = [...]Option{
	{"async", clearFlag, unix.MS_SYNCHRONOUS},
	{"atime", clearFlag, unix.MS_NOATIME},
	{"bind", setFlag, unix.MS_BIND},
	{"copy-symlink", linkOption, copySymlink},
	{"defaults", setFlag, 0},
	{"dest-nofollow", linkOption, destNoFollow},
	{"dev", clearFlag, unix.MS_NODEV},
	{"diratime", clearFlag, unix.MS_NODIRATIME},
	{"dirsync", setFlag, unix.MS_DIRSYNC},
	{"exec", clearFlag, unix.MS_NOEXEC},
	{"idmap", idMapOption, 0},
	{"iversion", setFlag, unix.MS_I_VERSION},
	{"lazytime", setFlag, unix.MS_LAZYTIME},
	{"loud", clearFlag, unix.MS_SILENT},
	{"mand", setFlag, unix.MS_MANDLOCK},
	{"noatime", setFlag, unix.MS_NOATIME},
	{"nodev", setFlag, unix.MS_NODEV},
	{"nodiratime", setFlag, unix.MS_NODIRATIME},
	{"noexec", setFlag, unix.MS_NOEXEC},
	{"noiversion", clearFlag, unix.MS_I_VERSION},
	{"nolazytime", clearFlag, unix.MS_LAZYTIME},
	{"nomand", clearFlag, unix.MS_MANDLOCK},
	{"norelatime", clearFlag, unix.MS_RELATIME},
	{"nostrictatime", clearFlag, unix.MS_STRICTATIME},
	{"nosuid", setFlag, unix.MS_NOSUID},
	{"nosymfollow", setFlag, unix.MS_NOSYMFOLLOW},
	{"private", propagation, unix.MS_PRIVATE},
	{"ratime", clearRecAttr, unix.MOUNT_ATTR_NOATIME},
	{"rbind", setFlag, unix.MS_BIND | unix.MS_REC},
	{"rdev", clearRecAttr, unix.MOUNT_ATTR_NODEV},
	{"rdiratime", clearRecAttr, unix.MOUNT_ATTR_NODIRATIME},
	{"relatime", setFlag, unix.MS_RELATIME},
	{"remount", setFlag, unix.MS_REMOUNT},
	{"rexec", clearRecAttr, unix.MOUNT_ATTR_NOEXEC},
	{"ridmap", idMapOption, 0},
	{"rnoatime", setRecAttr, unix.MOUNT_ATTR_NOATIME},
	{"rnodev", setRecAttr, unix.MOUNT_ATTR_NODEV},
	{"rnodiratime", setRecAttr, unix.MOUNT_ATTR_NODIRATIME},
	{"rnoexec", setRecAttr, unix.MOUNT_ATTR_NOEXEC},
	{"rnorelatime", clearRecAttr, unix.MOUNT_ATTR_RELATIME},
	{"rnostrictatime", clearRecAttr, unix.MOUNT_ATTR_STRICTATIME},
	{"rnosuid", setRecAttr, unix.MOUNT_ATTR_NOSUID},
	{"rnosymfollow", setRecAttr, unix.MOUNT_ATTR_NOSYMFOLLOW},
	{"ro", setFlag, unix.MS_RDONLY},
	{"rprivate", propagation, unix.MS_PRIVATE | unix.MS_REC},
	{"rrelatime", setRecAttr, unix.MOUNT_ATTR_RELATIME},
	{"rro", setRecAttr, unix.MOUNT_ATTR_RDONLY},
	{"rrw", clearRecAttr, unix.MOUNT_ATTR_RDONLY},
	{"rshared", propagation, unix.MS_SHARED | unix.MS_REC},
	{"rslave", propagation, unix.MS_SLAVE | unix.MS_REC},
	{"rstrictatime", setRecAttr, unix.MOUNT_ATTR_STRICTATIME},
	{"rsuid", clearRecAttr, unix.MOUNT_ATTR_NOSUID},
	{"rsymfollow", clearRecAttr, unix.MOUNT_ATTR_NOSYMFOLLOW},
	{"runbindable", propagation, unix.MS_UNBINDABLE | unix.MS_REC},
	{"rw", clearFlag, unix.MS_RDONLY},
	{"shared", propagation, unix.MS_SHARED},
	{"silent", setFlag, unix.MS_SILENT},
	{"slave", propagation, unix.MS_SLAVE},
	{"src-nofollow", linkOption, sourceNoFollow},
	{"strictatime", setFlag, unix.MS_STRICTATIME},
	{"suid", clearFlag, unix.MS_NOSUID},
	{"symfollow", clearFlag, unix.MS_NOSYMFOLLOW},
	{"sync", setFlag, unix.MS_SYNCHRONOUS},
	{"tmpcopyup", CopyUp, 0},
	{"unbindable", propagation, unix.MS_UNBINDABLE},
}

// Known returns the options that Convert does not pass on to the file system, sorted. As in
// runc, the list omits the id-map options: for these, engines look at mountExtensions.idmap in
// the features document.
func Known() []string {
	names := make([]string, 0, len(Options))
	for _, o := range Options {
		if o.Kind != idMapOption {
			names = append(names, o.Name)
		}
	}
	return names
}

// IsData reports whether an unknown option has the form of one for a file system, with a value.
func IsData(option string) bool {
	name, _, valued := strings.Cut(option, "=")
	_, known := Find(name)
	return valued && !known && nearest.Of(name, Known()) == ""
}

// Hint returns what may have been meant by an option that is not known, as [nearest.Hint] does.
func Hint(option string) string {
	name, _, valued := strings.Cut(option, "=")
	if _, known := Find(name); known && valued {
		return fmt.Sprintf(" (%q takes no value)", name)
	}
	if n := strings.ReplaceAll(strings.ToLower(name), "-", ""); n == "readonly" || n == "readwrite" {
		return fmt.Sprintf(" (did you mean %q?)", "r"+n[len("read"):][:1])
	}
	return nearest.Hint(name, Known())
}

// Find looks an option up by name.
func Find(name string) (Option, bool) {
	i, ok := slices.BinarySearchFunc(Options[:], name, func(o Option, name string) int {
		return strings.Compare(o.Name, name)
	})
	if !ok {
		return Option{}, false
	}
	return Options[i], true
}

// Apply applies the options to m, from first to last, so that the last one of conflicting
// options counts. It returns the index of the first option that was added to the file system's
// data, or -1.
func Apply(m *configs.Mount, options []string) (firstData int) {
	firstData = -1
	for i, name := range options {
		o, ok := Find(name)
		if !ok {
			if name == "" {
				continue
			}
			if o, _, ok := strings.Cut(name, "="); ok && IsIDMapOption(o) {
				m.IDMap = o // idMappedMount reads the value
				continue
			}
			if m.Data = appendData(m.Data, name); firstData < 0 {
				firstData = i
			}
			continue
		}
		switch o.Kind {
		case setFlag:
			m.Flags |= o.value
			m.Cleared &^= o.value
		case clearFlag:
			m.Flags &^= o.value
			m.Cleared |= o.value
		case propagation:
			m.Propagation = append(m.Propagation, o.value)
		case setRecAttr, clearRecAttr:
			changeRecAttr(m, uint64(o.value), o.Kind == setRecAttr)
		case CopyUp:
			m.CopyUp = true
		case linkOption:
			m.CopySymlink = m.CopySymlink || o.value == copySymlink
			m.SourceNoFollow = m.SourceNoFollow || o.value == sourceNoFollow
			m.DestNoFollow = m.DestNoFollow || o.value == destNoFollow
		case idMapOption:
			m.IDMap = name
		}
	}
	return firstData
}

// appendData appends the file system's options in one element of options. It may contain
// several options separated by commas, because runtimes that use mount(2) pass all of them to
// the kernel as one such list. A comma is not a separator within double quotes or after a
// backslash, with which overlayfs escapes commas in paths.
func appendData(data []string, word string) []string {
	quoted := false
	start := 0
	for i := 0; i < len(word); i++ {
		switch word[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		case ',':
			if !quoted {
				if i > start {
					data = append(data, word[start:i])
				}
				start = i + 1
			}
		}
	}
	if start < len(word) {
		data = append(data, word[start:])
	}
	return data
}

// changeRecAttr sets or clears a recursive attribute.
func changeRecAttr(m *configs.Mount, attr uint64, on bool) {
	switch {
	case attr&^unix.MOUNT_ATTR__ATIME == 0:
		// One of the atime modes. They are a single field in the kernel, and mount_setattr(2)
		// accepts all of its bits or none. relatime is its zero value, and what remains if
		// another mode is switched off.
		mode := m.RecAttrSet & unix.MOUNT_ATTR__ATIME
		if on {
			mode = attr
		} else if mode == attr {
			mode = unix.MOUNT_ATTR_RELATIME
		}
		m.RecAttrSet = m.RecAttrSet&^unix.MOUNT_ATTR__ATIME | mode
		m.RecAttrClear |= unix.MOUNT_ATTR__ATIME
	case on:
		m.RecAttrSet |= attr
		m.RecAttrClear &^= attr
	default:
		m.RecAttrSet &^= attr
		m.RecAttrClear |= attr
	}
}

// IsIDMapOption reports whether an option has an id map as its value.
func IsIDMapOption(name string) bool { return name == "idmap" || name == "ridmap" }
