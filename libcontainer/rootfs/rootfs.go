// SPDX-License-Identifier: Apache-2.0

// Package rootfs is the builder: it makes the container's root file system from
// inside the container's namespaces, on one locked OS thread that the caller
// has moved there.
//
// Everything is done with file descriptors: no path of the rootfs is ever
// followed by string, since a container that shares a volume may swap any
// component of it for a symbolic link at any time.
package rootfs

import (
	"errors"
	"os"

	"github.com/berth-run/berth/libcontainer/configs"
)

// CgroupHierarchy is one mounted cgroup hierarchy, for a mount of type cgroup.
type CgroupHierarchy struct {
	// Name is the directory below /sys/fs/cgroup on v1 ("cpu,cpuacct",
	// "systemd"); "" for the one of v2.
	Name string
	// Options are the mount options that select a v1 hierarchy:
	// "cpu,cpuacct", "none,name=systemd".
	Options string
	// Links are symbolic links beside Name that point to it ("cpu" for
	// "cpu,cpuacct").
	Links []string
	// HostPath is the container's own cgroup in the host's mount namespace.
	HostPath string
	// V2 says that it is a cgroup2 hierarchy.
	V2 bool
}

// Options are what the builder needs besides the plan.
type Options struct {
	Config *configs.Config
	// ProcContexts are procfs contexts of the container's pid namespace, one
	// for each mount of type proc (configs order). The builder takes them over.
	ProcContexts []*os.File
	// Cgroups are the hierarchies for mounts of type cgroup.
	Cgroups []CgroupHierarchy
	// Warn reports what is not an error.
	Warn func(format string, args ...any)
}

// Builder builds one root file system. Its methods are called in the order
// Mount, Console (optional), Enter, Home; all on the same thread.
type Builder struct{}

// New opens what the builder needs before the first mount.
func New(o *Options) (*Builder, error) { return nil, errors.ErrUnsupported }

// Mount sets the propagation, binds the rootfs, makes all mounts, devices and
// links. After it, createRuntime and createContainer hooks may run.
func (b *Builder) Mount() error { return errors.ErrUnsupported }

// Console opens a pty of the container's devpts and binds it to /dev/console.
// The caller owns both ends.
func (b *Builder) Console() (master, peer *os.File, err error) {
	return nil, nil, errors.ErrUnsupported
}

// Enter makes the rootfs the root of the mount namespace and seals it:
// pivot_root, propagation, read-only remounts, cwd, host name, sysctls,
// read-only and masked paths. The returned directory, if any, is one that init
// must chroot into, because there was no pivot_root.
func (b *Builder) Enter() (*os.File, error) { return nil, errors.ErrUnsupported }

// Home is the home directory of uid by the container's /etc/passwd, "/" when it
// has none.
func (b *Builder) Home(uid uint32) (string, error) { return "", errors.ErrUnsupported }

// Close releases every file descriptor of the builder.
func (b *Builder) Close() error { return nil }
