// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/specconv/internal/sample"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestPhrases: for each mistake the error, or the warning, contains the text of runc 1.3. The
// texts were copied from runc's output, not from berth's own table.
func TestPhrases(t *testing.T) {
	joined := func(kind specs.LinuxNamespaceType) specs.LinuxNamespace {
		return specs.LinuxNamespace{Type: kind, Path: "/proc/self/ns/" + string(kind)}
	}
	scheduler := func(s specs.Scheduler) func(*specs.Spec) {
		return func(doc *specs.Spec) { doc.Process.Scheduler = &s }
	}
	mount := func(m specs.Mount) func(*specs.Spec) {
		return func(doc *specs.Spec) { doc.Mounts = append(doc.Mounts, m) }
	}
	sysctl := func(name, value string) func(*specs.Spec) {
		return func(doc *specs.Spec) { doc.Linux.Sysctl = map[string]string{name: value} }
	}
	without := func(kind specs.LinuxNamespaceType) func(*specs.Spec) {
		return func(doc *specs.Spec) {
			doc.Linux.Namespaces = slices.DeleteFunc(doc.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == kind })
		}
	}
	namespace := func(n specs.LinuxNamespace) func(*specs.Spec) {
		return func(doc *specs.Spec) { doc.Linux.Namespaces = append(doc.Linux.Namespaces, n) }
	}
	policy := func(p specs.LinuxMemoryPolicy) func(*specs.Spec) {
		return func(doc *specs.Spec) { doc.Linux.MemoryPolicy = &p }
	}
	one := []specs.LinuxIDMapping{{Size: 1}}
	for _, tt := range []struct {
		phrase  string
		mistake func(*specs.Spec)
	}{
		{"root must be specified", func(s *specs.Spec) { s.Root = nil }},
		{"invalid rootfs", func(s *specs.Spec) { s.Root.Path = "nosuch" }},
		{"process property must not be empty", func(s *specs.Spec) { s.Process = nil }},
		{"args must not be empty", func(s *specs.Spec) { s.Process.Args = nil }},
		{"Cwd property must not be empty", func(s *specs.Spec) { s.Process.Cwd = "" }},
		{"Cwd must be an absolute path", func(s *specs.Spec) { s.Process.Cwd = "x" }},
		{"invalid environment variable: missing '='", func(s *specs.Spec) { s.Process.Env = []string{"A"} }},
		{"invalid environment variable: name cannot be empty", func(s *specs.Spec) { s.Process.Env = []string{"=a"} }},
		{"wrong rlimit value: RLIMIT_X", func(s *specs.Spec) { s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_X"}} }},
		{"error setting rlimits for ready process: error setting rlimit type 7", func(s *specs.Spec) {
			s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 2, Hard: 1}}
		}},
		{"ignoring unknown or unavailable capabilities: [", func(s *specs.Spec) { s.Process.Capabilities.Bounding = []string{"CAP_NOPE"} }},
		{"can't raise ambient capability CAP_KILL", func(s *specs.Spec) { s.Process.Capabilities.Ambient = []string{"CAP_KILL"} }},
		{"scheduler policy is required", scheduler(specs.Scheduler{})},
		{"invalid scheduler policy: SCHED_X", scheduler(specs.Scheduler{Policy: "SCHED_X"})},
		{"invalid scheduler.nice: 30", scheduler(specs.Scheduler{Policy: specs.SchedOther, Nice: 30})},
		{"scheduler.priority can only be specified for SchedFIFO or SchedRR policy", scheduler(specs.Scheduler{Policy: specs.SchedOther, Priority: 3})},
		{"error setting scheduler", scheduler(specs.Scheduler{Policy: specs.SchedFIFO, Priority: 300})},
		{"scheduler runtime/deadline/period can only be specified for SchedDeadline policy", scheduler(specs.Scheduler{Policy: specs.SchedFIFO, Priority: 3, Runtime: 5})},
		{"invalid scheduler flag: X", scheduler(specs.Scheduler{Policy: specs.SchedOther, Flags: []specs.LinuxSchedulerFlag{"X"}})},
		{`invalid ioPriority.Class: "X"`, func(s *specs.Spec) { s.Process.IOPriority = &specs.LinuxIOPriority{Class: "X"} }},
		{"invalid ioPriority.Priority: 9", func(s *specs.Spec) {
			s.Process.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_BE, Priority: 9}
		}},
		{"bad CPUAffinity.Initial: ", func(s *specs.Spec) { s.Process.ExecCPUAffinity = &specs.CPUAffinity{Initial: "x"} }},
		{"bad CPUAffinity.Final: ", func(s *specs.Spec) { s.Process.ExecCPUAffinity = &specs.CPUAffinity{Final: "0-"} }},
		{"relative destination path is **deprecated**", mount(specs.Mount{Destination: "rel", Type: "tmpfs", Source: "tmpfs"})},
		{"mount field contains null byte", mount(specs.Mount{Destination: "/m", Type: "tmpfs", Source: "a\x00b"})},
		{"bind mounts cannot have any filesystem-specific options applied", mount(specs.Mount{Destination: "/m", Type: "bind", Source: "/tmp", Options: []string{"size=1"}})},
		{"id-mapped mounts must have both uid and gid mappings specified", mount(specs.Mount{Destination: "/m", Type: "bind", Source: "/tmp", UIDMappings: one})},
		{"rootfsPropagation=x is not supported", func(s *specs.Spec) { s.Linux.RootfsPropagation = "x" }},
		{"unable to restrict sys entries without a private MNT namespace", without(specs.MountNamespace)},
		{"unable to set hostname without a private UTS namespace", without(specs.UTSNamespace)},
		{`namespace {"xyz" ""} does not exist`, namespace(specs.LinuxNamespace{Type: "xyz"})},
		{`malformed spec file: duplicated ns {"pid" ""}`, namespace(specs.LinuxNamespace{Type: specs.PIDNamespace})},
		{"user namespaces enabled, but no uid mappings found", namespace(specs.LinuxNamespace{Type: specs.UserNamespace})},
		{"user namespaces enabled, but no gid mappings found", func(s *specs.Spec) {
			namespace(specs.LinuxNamespace{Type: specs.UserNamespace})(s)
			s.Linux.UIDMappings = one
		}},
		{"user namespaces enabled, but no mapping found for uid 0", func(s *specs.Spec) {
			namespace(specs.LinuxNamespace{Type: specs.UserNamespace})(s)
			s.Linux.UIDMappings, s.Linux.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 1, Size: 1}}, one
		}},
		{"cannot setuid to unmapped uid 50 in user namespace", func(s *specs.Spec) {
			namespace(specs.LinuxNamespace{Type: specs.UserNamespace})(s)
			s.Linux.UIDMappings, s.Linux.GIDMappings, s.Process.User.UID = one, one, 50
		}},
		{"cannot setgid to unmapped gid 50 in user namespace", func(s *specs.Spec) {
			namespace(specs.LinuxNamespace{Type: specs.UserNamespace})(s)
			s.Linux.UIDMappings, s.Linux.GIDMappings, s.Process.User.GID = one, one, 50
		}},
		{"time namespace offsets specified, but time namespace isn't enabled in the config", func(s *specs.Spec) {
			s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: 1}}
		}},
		{"time namespace enabled, but both namespace path and time offsets specified -- you may only provide one", func(s *specs.Spec) {
			namespace(joined(specs.TimeNamespace))(s)
			s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: 1}}
		}},
		{`sysctl "vm.swappiness" is not in a separate kernel namespace`, sysctl("vm.swappiness", "1")},
		{`sysctl "kernel.msgmax" is not allowed in the hosts ipc namespace`, func(s *specs.Spec) {
			without(specs.IPCNamespace)(s)
			sysctl("kernel.msgmax", "1")(s)
		}},
		{`sysctl "net.ipv4.ip_forward" not allowed in host network namespace`, func(s *specs.Spec) {
			without(specs.NetworkNamespace)(s)
			sysctl("net.ipv4.ip_forward", "1")(s)
		}},
		{`sysctl "kernel.hostname" is not allowed as it conflicts with the OCI "hostname" field`, sysctl("kernel.hostname", "x")},
		{`invalid device type "z"`, func(s *specs.Spec) { s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/x", Type: "z"}} }},
		{`invalid cgroup device type "z"`, func(s *specs.Spec) {
			s.Linux.Resources = &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Type: "z", Access: "r"}}}
		}},
		{"device access at 1 field cannot be empty", func(s *specs.Spec) {
			s.Linux.Resources = &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Access: "r"}, {Type: "c"}}}
		}},
		{`unified resource "a/b" must be a file name (no slashes)`, func(s *specs.Spec) {
			s.Linux.Resources = &specs.LinuxResources{Unified: map[string]string{"a/b": "1"}}
		}},
		{"invalid personality domain X", func(s *specs.Spec) { s.Linux.Personality = &specs.LinuxPersonality{Domain: "X"} }},
		{"ignoring unsupported personality flags: [", func(s *specs.Spec) {
			s.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux, Flags: []specs.LinuxPersonalityFlag{"X"}}
		}},
		{"invalid memory policy", policy(specs.LinuxMemoryPolicy{Mode: "X"})},
		{"invalid memory policy", policy(specs.LinuxMemoryPolicy{Mode: specs.MpolBind})},
		{"invalid memory policy", policy(specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "x"})},
		{"invalid memory policy", policy(specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "0", Flags: []specs.MemoryPolicyFlagType{"X"}})},
		{`invalid intelRdt.ClosID ".."`, func(s *specs.Spec) { s.Linux.IntelRdt = &specs.LinuxIntelRdt{ClosID: ".."} }},
	} {
		t.Run(tt.phrase, func(t *testing.T) {
			bundle := t.TempDir()
			s := sample.Example()
			s.Root.Path = bundle
			s.Process.Terminal = false
			tt.mistake(s)
			var said []string
			_, err := Convert(s, &Options{Bundle: bundle, Warn: func(format string, args ...any) {
				said = append(said, fmt.Sprintf(format, args...))
			}})
			if err != nil {
				said = append(said, err.Error())
			}
			if !strings.Contains(strings.Join(said, "\n"), tt.phrase) {
				t.Errorf("%q is not in %q", tt.phrase, said)
			}
		})
	}
}
