// SPDX-License-Identifier: Apache-2.0

package v2

import (
	"math"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func setCPU(k *cgroupfs.Knobs, r *specs.LinuxResources) {
	c := r.CPU
	var settings []cgroupfs.Setting
	add := func(field, file, value string, optional bool) {
		settings = append(settings, cgroupfs.Setting{Field: field, File: file, Value: value, Optional: optional})
	}
	// An idle cgroup accepts no weight: idle must be cleared before the weight is set, or set
	// after it.
	if cgroupfs.Set(c.Shares) {
		add("cpu.shares", "cpu.weight", strconv.FormatUint(Weight(*c.Shares), 10), false)
	}
	if c.Idle != nil {
		add("cpu.idle", "cpu.idle", cgroupfs.Itoa(c.Idle), *c.Idle == 0)
	}
	// The burst must fit the quota at any moment.
	if cgroupfs.Set(c.Quota) || cgroupfs.Set(c.Period) {
		field, value := cpuMax(k, c)
		add(field, "cpu.max", value, c.Quota != nil && *c.Quota < 0)
	}
	if c.Burst != nil {
		add("cpu.burst", "cpu.max.burst", cgroupfs.Itoa(c.Burst), *c.Burst == 0)
	}
	k.Settle(settings...)
}

// cpuMax returns the text for cpu.max and the field to name in errors. If the period is left
// out the kernel keeps it, but the quota cannot be left out and has to be read.
func cpuMax(k *cgroupfs.Knobs, c *specs.LinuxCPU) (field, text string) {
	if !cgroupfs.Set(c.Quota) {
		quota := "max"
		k.Do("cpu.period", func() error {
			old, err := k.Dir.Read("cpu.max")
			if before, _, ok := strings.Cut(old, " "); ok {
				quota = before
			}
			return err
		})
		return "cpu.period", quota + " " + cgroupfs.Itoa(c.Period)
	}
	text = orMax(c.Quota)
	if cgroupfs.Set(c.Period) {
		text += " " + cgroupfs.Itoa(c.Period)
	}
	return "cpu.quota", text
}

// Weight converts cpu.shares (2 to 262144, usually 1024) to cpu.weight (1 to 10000, usually
// 100): the curve, quadratic in the logarithms, is the one through these three pairs that other
// runtimes use too. The linear formula that was used before gave a container with 1024 shares
// 39 instead of the default of 100.
func Weight(shares uint64) uint64 {
	switch {
	case shares <= 2:
		return 1
	case shares >= 262144:
		return 10000
	}
	l := math.Log2(float64(shares))
	return uint64(math.Ceil(math.Pow(10, (l*l+125*l)/612-7.0/34)))
}

func setCpuset(k *cgroupfs.Knobs, r *specs.LinuxResources) {
	if r.CPU.Cpus != "" {
		k.Write("cpu.cpus", "cpuset.cpus", r.CPU.Cpus)
	}
	if r.CPU.Mems != "" {
		k.Write("cpu.mems", "cpuset.mems", r.CPU.Mems)
	}
}
