// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"slices"

	"github.com/berth-run/berth/libcontainer/trace"
)

// tracedBuilder records how long the builder takes for its phases.
type tracedBuilder struct {
	Builder
	trace *trace.Trace
}

// traced returns b with its phases recorded in t. Without a trace, that is b itself.
func traced(b Builder, t *trace.Trace) Builder {
	if t == nil {
		return b
	}
	return tracedBuilder{b, t}
}

func (b tracedBuilder) Mount() error {
	span := b.trace.Begin(trace.Runtime, "let the builder mount")
	return span.End(b.Builder.Mount())
}

func (b tracedBuilder) Finish() (*Built, error) {
	span := b.trace.Begin(trace.Runtime, "let the builder finish")
	built, err := b.Builder.Finish()
	return built, span.End(err)
}

// traceInProcess makes a builder process record its phases, if the runtime has a trace.
func (j *buildJob) traceInProcess() {
	if j.Traced {
		j.track = trace.Collect().Lane(trace.Builder)
	}
}

// sendPhases sends the runtime the phases of a builder process that have ended, in messages of
// their own, because there is a mount in each. Should one be too long for a message after all, the trace
// lacks it: that is no reason for the builder to fail.
func (j *buildJob) sendPhases(conn *msgConn) {
	const each = 8 // with a path in each, and an error that has another one
	for chunk := range slices.Chunk(j.track.Take(), each) {
		_ = conn.send(&builderReply{Phases: chunk})
	}
}
