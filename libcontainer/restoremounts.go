// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/rootfs"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// externalSources tells criu what of the host to mount where. Names that the images do
// not have do no harm, so everything is told that may have come from outside.
func (r *restoration) externalSources() error {
	points, err := rootfs.MountPoints(r.cfg)
	if err != nil {
		return err
	}
	hosts, err := readMounts("self")
	if err != nil {
		return err
	}
	add := func(point, source string) { addMount(r.run.task.Opts, point, source) }
	addBelow(add, "/", r.cfg.Rootfs.Path, hosts)
	for i := range r.cfg.Mounts {
		m := &r.cfg.Mounts[i]
		switch {
		case m.Flags&unix.MS_REMOUNT != 0:
		case m.IsBind():
			source := m.Source
			if m.IDMap != "" {
				source = r.mappedSource(i)
			}
			add(points[i], source)
			if m.Flags&unix.MS_REC != 0 {
				addBelow(add, points[i], m.Source, hosts)
			}
		case m.Type == "cgroup" || m.Type == "cgroup2":
			r.cgroupSources(add, points[i])
		}
	}
	// Where a container may not make devices, those of the host are bound.
	for i := range r.cfg.Devices {
		add(r.cfg.Devices[i].Path, r.cfg.Devices[i].Path)
	}
	for _, masked := range r.cfg.MaskedPaths {
		add(masked, os.DevNull)
	}
	return r.checkSources()
}

// checkSources tells which mount of the checkpoint the plan has not: criu would tell its
// number.
func (r *restoration) checkSources() error {
	known := make(map[string]bool)
	for _, m := range r.run.task.Opts.ExtMnt {
		known[mountName(m.GetKey())] = true
	}
	for _, name := range r.names {
		if strings.HasPrefix(name, "mnt[") && !known[name] {
			return fmt.Errorf("mounts: the checkpoint has a mount of the host's on %s, and the config has none there",
				strings.TrimSuffix(strings.TrimPrefix(name, "mnt["), "]"))
		}
	}
	return nil
}

// addBelow adds what the host has mounted below source for the same places below point.
func addBelow(add func(point, source string), point, source string, hosts []*mountinfo.Info) {
	for _, m := range hosts {
		if m.Mountpoint != source && beneath(m.Mountpoint, source) {
			add(path.Join(point, strings.TrimPrefix(m.Mountpoint, source)), m.Mountpoint)
		}
	}
}

// cgroupSources adds the container's cgroups for a mount of them.
func (r *restoration) cgroupSources(add func(point, source string), point string) {
	if r.cfg.Namespaces.Contains(configs.NewCgroup) {
		return // criu mounts the root of the namespace
	}
	for _, h := range r.cgroup.Hierarchies() {
		if h.Name == "" && !r.cfg.Namespaces.Contains(configs.NewUser) {
			// As the builder does: who owns the namespace sees all of cgroup v2.
			add(point, cgroupfs.Root)
			continue
		}
		add(path.Join(point, h.Name), h.Path)
	}
}

// mappedSource is where an id-mapped mount is for criu to bind.
func (r *restoration) mappedSource(mount int) string {
	return filepath.Join(r.dir, "mounts", strconv.Itoa(mount))
}

// launch starts criu in a mount namespace of its own, with what criu wants to find mounted:
// the host never sees it, and it goes with criu, whatever happens.
func (r *restoration) launch(start func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread goes with its namespace
		err := r.prepareMounts()
		if err == nil {
			err = r.run.openDirectories()
		}
		if err == nil && r.ignoreCgroups() {
			err = r.placeCriu()
		}
		if err == nil {
			err = start()
		}
		done <- err
	}()
	return <-done
}

// placeCriu puts criu, and so the processes that it does not move, into the container's
// cgroups: those of v1 by way of the calling thread, from which criu inherits them.
func (r *restoration) placeCriu() error {
	// As for a container that exists: the cgroup of a scope is there already.
	m, err := cgroups.Load(r.saved.CgroupPaths, &configs.Cgroup{Subgroup: r.cfg.Cgroup.Subgroup})
	if err != nil {
		return err
	}
	if r.place, err = m.Placement(); err != nil {
		return err
	}
	for _, tasks := range r.place.Tasks {
		if _, err := tasks.WriteString("0"); err != nil {
			return fmt.Errorf("place in cgroup: %w", err)
		}
	}
	r.run.task.Cgroup = r.place.Dir
	return nil
}

// prepareMounts makes the calling thread's mount namespace and the mounts in it. Mounts
// of the host's come in, and nothing gets out.
func (r *restoration) prepareMounts() error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare(CLONE_NEWNS): %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return &os.PathError{Op: "mount", Path: "/", Err: err}
	}
	// criu wants a mount point for the root.
	root := r.cfg.Rootfs.Path
	err := unix.Mount(root, root, "", unix.MS_BIND|unix.MS_REC, "")
	if err == nil {
		err = unix.Mount("", root, "", unix.MS_PRIVATE, "")
	}
	if err != nil {
		return fmt.Errorf("root.path: %w", &os.PathError{Op: "mount", Path: root, Err: err})
	}
	return r.mapSources()
}

// mapSources mounts the sources of id-mapped mounts with their maps.
func (r *restoration) mapSources() error {
	isMapped := func(m configs.Mount) bool { return m.IDMap != "" }
	if !slices.ContainsFunc(r.cfg.Mounts, isMapped) {
		return nil
	}
	// Beneath the state directory, but only on this side.
	dir := filepath.Dir(r.mappedSource(0))
	if err := unix.Mount("tmpfs", r.dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=700"); err != nil {
		return &os.PathError{Op: "mount", Path: r.dir, Err: err}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	maps := &idMapper{cfg: r.cfg}
	defer maps.close()
	for i := range r.cfg.Mounts {
		m := &r.cfg.Mounts[i]
		if !isMapped(*m) {
			continue
		}
		if err := r.mapSource(m, r.mappedSource(i), maps); err != nil {
			return fmt.Errorf("%s: mount %s on %s: %w", m.Field, m.Type, m.Destination, err)
		}
	}
	return nil
}

// mapSource mounts one of them on point.
func (r *restoration) mapSource(m *configs.Mount, point string, maps *idMapper) error {
	tree, err := openTree(m, r.cfg.Rootfs.Propagation, maps, mountapi.HaveSetAttr())
	if err != nil {
		return err
	}
	defer tree.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(tree.Fd()), &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
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
