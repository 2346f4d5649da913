// SPDX-License-Identifier: Apache-2.0

package v2

import (
	"math"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/cgroups/stats"
)

const nanosPerMicro = 1000

// Stats returns what the processes use and have used.
func (m *Manager) Stats() (*stats.Stats, error) {
	if m.dir == "" {
		return nil, cgroupfs.ErrNoCgroup
	}
	r := &stats.Reader{Dir: m.dir}
	s := new(stats.Stats)
	readCPU(r, s)
	readMemory(r, s)
	if err := m.readPids(r, s); err != nil {
		return nil, err
	}
	s.Blkio = r.IOStat()
	s.Blkio.PSI = r.PSI("io.pressure")
	s.Hugetlb = map[string]stats.Hugetlb{}
	for _, size := range r.PageSizes("current") {
		s.Hugetlb[size] = stats.Hugetlb{
			Usage:   r.Number("hugetlb." + size + ".current"),
			Failcnt: r.Flat("hugetlb." + size + ".events")["max"],
		}
	}
	if r.Err != nil {
		return nil, r.Err
	}
	return s, nil
}

func readCPU(r *stats.Reader, s *stats.Stats) {
	f := r.Flat("cpu.stat")
	s.CPU.Usage.Total = f["usage_usec"] * nanosPerMicro
	s.CPU.Usage.User = f["user_usec"] * nanosPerMicro
	s.CPU.Usage.Kernel = f["system_usec"] * nanosPerMicro
	s.CPU.Throttling = stats.Throttling{
		Periods: f["nr_periods"], ThrottledPeriods: f["nr_throttled"], ThrottledTime: f["throttled_usec"] * nanosPerMicro,
	}
	s.CPU.PSI = r.PSI("cpu.pressure")
}

// readMemory adds memory to swap, which v2 counts separately: readers expect the sum, as on v1.
func readMemory(r *stats.Reader, s *stats.Stats) {
	m := &s.Memory
	m.Raw = r.Flat("memory.stat")
	m.Cache = m.Raw["file"]
	events := r.Flat("memory.events")
	m.Usage = stats.MemoryEntry{
		Limit: r.Number("memory.max"), Usage: r.Number("memory.current"),
		Max: r.Number("memory.peak"), Failcnt: events["max"],
	}
	m.OOMKills = stats.Found(events, "oom_kill")
	m.Swap = stats.MemoryEntry{
		Limit: r.Number("memory.swap.max"), Usage: r.Number("memory.swap.current") + m.Usage.Usage,
		Failcnt: r.Flat("memory.swap.events")["max"],
	}
	switch {
	case !r.Has("memory.swap.max"): // a kernel without swap
		m.Swap.Limit = m.Usage.Limit
	case m.Swap.Limit == math.MaxUint64, m.Usage.Limit == math.MaxUint64:
		m.Swap.Limit = math.MaxUint64
	default:
		m.Swap.Limit += m.Usage.Limit
	}
	m.PSI = r.PSI("memory.pressure")
}

// readPids counts processes where the pids controller does not count tasks.
func (m *Manager) readPids(r *stats.Reader, s *stats.Stats) error {
	if !r.Has("pids.current") {
		pids, err := m.Pids()
		s.Pids.Current = uint64(len(pids))
		return err
	}
	s.Pids.Current = r.Number("pids.current")
	if limit := r.Number("pids.max"); limit != math.MaxUint64 {
		s.Pids.Limit = limit
	}
	return nil
}

// WatchOOM reports out-of-memory events.
func (m *Manager) WatchOOM() (*stats.OOMWatch, error) {
	if m.dir == "" {
		return nil, cgroupfs.ErrNoCgroup
	}
	return stats.WatchOOM(m.dir)
}
