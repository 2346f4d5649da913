// SPDX-License-Identifier: Apache-2.0

package reach

import (
	"errors"
	"os"
	"path"

	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"golang.org/x/sys/unix"
)

// Root is the root that the builder works in: an inroot.Root that has the runtime open the files
// that the builder has no right to.
type Root struct {
	*inroot.Root
	ask func(root int, r *Request) (int, error)
}

// NewRoot returns root with ask, which has a request done. It is nil if nobody has more rights
// than the caller.
func NewRoot(root *inroot.Root, ask func(root int, r *Request) (int, error)) *Root {
	return &Root{Root: root, ask: ask}
}

// viaRuntime lets the runtime do what failed with err. It returns err itself if the cause was
// not a lack of rights, or nobody has more.
func (d *Root) viaRuntime(err error, r *Request) (int, error) {
	if d.ask == nil || !errors.Is(err, unix.EACCES) {
		return -1, err
	}
	fd, err := d.ask(d.FD(), r)
	if errors.Is(err, unix.EOVERFLOW) && (r.Kind == Dir || r.Kind == File) {
		return d.makeOwn(r)
	}
	return fd, err
}

// makeOwn creates the last component of r with the builder's rights, in a directory that only
// the runtime can reach. That directory is in a file system that the builder has mounted, where
// the runtime's own user has no id (EOVERFLOW).
func (d *Root) makeOwn(r *Request) (int, error) {
	parent, err := d.ask(d.FD(), &Request{Kind: Open, Path: path.Dir(r.Path), Strict: r.Strict})
	if err != nil {
		return -1, err
	}
	dir := inroot.FromFD(parent)
	defer dir.Close()
	if r.Kind == File {
		return dir.OpenOrCreate(path.Base(r.Path), fileMode, dirMode, unix.RESOLVE_NO_SYMLINKS)
	}
	return dir.MkdirAll(path.Base(r.Path), dirMode, unix.RESOLVE_NO_SYMLINKS)
}

// Open is inroot.Root.Open. The runtime provides only O_PATH descriptors: access to the content
// of a file still depends on the builder's rights.
func (d *Root) Open(name string, flags int, resolve uint64) (int, error) {
	fd, err := d.Root.Open(name, flags, resolve)
	if err == nil || flags&unix.O_PATH == 0 {
		return fd, err
	}
	return d.viaRuntime(err, &Request{
		Kind: Open, Path: name,
		NoFollow: flags&unix.O_NOFOLLOW != 0, Strict: resolve&unix.RESOLVE_NO_SYMLINKS != 0,
	})
}

// MkdirAll is inroot.Root.MkdirAll, with dirMode.
func (d *Root) MkdirAll(name string, resolve uint64) (int, error) {
	fd, err := d.Root.MkdirAll(name, dirMode, resolve)
	if err == nil {
		return fd, nil
	}
	return d.viaRuntime(err, &Request{Kind: Dir, Path: name, Strict: resolve&unix.RESOLVE_NO_SYMLINKS != 0})
}

// Parent is inroot.Root.Parent.
func (d *Root) Parent(name string) (int, string, error) {
	fd, base, err := d.Root.Parent(name, dirMode)
	if err == nil {
		return fd, base, nil
	}
	fd, err = d.viaRuntime(err, &Request{Kind: Dir, Path: path.Dir(name)})
	return fd, path.Base(name), err
}

// OpenOrCreate is inroot.Root.OpenOrCreate, with fileMode and dirMode.
func (d *Root) OpenOrCreate(name string, resolve uint64) (int, error) {
	fd, err := d.Root.OpenOrCreate(name, fileMode, dirMode, resolve)
	if err == nil {
		return fd, nil
	}
	return d.viaRuntime(err, &Request{Kind: File, Path: name, Strict: resolve&unix.RESOLVE_NO_SYMLINKS != 0})
}

// Symlink creates the link name in dir, whose path in the root is dirPath. If there is such a
// link already, it is not an error.
func (d *Root) Symlink(target string, dir int, dirPath, name string) error {
	err := unix.Symlinkat(target, dir, name)
	if err != nil {
		at := path.Join(dirPath, name)
		_, err = d.viaRuntime(&os.PathError{Op: "symlinkat", Path: at, Err: err}, &Request{Kind: Link, Path: at, Target: target})
	}
	if errors.Is(err, unix.EEXIST) && hasLink(dir, name, target) {
		return nil
	}
	return err
}

// hasLink reports whether name in dir is a symbolic link to target.
func hasLink(dir int, name, target string) bool {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, name, buf)
	return err == nil && string(buf[:n]) == target
}

// OpenMountFile opens or creates the file name in dir, for something to be mounted on. dirPath
// is the path of dir in the root. A link is an error.
func (d *Root) OpenMountFile(dir int, dirPath, name string) (int, error) {
	const nofollow = unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(dir, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|nofollow, fileMode)
	if errors.Is(err, unix.EEXIST) {
		fd, err = unix.Openat(dir, name, unix.O_PATH|nofollow, 0)
	}
	if err != nil {
		at := path.Join(dirPath, name)
		fd, err = d.viaRuntime(&os.PathError{Op: "openat", Path: at, Err: err}, &Request{Kind: File, Path: at, Strict: true})
	}
	if err != nil {
		return -1, err
	}
	id, err := mountapi.Identify(fd)
	if err == nil {
		switch id.Mode & unix.S_IFMT {
		case unix.S_IFREG, unix.S_IFCHR, unix.S_IFBLK:
			return fd, nil
		}
		err = &os.PathError{Op: "openat", Path: name, Err: errors.New("not a regular file or a device")}
	}
	return -1, errors.Join(err, unix.Close(fd))
}
