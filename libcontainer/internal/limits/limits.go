// SPDX-License-Identifier: Apache-2.0

// Package limits merges the limits of an update with those that a container has.
package limits

import "github.com/opencontainers/runtime-spec/specs-go"

// Complete returns r with values that belong together taken from stored if r has only one of
// them: memory and swap (v2 subtracts one from the other), quota and period. Values that mean
// nothing in an update are left out.
func Complete(stored, r *specs.LinuxResources) *specs.LinuxResources {
	u := *r
	u.Devices = nil
	if r.Memory != nil {
		m := *r.Memory
		u.Memory = &m
		completeMemory(stored.Memory, &m)
	}
	if r.CPU != nil {
		c := *r.CPU
		u.CPU = &c
		completeCPU(stored.CPU, &c)
	}
	if r.Pids != nil && r.Pids.Limit == nil {
		u.Pids = nil
	}
	return &u
}

func completeMemory(stored, m *specs.LinuxMemory) {
	if stored == nil {
		stored = &specs.LinuxMemory{}
	}
	const unlimited = -1
	switch {
	case isSet(m.Limit) && *m.Limit == unlimited && !isSet(m.Swap):
		none := int64(unlimited)
		m.Swap = &none
	case isSet(m.Limit) && !isSet(m.Swap):
		m.Swap = stored.Swap
	case isSet(m.Swap) && !isSet(m.Limit):
		m.Limit = stored.Limit
	}
}

func completeCPU(stored, c *specs.LinuxCPU) {
	if stored == nil {
		return
	}
	switch {
	case isSet(c.Quota) && !isSet(c.Period):
		c.Period = stored.Period
	case isSet(c.Period) && !isSet(c.Quota):
		c.Quota = stored.Quota
	}
}

// Merge puts what an update has changed into the stored resources.
func Merge(stored, u *specs.LinuxResources) {
	if u.Memory != nil {
		m := child(&stored.Memory)
		setNonZero(&m.Limit, u.Memory.Limit)
		setNonZero(&m.Swap, u.Memory.Swap)
		setNonZero(&m.Reservation, u.Memory.Reservation)
		setNonZero(&m.KernelTCP, u.Memory.KernelTCP)
		setAny(&m.Swappiness, u.Memory.Swappiness)
		setAny(&m.DisableOOMKiller, u.Memory.DisableOOMKiller)
		setAny(&m.CheckBeforeUpdate, u.Memory.CheckBeforeUpdate)
	}
	if u.CPU != nil {
		mergeCPU(child(&stored.CPU), u.CPU)
	}
	if u.Pids != nil {
		stored.Pids = u.Pids
	}
	if u.BlockIO != nil {
		mergeBlockIO(child(&stored.BlockIO), u.BlockIO)
	}
	for _, h := range u.HugepageLimits {
		putBy(&stored.HugepageLimits, h, func(h *specs.LinuxHugepageLimit) string { return h.Pagesize })
	}
	if u.Network != nil {
		n := child(&stored.Network)
		setNonZero(&n.ClassID, u.Network.ClassID)
		for _, p := range u.Network.Priorities {
			putBy(&n.Priorities, p, func(p *specs.LinuxInterfacePriority) string { return p.Name })
		}
	}
	putAll(&stored.Rdma, u.Rdma)
	putAll(&stored.Unified, u.Unified)
}

func mergeCPU(stored, c *specs.LinuxCPU) {
	if c.Idle != nil && !isSet(c.Shares) {
		stored.Shares = nil // An idle cgroup has none.
	}
	setNonZero(&stored.Shares, c.Shares)
	setNonZero(&stored.Quota, c.Quota)
	setNonZero(&stored.Period, c.Period)
	setNonZero(&stored.RealtimeRuntime, c.RealtimeRuntime)
	setNonZero(&stored.RealtimePeriod, c.RealtimePeriod)
	setAny(&stored.Burst, c.Burst)
	setAny(&stored.Idle, c.Idle)
	if c.Cpus != "" {
		stored.Cpus = c.Cpus
	}
	if c.Mems != "" {
		stored.Mems = c.Mems
	}
}

func mergeBlockIO(stored, b *specs.LinuxBlockIO) {
	setNonZero(&stored.Weight, b.Weight)
	setNonZero(&stored.LeafWeight, b.LeafWeight)
	type number struct{ major, minor int64 }
	for _, d := range b.WeightDevice {
		putBy(&stored.WeightDevice, d, func(d *specs.LinuxWeightDevice) number { return number{d.Major, d.Minor} })
	}
	for _, list := range [...]struct {
		to   *[]specs.LinuxThrottleDevice
		from []specs.LinuxThrottleDevice
	}{
		{&stored.ThrottleReadBpsDevice, b.ThrottleReadBpsDevice},
		{&stored.ThrottleWriteBpsDevice, b.ThrottleWriteBpsDevice},
		{&stored.ThrottleReadIOPSDevice, b.ThrottleReadIOPSDevice},
		{&stored.ThrottleWriteIOPSDevice, b.ThrottleWriteIOPSDevice},
	} {
		for _, d := range list.from {
			putBy(list.to, d, func(d *specs.LinuxThrottleDevice) number { return number{d.Major, d.Minor} })
		}
	}
}

// isSet reports whether a limit asks for something: it is neither absent nor zero.
func isSet[T comparable](p *T) bool {
	var zero T
	return p != nil && *p != zero
}

// setNonZero sets *to, unless the new value is absent or zero, which means none.
func setNonZero[T comparable](to **T, from *T) {
	if isSet(from) {
		*to = from
	}
}

// setAny sets *to, unless the new value is absent. Zero is a value like any other.
func setAny[T any](to **T, from *T) {
	if from != nil {
		*to = from
	}
}

// child returns the object that p points to. It creates one if there is none.
func child[T any](p **T) *T {
	if *p == nil {
		*p = new(T)
	}
	return *p
}

// putBy replaces the element with the same key, or appends.
func putBy[T any, K comparable](list *[]T, v T, key func(*T) K) {
	for i := range *list {
		if key(&(*list)[i]) == key(&v) {
			(*list)[i] = v
			return
		}
	}
	*list = append(*list, v)
}

func putAll[V any](to *map[string]V, from map[string]V) {
	for k, v := range from {
		if *to == nil {
			*to = make(map[string]V)
		}
		(*to)[k] = v
	}
}
