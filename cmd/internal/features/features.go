// SPDX-License-Identifier: Apache-2.0

// Package features says what this build supports, as the features document of the runtime-spec.
package features

import (
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/seccomp"
	"github.com/berth-run/berth/specconv"
	specs "github.com/opencontainers/runtime-spec/specs-go/features"
)

// The range of runtime-spec versions whose config.json berth reads.
const (
	ociVersionMin = "1.0.0"
	ociVersionMax = "1.3.0"
)

// New describes this build, of the given version and commit. Engines rely on it: they use what is
// listed here and refuse a config that needs more. So a name may be added only together with the
// code that supports it.
func New(version, commit string) *specs.Features {
	f := &specs.Features{
		OCIVersionMin: ociVersionMin,
		OCIVersionMax: ociVersionMax,
		Hooks:         specconv.KnownHooks(),
		MountOptions:  specconv.KnownMountOptions(),
		Linux: &specs.Linux{
			Namespaces:   specconv.KnownNamespaces(),
			Capabilities: specconv.KnownCapabilities(),
			Cgroup: &specs.Cgroup{
				V1:          yes(true),
				V2:          yes(true),
				Systemd:     yes(true),
				SystemdUser: yes(true),
				Rdma:        yes(true),
			},
			Seccomp:  seccompFeatures(),
			Apparmor: &specs.Apparmor{Enabled: yes(true)},
			Selinux:  &specs.Selinux{Enabled: yes(true)},
			IntelRdt: &specs.IntelRdt{Enabled: yes(true), Schemata: yes(true), Monitoring: yes(true)},
			MemoryPolicy: &specs.MemoryPolicy{
				Modes: specconv.KnownMemoryPolicyModes(),
				Flags: specconv.KnownMemoryPolicyFlags(),
			},
			MountExtensions: &specs.MountExtensions{IDMap: &specs.IDMap{Enabled: yes(true)}},
			NetDevices:      &specs.NetDevices{Enabled: yes(true)},
		},
		Annotations: map[string]string{
			"run.berth.version":         version,
			"run.berth.landlock.abi":    strconv.Itoa(configs.LandlockABI),
			"run.berth.network.version": strconv.Itoa(specconv.NetworkVersion),
			// CRI-O looks for it in any runtime.
			"org.opencontainers.runc.checkpoint.enabled": "true",
		},
		PotentiallyUnsafeConfigAnnotations: specconv.KnownAnnotations(),
	}
	if commit != "" {
		f.Annotations["run.berth.commit"] = commit
	}
	if calls := seccomp.Syscalls(); len(calls) > 0 {
		// The features document has no field for it.
		f.Annotations["run.berth.seccomp.syscalls"] = strings.Join(calls, ",")
	}
	return f
}

func seccompFeatures() *specs.Seccomp {
	if !seccomp.Enabled() {
		return &specs.Seccomp{Enabled: yes(false)}
	}
	return &specs.Seccomp{
		Enabled:        yes(true),
		Actions:        seccomp.Actions(),
		Operators:      seccomp.Operators(),
		Archs:          seccomp.Archs(),
		KnownFlags:     seccomp.KnownFlags(),
		SupportedFlags: seccomp.SupportedFlags(),
	}
}

// yes returns a pointer: the document distinguishes false from unknown.
func yes(b bool) *bool { return &b }
