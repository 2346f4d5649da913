// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/cmd/internal/report"
	"github.com/berth-run/berth/libcontainer"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv"
)

// inspected is what inspect prints as JSON.
type inspected struct {
	ID          string                       `json:"id"`
	Differences int                          `json:"differences"`
	Items       []libcontainer.InspectedItem `json:"items"`
}

func (a *app) inspectCommand() *command.Command {
	var format string
	diff := false
	c := &command.Command{
		Use:     "inspect [flags] CONTAINER",
		Short:   "compare what a container was to be with what it is",
		Example: `  berth inspect --diff web`,
		Long: `Shows what the config of a container that has not stopped asks for, and what the kernel has
made of it: ids, capabilities, seccomp, labels, resource limits, namespaces, the limits of the
cgroup as the kernel has rounded them, mounts with their flags, and what of the host the
container has: namespaces, directories, devices, descriptors. Lines with ! differ.

The mounts are compared with the config.json of the bundle as it is now.`,
		Args:     a.arguments(1, 1),
		Complete: a.completeContainer,
		Run: func(args []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			return a.inspect(args[0], format, diff)
		},
	}
	c.Flags().StringVar(&format, "format", "table", "print the result as `FORMAT`: table or json")
	c.Flags().BoolVar(&diff, "diff", false, "show only what differs")
	return c
}

func (a *app) inspect(id, format string, diff bool) error {
	c, err := a.load(id)
	if err != nil {
		return err
	}
	process, err := a.askedProcess(c)
	if err != nil {
		return err
	}
	items, err := c.Inspect(process, a.askedPlan(c))
	if err != nil {
		return err
	}
	r := &inspected{ID: id, Items: items}
	for i := range items {
		if items[i].Differs {
			r.Differences++
		}
	}
	if diff {
		r.Items = slices.DeleteFunc(r.Items, func(i libcontainer.InspectedItem) bool { return !i.Differs })
	}
	if format == "json" {
		return a.printJSON(r, "  ")
	}
	return a.print(itemLines(r.Items))
}

// askedProcess returns the process that the container was created with.
func (a *app) askedProcess(c *libcontainer.Container) (*configs.Process, error) {
	document, err := c.ProcessDocument()
	if err != nil {
		return nil, err
	}
	p, err := specconv.DecodeProcess(document)
	if err != nil {
		return nil, err
	}
	return specconv.ConvertProcess(p, "process", &specconv.Options{})
}

// askedPlan returns the plan of the bundle's config.json, nil if there is none any more.
func (a *app) askedPlan(c *libcontainer.Container) *configs.Config {
	rootless, err := a.global.isRootless()
	if err != nil {
		return nil
	}
	document, err := specconv.ReadBundle(c.Bundle(), "")
	if err != nil {
		return nil
	}
	return specconv.Check(document, &specconv.Options{Bundle: c.Bundle(), Rootless: rootless}).Plan
}

// itemLines prints the items by area.
func itemLines(items []libcontainer.InspectedItem) string {
	var b strings.Builder
	area := ""
	for i := range items {
		it := &items[i]
		if it.Area != area {
			area = it.Area
			b.WriteString(area + "\n")
		}
		mark := " "
		if it.Differs {
			mark = "!"
		}
		line := fmt.Sprintf("%s %s: %s", mark, it.Name, it.Effective)
		if it.Asked != "" && (it.Differs || it.Asked != it.Effective) {
			line = fmt.Sprintf("%s %s: asked %s; is %s", mark, it.Name, it.Asked, it.Effective)
		}
		if it.Note != "" {
			line += " (" + it.Note + ")"
		}
		b.WriteString(report.Printable(line) + "\n")
	}
	return b.String()
}
