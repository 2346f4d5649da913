// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/internal/handover"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// descriptorsFile is where a checkpoint keeps what a restore has to give the processes from
// outside: a list that begins with init's three standard streams. A pipe, a socket or a
// terminal, by criu's name for it ("pipe:[INODE]", "socket:[INODE]", "tty[RDEV:DEV]"), is
// replaced by the stream of the restore. A file of the host, "file[MOUNT:INODE] PATH", is
// opened again: criu accepts only a file of the same kind and size in its place. The other
// files of the host that any process has open follow, and then the mounts: "mnt[PATH]" for
// those from the host, and "own[PATH]TYPE" for the container's own. Everything else is a path.
// The format is runc's, which handles only pipes.
const descriptorsFile = "descriptors.json"

// mountPrefix begins the name of a mount from the host.
const mountPrefix = "mnt["

// MountName returns the name of what is mounted on path.
func MountName(path string) string { return mountPrefix + path + "]" }

// MountPoint returns the path in a name of a mount from the host. ok is false for other names.
func MountPoint(name string) (path string, ok bool) {
	path, ok = strings.CutPrefix(name, mountPrefix)
	return strings.TrimSuffix(path, "]"), ok
}

// filePrefix begins criu's name of a file of the host.
const filePrefix = "file["

// DescribeFiles finds the descriptors of a frozen container. keys are what criu has to be told
// is external. A file is the host's if its mount is: outside holds the mounts of the runtime.
func DescribeFiles(init int, pids []int, outside []*mountinfo.Info) (names, keys []string, err error) {
	hosts := make(map[int]bool, len(outside))
	for _, m := range outside {
		hosts[m.ID] = true
	}
	for fd := range handover.StandardStreams {
		name, key, err := describeFile(init, strconv.Itoa(fd), hosts)
		if err != nil {
			return nil, nil, err
		}
		names = append(names, name)
		if key != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	for _, pid := range pids {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, nil, err
		}
		for _, e := range entries {
			name, key, err := describeFile(pid, e.Name(), hosts)
			if err != nil {
				return nil, nil, err
			}
			if key != "" && !slices.Contains(keys, key) {
				names, keys = append(names, name), append(keys, key)
			}
		}
	}
	return names, keys, nil
}

// describeFile returns the name of an open file, "" if it is closed, and criu's name for it if
// it is a file of the host.
func describeFile(pid int, fd string, hosts map[int]bool) (name, key string, err error) {
	path := fmt.Sprintf("/proc/%d/fd/%s", pid, fd)
	name, err = os.Readlink(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", "", nil
	}
	if err != nil || !strings.HasPrefix(name, "/") {
		return name, "", err
	}
	mount, err := mountOfFD(fmt.Sprintf("/proc/%d/fdinfo/%s", pid, fd))
	if err != nil || !hosts[mount] {
		return name, "", err
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", "", &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if isTTY(&st) {
		key = fmt.Sprintf("tty[%x:%x]", st.Rdev, st.Dev)
		return key, key, nil
	}
	key = fmt.Sprintf(filePrefix+"%x:%x]", mount, st.Ino)
	return key + " " + name, key, nil
}

// isTTY reports whether a file is a terminal, by its device number (the kernel's devices.txt):
// ttys, serial lines and ptys.
func isTTY(st *unix.Stat_t) bool {
	if st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return false
	}
	const tty, alternate, firstPty, lastPty = 4, 5, 136, 143
	major := unix.Major(st.Rdev)
	return major == tty || major == alternate || major >= firstPty && major <= lastPty
}

// mountOfFD reads mnt_id from /proc/PID/fdinfo/FD (proc_pid_fdinfo(5)).
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

// WriteDescriptors saves the names beside the images.
func WriteDescriptors(images string, names []string) error {
	data, err := json.Marshal(names)
	if err != nil {
		return err
	}
	return sysfile.WriteAtomically(filepath.Join(images, descriptorsFile), data, 0o600)
}

// ReadDescriptors reads what WriteDescriptors, or runc, has written.
func ReadDescriptors(images string) ([]string, error) {
	path := filepath.Join(images, descriptorsFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var names []string
	if err := json.Unmarshal(data, &names); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(names) < handover.StandardStreams {
		return nil, fmt.Errorf("%s: %d descriptors, want at least %d", path, len(names), handover.StandardStreams)
	}
	return names, nil
}

// InheritFiles gives criu what the processes have from outside: the caller's streams, or the
// host's files. Several streams may have the same name, if they were one open file. Then only
// the last one counts; it is opened again for reading and writing if it also has to serve as
// input. The returned files are open for criu.
func InheritFiles(t *Task, names []string, stdio [handover.StandardStreams]*os.File) ([]*os.File, error) {
	var opened []*os.File
	for fd := len(names) - 1; fd >= 0; fd-- {
		key, path, external := strings.Cut(names[fd], "] ")
		// Other entries may have blanks and brackets anywhere in their paths.
		external = external && strings.HasPrefix(key, filePrefix)
		if slices.Contains(names[fd+1:], names[fd]) {
			continue
		}
		var f *os.File
		var err error
		switch {
		case external:
			key += "]"
			f, err = openHostFile(path)
		case fd >= handover.StandardStreams || !replaceable(key):
			continue
		case stdio[fd] == nil:
			path = os.DevNull
		case fd > 0 && names[fd] == names[0]:
			path = fmt.Sprintf("/proc/self/fd/%d", stdio[fd].Fd())
		default:
			f = stdio[fd]
		}
		if f == nil && err == nil {
			f, err = openAny(path)
		}
		if err != nil {
			return opened, err
		}
		if !slices.Contains(stdio[:], f) {
			opened = append(opened, f)
		}
		t.Opts.InheritFd = append(t.Opts.InheritFd, &rpc.InheritFd{Key: &key, Fd: Ptr(t.Pass(f))})
	}
	return opened, nil
}

// ReplacedStreams returns those of stdio that a restored process gets.
func ReplacedStreams(names []string, stdio [handover.StandardStreams]*os.File) [handover.StandardStreams]*os.File {
	for fd := range stdio {
		if !replaceable(names[fd]) {
			stdio[fd] = nil
		}
	}
	return stdio
}

// openHostFile opens a file of the host by the path that the kernel has reported, which had no
// links. Anybody who can write to a directory in the path may have made one since.
func openHostFile(path string) (*os.File, error) {
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, &os.PathError{Op: "openat2", Path: path, Err: err}
	}
	defer unix.Close(fd)
	return openAny(fmt.Sprintf("/proc/self/fd/%d", fd))
}

// openAny opens a file for reading and writing, or only for reading if nothing else is allowed.
func openAny(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, unix.EROFS) {
		f, err = os.OpenFile(path, os.O_RDONLY|unix.O_NOCTTY, 0)
	}
	return f, err
}

// replaceable reports whether name is criu's name for something that can be replaced.
func replaceable(name string) bool {
	for _, prefix := range [...]string{"pipe:[", "socket:[", "tty["} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
