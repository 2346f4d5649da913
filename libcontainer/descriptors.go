// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/internal/criu"
	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// descriptorsFile is where a checkpoint keeps what init's standard streams are, a list of
// three. A pipe, a socket or a terminal, by criu's name for it ("pipe:[INODE]",
// "socket:[INODE]", "tty[RDEV:DEV]"), gets the stream of the restore in its place. A file
// of the host's, "file[MOUNT:INODE] PATH", is opened anew: criu puts nothing of another
// kind or size in its place. What is the container's is a path. The form is runc's, but
// for files and terminals.
const descriptorsFile = "descriptors.json"

// stdioNames finds the names of the standard streams of a process. Those that are files of
// the host, out of the container's reach, need to be told to criu: they are external.
func stdioNames(pid int, mounts []*mountinfo.Info) (names [3]string, external []string, err error) {
	for fd := range names {
		dir := "/proc/" + strconv.Itoa(pid)
		names[fd], err = os.Readlink(fmt.Sprintf("%s/fd/%d", dir, fd))
		if errors.Is(err, os.ErrNotExist) {
			continue // closed
		}
		if err != nil {
			return names, nil, err
		}
		if !strings.HasPrefix(names[fd], "/") {
			continue
		}
		mount, err := mountOfFD(fmt.Sprintf("%s/fdinfo/%d", dir, fd))
		if err != nil {
			return names, nil, err
		}
		if slices.ContainsFunc(mounts, func(m *mountinfo.Info) bool { return m.ID == mount }) {
			continue
		}
		var st unix.Stat_t
		if err := unix.Stat(fmt.Sprintf("%s/fd/%d", dir, fd), &st); err != nil {
			return names, nil, &os.PathError{Op: "stat", Path: names[fd], Err: err}
		}
		key := fmt.Sprintf("file[%x:%x]", mount, st.Ino)
		names[fd] = key + " " + names[fd]
		if isTTY(&st) {
			key = fmt.Sprintf("tty[%x:%x]", st.Rdev, st.Dev)
			names[fd] = key
		}
		if !slices.Contains(external, key) {
			external = append(external, key)
		}
	}
	return names, external, nil
}

// isTTY says whether a file is a terminal by its number (devices.txt of the kernel): ttys,
// serial lines and ptys.
func isTTY(st *unix.Stat_t) bool {
	if st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return false
	}
	const tty, alternate, firstPty, lastPty = 4, 5, 136, 143
	major := unix.Major(st.Rdev)
	return major == tty || major == alternate || major >= firstPty && major <= lastPty
}

// mountOfFD reads mnt_id of /proc/PID/fdinfo/FD (proc_pid_fdinfo(5)).
func mountOfFD(path string) (int, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			id, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil {
				return 0, fmt.Errorf("%s: mnt_id: %w", path, err)
			}
			return id, nil
		}
	}
	return 0, fmt.Errorf("%s: no mnt_id in it", path)
}

// writeDescriptors saves the names beside the images.
func writeDescriptors(images string, names [3]string) error {
	data, err := json.Marshal(names)
	if err != nil {
		return err
	}
	return writeFileAtomically(filepath.Join(images, descriptorsFile), data, 0o600)
}

// readDescriptors reads what writeDescriptors has written.
func readDescriptors(images string) (names [3]string, err error) {
	path := filepath.Join(images, descriptorsFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return names, err
	}
	var list []string
	if err := json.Unmarshal(data, &list); err != nil {
		return names, fmt.Errorf("%s: %w", path, err)
	}
	if len(list) > len(names) {
		return names, fmt.Errorf("%s: %d descriptors, want 3", path, len(list))
	}
	copy(names[:], list)
	return names, nil
}

// inheritStdio puts the caller's streams in the place of those of the images. Several of
// them may have one name, when they were one open file: then it is the last that counts,
// opened anew to read and write when it has to serve as input too. The returned files are
// open for criu.
func inheritStdio(t *criu.Task, names [3]string, stdio [3]*os.File) ([]*os.File, error) {
	var opened []*os.File
	for fd := len(names) - 1; fd >= 0; fd-- {
		key, path, external := strings.Cut(names[fd], "] ")
		if slices.Contains(names[fd+1:], names[fd]) {
			continue
		}
		f := stdio[fd]
		switch {
		case external:
			key += "]"
		case !replaceable(key):
			continue
		case f == nil:
			path = os.DevNull
		case fd > 0 && names[fd] == names[0]:
			path = fmt.Sprintf("/proc/self/fd/%d", f.Fd())
		}
		if path != "" {
			var err error
			if f, err = openAny(path); err != nil {
				return opened, err
			}
			opened = append(opened, f)
		}
		t.Opts.InheritFd = append(t.Opts.InheritFd, &rpc.InheritFd{Key: &key, Fd: ptr(t.Pass(f))})
	}
	return opened, nil
}

// openAny opens a file to read and write, or as it may be opened.
func openAny(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, unix.EROFS) {
		f, err = os.OpenFile(path, os.O_RDONLY|unix.O_NOCTTY, 0)
	}
	return f, err
}

// replaceable says whether name is criu's name of something that can be replaced.
func replaceable(name string) bool {
	for _, prefix := range [...]string{"pipe:[", "socket:[", "tty["} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
