// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"golang.org/x/sys/unix"
)

// Some mounts are prepared for criu to bind: those with id maps, which criu knows nothing
// of, and, for a user namespace, all, with all their options. As the root of that criu may
// not get to the sources, or change their options.

// prepared are the mounts that are made for criu, in its mount namespace alone.
type prepared struct {
	// stage is the directory that they are made in, "" as long as there are none.
	stage string
	// open opens the tree of each.
	open []func(*treeOpener) (*os.File, error)
}

// stages are the directories to choose the stage from. The root of a user namespace has to
// get there, which it need not to the state directory. Below /proc or /sys the kernel
// would take offence at it: nobody may mount those anew who does not see all of them.
var stages = [...]string{"/mnt", "/media", "/srv", "/dev/shm"}

// findStage finds a directory that exists and that the root file system is not in.
func findStage(rootfs string) (string, error) {
	for _, dir := range stages {
		var st unix.Stat_t
		const all = 0o001
		if unix.Lstat(dir, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR && st.Mode&all != 0 && !beneath(rootfs, dir) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("none of %q is a directory to mount on, for criu to see", stages)
}

// prepare plans a mount, and gives the path that it is going to have.
func (r *restoration) prepare(open func(*treeOpener) (*os.File, error)) (string, error) {
	if r.prepared.stage == "" {
		var err error
		if r.prepared.stage, err = findStage(r.cfg.Rootfs.Path); err != nil {
			return "", err
		}
	}
	r.prepared.open = append(r.prepared.open, open)
	return r.prepared.path(len(r.prepared.open) - 1), nil
}

func (p *prepared) path(i int) string { return filepath.Join(p.stage, strconv.Itoa(i)) }

// inUserns says whether criu's work is done by the root of a user namespace.
func (r *restoration) inUserns() bool {
	return r.cfg.Namespaces.Contains(configs.NewUser) && !unprivileged()
}

// prepareBind is what criu is to bind for m, without what is mounted below it: in a user
// namespace it could not take the one without the other.
func (r *restoration) prepareBind(m *configs.Mount) (string, error) {
	if m.IDMap == "" && !r.inUserns() {
		return m.Source, nil
	}
	top := *m
	top.Flags &^= unix.MS_REC
	return r.prepare(func(opener *treeOpener) (*os.File, error) { return openPrepared(&top, opener) })
}

// prepareBelow is what criu is to bind for a mount below the source of m.
func (r *restoration) prepareBelow(m *configs.Mount, path string) (string, error) {
	if m.IDMap != "ridmap" && !r.inUserns() {
		return path, nil
	}
	below := configs.Mount{
		Field: m.Field, Type: "bind", Source: path, Destination: m.Destination,
		RecAttrSet: m.RecAttrSet, RecAttrClear: m.RecAttrClear,
	}
	if m.IDMap == "ridmap" {
		below.IDMap, below.UIDMappings, below.GIDMappings = m.IDMap, m.UIDMappings, m.GIDMappings
	}
	return r.prepare(func(opener *treeOpener) (*os.File, error) { return openPrepared(&below, opener) })
}

// prepareFile is what criu is to bind for a path of the host, with the options of a.
func (r *restoration) prepareFile(path string, a mountapi.Attr) (string, error) {
	if !r.inUserns() {
		return path, nil
	}
	return r.prepare(func(*treeOpener) (*os.File, error) {
		fd, err := mountapi.OpenTree(path, false)
		if errors.Is(err, unix.ENOENT) {
			return nil, nil // then criu has no use for it either
		}
		if err != nil {
			return nil, err
		}
		if err := mountapi.SetAttr(fd, false, a); err != nil {
			return nil, errors.Join(err, unix.Close(fd))
		}
		return os.NewFile(uintptr(fd), path), nil
	})
}

// openPrepared opens the tree of a bind mount, with all its options.
func openPrepared(m *configs.Mount, opener *treeOpener) (*os.File, error) {
	if err := opener.haveSetAttr(); err != nil {
		return nil, fmt.Errorf("needs Linux 5.12: %w", err)
	}
	tree, err := opener.bind(m)
	if err != nil {
		return nil, fmt.Errorf("%s: mount %s on %s: %w", m.Field, m.Type, m.Destination, err)
	}
	if tree == nil {
		return nil, fmt.Errorf("%s: mount %s on %s: %w", m.Field, m.Type, m.Destination, unix.EPERM)
	}
	a := mountapi.AttrOf(m.Flags, m.Cleared)
	err = mountapi.ClearAtime(int(tree.Fd()), m.Cleared, &a)
	if err == nil && !a.IsZero() {
		err = mountapi.SetAttr(int(tree.Fd()), false, a)
	}
	rec := mountapi.FullAtime(mountapi.Attr{Set: m.RecAttrSet, Clear: m.RecAttrClear})
	if err == nil && !rec.IsZero() {
		err = mountapi.SetAttr(int(tree.Fd()), true, rec)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: options: %w", m.Field, err), tree.Close())
	}
	return tree, nil
}

// attachPrepared makes the mounts, in criu's mount namespace.
func (r *restoration) attachPrepared() error {
	p := &r.prepared
	if p.stage == "" {
		return nil
	}
	opener := &treeOpener{cfg: r.cfg, idMaps: &idMapper{cfg: r.cfg}}
	defer opener.idMaps.close()
	// All are opened before the stage hides anything.
	trees := make([]*os.File, len(p.open))
	defer func() {
		for _, f := range trees {
			if f != nil {
				_ = f.Close()
			}
		}
	}()
	for i, open := range p.open {
		var err error
		if trees[i], err = open(opener); err != nil {
			return err
		}
	}
	if err := unix.Mount("tmpfs", p.stage, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=711"); err != nil {
		return &os.PathError{Op: "mount", Path: p.stage, Err: err}
	}
	for i, tree := range trees {
		if tree == nil {
			continue
		}
		if err := attachTree(tree, p.path(i)); err != nil {
			return fmt.Errorf("mount %s for criu: %w", tree.Name(), err)
		}
	}
	return nil
}

// attachTree mounts a tree on point, which is made.
func attachTree(tree *os.File, point string) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(tree.Fd()), &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	var err error
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		err = os.Mkdir(point, 0o700)
	} else {
		err = os.WriteFile(point, nil, 0o600)
	}
	if err != nil {
		return err
	}
	target, err := unix.Open(point, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: point, Err: err}
	}
	return errors.Join(mountapi.MoveMount(int(tree.Fd()), target), unix.Close(target))
}
