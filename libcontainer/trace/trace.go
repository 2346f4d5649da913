// SPDX-License-Identifier: Apache-2.0

// Package trace records how long the phases of a command take, and writes them in the format of
// Chrome's trace events, which ui.perfetto.dev and chrome://tracing show.
//
// It records names and times, the paths of the plan, and errors, but neither environments nor
// arguments of programs. A nil Trace is one that is off: its methods return at once, and neither
// allocate nor read a clock.
package trace

import (
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Lane is what a phase belongs to. What happens in one lane does not overlap, unless a phase is
// part of another one.
type Lane uint8

// Lanes of a command.
const (
	// Runtime is the command itself.
	Runtime Lane = iota
	// Builder is the thread or process that makes the root file system.
	Builder
	// Init is the process that becomes the user's program, as far as its messages tell.
	Init
	// Cgroup is the part of a create that makes cgroups, other than one of v2, while init is started.
	Cgroup
	// Network is the part of a create that connects the network.
	Network
	lanes
)

// String returns the name of the track.
func (l Lane) String() string {
	return [lanes]string{"runtime", "builder", "init", "cgroup", "network"}[l]
}

// Trace collects the phases of one command. Its methods may be called on several threads, and on
// a nil Trace.
type Trace struct {
	file file
	path string
	// process is the event with the name of the process; nil if the file has it already.
	process []byte

	// zero is a reading of the clock, and offset is CLOCK_MONOTONIC at that time. Go does not
	// show its own reading of it, which needs no system call.
	zero   time.Time
	offset time.Duration

	tell func(*Event)

	mu     sync.Mutex
	events []Event
}

// Event is a phase that has ended.
type Event struct {
	Lane Lane   `json:",omitempty"`
	Name string `json:",omitempty"`
	// Start and End are readings of CLOCK_MONOTONIC.
	Start, End time.Duration
	// Error is why the phase failed; "" if it did not.
	Error string `json:",omitempty"`
}

// Collect returns a trace without a file: Take returns what it has collected.
func Collect() *Trace {
	t := &Trace{file: noFile, zero: time.Now()}
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // cannot fail
	t.offset = time.Duration(ts.Nano())
	return t
}

// TellTo has each phase told to f when it ends, on any thread. It is called before the first one.
func (t *Trace) TellTo(f func(*Event)) { t.tell = f }

// Lane returns the track of a lane, for the phases of somebody who knows nothing of the others.
func (t *Trace) Lane(l Lane) Track { return Track{t, l} }

// Begin begins a phase in a lane. The phase is called what, followed by the words of about. It is
// recorded when it ends.
func (t *Trace) Begin(l Lane, what string, about ...string) Span {
	if t == nil {
		return Span{}
	}
	return t.begin(l, what, about)
}

// begin is not part of Begin, so that Begin is small enough to be inlined.
func (t *Trace) begin(l Lane, what string, about []string) Span {
	if len(about) > 0 {
		what += " " + strings.Join(about, " ")
	}
	return Span{trace: t, lane: l, name: what, start: t.at(time.Now())}
}

// at converts a time to a reading of CLOCK_MONOTONIC.
func (t *Trace) at(now time.Time) time.Duration { return t.offset + now.Sub(t.zero) }

// Record records a phase that has ended. It was not begun with Begin because it was not known then
// that there would be a trace.
func (t *Trace) Record(l Lane, what string, start, end time.Time) {
	if t != nil {
		t.Add(Event{Lane: l, Name: what, Start: t.at(start), End: t.at(end)})
	}
}

// Add adds events of another process.
func (t *Trace) Add(events ...Event) {
	if t == nil {
		return
	}
	if t.tell != nil {
		for i := range events {
			t.tell(&events[i])
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, events...)
}

// Take returns the events so far, and forgets them.
func (t *Trace) Take() []Event {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	events := t.events
	t.events = nil
	return events
}

// Track is a lane of a trace. The zero Track is off.
type Track struct {
	trace *Trace
	lane  Lane
}

// On reports whether there is a trace.
func (k Track) On() bool { return k.trace != nil }

// Begin begins a phase, as [Trace.Begin] does.
func (k Track) Begin(what string, about ...string) Span {
	if k.trace == nil {
		return Span{}
	}
	return k.trace.begin(k.lane, what, about)
}

// Add adds events of another process, which belong to this track.
func (k Track) Add(events []Event) {
	if k.trace == nil {
		return
	}
	for i := range events {
		events[i].Lane = k.lane
	}
	k.trace.Add(events...)
}

// Take returns the events of the whole trace, and forgets them.
func (k Track) Take() []Event { return k.trace.Take() }

// Span is a phase that has begun. The zero Span records nothing.
type Span struct {
	trace *Trace
	lane  Lane
	name  string
	start time.Duration
}

// End ends the phase. err is its error, which End returns.
func (s *Span) End(err error) error {
	if s.trace != nil {
		s.end(err)
	}
	return err
}

func (s *Span) end(err error) {
	e := Event{Lane: s.lane, Name: s.name, Start: s.start, End: s.trace.at(time.Now())}
	if err != nil {
		e.Error = err.Error()
	}
	s.trace.Add(e)
}
