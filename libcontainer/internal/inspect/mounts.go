// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"cmp"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountinfo"
	"golang.org/x/sys/unix"
)

// mountTable returns the mounts of the container. Their points are paths from its root.
func (in *inspection) mountTable() ([]mountinfo.Mount, error) {
	text, err := os.ReadFile(in.dir + "/mountinfo")
	if err != nil {
		return nil, err
	}
	return slices.Collect(mountinfo.All(string(text))), nil
}

// mounts compares the mounts of the config with those that are there.
func (in *inspection) mounts(table []mountinfo.Mount) {
	if in.asked.Plan == nil {
		in.add(Item{Area: "mounts", Name: "config.json", Effective: "unknown", Note: "the bundle's config.json cannot be read any more, so what it asks for is not known"})
	}
	seen := make(map[string]bool)
	if plan := in.asked.Plan; plan != nil {
		resolve := func(name string) string { return in.root.Resolve(path.Clean(name)) }
		in.rootMount(table, plan)
		seen["/"] = true
		for i := range plan.Mounts {
			m := &plan.Mounts[i]
			at := resolve(m.Destination)
			if m.CopySymlink || at == "/" || covered(plan.Mounts[i+1:], at, resolve) {
				continue
			}
			seen[at] = true
			in.mount(table, m, at)
		}
		in.hidden(table, plan, seen)
	}
	for _, m := range table {
		if !seen[m.Point] {
			seen[m.Point] = true
			in.add(Item{Area: "mounts", Name: m.Point, Effective: effectiveMount(&m)})
		}
	}
}

// covered reports whether a later mount is at the same place, or a remount of it.
func covered(later []configs.Mount, at string, resolve func(string) string) bool {
	return slices.ContainsFunc(later, func(m configs.Mount) bool { return resolve(m.Destination) == at })
}

// last returns the mount that is seen at a path.
func last(table []mountinfo.Mount, at string) *mountinfo.Mount {
	for i := len(table) - 1; i >= 0; i-- {
		if table[i].Point == at {
			return &table[i]
		}
	}
	return nil
}

func (in *inspection) rootMount(table []mountinfo.Mount, plan *configs.Config) {
	m := last(table, "/")
	if m == nil {
		return
	}
	asked := "rw"
	if plan.Rootfs.Readonly {
		asked = "ro"
	}
	in.add(Item{
		Area: "mounts", Name: "/", Asked: asked, Effective: effectiveMount(m),
		Differs: asked == "ro" != hasFlag(m, "ro"),
	})
}

// mountFlag is an option that takes something away.
type mountFlag struct {
	name string
	ms   uintptr
	attr uint64
}

func restrictions() []mountFlag {
	return []mountFlag{
		{"ro", unix.MS_RDONLY, unix.MOUNT_ATTR_RDONLY},
		{"nosuid", unix.MS_NOSUID, unix.MOUNT_ATTR_NOSUID},
		{"nodev", unix.MS_NODEV, unix.MOUNT_ATTR_NODEV},
		{"noexec", unix.MS_NOEXEC, unix.MOUNT_ATTR_NOEXEC},
		{"nosymfollow", unix.MS_NOSYMFOLLOW, unix.MOUNT_ATTR_NOSYMFOLLOW},
		{"noatime", unix.MS_NOATIME, unix.MOUNT_ATTR_NOATIME},
	}
}

func hasFlag(m *mountinfo.Mount, name string) bool {
	return slices.Contains(strings.Split(m.Flags, ","), name)
}

// mount compares one mount: the type, and what restricts it.
func (in *inspection) mount(table []mountinfo.Mount, asked *configs.Mount, at string) {
	m := last(table, at)
	words := []string{asked.Type}
	if asked.IsBind() {
		words = append(words, asked.Source)
	}
	var missing []string
	for _, f := range restrictions() {
		if asked.Flags&f.ms == 0 && asked.RecAttrSet&f.attr == 0 {
			continue
		}
		words = append(words, f.name)
		if m != nil && !hasFlag(m, f.name) && !slices.Contains(strings.Split(m.Options, ","), f.name) {
			missing = append(missing, f.name)
		}
	}
	sizes, differ := tmpfsSizes(asked, m)
	words = append(words, sizes...)
	i := Item{Area: "mounts", Name: at, Asked: strings.Join(words, " "), Effective: "no mount", Differs: true}
	if m != nil {
		i.Effective, i.Differs = effectiveMount(m), false
		switch {
		case len(missing) > 0:
			i.Differs, i.Note = true, "without "+strings.Join(missing, ", ")
		case !asked.IsBind() && asked.Flags&unix.MS_REMOUNT == 0 && asked.Type != m.Type && !alike(asked.Type, m.Type):
			i.Differs, i.Note = true, "of type "+m.Type
		case asked.Flags&unix.MS_RDONLY == 0 && hasFlag(m, "ro"):
			i.Note = "read-only, although not asked for: as its source is"
		}
		if differ != "" {
			i.Differs, i.Note = true, strings.TrimPrefix(i.Note+", "+differ, ", ")
		}
	}
	in.add(i)
}

// alike are types that berth makes of others: a cgroup mount is made of what the host has, and
// sysfs of another namespace is a bind mount.
func alike(asked, have string) bool {
	switch asked {
	case "cgroup", "cgroup2":
		return have == "cgroup" || have == "cgroup2" || have == "tmpfs"
	case "sysfs", "proc", "mqueue":
		return have == asked
	}
	return strings.HasPrefix(have, "fuse.") || asked == "none"
}

// hidden compares the masked and read-only paths. Those that do not exist need no mount.
func (in *inspection) hidden(table []mountinfo.Mount, plan *configs.Config, seen map[string]bool) {
	for _, p := range plan.MaskedPaths {
		in.hiddenPath(table, p, "masked", seen, func(m *mountinfo.Mount) bool { return m.Type == "tmpfs" || m.Root == "/null" || m.Type == "devtmpfs" })
	}
	for _, p := range plan.ReadonlyPaths {
		in.hiddenPath(table, p, "read-only", seen, func(m *mountinfo.Mount) bool { return hasFlag(m, "ro") })
	}
}

func (in *inspection) hiddenPath(table []mountinfo.Mount, p, asked string, seen map[string]bool, good func(*mountinfo.Mount) bool) {
	m := last(table, p)
	if m == nil {
		if _, ok := in.root.Stat(p); !ok {
			return
		}
		// A path in a mount that is read-only needs none of its own.
		if above := nearestMount(table, p); above != nil && asked == "read-only" && hasFlag(above, "ro") {
			return
		}
		in.add(Item{Area: "mounts", Name: p, Asked: asked, Effective: "no mount", Differs: true})
		return
	}
	seen[p] = true
	in.add(Item{Area: "mounts", Name: p, Asked: asked, Effective: effectiveMount(m), Differs: !good(m)})
}

func nearestMount(table []mountinfo.Mount, p string) *mountinfo.Mount {
	for {
		if m := last(table, p); m != nil || p == "/" {
			return m
		}
		p = path.Dir(p)
	}
}

// tmpfsSizes returns the options of a tmpfs that limit it, and a text if it has others.
func tmpfsSizes(asked *configs.Mount, m *mountinfo.Mount) (words []string, differ string) {
	if asked.Type != "tmpfs" {
		return nil, ""
	}
	for i, option := range asked.Data {
		name, value, _ := strings.Cut(option, "=")
		// Of two the last one counts.
		again := slices.ContainsFunc(asked.Data[i+1:], func(o string) bool { return strings.HasPrefix(o, name+"=") })
		if name != "size" && name != "nr_inodes" || again {
			continue
		}
		words = append(words, option)
		want, ok := tmpfsNumber(value)
		if !ok || m == nil || m.Type != "tmpfs" {
			continue
		}
		unit := uint64(1)
		if name == "size" {
			unit = uint64(os.Getpagesize())
			want = (want + unit - 1) / unit * unit
		}
		text := optionOf(m, name)
		have, ok := tmpfsNumber(text)
		if !ok { // the kernel does not show the default, half of the memory's pages
			have = memoryPages() / 2 * unit
		}
		if have != want {
			differ = "with " + name + "=" + cmp.Or(text, "(the default)")
		}
	}
	return words, differ
}

// tmpfsNumber parses "64k". A part of the memory ("50%") is up to the machine.
func tmpfsNumber(text string) (n uint64, ok bool) {
	shift := 0
	if len(text) > 0 {
		if i := strings.IndexByte("kmgtpe", text[len(text)-1]|0x20); i >= 0 {
			text, shift = text[:len(text)-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseUint(text, 0, 64)
	return n << shift, err == nil
}

// memoryPages returns how many pages the machine's memory has.
func memoryPages() uint64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return info.Totalram * uint64(info.Unit) / uint64(os.Getpagesize())
}

// optionOf returns the value of an option of the file system; "" if it has its default.
func optionOf(m *mountinfo.Mount, name string) string {
	for option := range strings.SplitSeq(m.Options, ",") {
		if value, found := strings.CutPrefix(option, name+"="); found {
			return value
		}
	}
	return ""
}

func effectiveMount(m *mountinfo.Mount) string {
	text := m.Type + " " + m.Flags
	if m.Root != "/" {
		text = m.Type + " of " + m.Root + " " + m.Flags
	}
	if size := optionOf(m, "size"); m.Type == "tmpfs" && size != "" {
		text += " size=" + size
	}
	if m.Peers != "" {
		text += " " + m.Peers
	}
	return text
}
