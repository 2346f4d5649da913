// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// controllers have one hierarchy each in the fake host, with these files.
var controllers = map[string][]string{
	"memory": {
		limitFile, swapFile, "memory.soft_limit_in_bytes", "memory.usage_in_bytes=5000", "memory.swappiness",
		"memory.oom_control", "memory.kmem.tcp.limit_in_bytes",
	},
	"cpu": {
		"cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.cfs_burst_us", "cpu.rt_runtime_us",
		"cpu.rt_period_us", "cpu.idle",
	},
	"cpuset": {"cpuset.cpus", "cpuset.mems"},
	"pids":   {"pids.max"},
	"blkio": {
		"blkio.bfq.weight", "blkio.bfq.weight_device", "blkio.throttle.read_bps_device",
		"blkio.throttle.write_bps_device", "blkio.throttle.read_iops_device", "blkio.throttle.write_iops_device",
	},
	"hugetlb":  {"hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.rsvd.limit_in_bytes"},
	"net_cls":  {"net_cls.classid"},
	"net_prio": {"net_prio.ifpriomap"},
	"rdma":     {"rdma.max"},
}

// fake is a manager over plain files, without the hierarchies and files in drop.
func fake(t *testing.T, drop ...string) (*Manager, string) {
	t.Helper()
	root := t.TempDir()
	m := &Manager{cgroup: &configs.Cgroup{}}
	dropped := func(name string) bool {
		for _, d := range drop {
			if d == name {
				return true
			}
		}
		return false
	}
	for c, files := range controllers {
		if dropped(c) {
			continue
		}
		dir := filepath.Join(root, c)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			name, content, _ := strings.Cut(f, "=")
			if dropped(name) {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		m.hierarchies = append(m.hierarchies, hierarchy{controllers: []string{c}, dir: cgroupfs.Dir(dir)})
	}
	return m, root
}

func written(t *testing.T, root string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(root + "/*/*")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if name := filepath.Base(f); len(b) > 0 && name != "memory.usage_in_bytes" {
			got[name] = string(b)
		}
	}
	return got
}

func TestSet(t *testing.T) {
	for _, c := range []struct {
		name, resources string
		drop            []string
		want            map[string]string
		err             string
	}{
		{
			name:      "zeros",
			resources: `{"memory":{"limit":0,"swap":0,"reservation":0,"kernel":0,"kernelTCP":0},"cpu":{"shares":0,"quota":0,"period":0,"realtimeRuntime":0},"blockIO":{"weight":0},"pids":{},"network":{"classID":0}}`,
		},
		{
			name:      "zeros without controllers",
			resources: `{"memory":{"limit":0},"cpu":{"shares":0},"blockIO":{"weight":0},"pids":{},"network":{"classID":0,"priorities":[]}}`,
			drop:      []string{"memory", "cpu", "cpuset", "blkio", "pids", "net_cls", "net_prio"},
		},
		{
			name:      "memory",
			resources: `{"memory":{"limit":4096,"swap":8192,"reservation":100,"kernel":3,"kernelTCP":5,"swappiness":0,"disableOOMKiller":true,"useHierarchy":true}}`,
			want: map[string]string{
				limitFile: "4096", swapFile: "8192", "memory.soft_limit_in_bytes": "100", "memory.swappiness": "0",
				"memory.oom_control": "1", "memory.kmem.tcp.limit_in_bytes": "5",
			},
		},
		{name: "unlimited memory", resources: `{"memory":{"limit":-1}}`, want: map[string]string{limitFile: "-1", swapFile: "-1"}},
		{
			name: "unlimited memory without swap accounting", resources: `{"memory":{"limit":-1}}`,
			drop: []string{swapFile}, want: map[string]string{limitFile: "-1"},
		},
		{
			name: "swap without accounting", resources: `{"memory":{"limit":1,"swap":2}}`, drop: []string{swapFile},
			want: map[string]string{limitFile: "1"},
			err:  "linux.resources.memory.swap: open memory.memsw.limit_in_bytes: swap accounting is off",
		},
		{name: "OOM killer of a new cgroup", resources: `{"memory":{"disableOOMKiller":false}}`},
		{name: "no check before update", resources: `{"memory":{"limit":4999,"checkBeforeUpdate":false}}`, want: map[string]string{limitFile: "4999"}},
		{
			name: "check before update of enough", resources: `{"memory":{"limit":5000,"checkBeforeUpdate":true}}`,
			want: map[string]string{limitFile: "5000"},
		},
		{name: "swappiness -1", resources: `{"memory":{"swappiness":18446744073709551615}}`},
		{
			name: "check before update", resources: `{"memory":{"limit":4999,"checkBeforeUpdate":true}}`,
			err: "linux.resources.memory.limit: 4999 is below the present usage of 5000 (checkBeforeUpdate)",
		},
		{
			name:      "cpu",
			resources: `{"cpu":{"shares":2,"quota":50000,"period":100000,"burst":7,"idle":1,"realtimeRuntime":8,"realtimePeriod":9,"cpus":"0","mems":"0"}}`,
			want: map[string]string{
				"cpu.shares": "2", "cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000", "cpu.cfs_burst_us": "7",
				"cpu.idle": "1", "cpu.rt_runtime_us": "8", "cpu.rt_period_us": "9", "cpuset.cpus": "0", "cpuset.mems": "0",
			},
		},
		{name: "no quota", resources: `{"cpu":{"quota":-5}}`, want: map[string]string{"cpu.cfs_quota_us": "-1"}},
		{
			name: "burst on an old kernel", resources: `{"cpu":{"burst":5}}`, drop: []string{"cpu.cfs_burst_us"},
			err: "linux.resources.cpu.burst: open cpu.cfs_burst_us: the kernel does not have this limit",
		},
		{name: "zero burst on an old kernel", resources: `{"cpu":{"burst":0,"idle":0}}`, drop: []string{"cpu.cfs_burst_us", "cpu.idle"}},
		{name: "pids", resources: `{"pids":{"limit":0}}`, want: map[string]string{"pids.max": "0"}},
		{name: "pids -1", resources: `{"pids":{"limit":-1}}`, want: map[string]string{"pids.max": "max"}},
		{
			name: "pids without the controller", resources: `{"pids":{"limit":9}}`, drop: []string{"pids"},
			err: "linux.resources.pids.limit: the pids controller is not mounted as a cgroup v1 hierarchy",
		},
		{
			name:      "hugepages",
			resources: `{"hugepageLimits":[{"pageSize":"2MB","limit":9}]}`,
			want:      map[string]string{"hugetlb.2MB.limit_in_bytes": "9", "hugetlb.2MB.rsvd.limit_in_bytes": "9"},
		},
		{
			name:      "hugepages before Linux 5.7",
			resources: `{"hugepageLimits":[{"pageSize":"2MB","limit":9}]}`,
			drop:      []string{"hugetlb.2MB.rsvd.limit_in_bytes"},
			want:      map[string]string{"hugetlb.2MB.limit_in_bytes": "9"},
		},
		{
			name: "blkio",
			resources: `{"blockIO":{"weight":100,"weightDevice":[{"major":8,"minor":0,"weight":200}],"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1}],
				"throttleWriteBpsDevice":[{"major":8,"minor":0,"rate":2}],"throttleReadIOPSDevice":[{"major":8,"minor":0,"rate":3}],"throttleWriteIOPSDevice":[{"major":8,"minor":0,"rate":0}]}}`,
			want: map[string]string{
				"blkio.bfq.weight": "100", "blkio.bfq.weight_device": "8:0 200", "blkio.throttle.read_bps_device": "8:0 1",
				"blkio.throttle.write_bps_device": "8:0 2", "blkio.throttle.read_iops_device": "8:0 3", "blkio.throttle.write_iops_device": "8:0 0",
			},
		},
		{
			name: "leaf weight", resources: `{"blockIO":{"leafWeight":100}}`,
			err: "linux.resources.blockIO.leafWeight: open blkio.leaf_weight: the kernel does not have this limit",
		},
		{
			name: "leaf weight of a device", resources: `{"blockIO":{"weightDevice":[{"major":8,"minor":0,"leafWeight":200}]}}`,
			err: "linux.resources.blockIO.weightDevice[0].leafWeight: open blkio.leaf_weight_device: the kernel does not have",
		},
		{
			name: "weight without a scheduler", resources: `{"blockIO":{"weight":100}}`, drop: []string{"blkio.bfq.weight"},
			err: "linux.resources.blockIO.weight: open blkio.bfq.weight: the kernel does not have",
		},
		{
			name:      "network",
			resources: `{"network":{"classID":1048577,"priorities":[{"name":"lo","priority":3}]}}`,
			want:      map[string]string{"net_cls.classid": "1048577", "net_prio.ifpriomap": "lo 3"},
		},
		{
			name: "network without the controller", resources: `{"network":{"priorities":[{"name":"lo","priority":3}]}}`, drop: []string{"net_prio"},
			err: "linux.resources.network.priorities[0]: the net_prio controller is not mounted as a cgroup v1 hierarchy",
		},
		{name: "rdma", resources: `{"rdma":{"mlx4_0":{"hcaObjects":4}}}`, want: map[string]string{"rdma.max": "mlx4_0 hca_object=4"}},
		{name: "unified", resources: `{"unified":{"memory.max":"1"}}`, err: "linux.resources.unified: needs cgroup v2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, root := fake(t, c.drop...)
			var r specs.LinuxResources
			if err := json.Unmarshal([]byte(c.resources), &r); err != nil {
				t.Fatal(err)
			}
			err := m.Set(&r)
			if (err == nil) != (c.err == "") || (err != nil && !strings.HasPrefix(err.Error(), c.err)) {
				t.Errorf("got error %v\nwant      %s", err, c.err)
			}
			if got := written(t, root); !maps.Equal(got, c.want) {
				t.Errorf("got %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestMounted(t *testing.T) {
	memberships := cgroupfs.ParseMemberships("4:net_cls:/x\n3:name=systemd:/docker/id/sub\n2:cpu,cpuacct:/docker/id\n1:pids:/other\n0::/docker/id\n")
	mounts := []cgroupfs.Mount{
		{Point: "/elsewhere", Root: "/", Options: "rw,cpuacct,cpu"},
		{Point: "/sys/fs/cgroup/cpuacct,cpu", Root: "/docker/id", Options: "rw,cpuacct,cpu"},
		{Point: "/sys/fs/cgroup/systemd", Root: "/docker/id", Options: "rw,xattr,name=systemd"},
		{Point: "/cg/pids", Root: "/docker/id", Options: "rw,pids"},
		{Point: "/sys/fs/cgroup/other", Root: "/", V2: true},
		{Point: "/sys/fs/cgroup/unified", Root: "/", V2: true},
	}
	for _, c := range []struct {
		absolute, hybrid bool
		want             string
	}{
		{false, false, "/sys/fs/cgroup/systemd/sub /sys/fs/cgroup/cpuacct,cpu /cg/pids"},
		{true, false, "/sys/fs/cgroup/systemd /sys/fs/cgroup/cpuacct,cpu /cg/pids"},
		{false, true, "/sys/fs/cgroup/systemd/sub /sys/fs/cgroup/cpuacct,cpu /cg/pids /sys/fs/cgroup/unified/docker/id"},
	} {
		var got []string
		for _, h := range mounted(memberships, mounts, c.absolute, c.hybrid) {
			got = append(got, string(h.base))
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("absolute %v, hybrid %v:\ngot  %s\nwant %s", c.absolute, c.hybrid, s, c.want)
		}
	}
}

func TestJoin(t *testing.T) {
	for path, want := range map[string]string{"/": "/b", "/a": "/b/a", "/..": "/b", "/../../a": "/b/a", "/..a": "/b/..a", "": "/b"} {
		if got := join("/b", path); string(got) != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func TestLoad(t *testing.T) {
	paths := map[string]string{
		"cpu": "/sys/fs/cgroup/cpu,cpuacct/x", "cpuacct": "/sys/fs/cgroup/cpu,cpuacct/x",
		"name=systemd": "/sys/fs/cgroup/systemd/x", "pids": "/sys/fs/cgroup/pids/x", "": "/sys/fs/cgroup/unified/x",
	}
	m := Load(paths, &configs.Cgroup{})
	if got := m.Paths(); !maps.Equal(got, paths) {
		t.Errorf("got %q", got)
	}
	want := map[string]cgroupfs.Hierarchy{
		"cpu,cpuacct": {Options: "cpu,cpuacct", Links: []string{"cpu", "cpuacct"}},
		"systemd":     {Options: "none,name=systemd"},
		"pids":        {Options: "pids"},
		"unified":     {V2: true},
	}
	for _, h := range m.Hierarchies() {
		w, ok := want[h.Name]
		if !ok || h.Options != w.Options || h.V2 != w.V2 || strings.Join(h.Links, " ") != strings.Join(w.Links, " ") || h.Path != cgroupfs.Root+"/"+h.Name+"/x" {
			t.Errorf("got %+v", h)
		}
		delete(want, h.Name)
	}
	if len(want) != 0 {
		t.Errorf("missing %v", want)
	}
}

// TestUpdateOOMKiller: the default of a new cgroup may have been changed in an existing one.
func TestUpdateOOMKiller(t *testing.T) {
	m, root := fake(t)
	file := filepath.Join(root, "memory", "memory.oom_control")
	if err := os.WriteFile(file, []byte("oom_kill_disable 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	off := false
	undo, err := m.Update(&specs.LinuxResources{Memory: &specs.LinuxMemory{DisableOOMKiller: &off}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"0", "1"} {
		if got, err := os.ReadFile(file); err != nil || string(got[:1]) != want {
			t.Errorf("%q, %v, want %s", got, err, want)
		}
		if err := undo(); err != nil {
			t.Error(err)
		}
	}
}

func TestBelow(t *testing.T) {
	for _, test := range []struct{ path, root, want string }{
		{"/a", "/", "/a"},
		{"/docker/x/a", "/docker/x", "/a"},
		{"/docker/x", "/docker/x", ""},
		{"/docker/xy", "/docker/x", ""},
		{"/other", "/docker/x", ""},
	} {
		if got := below(test.path, test.root); got != test.want {
			t.Errorf("%s below %s: %q, want %q", test.path, test.root, got, test.want)
		}
	}
}

func TestNoCgroup(t *testing.T) {
	m := Load(nil, &configs.Cgroup{Rootless: true})
	if err := m.Create(); err != nil {
		t.Error(err)
	}
	m = Load(nil, &configs.Cgroup{})
	if err := m.Create(); err == nil || !strings.HasPrefix(err.Error(), "linux.cgroupsPath: no cgroup hierarchy is mounted") {
		t.Errorf("got %v", err)
	}
	if err := m.Kill(); !errors.Is(err, cgroupfs.ErrNoCgroup) {
		t.Errorf("got %v", err)
	}
	if err := m.Destroy(); err != nil {
		t.Error(err)
	}
}

// TestNone has limits of none, which hold without a hierarchy.
func TestNone(t *testing.T) {
	none, period := int64(-1), uint64(100000)
	m := Load(nil, &configs.Cgroup{Rootless: true})
	for field, r := range map[string]*specs.LinuxResources{
		"pids":   {Pids: &specs.LinuxPids{Limit: &none}},
		"memory": {Memory: &specs.LinuxMemory{Limit: &none, Swap: &none, Reservation: &none, KernelTCP: &none}},
		"quota":  {CPU: &specs.LinuxCPU{Quota: &none, Period: &period}},
	} {
		if err := m.Set(r); err != nil {
			t.Errorf("%s: %v", field, err)
		}
	}
	if err := m.Set(&specs.LinuxResources{CPU: &specs.LinuxCPU{Period: &period}}); err == nil {
		t.Error("a period is set")
	}
}
