// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// image returns the init program in a sealed memfd, with a descriptor of at least lowest. It is
// sealed because init is our only process that a container could reach through /proc/PID/exe:
// so there is nothing that could be overwritten (CVE-2019-5736), neither this memfd nor a file
// on the host.
//
// The number is high because syscall.ForkExec moves descriptors in the child before it executes
// the program by its number.
func image(lowest int) (int, error) {
	program, err := initFiles.ReadFile(initFile)
	if err != nil || len(program) == 0 {
		return -1, errNoInit
	}
	fd, err := sealedFile("berth-init", program, true)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, lowest)
	if errors.Is(err, unix.EINVAL) {
		err = unix.EMFILE // this is what it means: RLIMIT_NOFILE is lower than the number
	}
	if err != nil {
		return -1, fmt.Errorf("fcntl F_DUPFD_CLOEXEC %d: %w", lowest, err)
	}
	return high, nil
}

// sealedFile creates a memfd with data that nobody can change any more.
func sealedFile(name string, data []byte, executable bool) (int, error) {
	fd, err := createMemfd(name, executable)
	if err != nil {
		return -1, fmt.Errorf("memfd_create %s: %w", name, err)
	}
	// pwrite keeps the offset at the start, where a hook begins to read its stdin.
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
	// F_SEAL_EXEC needs Linux 6.3. Without it the mode of the file can still be changed, which
	// is harmless: the content is sealed.
	if err := addSeals(fd, seals|unix.F_SEAL_SEAL); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("seal memfd %s: %w", name, err)
	}
	return fd, nil
}

// sealTries is how often sealing a busy file is tried: something, such as the kernel's own
// reclaim, may hold a page. The kernel itself waits about 100 ms for each try.
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

// createMemfd creates a memfd, and says whether it will be executed, as Linux 6.3 requires
// (sysctl vm.memfd_noexec). Older kernels return EINVAL, and make all memfds executable.
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
