// SPDX-License-Identifier: Apache-2.0

package restore

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"golang.org/x/sys/unix"
)

// mountPoints makes sure that there is a mount point for each of c's mounts, for a restore,
// which mounts by path and creates nothing. It returns the mount points in the order of the
// mounts, with all symbolic links in the root file system followed. Destinations below another
// mount are left alone, since they exist only with it.
func mountPoints(c *configs.Config) ([]string, error) {
	root, err := inroot.Open(c.Rootfs.Path)
	if err != nil {
		return nil, fmt.Errorf("root.path: %w", err)
	}
	defer root.Close()
	points := make([]string, len(c.Mounts))
	for i := range c.Mounts {
		m := &c.Mounts[i]
		if isCopiedLink(m) {
			points[i] = m.Destination // not a mount
			continue
		}
		points[i], err = mountPoint(root, c.Rootfs.Path, m, points[:i])
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", m.Field, m.Destination, err)
		}
	}
	return points, nil
}

// mountPoint does that for one mount.
func mountPoint(root *inroot.Root, rootfs string, m *configs.Mount, above []string) (string, error) {
	for _, p := range above {
		if rest, ok := strings.CutPrefix(m.Destination, p); ok && (rest == "" || rest[0] == '/') {
			return m.Destination, nil
		}
	}
	fd, err := root.Open(m.Destination, unix.O_PATH, 0)
	if errors.Is(err, unix.ENOENT) {
		fd, err = makeMountPoint(root, m)
	}
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	// The kernel reports the path that it has followed.
	found, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		return "", err
	}
	inside, ok := strings.CutPrefix(found, strings.TrimSuffix(rootfs, "/"))
	if !ok {
		return "", fmt.Errorf("is at %s, outside of the root file system", found)
	}
	return path.Clean("/" + inside), nil
}

// dirMode is the mode of the directories that are created as mount points.
const dirMode = 0o755

// makeMountPoint creates a directory, or an empty file for a bind mount of a file.
func makeMountPoint(root *inroot.Root, m *configs.Mount) (int, error) {
	if m.IsBind() {
		var st unix.Stat_t
		if err := unix.Stat(m.Source, &st); err != nil {
			return -1, &os.PathError{Op: "stat", Path: m.Source, Err: err}
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			return root.OpenOrCreate(m.Destination, 0o644, dirMode, 0)
		}
	}
	return root.MkdirAll(m.Destination, dirMode, 0)
}

// isCopiedLink reports whether m is not a mount but a copy of a link, because its source is
// one.
func isCopiedLink(m *configs.Mount) bool {
	if !m.CopySymlink {
		return false
	}
	_, err := os.Readlink(m.Source)
	return err == nil
}
