// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"math"
	"time"

	"github.com/berth-run/berth/cmd/internal/top"
	"github.com/berth-run/berth/libcontainer"
)

// rowOf returns the row of a container, without the use of CPU, which needs two samples.
func rowOf(u *libcontainer.Usage) top.Row {
	r := top.Row{ID: u.State.ID, PID: u.State.PID, Status: string(u.State.Status)}
	if u.Interfaces != nil {
		r.Received, r.Sent = new(uint64), new(uint64)
		for _, i := range u.Interfaces {
			*r.Received += i.RxBytes
			*r.Sent += i.TxBytes
		}
	}
	s := u.Stats
	if s == nil {
		return r
	}
	seconds := float64(s.CPU.Usage.Total) / float64(time.Second)
	r.CPUSeconds = &seconds
	setMemory(&r, &s.Memory)
	r.PressureCPU, r.PressureMemory, r.PressureIO = average(s.CPU.PSI), average(s.Memory.PSI), average(s.Blkio.PSI)
	r.Tasks, r.TasksLimit = &s.Pids.Current, limitOf(s.Pids.Limit)
	read, written := transferred(s.Blkio.ServiceBytes)
	r.Read, r.Written = &read, &written
	return r
}

func setMemory(r *top.Row, m *libcontainer.MemoryStats) {
	if m.Raw == nil {
		return // there is no memory controller
	}
	set := m.WorkingSet()
	r.Memory, r.MemoryUsage, r.OOMKills = &set, &m.Usage.Usage, m.OOMKills
	if m.Usage.Max > 0 {
		r.MemoryPeak = &m.Usage.Max
	}
	if r.MemoryLimit = limitOf(m.Usage.Limit); r.MemoryLimit != nil {
		percent := 100 * float64(set) / float64(*r.MemoryLimit)
		r.MemoryPercent = &percent
	}
}

// limitOf returns nil for no limit: 0, or a number near the largest one, which v1 rounds.
func limitOf(n uint64) *uint64 {
	if n == 0 || n >= math.MaxInt64-1<<20 {
		return nil
	}
	return &n
}

func average(p *libcontainer.PSI) *float64 {
	if p == nil {
		return nil
	}
	return &p.Some.Avg10
}

func transferred(entries []libcontainer.BlkioEntry) (read, written uint64) {
	for _, e := range entries {
		switch e.Op {
		case "Read":
			read += e.Value
		case "Write":
			written += e.Value
		}
	}
	return read, written
}
