// SPDX-License-Identifier: Apache-2.0

package record

import (
	"fmt"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// maxIDLength is NAME_MAX, because the id is the name of directories.
const maxIDLength = unix.NAME_MAX

// CacheName is a directory of the store that is not a container: berth 0.1.0-dev kept compiled
// seccomp filters there, and crun does.
const CacheName = ".cache"

// CheckID returns an error unless id can be the name of a directory, because it becomes a path
// component of the state and cgroup directories.
func CheckID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: %s", ErrInvalidID, configs.PhraseEmptyID)
	case len(id) > maxIDLength:
		return fmt.Errorf("%w: %q… is longer than %d bytes", ErrInvalidID, id[:32], maxIDLength)
	case id == "." || id == ".." || id == CacheName:
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
