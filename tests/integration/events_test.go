// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// event is a line that events prints.
type event struct {
	Type string         `json:"type"`
	ID   string         `json:"id"`
	Data map[string]any `json:"data"`
}

func parseEvents(t *testing.T, text string) []event {
	t.Helper()
	var events []event
	for line := range strings.Lines(text) {
		var e event
		decode(t, line, &e)
		events = append(events, e)
	}
	return events
}

// number returns the number at a path of keys.
func (e *event) number(keys ...string) float64 {
	var v any = e.Data
	for _, k := range keys {
		m, _ := v.(map[string]any)
		v = m[k]
	}
	n, _ := v.(float64)
	return n
}

func TestEventsStats(t *testing.T) {
	c := newContainer(t)
	if !suite.unified {
		c.spec.Linux.Resources = base()
	}
	c.running()
	r := c.command("events", "--stats", c.id).must()
	events := parseEvents(t, r.out)
	if len(events) != 1 || r.stderr != "" {
		t.Fatalf("printed %q and %q, want one line", r.out, r.stderr)
	}
	e := &events[0]
	want(t, "type", e.Type, "stats")
	want(t, "id", e.ID, c.id)
	if e.number("cpu", "usage", "total") <= 0 || e.number("pids", "current") != 1 {
		t.Errorf("no use of the CPU, or not one process: %s", r.out)
	}
	if suite.unified {
		return
	}
	for path, w := range map[string]float64{
		"memory usage limit": 64 << 20, "memory swap limit": 128 << 20, "pids limit": 42, "cpuset sched_relax_domain_level": -1,
	} {
		if got := e.number(strings.Fields(path)...); got != w {
			t.Errorf("%s: %v, want %v", path, got, w)
		}
	}
	if usage := e.number("memory", "usage", "usage"); usage <= 0 || usage > 64<<20 {
		t.Errorf("memory in use: %v", usage)
	}
}

// kernelHasPressure reports whether the kernel has PSI and it is enabled.
func kernelHasPressure() bool {
	_, err := os.ReadFile("/proc/pressure/cpu")
	return err == nil
}

// TestEventsPressure: cgroup v1 has no pressure files, but a v2 hierarchy of a hybrid host has.
func TestEventsPressure(t *testing.T) {
	c := newContainer(t)
	var st unix.Statfs_t
	hybrid := unix.Statfs("/sys/fs/cgroup/unified", &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC
	only(t, suite.unified || hybrid, "hosts with cgroup v2")
	if !kernelHasPressure() {
		t.Skip("requires a kernel with PSI")
	}
	e := parseEvents(t, c.running().command("events", "--stats", c.id).must().out)[0]
	for _, kind := range []string{"cpu", "memory", "blkio"} {
		of, _ := e.Data[kind].(map[string]any)
		psi, _ := of["psi"].(map[string]any)
		some, _ := psi["some"].(map[string]any)
		for _, key := range []string{"avg10", "avg60", "avg300", "total"} {
			if _, ok := some[key].(float64); !ok {
				t.Errorf("%s: no some.%s in %v", kind, key, of)
			}
		}
	}
}

func TestEventsSeveral(t *testing.T) {
	c := newContainer(t).running()
	d := anotherContainer(t, c).running()
	gone := anotherContainer(t, c).create().start()
	gone.wait()
	want := []string{c.id, d.id}
	slices.Sort(want) // "…-99" comes after "…-100"
	for _, args := range [][]string{{c.id, d.id}, {"--all"}} {
		var ids []string
		for _, e := range parseEvents(t, c.command(append([]string{"events", "--stats"}, args...)...).must().out) {
			ids = append(ids, e.ID)
		}
		if slices.Sort(ids); !slices.Equal(ids, want) {
			t.Errorf("%q: statistics of %q", args, ids)
		}
	}
	r := c.command("events", "--stats", c.id, gone.id).fails("container with id "+gone.id+" is not running", "")
	if len(parseEvents(t, r.out)) != 1 {
		t.Errorf("printed %q, want the statistics of the other one", r.out)
	}
}

func TestEventsErrors(t *testing.T) {
	c := newContainer(t).create().start()
	c.wait()
	c.command("events", "--stats", c.id).fails("container with id "+c.id+" is not running", "")
	c.command("events", c.id).fails("container with id "+c.id+" is not running", "")
	c.command("events", "--interval", "0s", c.id).fails("duration interval must be greater than 0", "")
	c.command("events", "nobody").fails("container does not exist", "")
	c.command("events").fails("", "")
}

// TestEventsOpenMetrics: the text is as a test beside the code has it read by a parser; here it has
// what the container uses.
func TestEventsOpenMetrics(t *testing.T) {
	c := newContainer(t).running()
	gone := anotherContainer(t, c).create().start()
	gone.wait()
	r := c.command("events", "--stats", "--all", "--format", "openmetrics").must()
	for _, want := range []string{
		"# TYPE berth_container_cpu_usage_seconds counter\n", `berth_container_info{id="` + c.id + `",bundle="` + c.dir + `"} 1` + "\n",
		`berth_container_status{id="` + c.id + `",berth_container_status="running"} 1` + "\n",
		`berth_container_tasks{id="` + c.id + `"} 1` + "\n", "\n# EOF\n",
	} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in\n%s", want, r.out)
		}
	}
	if strings.Contains(r.out, gone.id) {
		t.Errorf("a stopped container is in\n%s", r.out)
	}
	r = c.command("events", "--stats", "--format", "openmetrics", c.id, gone.id).fails("container with id "+gone.id+" is not running", "")
	if !strings.Contains(r.out, `id="`+c.id) || !strings.HasSuffix(r.out, "# EOF\n") {
		t.Errorf("printed %q, want the metrics of the other one", r.out)
	}
	c.command("events", "--format", "openmetrics", c.id).fails("--format: openmetrics is for --stats", "")
	c.command("events", "--stats", "--format", "table", c.id).fails(`invalid format option "table" (json and openmetrics are known)`, "")
}

// follow starts events. next returns its lines one by one.
func (c *container) follow(args ...string) (next func() event, r *running) {
	c.t.Helper()
	out := c.fifo("events")
	r = c.exec(nil, "/bin/sh", append([]string{"-c", `exec "$@" >` + c.rootfs("events"), "sh", suite.runtime, "--root", c.state, "events"}, args...)...)
	if r.err != nil {
		c.t.Fatal(r.err)
	}
	return func() (e event) {
		c.t.Helper()
		decode(c.t, out.line(), &e)
		return e
	}, r
}

// TestEventsInterval: lines come until the container stops.
func TestEventsInterval(t *testing.T) {
	c := newContainer(t).running()
	next, r := c.follow("--interval=20ms", c.id)
	for range 3 {
		want(t, "type", next().Type, "stats")
	}
	c.command("kill", c.id, "KILL").must()
	c.wait()
	res, err := c.finish(r)
	if err != nil {
		t.Fatal(err)
	}
	res.code(0)
}

// TestEventsOfAll: containers that are created later are watched too, even if there were none at
// first.
func TestEventsOfAll(t *testing.T) {
	c := newContainer(t)
	next, r := c.follow("--interval", "20ms", "--all")
	c.running()
	want(t, "id", next().ID, c.id)
	d := anotherContainer(t, c).running()
	for next().ID != d.id {
	}
	c.command("kill", c.id, "KILL").must()
	c.wait()
	for range 5 {
		next()
	}
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.finish(r); err != nil {
		t.Fatal(err)
	}
}

// TestEventsOOM: the kernel kills a child of the container for lack of memory, and events reports
// it.
func TestEventsOOM(t *testing.T) {
	c := newContainer(t)
	needController(t, "memory")
	in, done := c.fifo("in"), c.fifo("done")
	c.sh("read x </in; tail /dev/zero; echo over >/done; exec sleep 10000")
	c.spec.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(16 << 20)), Swap: ptr(int64(16 << 20))}}
	c.create().start()
	next, r := c.follow("--interval", "100ms", c.id)
	next() // events is watching now
	in.send("go")
	done.line()
	e := next()
	for e.Type != "oom" {
		e = next()
	}
	want(t, "id", e.ID, c.id)
	if e.Data != nil {
		t.Errorf("data %v", e.Data)
	}
	c.command("kill", c.id, "KILL").must()
	c.wait()
	if _, err := c.finish(r); err != nil {
		t.Fatal(err)
	}
}
