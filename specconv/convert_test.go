// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/sample"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// recorder has Options for a bundle with a rootfs, and records the warnings.
type recorder struct {
	Options
	warnings []string
}

func newBundle(t testing.TB) *recorder {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := &recorder{Options: Options{Bundle: dir}}
	r.Warn = func(format string, args ...any) { r.warnings = append(r.warnings, fmt.Sprintf(format, args...)) }
	return r
}

// example returns the template with all optional parts present.
func example() *specs.Spec {
	s := sample.Example()
	s.Hooks = new(specs.Hooks)
	return s
}

func ptr[T any](v T) *T { return &v }

// dropNamespace makes the container share a namespace with the host.
func dropNamespace(s *specs.Spec, t specs.LinuxNamespaceType) {
	s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(ns specs.LinuxNamespace) bool { return ns.Type == t })
}

func addNamespace(s *specs.Spec, t specs.LinuxNamespaceType, path string) {
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: t, Path: path})
}

// addUserNamespace adds a user namespace with the ids from 0 to 9.
func addUserNamespace(s *specs.Spec) {
	addNamespace(s, specs.UserNamespace, "")
	s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 10}}
	s.Linux.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 10}}
}

func addMount(s *specs.Spec, kind string, options ...string) {
	s.Mounts = []specs.Mount{{Destination: "/mnt", Type: kind, Source: "/src", Options: options}}
}

// TestErrors changes one thing in a valid document and expects one error.
func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		want   string
		change func(*specs.Spec)
	}{
		{`ociVersion: unsupported version "2.0.0", must be 1.x`, func(s *specs.Spec) { s.Version = "2.0.0" }},
		{`ociVersion: unsupported version "foo", must be 1.x`, func(s *specs.Spec) { s.Version = "foo" }},

		{`linux.namespaces[5].type: namespace {"foo" ""} does not exist: unknown namespace type`, func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces[:5:5], specs.LinuxNamespace{Type: "foo"})
		}},
		{`linux.namespaces[1].type: malformed spec file: duplicated ns {"pid" ""}: duplicate namespace type`, func(s *specs.Spec) { s.Linux.Namespaces[1].Type = "pid" }},
		{`linux.namespaces[1].path: must be an absolute path: "run/ns"`, func(s *specs.Spec) { s.Linux.Namespaces[1].Path = "run/ns" }},
		{`linux.namespaces[1].path: must not contain a NUL byte: "/a\x00"`, func(s *specs.Spec) { s.Linux.Namespaces[1].Path = "/a\x00" }},
		{`linux.uidMappings: id mappings need a user namespace`, func(s *specs.Spec) { s.Linux.UIDMappings = []specs.LinuxIDMapping{{Size: 1}} }},
		{`linux.gidMappings: id mappings need a user namespace`, func(s *specs.Spec) { s.Linux.GIDMappings = []specs.LinuxIDMapping{{Size: 1}} }},
		{"linux.uidMappings: user namespaces enabled, but no uid mappings found", func(s *specs.Spec) { addUserNamespace(s); s.Linux.UIDMappings = nil }},
		{"linux.gidMappings: user namespaces enabled, but no gid mappings found", func(s *specs.Spec) { addUserNamespace(s); s.Linux.GIDMappings = nil }},
		{`linux.uidMappings[0].size: must be at least 1`, func(s *specs.Spec) { addUserNamespace(s); s.Linux.UIDMappings[0].Size = 0 }},
		{`linux.gidMappings[0]: reaches beyond the last id: 0:4294967295:10`, func(s *specs.Spec) { addUserNamespace(s); s.Linux.GIDMappings[0].HostID = math.MaxUint32 }},
		{`linux.uidMappings[1]: overlaps uidMappings[0]`, func(s *specs.Spec) {
			addUserNamespace(s)
			s.Linux.UIDMappings = append(s.Linux.UIDMappings, specs.LinuxIDMapping{ContainerID: 9, HostID: 5000, Size: 1})
		}},
		{`linux.uidMappings: 341 rows that cannot be merged, more than the 340 that the kernel takes`, func(s *specs.Spec) {
			addUserNamespace(s)
			s.Linux.UIDMappings = manyRows(341, 2, 0)
		}},
		{`linux.gidMappings: 330 rows that cannot be merged are 4235 bytes of text, more than the 4095 that the kernel takes`, func(s *specs.Spec) {
			addUserNamespace(s)
			s.Linux.GIDMappings = manyRows(330, 2, 100000)
		}},
		{`linux.gidMappings: 5:100006:1: overlaps gidMappings: 0:100000:10`, func(s *specs.Spec) {
			addUserNamespace(s)
			s.Linux.GIDMappings = append(manyRows(400, 1, 100000)[10:], specs.LinuxIDMapping{Size: 10, HostID: 100000}, specs.LinuxIDMapping{ContainerID: 5, HostID: 100006, Size: 1})
		}},
		{"process.user.uid: cannot setuid to unmapped uid 10 in user namespace", func(s *specs.Spec) { addUserNamespace(s); s.Process.User.UID = 10 }},
		{"process.user.gid: cannot setgid to unmapped gid 10 in user namespace", func(s *specs.Spec) { addUserNamespace(s); s.Process.User.GID = 10 }},
		{"process.user.additionalGids[1]: cannot setgid to unmapped gid 77 in user namespace", func(s *specs.Spec) { addUserNamespace(s); s.Process.User.AdditionalGids = []uint32{1, 77} }},
		{"linux.timeOffsets: time namespace offsets specified, but time namespace isn't enabled in the config", func(s *specs.Spec) { s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"monotonic": {}} }},
		{`linux.timeOffsets: time namespace enabled, but both namespace path and time offsets specified -- you may only provide one: "/run/t"`, func(s *specs.Spec) {
			addNamespace(s, specs.TimeNamespace, "/run/t")
			s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"monotonic": {}}
		}},
		{`linux.timeOffsets: unknown clock "realtime", must be monotonic or boottime`, func(s *specs.Spec) {
			addNamespace(s, specs.TimeNamespace, "")
			s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"realtime": {}}
		}},
		{`linux.timeOffsets.boottime.nanosecs: must be below one second: 1000000000`, func(s *specs.Spec) {
			addNamespace(s, specs.TimeNamespace, "")
			s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Nanosecs: 1e9}}
		}},

		{`hostname: unable to set hostname without a private UTS namespace`, func(s *specs.Spec) { dropNamespace(s, "uts") }},
		{`domainname: unable to set domainname without a private UTS namespace`, func(s *specs.Spec) { dropNamespace(s, "uts"); s.Hostname, s.Domainname = "", "d" }},
		{`hostname: 65 bytes, more than the 64 that the kernel takes`, func(s *specs.Spec) { s.Hostname = strings.Repeat("h", 65) }},
		{`linux.maskedPaths: unable to restrict sys entries without a private MNT namespace`, func(s *specs.Spec) { dropNamespace(s, "mount") }},
		{`linux.readonlyPaths: unable to restrict sys entries without a private MNT namespace`, func(s *specs.Spec) { dropNamespace(s, "mount"); s.Linux.MaskedPaths = nil }},
		{`linux.readonlyPaths[1]: must not be empty`, func(s *specs.Spec) { s.Linux.ReadonlyPaths = []string{"/a", ""} }},
		{`linux.maskedPaths[0]: must not contain a NUL byte: "/\x00"`, func(s *specs.Spec) { s.Linux.MaskedPaths = []string{"/\x00"} }},
		{`linux.mountLabel: must not contain a NUL byte: "\x00"`, func(s *specs.Spec) { s.Linux.MountLabel = "\x00" }},
		{`linux.rootfsPropagation: rootfsPropagation=fooo is not supported (unknown propagation "fooo")`, func(s *specs.Spec) { s.Linux.RootfsPropagation = "fooo" }},
		{`linux.rootfsPropagation: unable to change the propagation without a private mount namespace`, func(s *specs.Spec) {
			dropNamespace(s, "mount")
			s.Linux.RootfsPropagation = "private"
		}},

		{`hooks.prestart[0].path: must be an absolute path: "x"`, func(s *specs.Spec) { s.Hooks.Prestart = []specs.Hook{{Path: "x"}} }},
		{`hooks.poststop[1].timeout: must be greater than zero: 0`, func(s *specs.Spec) { s.Hooks.Poststop = []specs.Hook{{Path: "/a"}, {Path: "/b", Timeout: ptr(0)}} }},
		{`hooks.createRuntime[0].args[1]: must not contain a NUL byte: "\x00"`, func(s *specs.Spec) { s.Hooks.CreateRuntime = []specs.Hook{{Path: "/a", Args: []string{"a", "\x00"}}} }},

		{`linux.devices[0].path: must be an absolute path: "dev/x"`, func(s *specs.Spec) { s.Linux.Devices = []specs.LinuxDevice{{Path: "dev/x", Type: "c"}} }},
		{`linux.devices[0].type: invalid device type "x", must be b, c, u or p`, func(s *specs.Spec) { s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/x", Type: "x"}} }},
		{`linux.devices[0].major: must be between 0 and 4095: -1`, func(s *specs.Spec) { s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/x", Type: "c", Major: -1}} }},
		{`linux.devices[0].minor: must be between 0 and 1048575: 1048576`, func(s *specs.Spec) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/x", Type: "b", Minor: 1 << 20}}
		}},
		{`linux.devices[1].path: /dev/x is another device in devices[0]`, func(s *specs.Spec) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/x", Type: "c"}, {Path: "/dev/./x", Type: "c", Minor: 1}}
		}},
		{`linux.resources.devices[0].type: invalid cgroup device type "x", must be a, b or c`, func(s *specs.Spec) { s.Linux.Resources.Devices[0].Type = "x" }},
		{`linux.resources.devices[0].access: must not be empty (device access at 0 field cannot be empty)`, func(s *specs.Spec) { s.Linux.Resources.Devices[0].Access = "" }},
		{`linux.resources.devices[0].access: unknown access 'x' in "rx", must be of r, w and m`, func(s *specs.Spec) { s.Linux.Resources.Devices[0].Access = "rx" }},
		{`linux.resources.devices[0].major: must be between 0 and 4095, or -1 for all: -2`, func(s *specs.Spec) { s.Linux.Resources.Devices[0].Major = ptr(int64(-2)) }},
		{`linux.resources.unified: unified resource "a/b" must be a file name (no slashes)`, func(s *specs.Spec) { s.Linux.Resources.Unified = map[string]string{"a/b": ""} }},
		{`linux.resources.hugepageLimits[0].pageSize: not a page size: "2MB/x"`, func(s *specs.Spec) {
			s.Linux.Resources.HugepageLimits = []specs.LinuxHugepageLimit{{Pagesize: "2MB/x"}}
		}},
		{`linux.cgroupsPath: must not contain a NUL byte: "/\x00"`, func(s *specs.Spec) { s.Linux.CgroupsPath = "/\x00" }},

		{`linux.netDevices: unable to move network devices without a private NET namespace`, func(s *specs.Spec) {
			dropNamespace(s, "network")
			s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"eth0": {}}
		}},
		{`linux.netDevices: not the name of a network interface: "a/b"`, func(s *specs.Spec) { s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"a/b": {}} }},
		{`linux.netDevices["eth0"].name: not the name of a network interface: "sixteen-letters!"`, func(s *specs.Spec) {
			s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"eth0": {Name: "sixteen-letters!"}}
		}},
		{`linux.netDevices["eth0"].name: not the name of a network interface: "a%db%d"`, func(s *specs.Spec) { s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"eth0": {Name: "a%db%d"}} }},
		{`linux.netDevices["eth1"].name: "x" is also the name of eth0`, func(s *specs.Spec) {
			s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"eth0": {Name: "x"}, "eth1": {Name: "x"}}
		}},
		{"linux.personality.domain: invalid personality domain BSD, must be LINUX or LINUX32", func(s *specs.Spec) { s.Linux.Personality = &specs.LinuxPersonality{Domain: "BSD"} }},
		{`linux.memoryPolicy.mode: invalid memory policy: unknown mode "MPOL_X"`, func(s *specs.Spec) { s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: "MPOL_X"} }},
		{"linux.memoryPolicy.nodes: invalid memory policy: MPOL_BIND needs nodes", func(s *specs.Spec) { s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: "MPOL_BIND"} }},
		{`linux.memoryPolicy.nodes: invalid memory policy: MPOL_LOCAL takes no nodes: "0"`, func(s *specs.Spec) { s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: "MPOL_LOCAL", Nodes: "0"} }},
		{`linux.memoryPolicy.nodes: invalid memory policy: "3-1" is not a number or range, want a list like 0-3,7`, func(s *specs.Spec) {
			s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: "MPOL_BIND", Nodes: "3-1"}
		}},
		{"linux.memoryPolicy.flags[0]: invalid memory policy: X: unknown flag", func(s *specs.Spec) {
			s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: "MPOL_BIND", Nodes: "0", Flags: []specs.MemoryPolicyFlagType{"X"}}
		}},
		{"linux.memoryPolicy.flags: invalid memory policy: MPOL_F_NUMA_BALANCING is only for MPOL_BIND, not MPOL_INTERLEAVE", func(s *specs.Spec) {
			s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: "MPOL_INTERLEAVE", Nodes: "0", Flags: []specs.MemoryPolicyFlagType{specs.MpolFNumaBalancing}}
		}},
		{"linux.memoryPolicy.flags: invalid memory policy: MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES exclude each other", func(s *specs.Spec) {
			s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: "MPOL_BIND", Nodes: "0", Flags: []specs.MemoryPolicyFlagType{specs.MpolFRelativeNodes, specs.MpolFStaticNodes}}
		}},
		{`linux.intelRdt.closID: invalid intelRdt.ClosID "..": not the name of a group`, func(s *specs.Spec) { s.Linux.IntelRdt = &specs.LinuxIntelRdt{ClosID: ".."} }},
		{`linux.intelRdt.closID: invalid intelRdt.ClosID "a/b": not the name of a group`, func(s *specs.Spec) { s.Linux.IntelRdt = &specs.LinuxIntelRdt{ClosID: "a/b"} }},
	} {
		s := example()
		tt.change(s)
		wantError(t, s, &newBundle(t).Options, tt.want)
	}
}

func wantError(t *testing.T, s *specs.Spec, o *Options, want string) {
	t.Helper()
	if _, err := convert(s, o, 0); err == nil || err.Error() != want {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
}

func TestUnprivileged(t *testing.T) {
	for _, tt := range []struct {
		want   string
		change func(*specs.Spec)
	}{
		{`linux.namespaces: rootless container requires user namespaces (use sudo, or a config.json as "spec --rootless" writes it)`, func(s *specs.Spec) { dropNamespace(s, "user"); s.Linux.UIDMappings, s.Linux.GIDMappings = nil, nil }},
		{`mounts[0].options: option "gid=5" names an id that the container's user namespace does not map`, func(s *specs.Spec) { addMount(s, "tmpfs", "uid=0", "gid=5") }},
		{`mounts[0].options: option "uid=x" has no id`, func(s *specs.Spec) { addMount(s, "tmpfs", "uid=x") }},
		{`linux.netDevices: network devices are not supported for rootless containers`, func(s *specs.Spec) {
			addNamespace(s, "network", "")
			s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"eth0": {}}
		}},
		{`mounts[0].uidMappings: id-mapped mounts are not supported for rootless containers`, func(s *specs.Spec) { addMount(s, "bind", "bind", "idmap") }},
	} {
		r := newBundle(t)
		r.Rootless = true
		s := example()
		sample.ToRootless(s, 1000, 1000)
		if _, err := convert(s, &r.Options, 1000); err != nil {
			t.Fatalf("before the change: %v", err)
		}
		tt.change(s)
		if _, err := convert(s, &r.Options, 1000); err == nil || err.Error() != tt.want {
			t.Errorf("\n got %v\nwant %s", err, tt.want)
		}
	}
	// Root of a user namespace, as with rootless Podman, needs no other user namespace.
	r := newBundle(t)
	r.Rootless = true
	plan, err := convert(example(), &r.Options, 0)
	if err != nil || !plan.Cgroup.Rootless {
		t.Errorf("rootless root: %v, %v", plan, err)
	}
}

func TestPlan(t *testing.T) {
	r := newBundle(t)
	r.NoPivotRoot, r.NoNewKeyring = true, true
	s := example()
	s.Annotations = map[string]string{"a": "b"}
	s.Domainname = "example.org"
	s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow}
	s.Linux.RootfsPropagation = "rslave"
	s.Linux.MaskedPaths = []string{"/proc//kcore/", "proc/keys"}
	s.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux32, Flags: []specs.LinuxPersonalityFlag{"X"}}
	s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "0,2-3", Flags: []specs.MemoryPolicyFlagType{specs.MpolFStaticNodes}}
	s.Linux.IntelRdt = &specs.LinuxIntelRdt{ClosID: "/", Schemata: []string{"L2:0=f"}, MemBwSchema: "MB:0=20", L3CacheSchema: "L3:0=ff", EnableMonitoring: true}
	s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"eth1": {Name: "net%d"}, "eth0": {}}
	s.Hooks.Poststart = []specs.Hook{{Path: "/bin/true", Timeout: ptr(3)}}
	addNamespace(s, specs.TimeNamespace, "")
	s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: 5}}
	plan, err := Convert(s, &r.Options)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name      string
		got, want any
	}{
		{"version", plan.SpecVersion, specs.Version},
		{"bundle", plan.Bundle, r.Bundle},
		{"rootfs", plan.Rootfs, configs.Rootfs{Path: filepath.Join(r.Bundle, "rootfs"), Readonly: true, Propagation: unix.MS_SLAVE | unix.MS_REC}},
		{"names", []string{plan.Hostname, plan.Domainname}, []string{"berth", "example.org"}},
		{"annotations", plan.Annotations, s.Annotations},
		{"seccomp", plan.Seccomp, s.Linux.Seccomp},
		{"flags", []bool{plan.NoPivotRoot, plan.NoNewKeyring, plan.PopulateDev}, []bool{true, true, true}},
		{"new namespaces", plan.Namespaces.NewFlags() &^ configs.NewCgroup, configs.NewPID | configs.NewNet | configs.NewIPC | configs.NewUTS | configs.NewMount | configs.NewTime},
		{"maskedPaths", plan.MaskedPaths, []string{"/proc/kcore", "/proc/keys"}},
		{"personality", *plan.Personality, configs.Personality{Domain: 8}},
		{"memoryPolicy", *plan.MemoryPolicy, configs.MemoryPolicy{Mode: unix.MPOL_BIND, Flags: unix.MPOL_F_STATIC_NODES, Nodes: configs.BitSet{0b1101}}},
		{"intelRdt", *plan.IntelRdt, configs.IntelRdt{ClosID: "/", Schemata: []string{"L3:0=ff", "MB:0=20", "L2:0=f"}, Monitoring: true}},
		{"netDevices", plan.NetDevices, []configs.NetDevice{{HostName: "eth0", Name: "eth0"}, {HostName: "eth1", Name: "net%d"}}},
		{"hooks", plan.Hooks, *s.Hooks},
		{"timeOffsets", plan.TimeOffsets, s.Linux.TimeOffsets},
		{"warnings", r.warnings, []string{`linux.personality.flags: ignoring unsupported personality flags: ["X"]`}},
	} {
		if !reflect.DeepEqual(tt.got, tt.want) {
			t.Errorf("%s: got %+v, want %+v", tt.name, tt.got, tt.want)
		}
	}
}

func TestNoLinux(t *testing.T) {
	r := newBundle(t)
	s := &specs.Spec{Root: &specs.Root{Path: "rootfs"}, Process: &specs.Process{Cwd: "/", Args: []string{"x"}}}
	plan, err := Convert(s, &r.Options)
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Namespaces) != 0 || plan.Cgroup.Resources == nil || len(plan.Devices) != len(defaultDevices) {
		t.Errorf("plan without linux: %+v", plan)
	}
}

func TestJoinedUserNamespace(t *testing.T) {
	s := example()
	addUserNamespace(s)
	s.Linux.Namespaces[len(s.Linux.Namespaces)-1].Path = "/run/userns"
	s.Process.User.UID = 4000 // the joined namespace decides whether it is mapped
	plan, err := Convert(s, &newBundle(t).Options)
	if err != nil {
		t.Fatal(err)
	}
	if want := []configs.IDMap{{ContainerID: 0, HostID: 1000, Size: 10}}; !reflect.DeepEqual(plan.UIDMappings, want) {
		t.Errorf("maps of a joined user namespace: %v", plan.UIDMappings)
	}
}
