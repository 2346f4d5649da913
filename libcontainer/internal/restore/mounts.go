// SPDX-License-Identifier: Apache-2.0

package restore

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/builder"
	"github.com/berth-run/berth/libcontainer/internal/criu"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/internal/osthread"
	"github.com/berth-run/berth/libcontainer/rootfs"
	"github.com/berth-run/berth/libcontainer/rootfs/dev"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// ExternalSources tells criu what to mount from the host, and where. Names that are not in the
// images do no harm, so criu is told about everything that may have come from outside.
func (r *Restoration) ExternalSources() error {
	if m := r.Cfg.RootMount(); m != nil {
		return fmt.Errorf("%s.destination: a restore takes the root file system from root.path, and cannot mount one on /", m.Field)
	}
	points, err := mountPoints(r.Cfg)
	if err != nil {
		return err
	}
	hosts, err := criu.ReadMounts("self")
	if err != nil {
		return err
	}
	if err := r.addBelow("/", &configs.Mount{Source: r.Cfg.Rootfs.Path}, hosts); err != nil {
		return fmt.Errorf("root.path: %w", err)
	}
	for i := range r.Cfg.Mounts {
		m := &r.Cfg.Mounts[i]
		if m.Flags&unix.MS_REMOUNT != 0 || isCopiedLink(m) {
			continue
		}
		if err := r.addSource(m, points[i], hosts); err != nil {
			return rootfs.MountError(m, err)
		}
	}
	// If a container may not make devices, the host's are bound.
	if err := r.addDevices(); err != nil {
		return err
	}
	for _, masked := range r.Cfg.MaskedPaths {
		if err := r.addDevice(masked, os.DevNull); err != nil {
			return err
		}
	}
	for _, p := range r.Cfg.ReadonlyPaths {
		if err := r.addReadonly(p, points); err != nil {
			return err
		}
	}
	for _, m := range r.run.Task.Opts.ExtMnt {
		r.Debugf("criu: mount what is prepared at %s on %s", m.GetVal(), m.GetKey())
	}
	return r.checkSources()
}

// addDevices adds the devices that are mounts in the container: nodes that are made for it, or
// those of the host.
func (r *Restoration) addDevices() error {
	made := &builder.DeviceTrees{}
	if r.inUserns() {
		var err error
		if made, err = builder.NewDeviceTrees(r.Cfg); err != nil {
			return err
		}
	}
	defer made.Close()
	for i := range r.Cfg.Devices {
		point := r.Cfg.Devices[i].Path
		tree := made.Tree(i)
		if tree == nil || !r.mayHaveMount(point) {
			if err := r.addDevice(point, point); err != nil {
				return err
			}
			continue
		}
		tree, err := builder.Duplicate(tree)
		if err != nil {
			return err
		}
		source, err := r.prepare(func(o *builder.TreeOpener) (*os.File, mountapi.Attr, error) {
			return r.withOptions(tree, dev.MountAttr, mountapi.Attr{}, o)
		})
		if err != nil {
			return errors.Join(err, tree.Close())
		}
		r.add(point, source)
	}
	return nil
}

// addReadonly adds a read-only path below a mount that comes from the host: the path is then
// such a mount too. If there are several mounts, the last one is on top.
func (r *Restoration) addReadonly(p string, points []string) error {
	for i := range slices.Backward(r.Cfg.Mounts) {
		m := &r.Cfg.Mounts[i]
		if !criu.Beneath(p, points[i]) || m.Flags&unix.MS_REMOUNT != 0 {
			continue
		}
		from := *m
		if r.usesHostMount(m) {
			from.Type, from.Source, from.IDMap = "bind", hostMount(m.Type), ""
		} else if !m.IsBind() {
			return nil
		}
		from.Flags, from.Cleared = m.Flags|unix.MS_RDONLY, m.Cleared&^unix.MS_RDONLY
		source, err := r.prepareBelow(&from, strings.TrimPrefix(p, points[i]))
		if err != nil {
			return fmt.Errorf("linux.readonlyPaths: %s: %w", p, err)
		}
		r.add(p, source)
		return nil
	}
	return nil
}

// usesHostMount reports whether the container has the host's file system at m, because it may
// not mount its own.
func (r *Restoration) usesHostMount(m *configs.Mount) bool {
	kind, is := criu.PerNamespace(m.Type)
	return is && r.Cfg.Namespaces.Contains(configs.NewUser) && !r.Cfg.Namespaces.Contains(kind)
}

// add tells criu what to mount on point.
func (r *Restoration) add(point, source string) { criu.AddMount(r.run.Task.Opts, point, source) }

// addSource adds what the host provides for one mount of the plan.
func (r *Restoration) addSource(m *configs.Mount, point string, hosts []*mountinfo.Info) error {
	switch {
	case m.IsBind():
		source, err := r.prepareBind(m)
		if err != nil {
			return err
		}
		r.add(point, source)
		if m.Flags&unix.MS_REC != 0 {
			return r.addBelow(point, m, hosts)
		}
	case m.Type == "cgroup" || m.Type == "cgroup2":
		return r.addCgroups(m, point)
	case r.usesHostMount(m):
		source, err := r.prepareFile(hostMount(m.Type), mountapi.AttrOf(m.Flags, m.Cleared))
		if err != nil {
			return err
		}
		r.add(point, source)
	}
	return nil
}

// hostMount returns where the host has mounted a file system that the container's user
// namespace may not mount, because it shares the namespace that the file system shows.
func hostMount(fsType string) string {
	switch fsType {
	case "sysfs":
		return "/sys"
	case "mqueue":
		return "/dev/mqueue"
	}
	return "/proc"
}

// addBelow adds what the host has mounted below the source of m, for the same places below
// point.
func (r *Restoration) addBelow(point string, m *configs.Mount, hosts []*mountinfo.Info) error {
	for _, h := range hosts {
		if h.Mountpoint == m.Source || !criu.Beneath(h.Mountpoint, m.Source) {
			continue
		}
		source, err := r.prepareBelow(below(m), strings.TrimPrefix(h.Mountpoint, m.Source))
		if err != nil {
			return err
		}
		r.add(path.Join(point, strings.TrimPrefix(h.Mountpoint, m.Source)), source)
	}
	return nil
}

// below returns the part of m that also applies to mounts below its source.
func below(m *configs.Mount) *configs.Mount {
	b := *m
	b.Flags, b.Cleared = unix.MS_BIND, 0
	if m.IDMap != "ridmap" {
		b.IDMap = ""
	}
	return &b
}

// addCgroups adds the container's cgroups for a cgroup mount.
func (r *Restoration) addCgroups(m *configs.Mount, point string) error {
	if r.Cfg.Namespaces.Contains(configs.NewCgroup) {
		return nil // criu mounts the root of the namespace
	}
	for _, h := range r.Cgroup.Hierarchies() {
		if h.V2 && h.Name != "" && !r.mayHaveMount(path.Join(point, h.Name)) {
			continue // Only earlier versions of berth mounted v2 beside v1.
		}
		if h.Name == "" && !r.Cfg.Namespaces.Contains(configs.NewUser) {
			// As in the builder: the owner of the namespace sees the whole of cgroup v2.
			h.Path = cgroupfs.Root
		}
		source, err := r.prepareFile(h.Path, mountapi.AttrOf(m.Flags, m.Cleared))
		if err != nil {
			return err
		}
		r.add(path.Join(point, h.Name), source)
	}
	return nil
}

// addDevice adds a device node of the host, with the options that the builder uses for one.
func (r *Restoration) addDevice(point, source string) error {
	if !r.mayHaveMount(point) {
		return nil
	}
	source, err := r.prepareFile(source, dev.MountAttr)
	if err == nil {
		r.add(point, source)
	}
	return err
}

// mayHaveMount reports whether the checkpoint may have a mount from the host on point. A
// checkpoint made by runc does not list its mounts.
func (r *Restoration) mayHaveMount(point string) bool {
	isMount := func(name string) bool { _, is := criu.MountPoint(name); return is }
	return slices.Contains(r.names, criu.MountName(point)) || !slices.ContainsFunc(r.names, isMount)
}

// checkSources names a mount of the checkpoint that the plan does not have. criu would only
// report its number.
func (r *Restoration) checkSources() error {
	known := make(map[string]bool)
	for _, m := range r.run.Task.Opts.ExtMnt {
		if err := criu.CheckMountName(m.GetKey()); err != nil {
			return err
		}
		known[m.GetKey()] = true
	}
	for _, name := range r.names {
		if point, is := criu.MountPoint(name); is && !known[point] {
			return fmt.Errorf("mounts: the checkpoint has a mount from the host on %s, and the config has none there", point)
		}
	}
	return nil
}

// launch starts criu in a mount namespace of its own, where the mounts that criu expects are
// made. The host never sees them, and they disappear with criu, whatever happens.
func (r *Restoration) launch(start func() error) error {
	done := make(chan error)
	osthread.Go(func() {
		err := r.prepareMounts()
		if err == nil {
			err = r.run.OpenDirectories()
		}
		if err == nil && r.ignoreCgroups() {
			err = r.placeCriu()
		}
		if err == nil {
			err = start()
		}
		done <- err
	})
	return <-done
}

// prepareMounts creates the calling thread's mount namespace and the mounts in it. Mounts of
// the host propagate into it; nothing propagates out.
func (r *Restoration) prepareMounts() error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare(CLONE_NEWNS): %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return &os.PathError{Op: "mount", Path: "/", Err: err}
	}
	// criu needs the root to be a mount point.
	root := r.Cfg.Rootfs.Path
	err := unix.Mount(root, root, "", unix.MS_BIND|unix.MS_REC, "")
	if err == nil {
		// criu gives the container's root the propagation of this mount, as the images ask for.
		kind := uintptr(unix.MS_PRIVATE)
		if r.Cfg.Rootfs.Propagation&(unix.MS_SLAVE|unix.MS_SHARED) != 0 {
			kind = unix.MS_SLAVE
		}
		err = unix.Mount("", root, "", kind, "")
	}
	if err != nil {
		return fmt.Errorf("root.path: %w", &os.PathError{Op: "mount", Path: root, Err: err})
	}
	return r.attachPrepared()
}
