// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/cgroups/v2"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/godbus/dbus/v5"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// property is one property of a unit, with a value of the type that systemd expects
// (org.freedesktop.systemd1(5)).
type property struct {
	name  string
	value any
	// optional means that systemd need not know it.
	optional bool
	// field is the field of config.json that it comes from, "" if there is none.
	field string
}

// infinity is systemd's value for no limit.
const infinity uint64 = math.MaxUint64

// wireProperty and wireUnit are the structures of the method calls.
type wireProperty struct {
	Name  string
	Value dbus.Variant
}

type wireUnit struct {
	Name       string
	Properties []wireProperty
}

func wire(properties []property) []wireProperty {
	out := make([]wireProperty, len(properties))
	for i, p := range properties {
		v, ok := p.value.(dbus.Variant)
		if !ok {
			v = dbus.MakeVariant(p.value)
		}
		out[i] = wireProperty{p.name, v}
	}
	return out
}

// list collects properties. A later value replaces an earlier one.
type list []property

func (l *list) put(p property) {
	i := slices.IndexFunc(*l, func(q property) bool { return q.name == p.name })
	if i < 0 {
		*l = append(*l, p)
	} else {
		(*l)[i] = p
	}
}

// set is for properties that every systemd knows, may for optional ones.
func (l *list) set(name string, value any) { l.put(property{name: name, value: value}) }

func (l *list) may(name string, value any) { l.put(property{name: name, value: value, optional: true}) }

// plan returns the properties of a new unit.
func (u *Unit) plan(c *configs.Cgroup, id string) error {
	var l list
	l.set("Description", "berth container "+id)
	l.set("DefaultDependencies", false)
	l.may("CollectMode", "inactive-or-failed")
	if !u.IsSlice() {
		l.set("Slice", u.name.slice)
		l.set("Delegate", true)
	}
	io := "IOAccounting"
	if !u.unified {
		io = "BlockIOAccounting"
	}
	for _, name := range []string{"MemoryAccounting", "CPUAccounting", "TasksAccounting", io} {
		l.may(name, true)
	}
	limits, err := resourceProperties(c.Resources, u.unified)
	if err != nil {
		return err
	}
	for _, p := range limits {
		// The first process may have to fork once to enter the container's namespaces.
		if n, ok := p.value.(uint64); ok && p.name == "TasksMax" && n < 2 {
			u.late = append(u.late, p)
			continue
		}
		l.put(p)
	}
	if !c.Rootless {
		policy, allowed := devicePolicy(c.DeviceRules, deviceGroups)
		l.set("DevicePolicy", policy)
		if len(allowed) > 0 {
			l.set("DeviceAllow", allowed)
		}
	}
	annotated, err := annotated(c.UnitProperties)
	if err != nil {
		return err
	}
	for _, p := range annotated {
		l.put(p)
	}
	u.properties = l
	return nil
}

// resourceProperties returns the properties for limits. They match the values in the files of
// the cgroup, so that systemd writes the same when it writes them again. A systemd that does
// not know a property does not write that file either. There is no property for hugepageLimits,
// rdma and cpu.burst, and on v1 none for memory.swap and cpu.cpus: systemd never changes these
// files.
func resourceProperties(r *specs.LinuxResources, unified bool) ([]property, error) {
	var l list
	if r == nil {
		return nil, nil
	}
	if m := r.Memory; m != nil {
		if err := l.memory(m, unified); err != nil {
			return nil, err
		}
	}
	if c := r.CPU; c != nil {
		l.cpu(c, unified)
	}
	if p := r.Pids; p != nil && p.Limit != nil {
		l.may("TasksMax", tasks(*p.Limit))
	}
	if b := r.BlockIO; b != nil && unified {
		l.io(b)
	} else if b != nil {
		l.blockIO(b)
	}
	if unified {
		l.unified(r.Unified)
	}
	return l, nil
}

// tasks adds a limit of tasks. systemd does not accept 0, so it becomes 1, which is the same
// for a container that has a process.
func tasks(limit int64) uint64 {
	switch {
	case limit < 0:
		return infinity
	case limit == 0:
		return 1
	}
	return uint64(limit)
}

func (l *list) memory(m *specs.LinuxMemory, unified bool) error {
	bytes := func(name string, limit *int64) {
		switch {
		case !cgroupfs.Set(limit) || *limit < -1:
		case *limit == -1:
			l.may(name, infinity)
		default:
			l.may(name, uint64(*limit))
		}
	}
	if !unified {
		bytes("MemoryLimit", m.Limit)
		return nil
	}
	bytes("MemoryMax", m.Limit)
	bytes("MemoryLow", m.Reservation)
	swap, err := v2.SwapMax(m)
	if err != nil {
		return fmt.Errorf("linux.resources.memory.swap: %w", err)
	}
	if n, ok := size(swap); ok {
		l.may("MemorySwapMax", n)
	}
	return nil
}

func (l *list) cpu(c *specs.LinuxCPU, unified bool) {
	idle := c.Idle != nil && *c.Idle != 0 // then the weight cannot be set
	switch {
	case !cgroupfs.Set(c.Shares) || idle:
	case unified:
		l.may("CPUWeight", v2.Weight(*c.Shares))
	default:
		l.may("CPUShares", min(max(*c.Shares, 2), 262144)) // as the kernel does
	}
	if cgroupfs.Set(c.Quota) {
		l.quota(*c.Quota, c.Period)
	} else if cgroupfs.Set(c.Period) {
		l.may("CPUQuotaPeriodUSec", *c.Period)
	}
	if unified {
		l.set8("AllowedCPUs", c.Cpus)
		l.set8("AllowedMemoryNodes", c.Mems)
	}
}

// quota converts the time per period to time per second, rounded to hundredths as in systemd.
func (l *list) quota(quota int64, period *uint64) {
	const second, step, usual = 1e6, 1e4, 1e5
	length := uint64(usual)
	if cgroupfs.Set(period) {
		length = *period
		l.may("CPUQuotaPeriodUSec", length)
	}
	if quota < 0 {
		l.may("CPUQuotaPerSecUSec", infinity)
		return
	}
	hi, lo := bits.Mul64(uint64(quota), second)
	if hi >= length {
		return // Not a valid period: the kernel will report it.
	}
	n, rest := bits.Div64(hi, lo, length)
	if rest > 0 {
		n++
	}
	if odd := n % step; odd != 0 && n < infinity-step {
		n += step - odd
	}
	l.may("CPUQuotaPerSecUSec", n)
}

// set8 adds a bit mask, as bytes, for a list of numbers. The kernel accepts more forms than
// this, and checks all of them.
func (l *list) set8(name, numbers string) {
	if mask, ok := bitMask(numbers); ok {
		l.may(name, mask)
	}
}
