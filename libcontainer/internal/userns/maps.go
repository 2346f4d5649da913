// SPDX-License-Identifier: Apache-2.0

package userns

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"syscall"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"golang.org/x/sys/unix"
)

// Owner returns the owner, in the container's user namespace, of what the runtime creates
// there: its root, or the user of the process if root is not mapped.
func Owner(cfg *configs.Config) (uid, gid uint32) {
	if !hasRoot(cfg.UIDMappings) {
		uid = cfg.Process.UID
	}
	if !hasRoot(cfg.GIDMappings) {
		gid = cfg.Process.GID
	}
	return uid, gid
}

// hasRoot reports whether id 0 is mapped. If there is no map, because the namespace is joined
// and not known yet, it is assumed to be.
func hasRoot(m []configs.IDMap) bool {
	_, ok := configs.HostID(m, 0)
	return ok || len(m) == 0
}

// ExplainMaps reports whether the id maps are why init could not be started: a runtime that is
// itself in a user namespace can map only those ids that are mapped there.
func ExplainMaps(err error, cfg *configs.Config) error {
	if !errors.Is(err, unix.EPERM) || !cfg.Namespaces.IsNew(configs.NewUser) {
		return err
	}
	for _, m := range [...]struct {
		field, file string
		rows        []configs.IDMap
	}{
		{"linux.uidMappings", "/proc/self/uid_map", cfg.UIDMappings},
		{"linux.gidMappings", "/proc/self/gid_map", cfg.GIDMappings},
	} {
		own, rerr := ReadMap(m.file)
		if rerr != nil {
			return err
		}
		for i, r := range m.rows {
			if !inOneRow(own, r.HostID, r.Size) {
				return fmt.Errorf("%s[%d]: %w (the user namespace that berth runs in does not have all of the %d host ids from %d on)",
					m.field, i, err, r.Size, r.HostID)
			}
		}
	}
	return err
}

// inOneRow reports whether one row of the map has size ids from first on. The kernel does not
// combine rows.
func inOneRow(m []configs.IDMap, first, size uint32) bool {
	return slices.ContainsFunc(m, func(r configs.IDMap) bool {
		return first >= r.ContainerID && uint64(first)+uint64(size) <= uint64(r.ContainerID)+uint64(r.Size)
	})
}

// CheckMaps compares the plan's maps with those of process pid.
func CheckMaps(cfg *configs.Config, pid string) error {
	for _, m := range [...]struct {
		field, file string
		rows        *[]configs.IDMap
	}{
		{"linux.uidMappings", "uid_map", &cfg.UIDMappings},
		{"linux.gidMappings", "gid_map", &cfg.GIDMappings},
	} {
		actual, err := ReadMap("/proc/" + pid + "/" + m.file)
		if err != nil {
			return err
		}
		if len(*m.rows) > 0 && !slices.Equal(normalMap(*m.rows), normalMap(actual)) {
			return fmt.Errorf("%s: the user namespace to join has other mappings", m.field)
		}
		*m.rows = actual
	}
	return nil
}

// ReadMap reads a file of /proc with an id map.
func ReadMap(path string) ([]configs.IDMap, error) {
	data, err := sysfile.Read(path)
	if err != nil {
		return nil, err
	}
	rows, err := parseMap(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return rows, nil
}

// parseMap parses a map in the kernel's format (user_namespaces(7)).
func parseMap(data []byte) ([]configs.IDMap, error) {
	var rows []configs.IDMap
	for line := range bytes.Lines(data) {
		var n [3]uint32
		fields := bytes.Fields(line)
		if len(fields) != len(n) {
			return nil, fmt.Errorf("%q is not a row of an id map", line)
		}
		for i, f := range fields {
			v, err := strconv.ParseUint(string(f), 10, 32)
			if err != nil {
				return nil, err
			}
			n[i] = uint32(v)
		}
		rows = append(rows, configs.IDMap{ContainerID: n[0], HostID: n[1], Size: n[2]})
	}
	return rows, nil
}

// normalMap sorts a map and joins adjacent rows, so that equivalent maps are equal.
func normalMap(m []configs.IDMap) []configs.IDMap {
	sorted := slices.SortedFunc(slices.Values(m), func(a, b configs.IDMap) int {
		return int(int64(a.ContainerID) - int64(b.ContainerID))
	})
	var out []configs.IDMap
	for _, r := range sorted {
		if n := len(out) - 1; n >= 0 && out[n].ContainerID+out[n].Size == r.ContainerID && out[n].HostID+out[n].Size == r.HostID {
			out[n].Size += r.Size
			continue
		}
		out = append(out, r)
	}
	return out
}

// HostUID returns uid as this process sees it. Without maps there is no user namespace. An id
// that is not mapped has been refused before.
func HostUID(rows []configs.IDMap, uid uint32) uint32 {
	if host, ok := configs.HostID(rows, uid); ok {
		return host
	}
	return uid
}

// SysMap converts a map to the form of package syscall.
func SysMap(rows []configs.IDMap) []syscall.SysProcIDMap {
	out := make([]syscall.SysProcIDMap, len(rows))
	for i, r := range rows {
		out[i] = syscall.SysProcIDMap{ContainerID: int(r.ContainerID), HostID: int(r.HostID), Size: int(r.Size)}
	}
	return out
}
