// SPDX-License-Identifier: Apache-2.0

// Package specconv turns the runtime-spec's config.json into the engine's plan
// ([configs.Config]), with every default filled in and every error naming the
// field. The other way round it makes config.json documents: an example ([Example]), and
// what options and images want of one ([Template]).
//
// It decides and checks everything that the document alone decides, and looks
// at the host only where a field or an option names something on it (the rootfs, a network
// namespace, an image, whether the kernel has a kind of namespace). It changes nothing.
// Its one invariant: what Convert returns keeps every promise that the fields of
// configs.Config make, so that no layer below checks again.
package specconv

import (
	"github.com/berth-run/berth/specconv/internal/mountoption"
	"github.com/berth-run/berth/specconv/internal/netplan"
)

// Options are what the command line adds to a config.json.
type Options struct {
	// Bundle is the absolute path of the bundle.
	Bundle        string
	NoPivotRoot   bool
	NoNewKeyring  bool
	SystemdCgroup bool
	// Rootless says that the runtime has no root rights over the host.
	Rootless bool
	// Networks are interfaces of the container in the short form of `--network`, such
	// as "bridge=br0,address=10.88.0.2/24"; the annotation run.berth.network has the
	// long one.
	Networks []string
	// Warn reports what is wrong but not an error. It may be nil.
	Warn func(format string, args ...any)
}

func (o *Options) warn(format string, args ...any) {
	if o.Warn != nil {
		o.Warn(format, args...)
	}
}

// NetworkVersion is the version of the annotation run.berth.network that Convert reads.
const NetworkVersion = netplan.NetworkVersion

// KnownMountOptions returns the options of mounts that Convert knows, sorted.
func KnownMountOptions() []string { return mountoption.Known() }
