// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/trace"
)

// TestSendPhases: the phases of a builder process come before its answer, however many there are,
// and one that is too long for a message does not matter.
func TestSendPhases(t *testing.T) {
	ours, theirs, err := msgPair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.close()
	const phases = 1000
	go func() {
		conn := &msgConn{theirs}
		defer conn.close()
		job := &buildJob{Traced: true}
		job.traceInProcess()
		for range phases {
			span := job.track.Begin("mount", "mounts[0]", strings.Repeat("/dir", 1000))
			_ = span.End(errors.New("no"))
		}
		job.sendPhases(conn)
		span := job.track.Begin(strings.Repeat("x", maxMessage))
		_ = span.End(nil)
		job.sendPhases(conn)
		sendBuilt(conn, &Built{Home: "/home"}, nil)
	}()
	all := trace.Collect()
	b := builderProcess{conn: ours}
	r, _, err := b.answer(requests{phases: all.Lane(trace.Builder).Add})
	if err != nil || r.Home != "/home" {
		t.Fatalf("answer %+v, %v", r, err)
	}
	got := all.Take()
	if len(got) != phases {
		t.Errorf("%d phases, want %d", len(got), phases)
	}
	for _, e := range got {
		if e.Lane != trace.Builder || !strings.HasPrefix(e.Name, "mount mounts[0] /dir") || e.Start <= 0 || e.End < e.Start || e.Error != "no" {
			t.Fatalf("phase %+v", e)
		}
	}
}

// TestSendNoPhases: without a trace there are no further messages.
func TestSendNoPhases(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	job := &buildJob{}
	job.traceInProcess()
	job.sendPhases(&msgConn{w}) // would fail: this is not a socket
	if job.track.On() || w.Close() != nil {
		t.Error("there is a trace")
	}
}
