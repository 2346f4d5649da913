// SPDX-License-Identifier: Apache-2.0

package configs

import "golang.org/x/sys/unix"

// Mount is one mount to make in the container (spec: config.md, Mounts).
type Mount struct {
	// Field names the mount in errors: "mounts[3]".
	Field string
	// Destination is absolute and clean, in the container.
	Destination string
	// Type is the file system type; "bind" for every bind mount.
	Type string
	// Source is what is mounted. It is absolute for a bind mount.
	Source string
	// Flags are the MS_* flags that the options set, including MS_BIND, MS_REC (rbind) and
	// MS_REMOUNT. Cleared are those that the options asked to clear ("rw", "exec", "dev", …):
	// if the kernel has locked such a flag, that must be an error, and the flag must not be
	// kept silently. No bit is in both.
	Flags, Cleared uintptr
	// Propagation lists MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE, each with MS_REC or
	// without, in the order of the options.
	Propagation []uintptr
	// RecAttrSet and RecAttrClear are MOUNT_ATTR_* for mount_setattr(2) with AT_RECURSIVE
	// ("rro", "rnosuid", …). RecAttrClear holds all of MOUNT_ATTR__ATIME or nothing of it, as
	// the kernel requires.
	RecAttrSet, RecAttrClear uint64
	// Data holds the file system's own options, in order, without the generic ones: "size=64k",
	// "mode=755".
	Data []string
	// CopyUp fills a tmpfs with what was at the destination ("tmpcopyup").
	CopyUp bool
	// If the source or destination of a bind mount is a symbolic link, SourceNoFollow and
	// DestNoFollow use the link itself. If the source is one, CopySymlink makes the same link
	// at the destination instead of a mount ("src-nofollow", "dest-nofollow", "copy-symlink",
	// which come from crun).
	SourceNoFollow, DestNoFollow, CopySymlink bool
	// SourceLink is the target that the runtime has read for CopySymlink, for a builder that
	// may not read it.
	SourceLink string
	// IDMap is the id-mapped mount option: "", "idmap" or "ridmap".
	IDMap string
	// UIDMappings and GIDMappings are the maps of an id-mapped mount. Either both are set or
	// neither, which means those of the container's user namespace.
	UIDMappings, GIDMappings []IDMap
}

// IsBind reports whether the mount is a bind mount.
func (m *Mount) IsBind() bool { return m.Type == "bind" }

// RootMount returns the mount that is the container's root file system, nil if that is Rootfs.
func (c *Config) RootMount() *Mount {
	for i := len(c.Mounts) - 1; i >= 0; i-- {
		if m := &c.Mounts[i]; m.Destination == "/" && m.Flags&unix.MS_REMOUNT == 0 {
			return m
		}
	}
	return nil
}

// MountLabel is an SELinux label for new file systems.
type MountLabel struct {
	// Label is linux.mountLabel, "" for none.
	Label string
	// Option is the mount option that sets it (mount(8)), "" for "context".
	Option string
}

// OptionName returns the name of the option.
func (l MountLabel) OptionName() string {
	if l.Option == "" {
		return "context"
	}
	return l.Option
}
