// SPDX-License-Identifier: Apache-2.0

package features

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/seccomp"
	"github.com/berth-run/berth/specconv"
	"github.com/berth-run/berth/specconv/template"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// converter converts the example config after a change, in a bundle.
type converter struct {
	t      *testing.T
	bundle string
}

func newConverter(t *testing.T) *converter {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	return &converter{t, dir}
}

// convert returns the plan and the complaint: the error, or otherwise the warnings.
func (c *converter) convert(change func(*specs.Spec)) (*configs.Config, string) {
	s := template.Example()
	change(s)
	var warnings []string
	plan, err := specconv.Convert(s, &specconv.Options{
		Bundle: c.bundle,
		Warn:   func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) },
	})
	if err != nil {
		return nil, err.Error()
	}
	return plan, strings.Join(warnings, "; ")
}

// exactly checks that each listed name is accepted without a complaint and no other one is. If
// a name was accepted but not listed, nobody could find the feature. If one was listed but not
// accepted, engines would rely on it.
func exactly(t *testing.T, kind string, listed, others []string, complaint func(string) string) {
	t.Helper()
	if len(listed) == 0 {
		t.Errorf("no %s listed", kind)
	}
	for _, name := range listed {
		if c := complaint(name); c != "" {
			t.Errorf("%s %q is listed: %s", kind, name, c)
		}
	}
	for _, name := range slices.Concat(others, variants(listed)) {
		if !slices.Contains(listed, name) && complaint(name) == "" {
			t.Errorf("%s %q is accepted but not listed", kind, name)
		}
	}
}

// variants are names similar to the listed ones, which might be accepted by mistake.
func variants(listed []string) []string {
	var all []string
	for _, n := range listed {
		all = append(all, strings.ToLower(n), strings.ToUpper(n), strings.ToUpper(n[:1])+n[1:], n+"X", n[:len(n)-1], " "+n)
		if _, tail, ok := strings.Cut(n, "_"); ok {
			all = append(all, tail)
		}
	}
	return all
}

func TestNamesAreExact(t *testing.T) {
	c := newConverter(t)
	f := New("1", "")
	exactly(t, "namespace", f.Linux.Namespaces, []string{"net", "mnt", "cgroup2", ""}, func(name string) string {
		_, complaint := c.convert(func(s *specs.Spec) {
			s.Linux = &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.LinuxNamespaceType(name), Path: "/proc/self/ns/none"}}}
			s.Hostname = ""
		})
		return complaint
	})
	exactly(t, "capability", f.Linux.Capabilities, []string{"CAP_ALL", ""}, func(name string) string {
		_, complaint := c.convert(func(s *specs.Spec) { s.Process.Capabilities.Bounding = []string{name} })
		return complaint
	})
	if n := len(f.Linux.Capabilities); n != unix.CAP_LAST_CAP+1 {
		t.Errorf("%d capabilities listed, the kernel has %d", n, unix.CAP_LAST_CAP+1)
	}
	exactly(t, "memory policy", f.Linux.MemoryPolicy.Modes, []string{"MPOL_MAX", ""}, func(name string) string {
		plan, complaint := c.convert(func(s *specs.Spec) {
			s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MemoryPolicyModeType(name), Nodes: "0"}
			if name == "MPOL_DEFAULT" || name == "MPOL_LOCAL" {
				s.Linux.MemoryPolicy.Nodes = ""
			}
		})
		if complaint == "" && plan.MemoryPolicy == nil {
			return "has no effect"
		}
		return complaint
	})
	exactly(t, "memory policy flag", f.Linux.MemoryPolicy.Flags, []string{"MPOL_F_NODE", "MPOL_F_ADDR", ""}, func(name string) string {
		plan, complaint := c.convert(func(s *specs.Spec) {
			s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{
				Mode: specs.MpolBind, Nodes: "0", Flags: []specs.MemoryPolicyFlagType{specs.MemoryPolicyFlagType(name)},
			}
		})
		if complaint == "" && plan.MemoryPolicy.Flags == 0 {
			return "has no effect"
		}
		return complaint
	})
}

// TestHooksAreExact: each listed hook is checked by Convert, and the list has all hooks
// of the specification.
func TestHooksAreExact(t *testing.T) {
	c := newConverter(t)
	var known []string
	kinds := reflect.TypeFor[specs.Hooks]()
	for i := range kinds.NumField() {
		name, _, _ := strings.Cut(kinds.Field(i).Tag.Get("json"), ",")
		known = append(known, name)
		_, complaint := c.convert(func(s *specs.Spec) {
			s.Hooks = new(specs.Hooks)
			reflect.ValueOf(s.Hooks).Elem().Field(i).Set(reflect.ValueOf([]specs.Hook{{Path: "relative"}}))
		})
		if !strings.HasPrefix(complaint, "hooks."+name+"[0].path: ") {
			t.Errorf("a bad %s hook: %q", name, complaint)
		}
	}
	listed := New("1", "").Hooks
	slices.Sort(known)
	if got := slices.Sorted(slices.Values(listed)); !slices.Equal(got, known) {
		t.Errorf("listed %q, the specification has %q", got, known)
	}
}

// TestAnnotationsAreExact: the annotations listed as unsafe change the plan, or are
// refused for their value, and no others do.
func TestAnnotationsAreExact(t *testing.T) {
	c := newConverter(t)
	// These are all annotations that runc and crun read, to find one that berth supports but does
	// not list.
	others := []string{
		"run.oci.systemd.subgroup", "run.oci.delegate-cgroup", "run.oci.hooks.stdout", "run.oci.hooks.stderr",
		"run.oci.keep_original_groups", "run.oci.pidfd_receiver", "run.oci.seccomp.receiver",
		"bundle", "org.systemd.property.", "org.criu.config", "io.kubernetes.cri.container-type", "module.wasm.image/variant",
		"run.oci.handler", "run.oci.mount_context_type", "run.oci.seccomp.plugins", "run.oci.seccomp_bpf_data",
		"run.oci.seccomp_fail_unknown_syscall", "run.oci.systemd.force_cgroup_v1", "run.oci.timens_offset", "krun.cpus",
	}
	plan := func(key, value string) (*configs.Config, string) {
		return c.convert(func(s *specs.Spec) {
			s.Annotations = map[string]string{key: value}
			s.Linux.Seccomp = &specs.LinuxSeccomp{}
		})
	}
	listed := New("1", "").PotentiallyUnsafeConfigAnnotations
	if !slices.IsSorted(listed) {
		t.Errorf("not sorted: %q", listed)
	}
	exactly(t, "annotation", listed, others, func(key string) string {
		if beginning := configs.UnitPropertyAnnotation; len(key) > len(beginning) && strings.HasPrefix(key, beginning) {
			return "stands in the list by its beginning"
		}
		for _, value := range []string{"/path", "name"} {
			with, complaint := plan(key, value)
			if complaint != "" {
				return ""
			}
			without, _ := plan("org.example.other", value)
			with.Annotations, without.Annotations = nil, nil
			if !reflect.DeepEqual(with, without) {
				return ""
			}
		}
		return "has no effect"
	})
	for key := range New("1", "commit").Annotations {
		known := []string{
			"run.berth.version", "run.berth.commit", "run.berth.landlock.abi", "run.berth.network.version",
			"run.berth.seccomp.syscalls", "org.opencontainers.runc.checkpoint.enabled",
		}
		if !slices.Contains(known, key) {
			t.Errorf("berth's own annotation %s", key)
		}
	}
}

func TestSeccompIsExact(t *testing.T) {
	f := New("1", "").Linux.Seccomp
	compile := func(change func(*specs.LinuxSeccomp)) string {
		p := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{
			Names: []string{"getcwd"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Op: specs.OpEqualTo}},
		}}}
		change(p)
		if _, err := seccomp.Compile(p); err != nil {
			return err.Error()
		}
		return ""
	}
	if *f.Enabled != (compile(func(*specs.LinuxSeccomp) {}) == "") {
		t.Fatalf("seccomp is listed as %t", *f.Enabled)
	}
	if !*f.Enabled {
		if len(f.Actions)+len(f.Operators)+len(f.Archs)+len(f.KnownFlags)+len(f.SupportedFlags) > 0 {
			t.Errorf("no seccomp, but %+v", f)
		}
		return
	}
	exactly(t, "action", f.Actions, []string{"SCMP_ACT_DENY", ""}, func(name string) string {
		return compile(func(p *specs.LinuxSeccomp) {
			p.Syscalls[0].Action = specs.LinuxSeccompAction(name)
			p.ListenerPath = "/run/agent"
		})
	})
	exactly(t, "operator", f.Operators, []string{"SCMP_CMP_ANY", ""}, func(name string) string {
		return compile(func(p *specs.LinuxSeccomp) {
			p.Syscalls[0].Args[0].Op = specs.LinuxSeccompOperator(name)
		})
	})
	exactly(t, "architecture", f.Archs, []string{"", "SCMP_ARCH_NATIVE", "SCMP_ARCH_ALPHA"}, func(name string) string {
		return compile(func(p *specs.LinuxSeccomp) { p.Architectures = []specs.Arch{specs.Arch(name)} })
	})
	flag := func(name string) string {
		return compile(func(p *specs.LinuxSeccomp) { p.Flags = []specs.LinuxSeccompFlag{specs.LinuxSeccompFlag(name)} })
	}
	exactly(t, "flag", f.SupportedFlags, []string{"SECCOMP_FILTER_FLAG_NEW_LISTENER", "SECCOMP_FILTER_FLAG_TSYNC_ESRCH", ""}, flag)
	for _, name := range f.KnownFlags {
		if strings.Contains(flag(name), "unknown flag") {
			t.Errorf("flag %s is listed as known", name)
		}
	}
	for _, name := range f.SupportedFlags {
		if !slices.Contains(f.KnownFlags, name) {
			t.Errorf("flag %s is supported but not known", name)
		}
	}
}
