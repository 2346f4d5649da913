// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"github.com/berth-run/berth/libcontainer/codec/ocispec"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/fault"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Mounts parses a document that contains the array mounts of a config.json. Errors are like
// those of Load, and so are warnings, which begin with the name of the document; warn may be nil.
func Mounts(document, name string, warn Warn) ([]specs.Mount, error) {
	list, notices, err := ocispec.Mounts(document)
	warn.of(name, notices)
	return list, err
}

// ConvertMounts checks mounts that are added to a container, and puts them into its plan. The
// plan has what they depend on: the bundle, the namespaces and the id maps. Errors are like
// those of Convert.
func ConvertMounts(mounts []specs.Mount, plan *configs.Config, o *Options) error {
	return newMountConversion(mounts, plan, o).mounts()
}

// ConvertDestinations is like ConvertMounts, for mounts that are removed: only their
// destinations matter.
func ConvertDestinations(mounts []specs.Mount, plan *configs.Config, o *Options) error {
	c := newMountConversion(mounts, plan, o)
	plan.Mounts = make([]configs.Mount, len(mounts))
	for i := range mounts {
		m := &plan.Mounts[i]
		m.Field = fault.Element("mounts", i)
		err := fault.NoNUL("destination", mounts[i].Destination)
		if err == nil {
			err = c.destination(m, mounts[i].Destination)
		}
		if err != nil {
			return fault.At(err, "mounts", i)
		}
	}
	return nil
}

func newMountConversion(mounts []specs.Mount, plan *configs.Config, o *Options) *conversion {
	options := *o
	options.Bundle = plan.Bundle
	return &conversion{
		spec: &specs.Spec{Mounts: mounts}, linux: new(specs.Linux),
		opts: &options, unprivileged: o.Rootless && unix.Geteuid() != 0, plan: plan, live: true,
	}
}
