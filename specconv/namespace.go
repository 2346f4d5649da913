// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"cmp"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/fault"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// KnownNamespaces are the kinds of namespace that Convert takes, sorted.
func KnownNamespaces() []string {
	var names []string
	for _, t := range configs.NamespaceTypes() {
		names = append(names, t.String())
	}
	slices.Sort(names)
	return names
}

// namespaces checks linux.namespaces. That a path really is a namespace of the
// type is for the engine to see, once it has opened it.
func (c *conversion) namespaces() error {
	for i, ns := range c.linux.Namespaces {
		t, err := c.namespaceType(ns)
		if err != nil {
			return fault.At(err, "namespaces", i)
		}
		entry := configs.Namespace{Type: t, Path: ns.Path}
		if ns.Path != "" {
			entry.Field = fault.Element("linux.namespaces", i) + ".path"
		}
		c.plan.Namespaces = append(c.plan.Namespaces, entry)
	}
	return nil
}

func (c *conversion) namespaceType(ns specs.LinuxNamespace) (configs.NamespaceType, error) {
	t, ok := configs.ParseNamespaceType(string(ns.Type))
	switch {
	case !ok:
		return 0, fault.New("type", configs.PhraseNamespace+": unknown namespace type", ns.Type, ns.Path)
	case c.plan.Namespaces.Contains(t):
		return 0, fault.New("type", "%s {%q %q}: duplicate namespace type", configs.PhraseNamespaceTwice, ns.Type, ns.Path)
	case ns.Path != "" && !path.IsAbs(ns.Path):
		return 0, fault.New("path", "must be an absolute path: %q", ns.Path)
	}
	if ns.Path == "" {
		if err := haveNamespace(t); err != nil {
			return 0, fault.New("type", "the kernel has no %s namespaces: %w", t, err)
		}
	}
	return t, fault.NoNUL("path", ns.Path)
}

// haveNamespace asks the kernel about the kinds that a configuration may leave
// out: clone3(2) would answer EINVAL for any of them, without a word on which.
func haveNamespace(t configs.NamespaceType) error {
	switch t {
	case configs.NewTime, configs.NewCgroup, configs.NewUser:
		return unix.Access("/proc/self/ns/"+t.ProcName(), unix.F_OK)
	}
	return nil
}

// idMappings checks the user namespace and its maps. With a path the maps must be
// those that the namespace has, which the engine compares.
func (c *conversion) idMappings() error {
	l := c.linux
	userns, ok := c.plan.Namespaces.Get(configs.NewUser)
	switch {
	case !ok && len(l.UIDMappings) > 0:
		return fault.New("uidMappings", "id mappings need a user namespace")
	case !ok && len(l.GIDMappings) > 0:
		return fault.New("gidMappings", "id mappings need a user namespace")
	case !ok && c.unprivileged:
		return fault.New("namespaces", "rootless container requires user namespaces")
	case ok && userns.Path == "" && len(l.UIDMappings) == 0:
		return fault.New("uidMappings", configs.PhraseNoUIDMap)
	case ok && userns.Path == "" && len(l.GIDMappings) == 0:
		return fault.New("gidMappings", configs.PhraseNoGIDMap)
	}
	var err error
	if c.plan.UIDMappings, err = idMap("uidMappings", l.UIDMappings); err != nil {
		return err
	}
	c.plan.GIDMappings, err = idMap("gidMappings", l.GIDMappings)
	return err
}

// maxIDMapRows is the kernel's UID_GID_MAP_MAX_EXTENTS.
const maxIDMapRows = 340

// maxIDMapText is the most bytes that the kernel takes of a map (user_namespaces(7)): less
// than a page.
func maxIDMapText() int { return unix.Getpagesize() - 1 }

// idMap converts one map. The kernel refuses what is refused here, but with an
// EINVAL for the whole map.
func idMap(field string, rows []specs.LinuxIDMapping) ([]configs.IDMap, error) {
	m := make([]configs.IDMap, 0, len(rows))
	for i, r := range rows {
		if r.Size == 0 {
			return nil, fault.New(fault.Element(field, i)+".size", "must be at least 1")
		}
		// The last id, 4294967295, is "no id" to the kernel.
		if r.ContainerID > math.MaxUint32-r.Size || r.HostID > math.MaxUint32-r.Size {
			return nil, fault.New(fault.Element(field, i), "reaches beyond the last id: %d:%d:%d", r.ContainerID, r.HostID, r.Size)
		}
		m = append(m, configs.IDMap{ContainerID: r.ContainerID, HostID: r.HostID, Size: r.Size})
	}
	// As they stand in the config, as long as the kernel takes that.
	name := func(i int) string { return fault.Element(field, i) }
	if len(m) > maxIDMapRows || idMapText(m) > maxIDMapText() {
		m = mergeIDMap(m)
		name = func(i int) string {
			return fmt.Sprintf("%s: %d:%d:%d", field, m[i].ContainerID, m[i].HostID, m[i].Size)
		}
	}
	if len(m) > maxIDMapRows {
		return nil, fault.New(field, "%d rows that cannot be merged, more than the %d that the kernel takes", len(m), maxIDMapRows)
	}
	if n := idMapText(m); n > maxIDMapText() {
		return nil, fault.New(field, "%d rows that cannot be merged are %d bytes of text, more than the %d that the kernel takes", len(m), n, maxIDMapText())
	}
	for i, r := range m {
		for j, other := range m[:i] {
			if overlap(r.ContainerID, other.ContainerID, r.Size, other.Size) || overlap(r.HostID, other.HostID, r.Size, other.Size) {
				return nil, fault.New(name(i), "overlaps %s", name(j))
			}
		}
	}
	return m, nil
}

// idMapText is how many bytes the map has in the kernel's words.
func idMapText(m []configs.IDMap) (n int) {
	var buf [10]byte
	for _, r := range m {
		for _, v := range [...]uint32{r.ContainerID, r.HostID, r.Size} {
			n += len(strconv.AppendUint(buf[:0], uint64(v), 10)) + 1
		}
	}
	return n
}

// mergeIDMap sorts the rows and makes one of those that continue each other on both sides.
func mergeIDMap(m []configs.IDMap) (merged []configs.IDMap) {
	slices.SortFunc(m, func(a, b configs.IDMap) int { return cmp.Compare(a.ContainerID, b.ContainerID) })
	for _, r := range m {
		if n := len(merged) - 1; n >= 0 {
			last := &merged[n]
			// Nothing wraps: r has been checked to end before the last id.
			if last.ContainerID+last.Size == r.ContainerID && last.HostID+last.Size == r.HostID {
				last.Size += r.Size
				continue
			}
		}
		merged = append(merged, r)
	}
	return merged
}

// overlap says whether two ranges share a number. None wraps.
func overlap(a, b, sizeA, sizeB uint32) bool { return a < b+sizeB && b < a+sizeA }

// mapped says whether the container's id stands for one of the host.
func mapped(m []configs.IDMap, id uint32) bool {
	_, ok := configs.HostID(m, id)
	return ok
}

// timeOffsets needs a time namespace that is made here: that of others has its
// offsets, which cannot be changed once a process is in it.
func (c *conversion) timeOffsets() error {
	if len(c.linux.TimeOffsets) == 0 {
		return nil
	}
	ns, ok := c.plan.Namespaces.Get(configs.NewTime)
	switch {
	case !ok:
		return fault.New("timeOffsets", configs.PhraseTimeNotEnabled)
	case ns.Path != "":
		return fault.New("timeOffsets", configs.PhraseTimeJoined+": %q", ns.Path)
	}
	for _, clock := range sortedKeys(c.linux.TimeOffsets) {
		if clock != "monotonic" && clock != "boottime" {
			return fault.New("timeOffsets", "unknown clock %q, must be monotonic or boottime", clock)
		}
		if ns := c.linux.TimeOffsets[clock].Nanosecs; ns >= 1e9 {
			return fault.New("timeOffsets."+clock+".nanosecs", "must be below one second: %d", ns)
		}
	}
	c.plan.TimeOffsets = c.linux.TimeOffsets
	return nil
}
