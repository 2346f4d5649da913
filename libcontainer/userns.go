// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// owner is who owns, in the container's user namespace, what berth makes there: its
// root, or the user of the process where there is no root.
func owner(cfg *configs.Config) (uid, gid uint32) {
	if !hasRoot(cfg.UIDMappings) {
		uid = cfg.Process.UID
	}
	if !hasRoot(cfg.GIDMappings) {
		gid = cfg.Process.GID
	}
	return uid, gid
}

// hasRoot says whether id 0 is mapped. Without a map, of a namespace that is joined
// and not known yet, it is taken to be.
func hasRoot(m []configs.IDMap) bool {
	_, ok := configs.HostID(m, 0)
	return ok || len(m) == 0
}

// leaveOwnUserNamespace drops a user namespace that the runtime is in already from the
// plan: the kernel refuses to join it (setns(2), EINVAL), and there is nothing to do.
func (cr *creation) leaveOwnUserNamespace() error {
	ns, _ := cr.cfg.Namespaces.Get(configs.NewUser)
	if ns.Path == "" {
		return nil
	}
	var ours, theirs unix.Stat_t
	if err := unix.Stat("/proc/self/ns/user", &ours); err != nil {
		return &os.PathError{Op: "stat", Path: "/proc/self/ns/user", Err: err}
	}
	// What is wrong with it is told when it is opened.
	if unix.Stat(ns.Path, &theirs) != nil || ours.Dev != theirs.Dev || ours.Ino != theirs.Ino {
		return nil
	}
	if err := checkMaps(cr.cfg, "self"); err != nil {
		return err
	}
	cr.cfg.Namespaces = slices.DeleteFunc(slices.Clone(cr.cfg.Namespaces), func(n configs.Namespace) bool {
		return n.Type == configs.NewUser
	})
	cr.cfg.UIDMappings, cr.cfg.GIDMappings = nil, nil
	return nil
}

// checkJoinedMaps compares the maps of a user namespace that init has joined with those
// of the plan, if it has some: engines send both. Otherwise the plan gets them. What is
// mapped is only known now, and so whether the process's ids are.
func (cr *creation) checkJoinedMaps() error {
	if ns, _ := cr.cfg.Namespaces.Get(configs.NewUser); ns.Path == "" {
		return nil
	}
	if err := checkMaps(cr.cfg, strconv.Itoa(cr.init.PID)); err != nil {
		return err
	}
	p := &cr.cfg.Process
	if _, ok := configs.HostID(cr.cfg.UIDMappings, p.UID); !ok {
		return fmt.Errorf("process.user.uid: cannot set uid to unmapped user in user namespace: %d", p.UID)
	}
	for i, gid := range append([]uint32{p.GID}, p.AdditionalGIDs...) {
		if _, ok := configs.HostID(cr.cfg.GIDMappings, gid); ok {
			continue
		}
		field := "process.user.gid"
		if i > 0 {
			field = fmt.Sprintf("process.user.additionalGids[%d]", i-1)
		}
		return fmt.Errorf("%s: cannot set gid to unmapped user in user namespace: %d", field, gid)
	}
	return nil
}

// explainMaps says whether the id maps are why init could not be started: a runtime that
// is in a user namespace itself can map those ids on only that it has there.
func explainMaps(err error, cfg *configs.Config) error {
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
		data, rerr := os.ReadFile(m.file)
		own, perr := parseIDMap(data)
		if rerr != nil || perr != nil {
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

// inOneRow says whether a row of the map, which is all that the kernel looks for, has
// size ids from first on.
func inOneRow(m []configs.IDMap, first, size uint32) bool {
	return slices.ContainsFunc(m, func(r configs.IDMap) bool {
		return first >= r.ContainerID && uint64(first)+uint64(size) <= uint64(r.ContainerID)+uint64(r.Size)
	})
}

// delegateCgroup makes the container's root the owner of its cgroup when it can get at
// it: it sees no more than that one, and that one mounted writable (runtime-spec,
// config-linux.md, "Cgroup ownership"). One that was asked for by name is for the
// container however it gets there.
func (cr *creation) delegateCgroup() error {
	uid, ok := configs.HostID(cr.cfg.UIDMappings, 0)
	if !ok || !cr.cfg.Namespaces.Contains(configs.NewUser) {
		return nil
	}
	reachable := cr.cfg.Namespaces.IsNew(configs.NewCgroup) && slices.ContainsFunc(cr.cfg.Mounts, isWritableCgroup)
	if !reachable && cr.cfg.Cgroup.Delegated == "" {
		return nil
	}
	return cr.cgroup.Delegate(int(uid))
}

func isWritableCgroup(m configs.Mount) bool {
	return m.Destination == "/sys/fs/cgroup" && (m.Type == "cgroup" || m.Type == "cgroup2") &&
		m.Flags&unix.MS_RDONLY == 0 && m.RecAttrSet&unix.MOUNT_ATTR_RDONLY == 0
}

// checkMaps holds the plan's maps against those of process pid.
func checkMaps(cfg *configs.Config, pid string) error {
	for _, m := range [...]struct {
		field, file string
		rows        *[]configs.IDMap
	}{
		{"linux.uidMappings", "uid_map", &cfg.UIDMappings},
		{"linux.gidMappings", "gid_map", &cfg.GIDMappings},
	} {
		path := "/proc/" + pid + "/" + m.file
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		actual, err := parseIDMap(data)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if len(*m.rows) > 0 && !slices.Equal(normalMap(*m.rows), normalMap(actual)) {
			return fmt.Errorf("%s: the user namespace to join has other mappings", m.field)
		}
		*m.rows = actual
	}
	return nil
}

// parseIDMap reads a map in the kernel's words (user_namespaces(7)).
func parseIDMap(data []byte) ([]configs.IDMap, error) {
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

// normalMap sorts a map and joins rows that continue each other, so that maps that do
// the same are the same.
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
