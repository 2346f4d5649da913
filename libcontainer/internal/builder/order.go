// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"golang.org/x/sys/unix"
)

// Normally the sources of bind mounts are opened beforehand, when nothing in the list is
// mounted yet. That is right for a source that no mount in the list can change: its path does
// not lead through the root file system. The others (buildJob.InOrder) are opened in the
// container's mount namespace, when the mounts before them have been made:
//
//	runtime                              builder
//	                                     mounts 0 … i-1
//	                                 ←   open the source of mount i
//	a thread: setns(mount namespace),
//	open, id maps
//	a detached tree                  →   mount i
//
// Links in the path may lead back to the root directory of that thread. It is the host's root
// directory in that namespace: links are followed as the host would follow them, and nothing of
// the container runs yet.

// mayChange reports whether a mount before the one at index may change what its source is.
func mayChange(cfg *configs.Config, index int) bool {
	return index > 0 && cfg.Namespaces.Contains(configs.NewMount) && leadsThrough(cfg.Mounts[index].Source, cfg.Rootfs.Path)
}

// leadsThrough reports whether the absolute path p passes through dir at any point while it is
// followed. The path of dir itself has no symbolic links.
func leadsThrough(p, dir string) bool {
	if dir == "/" {
		return true
	}
	at, rest := "/", strings.Split(p, "/")
	const maxLinks = 40 // the kernel's limit (path_resolution(7))
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		next := path.Join(at, name)
		if next == dir {
			return true
		}
		target, err := os.Readlink(next)
		if err != nil || next == at {
			at = next // not a link, or missing: go on with the name itself
			continue
		}
		if links++; links > maxLinks {
			return false
		}
		if path.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return false
}

// openInOrder opens the source of the mount at index as it is now. The calling thread is in the
// container's mount namespace. A nil file leaves the source to the builder.
func (o *TreeOpener) openInOrder(index int) (*os.File, error) {
	m := &o.cfg.Mounts[index]
	flags := unix.O_PATH | unix.O_CLOEXEC
	if m.SourceNoFollow {
		flags |= unix.O_NOFOLLOW
	}
	fd, err := unix.Open(m.Source, flags, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: m.Source, Err: err}
	}
	source := os.NewFile(uintptr(fd), m.Source)
	defer source.Close()
	tree, err := o.cloneInOrder(m, source, o.early[index])
	if err != nil {
		return nil, err
	}
	if m.IDMap != "" {
		err = o.idMaps.apply(m, tree)
	}
	if err == nil && o.cfg.Namespaces.Contains(configs.NewUser) {
		err = keepLocked(m, tree)
	}
	if err != nil {
		return nil, errors.Join(err, tree.Close())
	}
	return tree, nil
}

// cloneInOrder clones what m binds. early is the clone that was made from the host's mounts, if
// there was something at that path. It is the better one if nothing has changed: in a mount
// namespace that belongs to a user namespace, the kernel locks the flags of the host's mounts
// and keeps what they cover hidden, so that not all of them can be cloned.
func (o *TreeOpener) cloneInOrder(m *configs.Mount, source, early *os.File) (*os.File, error) {
	recursive := m.Flags&unix.MS_REC != 0
	if early != nil && !recursive {
		untouched, err := o.isUntouched(source, early)
		if err != nil {
			return nil, err
		}
		if untouched {
			return Duplicate(early)
		}
	}
	fd, err := mountapi.CloneTree(int(source.Fd()), recursive)
	if err == nil {
		return os.NewFile(uintptr(fd), m.Source), nil
	}
	if errors.Is(err, unix.EINVAL) && early != nil {
		if same, serr := looksSame(source, early); serr == nil && same {
			return Duplicate(early)
		}
	}
	return nil, fmt.Errorf("%s: %w", m.Source, err)
}

// isUntouched reports whether source, in the container's mount namespace, is what early has:
// the same file, in the mount that is the root file system or outside of it. Then no mount in
// the list has covered it or bound it with other options.
func (o *TreeOpener) isUntouched(source, early *os.File) (bool, error) {
	same, err := looksSame(source, early)
	if err != nil || !same {
		return false, err
	}
	at, err := os.Readlink(fmt.Sprintf("/proc/thread-self/fd/%d", source.Fd()))
	if err != nil {
		return false, err
	}
	dir := o.cfg.Rootfs.Path
	if at != dir && !strings.HasPrefix(at, strings.TrimSuffix(dir, "/")+"/") {
		return true, nil
	}
	root, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(root)
	rootID, err := mountapi.ID(root)
	if err != nil {
		return false, err
	}
	id, err := mountapi.ID(int(source.Fd()))
	return err == nil && id == rootID, err
}

// looksSame compares two files and how their mounts show them: the flags, and the owners, which
// an id map would have changed.
func looksSame(a, b *os.File) (bool, error) {
	var stat [2]unix.Stat_t
	var fs [2]unix.Statfs_t
	for i, f := range [...]*os.File{a, b} {
		if err := unix.Fstat(int(f.Fd()), &stat[i]); err != nil {
			return false, os.NewSyscallError("fstat", err)
		}
		if err := unix.Fstatfs(int(f.Fd()), &fs[i]); err != nil {
			return false, os.NewSyscallError("fstatfs", err)
		}
	}
	x, y := &stat[0], &stat[1]
	return x.Dev == y.Dev && x.Ino == y.Ino && x.Uid == y.Uid && x.Gid == y.Gid && fs[0].Flags == fs[1].Flags, nil
}

// Duplicate returns another descriptor for the same tree.
func Duplicate(f *os.File) (*os.File, error) {
	fd, err := sysfile.Dup(int(f.Fd()))
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// serveSource opens the source of a mount for a builder process, which asks for it by the index
// of the mount.
func (b *processBuilder) serveSource(index int) (tree *os.File, err error) {
	if b.job.opener == nil || index < 0 || index >= len(b.site.Config.Mounts) {
		return nil, errors.New("there is no such source to open")
	}
	err = b.inMountNamespace(func() (err error) {
		tree, err = b.job.opener.openInOrder(index)
		return err
	})
	return tree, err
}
