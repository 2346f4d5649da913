// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/cgroups/stats"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/resctrl"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The types of an Event.
const (
	EventStats = "stats"
	EventOOM   = "oom"
)

// Event is one line of `events`; the JSON is runc's.
type Event struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	// Data is nil for EventOOM.
	Data *Stats `json:"data,omitempty"`
}

// Stats are the statistics of a container.
type Stats struct {
	stats.Stats
	IntelRdt *resctrl.Stats `json:"intel_rdt"` // never nil: readers want the key
	// NetworkInterfaces are those that berth has made, null for none: readers want the key.
	NetworkInterfaces []InterfaceStats `json:"network_interfaces"`
}

// Stats gives the statistics of a container that has not stopped. ErrNotRunning
// otherwise, with the words of runc.
func (c *Container) Stats() (*Stats, error) {
	status, err := c.rec.Status()
	if err != nil {
		return nil, err
	}
	if status == specs.StateStopped {
		return nil, c.notRunning()
	}
	m, err := c.rec.Cgroup()
	if err != nil {
		return nil, err
	}
	c.rec.Debugf("read the statistics of the cgroups %v", c.rec.Saved.CgroupPaths)
	s, err := m.Stats()
	if err != nil {
		return nil, err
	}
	rdt, err := c.resctrlStats()
	if err != nil {
		return nil, err
	}
	interfaces, err := c.interfaceStats()
	if err != nil {
		return nil, err
	}
	return &Stats{Stats: *s, IntelRdt: rdt, NetworkInterfaces: interfaces}, nil
}

// notRunningError is ErrNotRunning in the words of `runc events`.
type notRunningError string

func (e notRunningError) Error() string { return "container with id " + string(e) + " is not running" }

func (notRunningError) Is(target error) bool { return target == record.ErrNotRunning }

func (c *Container) notRunning() error { return notRunningError(c.rec.ID) }

// WatchOptions say what to watch.
type WatchOptions struct {
	// IDs are the containers; with All those that there are, also later ones.
	IDs []string
	All bool
	// Interval is the time between two statistics.
	Interval time.Duration
	// Emit gets each event. An error ends the watch.
	Emit func(*Event) error
	Log  options.Logger
}

// Watch emits statistics at each interval, and each time that a container had no
// memory for a process, until all containers have stopped; with All for ever.
func (s *Store) Watch(o *WatchOptions) error {
	w := &watch{store: s, opts: o, watched: map[string]*watchedContainer{}}
	defer w.close()
	for _, id := range o.IDs {
		if err := w.add(id); err != nil {
			return err
		}
	}
	if err := w.addNew(); err != nil {
		return err
	}
	next := time.Now().Add(o.Interval)
	for o.All || len(w.watched) > 0 {
		if err := w.await(next); err != nil {
			return err
		}
		if time.Now().Before(next) {
			continue
		}
		if err := w.tick(); err != nil {
			return err
		}
		// A reader that was slow does not get a burst.
		next = next.Add(o.Interval)
		if now := time.Now(); next.Before(now) {
			next = now.Add(o.Interval)
		}
	}
	return nil
}

// watch is a Watch in progress.
type watch struct {
	store   *Store
	opts    *WatchOptions
	watched map[string]*watchedContainer
	order   []string
}

type watchedContainer struct {
	container *Container
	pidfd     *os.File
	oom       *stats.OOMWatch // nil without a memory controller
}

func (wc *watchedContainer) close() {
	_ = wc.pidfd.Close()
	if wc.oom != nil {
		_ = wc.oom.Close()
	}
}

func (w *watch) close() {
	for _, wc := range w.watched {
		wc.close()
	}
}

// add begins to watch a container.
func (w *watch) add(id string) error {
	if w.watched[id] != nil {
		return nil
	}
	c, err := w.store.Load(id)
	if err != nil {
		return err
	}
	if c.rec.Saved.PID == 0 {
		return c.notRunning()
	}
	wc := &watchedContainer{container: c}
	wc.pidfd, err = c.rec.OpenInit()
	if errors.Is(err, record.ErrNotRunning) {
		return c.notRunning()
	}
	if err != nil {
		return err
	}
	c.rec.Debugf("watch init %d and its memory", c.rec.Saved.PID)
	m, err := c.rec.Cgroup()
	if err == nil {
		wc.oom, err = m.WatchOOM()
	}
	if errors.Is(err, cgroups.ErrNoCgroup) {
		wc.close()
		return err // there never will be anything to tell
	}
	if err != nil {
		w.opts.Log.Debugf("container %s: no news of memory: %v", id, err)
	}
	w.watched[id] = wc
	w.order = append(w.order, id)
	return nil
}

// addNew begins to watch containers that are new, if all are wanted.
func (w *watch) addNew() error {
	if !w.opts.All {
		return nil
	}
	ids, err := w.store.IDs()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, id := range ids {
		err := w.add(id)
		if errors.Is(err, cgroups.ErrNoCgroup) {
			continue
		}
		if err != nil && !errors.Is(err, record.ErrNotRunning) && !errors.Is(err, record.ErrNotExist) {
			w.opts.Log.Warnf("container %s: %v", id, err)
		}
	}
	return nil
}

// await waits for news, an exit or the deadline, and emits the news.
func (w *watch) await(deadline time.Time) error {
	fds := make([]unix.PollFd, 0, 2*len(w.order))
	for _, id := range w.order {
		wc := w.watched[id]
		fds = append(fds, unix.PollFd{Fd: int32(wc.pidfd.Fd()), Events: unix.POLLIN})
		oom := unix.PollFd{Fd: -1} // is left out by poll(2)
		if wc.oom != nil {
			oom = wc.oom.PollFd()
		}
		fds = append(fds, oom)
	}
	timeout := max(0, time.Until(deadline)+time.Millisecond-1)
	_, err := unix.Poll(fds, int(timeout/time.Millisecond))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("poll: %w", err)
	}
	if err != nil {
		return nil
	}
	order := w.order
	w.order = nil
	for i, id := range order {
		exited, oom := fds[2*i].Revents != 0, fds[2*i+1].Revents != 0
		if err := w.news(id, exited, oom); err != nil {
			return err
		}
	}
	return nil
}

// news emits what happened to one container, and keeps it in the order unless it has
// stopped. What killed it comes before its end.
func (w *watch) news(id string, exited, oom bool) error {
	wc := w.watched[id]
	if wc.oom != nil && (oom || exited) {
		n, gone, err := wc.oom.News()
		if err != nil {
			return err
		}
		for range n {
			if err := w.opts.Emit(&Event{Type: EventOOM, ID: id}); err != nil {
				return err
			}
		}
		if gone {
			_ = wc.oom.Close()
			wc.oom = nil
		}
	}
	if exited {
		wc.close()
		delete(w.watched, id)
		return nil
	}
	w.order = append(w.order, id)
	return nil
}

// tick emits statistics.
func (w *watch) tick() error {
	for _, id := range w.order {
		s, err := w.watched[id].container.Stats()
		if errors.Is(err, record.ErrNotRunning) {
			continue // await will see to it
		}
		if err != nil {
			w.opts.Log.Warnf("container %s: %v", id, err)
			continue
		}
		if err := w.opts.Emit(&Event{Type: EventStats, ID: id, Data: s}); err != nil {
			return err
		}
	}
	return w.addNew()
}
