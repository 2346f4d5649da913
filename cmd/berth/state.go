// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"

	"github.com/berth-run/berth/libcontainer"
)

func stateCommand() *command {
	return &command{
		name: "state", synopsis: "<container-id>", min: 1, max: 1,
		summary: "print the state of a container",
		details: `Prints JSON: the state of the runtime-spec with rootfs, created and owner added.`,
		run: func(a *app, args []string) (int, error) {
			c, err := a.load(args[0])
			if err != nil {
				return exitFailure, err
			}
			state, err := c.State()
			if err != nil {
				return exitFailure, err
			}
			return 0, a.printJSON(state, "  ")
		},
	}
}

// load finds a container by id.
func (a *app) load(id string) (*libcontainer.Container, error) {
	store, err := a.openStore()
	if err != nil {
		return nil, err
	}
	return store.Load(id)
}

// printJSON prints v as indented JSON.
func (a *app) printJSON(v any, indent string) error {
	text, err := json.MarshalIndent(v, "", indent)
	if err != nil {
		return fmt.Errorf("encode JSON: %w", err)
	}
	return a.print(string(text) + "\n")
}
