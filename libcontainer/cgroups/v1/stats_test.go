// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/configs"
)

// counters are files with a different number in each, so that mixing them up is noticed.
var counters = map[string]map[string]string{
	"cpuacct": {
		"cpuacct.stat": "user 3\nsystem 4\n", "cpuacct.usage": "70000001\n", "cpuacct.usage_percpu": "40000000 30000001 \n",
		"cpuacct.usage_all": "cpu user system\n0 11 12\n1 13 14\n",
	},
	"cpu": {"cpu.stat": "nr_periods 21\nnr_throttled 22\nthrottled_time 23\n"},
	"cpuset": {
		"cpuset.cpus": "0-1\n", "cpuset.mems": "0\n", "cpuset.cpu_exclusive": "31\n", "cpuset.mem_hardwall": "32\n", "cpuset.mem_exclusive": "33\n",
		"cpuset.memory_migrate": "34\n", "cpuset.memory_spread_page": "35\n", "cpuset.memory_spread_slab": "36\n", "cpuset.memory_pressure": "37\n",
		"cpuset.sched_load_balance": "38\n", "cpuset.sched_relax_domain_level": "-1\n",
	},
	"memory": {
		"memory.stat":           "cache 41\nrss 42\n",
		"memory.limit_in_bytes": "43\n", "memory.usage_in_bytes": "44\n", "memory.max_usage_in_bytes": "45\n", "memory.failcnt": "46\n",
		"memory.memsw.limit_in_bytes": "47\n", "memory.memsw.usage_in_bytes": "48\n", "memory.memsw.max_usage_in_bytes": "49\n", "memory.memsw.failcnt": "50\n",
		"memory.kmem.limit_in_bytes": "9223372036854771712\n", "memory.kmem.usage_in_bytes": "51\n",
		"memory.kmem.tcp.limit_in_bytes": "52\n", "memory.kmem.tcp.failcnt": "53\n",
	},
	"pids": {"pids.current": "61\n", "pids.max": "62\n"},
	"blkio": {
		"blkio.throttle.io_service_bytes_recursive": "8:0 Read 71\n8:0 Total 71\nTotal 71\n", "blkio.throttle.io_serviced_recursive": "8:0 Write 72\n",
		"blkio.io_queued_recursive": "8:0 Read 73\n", "blkio.io_service_time_recursive": "8:0 Read 74\n", "blkio.io_wait_time_recursive": "8:0 Read 75\n",
		"blkio.io_merged_recursive": "8:0 Read 76\n", "blkio.bfq.time_recursive": "8:0 77\n", "blkio.sectors_recursive": "8:0 78\n",
	},
	"hugetlb": {"hugetlb.2MB.usage_in_bytes": "81\n", "hugetlb.2MB.max_usage_in_bytes": "82\n", "hugetlb.2MB.failcnt": "83\n", "hugetlb.2MB.rsvd.usage_in_bytes": "84\n"},
	"": {
		"cpu.pressure": "some avg10=1.00 avg60=0.00 avg300=0.00 total=91\n", "memory.pressure": "some avg10=0.00 avg60=2.00 avg300=0.00 total=92\n",
		"io.pressure": "full avg10=0.00 avg60=0.00 avg300=3.00 total=93\n",
	},
}

const counted = `{
	"cpu": {"usage": {"total": 70000001, "percpu": [40000000, 30000001], "percpu_kernel": [12, 14], "percpu_user": [11, 13], "kernel": 40000000, "user": 30000000},
		"throttling": {"periods": 21, "throttledPeriods": 22, "throttledTime": 23},
		"psi": {"some": {"avg10": 1, "avg60": 0, "avg300": 0, "total": 91}, "full": {"avg10": 0, "avg60": 0, "avg300": 0, "total": 0}}},
	"cpuset": {"cpus": [0, 1], "cpu_exclusive": 31, "mems": [0], "mem_hardwall": 32, "mem_exclusive": 33, "memory_migrate": 34, "memory_spread_page": 35,
		"memory_spread_slab": 36, "memory_pressure": 37, "sched_load_balance": 38, "sched_relax_domain_level": -1},
	"memory": {"cache": 41, "usage": {"limit": 43, "usage": 44, "max": 45, "failcnt": 46}, "swap": {"limit": 47, "usage": 48, "max": 49, "failcnt": 50},
		"kernel": {"limit": 9223372036854771712, "usage": 51, "failcnt": 0}, "kernelTCP": {"limit": 52, "failcnt": 53}, "raw": {"cache": 41, "rss": 42},
		"psi": {"some": {"avg10": 0, "avg60": 2, "avg300": 0, "total": 92}, "full": {"avg10": 0, "avg60": 0, "avg300": 0, "total": 0}}},
	"pids": {"current": 61, "limit": 62},
	"blkio": {
		"ioServiceBytesRecursive": [{"major": 8, "op": "Read", "value": 71}, {"major": 8, "op": "Total", "value": 71}], "ioServicedRecursive": [{"major": 8, "op": "Write", "value": 72}],
		"ioQueueRecursive": [{"major": 8, "op": "Read", "value": 73}], "ioServiceTimeRecursive": [{"major": 8, "op": "Read", "value": 74}],
		"ioWaitTimeRecursive": [{"major": 8, "op": "Read", "value": 75}], "ioMergedRecursive": [{"major": 8, "op": "Read", "value": 76}],
		"ioTimeRecursive": [{"major": 8, "value": 77}], "sectorsRecursive": [{"major": 8, "value": 78}],
		"psi": {"some": {"avg10": 0, "avg60": 0, "avg300": 0, "total": 0}, "full": {"avg10": 0, "avg60": 0, "avg300": 3, "total": 93}}},
	"hugetlb": {"2MB": {"usage": 81, "max": 82, "failcnt": 83}}
}`

func TestStats(t *testing.T) {
	root := t.TempDir()
	m := &Manager{cgroup: &configs.Cgroup{}}
	for c, files := range counters {
		dir := filepath.Join(root, "x"+c)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		h := hierarchy{controllers: []string{c}, dir: cgroupfs.Dir(dir)}
		if c == "" {
			h = hierarchy{v2: true, dir: cgroupfs.Dir(dir)}
		}
		m.hierarchies = append(m.hierarchies, h)
	}
	s, err := m.Stats()
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, s, counted)
	if err := os.WriteFile(filepath.Join(root, "xpids", "pids.max"), []byte("max\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := m.Stats(); err != nil || s.Pids.Limit != 0 {
		t.Errorf("without a limit of pids: %+v, %v", s, err)
	}
	if err := os.WriteFile(filepath.Join(root, "xcpu", "cpu.stat"), []byte("rubbish\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := m.Stats(); err == nil {
		t.Errorf("rubbish is %+v", s)
	}
	if _, err := (&Manager{}).Stats(); !errors.Is(err, cgroupfs.ErrNoCgroup) {
		t.Errorf("without a cgroup: %v", err)
	}
}

// sameJSON compares the JSON of v with a text.
func sameJSON(t *testing.T, v any, want string) {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	normal := func(text []byte) string {
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		out, err := json.Marshal(v) // sorts the keys
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	if got, want := normal(data), normal([]byte(want)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
