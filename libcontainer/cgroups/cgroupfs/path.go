// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// PathField is the field of the config with the cgroup path, for errors.
const PathField = "linux.cgroupsPath"

// CleanPath checks linux.cgroupsPath and returns it as a relative path that cannot leave the
// directory it is appended to: cleaned, and without a leading slash or "..". An empty path
// becomes id. absolute means that it is relative to the root of the hierarchies.
func CleanPath(p, id string) (clean string, absolute bool, err error) {
	if i := strings.IndexFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
		// The kernel refuses NUL and line feeds in names. Other control characters would break
		// programs that read /proc/PID/cgroup.
		return "", false, fmt.Errorf("%s: %q has a control character", PathField, p)
	}
	absolute = strings.HasPrefix(p, "/")
	if p == "" {
		p = id
	}
	clean = path.Clean("/" + p)[1:]
	if clean == "" {
		return "", false, fmt.Errorf("%s: %q is no cgroup of the container's own", PathField, p)
	}
	return clean, absolute, nil
}

// PathError returns the error for a cgroup that could not be created. It names the config's
// field.
func PathError(err error) error {
	switch {
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("%s: %w (the hierarchy is mounted read-only)", PathField, err)
	case errors.Is(err, unix.EAGAIN):
		return fmt.Errorf("%s: %w (cgroup.max.depth or cgroup.max.descendants of a cgroup above is reached)", PathField, err)
	case errors.Is(err, unix.ENAMETOOLONG):
		// With the path itself the error would be unreadable.
		return fmt.Errorf("%s: %w", PathField, unix.ENAMETOOLONG)
	}
	return fmt.Errorf("%s: %w", PathField, err)
}

// Permission reports whether err is a missing permission for a hierarchy, which a rootless
// container without limits does not need.
func Permission(err error) bool {
	return errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EROFS)
}

// CheckUnused refuses a cgroup that existed before the container and is in use, or is frozen:
// the container's init would hang. Engines match the texts literally.
func CheckUnused(d Dir, frozen func() (bool, error)) error {
	pids, err := d.Pids()
	if err != nil {
		return err
	}
	if len(pids) > 0 {
		return fmt.Errorf("%s: container's cgroup is not empty: %d process(es) found in %s", PathField, len(pids), d)
	}
	is, err := frozen()
	if err != nil {
		return err
	}
	if is {
		return fmt.Errorf("%s: container's cgroup unexpectedly frozen: %s", PathField, d)
	}
	return nil
}
