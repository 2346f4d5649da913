// SPDX-License-Identifier: Apache-2.0

package program

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// file is what a path in the container leads to.
type file struct {
	// fd is an O_PATH descriptor that the file owns.
	fd int
	// at is the path without links.
	at   string
	stat unix.Stat_t
}

func (f *file) close() { unix.Close(f.fd) }

// problem is why a path leads nowhere.
type problem struct {
	// missing is set if there is nothing. detail is what is known about that besides, or "".
	missing bool
	detail  string
	// unknown is set if the path leads to where nobody can look.
	unknown bool
	// text says it in a sentence that begins with the path; "" if unknown.
	text string
}

// maxLinks and maxParts bound the walk. The first is the kernel's own limit (path_resolution(7)),
// the other is more than PATH_MAX can have without a link.
const (
	maxLinks = 40
	maxParts = 4096
)

// walk follows a path, link by link.
type walk struct {
	look *Look
	at   string
	rest []string
	// link is the last link that was followed, and target what it says.
	link, target string
	links, parts int
}

// open follows an absolute path. The caller closes the file.
func (l *Look) open(name string) (*file, *problem) {
	if strings.IndexByte(name, 0) >= 0 || len(name) >= unix.PathMax {
		return nil, &problem{text: "is no path: " + quoted(name)}
	}
	w := &walk{look: l, at: "/", rest: strings.Split(name, "/")}
	f, err := l.openAt("/")
	for len(w.rest) > 0 && err == nil {
		next := w.rest[0]
		w.rest = w.rest[1:]
		if next == "" && len(w.rest) > 0 || next == "." {
			continue
		}
		if f.stat.Mode&unix.S_IFMT != unix.S_IFDIR {
			p := &problem{missing: true, detail: fmt.Sprintf(" (%s is not a directory)", plain(w.at))}
			f.close()
			return nil, p.say()
		}
		if u := l.User; u != nil && !u.may(&f.stat) {
			defer f.close()
			return nil, &problem{text: fmt.Sprintf("cannot be reached by user %d and group %d: the directory %s is of user %d and group %d, with mode %04o",
				u.UID, u.GID, plain(w.at), f.stat.Uid, f.stat.Gid, f.stat.Mode&0o7777)}
		}
		if next == "" { // a slash at the end
			break
		}
		f.close()
		f, err = w.step(next)
	}
	if err != nil {
		return nil, w.problem(err)
	}
	return f, nil
}

// step goes on to one entry of the directory at, and follows it if it is a link.
func (w *walk) step(name string) (*file, error) {
	if w.parts++; w.parts > maxParts {
		return nil, unix.ELOOP
	}
	dir := w.at
	w.at = path.Join(dir, name)
	f, err := w.look.openAt(w.at)
	if err != nil || f.stat.Mode&unix.S_IFMT != unix.S_IFLNK {
		return f, err
	}
	defer f.close()
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(f.fd, "", buf)
	if err != nil {
		return nil, err
	}
	if w.links++; w.links > maxLinks {
		return nil, unix.ELOOP
	}
	w.link, w.target = w.at, string(buf[:n])
	w.rest = append(strings.Split(w.target, "/"), w.rest...)
	if w.at = dir; path.IsAbs(w.target) {
		w.at = "/"
	}
	return w.look.openAt(w.at)
}

// errUnknown is for a file in a mount whose content is not known.
var errUnknown = unix.EOPNOTSUPP

// openAt opens a path without links, but does not follow a link at its end.
func (l *Look) openAt(at string) (*file, error) {
	tree, rest := l.Root, at
	if m := l.mountOf(at); m != nil {
		if tree = m.Tree; tree < 0 {
			return nil, errUnknown
		}
		rest = strings.TrimPrefix(at, strings.TrimSuffix(m.Destination, "/"))
	}
	fd, err := openBelow(tree, strings.TrimPrefix(rest, "/"))
	if err != nil {
		return nil, err
	}
	f := &file{fd: fd, at: at}
	if err := unix.Fstat(fd, &f.stat); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func openBelow(tree int, name string) (int, error) {
	if name == "" { // the tree may be a file
		return unix.FcntlInt(uintptr(tree), unix.F_DUPFD_CLOEXEC, 0)
	}
	how := unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_SYMLINKS,
	}
	for {
		fd, err := unix.Openat2(tree, name, &how)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// mountOf returns the mount that will be seen at a path: the last whose destination is there or
// above.
func (l *Look) mountOf(at string) *Mount {
	for i := len(l.Mounts) - 1; i >= 0; i-- {
		m := &l.Mounts[i]
		if rest, ok := strings.CutPrefix(at, strings.TrimSuffix(m.Destination, "/")); ok && (rest == "" || rest[0] == '/') {
			return m
		}
	}
	return nil
}

// Resolve returns the path without links of an existing file. Outside of mounts whose content is
// known, or if there is no such file, it is the path itself.
func (l *Look) Resolve(name string) string {
	f, p := l.open(name)
	if p != nil {
		return name
	}
	defer f.close()
	return f.at
}

// Stat returns what a path leads to, with links followed in the root. ok is false if there is
// nothing, or nobody can look.
func (l *Look) Stat(name string) (st unix.Stat_t, ok bool) {
	f, p := l.open(name)
	if p != nil {
		return st, false
	}
	defer f.close()
	return f.stat, true
}

// problem explains why the walk has ended.
func (w *walk) problem(err error) *problem {
	p := &problem{}
	switch {
	case errors.Is(err, errUnknown):
		p.unknown = true
		return p
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		p.missing = true
		if w.link != "" {
			p.detail = fmt.Sprintf(" (%s is a link to %s)", plain(w.link), plain(w.target))
		} else if len(w.rest) > 0 {
			p.detail = fmt.Sprintf(" (there is no %s)", plain(w.at))
		}
		return p.say()
	case errors.Is(err, unix.ELOOP):
		p.text = "leads through too many links"
	case errors.Is(err, unix.EACCES):
		w.look.Denied = true
		p.text = fmt.Sprintf("cannot be reached: %s may not be entered", plain(path.Dir(w.at)))
	default:
		p.text = fmt.Sprintf("cannot be looked at: %s: %v", plain(w.at), err)
	}
	return p
}

func (p *problem) say() *problem {
	p.text = "is not in the container" + p.detail
	return p
}

// noexec returns the mount point of the file's file system if nothing on it may be executed.
func (f *file) noexec(l *Look) string {
	if m := l.mountOf(f.at); m != nil {
		if m.Noexec {
			return plain(m.Destination)
		}
		return ""
	}
	var fs unix.Statfs_t
	// A root that is not mounted yet may be on a file system that is noexec, and so will be.
	if unix.Fstatfs(f.fd, &fs) != nil || fs.Flags&unix.ST_NOEXEC == 0 {
		return ""
	}
	at, id := f.at, mountID(f.fd)
	for at != "/" && id != 0 {
		up, err := l.openAt(path.Dir(at))
		if err != nil {
			break
		}
		same := mountID(up.fd) == id
		up.close()
		if !same {
			return plain(at)
		}
		at = path.Dir(at)
	}
	if at == "/" {
		return "the root file system"
	}
	return "its file system"
}

// mountID returns the id of the mount of a file, or 0.
func mountID(fd int) uint64 {
	var st unix.Statx_t
	if unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st) != nil || st.Mask&unix.STATX_MNT_ID == 0 {
		return 0
	}
	return st.Mnt_id
}

// headSize is what is read of a file at first: more than the kernel does, and enough for the
// program headers of nearly every ELF file.
const headSize = 4096

// read opens the file again, for reading. It is regular, so neither this nor the read waits for
// somebody, or does something to a device.
func (f *file) read(buf []byte, offset int64) (int, error) {
	fd, err := unix.Open("/proc/self/fd/"+strconv.Itoa(f.fd), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	return unix.Pread(fd, buf, offset)
}

// head returns the beginning and the size of a regular file.
func (f *file) head() ([]byte, int64, error) {
	buf := make([]byte, headSize)
	n, err := f.read(buf, 0)
	if err != nil {
		return nil, 0, err
	}
	return buf[:n], int64(n), nil
}
