// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"math"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/cgroups/stats"
)

// nanosPerTick is the unit of cpuacct.stat: USER_HZ is 100 on all architectures of Go.
const nanosPerTick = 10_000_000

// Stats returns what the processes use and have used.
func (m *Manager) Stats() (*stats.Stats, error) {
	if len(m.hierarchies) == 0 {
		return nil, cgroupfs.ErrNoCgroup
	}
	s := new(stats.Stats)
	steps := [...]struct {
		controller string
		read       func(*stats.Reader, *stats.Stats)
	}{
		{"cpuacct", readCPUAcct},
		{"cpu", readThrottling},
		{"cpuset", readCpuset},
		{"memory", readMemory},
		{"pids", readPids},
		{"blkio", readBlkio},
		{"hugetlb", readHugetlb},
	}
	s.Hugetlb = map[string]stats.Hugetlb{}
	for _, step := range steps {
		h := m.find(step.controller)
		if h == nil {
			continue
		}
		r := &stats.Reader{Dir: h.dir}
		if step.read(r, s); r.Err != nil {
			return nil, r.Err
		}
	}
	if u := m.unified(); u != nil {
		// v1 has no pressure files, but the processes are also in the v2 cgroup.
		r := &stats.Reader{Dir: u.dir}
		s.CPU.PSI, s.Memory.PSI, s.Blkio.PSI = r.PSI("cpu.pressure"), r.PSI("memory.pressure"), r.PSI("io.pressure")
		return s, r.Err
	}
	return s, nil
}

func readCPUAcct(r *stats.Reader, s *stats.Stats) {
	u := &s.CPU.Usage
	ticks := r.Flat("cpuacct.stat")
	u.User, u.Kernel = ticks["user"]*nanosPerTick, ticks["system"]*nanosPerTick
	u.Total = r.Number("cpuacct.usage")
	u.PerCPU = r.List("cpuacct.usage_percpu")
	u.PerCPUUser, u.PerCPUKernel = r.PerCPU()
}

func readThrottling(r *stats.Reader, s *stats.Stats) {
	f := r.Flat("cpu.stat")
	s.CPU.Throttling = stats.Throttling{
		Periods: f["nr_periods"], ThrottledPeriods: f["nr_throttled"], ThrottledTime: f["throttled_time"],
	}
}

func readCpuset(r *stats.Reader, s *stats.Stats) {
	s.CPUSet = stats.CPUSet{
		CPUs: r.Ranges("cpuset.cpus"), CPUExclusive: r.Number("cpuset.cpu_exclusive"),
		Mems: r.Ranges("cpuset.mems"), MemHardwall: r.Number("cpuset.mem_hardwall"),
		MemExclusive: r.Number("cpuset.mem_exclusive"), MemoryMigrate: r.Number("cpuset.memory_migrate"),
		MemorySpreadPage: r.Number("cpuset.memory_spread_page"), MemorySpreadSlab: r.Number("cpuset.memory_spread_slab"),
		MemoryPressure: r.Number("cpuset.memory_pressure"), SchedLoadBalance: r.Number("cpuset.sched_load_balance"),
		SchedRelaxDomainLevel: -1,
	}
	if level := r.Number("cpuset.sched_relax_domain_level"); level != math.MaxUint64 {
		s.CPUSet.SchedRelaxDomainLevel = int64(level)
	}
}

func readMemory(r *stats.Reader, s *stats.Stats) {
	m := &s.Memory
	m.Raw = r.Flat("memory.stat")
	m.Cache = m.Raw["cache"]
	m.Usage = memoryEntry(r, "memory.")
	m.OOMKills = stats.Found(r.Flat("memory.oom_control"), "oom_kill") // since Linux 4.13
	m.Swap = memoryEntry(r, "memory.memsw.")
	m.Kernel = memoryEntry(r, "memory.kmem.")
	m.KernelTCP = memoryEntry(r, "memory.kmem.tcp.")
}

func memoryEntry(r *stats.Reader, prefix string) stats.MemoryEntry {
	return stats.MemoryEntry{
		Limit: r.Number(prefix + "limit_in_bytes"), Usage: r.Number(prefix + "usage_in_bytes"),
		Max: r.Number(prefix + "max_usage_in_bytes"), Failcnt: r.Number(prefix + "failcnt"),
	}
}

func readPids(r *stats.Reader, s *stats.Stats) {
	s.Pids.Current = r.Number("pids.current")
	if limit := r.Number("pids.max"); limit != math.MaxUint64 {
		s.Pids.Limit = limit
	}
}

func readBlkio(r *stats.Reader, s *stats.Stats) {
	read := func(kind string) []stats.BlkioEntry {
		return r.Blkio("blkio."+kind, "blkio.bfq."+kind, "blkio.throttle."+kind)
	}
	s.Blkio = stats.Blkio{
		ServiceBytes: read("io_service_bytes_recursive"), Serviced: read("io_serviced_recursive"),
		Queued: read("io_queued_recursive"), ServiceTime: read("io_service_time_recursive"),
		WaitTime: read("io_wait_time_recursive"), Merged: read("io_merged_recursive"),
		Time: read("time_recursive"), Sectors: read("sectors_recursive"),
	}
}

func readHugetlb(r *stats.Reader, s *stats.Stats) {
	for _, size := range r.PageSizes("usage_in_bytes") {
		prefix := "hugetlb." + size + "."
		s.Hugetlb[size] = stats.Hugetlb{
			Usage: r.Number(prefix + "usage_in_bytes"), Max: r.Number(prefix + "max_usage_in_bytes"),
			Failcnt: r.Number(prefix + "failcnt"),
		}
	}
}

// WatchOOM reports out-of-memory events.
func (m *Manager) WatchOOM() (*stats.OOMWatch, error) {
	h := m.find("memory")
	if h == nil {
		return nil, m.missing("memory")
	}
	return stats.WatchLegacyOOM(h.dir)
}
