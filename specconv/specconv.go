// SPDX-License-Identifier: Apache-2.0

// Package specconv converts the runtime-spec's config.json to the plan of libcontainer
// ([configs.Config]). It fills in all defaults, and its errors name the field. Package template
// goes the other way, and makes config.json documents from options and images.
//
// It checks everything that depends on the document alone, and looks at the host only if a
// field or an option names something there (the rootfs, a network namespace, an image, a type
// of namespace that the kernel may lack). It changes nothing. What Convert returns fulfils all
// that the fields of configs.Config promise, so that lower layers need not check again.
package specconv

import (
	"github.com/berth-run/berth/specconv/internal/mountoption"
	"github.com/berth-run/berth/specconv/internal/netplan"
)

// Options is what the command line adds to a config.json.
type Options struct {
	// Bundle is the absolute path of the bundle.
	Bundle        string
	NoPivotRoot   bool
	NoNewKeyring  bool
	SystemdCgroup bool
	// NoCgroup means that the container stays in the cgroups of the caller.
	NoCgroup bool
	// Rootless means that the runtime is not root on the host.
	Rootless bool
	// Networks are interfaces of the container in the short form of `--network`, such as
	// "bridge=br0,address=10.88.0.2/24"; the annotation run.berth.network has the long form.
	Networks []string
	// Warn reports a problem that is not an error. It may be nil.
	Warn func(format string, args ...any)
}

func (o *Options) warn(format string, args ...any) {
	if o.Warn != nil {
		o.Warn(format, args...)
	}
}

// NetworkVersion is the version of the annotation run.berth.network that Convert reads.
const NetworkVersion = netplan.NetworkVersion

// KnownMountOptions returns the mount options that Convert knows, sorted.
func KnownMountOptions() []string { return mountoption.Known() }
