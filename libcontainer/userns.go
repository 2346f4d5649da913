// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

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

// delegateCgroup makes the container's root the owner of its cgroup when it can get at
// it: it sees no more than that one, and that one mounted writable (runtime-spec,
// config-linux.md, "Cgroup ownership"). One that was asked for by name is enterDelegated's.
func (cr *creation) delegateCgroup() error {
	if cr.cfg.Cgroup.Delegated != "" ||
		!cr.cfg.Namespaces.IsNew(configs.NewCgroup) || !slices.ContainsFunc(cr.cfg.Mounts, isWritableCgroup) {
		return nil
	}
	return cr.giveCgroup()
}

// enterDelegated moves init on to the delegated cgroup, if there is one. That is for the
// container however it gets there. It has all its files only when init is in it.
func (cr *creation) enterDelegated() error {
	if cr.cfg.Cgroup.Delegated == "" {
		return nil
	}
	if err := cr.cgroup.EnterDelegated(cr.init.PID); err != nil {
		return err
	}
	return cr.giveCgroup()
}

// giveCgroup makes the root of the container's user namespace, if it has one, the owner.
func (cr *creation) giveCgroup() error {
	uid, ok := configs.HostID(cr.cfg.UIDMappings, 0)
	if !ok || !cr.cfg.Namespaces.Contains(configs.NewUser) {
		return nil
	}
	return cr.cgroup.Delegate(int(uid))
}

func isWritableCgroup(m configs.Mount) bool {
	return m.Destination == "/sys/fs/cgroup" && (m.Type == "cgroup" || m.Type == "cgroup2") &&
		m.Flags&unix.MS_RDONLY == 0 && m.RecAttrSet&unix.MOUNT_ATTR_RDONLY == 0
}

// planIDMaps says how the maps of a new user namespace are written. An ordinary user may
// map its own ids, if it gives up setgroups(2); newuidmap(1) and newgidmap(1) do the rest.
func (cr *creation) planIDMaps(o *nsenter.Options) error {
	if !cr.cfg.Namespaces.IsNew(configs.NewUser) {
		return nil
	}
	o.KeepGroups = cr.cfg.Process.KeepGroups
	// Denied once, it is so in all namespaces below.
	o.DenySetgroups = setgroupsDenied()
	if unprivileged() {
		ownGID := isOwn(cr.cfg.GIDMappings, os.Getegid())
		o.DenySetgroups = o.DenySetgroups || ownGID
		if !ownGID || !isOwn(cr.cfg.UIDMappings, os.Geteuid()) {
			o.MapIDs = func(pid int) error { return mapIDs(cr.cfg, pid) }
		}
	}
	if o.DenySetgroups && len(cr.cfg.Process.AdditionalGIDs) > 0 {
		return errors.New("process.user.additionalGids: cannot set any additional groups in a rootless container")
	}
	return nil
}
