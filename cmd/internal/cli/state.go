// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/libcontainer"
)

func (a *app) stateCommand() *command.Command {
	return &command.Command{
		Use:      "state [flags] CONTAINER",
		Short:    "print the state of a container",
		Long:     `Prints the state of the runtime-spec as JSON, with rootfs, created and owner added.`,
		Example:  `  berth state box`,
		Args:     a.arguments(1, 1),
		Complete: a.completeContainer,
		Run: a.onContainer(func(c *libcontainer.Container) error {
			state, err := c.State()
			if err != nil {
				return err
			}
			return a.printJSON(state, "  ")
		}),
	}
}

// load returns the container with the given id.
func (a *app) load(id string) (*libcontainer.Container, error) {
	store, err := a.openStore()
	if err != nil {
		return nil, err
	}
	return store.Load(id)
}

// onContainer returns a function that calls do with the container named by the first argument.
func (a *app) onContainer(do func(*libcontainer.Container) error) func(args []string) error {
	return func(args []string) error {
		c, err := a.load(args[0])
		if err != nil {
			return err
		}
		return do(c)
	}
}

// printJSON prints v as indented JSON.
func (a *app) printJSON(v any, indent string) error {
	text, err := json.MarshalIndent(v, "", indent)
	if err != nil {
		return fmt.Errorf("encode JSON: %w", err)
	}
	return a.print(string(text) + "\n")
}
