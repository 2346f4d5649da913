// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/fault"
	"golang.org/x/sys/unix"
)

// ipcSysctls are the parameters of an IPC namespace (ipc_namespaces(7)), besides
// all of fs.mqueue.
var ipcSysctls = [...]string{
	"kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem", "kernel/shm_rmid_forced",
	"kernel/shmall", "kernel/shmmax", "kernel/shmmni",
}

// sysctls checks linux.sysctl: only what belongs to a namespace of the container
// may be set, everything else is the host's. They are sorted, since a map has no
// order and two runs should not differ.
func (c *conversion) sysctls() error {
	origin := make(map[string]string, len(c.linux.Sysctl))
	for _, name := range sortedKeys(c.linux.Sysctl) {
		key, err := sysctlKey(name)
		if err == nil {
			err = c.allowedSysctl(name, key)
		}
		if err != nil {
			return fault.In(err, "sysctl")
		}
		value := c.linux.Sysctl[name]
		if first, twice := origin[key]; twice {
			if c.linux.Sysctl[first] != value {
				return fault.New("sysctl", "%q and %q are the same parameter and have different values", first, name)
			}
			continue
		}
		origin[key] = name
		c.plan.Sysctls = append(c.plan.Sysctls, configs.Sysctl{Key: key, Value: value})
	}
	return nil
}

// sysctlKey is the path below /proc/sys. As with sysctl(8) the first separator
// counts: after a dot, dots part the components and a slash stands for a dot in
// one ("net.ipv4.conf.eth0/1.rp_filter"), after a slash it is what it looks like.
func sysctlKey(name string) (string, error) {
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
		// They would lead to another parameter than the one that is checked.
		if component == "" || component == "." || component == ".." {
			return "", fmt.Errorf("sysctl %q is not the name of a parameter", name)
		}
	}
	return key, nil
}

// allowedSysctl says why the parameter may not be set.
func (c *conversion) allowedSysctl(name, key string) error {
	need := func(t configs.NamespaceType, phrase string) error {
		if c.plan.Namespaces.Contains(t) {
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
		// As with crun: what says the same twice is no contradiction.
		if d := c.spec.Domainname; d != "" && d != c.linux.Sysctl[name] {
			return fmt.Errorf("sysctl %q is not allowed as it conflicts with the OCI %q field", name, "domainname")
		}
		return need(configs.NewUTS, configs.PhraseSysctlHost+": that of UTS is the host's")
	}
	return fmt.Errorf("sysctl %q %s", name, configs.PhraseSysctlHost)
}

// notHostNetwork makes sure that a network namespace that is joined is not the
// one that the runtime itself is in: engines share the host's that way, too.
func (c *conversion) notHostNetwork(name string) error {
	ns, _ := c.plan.Namespaces.Get(configs.NewNet)
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

// sortedKeys gives a map's keys an order.
func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
