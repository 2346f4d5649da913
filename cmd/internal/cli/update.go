// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/pflag"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/libcontainer"
	"github.com/berth-run/berth/specconv"
)

// updateOptions are the options of update. Numbers are text until it is known that
// no document takes their place.
type updateOptions struct {
	resources                               string
	memory, reservation, swap               string
	kernel, kernelTCP                       string
	period, quota, burst, idle              string
	shares, realtimePeriod, realtimeRuntime string
	cpus, mems                              string
	blkioWeight, pids                       string
	l3CacheSchema, memoryBandwidthSchema    string
}

func (a *app) updateCommand() *command.Command {
	var o updateOptions
	c := &command.Command{
		Use:   "update [flags] CONTAINER",
		Short: "change the limits of a container",
		Long: `Changes the limits of a container that has not stopped. What is not given stays as
it is, and so does what is zero, but for the limit of tasks (with 0 no more can begin), swappiness, burst and idle. When one limit is refused, none is changed.

The document of --resources is the object linux.resources of a config.json, without
devices; all other options but the schemas are then ignored. Sizes may have a unit:
k, m, g or t, of 1024.`,
		Args:     a.arguments(1, 1),
		Complete: a.completeContainer,
		Run: a.onContainer(func(c *libcontainer.Container) error {
			r, err := a.newResources(&o)
			if err != nil {
				return err
			}
			return c.Update(r, o.schemata())
		}),
	}
	o.declare(c.Flags())
	return c
}

func (o *updateOptions) declare(f *pflag.FlagSet) {
	f.StringVarP(&o.resources, "resources", "r", "", "read the new limits from `FILE`, - for the standard input")
	f.StringVar(&o.memory, "memory", "", "limit memory to `SIZE`, -1 for no limit")
	f.StringVar(&o.reservation, "memory-reservation", "", "protect `SIZE` of memory (the soft limit of cgroup v1)")
	f.StringVar(&o.swap, "memory-swap", "", "limit memory and swap together to `SIZE`, -1 for no limit")
	f.StringVar(&o.kernel, "kernel-memory", "", "accepted for old callers: `SIZE` is ignored, as by kernels")
	f.StringVar(&o.kernelTCP, "kernel-memory-tcp", "", "limit buffers of TCP to `SIZE` (cgroup v1)")
	f.StringVar(&o.period, "cpu-period", "", "length `USECS` of the period of the CPU quota")
	f.StringVar(&o.quota, "cpu-quota", "", "CPU time in `USECS` for each period, -1 for no limit")
	f.StringVar(&o.burst, "cpu-burst", "", "unused CPU time in `USECS` that may be saved for later")
	f.StringVar(&o.idle, "cpu-idle", "", "`1` runs the container only when nothing else wants to, 0 ends that")
	f.StringVar(&o.shares, "cpu-share", "", "CPU `SHARES` compared to other containers")
	f.StringVar(&o.realtimePeriod, "cpu-rt-period", "", "length `USECS` of the period of real-time scheduling (cgroup v1)")
	f.StringVar(&o.realtimeRuntime, "cpu-rt-runtime", "", "real-time CPU time in `USECS` for each period (cgroup v1)")
	f.StringVar(&o.cpus, "cpuset-cpus", "", "`LIST` of CPUs to use")
	f.StringVar(&o.mems, "cpuset-mems", "", "`LIST` of memory nodes to use")
	f.StringVar(&o.blkioWeight, "blkio-weight", "", "`WEIGHT` of block I/O, 10 to 1000")
	f.StringVar(&o.pids, "pids-limit", "", "`NUMBER` of tasks the container may have, -1 for no limit")
	f.StringVar(&o.l3CacheSchema, "l3-cache-schema", "", "`SCHEMA` of the L3 cache for the container's resctrl group")
	f.StringVar(&o.memoryBandwidthSchema, "mem-bw-schema", "", "`SCHEMA` of memory bandwidth for the container's resctrl group")
}

// schemata are the lines for the container's resctrl group.
func (o *updateOptions) schemata() []string {
	var lines []string
	for _, s := range []string{o.l3CacheSchema, o.memoryBandwidthSchema} {
		if s != "" {
			lines = append(lines, s)
		}
	}
	return lines
}

// newResources are the limits that the options or the document ask for.
func (a *app) newResources(o *updateOptions) (*specs.LinuxResources, error) {
	if o.resources == "" {
		return o.parse()
	}
	document, err := a.readDocument(o.resources)
	if err != nil {
		return nil, fmt.Errorf("--resources: %w", err)
	}
	r, err := specconv.Resources(document)
	if err != nil {
		return nil, fmt.Errorf("--resources: %s: %w", documentName(o.resources), err)
	}
	return r, nil
}

// parse reads the options as one document of resources.
func (o *updateOptions) parse() (*specs.LinuxResources, error) {
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

// number is a reader of text into *to.
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
