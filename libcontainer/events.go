// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/cgroups/stats"
	"github.com/berth-run/berth/libcontainer/codes"
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

type (
	// CPUStats are what [Stats] has of the CPU controller.
	CPUStats = stats.CPU
	// ThrottlingStats are those of its quota.
	ThrottlingStats = stats.Throttling
	// MemoryStats are what Stats has of the memory controller.
	MemoryStats = stats.Memory
	// PSI is the pressure on one resource.
	PSI = stats.PSI
	// BlkioEntry is a number of a block device.
	BlkioEntry = stats.BlkioEntry
)

// Stats are the statistics of a container.
type Stats struct {
	stats.Stats
	IntelRdt *resctrl.Stats `json:"intel_rdt"` // never nil: readers want the key
	// NetworkInterfaces are the interfaces that berth made; null if there are none, because
	// readers expect the key.
	NetworkInterfaces []InterfaceStats `json:"network_interfaces"`
}

// Stats returns the statistics of a container that has not stopped; otherwise an error that
// matches ErrNotRunning.
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

// notRunningError is ErrNotRunning with the text of `runc events`.
type notRunningError string

func (e notRunningError) Error() string { return "container with id " + string(e) + " is not running" }

// Code returns the code of ErrNotRunning.
func (notRunningError) Code() codes.Code { return codes.ContainerStopped }

func (notRunningError) Is(target error) bool { return target == record.ErrNotRunning }

func (c *Container) notRunning() error { return notRunningError(c.rec.ID) }

// WatchOptions are the options of [Store.Watch].
type WatchOptions struct {
	// IDs are the containers to watch. With All, Watch watches every container, including
	// those created later.
	IDs []string
	All bool
	// Interval is the time between two statistics.
	Interval time.Duration
	// Emit is called for each event. If it returns an error, the watch ends.
	Emit func(*Event) error
	Log  options.Logger
}

// Watch emits statistics at each interval, and an event each time the kernel kills a process of
// a container for lack of memory. It returns when all containers have stopped; with All, never.
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
		// After a slow reader, do not catch up with a burst.
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

// add starts watching a container.
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

// addNew starts watching new containers, if All is set.
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

// await waits for an event, an exit or the deadline, and emits the events.
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
		if err := w.emitFor(id, exited, oom); err != nil {
			return err
		}
	}
	return nil
}

// emitFor emits the events of one container, and keeps the container in the order unless it has
// stopped. An out-of-memory event comes before the end that it caused.
func (w *watch) emitFor(id string, exited, oom bool) error {
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
