// SPDX-License-Identifier: Apache-2.0

// Package network configures interfaces in a container's network namespace: it sets the
// loopback interface up, creates veth pairs on bridges of the host, and moves interfaces of the
// host into the container.
//
// It does not deal with firewalls and name resolution. Until the container exists, all changes
// on the host can be undone. Interfaces that it creates there can always be distinguished from
// others.
package network

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// LoopbackUp sets the interface "lo" of the calling thread's network namespace up
// (netdevice(7)). In a new namespace the interface has no flags, so they need not be read
// first. The kernel adds the addresses.
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
	// An ioctl(2) instead of netlink: it takes three system calls, and there is nothing to
	// parse. Any socket will do; AF_UNIX exists even in a kernel without IPv4.
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	err = os.NewSyscallError("ioctl SIOCSIFFLAGS", unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req))
	return errors.Join(err, unix.Close(fd))
}
