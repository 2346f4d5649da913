// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"os"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// need is a condition that a field of the config needs.
type need struct{ condition, field string }

// needs returns what a plan needs besides what is essential.
func needs(cfg *configs.Config, euid int) (all []need) {
	add := func(condition, field string) { all = append(all, need{condition, field}) }
	for _, ns := range cfg.Namespaces {
		if ns.Path == "" {
			add(ns.Type.String()+" namespace", "linux.namespaces")
		}
	}
	if cfg.Namespaces.IsNew(configs.NewUser) {
		add("making user namespaces", "linux.namespaces")
		if euid != 0 && !userns.IsOwn(cfg.UIDMappings, os.Geteuid()) {
			add("newuidmap", "linux.uidMappings")
			add("range in /etc/subuid", "linux.uidMappings")
		}
		if euid != 0 && !userns.IsOwn(cfg.GIDMappings, os.Getegid()) {
			add("newgidmap", "linux.gidMappings")
			add("range in /etc/subgid", "linux.gidMappings")
		}
	}
	for i := range cfg.Mounts {
		m := &cfg.Mounts[i]
		if m.IDMap != "" {
			add("id-mapped mounts", m.Field)
		}
		if m.RecAttrSet|m.RecAttrClear != 0 || m.Flags&unix.MS_REC != 0 && m.Flags&unix.MS_RDONLY != 0 {
			add("mount_setattr", m.Field)
		}
	}
	all = append(all, limitNeeds(cfg)...)
	return append(all, securityNeeds(cfg)...)
}

// limitNeeds returns what the limits need.
func limitNeeds(cfg *configs.Config) (all []need) {
	add := func(condition, field string) { all = append(all, need{condition, field}) }
	const resources = "linux.resources."
	limited := false
	if r := cfg.Cgroup.Resources; r != nil && !cfg.Cgroup.Disabled {
		for _, l := range [...]struct {
			asked             bool
			controller, field string
		}{
			{r.Memory != nil && limitsMemory(r.Memory), "memory", "memory"},
			{r.CPU != nil && limitsCPU(r.CPU), "cpu", "cpu"},
			{r.CPU != nil && r.CPU.Cpus+r.CPU.Mems != "", "cpuset", "cpu"},
			{r.Pids != nil && r.Pids.Limit != nil && *r.Pids.Limit >= 0, "pids", "pids"},
			{r.BlockIO != nil, "io", "blockIO"},
			{len(r.HugepageLimits) > 0, "hugetlb", "hugepageLimits"},
			{len(r.Rdma) > 0, "rdma", "rdma"},
		} {
			if l.asked {
				limited = true
				add(l.controller+" controller", resources+l.field)
			}
		}
		for file := range r.Unified {
			name, _, _ := strings.Cut(file, ".")
			add(name+" controller", resources+"unified")
		}
		if r.Memory != nil && r.Memory.Swap != nil && *r.Memory.Swap > 0 {
			add("swap accounting", resources+"memory.swap")
		}
	}
	if limited && cfg.Cgroup.Rootless {
		add("delegation to this user", "linux.resources")
	}
	if !cfg.Cgroup.Disabled && !cfg.Cgroup.Rootless {
		add("device rules", resources+"devices")
	}
	if cfg.Cgroup.Systemd {
		add("systemd", "--systemd-cgroup")
	}
	if cfg.IntelRdt != nil {
		add("resctrl", "linux.intelRdt")
	}
	if cfg.MemoryPolicy != nil {
		add("memory policies", "linux.memoryPolicy")
	}
	return all
}

// securityNeeds returns what confining the program needs.
func securityNeeds(cfg *configs.Config) (all []need) {
	add := func(condition, field string) { all = append(all, need{condition, field}) }
	if s := cfg.Seccomp; s != nil {
		add("seccomp", "linux.seccomp")
		if seccomp.Notifies(s) {
			add("seccomp notifications", "linux.seccomp")
		}
		for _, f := range s.Flags {
			add(string(f), "linux.seccomp.flags")
		}
	}
	p := &cfg.Process
	if p.Landlock != nil {
		add("Landlock", configs.LandlockField)
	}
	if p.AppArmorProfile != "" && p.AppArmorProfile != "unconfined" {
		add("AppArmor", "process.apparmorProfile")
	}
	if p.SELinuxLabel != "" {
		add("SELinux", "process.selinuxLabel")
	}
	return all
}

// limitsMemory tells whether there is more than limits of none, which need no controller.
func limitsMemory(m *specs.LinuxMemory) bool {
	for _, limit := range []*int64{m.Limit, m.Reservation, m.Swap, m.KernelTCP} {
		if limit != nil && *limit > 0 {
			return true
		}
	}
	return m.Swappiness != nil || m.DisableOOMKiller != nil
}

// limitsCPU tells the same of CPU time. A period says nothing without a quota of its own.
func limitsCPU(c *specs.LinuxCPU) bool {
	unlimited := c.Quota != nil && *c.Quota < 0
	return c.Shares != nil || !unlimited && (c.Quota != nil || c.Period != nil)
}
