// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// line is an event of the file. The format is described in "Trace Event Format" of Chrome's
// developers. Kind X is a phase, and M a name.
type line struct {
	Kind string `json:"ph"`
	Name string `json:"name"`
	// Start and Duration are in microseconds, with a fraction.
	Start    *float64 `json:"ts,omitempty"`
	Duration *float64 `json:"dur,omitempty"`
	PID      int      `json:"pid"`
	TID      int      `json:"tid"`
	Args     *args    `json:"args,omitempty"`
}

type args struct {
	Name  string `json:"name,omitempty"`
	Error string `json:"error,omitempty"`
}

// processName returns the event with the name of a process.
func processName(pid int, name string) []byte {
	text, _ := json.Marshal(&line{Kind: "M", Name: "process_name", PID: pid, TID: number(Runtime, pid), Args: &args{Name: name}})
	return text // of strings and integers, so there is no error
}

// encode returns the events as lines, each with a comma at its beginning.
func (t *Trace) encode(pid int) ([]byte, error) {
	events := t.Take()
	// A viewer puts a phase below the one that contains it if that one comes first.
	slices.SortStableFunc(events, func(a, b Event) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.End, a.End))
	})
	var lines []line
	for l := Runtime; l < lanes; l++ {
		if slices.ContainsFunc(events, func(e Event) bool { return e.Lane == l }) {
			lines = append(lines, line{Kind: "M", Name: "thread_name", PID: pid, TID: number(l, pid), Args: &args{Name: l.String()}})
		}
	}
	for i := range events {
		e := &events[i]
		start, duration := microseconds(e.Start), microseconds(e.End-e.Start)
		event := line{Kind: "X", Name: e.Name, Start: &start, Duration: &duration, PID: pid, TID: number(e.Lane, pid)}
		if e.Error != "" {
			event.Args = &args{Error: e.Error}
		}
		lines = append(lines, event)
	}
	var out bytes.Buffer
	if t.process != nil {
		out.WriteByte(',')
		out.Write(t.process)
		out.WriteByte('\n')
	}
	for i := range lines {
		text, err := json.Marshal(&lines[i])
		if err != nil {
			return nil, err
		}
		out.WriteByte(',')
		out.Write(text)
		out.WriteByte('\n')
	}
	return out.Bytes(), nil
}

// number returns the thread id of a lane. Some viewers take two threads with the same id for one,
// even if they are of different processes. Pids have 22 bits.
func number(l Lane, pid int) int { return int(l)<<22 | pid }

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
