// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"github.com/moby/sys/mountinfo"
)

// criu makes again what a mount namespace has of its own, and leaves to us what comes from
// outside of it, the external mounts. In the images each has a name, which is here, as with
// runc, the path that it is mounted on: a restore finds what to mount there in the
// config.json, which may name another source by then.

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

// Device is the number of a file system.
type Device struct{ major, minor int }

// DeviceOf is that of a mount.
func DeviceOf(m *mountinfo.Info) Device { return Device{m.Major, m.Minor} }

// PerNamespace are the file systems of which each namespace has one, with its kind: a
// container that shares the namespace has the host's, wherever it has mounted it.
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

// ownFilesystems are the types that criu can make again, as far as it saves what is in
// them.
var ownFilesystems = [...]string{
	"autofs", "binfmt_misc", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "fusectl",
	"mqueue", "overlay", "proc", "pstore", "securityfs", "sysfs", "tmpfs", "tracefs",
}

// ExternalMounts finds in the mounts of a container those that are the host's, by where
// they are mounted. Own are the kinds of namespace that the container does not share.
func ExternalMounts(inside, outside []*mountinfo.Info, own configs.NamespaceType) []string {
	var external []string
	for _, m := range HostsMounts(inside, outside, own) {
		if !slices.Contains(external, m.Mountpoint) {
			external = append(external, m.Mountpoint)
		}
	}
	return external
}

// HostsMounts are the mounts of ExternalMounts themselves.
func HostsMounts(inside, outside []*mountinfo.Info, own configs.NamespaceType) []*mountinfo.Info {
	hosts := make(map[Device]bool, len(outside))
	for _, m := range outside {
		hosts[DeviceOf(m)] = true
	}
	var root *mountinfo.Info
	for _, m := range inside {
		if m.Mountpoint == "/" {
			root = m // of several the last, which is on top
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
			// With a namespace of its own the container has the root of that mounted,
			// which criu mounts again. Without one it is some directory of the host's.
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

// isPart says that m shows a part of a tmpfs of which nothing has the whole: the nodes that
// were made for a user namespace (openDevices) are such. criu could not make it again.
func isPart(m *mountinfo.Info, inside []*mountinfo.Info) bool {
	return m.FSType == "tmpfs" && m.Root != "/" && !slices.ContainsFunc(inside, func(o *mountinfo.Info) bool {
		return o.Root == "/" && DeviceOf(o) == DeviceOf(m)
	})
}

// CheckMountName refuses a mount point that criu would take for another one: of the name
// mnt[PATH] and what it stands for criu makes one text, and takes "]:" in the path for the
// end of the name. A container that moves its mount points about, or an image with links,
// could choose what comes after.
func CheckMountName(path string) error {
	if strings.Contains(path, "]:") {
		return fmt.Errorf(`mount on %q: "]:" in the path of a mount of the host's: criu would take the rest for something of the host's`, path)
	}
	return nil
}

// OwnMounts names the mounts of a container that criu makes again, with their types.
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

// OwnName is the name of a mount that criu makes again.
func OwnName(m *mountinfo.Info) string { return OwnPrefix + m.Mountpoint + "]" + m.FSType }

// OwnIDMapped finds an id-mapped mount of a file system that criu has to make again, "" when
// there is none.
func OwnIDMapped(inside, outside []*mountinfo.Info, own configs.NamespaceType) string {
	external := ExternalMounts(inside, outside, own)
	for _, m := range inside {
		if slices.Contains(strings.Split(m.Options, ","), "idmapped") && m.Mountpoint != "/" && !slices.Contains(external, m.Mountpoint) {
			return m.Mountpoint
		}
	}
	return ""
}

// Beneath says whether path is dir or below it.
func Beneath(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(dir, "/"))
	return ok && (rest == "" || rest[0] == '/')
}

// AddMount maps the external mount on path: to its name in the images for a checkpoint,
// and from its name to what is to be mounted there for a restore.
func AddMount(opts *rpc.CriuOpts, path, to string) {
	opts.ExtMnt = append(opts.ExtMnt, &rpc.ExtMountMap{Key: &path, Val: &to})
}
