// SPDX-License-Identifier: Apache-2.0

package v2

import (
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/cgroups/stats"
	"github.com/berth-run/berth/libcontainer/configs"
)

func TestStats(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir,
		"cpu.stat=usage_usec 7\nuser_usec 3\nsystem_usec 4\nnr_periods 21\nnr_throttled 22\nthrottled_usec 23\n",
		"cpu.pressure=some avg10=1.00 avg60=0.00 avg300=0.00 total=91\n",
		"memory.stat=anon 42\nfile 41\n", "memory.max=1000\n", "memory.current=44\n", "memory.peak=45\n", "memory.events=low 1\nmax 46\n",
		"memory.swap.max=500\n", "memory.swap.current=6\n", "memory.swap.events=max 50\nfail 2\n",
		"memory.pressure=some avg10=0.00 avg60=2.00 avg300=0.00 total=92\n",
		"pids.current=61\n", "pids.max=62\n",
		"io.stat=8:0 rbytes=71 wbytes=0 rios=72 wios=0 dbytes=0 dios=0\n", "io.pressure=full avg10=0.00 avg60=0.00 avg300=3.00 total=93\n",
		"hugetlb.2MB.current=81\n", "hugetlb.2MB.events=max 83\n", "hugetlb.2MB.rsvd.current=84\n",
	)
	m := &Manager{cgroup: &configs.Cgroup{}, dir: cgroupfs.Dir(dir)}
	entry := func(op string, value uint64) stats.BlkioEntry {
		return stats.BlkioEntry{Major: 8, Op: op, Value: value}
	}
	want := stats.Stats{
		CPU: stats.CPU{
			Usage:      stats.CPUUsage{Total: 7000, User: 3000, Kernel: 4000},
			Throttling: stats.Throttling{Periods: 21, ThrottledPeriods: 22, ThrottledTime: 23000},
			PSI:        &stats.PSI{Some: stats.Pressure{Avg10: 1, Total: 91}},
		},
		Memory: stats.Memory{
			Cache: 41, Raw: map[string]uint64{"anon": 42, "file": 41},
			Usage: stats.MemoryEntry{Limit: 1000, Usage: 44, Max: 45, Failcnt: 46},
			Swap:  stats.MemoryEntry{Limit: 1500, Usage: 50, Failcnt: 50},
			PSI:   &stats.PSI{Some: stats.Pressure{Avg60: 2, Total: 92}},
		},
		Pids: stats.Pids{Current: 61, Limit: 62},
		Blkio: stats.Blkio{
			ServiceBytes: []stats.BlkioEntry{entry("Read", 71), entry("Write", 0), entry("Discard", 0)},
			Serviced:     []stats.BlkioEntry{entry("Read", 72), entry("Write", 0), entry("Discard", 0)},
			PSI:          &stats.PSI{Full: stats.Pressure{Avg300: 3, Total: 93}},
		},
		Hugetlb: map[string]stats.Hugetlb{"2MB": {Usage: 81, Failcnt: 83}},
	}
	if got, err := m.Stats(); err != nil || !reflect.DeepEqual(*got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
	tree(t, dir, "cpu.stat=rubbish\n")
	if got, err := m.Stats(); err == nil {
		t.Errorf("rubbish is %+v", got)
	}
	if _, err := (&Manager{}).Stats(); !errors.Is(err, cgroupfs.ErrNoCgroup) {
		t.Errorf("without a cgroup: %v", err)
	}
}

// TestStatsOfLess: without files that some kernels lack, and without limits.
func TestStatsOfLess(t *testing.T) {
	const none = math.MaxUint64
	for _, test := range []struct {
		name        string
		files       []string
		swap, limit uint64
		pids        stats.Pids
	}{
		{"no swap", []string{"memory.max=1000", "cgroup.procs=", "cgroup.threads="}, 1000, 1000, stats.Pids{}},
		{"no limits", []string{"memory.max=max", "memory.swap.max=max", "pids.current=3", "pids.max=max"}, none, none, stats.Pids{Current: 3}},
		{"no limit of swap", []string{"memory.max=1000", "memory.swap.max=max", "pids.current=3"}, none, 1000, stats.Pids{Current: 3}},
		{"no limit of memory", []string{"memory.max=max", "memory.swap.max=5", "pids.current=3"}, none, none, stats.Pids{Current: 3}},
		{"processes", []string{"cgroup.procs=5\n7\n"}, 0, 0, stats.Pids{Current: 2}},
	} {
		dir := t.TempDir()
		tree(t, dir, test.files...)
		m := &Manager{cgroup: &configs.Cgroup{}, dir: cgroupfs.Dir(dir)}
		s, err := m.Stats()
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if s.Memory.Usage.Limit != test.limit || s.Memory.Swap.Limit != test.swap || s.Pids != test.pids {
			t.Errorf("%s: %+v, %+v", test.name, s.Memory, s.Pids)
		}
	}
}
