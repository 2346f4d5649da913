// SPDX-License-Identifier: Apache-2.0

package create

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

// LeaveOwnUserNamespace removes from the plan a user namespace that this process is already in. The
// kernel refuses to join it again (setns(2), EINVAL).
func (cr *Creation) LeaveOwnUserNamespace() error {
	ns, _ := cr.Cfg.Namespaces.Get(configs.NewUser)
	if ns.Path == "" {
		return nil
	}
	var ours, theirs unix.Stat_t
	if err := unix.Stat("/proc/self/ns/user", &ours); err != nil {
		return &os.PathError{Op: "stat", Path: "/proc/self/ns/user", Err: err}
	}
	// Opening the namespace later reports what is wrong with the path.
	if unix.Stat(ns.Path, &theirs) != nil || ours.Dev != theirs.Dev || ours.Ino != theirs.Ino {
		return nil
	}
	if err := userns.CheckMaps(cr.Cfg, "self"); err != nil {
		return err
	}
	cr.Cfg.Namespaces = slices.DeleteFunc(slices.Clone(cr.Cfg.Namespaces), func(n configs.Namespace) bool {
		return n.Type == configs.NewUser
	})
	cr.Cfg.UIDMappings, cr.Cfg.GIDMappings = nil, nil
	return nil
}

// checkJoinedMaps compares the id maps of a user namespace that init has joined with those of the
// plan, because engines send both. A plan without maps gets them. Only now it is known whether
// the ids of the process are mapped.
func (cr *Creation) checkJoinedMaps() error {
	if ns, _ := cr.Cfg.Namespaces.Get(configs.NewUser); ns.Path == "" {
		return nil
	}
	if err := userns.CheckMaps(cr.Cfg, strconv.Itoa(cr.Init.PID)); err != nil {
		return err
	}
	p := &cr.Cfg.Process
	if _, ok := configs.HostID(cr.Cfg.UIDMappings, p.UID); !ok {
		return fmt.Errorf("process.user.uid: cannot set uid to unmapped user in user namespace: %d", p.UID)
	}
	for i, gid := range append([]uint32{p.GID}, p.AdditionalGIDs...) {
		if _, ok := configs.HostID(cr.Cfg.GIDMappings, gid); ok {
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

// DelegateCgroup makes the container's root the owner of the container's cgroup, if the container
// has a cgroup namespace of its own and mounts the cgroup writable (runtime-spec,
// config-linux.md, "Cgroup ownership"). EnterDelegated does that for a cgroup delegated by name.
func (cr *Creation) DelegateCgroup() error {
	if cr.Cfg.Cgroup.Delegated != "" ||
		!cr.Cfg.Namespaces.IsNew(configs.NewCgroup) || !slices.ContainsFunc(cr.Cfg.Mounts, isWritableCgroup) {
		return nil
	}
	return cr.giveCgroup()
}

// EnterDelegated moves init into the delegated cgroup, if there is one, and makes the container's
// root its owner. The cgroup has all of its files only when init is in it.
func (cr *Creation) EnterDelegated() error {
	if cr.Cfg.Cgroup.Delegated == "" {
		return nil
	}
	if err := cr.Cgroup.EnterDelegated(cr.Init.PID); err != nil {
		return err
	}
	return cr.giveCgroup()
}

// giveCgroup makes the root of the container's user namespace, if there is one, the owner of the
// cgroup.
func (cr *Creation) giveCgroup() error {
	uid, ok := configs.HostID(cr.Cfg.UIDMappings, 0)
	if !ok || !cr.Cfg.Namespaces.Contains(configs.NewUser) {
		return nil
	}
	return cr.Cgroup.Delegate(int(uid))
}

func isWritableCgroup(m configs.Mount) bool {
	return m.Destination == "/sys/fs/cgroup" && (m.Type == "cgroup" || m.Type == "cgroup2") &&
		m.Flags&unix.MS_RDONLY == 0 && m.RecAttrSet&unix.MOUNT_ATTR_RDONLY == 0
}

// planIDMaps plans how the id maps of a new user namespace are written. An ordinary user may map
// their own ids if they give up setgroups(2); newuidmap(1) and newgidmap(1) write other maps.
func (cr *Creation) planIDMaps(o *nsenter.Options) error {
	if !cr.Cfg.Namespaces.IsNew(configs.NewUser) {
		return nil
	}
	o.KeepGroups = cr.Cfg.Process.KeepGroups
	// If setgroups is denied here, it is denied in all child namespaces.
	o.DenySetgroups = userns.SetgroupsDenied()
	if userns.Unprivileged() {
		ownGID := userns.IsOwn(cr.Cfg.GIDMappings, os.Getegid())
		o.DenySetgroups = o.DenySetgroups || ownGID
		if !ownGID || !userns.IsOwn(cr.Cfg.UIDMappings, os.Geteuid()) {
			o.MapIDs = func(pid int) error { return userns.WriteMaps(cr.Cfg, pid) }
		}
	}
	if o.DenySetgroups && len(cr.Cfg.Process.AdditionalGIDs) > 0 {
		return errors.New("process.user.additionalGids: cannot set any additional groups in a rootless container")
	}
	return nil
}
