// SPDX-License-Identifier: Apache-2.0

// Package sysctl checks linux.sysctl: only parameters of the container's own namespaces may be set.
package sysctl

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/fault"
	"golang.org/x/sys/unix"
)

// ipcSysctls are the parameters of an IPC namespace (ipc_namespaces(7)), in addition to all of
// fs.mqueue.
var ipcSysctls = [...]string{
	"kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem", "kernel/shm_rmid_forced",
	"kernel/shmall", "kernel/shmmax", "kernel/shmmni",
}

// check is what a parameter is checked against.
type check struct {
	all        map[string]string
	domainname string
	namespaces configs.Namespaces
}

// Convert converts the parameters of a container with these namespaces. All others belong to the
// host. domainname is the field of that name. The result is sorted, because a map has no order and
// two runs should not differ.
func Convert(all map[string]string, domainname string, namespaces configs.Namespaces) ([]configs.Sysctl, error) {
	c := &check{all, domainname, namespaces}
	var errs fault.List
	var plan []configs.Sysctl
	origin := make(map[string]string, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		key, err := pathOf(name)
		if err == nil {
			err = c.allowed(name, key)
		}
		if err != nil {
			errs.Add(fault.In(err, "sysctl"))
			continue
		}
		value := all[name]
		if first, twice := origin[key]; twice {
			if all[first] != value {
				errs.Add(fault.New("sysctl", "%q and %q are the same parameter and have different values", first, name))
			}
			continue
		}
		origin[key] = name
		plan = append(plan, configs.Sysctl{Key: key, Value: value})
	}
	if errs.Failed() {
		return nil, errs.Err()
	}
	return plan, nil
}

// pathOf returns the path below /proc/sys. As in sysctl(8), the first separator decides. If
// it is a dot, dots separate the components and a slash stands for a dot in a component
// ("net.ipv4.conf.eth0/1.rp_filter"). If it is a slash, the name is a path already.
func pathOf(name string) (string, error) {
	key := name
	if i := strings.IndexAny(name, "./"); i >= 0 && name[i] == '.' {
		key = strings.Map(func(r rune) rune {
			switch r {
			case '.':
				return '/'
			case '/':
				return '.'
			}
			return r
		}, name)
	}
	if strings.IndexByte(key, 0) >= 0 {
		return "", fmt.Errorf("sysctl %q has a NUL byte in it", name)
	}
	for component := range strings.SplitSeq(key, "/") {
		// These would lead to another parameter than the one that is checked.
		if component == "" || component == "." || component == ".." {
			return "", fmt.Errorf("sysctl %q is not the name of a parameter", name)
		}
	}
	return key, nil
}

// allowed returns an error if the parameter may not be set.
func (c *check) allowed(name, key string) error {
	need := func(t configs.NamespaceType, phrase string) error {
		if c.namespaces.Contains(t) {
			return nil
		}
		return fmt.Errorf("sysctl %q %s", name, phrase)
	}
	switch {
	case slices.Contains(ipcSysctls[:], key), strings.HasPrefix(key, "fs/mqueue/"):
		return need(configs.NewIPC, configs.PhraseSysctlIPC)
	case strings.HasPrefix(key, "net/"):
		if err := need(configs.NewNet, configs.PhraseSysctlNet); err != nil {
			return err
		}
		return c.notHostNetwork(name)
	case strings.HasPrefix(key, "user/"):
		return need(configs.NewUser, configs.PhraseSysctlHost+": that of users is the host's")
	case key == "kernel/hostname":
		return fmt.Errorf("sysctl %q is not allowed as it conflicts with the OCI %q field", name, "hostname")
	case key == "kernel/domainname":
		// As in crun, setting the same value twice is not a contradiction.
		if c.domainname != "" && c.domainname != c.all[name] {
			return fmt.Errorf("sysctl %q is not allowed as it conflicts with the OCI %q field", name, "domainname")
		}
		return need(configs.NewUTS, configs.PhraseSysctlHost+": that of UTS is the host's")
	}
	return fmt.Errorf("sysctl %q %s", name, configs.PhraseSysctlHost)
}

// notHostNetwork checks that a joined network namespace is not the runtime's own: some engines
// share the host's network this way.
func (c *check) notHostNetwork(name string) error {
	ns, _ := c.namespaces.Get(configs.NewNet)
	if ns.Path == "" {
		return nil
	}
	var own, joined unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &own); err != nil {
		return fmt.Errorf("stat /proc/self/ns/net: %w", err)
	}
	if err := unix.Stat(ns.Path, &joined); err != nil {
		return fmt.Errorf("stat %s: %w", ns.Path, err)
	}
	if own.Dev == joined.Dev && own.Ino == joined.Ino {
		return fmt.Errorf("sysctl %q %s", name, configs.PhraseSysctlNet)
	}
	return nil
}
