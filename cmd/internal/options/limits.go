// SPDX-License-Identifier: Apache-2.0

package options

import (
	"fmt"
	"strconv"

	"github.com/berth-run/berth/specconv"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/pflag"
)

// Limits has the options that limit resources. Numbers stay text until Parse, since a document may
// replace them.
type Limits struct {
	memory, reservation, swap               string
	kernel, kernelTCP                       string
	period, quota, burst, idle              string
	shares, realtimePeriod, realtimeRuntime string
	cpus, mems                              string
	blkioWeight, pids                       string
	l3CacheSchema, memoryBandwidthSchema    string
}

// Declare adds the options to f.
func (o *Limits) Declare(f *pflag.FlagSet) {
	f.StringVar(&o.memory, "memory", "", "limit memory to `SIZE`, -1 for no limit")
	f.StringVar(&o.reservation, "memory-reservation", "", "protect `SIZE` of memory (the soft limit of cgroup v1)")
	f.StringVar(&o.swap, "memory-swap", "", "limit memory and swap together to `SIZE`, -1 for no limit")
	f.StringVar(&o.kernel, "kernel-memory", "", "accepted for compatibility; `SIZE` is ignored, as by current kernels")
	f.StringVar(&o.kernelTCP, "kernel-memory-tcp", "", "limit TCP buffers to `SIZE` (cgroup v1)")
	f.StringVar(&o.period, "cpu-period", "", "length of the CPU quota's period in `USECS`")
	f.StringVar(&o.quota, "cpu-quota", "", "CPU time per period in `USECS`, -1 for no limit")
	f.StringVar(&o.burst, "cpu-burst", "", "unused CPU time in `USECS` that may be used later")
	f.StringVar(&o.idle, "cpu-idle", "", "`1`: run the container only when CPUs are otherwise idle; 0: normal scheduling")
	f.StringVar(&o.shares, "cpu-share", "", "CPU `SHARES` relative to other cgroups")
	f.StringVar(&o.realtimePeriod, "cpu-rt-period", "", "length of the real-time scheduling period in `USECS` (cgroup v1)")
	f.StringVar(&o.realtimeRuntime, "cpu-rt-runtime", "", "real-time CPU time per period in `USECS` (cgroup v1)")
	f.StringVar(&o.cpus, "cpuset-cpus", "", "`LIST` of CPUs to use")
	f.StringVar(&o.mems, "cpuset-mems", "", "`LIST` of memory nodes to use")
	f.StringVar(&o.blkioWeight, "blkio-weight", "", "`WEIGHT` of block I/O, 10 to 1000")
	f.StringVar(&o.pids, "pids-limit", "", "maximum `NUMBER` of tasks, -1 for no limit")
	f.StringVar(&o.l3CacheSchema, "l3-cache-schema", "", "L3 cache `SCHEMA` of the container's resctrl group")
	f.StringVar(&o.memoryBandwidthSchema, "mem-bw-schema", "", "memory bandwidth `SCHEMA` of the container's resctrl group")
}

// Schemata returns the lines for the container's resctrl group.
func (o *Limits) Schemata() []string {
	var lines []string
	for _, s := range []string{o.l3CacheSchema, o.memoryBandwidthSchema} {
		if s != "" {
			lines = append(lines, s)
		}
	}
	return lines
}

// Parse converts the options to resources.
func (o *Limits) Parse() (*specs.LinuxResources, error) {
	m, c, b, p := specs.LinuxMemory{}, specs.LinuxCPU{Cpus: o.cpus, Mems: o.mems}, specs.LinuxBlockIO{}, specs.LinuxPids{}
	kernel := new(int64)
	for _, option := range []struct {
		name, value string
		read        func(string) error
	}{
		{"memory", o.memory, number(&m.Limit, specconv.ParseSize)},
		{"memory-reservation", o.reservation, number(&m.Reservation, specconv.ParseSize)},
		{"memory-swap", o.swap, number(&m.Swap, specconv.ParseSize)},
		{"kernel-memory", o.kernel, number(&kernel, specconv.ParseSize)},
		{"kernel-memory-tcp", o.kernelTCP, number(&m.KernelTCP, specconv.ParseSize)},
		{"cpu-period", o.period, number(&c.Period, parseUnsigned)},
		{"cpu-quota", o.quota, number(&c.Quota, parseSigned)},
		{"cpu-burst", o.burst, number(&c.Burst, parseUnsigned)},
		{"cpu-idle", o.idle, number(&c.Idle, parseSigned)},
		{"cpu-share", o.shares, number(&c.Shares, parseUnsigned)},
		{"cpu-rt-period", o.realtimePeriod, number(&c.RealtimePeriod, parseUnsigned)},
		{"cpu-rt-runtime", o.realtimeRuntime, number(&c.RealtimeRuntime, parseSigned)},
		{"blkio-weight", o.blkioWeight, number(&b.Weight, parseWeight)},
		{"pids-limit", o.pids, number(&p.Limit, parseSigned)},
	} {
		if option.value == "" {
			continue
		}
		if err := option.read(option.value); err != nil {
			return nil, fmt.Errorf("invalid value for %s: %w", option.name, err)
		}
	}
	r := new(specs.LinuxResources)
	if m != (specs.LinuxMemory{}) {
		r.Memory = &m
	}
	if c != (specs.LinuxCPU{}) {
		r.CPU = &c
	}
	if b.Weight != nil {
		r.BlockIO = &b
	}
	if p.Limit != nil {
		r.Pids = &p
	}
	return r, nil
}

// number returns a function that parses text into *to.
func number[T any](to **T, parse func(string) (T, error)) func(string) error {
	return func(text string) error {
		n, err := parse(text)
		*to = &n
		return err
	}
}

func parseSigned(text string) (int64, error) { return strconv.ParseInt(text, 10, 64) }

func parseUnsigned(text string) (uint64, error) { return strconv.ParseUint(text, 10, 64) }

func parseWeight(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	return uint16(n), err
}
