// SPDX-License-Identifier: Apache-2.0

// Package network configures interfaces in a container's network namespace.
package network

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// LoopbackUp brings the interface "lo" of the calling thread's network
// namespace up (netdevice(7)). A new namespace has the interface with no flags
// set, so that none is lost by not reading them first; the addresses come by
// themselves.
func LoopbackUp() error {
	if err := loopbackUp(); err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	return nil
}

// ifreqFlags is struct ifreq of netdevice(7) with the member ifr_flags: 40 bytes
// on every 64-bit machine.
type ifreqFlags struct {
	name  [unix.IFNAMSIZ]byte
	flags uint16
	_     [22]byte
}

func loopbackUp() error {
	// An ioctl(2) and no netlink: three system calls, nothing to parse.
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	req := ifreqFlags{flags: unix.IFF_UP}
	copy(req.name[:], "lo")
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&req)))
	if errno != 0 {
		return errors.Join(os.NewSyscallError("ioctl SIOCSIFFLAGS", errno), unix.Close(fd))
	}
	return unix.Close(fd)
}
