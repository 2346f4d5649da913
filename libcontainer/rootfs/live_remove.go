// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/internal/mountinfo"
	"github.com/berth-run/berth/libcontainer/rootfs/target"
	"golang.org/x/sys/unix"
)

// Remove unmounts what is at the destinations of the config's mounts, the last one first, all
// or none.
func (l *Live) Remove() error {
	return l.within(func() error {
		var done []removed
		defer func() {
			for _, r := range done {
				r.close()
			}
		}()
		mounts := l.b.c.Mounts
		for i := len(mounts) - 1; i >= 0; i-- {
			span := l.b.o.Track.Begin("unmount", mounts[i].Field, mounts[i].Destination)
			r, err := l.remove(&mounts[i])
			if span.End(err) != nil {
				return l.putBack(done, fmt.Errorf("%s.destination: %s: %w", mounts[i].Field, mounts[i].Destination, err))
			}
			done = append(done, r)
		}
		return nil
	})
}

// removed is a mount that was removed, with a copy of it and of the mounts below.
type removed struct {
	m *configs.Mount
	// clone is -1 if there cannot be one: unbindable mounts cannot be copied.
	clone int
}

func (r removed) close() {
	if r.clone >= 0 {
		_ = unix.Close(r.clone)
	}
}

// putBack undoes a Remove that ended with err.
func (l *Live) putBack(done []removed, err error) error {
	for i := len(done) - 1; i >= 0; i-- {
		m := done[i].m
		perr := errors.New("an unbindable mount cannot be put back")
		if done[i].clone >= 0 {
			perr = l.reattach(m, done[i].clone)
		}
		if perr != nil {
			err = fmt.Errorf("%w (then, put %s back on %s: %w)", err, m.Field, m.Destination, perr)
		}
	}
	return err
}

func (l *Live) reattach(m *configs.Mount, tree int) error {
	target, err := l.b.root.Open(m.Destination, unix.O_PATH, 0)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	return mountapi.MoveMount(tree, target)
}

// remove unmounts the topmost mount at the destination of m.
func (l *Live) remove(m *configs.Mount) (removed, error) {
	r := removed{m: m, clone: -1}
	fd, err := l.b.root.Open(m.Destination, unix.O_PATH, 0)
	if err != nil {
		return r, err
	}
	defer unix.Close(fd)
	if err := l.checkRemovable(fd); err != nil {
		return r, err
	}
	clone, err := mountapi.CloneTree(fd, true)
	if err == nil {
		r.clone = clone
	} else if !errors.Is(err, unix.EINVAL) {
		return r, err
	}
	// By descriptor: this unmounts exactly the mount that was checked, wherever the path leads
	// now.
	if err := l.b.proc.WithPath(fd, lazyUmount); err != nil {
		r.close()
		if errors.Is(err, unix.EINVAL) {
			return r, fmt.Errorf("%w (it is locked, as a part of a mount that the container got as a whole)", err)
		}
		return r, err
	}
	return r, nil
}

// checkRemovable refuses the root, and the mounts that hide parts of /proc from the container:
// masked and read-only paths are mounts as well.
func (l *Live) checkRemovable(fd int) error {
	var st unix.Statx_t
	err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_MNT_ID, &st)
	if err != nil {
		return os.NewSyscallError("statx", err)
	}
	if st.Mnt_id == l.b.id.Mount {
		// It may be a directory in the root file system, or the root itself.
		if id, err := mountapi.Identify(fd); err == nil && id.SameFile(l.b.id) {
			return target.ErrRoot
		}
		return errNoMountPoint
	}
	if st.Attributes&unix.STATX_ATTR_MOUNT_ROOT == 0 {
		return errNoMountPoint
	}
	table, err := l.b.proc.ReadThread("mountinfo")
	if err != nil {
		return err
	}
	switch fstype, name := mountedOn(string(table), st.Mnt_id); {
	case fstype == "proc" && !target.MayCover("/proc/"+name),
		fstype == "sysfs" && !strings.HasPrefix(name, "fs/"): // what is there is meant for mounts
		return fmt.Errorf("it hides a part of the container's %s", fstype)
	}
	return nil
}

// mountedOn returns what the mount with the given id is mounted on: the type of the file
// system, and the name in it. Both are "" for the root, and for what has been unmounted in the
// meantime.
func mountedOn(table string, id uint64) (fstype, name string) {
	find := func(id string) (found mountinfo.Mount) {
		for m := range mountinfo.All(table) {
			if m.ID == id {
				return m
			}
		}
		return found
	}
	mount := find(strconv.FormatUint(id, 10))
	below := find(mount.Parent)
	if below.ID == "" {
		return "", ""
	}
	return below.Type, strings.TrimPrefix(strings.TrimPrefix(mount.Point, below.Point), "/")
}

var errNoMountPoint = errors.New("it is not a mount point")
