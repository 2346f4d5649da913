// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/berth-run/berth/libcontainer"
)

// stateView is the JSON of state and list, which engines decode. It differs
// from the runtime-spec's state in that pid is there even when it is 0.
type stateView struct {
	OCIVersion  string            `json:"ociVersion"`
	ID          string            `json:"id"`
	PID         int               `json:"pid"`
	Status      string            `json:"status"`
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Owner       string            `json:"owner"`
}

func newStateView(s *libcontainer.State) stateView {
	return stateView{
		OCIVersion:  s.Version,
		ID:          s.ID,
		PID:         s.Pid,
		Status:      string(s.Status),
		Bundle:      s.Bundle,
		Rootfs:      s.Rootfs,
		Created:     s.Created,
		Annotations: s.Annotations,
		Owner:       s.Owner,
	}
}

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
			return 0, a.printJSON(newStateView(state), "  ")
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
