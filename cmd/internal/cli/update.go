// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/cmd/internal/options"
	"github.com/berth-run/berth/libcontainer"
	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/specconv"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/pflag"
)

// updateOptions are the options of update.
type updateOptions struct {
	resources string
	limits    options.Limits
}

func (a *app) updateCommand() *command.Command {
	var o updateOptions
	c := &command.Command{
		Use:   "update [flags] CONTAINER",
		Short: "change the limits of a container",
		Long: `Changes the limits of a container that has not stopped. Limits that are not given, or
are 0, stay as they are; but 0 is a value for the limit of tasks (no new ones can
begin), swappiness, burst and idle. If one limit is refused, none is changed.

The document of --resources is the object linux.resources of a config.json, without
devices; all other options except the schemas are then ignored. Sizes may have a unit:
k, m, g or t, powers of 1024.`,
		Example: `Half a CPU and 128 MiB:
  berth update --cpu-period 100000 --cpu-quota 50000 --memory 134217728 box`,
		Args:     a.arguments(1, 1),
		Complete: a.completeContainer,
		Run: a.onContainer(func(c *libcontainer.Container) error {
			r, err := a.newResources(&o)
			if err != nil {
				return err
			}
			return c.Update(r, o.limits.Schemata())
		}),
	}
	o.declare(c.Flags())
	return c
}

// newResources returns the limits from the document, or else from the options.
func (a *app) newResources(o *updateOptions) (*specs.LinuxResources, error) {
	if o.resources == "" {
		r, err := o.limits.Parse()
		return r, codes.With(codes.Usage, err)
	}
	document, err := a.readDocument(o.resources)
	if err != nil {
		return nil, fmt.Errorf("--resources: %w", err)
	}
	r, err := specconv.Resources(document, documentName(o.resources), a.log.Warnf)
	if err != nil {
		return nil, codes.With(codes.ConfigInvalid, fmt.Errorf("--resources: %s: %w", documentName(o.resources), err))
	}
	return r, nil
}

// declare adds the options to f.
func (o *updateOptions) declare(f *pflag.FlagSet) {
	f.StringVarP(&o.resources, "resources", "r", "", "read the new limits from `FILE`, - for the standard input")
	o.limits.Declare(f)
}
