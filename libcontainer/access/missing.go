// SPDX-License-Identifier: Apache-2.0

package access

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/berth-run/berth/libcontainer/nearest"
	"golang.org/x/sys/unix"
)

// maxNames is how many names of a directory are compared.
const maxNames = 4096

// ExplainMissing adds to an ENOENT or ENOTDIR for an absolute path what is there instead: the nearest
// name, the directory that is missing, or the file in place of a directory. It returns any other
// error unchanged, and an error for a path that exists.
func ExplainMissing(name string, err error) error {
	if !path.IsAbs(name) {
		return err
	}
	root, oerr := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if oerr != nil {
		return err
	}
	defer unix.Close(root)
	return ExplainMissingAt(root, name, "/", err)
}

// ExplainMissingAt is ExplainMissing for name in the directory dir, which is at the path at. Symbolic
// links are followed as if dir were the root.
//
// Engines choose an exit status by phrases in an error, so the explanation has none of the kernel's
// words.
func ExplainMissingAt(dir int, name, at string, err error) error {
	if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) {
		return err
	}
	if why := missing(dir, path.Join("/", name), at); why != "" {
		return fmt.Errorf("%w (%s)", err, why)
	}
	return err
}

func missing(dir int, name, at string) string {
	reached := "."
	for part := range strings.SplitSeq(name, "/") {
		next := path.Join(reached, part)
		fd, err := openAny(dir, next)
		if err == nil {
			unix.Close(fd)
			reached = next
			continue
		}
		if errors.Is(err, unix.ENOTDIR) {
			return path.Join(at, reached) + " is a file"
		}
		if !errors.Is(err, unix.ENOENT) {
			return ""
		}
		return instead(dir, reached, part, at, next == path.Join(".", name))
	}
	return ""
}

// instead says what there is in the directory reached in place of part.
func instead(dir int, reached, part, at string, last bool) string {
	fd, err := unix.Openat2(dir, reached, &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return ""
	}
	f := os.NewFile(uintptr(fd), reached)
	defer f.Close()
	where := path.Join(at, reached)
	var target [unix.PathMax]byte
	if n, err := unix.Readlinkat(fd, part, target[:]); err == nil {
		return path.Join(where, part) + " is a symbolic link to " + string(target[:n]) + ", which is not there"
	}
	why := ""
	if !last {
		why = "there is no " + path.Join(where, part)
	}
	names, _ := f.Readdirnames(maxNames)
	if near := nearest.Of(part, names); near != "" {
		why = strings.TrimPrefix(why+": did you mean "+path.Join(where, near)+"?", ": ")
	}
	return why
}

func openAny(dir int, name string) (int, error) {
	return unix.Openat2(dir, name, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
}
