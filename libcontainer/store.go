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
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// What callers branch on. Engines match these texts literally.
var (
	ErrNotExist   = errors.New("container does not exist")
	ErrExist      = errors.New("container with given ID already exists")
	ErrNotRunning = errors.New("container not running")
	ErrInvalidID  = errors.New("invalid container ID format")
)

// Logger is how the engine tells what is not an error.
type Logger interface {
	Warnf(format string, args ...any)
	Debugf(format string, args ...any)
	// Debugging says whether what Debugf gets is read by anybody.
	Debugging() bool
}

// Store is a directory of containers (`--root`).
type Store struct {
	root string
	log  Logger // of LogTo; nil for none
}

// Open is the store at root, an absolute path. The directory is made by the
// first Create, not before.
func Open(root string) *Store { return &Store{root: root} }

// maxIDLength is NAME_MAX: the id is the name of directories.
const maxIDLength = unix.NAME_MAX

// cacheName is the directory of a store that is no container: berth 0.1.0-dev kept compiled
// seccomp filters there, and crun does.
const cacheName = ".cache"

// checkID accepts what can be the name of one directory and nothing else: the id
// becomes a path component of the state and cgroup directories.
func checkID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: %s", ErrInvalidID, configs.PhraseEmptyID)
	case len(id) > maxIDLength:
		return fmt.Errorf("%w: %q… is longer than %d bytes", ErrInvalidID, id[:32], maxIDLength)
	case id == "." || id == ".." || id == cacheName:
		return fmt.Errorf("%w: %q", ErrInvalidID, id)
	}
	for i := range len(id) {
		c := id[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '_', c == '+', c == '-', c == '.':
		default:
			return fmt.Errorf("%w: %q (letters, digits and _+-. are allowed)", ErrInvalidID, id)
		}
	}
	return nil
}

// dir is the state directory of id.
func (s *Store) dir(id string) string { return filepath.Join(s.root, id) }

// Load finds the container. The error is ErrNotExist when there is none.
func (s *Store) Load(id string) (*Container, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	s.debugf("container %s: read its state", id)
	st, err := readState(s.dir(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	return &Container{store: s, id: id, saved: *st}, nil
}

// List gives the state of all containers, in the order of their names. Entries
// that cannot be read are reported to log and skipped. A root that does not exist
// is an error that matches os.ErrNotExist.
func (s *Store) List(log Logger) ([]*State, error) {
	ids, err := s.IDs()
	if err != nil {
		return nil, err
	}
	var states []*State
	for _, id := range ids {
		st, err := s.describe(id)
		if errors.Is(err, ErrNotExist) {
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
		if e.IsDir() && e.Name() != cacheName {
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
