// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// criu recreates the mounts that belong to a mount namespace alone, and leaves to us those that
// come from outside, the external mounts. In the images each of those has a name. Here, as with
// runc, that is the path it is mounted on: a restore finds in the config.json what to mount
// there, which may be another source by then.

// ReadMounts reads the mountinfo of a process, "self" or a pid.
func ReadMounts(process string) ([]*mountinfo.Info, error) {
	path := "/proc/" + process + "/mountinfo"
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	mounts, err := mountinfo.GetMountsFromReader(f, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return mounts, nil
}

// Device is the device number of a file system.
type Device struct{ major, minor int }

// DeviceOf returns the device number of a mount.
func DeviceOf(m *mountinfo.Info) Device { return Device{m.Major, m.Minor} }

// PerNamespace returns the kind of namespace that a file system of this type shows, if each
// namespace has one instance of it. A container that shares the namespace has the host's
// instance, wherever it has mounted it.
func PerNamespace(fsType string) (configs.NamespaceType, bool) {
	switch fsType {
	case "proc":
		return configs.NewPID, true
	case "sysfs":
		return configs.NewNet, true
	case "mqueue":
		return configs.NewIPC, true
	}
	return 0, false
}

// ownFilesystems are the types that criu can recreate, if it saves their content.
var ownFilesystems = [...]string{
	"autofs", "binfmt_misc", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "fusectl",
	"mqueue", "overlay", "proc", "pstore", "securityfs", "sysfs", "tmpfs", "tracefs",
}

// NotShared returns own without the kinds of namespace that a process shares with this one all the
// same: dockerd has a container join the host's network by a path.
func NotShared(pid int, own configs.NamespaceType) (configs.NamespaceType, error) {
	for _, kind := range []configs.NamespaceType{configs.NewPID, configs.NewNet, configs.NewIPC} {
		if own&kind == 0 {
			continue
		}
		var here, there unix.Stat_t
		path := filepath.Join("/proc", strconv.Itoa(pid), "ns", kind.ProcName())
		if err := unix.Stat(path, &there); err != nil {
			return 0, &os.PathError{Op: "stat", Path: path, Err: err}
		}
		path = filepath.Join("/proc/self/ns", kind.ProcName())
		if err := unix.Stat(path, &here); err != nil {
			return 0, &os.PathError{Op: "stat", Path: path, Err: err}
		}
		if here.Dev == there.Dev && here.Ino == there.Ino {
			own &^= kind
		}
	}
	return own, nil
}

// ExternalMounts returns those mounts of a container that are the host's, by mount point. own
// are the kinds of namespace that the container does not share.
func ExternalMounts(inside, outside []*mountinfo.Info, own configs.NamespaceType) []string {
	var external []string
	for _, m := range HostsMounts(inside, outside, own) {
		if !slices.Contains(external, m.Mountpoint) {
			external = append(external, m.Mountpoint)
		}
	}
	return external
}

// HostsMounts returns the mounts that ExternalMounts names.
func HostsMounts(inside, outside []*mountinfo.Info, own configs.NamespaceType) []*mountinfo.Info {
	hosts := make(map[Device]bool, len(outside))
	for _, m := range outside {
		hosts[DeviceOf(m)] = true
	}
	var root *mountinfo.Info
	for _, m := range inside {
		if m.Mountpoint == "/" {
			root = m // if there are several, the last one is on top
		}
	}
	var external []*mountinfo.Info
	for _, m := range inside {
		if m.Mountpoint == "/" || root == nil {
			continue
		}
		var is bool
		kind, bound := PerNamespace(m.FSType)
		switch {
		case m.FSType == "cgroup" || m.FSType == "cgroup2":
			// With its own cgroup namespace the container has the root of that mounted, and
			// criu mounts it again. Without one it is some directory of the host.
			is = own&configs.NewCgroup == 0
		case DeviceOf(m) == DeviceOf(root):
			is = !Beneath(m.Root, root.Root)
		case bound && own&configs.NewUser == 0:
			is = hosts[DeviceOf(m)] && own&kind != 0
		default:
			is = hosts[DeviceOf(m)] || !slices.Contains(ownFilesystems[:], m.FSType) || isPart(m, inside)
		}
		if is {
			external = append(external, m)
		}
	}
	return external
}

// isPart reports whether m shows a part of a tmpfs that is nowhere mounted as a whole, like the
// nodes that are made for a user namespace (openDevices of builder). criu could not recreate it.
func isPart(m *mountinfo.Info, inside []*mountinfo.Info) bool {
	return m.FSType == "tmpfs" && m.Root != "/" && !slices.ContainsFunc(inside, func(o *mountinfo.Info) bool {
		return o.Root == "/" && DeviceOf(o) == DeviceOf(m)
	})
}

// CheckMountName refuses a mount point that criu would mistake for another one. Criu joins the
// name mnt[PATH] and what it stands for into one text, and takes "]:" in the path for the end
// of the name. A container that moves its mount points, or an image with links, could choose
// what follows.
func CheckMountName(path string) error {
	if strings.Contains(path, "]:") {
		return fmt.Errorf(`mount on %q: "]:" in the path of a mount of the host's: criu would take the rest for a path of the host`, path)
	}
	return nil
}

// OwnMounts names the mounts of a container that criu recreates, with their types.
func OwnMounts(inside []*mountinfo.Info, external []string) (names []string) {
	for _, m := range inside {
		if m.Mountpoint != "/" && !slices.Contains(external, m.Mountpoint) {
			names = append(names, OwnName(m))
		}
	}
	return names
}

// OwnPrefix begins the names of OwnMounts.
const OwnPrefix = "own["

// OwnName returns the name of a mount that criu recreates.
func OwnName(m *mountinfo.Info) string { return OwnPrefix + m.Mountpoint + "]" + m.FSType }

// OwnIDMapped returns the mount point of an id-mapped mount whose file system criu has to
// recreate, "" if there is none.
func OwnIDMapped(inside, outside []*mountinfo.Info, own configs.NamespaceType) string {
	external := ExternalMounts(inside, outside, own)
	for _, m := range inside {
		if slices.Contains(strings.Split(m.Options, ","), "idmapped") && m.Mountpoint != "/" && !slices.Contains(external, m.Mountpoint) {
			return m.Mountpoint
		}
	}
	return ""
}

// Beneath reports whether path is dir or below it.
func Beneath(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(dir, "/"))
	return ok && (rest == "" || rest[0] == '/')
}

// AddMount maps the external mount on path: for a checkpoint to its name in the images, and for
// a restore from its name to what is to be mounted there.
func AddMount(opts *rpc.CriuOpts, path, to string) {
	opts.ExtMnt = append(opts.ExtMnt, &rpc.ExtMountMap{Key: &path, Val: &to})
}
