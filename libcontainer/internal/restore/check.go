// SPDX-License-Identifier: Apache-2.0

package restore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/internal/criu"
	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// checkMounts runs when everything is mounted and no process of the container runs yet. Criu
// mounts by path, in a root file system whose content is the image's. A link there may divert a
// mount, or exchange two mounts that have different options in the checkpoint. The config may
// also differ from the checkpoint's. So only what the kernel has mounted in the end counts.
func (r *Restoration) checkMounts() error {
	inside, err := criu.ReadMounts(strconv.Itoa(r.Init.PID))
	if err != nil {
		return err
	}
	outside, err := criu.ReadMounts("self")
	if err != nil {
		return err
	}
	expected := make(map[string]*mountinfo.Info)
	for _, m := range r.run.Task.Opts.ExtMnt {
		expected[m.GetKey()] = r.prepared.mounts[m.GetVal()] // if there are several, the last one is on top
	}
	own, err := criu.NotShared(r.Init.PID, r.Cfg.Namespaces.Types())
	if err != nil {
		return err
	}
	if err := checkExternal(criu.HostsMounts(inside, outside, own), expected); err != nil {
		return err
	}
	if err := checkOwn(inside, r.names); err != nil {
		return err
	}
	return r.checkPaths()
}

// checkExternal compares the mounts that come from the host with those that criu was told to
// use. Those have the options of the config.
func checkExternal(mounts []*mountinfo.Info, expected map[string]*mountinfo.Info) error {
	top := make(map[string]*mountinfo.Info)
	for _, m := range mounts {
		top[m.Mountpoint] = m
	}
	for point, got := range top {
		want := expected[point]
		if want == nil {
			return fmt.Errorf("mounts: the restored container has a mount from the host on %s, and the config has none there", point)
		}
		if criu.DeviceOf(got) != criu.DeviceOf(want) || got.Root != want.Root {
			return fmt.Errorf("mounts: the restored mount on %s is not what the config has there", point)
		}
		has := strings.Split(got.Options, ",")
		for o := range strings.SplitSeq(want.Options, ",") {
			switch o {
			case "ro", "nosuid", "nodev", "noexec":
				if !slices.Contains(has, o) {
					return fmt.Errorf("mounts: the restored mount on %s is not %s, as the config wants it (does the checkpoint have other options there?)", point, o)
				}
			}
		}
	}
	return nil
}

// checkOwn checks that the mounts that criu has recreated are there.
func checkOwn(inside []*mountinfo.Info, names []string) error {
	present := make(map[string]bool)
	for _, m := range inside {
		present[criu.OwnName(m)] = true
	}
	for _, name := range names {
		if strings.HasPrefix(name, criu.OwnPrefix) && !present[name] {
			return fmt.Errorf("mounts: %s of the checkpoint was restored to another place (is there a symbolic link in the path?)", name)
		}
	}
	return nil
}

// checkPaths checks that the masked and the read-only paths are.
func (r *Restoration) checkPaths() error {
	path := fmt.Sprintf("/proc/%d/root", r.Init.PID)
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	root := inroot.FromFD(fd)
	defer root.Close()
	for i, p := range r.Cfg.MaskedPaths {
		if err := checkPath(root, p, isMasked); err != nil {
			return fmt.Errorf("linux.maskedPaths[%d]: %s: %w", i, p, err)
		}
	}
	for i, p := range r.Cfg.ReadonlyPaths {
		if err := checkPath(root, p, isReadonly); err != nil {
			return fmt.Errorf("linux.readonlyPaths[%d]: %s: %w", i, p, err)
		}
	}
	if r.Cfg.Rootfs.Readonly {
		if err := checkPath(root, "/", isReadonly); err != nil {
			return fmt.Errorf("root.readonly: %w", err)
		}
	}
	return nil
}

// checkPath checks one path. A path that the container does not have needs no check.
func checkPath(root *inroot.Root, path string, check func(fd int) (bool, error)) error {
	fd, err := root.Open(path, unix.O_PATH, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	is, err := check(fd)
	if err == nil && !is {
		err = errors.New("is not restored as such (was it at the checkpoint?)")
	}
	return err
}

func isReadonly(fd int) (bool, error) {
	var fs unix.Statfs_t
	err := unix.Fstatfs(fd, &fs)
	return fs.Flags&unix.ST_RDONLY != 0, os.NewSyscallError("fstatfs", err)
}

// isMasked reports whether fd is the null device or an empty directory that stays empty.
func isMasked(fd int) (bool, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		const nullMajor, nullMinor = 1, 3
		return st.Mode&unix.S_IFMT == unix.S_IFCHR && uint64(st.Rdev) == unix.Mkdev(nullMajor, nullMinor), nil
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return false, os.NewSyscallError("fstatfs", err)
	}
	if fs.Type != unix.TMPFS_MAGIC || fs.Flags&unix.ST_RDONLY == 0 {
		return false, nil
	}
	dir, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, os.NewSyscallError("openat", err)
	}
	f := os.NewFile(uintptr(dir), "masked directory")
	defer f.Close()
	_, err = f.Readdirnames(1)
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	return false, err
}
