// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// tooSmall adds to ENOSPC how much room a copy of the directory from would take, and how much
// the file system of to has.
func tooSmall(err error, from, to *os.File) error {
	var fs unix.Statfs_t
	if !errors.Is(err, unix.ENOSPC) || unix.Fstatfs(int(to.Fd()), &fs) != nil {
		return err
	}
	n := copySize{page: int64(os.Getpagesize()), left: maxCounted}
	n.add(int(from.Fd()), 0)
	text := "to copy"
	if n.left <= 0 {
		text = "at least " + text
	}
	return fmt.Errorf("%w (%s are %d bytes in %d files and directories; the new file system has room for %d bytes and %d files)",
		err, text, n.bytes, n.files, int64(fs.Blocks)*fs.Bsize, fs.Files)
}

const (
	// maxCounted bounds the time that this takes. Anybody may have made the directory.
	maxCounted = 200_000
	// maxCountedDepth is the copier's MAX_DEPTH.
	maxCountedDepth = 256
)

// copySize sums up the size of a copy of a tree. Holes in files take no room, as st_blocks
// shows. The rest is rounded up to pages, as a tmpfs stores it. Only directories are opened and
// no link is followed: the tree may belong to anybody, and may change.
type copySize struct {
	page, bytes, files int64
	left               int
}

func (n *copySize) add(dir, depth int) {
	fd, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	d := os.NewFile(uintptr(fd), "directory")
	defer d.Close()
	for n.left > 0 {
		names, err := d.Readdirnames(1000)
		for _, name := range names {
			n.entry(fd, name, depth)
		}
		if err != nil {
			return
		}
	}
}

func (n *copySize) entry(dir int, name string, depth int) {
	var st unix.Stat_t
	if n.left--; n.left < 0 || unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return
	}
	n.files++
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		size := min(st.Size, st.Blocks*512)
		n.bytes += (size + n.page - 1) / n.page * n.page
	case unix.S_IFDIR:
		fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil || depth >= maxCountedDepth {
			return
		}
		n.add(fd, depth+1)
		_ = unix.Close(fd)
	}
}
