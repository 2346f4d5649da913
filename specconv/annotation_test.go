// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"fmt"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestAnnotations(t *testing.T) {
	for _, tc := range []struct {
		key, value string
		seen       func(*configs.Config) bool
		systemd    bool
		err        string
	}{
		{key: "run.oci.keep_original_groups", value: "1", seen: func(c *configs.Config) bool { return c.Process.KeepGroups }},
		{key: "run.oci.keep_original_groups", value: "", seen: func(c *configs.Config) bool { return c.Process.KeepGroups }},
		{key: "run.oci.keep_original_group", value: "1", seen: func(c *configs.Config) bool { return !c.Process.KeepGroups }},
		{key: "run.oci.hooks.stdout", value: "/o", seen: func(c *configs.Config) bool { return c.HookStdout == "/o" && c.HookStderr == "" }},
		{key: "run.oci.hooks.stderr", value: "/e", seen: func(c *configs.Config) bool { return c.HookStderr == "/e" && c.HookStdout == "" }},
		{key: "run.oci.pidfd_receiver", value: "/s", seen: func(c *configs.Config) bool { return c.PIDFDReceiver == "/s" }},
		{key: "run.oci.systemd.subgroup", value: "s.1", seen: func(c *configs.Config) bool { return c.Cgroup.Subgroup == "s.1" && c.Cgroup.Delegated == "" }},
		{key: "run.oci.systemd.subgroup", value: "", seen: func(c *configs.Config) bool { return c.Cgroup.Subgroup == "" }},
		{key: "run.oci.systemd.subgroup", value: "a/b", err: `annotations["run.oci.systemd.subgroup"]: not the name of a cgroup: "a/b"`},
		{key: "run.oci.systemd.subgroup", value: "..", err: `annotations["run.oci.systemd.subgroup"]: not the name of a cgroup: ".."`},
		{key: "run.oci.systemd.subgroup", value: ".", err: `annotations["run.oci.systemd.subgroup"]: not the name of a cgroup: "."`},
		{key: "run.oci.systemd.subgroup", value: "a\x00", err: `annotations["run.oci.systemd.subgroup"]: not the name of a cgroup: "a\x00"`},
		{key: "run.oci.systemd.subgroup", value: "cgroup.procs", err: `annotations["run.oci.systemd.subgroup"]: not the name of a cgroup: "cgroup.procs"`},
		{key: "run.oci.delegate-cgroup", value: "../x", err: `annotations["run.oci.delegate-cgroup"]: not the name of a cgroup: "../x"`},
		{key: "run.oci.delegate-cgroup", value: "d", err: `annotations["run.oci.delegate-cgroup"]: needs run.oci.systemd.subgroup`},
		{key: "run.oci.delegate-cgroup", value: "d", systemd: true, seen: func(c *configs.Config) bool { return c.Cgroup.Subgroup == "container" && c.Cgroup.Delegated == "d" }},
		{key: "run.oci.systemd.subgroup", value: "", systemd: true, seen: func(c *configs.Config) bool { return c.Cgroup.Subgroup == "" }},
		{key: "org.systemd.property.MemoryMax", value: "1", seen: func(c *configs.Config) bool {
			return len(c.Cgroup.UnitProperties) == 1 && c.Cgroup.UnitProperties["MemoryMax"] == "1"
		}},
		{key: "run.oci.delegate-cgroup", value: "", seen: func(c *configs.Config) bool { return c.Cgroup.Delegated == "" }},
		{key: "run.oci.hooks.stdout", value: "o", err: `annotations["run.oci.hooks.stdout"]: not an absolute path: "o"`},
		{key: "run.oci.hooks.stderr", value: "", err: `annotations["run.oci.hooks.stderr"]: not an absolute path: ""`},
		{key: "run.oci.pidfd_receiver", value: "/a\x00", err: `annotations["run.oci.pidfd_receiver"]: must not contain a NUL byte`},
		{key: "run.oci.handler", value: "krun", err: `annotations["run.oci.handler"]: not supported: "krun": berth runs programs in containers only`},
		{key: "run.oci.handler", value: "", seen: func(*configs.Config) bool { return true }},
		{key: "run.oci.seccomp.plugins", value: "a.so:b.so", err: `annotations["run.oci.seccomp.plugins"]: not supported: "a.so:b.so": berth loads no library`},
		{key: "run.oci.seccomp_bpf_data", value: "BgAAAAAA/38=", err: `annotations["run.oci.seccomp_bpf_data"]: not supported: "BgAAAAAA/38=": `},
		{key: "run.oci.systemd.force_cgroup_v1", value: "/sys/fs/cgroup", seen: func(c *configs.Config) bool { return c.Cgroup.ForceLegacy }},
		{key: "run.oci.systemd.force_cgroup_v1", value: "", seen: func(c *configs.Config) bool { return !c.Cgroup.ForceLegacy }},
		{key: "run.oci.mount_context_type", value: "rootcontext", seen: func(c *configs.Config) bool { return c.MountLabel.Option == "rootcontext" }},
		{key: "run.oci.mount_context_type", value: "", seen: func(c *configs.Config) bool { return c.MountLabel.Option == "" }},
		{key: "run.oci.mount_context_type", value: "seclabel", err: `annotations["run.oci.mount_context_type"]: "seclabel" is not one of context, fscontext, defcontext, rootcontext`},
		{key: "run.oci.timens_offset", value: "", seen: func(c *configs.Config) bool { return len(c.TimeOffsets) == 0 }},
		{key: "run.oci.timens_offset", value: "monotonic 1 0", err: `annotations["run.oci.timens_offset"]: time namespace offsets specified, but time namespace isn't enabled in the config`},
	} {
		t.Run(tc.key+"="+tc.value, func(t *testing.T) {
			s := example()
			s.Annotations = map[string]string{tc.key: tc.value}
			o := &newBundle(t).Options
			o.SystemdCgroup = tc.systemd
			plan, err := Convert(s, o)
			switch {
			case tc.err != "":
				if err == nil || !strings.HasPrefix(err.Error(), tc.err) {
					t.Errorf("error %v, want %s", err, tc.err)
				}
			case err != nil:
				t.Error(err)
			case !tc.seen(plan):
				t.Errorf("plan %+v", plan)
			}
		})
	}
}

func TestTimeOffsetAnnotation(t *testing.T) {
	for _, tc := range []struct {
		value, path string
		field       map[string]specs.LinuxTimeOffset
		want        string
	}{
		{value: "monotonic 5 6", want: "map[monotonic:{5 6}]"},
		{value: "1 -5 0\n7 8 9\n", want: "map[boottime:{8 9} monotonic:{-5 0}]"},
		{value: "  boottime\t1   0", want: "map[boottime:{1 0}]"},
		{value: "boottime 1 0", field: map[string]specs.LinuxTimeOffset{"monotonic": {Secs: 3}}, want: "map[boottime:{1 0} monotonic:{3 0}]"},
		{value: "monotonic 3 0", field: map[string]specs.LinuxTimeOffset{"monotonic": {Secs: 3}}, want: "map[monotonic:{3 0}]"},
		{
			value: "monotonic 4 0", field: map[string]specs.LinuxTimeOffset{"monotonic": {Secs: 3}},
			want: "another offset of monotonic than before, or in linux.timeOffsets: 4 s and 0 ns, not 3 s and 0 ns",
		},
		{value: "1 1 0\nmonotonic 2 0", want: "another offset of monotonic than before"},
		{value: "monotonic 1", want: `"monotonic 1" is not a clock`},
		{value: "monotonic 1 0\n\nboottime 1 0", want: `"" is not a clock`},
		{value: "realtime 1 0", want: `"realtime 1 0" is not a clock`},
		{value: "monotonic one 0", want: `"monotonic one 0" is not a clock`},
		{value: "monotonic 1 1000000000", want: `"monotonic 1 1000000000" is not a clock`},
		{value: "monotonic 1 -1", want: `"monotonic 1 -1" is not a clock`},
		{value: "monotonic 1 0", path: "/proc/1/ns/time", want: "time namespace enabled, but both namespace path and time offsets specified"},
	} {
		s := example()
		s.Annotations = map[string]string{annotationTimeOffset: tc.value}
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace, Path: tc.path})
		s.Linux.TimeOffsets = tc.field
		plan, err := Convert(s, &newBundle(t).Options)
		if err != nil {
			if !strings.HasPrefix(err.Error(), `annotations["run.oci.timens_offset"]: `+tc.want) {
				t.Errorf("%q: error %v, want %s", tc.value, err, tc.want)
			}
			continue
		}
		if got := fmt.Sprint(plan.TimeOffsets); got != tc.want {
			t.Errorf("%q: %s, want %s", tc.value, got, tc.want)
		}
		if len(tc.field) > 0 && len(s.Linux.TimeOffsets) != 1 {
			t.Errorf("%q: the document was changed: %v", tc.value, s.Linux.TimeOffsets)
		}
	}
}
