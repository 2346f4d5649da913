// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"maps"
	"slices"

	"github.com/berth-run/berth/libcontainer"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// families returns all metric families, in the order in which they are written.
func families() []family {
	own := append(stateFamilies(), networkFamilies()...)
	for i := range own {
		own[i].withoutCgroup = true
	}
	return slices.Concat(own, cpuFamilies(), memoryFamilies(), taskFamilies(), ioFamilies())
}

func stateFamilies() []family {
	return []family{
		{name: "", kind: info, help: "A container that has not stopped.", samples: func(add adder, u *libcontainer.Usage) {
			add(1, "bundle", u.State.Bundle)
		}},
		{name: "_status", kind: stateset, help: "Whether the container is created, running or paused.", samples: func(add adder, u *libcontainer.Usage) {
			for _, status := range [...]specs.ContainerState{specs.StateCreated, specs.StateRunning, libcontainer.Paused} {
				value := 0.0
				if u.State.Status == status {
					value = 1
				}
				add(value, prefix+"_status", string(status))
			}
		}},
		{name: "_start_time_seconds", kind: gauge, unit: "seconds", help: "When the container was created, in seconds since 1970.", samples: func(add adder, u *libcontainer.Usage) {
			add(float64(u.State.Created.UnixNano()) / nanosPerSecond)
		}},
	}
}

func cpuFamilies() []family {
	seconds := func(name, help string, of func(*libcontainer.CPUStats) uint64) family {
		return family{name: name, kind: counter, unit: "seconds", help: help, samples: func(add adder, u *libcontainer.Usage) {
			add(float64(of(&u.Stats.CPU)) / nanosPerSecond)
		}}
	}
	// Without a quota there are no periods.
	periods := func(name, unit, help string, of func(*libcontainer.ThrottlingStats) float64) family {
		return family{name: name, kind: counter, unit: unit, help: help, samples: func(add adder, u *libcontainer.Usage) {
			if t := &u.Stats.CPU.Throttling; t.Periods > 0 {
				add(of(t))
			}
		}}
	}
	return []family{
		seconds("_cpu_usage_seconds", "CPU time used.", func(c *libcontainer.CPUStats) uint64 { return c.Usage.Total }),
		seconds("_cpu_user_seconds", "CPU time used by programs.", func(c *libcontainer.CPUStats) uint64 { return c.Usage.User }),
		seconds("_cpu_system_seconds", "CPU time used by the kernel for the container.", func(c *libcontainer.CPUStats) uint64 { return c.Usage.Kernel }),
		periods("_cpu_periods", "", "Periods of the CPU quota in which a task ran.", func(t *libcontainer.ThrottlingStats) float64 { return float64(t.Periods) }),
		periods("_cpu_throttled_periods", "", "Periods in which the CPU quota was used up.", func(t *libcontainer.ThrottlingStats) float64 { return float64(t.ThrottledPeriods) }),
		periods("_cpu_throttled_seconds", "seconds", "Time for which tasks waited because the CPU quota was used up.", func(t *libcontainer.ThrottlingStats) float64 { return float64(t.ThrottledTime) / nanosPerSecond }),
		{name: "_pressure_seconds", kind: counter, unit: "seconds", help: "Time for which some or all tasks waited for a resource (PSI).", samples: func(add adder, u *libcontainer.Usage) {
			pressure(add, "cpu", u.Stats.CPU.PSI)
			pressure(add, "memory", u.Stats.Memory.PSI)
			pressure(add, "io", u.Stats.Blkio.PSI)
		}},
	}
}

func memoryFamilies() []family {
	return []family{
		{name: "_memory_usage_bytes", kind: gauge, unit: "bytes", help: "Memory in use, with the page cache.", samples: func(add adder, u *libcontainer.Usage) {
			add(float64(u.Stats.Memory.Usage.Usage))
		}},
		{name: "_memory_working_set_bytes", kind: gauge, unit: "bytes", help: "Memory in use, without the page cache that was not used recently.", samples: func(add adder, u *libcontainer.Usage) {
			add(float64(u.Stats.Memory.WorkingSet()))
		}},
		{name: "_memory_limit_bytes", kind: gauge, unit: "bytes", help: "The limit of memory, if there is one.", samples: func(add adder, u *libcontainer.Usage) {
			if limit := u.Stats.Memory.Usage.Limit; hasLimit(limit) {
				add(float64(limit))
			}
		}},
		{name: "_memory_peak_bytes", kind: gauge, unit: "bytes", help: "The most memory that was in use.", samples: func(add adder, u *libcontainer.Usage) {
			if peak := u.Stats.Memory.Usage.Max; peak > 0 {
				add(float64(peak))
			}
		}},
		{name: "_memory_swap_bytes", kind: gauge, unit: "bytes", help: "Swap in use.", samples: func(add adder, u *libcontainer.Usage) {
			// The kernel's number on v1, and therefore ours, is that of memory and swap.
			if m := &u.Stats.Memory; m.Swap.Usage >= m.Usage.Usage {
				add(float64(m.Swap.Usage - m.Usage.Usage))
			}
		}},
		{name: "_memory_limit_reached", kind: counter, help: "How often the limit of memory was reached.", samples: func(add adder, u *libcontainer.Usage) {
			add(float64(u.Stats.Memory.Usage.Failcnt))
		}},
		{name: "_oom_kills", kind: counter, help: "Processes that the kernel has killed because there was no memory.", samples: func(add adder, u *libcontainer.Usage) {
			if n := u.Stats.Memory.OOMKills; n != nil {
				add(float64(*n))
			}
		}},
		{name: "_hugetlb_usage_bytes", kind: gauge, unit: "bytes", help: "Huge pages in use.", samples: func(add adder, u *libcontainer.Usage) {
			for _, size := range slices.Sorted(maps.Keys(u.Stats.Hugetlb)) {
				add(float64(u.Stats.Hugetlb[size].Usage), "page_size", size)
			}
		}},
	}
}

func taskFamilies() []family {
	return []family{
		{name: "_tasks", kind: gauge, help: "Processes and threads.", samples: func(add adder, u *libcontainer.Usage) {
			add(float64(u.Stats.Pids.Current))
		}},
		{name: "_tasks_limit", kind: gauge, help: "The limit of processes and threads, if there is one.", samples: func(add adder, u *libcontainer.Usage) {
			if limit := u.Stats.Pids.Limit; hasLimit(limit) {
				add(float64(limit))
			}
		}},
	}
}

func ioFamilies() []family {
	return []family{
		{name: "_io_bytes", kind: counter, unit: "bytes", help: "Bytes read from, written to or discarded on a block device.", samples: func(add adder, u *libcontainer.Usage) {
			blkio(add, u.Stats.Blkio.ServiceBytes)
		}},
		{name: "_io_operations", kind: counter, help: "Operations on a block device.", samples: func(add adder, u *libcontainer.Usage) {
			blkio(add, u.Stats.Blkio.Serviced)
		}},
	}
}

func networkFamilies() []family {
	both := func(name, unit, help string, received, sent func(*libcontainer.InterfaceStats) uint64) family {
		return family{name: name, kind: counter, unit: unit, help: help, samples: func(add adder, u *libcontainer.Usage) {
			for i := range u.Interfaces {
				n := &u.Interfaces[i]
				add(float64(received(n)), "interface", n.Name, "direction", "received")
				add(float64(sent(n)), "interface", n.Name, "direction", "sent")
			}
		}}
	}
	type stats = libcontainer.InterfaceStats
	return []family{
		both("_network_bytes", "bytes", "Bytes that an interface of the container has received or sent.",
			func(n *stats) uint64 { return n.RxBytes }, func(n *stats) uint64 { return n.TxBytes }),
		both("_network_packets", "", "Packets that an interface of the container has received or sent.",
			func(n *stats) uint64 { return n.RxPackets }, func(n *stats) uint64 { return n.TxPackets }),
		both("_network_errors", "", "Errors of an interface of the container.",
			func(n *stats) uint64 { return n.RxErrors }, func(n *stats) uint64 { return n.TxErrors }),
		both("_network_dropped_packets", "", "Packets that an interface of the container has dropped.",
			func(n *stats) uint64 { return n.RxDropped }, func(n *stats) uint64 { return n.TxDropped }),
	}
}
