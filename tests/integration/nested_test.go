// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/tests/internal/bundle"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// privileged returns the capabilities for a container that runs other containers.
func privileged() []string {
	all := bundle.Capabilities()
	for _, c := range []string{"SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH", "BPF", "PERFMON"} {
		all = append(all, "CAP_"+c)
	}
	return all
}

// TestNested runs a container in a privileged container, with and without a user namespace of its
// own.
func TestNested(t *testing.T) {
	onlyBerth(t)
	for _, inner := range []string{"root", "user namespace"} {
		t.Run(inner, func(t *testing.T) {
			c := newContainer(t)
			binary, err := os.ReadFile(suite.runtime)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(c.rootfs("bin", "runtime"), binary, 0o755); err != nil {
				t.Fatal(err)
			}
			nested := bundle.Spec()
			nested.Process.Args = []string{"sh", "-c", "echo inside as $(id -u), process $$"}
			nested.Root.Path = "/"
			if inner == "user namespace" {
				nested.Linux.Namespaces = append(nested.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
				nested.Linux.UIDMappings = []specs.LinuxIDMapping{mapRow(0, 0, 1000)}
				nested.Linux.GIDMappings = nested.Linux.UIDMappings
			}
			data, err := json.Marshal(nested)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(c.rootfs("config.json"), data, 0o644); err != nil {
				t.Fatal(err)
			}
			p := c.spec.Process
			p.Capabilities = &specs.LinuxCapabilities{Bounding: privileged(), Effective: privileged(), Permitted: privileged()}
			p.NoNewPrivileges = false
			c.spec.Linux.MaskedPaths, c.spec.Linux.ReadonlyPaths = nil, nil
			c.spec.Linux.Resources = &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}}
			for i := range c.spec.Mounts {
				m := &c.spec.Mounts[i]
				m.Options = slices.DeleteFunc(m.Options, func(o string) bool { return o == "ro" })
			}
			c.mount("/sys/fs/cgroup", "cgroup", "cgroup")
			c.mount("/run", "tmpfs", "tmpfs")
			c.sh("cd / && runtime run inner && ls /run/berth /run/*/inner 2>&1 | grep inner; find /sys/fs/cgroup -name inner")
			out := c.output()
			if lines := strings.Split(out, "\n"); lines[0] != "inside as 0, process 1" {
				t.Errorf("printed %q", out)
			}
			for _, dir := range cgroupsOf("inner") {
				t.Errorf("cgroup %s is left", dir)
			}
		})
	}
}
