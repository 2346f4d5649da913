// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"regexp"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"
)

func readFeatures(t *testing.T) *features.Features {
	t.Helper()
	f := new(features.Features)
	decode(t, newContainer(t).command("features").must().out, f)
	return f
}

// TestFeaturesAreTrue runs a container with each feature for which the document has true or
// false. Either it works, or the error is one that only the code of the feature can return, about
// something that this machine lacks. A feature that is not listed must be refused.
func TestFeaturesAreTrue(t *testing.T) {
	onlyBerth(t) // it checks the texts of errors
	l := readFeatures(t).Linux
	cgroup, membership := l.Cgroup.V1, `(?m):memory:/.*`+suite.token
	if suite.unified {
		cgroup, membership = l.Cgroup.V2, `(?m)^0::/.*`+suite.token
	}
	hasRRO := slices.Contains(readFeatures(t).MountOptions, "rro")
	handles := uint32(1)
	for _, test := range []struct {
		name   string
		listed *bool
		change func(c *container)
		// proof is a text that the container prints, or that is in the error.
		proof string
	}{
		{"mountExtensions.idmap", l.MountExtensions.IDMap.Enabled, func(c *container) {
			swap := []specs.LinuxIDMapping{mapRow(0, 1000, 1), mapRow(1000, 0, 1)}
			c.idmap(swap, swap)
		}, `(?m)^1000=0:0$`},
		{"rro", &hasRRO, func(c *container) {
			c.mount("/data", "bind", c.nestedVolume(), "rbind", "rro").sh("touch /data/inner/new 2>&1")
		}, `Read-only file system`},
		{"apparmor", l.Apparmor.Enabled, func(c *container) {
			c.spec.Process.ApparmorProfile = "no-such-profile"
		}, `process\.apparmorProfile: (apparmor failed to apply profile: AppArmor is not enabled|set AppArmor profile no-such-profile: no such file)`},
		{"selinux", l.Selinux.Enabled, func(c *container) {
			c.spec.Process.SelinuxLabel = "no such label"
		}, `process\.selinuxLabel: (selinux label is specified in config, but selinux is disabled or not supported: SELinux is not enabled|set SELinux label no such label: invalid argument)`},
		{"intelRdt", l.IntelRdt.Enabled, func(c *container) {
			c.spec.Linux.IntelRdt = &specs.LinuxIntelRdt{Schemata: []string{"L3:none"}}
		}, `linux\.intelRdt(\.schemata)?: .*(resctrl|L3:none)`},
		{"intelRdt.schemata", l.IntelRdt.Schemata, func(c *container) {
			c.spec.Linux.IntelRdt = &specs.LinuxIntelRdt{Schemata: []string{"NONE:1"}}
		}, `linux\.intelRdt(\.schemata)?: .*(resctrl|NONE:1)`},
		{"intelRdt.monitoring", l.IntelRdt.Monitoring, func(c *container) {
			c.spec.Linux.IntelRdt = &specs.LinuxIntelRdt{EnableMonitoring: true}
		}, `linux\.intelRdt: .*resctrl|^$`},
		{"netDevices", l.NetDevices.Enabled, func(c *container) {
			c.netDevice("none0", "")
		}, `linux\.netDevices\[\\"none0\\"\]: no such network interface`},
		{"cgroup.rdma", l.Cgroup.Rdma, func(c *container) {
			c.spec.Linux.Resources = &specs.LinuxResources{Rdma: map[string]specs.LinuxRdma{"none0": {HcaHandles: &handles}}}
		}, `linux\.resources\.rdma`},
		{"cgroup of this host", cgroup, func(c *container) {
			c.without(specs.CgroupNamespace).args("cat", "/proc/self/cgroup")
		}, membership},
		{"cgroup.systemd", l.Cgroup.Systemd, func(c *container) {
			c.global = append(c.global, "--systemd-cgroup")
			c.spec.Linux.CgroupsPath = "system.slice:" + suite.token + ":" + c.id
		}, `(?i)d-?bus|systemd does not run|/run/systemd|^$`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newContainer(t).sh("true")
			test.change(c)
			r := c.run()
			got := regexp.MustCompile(test.proof).MatchString(r.out + r.stderr)
			if test.listed == nil || *test.listed != got {
				t.Errorf("listed %v, but status %d, stdout %q, stderr %q", test.listed != nil && *test.listed, r.status, r.out, r.stderr)
			}
		})
	}
}
