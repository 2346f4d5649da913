// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/berth-run/berth/libcontainer"
	"github.com/berth-run/berth/libcontainer/cgroups/stats"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// full is a container for which there is a sample of each family.
func full() *libcontainer.Usage {
	kills := uint64(3)
	psi := &stats.PSI{Some: stats.Pressure{Total: 2_500_000}, Full: stats.Pressure{Total: 1}}
	s := &libcontainer.Stats{}
	s.CPU = stats.CPU{
		Usage: stats.CPUUsage{Total: 1_500_000_000, User: 1_000_000_000, Kernel: 500_000_000}, PSI: psi,
		Throttling: stats.Throttling{Periods: 10, ThrottledPeriods: 2, ThrottledTime: 250_000_000},
	}
	s.Memory = stats.Memory{
		Usage: stats.MemoryEntry{Limit: 64 << 20, Usage: 10 << 20, Max: 12 << 20, Failcnt: 4},
		Swap:  stats.MemoryEntry{Limit: math.MaxUint64, Usage: 11 << 20},
		Raw:   map[string]uint64{"inactive_file": 1 << 20}, PSI: psi, OOMKills: &kills,
	}
	s.Pids = stats.Pids{Current: 5, Limit: 100}
	s.Blkio = stats.Blkio{PSI: psi, ServiceBytes: []stats.BlkioEntry{
		{Major: 8, Op: "Read", Value: 4096},
		{Major: 8, Op: "Write", Value: 512},
		{Major: 8, Op: "Sync", Value: 4096},
		{Major: 8, Op: "Total", Value: 4608},
		{Major: 8, Op: "Read", Value: 4}, // from another cgroup below
	}, Serviced: []stats.BlkioEntry{{Major: 8, Minor: 16, Op: "Discard", Value: 1}}}
	s.Hugetlb = map[string]stats.Hugetlb{"2MB": {Usage: 2 << 20}, "1GB": {}}
	return &libcontainer.Usage{
		State: &libcontainer.State{ID: "full", Status: specs.StateRunning, Bundle: "/a\\b\"\n\xff", Created: time.Unix(1_000_000_000, 0)},
		Stats: s, Interfaces: []libcontainer.InterfaceStats{{Name: "eth0", RxBytes: 7, TxDropped: 8}},
	}
}

func TestText(t *testing.T) {
	empty := &libcontainer.Usage{State: &libcontainer.State{ID: "empty", Status: "paused"}, Stats: &libcontainer.Stats{}}
	text := Text([]*libcontainer.Usage{full(), empty, {State: &libcontainer.State{ID: "nocgroup"}}})
	for _, want := range []string{
		"# TYPE berth_container info\n# HELP",
		`berth_container_info{id="full",bundle="/a\\b\"\n` + "\ufffd\"} 1\n",
		`berth_container_info{id="nocgroup",bundle=""} 1` + "\n",
		`berth_container_status{id="empty",berth_container_status="paused"} 1` + "\n",
		`berth_container_start_time_seconds{id="full"} 1e+09` + "\n",
		"# TYPE berth_container_cpu_usage_seconds counter\n# UNIT berth_container_cpu_usage_seconds seconds\n# HELP berth_container_cpu_usage_seconds CPU",
		`berth_container_cpu_usage_seconds_total{id="full"} 1.5` + "\n" + `berth_container_cpu_usage_seconds_total{id="empty"} 0` + "\n# ",
		`berth_container_pressure_seconds_total{id="full",resource="io",tasks="some"} 2.5` + "\n",
		`berth_container_memory_working_set_bytes{id="full"} 9.437184e+06` + "\n",
		`berth_container_memory_swap_bytes{id="full"} 1.048576e+06` + "\n",
		`berth_container_oom_kills_total{id="full"} 3` + "\n",
		`berth_container_io_bytes_total{id="full",device="8:0",operation="read"} 4100` + "\n",
		`berth_container_io_operations_total{id="full",device="8:16",operation="discard"} 1` + "\n",
		`berth_container_network_dropped_packets_total{id="full",interface="eth0",direction="sent"} 8` + "\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	for _, not := range []string{`limit_bytes{id="empty"`, `peak_bytes{id="empty"`, `tasks{id="nocgroup"`, "sync"} {
		if strings.Contains(text, not) {
			t.Errorf("there is %q", not)
		}
	}
	if !strings.HasSuffix(text, "\n# EOF\n") || Text(nil) != "# EOF\n" {
		t.Error("no # EOF at the end")
	}
}

// TestParser: the reference parser accepts the text, with all families. It is Python's, and
// checks more than Prometheus does.
func TestParser(t *testing.T) {
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import prometheus_client.openmetrics.parser").Run(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("requires python3-prometheus-client")
	}
	const script = `
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
text = sys.stdin.buffer.read().decode()
print(json.dumps({f.name: [f.type, f.unit, len(f.samples)] for f in text_string_to_metric_families(text)}))`
	parse := func(usages ...*libcontainer.Usage) (families map[string][3]any) {
		cmd := exec.Command(python, "-c", script)
		cmd.Stdin = strings.NewReader(Text(usages))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if err := json.Unmarshal(out, &families); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return families
	}
	got := parse(full(), &libcontainer.Usage{State: &libcontainer.State{ID: "b"}, Stats: &libcontainer.Stats{}})
	for _, f := range families() {
		if g, ok := got[prefix+f.name]; !ok || g[0] != f.kind || g[1] != f.unit {
			t.Errorf("%s is parsed as %v, want %s, %s", f.name, g, f.kind, f.unit)
		}
	}
	if len(got) != len(families()) {
		t.Errorf("%d families are parsed, want %d", len(got), len(families()))
	}
	if got := parse(); len(got) != 0 {
		t.Errorf("nothing is parsed as %v", got)
	}
}
