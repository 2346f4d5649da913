// SPDX-License-Identifier: Apache-2.0

// Package network configures interfaces in a container's network namespace: it brings the
// loopback up, makes veth pairs on bridges of the host, and moves interfaces of the host
// in.
//
// It knows no firewall and no name resolution. Its one invariant: what is done on the host
// can be undone until the container exists, and what it makes there can be told from what
// others have made.
package network

import (
	"errors"
	"fmt"
	"os"

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

func loopbackUp() error {
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP)
	// An ioctl(2) and no netlink: three system calls, nothing to parse. Any
	// socket does; one of AF_UNIX exists even in a kernel without IPv4.
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	err = os.NewSyscallError("ioctl SIOCSIFFLAGS", unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req))
	return errors.Join(err, unix.Close(fd))
}
