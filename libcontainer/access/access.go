// SPDX-License-Identifier: Apache-2.0

// Package access finds out why the kernel returned EACCES for a path: which directory of the path
// may not be entered; and for a path that does not exist, what is there instead. It is used after something has failed, and changes nothing.
package access

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Explain adds to an EACCES for an absolute path which of its directories the calling thread may not
// enter or write to. It returns any other error unchanged.
func Explain(name string, err error) error {
	if !errors.Is(err, unix.EACCES) || !path.IsAbs(name) {
		return err
	}
	root, oerr := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if oerr != nil {
		return err
	}
	defer unix.Close(root)
	return ExplainAt(root, name, "/", err)
}

// ExplainAt is Explain for name in the directory dir, which is at the path at. Symbolic links are
// followed as if dir were the root.
//
// The directory in question is the last one that can be reached. If it may be entered and written
// to, a security module is the reason, and nothing is added.
func ExplainAt(dir int, name, at string, err error) error {
	if !errors.Is(err, unix.EACCES) {
		return err
	}
	reached := "."
	for part := range strings.SplitSeq(name, "/") {
		next := path.Join(reached, part)
		fd, oerr := openWithin(dir, next)
		if oerr != nil {
			break
		}
		unix.Close(fd)
		reached = next
	}
	fd, oerr := openWithin(dir, reached)
	if oerr != nil && reached == "." { // dir itself is closed
		fd, oerr = unix.FcntlInt(uintptr(dir), unix.F_DUPFD_CLOEXEC, 0)
	}
	if oerr != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return err
	}
	for _, right := range [...]struct {
		mode uint32
		verb string
	}{{unix.X_OK, "entered"}, {unix.W_OK, "written to"}} {
		if errors.Is(unix.Faccessat(fd, "", right.mode, unix.AT_EMPTY_PATH|unix.AT_EACCESS), unix.EACCES) {
			return fmt.Errorf("%w (the directory %s, of user %d and group %d with mode %04o, may not be %s)",
				err, path.Join(at, reached), st.Uid, st.Gid, st.Mode&0o7777, right.verb)
		}
	}
	return err
}

func openWithin(dir int, name string) (int, error) {
	return unix.Openat2(dir, name, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
}
