// SPDX-License-Identifier: Apache-2.0

// Package libcontainer is the engine: it creates, starts, signals, inspects and
// deletes containers, each of them a directory below the root of a [Store].
//
// It carries out plans ([configs.Config]) and makes no decision that a config.json makes. It has
// one invariant: a command that fails undoes everything it made before it returns, and what a
// killed command leaves behind can be found from the state directory alone, so that Delete
// with force removes it.
package libcontainer

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/berth-run/berth/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// Store is a directory of containers (`--root`).
type Store struct {
	root string
	log  options.Logger // of LogTo; nil for none
	// trace is that of TraceTo; nil for none.
	trace *trace.Trace
}

// Open returns the store at root, an absolute path. The first Create makes the directory.
func Open(root string) *Store { return &Store{root: root} }

// TraceTo makes the store and its containers record the times of their phases in t, which may be
// nil.
func (s *Store) TraceTo(t *trace.Trace) *Store {
	s.trace = t
	return s
}

// dir returns the state directory of a container.
func (s *Store) dir(id string) string { return filepath.Join(s.root, id) }

// record returns the record of a container, without reading its state.
func (s *Store) record(id string) *record.Record {
	return &record.Record{Root: s.root, Dir: s.dir(id), ID: id, Log: s.log, Trace: s.trace}
}

// container returns the container with the state st.
func (s *Store) container(id string, st *record.State) *Container {
	r := s.record(id)
	r.Saved = *st
	return &Container{rec: r}
}

// Load loads a container. If it does not exist, the error is ErrNotExist.
func (s *Store) Load(id string) (*Container, error) {
	if err := record.CheckID(id); err != nil {
		return nil, err
	}
	s.record(id).Debugf("read its state")
	span := s.trace.Begin(trace.Runtime, "read the state")
	st, err := record.Read(s.dir(id))
	_ = span.End(err)
	if errors.Is(err, os.ErrNotExist) {
		return nil, record.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	return s.container(id, st), nil
}

// List returns the states of all containers, sorted by id. It logs a warning for an entry that
// cannot be read, and skips it. If the store's directory does not exist, the error matches
// os.ErrNotExist.
func (s *Store) List(log options.Logger) ([]*State, error) {
	ids, err := s.IDs()
	if err != nil {
		return nil, err
	}
	described := s.describeAll(ids)
	var states []*State
	for i, d := range described {
		switch {
		case errors.Is(d.err, record.ErrNotExist): // being created or deleted at this moment
		case d.err != nil:
			log.Warnf("container %q: %v", ids[i], d.err)
		default:
			states = append(states, d.state)
		}
	}
	return states, nil
}

// description is what describe returns.
type description struct {
	state *State
	err   error
}

// describeAll describes the containers, in their order. It takes as many threads as there are CPUs,
// because nearly all of the time goes to system calls; but one if there are too few containers for
// another thread to pay.
func (s *Store) describeAll(ids []string) []description {
	const worthThread = 32
	all := make([]description, len(ids))
	var next atomic.Int64
	work := func() {
		for i := next.Add(1) - 1; i < int64(len(ids)); i = next.Add(1) - 1 {
			all[i].state, all[i].err = s.describe(ids[i])
		}
	}
	var others sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(ids)/worthThread) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	return all
}

// IDs returns the ids of all containers, sorted, including those whose state cannot be read. If
// the store's directory does not exist, the error matches os.ErrNotExist.
func (s *Store) IDs() ([]string, error) {
	entries, err := os.ReadDir(s.root)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != record.CacheName {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}

// describe returns the state of one container, with the name of its owner.
func (s *Store) describe(id string) (*State, error) {
	c, err := s.Load(id)
	if err != nil {
		return nil, err
	}
	st, err := c.State()
	if err != nil {
		return nil, err
	}
	var dir unix.Stat_t
	if err := unix.Stat(s.dir(id), &dir); err == nil {
		st.Owner = ownerName(dir.Uid)
	}
	return st, nil
}

// ownerName returns the name of a user, or "#UID" for one without a name.
func ownerName(id uint32) string {
	uid := strconv.FormatUint(uint64(id), 10)
	if u, err := user.LookupId(uid); err == nil {
		return u.Username
	}
	return "#" + uid
}

// CheckProc returns an error if /proc is not a procfs, or shows another pid namespace, in which
// the numbers stand for other processes.
func CheckProc() error { return procs.Check() }
