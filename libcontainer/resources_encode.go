// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/json"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// encodeResources is json.Marshal of r without its devices, which an update never
// touches; nil when nothing is set. As with encode, reflection over these types would
// cost every create more than the state file itself does. A test compares the two.
func encodeResources(r *specs.LinuxResources) (json.RawMessage, error) {
	var e stateEncoder
	if m := r.Memory; m != nil {
		e.object("memory", func(e *stateEncoder) { e.memory(m) })
	}
	if c := r.CPU; c != nil {
		e.object("cpu", func(e *stateEncoder) { e.cpu(c) })
	}
	if p := r.Pids; p != nil {
		e.object("pids", func(e *stateEncoder) { optionalNumber(e, "limit", p.Limit) })
	}
	e.texts("unified", r.Unified)
	// Rare, and long to write out.
	e.rare("blockIO", r.BlockIO, r.BlockIO != nil)
	e.rare("hugepageLimits", r.HugepageLimits, len(r.HugepageLimits) > 0)
	e.rare("network", r.Network, r.Network != nil)
	e.rare("rdma", r.Rdma, len(r.Rdma) > 0)
	if len(e.buf) == 0 || e.err != nil {
		return nil, e.err
	}
	return append(e.buf, '}'), nil
}

func (e *stateEncoder) memory(m *specs.LinuxMemory) {
	optionalNumber(e, "limit", m.Limit)
	optionalNumber(e, "reservation", m.Reservation)
	optionalNumber(e, "swap", m.Swap)
	optionalNumber(e, "kernel", m.Kernel)
	optionalNumber(e, "kernelTCP", m.KernelTCP)
	optionalNumber(e, "swappiness", m.Swappiness)
	e.optionalFlag("disableOOMKiller", m.DisableOOMKiller)
	e.optionalFlag("useHierarchy", m.UseHierarchy)
	e.optionalFlag("checkBeforeUpdate", m.CheckBeforeUpdate)
}

func (e *stateEncoder) cpu(c *specs.LinuxCPU) {
	optionalNumber(e, "shares", c.Shares)
	optionalNumber(e, "quota", c.Quota)
	optionalNumber(e, "burst", c.Burst)
	optionalNumber(e, "period", c.Period)
	optionalNumber(e, "realtimeRuntime", c.RealtimeRuntime)
	optionalNumber(e, "realtimePeriod", c.RealtimePeriod)
	e.optionalText("cpus", c.Cpus)
	e.optionalText("mems", c.Mems)
	optionalNumber(e, "idle", c.Idle)
}

// object appends a member that is an object of its own.
func (e *stateEncoder) object(name string, members func(*stateEncoder)) {
	e.key(name)
	inner := stateEncoder{}
	if members(&inner); len(inner.buf) == 0 {
		inner.buf = append(inner.buf, '{')
	}
	e.buf = append(append(e.buf, inner.buf...), '}')
}

// optionalNumber leaves out what is not set.
func optionalNumber[T int64 | uint64](e *stateEncoder, name string, value *T) {
	if value == nil {
		return
	}
	e.key(name)
	if *value < 0 {
		e.buf = strconv.AppendInt(e.buf, int64(*value), 10)
	} else {
		e.buf = strconv.AppendUint(e.buf, uint64(*value), 10)
	}
}

// optionalFlag leaves out what is not set.
func (e *stateEncoder) optionalFlag(name string, value *bool) {
	if value != nil {
		e.key(name)
		e.buf = strconv.AppendBool(e.buf, *value)
	}
}

// rare leaves it to encoding/json.
func (e *stateEncoder) rare(name string, value any, set bool) {
	if set {
		e.any(name, value)
	}
}

// raw appends what is JSON already, and leaves out what is empty.
func (e *stateEncoder) raw(name string, value json.RawMessage) {
	if len(value) > 0 {
		e.key(name)
		e.buf = append(e.buf, value...)
	}
}
