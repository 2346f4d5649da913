// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go/features"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/seccomp"
	"github.com/berth-run/berth/specconv"
)

// The range of runtime-spec versions whose config.json berth reads.
const (
	ociVersionMin = "1.0.0"
	ociVersionMax = "1.3.0"
)

func (a *app) featuresCommand() *command.Command {
	return &command.Command{
		Use:   "features [flags]",
		Short: "print what this build supports, as JSON",
		Long: `Prints what this build supports, as the JSON of the runtime-spec's features
document. It describes what is built in, not what the host allows.`,
		Args: a.arguments(0, 0),
		Run: func([]string) error {
			return a.printJSON(newFeatures(a.commit), "    ")
		},
	}
}

// newFeatures describes this build. Engines rely on it: they use what is listed here and refuse
// a config that needs more. So a name may be added only together with the code that supports
// it.
func newFeatures(commit string) *features.Features {
	f := &features.Features{
		OCIVersionMin: ociVersionMin,
		OCIVersionMax: ociVersionMax,
		Hooks:         specconv.KnownHooks(),
		MountOptions:  specconv.KnownMountOptions(),
		Linux: &features.Linux{
			Namespaces:   specconv.KnownNamespaces(),
			Capabilities: specconv.KnownCapabilities(),
			Cgroup: &features.Cgroup{
				V1:          yes(true),
				V2:          yes(true),
				Systemd:     yes(true),
				SystemdUser: yes(true),
				Rdma:        yes(true),
			},
			Seccomp:  seccompFeatures(),
			Apparmor: &features.Apparmor{Enabled: yes(true)},
			Selinux:  &features.Selinux{Enabled: yes(true)},
			IntelRdt: &features.IntelRdt{Enabled: yes(true), Schemata: yes(true), Monitoring: yes(true)},
			MemoryPolicy: &features.MemoryPolicy{
				Modes: specconv.KnownMemoryPolicyModes(),
				Flags: specconv.KnownMemoryPolicyFlags(),
			},
			MountExtensions: &features.MountExtensions{IDMap: &features.IDMap{Enabled: yes(true)}},
			NetDevices:      &features.NetDevices{Enabled: yes(true)},
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

func seccompFeatures() *features.Seccomp {
	if !seccomp.Enabled() {
		return &features.Seccomp{Enabled: yes(false)}
	}
	return &features.Seccomp{
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
