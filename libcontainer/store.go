// SPDX-License-Identifier: Apache-2.0

// Package libcontainer is the engine: it creates, starts, signals, inspects and
// deletes containers, each of them a directory below the root of a [Store].
//
// It carries out plans ([configs.Config]) and decides nothing that a config.json
// decides. Its one invariant: whatever a command made before it failed is undone
// before it returns, and whatever a killed command left behind can be found by
// the state directory alone, so that Delete with force removes it.
package libcontainer

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/options"
)

// Store is a directory of containers (`--root`).
type Store struct {
	root string
	log  options.Logger // of LogTo; nil for none
}

// Open is the store at root, an absolute path. The directory is made by the
// first Create, not before.
func Open(root string) *Store { return &Store{root: root} }

// dir is the state directory of id.
func (s *Store) dir(id string) string { return filepath.Join(s.root, id) }

// record is that of id, of which nothing is read.
func (s *Store) record(id string) *record.Record {
	return &record.Record{Root: s.root, Dir: s.dir(id), ID: id, Log: s.log}
}

// container is the one with the state st.
func (s *Store) container(id string, st *record.State) *Container {
	r := s.record(id)
	r.Saved = *st
	return &Container{rec: r}
}

// Load finds the container. The error is ErrNotExist when there is none.
func (s *Store) Load(id string) (*Container, error) {
	if err := record.CheckID(id); err != nil {
		return nil, err
	}
	s.record(id).Debugf("read its state")
	st, err := record.Read(s.dir(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil, record.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	return s.container(id, st), nil
}

// List gives the state of all containers, in the order of their names. Entries
// that cannot be read are reported to log and skipped. A root that does not exist
// is an error that matches os.ErrNotExist.
func (s *Store) List(log options.Logger) ([]*State, error) {
	ids, err := s.IDs()
	if err != nil {
		return nil, err
	}
	var states []*State
	for _, id := range ids {
		st, err := s.describe(id)
		if errors.Is(err, record.ErrNotExist) {
			continue // being created or deleted at this moment
		}
		if err != nil {
			log.Warnf("container %q: %v", id, err)
			continue
		}
		states = append(states, st)
	}
	return states, nil
}

// IDs lists the containers in the order of their names, also those of which nothing
// else can be told. A root that does not exist is an error that matches
// os.ErrNotExist.
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

// describe is the state of one container with the name of its owner.
func (s *Store) describe(id string) (*State, error) {
	c, err := s.Load(id)
	if err != nil {
		return nil, err
	}
	st, err := c.State()
	if err != nil {
		return nil, err
	}
	if fi, err := os.Stat(s.dir(id)); err == nil {
		st.Owner = ownerName(fi)
	}
	return st, nil
}

// ownerName is the user name of a file's owner, "#UID" when it has none.
func ownerName(fi os.FileInfo) string {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	uid := strconv.FormatUint(uint64(st.Uid), 10)
	if u, err := user.LookupId(uid); err == nil {
		return u.Username
	}
	return "#" + uid
}

// CheckProc refuses a /proc that is none, or that of another pid namespace, whose numbers
// mean other processes here.
func CheckProc() error { return procs.Check() }
