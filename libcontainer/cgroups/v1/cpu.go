// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"errors"
	"fmt"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func setCPU(k *cgroupfs.Knobs, r *specs.LinuxResources) {
	c := r.CPU
	setRealtime(k, c)
	var settings []cgroupfs.Setting
	add := func(field, file, value string, optional bool) {
		settings = append(settings, cgroupfs.Setting{Field: field, File: file, Value: value, Optional: optional})
	}
	// An idle cgroup accepts no shares: idle must be cleared before shares are set, or set
	// after them.
	if cgroupfs.Set(c.Shares) {
		k.Do("cpu.shares", func() error { return checkShares(*c.Shares) })
		add("cpu.shares", "cpu.shares", cgroupfs.Itoa(c.Shares), false)
	}
	if c.Idle != nil {
		add("cpu.idle", "cpu.idle", cgroupfs.Itoa(c.Idle), *c.Idle == 0)
	}
	// At any moment the quota per period must fit the cgroups above and below, and the burst
	// must fit the quota.
	unlimited := c.Quota != nil && *c.Quota < 0
	if cgroupfs.Set(c.Period) {
		add("cpu.period", "cpu.cfs_period_us", cgroupfs.Itoa(c.Period), unlimited)
	}
	if cgroupfs.Set(c.Quota) {
		value := "-1"
		if *c.Quota > 0 {
			value = cgroupfs.Itoa(c.Quota)
		}
		add("cpu.quota", "cpu.cfs_quota_us", value, unlimited)
	}
	if c.Burst != nil {
		add("cpu.burst", "cpu.cfs_burst_us", cgroupfs.Itoa(c.Burst), *c.Burst == 0)
	}
	k.Settle(settings...)
}

// checkShares refuses values that the kernel would change, as runc does.
func checkShares(shares uint64) error {
	const lowest, highest = 2, 1 << 18 // MIN_SHARES, MAX_SHARES
	switch {
	case shares < lowest:
		return fmt.Errorf(configs.PhraseMinShares+": %d", lowest, shares)
	case shares > highest:
		return fmt.Errorf(configs.PhraseMaxShares+": %d", highest, shares)
	}
	return nil
}

// setRealtime writes the times of real-time scheduling.
func setRealtime(k *cgroupfs.Knobs, c *specs.LinuxCPU) {
	var settings []cgroupfs.Setting
	explain := func(err error) error {
		if errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("%w (the cgroup above has no such time to give)", err)
		}
		return err
	}
	if cgroupfs.Set(c.RealtimePeriod) {
		settings = append(settings, cgroupfs.Setting{
			Field: "cpu.realtimePeriod", File: "cpu.rt_period_us", Value: cgroupfs.Itoa(c.RealtimePeriod), Explain: explain,
		})
	}
	if cgroupfs.Set(c.RealtimeRuntime) {
		settings = append(settings, cgroupfs.Setting{
			Field: "cpu.realtimeRuntime", File: "cpu.rt_runtime_us", Value: cgroupfs.Itoa(c.RealtimeRuntime), Explain: explain,
		})
	}
	k.Settle(settings...)
}

// setRealtime gives the new cgroup its real-time budget before anybody is in it:
// a process with a real-time policy cannot enter a cgroup that has none.
func (m *Manager) setRealtime() error {
	r := m.cgroup.Resources
	if r == nil || r.CPU == nil || (!cgroupfs.Set(r.CPU.RealtimePeriod) && !cgroupfs.Set(r.CPU.RealtimeRuntime)) {
		return nil
	}
	k := m.knobs("cpu")
	setRealtime(&k, r.CPU)
	return k.Err
}

func setCpuset(k *cgroupfs.Knobs, r *specs.LinuxResources) {
	if r.CPU.Cpus != "" {
		k.Write("cpu.cpus", "cpuset.cpus", r.CPU.Cpus)
	}
	if r.CPU.Mems != "" {
		k.Write("cpu.mems", "cpuset.mems", r.CPU.Mems)
	}
}
