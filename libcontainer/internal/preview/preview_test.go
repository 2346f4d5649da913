// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func newPlan(t *testing.T) *configs.Config {
	t.Helper()
	root := t.TempDir()
	if err := os.Mkdir(root+"/bin", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root+"/bin/dos", []byte("#!/bin/sh\r\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return &configs.Config{
		Rootfs:     configs.Rootfs{Path: root},
		Namespaces: configs.Namespaces{{Type: configs.NewMount}, {Type: configs.NewPID}, {Type: configs.NewUser}},
		Process:    configs.Process{Args: []string{"/bin/dos"}, Cwd: "/"},
		Cgroup:     configs.Cgroup{Disabled: true, Resources: new(specs.LinuxResources)},
		UIDMappings: []configs.IDMap{
			{HostID: uint32(os.Getuid()), Size: 1},
		},
	}
}

func texts(list []Finding) (all []string) {
	for _, f := range list {
		all = append(all, f.Text)
	}
	return all
}

func TestFindings(t *testing.T) {
	limit := int64(1 << 20)
	for name, test := range map[string]struct {
		change func(*configs.Config)
		want   string
	}{
		"a script of Windows": {func(*configs.Config) {}, `process.args[0]: "/bin/dos" the script wants "/bin/sh\r": Windows line endings`},
		"no program":          {func(c *configs.Config) { c.Process.Args[0] = "none" }, `process.args[0]: "none" is in no directory of PATH: "` + "/usr/local/sbin"},
		"own PATH": {func(c *configs.Config) {
			c.Process.Args, c.Process.Env = []string{"dos"}, []string{"PATH=/bin"}
		}, `process.args[0]: "dos" (/bin/dos) the script wants`},
		"no source": {func(c *configs.Config) {
			c.Mounts = []configs.Mount{{Field: "mounts[0]", Type: "bind", Source: "/none/x", Destination: "/x"}}
		}, `mounts[0].source: there is no "/none/x" on this host`},
		"noexec": {func(c *configs.Config) {
			c.Mounts = []configs.Mount{{Field: "mounts[0]", Type: "bind", Source: c.Rootfs.Path + "/bin", Destination: "/bin", Flags: unix.MS_NOEXEC}}
		}, `process.args[0]: "/bin/dos" /bin is mounted noexec`},
		"no namespace": {func(c *configs.Config) {
			c.Namespaces = append(c.Namespaces, configs.Namespace{Type: configs.NewNet, Path: "/none", Field: "linux.namespaces[3].path"})
		}, "linux.namespaces[3].path: open /none: no such file"},
		"another namespace": {func(c *configs.Config) {
			c.Namespaces = append(c.Namespaces, configs.Namespace{Type: configs.NewNet, Path: "/proc/self/ns/uts", Field: "linux.namespaces[3].path"})
		}, `linux.namespaces[3].path: "/proc/self/ns/uts" is not a network namespace`},
		"a FIFO for a namespace": {func(c *configs.Config) {
			fifo := c.Rootfs.Path + "/fifo"
			if err := unix.Mkfifo(fifo, 0o600); err != nil {
				t.Error(err)
			}
			c.Namespaces = append(c.Namespaces, configs.Namespace{Type: configs.NewNet, Path: fifo, Field: "linux.namespaces[3].path"})
		}, "linux.namespaces[3].path: "},
		"no hook": {func(c *configs.Config) {
			c.Hooks.Prestart = []specs.Hook{{Path: "/none"}}
		}, `hooks.prestart[0].path: "/none" is not on this host`},
		"a hook in the container": {func(c *configs.Config) {
			c.Hooks.StartContainer = []specs.Hook{{Path: "/none"}}
		}, `hooks.startContainer[0].path: "/none" is not in the container`},
		"seccomp": {func(c *configs.Config) {
			c.Seccomp = &specs.LinuxSeccomp{DefaultAction: "SCMP_ACT_DENY", Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: "x"}}}
		}, `linux.seccomp.syscalls[0].action: string x is not a valid action for seccomp`},
		"a limit without a cgroup": {func(c *configs.Config) {
			c.Cgroup.Resources.Memory = &specs.LinuxMemory{Limit: &limit}
		}, "linux.resources.memory.limit: "},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := newPlan(t)
			test.change(cfg)
			got := texts(Findings(cfg, "test"))
			if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, test.want) }) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// TestEmptyPlan: after errors in the document nearly everything may be missing.
func TestEmptyPlan(t *testing.T) {
	cfg := &configs.Config{Cgroup: configs.Cgroup{Resources: new(specs.LinuxResources)}}
	_ = Findings(cfg, "test")
	cfg.Rootfs.Path = filepath.Join(t.TempDir(), "none")
	cfg.Process.Args = []string{""}
	_ = Findings(cfg, "test")
}

func TestMountLine(t *testing.T) {
	m := &configs.Mount{
		Field: "mounts[1]", Type: "bind", Source: "/s", Destination: "/d", Flags: unix.MS_BIND | unix.MS_REC | unix.MS_RDONLY,
		Propagation: []uintptr{unix.MS_SLAVE | unix.MS_REC}, RecAttrSet: unix.MOUNT_ATTR_NOSUID, IDMap: "idmap",
	}
	if got, want := mountLine(m), "mounts[1]: bind /s on /d (ro,recursive,rslave,recursively nosuid,idmap)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
