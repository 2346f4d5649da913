// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"

	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/nearest"
	"github.com/berth-run/berth/specconv/internal/fault"
	"github.com/berth-run/berth/specconv/internal/sysctl"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// KnownNamespaces returns the types of namespace that Convert accepts, sorted.
func KnownNamespaces() []string {
	var names []string
	for _, t := range configs.NamespaceTypes() {
		names = append(names, t.String())
	}
	slices.Sort(names)
	return names
}

// namespaces checks linux.namespaces. libcontainer checks that a path is a namespace of the
// type, when it has opened it.
func (c *conversion) namespaces() error {
	var errs fault.List
	for i, ns := range c.linux.Namespaces {
		t, err := c.namespaceType(ns)
		if errs.Add(fault.At(err, "namespaces", i)); err != nil && (t == 0 || c.plan.Namespaces.Contains(t)) {
			continue
		}
		entry := configs.Namespace{Type: t, Path: ns.Path}
		if ns.Path != "" {
			entry.Field = fault.Element("linux.namespaces", i) + ".path"
		}
		c.plan.Namespaces = append(c.plan.Namespaces, entry)
	}
	return errs.Err()
}

// namespaceType checks one namespace. With an error, the type is the one that was meant, or 0: then
// the other fields can be checked for it.
func (c *conversion) namespaceType(ns specs.LinuxNamespace) (configs.NamespaceType, error) {
	t, ok := configs.ParseNamespaceType(string(ns.Type))
	switch {
	case !ok:
		hint := nearest.Hint(string(ns.Type), configs.NamespaceNames())
		t, _ = configs.ParseNamespaceType(nearest.Of(string(ns.Type), configs.NamespaceNames()))
		return t, fault.New("type", configs.PhraseNamespace+": unknown namespace type%s", ns.Type, ns.Path, hint)
	case c.plan.Namespaces.Contains(t):
		return t, fault.New("type", "%s {%q %q}: duplicate namespace type", configs.PhraseNamespaceTwice, ns.Type, ns.Path)
	case ns.Path != "" && !path.IsAbs(ns.Path):
		return t, fault.New("path", "must be an absolute path: %q", ns.Path)
	}
	if ns.Path == "" {
		if err := haveNamespace(t); err != nil {
			return t, fault.New("type", "the kernel has no %s namespaces: %w", t, err)
		}
	}
	return t, fault.NoNUL("path", ns.Path)
}

// haveNamespace checks whether the kernel has the types of namespace that can be configured
// out: clone3(2) would return EINVAL without saying which one is missing.
func haveNamespace(t configs.NamespaceType) error {
	switch t {
	case configs.NewTime, configs.NewCgroup, configs.NewUser:
		return unix.Access("/proc/self/ns/"+t.ProcName(), unix.F_OK)
	}
	return nil
}

// idMappings checks the user namespace and its maps. With a path, the maps must be those of the
// namespace, which libcontainer checks.
func (c *conversion) idMappings() error {
	err := c.convertIDMappings()
	c.unmapped = err != nil
	return err
}

func (c *conversion) convertIDMappings() error {
	l := c.linux
	userns, ok := c.plan.Namespaces.Get(configs.NewUser)
	switch {
	case !ok && len(l.UIDMappings) > 0:
		return fault.New("uidMappings", "id mappings need a user namespace")
	case !ok && len(l.GIDMappings) > 0:
		return fault.New("gidMappings", "id mappings need a user namespace")
	case !ok && c.unprivileged:
		return fault.In(codes.New(codes.NeedsRoot, "rootless container requires user namespaces"+configs.HintRootless), "namespaces")
	case ok && userns.Path == "" && len(l.UIDMappings) == 0:
		return fault.New("uidMappings", configs.PhraseNoUIDMap)
	case ok && userns.Path == "" && len(l.GIDMappings) == 0:
		return fault.New("gidMappings", configs.PhraseNoGIDMap)
	}
	var errs fault.List
	var err error
	c.plan.UIDMappings, err = idMap("uidMappings", l.UIDMappings)
	errs.Add(err)
	c.plan.GIDMappings, err = idMap("gidMappings", l.GIDMappings)
	errs.Add(err)
	return errs.Err()
}

// maxIDMapRows is the kernel's UID_GID_MAP_MAX_EXTENTS.
const maxIDMapRows = 340

// maxIDMapText returns the largest size of a map in bytes (user_namespaces(7)): it must be less
// than a page.
func maxIDMapText() int { return unix.Getpagesize() - 1 }

// idMap converts one map. The kernel refuses the same mistakes, but with an EINVAL for the
// whole map.
func idMap(field string, rows []specs.LinuxIDMapping) ([]configs.IDMap, error) {
	var errs fault.List
	m := make([]configs.IDMap, 0, len(rows))
	for i, r := range rows {
		if r.Size == 0 {
			errs.Add(fault.New(fault.Element(field, i)+".size", "must be at least 1"))
		}
		// The last id, 4294967295, means "no id" to the kernel.
		if r.ContainerID > math.MaxUint32-r.Size || r.HostID > math.MaxUint32-r.Size {
			errs.Add(fault.New(fault.Element(field, i), "reaches beyond the last id: %d:%d:%d", r.ContainerID, r.HostID, r.Size))
		}
		m = append(m, configs.IDMap{ContainerID: r.ContainerID, HostID: r.HostID, Size: r.Size})
	}
	if errs.Failed() {
		return nil, errs.Err()
	}
	// The rows stay as in the config, as long as the kernel accepts them.
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
				errs.Add(fault.New(name(i), "overlaps %s", name(j)))
				break
			}
		}
	}
	return m, errs.Err()
}

// idMapText returns the size of the map in bytes, as it is written to the kernel.
func idMapText(m []configs.IDMap) (n int) {
	var buf [10]byte
	for _, r := range m {
		for _, v := range [...]uint32{r.ContainerID, r.HostID, r.Size} {
			n += len(strconv.AppendUint(buf[:0], uint64(v), 10)) + 1
		}
	}
	return n
}

// mergeIDMap sorts the rows and merges those that are adjacent on both sides.
func mergeIDMap(m []configs.IDMap) (merged []configs.IDMap) {
	slices.SortFunc(m, func(a, b configs.IDMap) int { return cmp.Compare(a.ContainerID, b.ContainerID) })
	for _, r := range m {
		if n := len(merged) - 1; n >= 0 {
			last := &merged[n]
			// Nothing overflows: r ends before the last id, as checked above.
			if last.ContainerID+last.Size == r.ContainerID && last.HostID+last.Size == r.HostID {
				last.Size += r.Size
				continue
			}
		}
		merged = append(merged, r)
	}
	return merged
}

// overlap reports whether two ranges share a number. The ranges do not overflow.
func overlap(a, b, sizeA, sizeB uint32) bool { return a < b+sizeB && b < a+sizeA }

// mapped reports whether the container's id is mapped to one of the host.
func mapped(m []configs.IDMap, id uint32) bool {
	_, ok := configs.HostID(m, id)
	return ok
}

// timeOffsets needs a new time namespace. The offsets of an existing one cannot be changed once
// a process is in it.
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
	var errs fault.List
	for _, clock := range sortedKeys(c.linux.TimeOffsets) {
		if clock != "monotonic" && clock != "boottime" {
			errs.Add(fault.New("timeOffsets", "unknown clock %q, must be monotonic or boottime", clock))
		}
		if ns := c.linux.TimeOffsets[clock].Nanosecs; ns >= 1e9 {
			errs.Add(fault.New("timeOffsets."+clock+".nanosecs", "must be below one second: %d", ns))
		}
	}
	c.plan.TimeOffsets = c.linux.TimeOffsets
	return errs.Err()
}

// sortedKeys returns a map's keys in sorted order.
func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

// sysctls converts linux.sysctl.
func (c *conversion) sysctls() (err error) {
	c.plan.Sysctls, err = sysctl.Convert(c.linux.Sysctl, c.spec.Domainname, c.plan.Namespaces)
	return err
}
