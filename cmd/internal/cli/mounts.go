// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/specconv"
)

func (a *app) mountsCommand() *command.Command {
	return &command.Command{
		Use:   "mounts [flags] add|remove CONTAINER FILE",
		Short: "add mounts to a running container, or remove them",
		Long: `Adds the mounts in a JSON document to a container that has not stopped, or removes the
mounts at their destinations, in reverse order. The document is the array "mounts" of a
config.json, or an object that contains it; - is the standard input. For remove, only
the destinations are needed. If one mount fails, all others are undone; only directories
and empty files that were created as mount points remain.

Sources are paths on the host; relative ones are relative to the container's bundle.
Mounts that hide files of the kernel (linux.maskedPaths) cannot be removed, and a new
procfs or sysfs does not get them.`,
		Example: `  echo '[{"destination":"/data","type":"bind","source":"/srv","options":["rbind"]}]' >mounts.json
  berth mounts add box mounts.json
  berth mounts remove box mounts.json`,
		Args:     a.arguments(3, 3),
		Complete: a.completeMounts,
		Run: func(args []string) error {
			if args[0] != "add" && args[0] != "remove" {
				return fmt.Errorf("%q is neither add nor remove", args[0])
			}
			return a.changeMounts(args[1], args[2], args[0] == "remove")
		},
	}
}

func (a *app) changeMounts(id, file string, remove bool) error {
	rootless, err := a.global.isRootless()
	if err != nil {
		return err
	}
	c, err := a.load(id)
	if err != nil {
		return err
	}
	document, err := a.readDocument(file)
	if err != nil {
		return err
	}
	mounts, err := specconv.Mounts(document, documentName(file), a.log.Warnf)
	if err != nil {
		return fmt.Errorf("%s: %w", documentName(file), err)
	}
	plan, err := c.Plan()
	if err != nil {
		return err
	}
	o := &specconv.Options{Rootless: rootless, Warn: a.log.Warnf}
	if remove {
		if err := specconv.ConvertDestinations(mounts, plan, o); err != nil {
			return err
		}
		return c.RemoveMounts(plan)
	}
	if err := specconv.ConvertMounts(mounts, plan, o); err != nil {
		return err
	}
	return c.AddMounts(plan)
}

// completeMounts completes the action, then the container's id, then a file.
func (a *app) completeMounts(args []string) ([]command.Candidate, command.Directive) {
	switch len(args) {
	case 0:
		return []command.Candidate{{Word: "add"}, {Word: "remove"}}, command.NoFiles
	case 1:
		return a.completeContainer(nil)
	case 2:
		return nil, command.FilesToo
	}
	return nil, command.NoFiles
}
