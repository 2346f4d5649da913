// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestSysctlErrors(t *testing.T) {
	for _, tt := range []struct{ drop, key, want string }{
		{"", "kernel.pid_max", `linux.sysctl: sysctl "kernel.pid_max" is not in a separate kernel namespace`},
		{"", "vm/swappiness", `linux.sysctl: sysctl "vm/swappiness" is not in a separate kernel namespace`},
		{"", "kernel.shm", `linux.sysctl: sysctl "kernel.shm" is not in a separate kernel namespace`},
		{"", "fs.mqueue", `linux.sysctl: sysctl "fs.mqueue" is not in a separate kernel namespace`},
		{"ipc", "kernel.msgmax", `linux.sysctl: sysctl "kernel.msgmax" is not allowed in the hosts ipc namespace`},
		{"ipc", "fs/mqueue/msg_max", `linux.sysctl: sysctl "fs/mqueue/msg_max" is not allowed in the hosts ipc namespace`},
		{"network", "net.core.somaxconn", `linux.sysctl: sysctl "net.core.somaxconn" not allowed in host network namespace`},
		{"", "user.max_user_namespaces", `linux.sysctl: sysctl "user.max_user_namespaces" is not in a separate kernel namespace: that of users is the host's`},
		{"", "kernel.hostname", `linux.sysctl: sysctl "kernel.hostname" is not allowed as it conflicts with the OCI "hostname" field`},
		{"uts", "kernel.domainname", `linux.sysctl: sysctl "kernel.domainname" is not in a separate kernel namespace: that of UTS is the host's`},
		{"", "net/../kernel/core_pattern", `linux.sysctl: sysctl "net/../kernel/core_pattern" is not the name of a parameter`},
		{"", "net.//.kernel.core_pattern", `linux.sysctl: sysctl "net.//.kernel.core_pattern" is not the name of a parameter`},
		{"", "net..x", `linux.sysctl: sysctl "net..x" is not the name of a parameter`},
		{"", "/net/x", `linux.sysctl: sysctl "/net/x" is not the name of a parameter`},
		{"", "", `linux.sysctl: sysctl "" is not the name of a parameter`},
		{"", "net.a\x00", `linux.sysctl: sysctl "net.a\x00" has a NUL byte in it`},
	} {
		s := example()
		s.Hostname = ""
		dropNamespace(s, specs.LinuxNamespaceType(tt.drop))
		s.Linux.Sysctl = map[string]string{tt.key: "1"}
		wantError(t, s, &newBundle(t).Options, tt.want)
	}
	s := example()
	s.Domainname = "d"
	s.Linux.Sysctl = map[string]string{"kernel.domainname": "x"}
	wantError(t, s, &newBundle(t).Options, `linux.sysctl: sysctl "kernel.domainname" is not allowed as it conflicts with the OCI "domainname" field`)
	s.Linux.Sysctl = map[string]string{"net.a": "1", "net/a": "2"}
	wantError(t, s, &newBundle(t).Options, `linux.sysctl: "net.a" and "net/a" are the same parameter and have different values`)
}

// TestSysctlHostNetwork: the network namespace that is joined is the runtime's own.
func TestSysctlHostNetwork(t *testing.T) {
	s := example()
	dropNamespace(s, "network")
	addNamespace(s, "network", "/proc/self/ns/net")
	s.Linux.Sysctl = map[string]string{"net.a": "1"}
	wantError(t, s, &newBundle(t).Options, `linux.sysctl: sysctl "net.a" not allowed in host network namespace`)
	s.Linux.Namespaces[len(s.Linux.Namespaces)-1].Path = "/does/not/exist"
	wantError(t, s, &newBundle(t).Options, `linux.sysctl: stat /does/not/exist: no such file or directory`)
	s.Linux.Namespaces[len(s.Linux.Namespaces)-1].Path = "/proc/self/ns/uts" // not the host's network, at any rate
	if _, err := Convert(s, &newBundle(t).Options); err != nil {
		t.Error(err)
	}
}

func TestSysctls(t *testing.T) {
	s := example()
	s.Linux.Sysctl = map[string]string{
		"net.ipv4.conf.eth0/1.rp_filter": "1", "net/ipv4/conf/eth0.2/rp_filter": "2", "net/ipv4/x.y": "3", "net.a": "4", "net/a": "4",
		"kernel.shmmax": "5", "fs.mqueue.msg_max": "6", "kernel/domainname": "7",
	}
	plan, err := Convert(s, &newBundle(t).Options)
	if err != nil {
		t.Fatal(err)
	}
	want := []configs.Sysctl{
		{Key: "fs/mqueue/msg_max", Value: "6"},
		{Key: "kernel/shmmax", Value: "5"},
		{Key: "kernel/domainname", Value: "7"},
		{Key: "net/a", Value: "4"},
		{Key: "net/ipv4/conf/eth0.1/rp_filter", Value: "1"},
		{Key: "net/ipv4/conf/eth0.2/rp_filter", Value: "2"},
		{Key: "net/ipv4/x.y", Value: "3"},
	}
	if !reflect.DeepEqual(plan.Sysctls, want) {
		t.Errorf("\n got %v\nwant %v", plan.Sysctls, want)
	}
}

func TestDevices(t *testing.T) {
	s := example()
	mode := os.FileMode(0o20640)
	s.Linux.Devices = []specs.LinuxDevice{
		{Path: "/dev/fuse", Type: "u", Major: 10, Minor: 229},
		{Path: "/dev/zero", Type: "c", Major: 1, Minor: 5, FileMode: &mode, UID: ptr(uint32(1)), GID: ptr(uint32(2))},
		{Path: "/dev/pipe", Type: "p", Major: -9},
		{Path: "/dev/disk//x", Type: "b", Major: 8, Minor: 1},
		{Path: "/dev/fuse", Type: "c", Major: 10, Minor: 229},
	}
	plan, err := Convert(s, &newBundle(t).Options)
	if err != nil {
		t.Fatal(err)
	}
	want := []configs.Device{
		{Path: "/dev/fuse", Type: 'c', Major: 10, Minor: 229, FileMode: 0o666},
		{Path: "/dev/zero", Type: 'c', Major: 1, Minor: 5, FileMode: 0o640, UID: 1, GID: 2},
		{Path: "/dev/pipe", Type: 'p', FileMode: 0o666},
		{Path: "/dev/disk/x", Type: 'b', Major: 8, Minor: 1, FileMode: 0o666},
		{Path: "/dev/null", Type: 'c', Major: 1, Minor: 3, FileMode: 0o666, Default: true},
		{Path: "/dev/full", Type: 'c', Major: 1, Minor: 7, FileMode: 0o666, Default: true},
		{Path: "/dev/random", Type: 'c', Major: 1, Minor: 8, FileMode: 0o666, Default: true},
		{Path: "/dev/urandom", Type: 'c', Major: 1, Minor: 9, FileMode: 0o666, Default: true},
		{Path: "/dev/tty", Type: 'c', Major: 5, FileMode: 0o666, Default: true},
	}
	if !reflect.DeepEqual(plan.Devices, want) {
		t.Errorf("\n got %+v\nwant %+v", plan.Devices, want)
	}
}

func TestDeviceRules(t *testing.T) {
	s := example()
	s.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{
		{Access: "rwm"},
		{Allow: true, Type: "c", Major: ptr(int64(10)), Minor: ptr(int64(229)), Access: "rw"},
		{Allow: true, Type: "b", Major: ptr(int64(-1)), Access: "m"},
	}
	plan, err := Convert(s, &newBundle(t).Options)
	if err != nil {
		t.Fatal(err)
	}
	const all = configs.DeviceWildcard
	want := append([]configs.DeviceRule{
		{Type: 'a', Major: all, Minor: all, Read: true, Write: true, Mknod: true},
		{Allow: true, Type: 'c', Major: 10, Minor: 229, Read: true, Write: true},
		{Allow: true, Type: 'b', Major: all, Minor: all, Mknod: true},
	}, defaultDeviceRules[:]...)
	if !reflect.DeepEqual(plan.Cgroup.DeviceRules, want) {
		t.Errorf("\n got %+v\nwant %+v", plan.Cgroup.DeviceRules, want)
	}
	if plan.Cgroup.Resources.Devices != nil || s.Linux.Resources.Devices == nil {
		t.Error("resources of the plan still have devices, or those of the spec lost them")
	}
}

func TestCgroupPath(t *testing.T) {
	for _, tt := range []struct {
		systemd        bool
		path, want, or string
	}{
		{path: "", want: ""},
		{path: "/a/b/", want: "/a/b"},
		{path: "a//b", want: "a/b"},
		{path: "/../../a", want: "/a"},
		{path: "../../a", want: "a"},
		{path: "system.slice:docker:x", want: "system.slice:docker:x"},
		{systemd: true, path: "", want: ""},
		{systemd: true, path: "system.slice:docker:x", want: "system.slice:docker:x"},
		{systemd: true, path: "/a", or: `cgroupsPath: expected slice:prefix:name for the systemd driver, got "/a"`},
	} {
		got, err := cgroupPath(tt.path, tt.systemd)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if got != tt.want || text != tt.or {
			t.Errorf("%+v: %q, %v", tt, got, err)
		}
	}
}

func TestRootPath(t *testing.T) {
	r := newBundle(t)
	file := filepath.Join(r.Bundle, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "bundle")
	for from, to := range map[string]string{"link": "rootfs", "loop": "loop", "inside": r.Bundle + "/rootfs", "out": "/proc", "up": ".."} {
		if err := os.Symlink(to, filepath.Join(r.Bundle, from)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(r.Bundle, other); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ bundle, path, want, wantErr string }{
		{r.Bundle, "rootfs", r.Bundle + "/rootfs", ""},
		{r.Bundle, "./rootfs/../rootfs/", r.Bundle + "/rootfs", ""},
		{r.Bundle, r.Bundle + "/rootfs", r.Bundle + "/rootfs", ""},
		{other, "rootfs", r.Bundle + "/rootfs", ""},
		{r.Bundle, "", "", "root.path: invalid rootfs: must not be empty"},
		{r.Bundle, "a\x00", "", `root.path: invalid rootfs: must not contain a NUL byte: "a\x00"`},
		{r.Bundle, "nope", "", "root.path: invalid rootfs: openat2 " + r.Bundle + "/nope: no such file or directory"},
		{r.Bundle, "file", "", "root.path: invalid rootfs: openat2 " + file + ": not a directory"},
		{r.Bundle, "link", r.Bundle + "/rootfs", ""},
		{r.Bundle, "inside", r.Bundle + "/rootfs", ""},
		{other, "inside", r.Bundle + "/rootfs", ""},
		{r.Bundle, other + "/rootfs", r.Bundle + "/rootfs", ""},
		{r.Bundle, r.Bundle + "/out", "/proc", ""},
		{r.Bundle, "loop", "", "root.path: invalid rootfs: EvalSymlinks: too many links"},
		{r.Bundle, "out", "", "root.path: invalid rootfs: a symbolic link in it must not lead out of the bundle: " + r.Bundle + "/out is /proc"},
		{other, "up", "", "root.path: invalid rootfs: a symbolic link in it must not lead out of the bundle: " + r.Bundle + "/up is " + filepath.Dir(r.Bundle)},
	} {
		s := example()
		s.Root.Path = tt.path
		plan, err := Convert(s, &Options{Bundle: tt.bundle})
		switch {
		case tt.wantErr != "":
			if err == nil || err.Error() != tt.wantErr {
				t.Errorf("%q:\n got %v\nwant %s", tt.path, err, tt.wantErr)
			}
		case err != nil:
			t.Errorf("%q: %v", tt.path, err)
		case plan.Rootfs.Path != tt.want:
			t.Errorf("%q: %q, want %q", tt.path, plan.Rootfs.Path, tt.want)
		}
	}
	s := example()
	s.Root = nil
	wantError(t, s, &r.Options, "root: root must be specified")
}

func TestKnown(t *testing.T) {
	for _, tt := range []struct {
		got  []string
		want string
	}{
		{KnownNamespaces(), "cgroup ipc mount network pid time user uts"},
		{KnownHooks(), "prestart createRuntime createContainer startContainer poststart poststop"},
		{KnownMemoryPolicyModes(), "MPOL_BIND MPOL_DEFAULT MPOL_INTERLEAVE MPOL_LOCAL MPOL_PREFERRED MPOL_PREFERRED_MANY MPOL_WEIGHTED_INTERLEAVE"},
		{KnownMemoryPolicyFlags(), "MPOL_F_NUMA_BALANCING MPOL_F_RELATIVE_NODES MPOL_F_STATIC_NODES"},
	} {
		if want := strings.Fields(tt.want); !slices.Equal(tt.got, want) {
			t.Errorf("got %q, want %q", tt.got, want)
		}
	}
}

// TestDomainnameTwice: the sysctl for the domain name may only have the same value as the
// field.
func TestDomainnameTwice(t *testing.T) {
	r := newBundle(t)
	for value, want := range map[string]string{
		"example.org": "",
		"example.com": `linux.sysctl: sysctl "kernel.domainname" is not allowed as it conflicts with the OCI "domainname" field`,
	} {
		s := example()
		s.Domainname = "example.org"
		s.Linux.Sysctl = map[string]string{"kernel.domainname": value}
		if want != "" {
			wantError(t, s, &r.Options, want)
		} else if _, err := Convert(s, &r.Options); err != nil {
			t.Errorf("%s: %v", value, err)
		}
	}
}
