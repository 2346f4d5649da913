// SPDX-License-Identifier: Apache-2.0

package inside

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"golang.org/x/sys/unix"
)

// ptmxMajor and ptmxMinor are the device number of every ptmx node.
const (
	ptmxMajor = 5
	ptmxMinor = 2
)

// Console opens a pty on the container's devpts. The caller owns both ends. The peer's Name is its
// path in the container.
//
// The peer is opened from the master by ioctl(2), not by its name in /dev/pts: a name could be
// replaced by a link to something that would then be mounted on /dev/console writable, before
// anything is masked (CVE-2025-52565).
func Console(root *inroot.Root) (master, peer *os.File, err error) {
	m, p, err := openPty(root)
	if err != nil {
		return nil, nil, fmt.Errorf("process.terminal: %w", err)
	}
	name, err := ptyName(m)
	if err != nil {
		return nil, nil, errors.Join(err, unix.Close(m), unix.Close(p))
	}
	return os.NewFile(uintptr(m), "ptmx"), os.NewFile(uintptr(p), name), nil
}

// ptyName returns the path of the peer in the container.
func ptyName(master int) (string, error) {
	n, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		return "", os.NewSyscallError("ioctl TIOCGPTN", err)
	}
	return "/dev/pts/" + strconv.Itoa(n), nil
}

func openPty(root *inroot.Root) (master, peer int, err error) {
	dir, err := root.Open("/dev/pts", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return -1, -1, err
	}
	defer unix.Close(dir)
	if err := checkDevpts(dir); err != nil {
		return -1, -1, err
	}
	// Only the kernel creates files in a devpts: the file named ptmx there is the real one,
	// unless something is mounted on it.
	master, err = unix.Openat2(dir, "ptmx", &unix.OpenHow{
		Flags:   unix.O_RDWR | unix.O_NOCTTY | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
	})
	if err != nil {
		return -1, -1, &os.PathError{Op: "openat2", Path: "/dev/pts/ptmx", Err: err}
	}
	peer, err = openPeer(master)
	if err != nil {
		return -1, -1, errors.Join(err, unix.Close(master))
	}
	if err := checkDevpts(peer); err != nil {
		return -1, -1, errors.Join(err, unix.Close(master), unix.Close(peer))
	}
	return master, peer, nil
}

func checkDevpts(dir int) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(dir, &fs); err != nil {
		return os.NewSyscallError("fstatfs", err)
	}
	if fs.Type != unix.DEVPTS_SUPER_MAGIC {
		return errors.New("/dev/pts is not a devpts")
	}
	return nil
}

// openPeer unlocks the pty and opens its other end.
func openPeer(master int) (int, error) {
	var st unix.Stat_t
	if err := unix.Fstat(master, &st); err != nil {
		return -1, os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || uint64(st.Rdev) != unix.Mkdev(ptmxMajor, ptmxMinor) {
		return -1, errors.New("/dev/pts/ptmx is not the pty multiplexer")
	}
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return -1, os.NewSyscallError("ioctl TIOCSPTLCK", err)
	}
	peer, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER,
		unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		return -1, os.NewSyscallError("ioctl TIOCGPTPEER", errno)
	}
	return int(peer), nil
}
