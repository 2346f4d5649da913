// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Paused is the one status that the runtime-spec does not name.
const Paused specs.ContainerState = "paused"

// Container is one container of a store.
type Container struct {
	*record
}

// State is what `state` and `list` print. Pid is 0 once the container has stopped.
type State struct {
	Version     string               `json:"ociVersion"`
	ID          string               `json:"id"`
	PID         int                  `json:"pid"`
	Status      specs.ContainerState `json:"status"`
	Bundle      string               `json:"bundle"`
	Rootfs      string               `json:"rootfs"`
	Created     time.Time            `json:"created"`
	Annotations map[string]string    `json:"annotations,omitempty"`
	Owner       string               `json:"owner"`
}

// ID of the container.
func (c *Container) ID() string { return c.id }

// State finds out the present state.
func (c *Container) State() (*State, error) {
	status, err := c.status()
	if err != nil {
		return nil, err
	}
	st := &State{
		Version: c.saved.OCIVersion, ID: c.id, PID: c.saved.PID, Status: status,
		Bundle: c.saved.Bundle, Rootfs: c.saved.Rootfs, Created: c.saved.Created,
		Annotations: withNetworkStatus(c.saved.Annotations, c.saved.Network),
	}
	if status == specs.StateStopped {
		st.PID = 0
	}
	return st, nil
}
