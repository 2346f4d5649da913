// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/fault"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

var memoryPolicyModes = []number[specs.MemoryPolicyModeType]{
	{specs.MpolDefault, unix.MPOL_DEFAULT},
	{specs.MpolBind, unix.MPOL_BIND},
	{specs.MpolInterleave, unix.MPOL_INTERLEAVE},
	{specs.MpolWeightedInterleave, unix.MPOL_WEIGHTED_INTERLEAVE},
	{specs.MpolPreferred, unix.MPOL_PREFERRED},
	{specs.MpolPreferredMany, unix.MPOL_PREFERRED_MANY},
	{specs.MpolLocal, unix.MPOL_LOCAL},
}

var memoryPolicyFlags = []number[specs.MemoryPolicyFlagType]{
	{specs.MpolFNumaBalancing, unix.MPOL_F_NUMA_BALANCING},
	{specs.MpolFRelativeNodes, unix.MPOL_F_RELATIVE_NODES},
	{specs.MpolFStaticNodes, unix.MPOL_F_STATIC_NODES},
}

// KnownMemoryPolicyModes returns the modes that Convert accepts, sorted.
func KnownMemoryPolicyModes() []string { return names(memoryPolicyModes) }

// KnownMemoryPolicyFlags returns the flags that Convert accepts, sorted.
func KnownMemoryPolicyFlags() []string { return names(memoryPolicyFlags) }

// memoryPolicy checks linux.memoryPolicy by the rules of set_mempolicy(2).
func (c *conversion) memoryPolicy() error {
	p := c.linux.MemoryPolicy
	if p == nil {
		return nil
	}
	var errs fault.List
	mode, ok := lookup(memoryPolicyModes, p.Mode)
	if !ok {
		errs.Add(fault.New("memoryPolicy.mode", "%s: unknown mode %q", configs.PhraseMemoryPolicy, p.Mode))
	}
	flags, err := flagSum(memoryPolicyFlags, "memoryPolicy.flags", p.Flags, configs.PhraseMemoryPolicy)
	errs.Add(err)
	nodes, err := numberList("memoryPolicy.nodes", p.Nodes, configs.PhraseMemoryPolicy)
	errs.Add(err)
	if errs.Failed() {
		return errs.Err()
	}
	const relativeAndStatic = unix.MPOL_F_RELATIVE_NODES | unix.MPOL_F_STATIC_NODES
	switch {
	case flags&unix.MPOL_F_NUMA_BALANCING != 0 && mode != unix.MPOL_BIND:
		return fault.New("memoryPolicy.flags", configs.PhraseMemoryPolicy+": MPOL_F_NUMA_BALANCING is only for MPOL_BIND, not %s", p.Mode)
	case flags&relativeAndStatic == relativeAndStatic:
		return fault.New("memoryPolicy.flags", configs.PhraseMemoryPolicy+": MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES exclude each other")
	case nodes != nil && (mode == unix.MPOL_DEFAULT || mode == unix.MPOL_LOCAL):
		return fault.New("memoryPolicy.nodes", configs.PhraseMemoryPolicy+": %s takes no nodes: %q", p.Mode, p.Nodes)
	case nodes == nil && mode != unix.MPOL_DEFAULT && mode != unix.MPOL_LOCAL && mode != unix.MPOL_PREFERRED:
		return fault.New("memoryPolicy.nodes", configs.PhraseMemoryPolicy+": %s needs nodes", p.Mode)
	}
	c.plan.MemoryPolicy = &configs.MemoryPolicy{Mode: int(mode), Flags: int(flags), Nodes: nodes}
	return nil
}
