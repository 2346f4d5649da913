// SPDX-License-Identifier: Apache-2.0

package v2

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// tree makes a directory that looks like a cgroup with the given files, each
// "name" or "name=content".
func tree(t *testing.T, dir string, files ...string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name, content, _ := strings.Cut(f, "=")
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// content reads all files of dir that are not as tree made them.
func content(t *testing.T, dir string, files []string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	was := map[string]string{}
	for _, f := range files {
		name, c, _ := strings.Cut(f, "=")
		was[name] = c
	}
	got := map[string]string{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if string(b) != was[e.Name()] {
			got[e.Name()] = string(b)
		}
	}
	return got
}

// all are the files of a cgroup on a host that has everything.
var all = []string{
	"cgroup.controllers=cpuset cpu io memory hugetlb pids rdma",
	"memory.max", "memory.low", "memory.swap.max", "memory.current=1000000\n", "memory.high",
	"cpu.max=", "cpu.max.burst", "cpu.weight", "cpu.idle", "cpuset.cpus", "cpuset.mems",
	"io.max", "io.weight", "io.bfq.weight", "pids.max", "rdma.max",
	"hugetlb.2MB.max", "hugetlb.2MB.rsvd.max", "hugetlb.1GB.max", "cgroup.max.depth",
}

func without(drop ...string) []string {
	var kept []string
next:
	for _, f := range all {
		for _, d := range drop {
			if f == d || strings.HasPrefix(f, d+"=") {
				continue next
			}
		}
		kept = append(kept, f)
	}
	return kept
}

func TestSet(t *testing.T) {
	for _, c := range []struct {
		name, resources string
		files           []string // nil: all
		want            map[string]string
		err             string
	}{
		{name: "nothing", resources: `{}`},
		{
			name:      "zeros",
			resources: `{"memory":{"limit":0,"swap":0,"reservation":0,"kernel":0},"cpu":{"shares":0,"quota":0,"period":0},"blockIO":{"weight":0},"pids":{}}`,
		},
		{
			name:      "v1 only",
			resources: `{"memory":{"kernel":5,"kernelTCP":5,"swappiness":7,"disableOOMKiller":true,"useHierarchy":true},"cpu":{"realtimeRuntime":5,"realtimePeriod":6},"blockIO":{"leafWeight":10},"network":{"classID":5,"priorities":[{"name":"lo","priority":3}]}}`,
		},
		{
			name:      "memory",
			resources: `{"memory":{"limit":104857600,"reservation":52428800}}`,
			want:      map[string]string{"memory.max": "104857600", "memory.low": "52428800"},
		},
		{
			name:      "memory and swap",
			resources: `{"memory":{"limit":1000,"swap":1500}}`,
			want:      map[string]string{"memory.max": "1000", "memory.swap.max": "500"},
		},
		{
			name:      "no swap",
			resources: `{"memory":{"limit":1000,"swap":1000}}`,
			want:      map[string]string{"memory.max": "1000", "memory.swap.max": "0"},
		},
		{
			name:      "no swap without accounting",
			resources: `{"memory":{"limit":1000,"swap":1000}}`,
			files:     without("memory.swap.max"),
			want:      map[string]string{"memory.max": "1000"},
		},
		{
			name:      "some swap without accounting",
			resources: `{"memory":{"limit":1000,"swap":1500}}`,
			files:     without("memory.swap.max"),
			err:       "linux.resources.memory.swap: open memory.swap.max: the kernel does not have this limit",
		},
		{
			name:      "unlimited memory",
			resources: `{"memory":{"limit":-1}}`,
			want:      map[string]string{"memory.max": "max", "memory.swap.max": "max"},
		},
		{
			name:      "unlimited memory, some swap",
			resources: `{"memory":{"limit":-1,"swap":77}}`,
			want:      map[string]string{"memory.max": "max", "memory.swap.max": "77"},
		},
		{
			name:      "unlimited swap",
			resources: `{"memory":{"limit":1000,"swap":-1}}`,
			want:      map[string]string{"memory.max": "1000", "memory.swap.max": "max"},
		},
		{
			name:      "unlimited swap alone",
			resources: `{"memory":{"swap":-1}}`,
			want:      map[string]string{"memory.swap.max": "max"},
		},
		{
			name:      "swap alone",
			resources: `{"memory":{"swap":1000}}`,
			err:       "linux.resources.memory.swap: unable to set swap limit without memory limit",
		},
		{
			name:      "swap below memory",
			resources: `{"memory":{"limit":1000,"swap":999}}`,
			err:       "linux.resources.memory.swap: memory+swap limit should be >= memory limit",
		},
		{
			name:      "check before update",
			resources: `{"memory":{"limit":999999,"checkBeforeUpdate":true}}`,
			err:       "linux.resources.memory.limit: 999999 is below the present usage of 1000000 (checkBeforeUpdate)",
		},
		{
			name:      "check before update, enough",
			resources: `{"memory":{"limit":1000000,"checkBeforeUpdate":true}}`,
			want:      map[string]string{"memory.max": "1000000"},
		},
		{
			name:      "check before update, unlimited",
			resources: `{"memory":{"limit":-1,"checkBeforeUpdate":true}}`,
			want:      map[string]string{"memory.max": "max", "memory.swap.max": "max"},
		},
		{
			name:      "shares",
			resources: `{"cpu":{"shares":512,"cpus":"0-1","mems":"0"}}`,
			want:      map[string]string{"cpu.weight": "59", "cpuset.cpus": "0-1", "cpuset.mems": "0"},
		},
		{
			name:      "quota and period",
			resources: `{"cpu":{"quota":50000,"period":200000,"burst":1000,"idle":1}}`,
			want:      map[string]string{"cpu.max": "50000 200000", "cpu.max.burst": "1000", "cpu.idle": "1"},
		},
		{
			name:      "quota alone",
			resources: `{"cpu":{"quota":50000}}`,
			want:      map[string]string{"cpu.max": "50000"},
		},
		{
			name:      "no quota",
			resources: `{"cpu":{"quota":-1,"period":5000}}`,
			want:      map[string]string{"cpu.max": "max 5000"},
		},
		{
			name:      "period alone",
			resources: `{"cpu":{"period":5000}}`,
			files:     append(without("cpu.max"), "cpu.max=777 100"),
			want:      map[string]string{"cpu.max": "777 5000"},
		},
		{
			name:      "zero burst and idle on an old kernel",
			resources: `{"cpu":{"burst":0,"idle":0}}`,
			files:     without("cpu.max.burst", "cpu.idle"),
		},
		{
			name:      "idle on an old kernel",
			resources: `{"cpu":{"idle":1}}`,
			files:     without("cpu.idle"),
			err:       "linux.resources.cpu.idle: open cpu.idle: the kernel does not have this limit",
		},
		{name: "pids", resources: `{"pids":{"limit":7}}`, want: map[string]string{"pids.max": "7"}},
		{name: "pids 0", resources: `{"pids":{"limit":0}}`, want: map[string]string{"pids.max": "0"}},
		{name: "pids -1", resources: `{"pids":{"limit":-1}}`, want: map[string]string{"pids.max": "max"}},
		{
			name:      "hugepages",
			resources: `{"hugepageLimits":[{"pageSize":"2MB","limit":4194304},{"pageSize":"1GB","limit":0}]}`,
			want:      map[string]string{"hugetlb.2MB.max": "4194304", "hugetlb.2MB.rsvd.max": "4194304", "hugetlb.1GB.max": "0"},
		},
		{
			name:      "hugepages of no size",
			resources: `{"hugepageLimits":[{"pageSize":"2MB","limit":1},{"pageSize":"3MB","limit":1}]}`,
			want:      map[string]string{"hugetlb.2MB.max": "1", "hugetlb.2MB.rsvd.max": "1"},
			err:       "linux.resources.hugepageLimits[1]: open hugetlb.3MB.max: the kernel does not have this limit",
		},
		{
			name:      "hugepages with a slash",
			resources: `{"hugepageLimits":[{"pageSize":"/../x","limit":1}]}`,
			err:       `linux.resources.hugepageLimits[0]: "/../x" is not a page size`,
		},
		{
			name:      "weight",
			resources: `{"blockIO":{"weight":500,"weightDevice":[{"major":8,"minor":0,"weight":100}]}}`,
			files:     without("io.bfq.weight"),
			want:      map[string]string{"io.weight": "8:0 910"}, // written over "4950"
		},
		{
			name:      "weight with bfq",
			resources: `{"blockIO":{"weight":500}}`,
			want:      map[string]string{"io.bfq.weight": "500"},
		},
		{
			name:      "weight without a scheduler",
			resources: `{"blockIO":{"weight":500}}`,
			files:     without("io.bfq.weight", "io.weight"),
			err:       "linux.resources.blockIO.weight: open io.weight: the kernel does not have this limit",
		},
		{
			name: "throttle",
			resources: `{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1000}],"throttleWriteBpsDevice":[{"major":8,"minor":0,"rate":0}],
				"throttleReadIOPSDevice":[{"major":8,"minor":0,"rate":10}],"throttleWriteIOPSDevice":[{"major":8,"minor":0,"rate":20}]}}`,
			want: map[string]string{"io.max": "8:0 rbps=1000 wbps=max riops=10 wiops=20"},
		},
		{
			name:      "rdma",
			resources: `{"rdma":{"mlx5_1":{"hcaHandles":3,"hcaObjects":10000},"none":{}}}`,
			want:      map[string]string{"rdma.max": "mlx5_1 hca_handle=3 hca_object=10000"},
		},
		{
			name:      "unified has the last word",
			resources: `{"memory":{"limit":1000},"unified":{"memory.max":"2000","memory.high":"900","cgroup.max.depth":"5"}}`,
			want:      map[string]string{"memory.max": "2000", "memory.high": "900", "cgroup.max.depth": "5"},
		},
		{
			name:      "unified with a slash",
			resources: `{"unified":{"../memory.max":"1"}}`,
			err:       `linux.resources.unified["../memory.max"]: unified resource "../memory.max" must be in the form CONTROLLER.PARAMETER`,
		},
		{
			name:      "unified with a slash inside",
			resources: `{"unified":{"memory/../pids.max":"1"}}`,
			err:       `linux.resources.unified["memory/../pids.max"]: unified resource "memory/../pids.max" must be in the form CONTROLLER.PARAMETER`,
		},
		{
			name:      "unified without a controller",
			resources: `{"unified":{".max":"1"}}`,
			err:       `linux.resources.unified[".max"]: unified resource ".max" must be in the form CONTROLLER.PARAMETER`,
		},
		{
			name:      "unified without a parameter",
			resources: `{"unified":{"memory.":"1"}}`,
			err:       `linux.resources.unified["memory."]: unified resource "memory." must be in the form CONTROLLER.PARAMETER`,
		},
		{
			name:      "unified of no controller",
			resources: `{"unified":{"cgroup.no.such":"1"}}`,
			err:       `linux.resources.unified["cgroup.no.such"]: open cgroup.no.such: the kernel does not have this limit`,
		},
		{
			name:      "unified without a dot",
			resources: `{"unified":{"memory":"1"}}`,
			err:       `linux.resources.unified["memory"]: unified resource "memory" must be in the form CONTROLLER.PARAMETER`,
		},
		{
			name:      "unified unknown",
			resources: `{"unified":{"memory.foo":"1"}}`,
			err:       `linux.resources.unified["memory.foo"]: open memory.foo: the kernel does not have this limit`,
		},
		{
			name:      "unified of a missing controller",
			resources: `{"unified":{"misc.max":"1"}}`,
			err:       `linux.resources.unified["misc.max"]: open misc.max: the host has no misc controller on cgroup v2`,
		},
		{
			name:      "controller not enabled",
			resources: `{"memory":{"limit":5}}`,
			files:     []string{"cgroup.controllers=cpu"},
			err:       "linux.resources.memory.limit: open memory.max: the memory controller is not enabled in ",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			tree(t, root, all...)
			dir := root + "/c"
			files := c.files
			if files == nil {
				files = all
			}
			tree(t, dir, files...)
			var r specs.LinuxResources
			if err := json.Unmarshal([]byte(c.resources), &r); err != nil {
				t.Fatal(err)
			}
			m := &Manager{cgroup: &configs.Cgroup{}, root: cgroupfs.Dir(root), dir: cgroupfs.Dir(dir)}
			err := m.Set(&r)
			if (err == nil) != (c.err == "") || (err != nil && !strings.HasPrefix(err.Error(), c.err)) {
				t.Errorf("got error %v\nwant      %s", err, c.err)
			}
			if got := content(t, dir, files); !maps.Equal(got, c.want) {
				t.Errorf("got %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestWeight(t *testing.T) {
	for shares, want := range map[uint64]uint64{1: 1, 2: 1, 3: 2, 256: 35, 512: 59, 1024: 100, 2048: 174, 262143: 10000, 262144: 10000, 1 << 40: 10000} {
		if got := Weight(shares); got != want {
			t.Errorf("%d: got %d, want %d", shares, got, want)
		}
	}
	last := uint64(0)
	for shares := uint64(2); shares <= 262144; shares += 13 {
		w := Weight(shares)
		if w < last || w < 1 || w > 10000 {
			t.Fatalf("%d: %d after %d", shares, w, last)
		}
		last = w
	}
}

func TestIOWeight(t *testing.T) {
	for in, want := range map[uint16]uint64{0: 1, 10: 1, 100: 910, 500: 4950, 1000: 10000} {
		if got := IOWeight(in); got != want {
			t.Errorf("%d: got %d, want %d", in, got, want)
		}
	}
}

func TestIOMaxDevices(t *testing.T) {
	device := func(minor int64, rate uint64) specs.LinuxThrottleDevice {
		return specs.LinuxThrottleDevice{LinuxBlockIODevice: specs.LinuxBlockIODevice{Major: 8, Minor: minor}, Rate: rate}
	}
	lines := ioMax(&specs.LinuxBlockIO{
		ThrottleReadBpsDevice:   []specs.LinuxThrottleDevice{device(0, 1), device(16, 2)},
		ThrottleWriteIOPSDevice: []specs.LinuxThrottleDevice{device(16, 3), device(32, 4)},
	})
	want := []limit{
		{"blockIO.throttleReadBpsDevice[0]", "8:0", " rbps=1"},
		{"blockIO.throttleReadBpsDevice[1]", "8:16", " rbps=2 wiops=3"},
		{"blockIO.throttleWriteIOPSDevice[1]", "8:32", " wiops=4"},
	}
	if len(lines) != len(want) {
		t.Fatalf("got %+v", lines)
	}
	for i := range want {
		if lines[i] != want[i] {
			t.Errorf("got %+v, want %+v", lines[i], want[i])
		}
	}
}

func TestDefaultParent(t *testing.T) {
	for own, want := range map[string]string{"/": "", "/a": "", "/a/b": "/a", "/user.slice/u/s": "/user.slice/u", "/../x": ""} {
		got := defaultParent([]cgroupfs.Membership{{Controllers: "cpu", Path: "/no"}, {Path: own}})
		if got != want {
			t.Errorf("%s: got %q, want %q", own, got, want)
		}
	}
}

func TestNew(t *testing.T) {
	for path, want := range map[string]string{"/a/b": "/r/a/b", "/../../x": "/r/x"} {
		m, err := newAt("/r", &configs.Cgroup{Path: path}, "id")
		if err != nil || string(m.dir) != want {
			t.Errorf("%s: %s, %v", path, m.dir, err)
		}
	}
	m, err := newAt("/r", &configs.Cgroup{}, "id")
	if err != nil || !strings.HasPrefix(string(m.dir), "/r/") || !strings.HasSuffix(string(m.dir), "/id") {
		t.Errorf("default: %s, %v", m.dir, err)
	}
}

// TestEnable uses plain files, to which a write never fails.
func TestEnable(t *testing.T) {
	root := t.TempDir()
	tree(t, root, "cgroup.controllers=cpu memory pids", "cgroup.subtree_control=cpu")
	tree(t, root+"/a", "cgroup.controllers=cpu memory", "cgroup.subtree_control=cpu memory")
	tree(t, root+"/a/b", "cgroup.controllers=cpu memory")
	m := &Manager{cgroup: &configs.Cgroup{}, root: cgroupfs.Dir(root), dir: cgroupfs.Dir(root + "/a/b")}
	if err := m.enable(); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"": "+memory +pids", "/a": "cpu memory"} {
		b, err := os.ReadFile(root + file + "/cgroup.subtree_control")
		if err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", file, b, err)
		}
	}
}

// TestRefused has a cgroup.subtree_control that cannot be written to.
func TestRefused(t *testing.T) {
	root := t.TempDir()
	tree(t, root, "cgroup.controllers=cpu memory", "cgroup.subtree_control=cpu")
	tree(t, root+"/c", "cgroup.controllers=cpu")
	m := &Manager{cgroup: &configs.Cgroup{}, root: cgroupfs.Dir(root), dir: cgroupfs.Dir(root + "/c")}
	// A file that nobody can write to.
	if err := os.Remove(root + "/cgroup.subtree_control"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/proc/self/status", root+"/cgroup.subtree_control"); err != nil {
		t.Fatal(err)
	}
	if err := m.enable(); err != nil {
		t.Fatal(err)
	}
	limit := int64(5)
	err := m.Set(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit}})
	if err == nil || !strings.Contains(err.Error(), "linux.resources.memory.limit: open memory.max: the memory controller could not be enabled: cgroup "+root+": ") {
		t.Errorf("got %v", err)
	}
}

// TestUpdate: all or nothing, and undo restores the old values.
func TestUpdate(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, all...)
	tree(t, dir, "pids.max=11", "memory.high=max")
	m := &Manager{cgroup: &configs.Cgroup{}, root: cgroupfs.Dir(dir), dir: cgroupfs.Dir(dir)}
	check := func(what, want string) {
		t.Helper()
		if b, err := os.ReadFile(dir + "/pids.max"); err != nil || string(b) != want {
			t.Errorf("%s: pids.max is %q, %v, want %s", what, b, err, want)
		}
	}
	limit := int64(22)
	pids := &specs.LinuxPids{Limit: &limit}
	if _, err := m.Update(&specs.LinuxResources{Pids: pids, Unified: map[string]string{"memory.foo": "1"}}); err == nil {
		t.Error("memory.foo is no error")
	}
	check("failed", "11")
	undo, err := m.Update(&specs.LinuxResources{Pids: pids})
	if err != nil {
		t.Fatal(err)
	}
	check("updated", "22")
	if err := undo(); err != nil {
		t.Error(err)
	}
	check("undone", "11")
}

// TestCheckType: below a threaded cgroup a new one is threaded too.
func TestCheckType(t *testing.T) {
	for kind, want := range map[string]string{"domain": "domain", "domain invalid\n": "threaded", "threaded": "threaded"} {
		dir := t.TempDir()
		tree(t, dir, "cgroup.type="+kind)
		if err := checkType(cgroupfs.Dir(dir)); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if b, err := os.ReadFile(dir + "/cgroup.type"); err != nil || !strings.HasPrefix(string(b), want) {
			t.Errorf("%s became %q, %v, want %s", kind, b, err, want)
		}
	}
}

func TestNoCgroup(t *testing.T) {
	m := Load(map[string]string{}, &configs.Cgroup{Rootless: true})
	if len(m.Paths()) != 0 {
		t.Error("has paths")
	}
	if err := m.Set(&specs.LinuxResources{}); err != nil {
		t.Error(err)
	}
	limit := int64(5)
	err := m.Set(&specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &limit}})
	if err == nil || err.Error() != "linux.resources.pids.limit: the container has no cgroup" {
		t.Errorf("got %v", err)
	}
	if err := m.Destroy(); err != nil {
		t.Error(err)
	}
}

// TestNone has limits of none, which hold without a cgroup, and without a controller.
func TestNone(t *testing.T) {
	none, period := int64(-1), uint64(100000)
	resources := map[string]*specs.LinuxResources{
		"pids":   {Pids: &specs.LinuxPids{Limit: &none}},
		"memory": {Memory: &specs.LinuxMemory{Limit: &none, Swap: &none}},
		"swap":   {Memory: &specs.LinuxMemory{Swap: &none}},
		"quota":  {CPU: &specs.LinuxCPU{Quota: &none}},
		"period": {CPU: &specs.LinuxCPU{Quota: &none, Period: &period}},
	}
	root := t.TempDir()
	tree(t, root, "cgroup.controllers=")
	for name, paths := range map[string]map[string]string{"no cgroup": {}, "no controller": {"": root}} {
		m := Load(paths, &configs.Cgroup{Rootless: true})
		for field, r := range resources {
			if err := m.Set(r); err != nil {
				t.Errorf("%s, %s: %v", name, field, err)
			}
		}
		if err := m.Set(&specs.LinuxResources{CPU: &specs.LinuxCPU{Period: &period}}); err == nil {
			t.Errorf("%s: a period is set", name)
		}
	}
}
