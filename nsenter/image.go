// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// image is the init program in a sealed memfd, at a descriptor number of at
// least lowest. Sealed, because init is the one process of ours that a container
// could reach through /proc/PID/exe: there is nothing to be overwritten then
// (CVE-2019-5736), neither in this memfd nor behind it.
//
// The number is high because syscall.ForkExec moves descriptors about in the
// child, and the program is exec'd by its number after that.
func image(lowest int) (int, error) {
	program, err := initFiles.ReadFile(initFile)
	if err != nil || len(program) == 0 {
		return -1, ErrNoInit
	}
	fd, err := sealedFile("berth-init", program, true)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, lowest)
	if errors.Is(err, unix.EINVAL) {
		err = unix.EMFILE // that is what it means: RLIMIT_NOFILE is below that
	}
	if err != nil {
		return -1, fmt.Errorf("fcntl F_DUPFD_CLOEXEC %d: %w", lowest, err)
	}
	return high, nil
}

// sealedFile makes a memfd with data that nobody can change any more.
func sealedFile(name string, data []byte, executable bool) (int, error) {
	fd, err := createMemfd(name, executable)
	if err != nil {
		return -1, fmt.Errorf("memfd_create %s: %w", name, err)
	}
	// pwrite leaves the offset at the start, where a hook reads its stdin from.
	for at := 0; at < len(data); {
		n, err := unix.Pwrite(fd, data[at:], int64(at))
		if err != nil && !errors.Is(err, unix.EINTR) {
			unix.Close(fd)
			return -1, fmt.Errorf("write memfd %s: %w", name, err)
		}
		at += max(n, 0)
	}
	seals := unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if addSeals(fd, seals|unix.F_SEAL_EXEC|unix.F_SEAL_SEAL) == nil {
		return fd, nil
	}
	// F_SEAL_EXEC needs Linux 6.3. Without it the mode of the file can still be
	// changed, which gives nobody anything: its content is sealed.
	if err := addSeals(fd, seals|unix.F_SEAL_SEAL); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("seal memfd %s: %w", name, err)
	}
	return fd, nil
}

// sealTries is how often a file that is busy is sealed: somebody, such as the kernel's own
// reclaim, has hold of a page. The kernel has waited some 100 ms by then.
const sealTries = 20

func addSeals(fd, seals int) error {
	var err error
	for range sealTries {
		if _, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); !errors.Is(err, unix.EBUSY) {
			break
		}
	}
	return err
}

// createMemfd says whether the file is to be executed, as Linux 6.3 wants to
// know (sysctl vm.memfd_noexec). Older kernels answer EINVAL, and make all
// memfds executable.
func createMemfd(name string, executable bool) (int, error) {
	flags := unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	kind := unix.MFD_NOEXEC_SEAL
	if executable {
		kind = unix.MFD_EXEC
	}
	fd, err := unix.MemfdCreate(name, flags|kind)
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate(name, flags)
	}
	return fd, err
}
