// SPDX-License-Identifier: Apache-2.0

// Package configs holds the typed plan of one container: what specconv makes of a bundle's
// config.json, with every default filled in, and what the engine then carries out step by step.
//
// It is not a file format: only a builder process gets it as JSON, from the same binary. Nothing
// here does I/O. It has one invariant: a Config that specconv has returned is complete and consistent, so that the layers
// below do not validate anything again. They only handle what the kernel refuses.
package configs

import (
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Config is the plan of one container.
type Config struct {
	// SpecVersion is ociVersion of the config.json, copied into the state.
	SpecVersion string
	// Bundle is the absolute path of the bundle directory.
	Bundle string
	// Rootfs describes the container's root file system.
	Rootfs Rootfs
	// Namespaces lists the namespaces that are new or joined. A type that is absent is shared
	// with the runtime. No type is listed twice.
	Namespaces Namespaces
	// UIDMappings and GIDMappings are the id maps of a new user namespace.
	UIDMappings, GIDMappings []IDMap
	// TimeOffsets are the clock offsets of a new time namespace, by clock name
	// ("monotonic", "boottime").
	TimeOffsets map[string]specs.LinuxTimeOffset
	// Hostname and Domainname are set in the UTS namespace; "" keeps the present one.
	Hostname, Domainname string
	// Mounts are made in this order.
	Mounts []Mount
	// PopulateDev is set if device nodes, /dev/ptmx and the /dev symlinks are to be made. It is
	// not set if /dev is a bind mount, whose content does not belong to the runtime.
	PopulateDev bool
	// Devices are the nodes made in the container, including the runtime's default devices. No
	// path is listed twice.
	Devices []Device
	// MaskedPaths and ReadonlyPaths are absolute paths in the container.
	MaskedPaths, ReadonlyPaths []string
	// Sysctls are applied in this order. Keys use slashes ("net/ipv4/ip_forward").
	Sysctls []Sysctl
	// Process is the container's init process.
	Process Process
	// Cgroup says where the container is placed and what limits it has.
	Cgroup Cgroup
	// Hooks are the lifecycle hooks. They contain no nil pointers.
	Hooks specs.Hooks
	// Seccomp is the system call filter; nil for none.
	Seccomp *specs.LinuxSeccomp
	// SeccompKnownOnly refuses a profile with names that are not system calls
	// (run.oci.seccomp_fail_unknown_syscall).
	SeccompKnownOnly bool
	// Annotations are copied into the state and passed to hooks.
	Annotations map[string]string
	// NetDevices are moved into the container's network namespace, in this order.
	NetDevices []NetDevice
	// Network is nil for a container that berth does not connect.
	Network *Network
	// Personality, MemoryPolicy and IntelRdt are nil if the config has none.
	Personality  *Personality
	MemoryPolicy *MemoryPolicy
	IntelRdt     *IntelRdt
	// HookStdout and HookStderr are files on the host to which hooks write instead of into the
	// runtime's errors; "" for none (run.oci.hooks.stdout, .stderr).
	HookStdout, HookStderr string
	// PIDFDReceiver is a socket that receives a pidfd of init; "" for none
	// (run.oci.pidfd_receiver).
	PIDFDReceiver string
	// MountLabel is the SELinux label of new file systems.
	MountLabel MountLabel
	// NoPivotRoot replaces pivot_root by MS_MOVE and chroot (`--no-pivot`).
	NoPivotRoot bool
	// NoNewKeyring keeps the caller's session keyring (`--no-new-keyring`).
	NoNewKeyring bool
}

// Rootfs describes the root file system.
type Rootfs struct {
	// Path is absolute and free of symbolic links.
	Path string
	// Readonly remounts the root read-only after everything is in place.
	Readonly bool
	// Propagation is the propagation of the container's "/" as MS_* flags (with MS_REC if the
	// name has an r). It is 0 if the config has none: then the mount tree is only made
	// MS_SLAVE|MS_REC.
	Propagation uintptr
}

// IDMap is one row of an id map (user_namespaces(7)).
type IDMap struct {
	ContainerID, HostID, Size uint32
}

// HostID returns the id of the host that the container's id maps to, and whether there is one.
func HostID(m []IDMap, id uint32) (uint32, bool) {
	for _, r := range m {
		if id >= r.ContainerID && id-r.ContainerID < r.Size {
			return r.HostID + (id - r.ContainerID), true
		}
	}
	return 0, false
}

// Sysctl is one kernel parameter. Key uses slashes and is relative to
// /proc/sys.
type Sysctl struct {
	Key, Value string
}

// Device is a device node to make in the container (mknod(2)).
type Device struct {
	// Path is absolute in the container.
	Path string
	// Type is 'c', 'b' or 'p' ('u' of the spec has become 'c').
	Type byte
	// Major and Minor are unused for 'p'.
	Major, Minor int64
	// FileMode holds the permission bits.
	FileMode uint32
	UID, GID uint32
	// Default is set if the runtime added it, not the config.
	Default bool
}

// PtmxPath is where a container has the link to the ptmx of its own devpts. A node that a
// config lists there does not replace it: it would be one of the host's.
const PtmxPath = "/dev/ptmx"

// CriuConfigAnnotation names a file with options for criu(8), for checkpoints and restores of
// the container. An empty value means no file.
const CriuConfigAnnotation = "org.criu.config"
