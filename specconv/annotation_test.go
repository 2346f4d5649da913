// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
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
