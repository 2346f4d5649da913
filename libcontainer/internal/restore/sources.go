// SPDX-License-Identifier: Apache-2.0

package restore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/builder"
	"github.com/berth-run/berth/libcontainer/internal/criu"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/libcontainer/rootfs"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Criu is never given a path of the host. As root, it would follow the path to whatever it
// leads to by then, and bind it writable before it sets the options. Instead it gets mounts
// that are prepared in its own mount namespace. Each of them shows the file that was opened
// (below directories that others can write to, without following a link), and has all its
// options before anybody sees it. A read-only one is read-only from the beginning, since criu
// clones it.
//
// This is also how id maps are applied, which criu does not know, and how the root of a user
// namespace gets sources that it cannot reach, and whose options it may not set.

// prepared are the mounts that are made for criu.
type prepared struct {
	// stage is the directory that they are made in; "" as long as there are none.
	stage string
	open  []openPrepared
	// mounts are the resulting mounts, by path.
	mounts map[string]*mountinfo.Info
}

// openPrepared opens the tree of a prepared mount, nil if there is none. late holds the
// attributes that have to be set after it is attached, on kernels that know no other way.
type openPrepared func(*builder.TreeOpener) (tree *os.File, late mountapi.Attr, err error)

// stages are the directories to choose the stage from if there is a user namespace, whose root
// has to reach it. A stage below /proc or /sys would cover a part of them, and then the kernel
// would not let the container mount its own.
var stages = [...]string{"/mnt", "/media", "/srv", "/dev/shm"}

// findStage returns a directory that exists and contains nothing that criu needs: the stage
// will hide its content from criu. Without a user namespace the state directory will do.
func (r *Restoration) findStage() (string, error) {
	if !r.inUserns() {
		return r.Dir, nil
	}
	needed := []string{r.Cfg.Rootfs.Path, r.o.ImagePath, r.o.WorkPath, r.run.Task.Path}
	for i, p := range needed {
		if abs, err := filepath.Abs(p); err == nil {
			needed[i] = abs
		}
		if final, err := filepath.EvalSymlinks(needed[i]); err == nil {
			needed[i] = final
		}
	}
	for _, dir := range stages {
		var st unix.Stat_t
		const all = 0o001
		hides := slices.ContainsFunc(needed, func(p string) bool { return criu.Beneath(p, dir) })
		if unix.Lstat(dir, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR && st.Mode&all != 0 && !hides {
			return dir, nil
		}
	}
	return "", fmt.Errorf("none of %q is a directory to mount on, for criu to see", stages)
}

// prepare plans a mount and returns the path that it is going to have.
func (r *Restoration) prepare(open openPrepared) (string, error) {
	if r.prepared.stage == "" {
		var err error
		if r.prepared.stage, err = r.findStage(); err != nil {
			return "", err
		}
	}
	r.prepared.open = append(r.prepared.open, open)
	return r.prepared.path(len(r.prepared.open) - 1), nil
}

func (p *prepared) path(i int) string { return filepath.Join(p.stage, strconv.Itoa(i)) }

// inUserns reports whether the root of a user namespace does criu's work.
func (r *Restoration) inUserns() bool {
	return r.Cfg.Namespaces.Contains(configs.NewUser) && !userns.Unprivileged()
}

// prepareBind prepares what criu is to bind for m, without what is mounted below it: in a user
// namespace criu could not bind one without the other.
func (r *Restoration) prepareBind(m *configs.Mount) (string, error) {
	top := *m
	top.Flags &^= unix.MS_REC
	return r.prepare(func(o *builder.TreeOpener) (*os.File, mountapi.Attr, error) { return r.openBind(&top, o) })
}

// prepareBelow is prepareBind for what is at the path rel below the source of m.
func (r *Restoration) prepareBelow(m *configs.Mount, rel string) (string, error) {
	below := *m
	below.Flags &^= unix.MS_REC
	return r.prepare(func(o *builder.TreeOpener) (*os.File, mountapi.Attr, error) {
		fd, err := openBeneath(m.Source, rel)
		if errors.Is(err, unix.ENOENT) {
			return nil, mountapi.Attr{}, nil // then criu does not need it either
		}
		if err != nil {
			return nil, mountapi.Attr{}, fmt.Errorf("%s: %w", m.Field, err)
		}
		defer unix.Close(fd)
		below.Source = fmt.Sprintf("/proc/self/fd/%d", fd)
		return r.openBind(&below, o)
	})
}

// openBeneath opens (O_PATH) what is at rel below dir, a path from the config. Anybody with
// write access there may have replaced a part of rel by a link to anywhere on the host since it
// was examined.
func openBeneath(dir, rel string) (int, error) {
	top, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	if rel = strings.Trim(rel, "/"); rel == "" {
		return top, nil
	}
	defer unix.Close(top)
	fd, err := unix.Openat2(top, rel, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return -1, &os.PathError{Op: "openat2", Path: filepath.Join(dir, rel), Err: err}
	}
	return fd, nil
}

// prepareFile prepares what criu is to bind for a path of the host that nobody else can write
// to, with the options in a.
func (r *Restoration) prepareFile(path string, a mountapi.Attr) (string, error) {
	return r.prepare(func(o *builder.TreeOpener) (*os.File, mountapi.Attr, error) {
		fd, err := mountapi.OpenTree(path, false)
		if errors.Is(err, unix.ENOENT) {
			return nil, mountapi.Attr{}, nil // then criu does not need it either
		}
		if err != nil {
			return nil, mountapi.Attr{}, err
		}
		return r.withOptions(os.NewFile(uintptr(fd), path), a, mountapi.Attr{}, o)
	})
}

// openBind opens the tree of a bind mount, with all its options.
func (r *Restoration) openBind(m *configs.Mount, o *builder.TreeOpener) (*os.File, mountapi.Attr, error) {
	fail := func(err error) (*os.File, mountapi.Attr, error) {
		return nil, mountapi.Attr{}, rootfs.MountError(m, err)
	}
	var tree *os.File
	if m.IDMap != "" || r.inUserns() {
		if err := o.HaveSetAttr(); err != nil {
			return fail(fmt.Errorf("needs Linux 5.12: %w", err))
		}
		var err error
		if tree, err = o.Bind(m); err == nil && tree == nil {
			err = unix.EPERM
		}
		if err != nil {
			return fail(err)
		}
	} else {
		// Criu's mount namespace has slaves of the host's mounts. This becomes one too.
		fd, err := rootfs.OpenSource(m)
		if err != nil {
			return fail(err)
		}
		tree = os.NewFile(uintptr(fd), m.Source)
	}
	a, err := r.bindFlags(m, tree)
	if err != nil {
		return fail(errors.Join(err, tree.Close()))
	}
	tree, late, err := r.withOptions(tree, a, mountapi.FullAtime(mountapi.Attr{Set: m.RecAttrSet, Clear: m.RecAttrClear}), o)
	if err != nil {
		return fail(fmt.Errorf("options: %w", err))
	}
	return tree, late, nil
}

// bindFlags returns what a create makes of the flags of a bind mount (rootfs.Builder).
func (r *Restoration) bindFlags(m *configs.Mount, tree *os.File) (a mountapi.Attr, err error) {
	if !mountapi.NamesFlags(m.Flags, m.Cleared) {
		return a, nil
	}
	if a = mountapi.ReplaceAttr(m.Flags); r.inUserns() {
		return mountapi.KeepLocked(int(tree.Fd()), m.Cleared, a)
	}
	return a, nil
}

// withOptions sets the options of a tree. It closes the tree on error.
func (r *Restoration) withOptions(tree *os.File, a, rec mountapi.Attr, o *builder.TreeOpener) (*os.File, mountapi.Attr, error) {
	if o.HaveSetAttr() != nil && rec.IsZero() {
		return tree, a, nil
	}
	var err error
	if !a.IsZero() {
		err = mountapi.SetAttr(int(tree.Fd()), false, a)
	}
	if err == nil && !rec.IsZero() {
		err = mountapi.SetAttr(int(tree.Fd()), true, rec)
	}
	if err != nil {
		return nil, mountapi.Attr{}, errors.Join(err, tree.Close())
	}
	return tree, mountapi.Attr{}, nil
}

// attachPrepared makes the mounts, in criu's mount namespace.
func (r *Restoration) attachPrepared() error {
	p := &r.prepared
	if p.stage == "" {
		return nil
	}
	opener := builder.NewTreeOpener(r.Cfg)
	defer opener.Close()
	// Open all of them before the stage hides anything.
	trees, late := make([]*os.File, len(p.open)), make([]mountapi.Attr, len(p.open))
	defer func() {
		for _, f := range trees {
			if f != nil {
				_ = f.Close()
			}
		}
	}()
	for i, open := range p.open {
		var err error
		if trees[i], late[i], err = open(opener); err != nil {
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
		if err := attachTree(tree, p.path(i), late[i]); err != nil {
			return fmt.Errorf("mount %s for criu: %w", tree.Name(), err)
		}
	}
	mounts, err := criu.ReadMounts("thread-self")
	if err != nil {
		return err
	}
	// The kernel names mounts without links, which the path of the state directory may have:
	// dockerd's is below /var/run.
	final, err := filepath.EvalSymlinks(p.stage)
	if err != nil {
		return err
	}
	p.mounts = make(map[string]*mountinfo.Info)
	for _, m := range mounts {
		if filepath.Dir(m.Mountpoint) == final {
			p.mounts[filepath.Join(p.stage, filepath.Base(m.Mountpoint))] = m
		}
	}
	return nil
}

// attachTree mounts a tree on point, which it creates, and then sets what could not be set
// before.
func attachTree(tree *os.File, point string, late mountapi.Attr) error {
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
	err = errors.Join(mountapi.MoveMount(int(tree.Fd()), target), unix.Close(target))
	if err != nil || late.IsZero() {
		return err
	}
	// Without mount_setattr(2) (Linux 5.12): mount(2). Nobody else sees the mount here.
	return mountapi.Remount(point, int(tree.Fd()), false, late)
}
