// SPDX-License-Identifier: Apache-2.0

package libcontainer

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

// readMounts reads the mountinfo of a process, "self" or a pid.
func readMounts(process string) ([]*mountinfo.Info, error) {
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

// device is the number of a file system.
type device struct{ major, minor int }

func deviceOf(m *mountinfo.Info) device { return device{m.Major, m.Minor} }

// perNamespace are the file systems of which each namespace has one, with its kind: a
// container that shares the namespace has the host's, wherever it has mounted it.
func perNamespace(fsType string) (configs.NamespaceType, bool) {
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

// externalMounts finds in the mounts of a container those that are the host's, by where
// they are mounted. Own are the kinds of namespace that the container does not share.
func externalMounts(inside, outside []*mountinfo.Info, own configs.NamespaceType) []string {
	var external []string
	for _, m := range hostsMounts(inside, outside, own) {
		if !slices.Contains(external, m.Mountpoint) {
			external = append(external, m.Mountpoint)
		}
	}
	return external
}

// hostsMounts are the mounts of externalMounts themselves.
func hostsMounts(inside, outside []*mountinfo.Info, own configs.NamespaceType) []*mountinfo.Info {
	hosts := make(map[device]bool, len(outside))
	for _, m := range outside {
		hosts[deviceOf(m)] = true
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
		kind, bound := perNamespace(m.FSType)
		switch {
		case m.FSType == "cgroup" || m.FSType == "cgroup2":
			// With a namespace of its own the container has the root of that mounted,
			// which criu mounts again. Without one it is some directory of the host's.
			is = own&configs.NewCgroup == 0
		case deviceOf(m) == deviceOf(root):
			is = !beneath(m.Root, root.Root)
		case bound && own&configs.NewUser == 0:
			is = hosts[deviceOf(m)] && own&kind != 0
		default:
			is = hosts[deviceOf(m)] || !slices.Contains(ownFilesystems[:], m.FSType) || isPart(m, inside)
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
		return o.Root == "/" && deviceOf(o) == deviceOf(m)
	})
}

// checkMountName refuses a mount point that criu would take for another one: of the name
// mnt[PATH] and what it stands for criu makes one text, and takes "]:" in the path for the
// end of the name. A container that moves its mount points about, or an image with links,
// could choose what comes after.
func checkMountName(path string) error {
	if strings.Contains(path, "]:") {
		return fmt.Errorf(`mount on %q: "]:" in the path of a mount of the host's: criu would take the rest for something of the host's`, path)
	}
	return nil
}

// ownMounts names the mounts of a container that criu makes again, with their types.
func ownMounts(inside []*mountinfo.Info, external []string) (names []string) {
	for _, m := range inside {
		if m.Mountpoint != "/" && !slices.Contains(external, m.Mountpoint) {
			names = append(names, ownName(m))
		}
	}
	return names
}

// ownPrefix begins the names of ownMounts.
const ownPrefix = "own["

func ownName(m *mountinfo.Info) string { return ownPrefix + m.Mountpoint + "]" + m.FSType }

// ownIDMapped finds an id-mapped mount of a file system that criu has to make again, "" when
// there is none.
func ownIDMapped(inside, outside []*mountinfo.Info, own configs.NamespaceType) string {
	external := externalMounts(inside, outside, own)
	for _, m := range inside {
		if slices.Contains(strings.Split(m.Options, ","), "idmapped") && m.Mountpoint != "/" && !slices.Contains(external, m.Mountpoint) {
			return m.Mountpoint
		}
	}
	return ""
}

// beneath says whether path is dir or below it.
func beneath(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(dir, "/"))
	return ok && (rest == "" || rest[0] == '/')
}

// addMount maps the external mount on path: to its name in the images for a checkpoint,
// and from its name to what is to be mounted there for a restore.
func addMount(opts *rpc.CriuOpts, path, to string) {
	opts.ExtMnt = append(opts.ExtMnt, &rpc.ExtMountMap{Key: &path, Val: &to})
}
