// SPDX-License-Identifier: Apache-2.0

// Package unixsocket connects to unix sockets by paths of any length. It knows nothing about
// the messages sent over them.
package unixsocket

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// longest is the maximum length of the path in an address: sun_path without the NUL.
const longest = len(unix.RawSockaddrUnix{}.Path) - 1

// Connect is connect(2) of the socket fd to the one at path, or to the abstract one whose name
// follows an @. A path that is too long for an address (unix(7)) is opened, and the address
// leads to that descriptor. The error is that of the call that failed.
func Connect(fd int, path string) error {
	if len(path) <= longest || path[0] == '@' {
		return unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	}
	peer, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("open", err)
	}
	defer unix.Close(peer)
	return unix.Connect(fd, &unix.SockaddrUnix{Name: "/proc/self/fd/" + strconv.Itoa(peer)})
}
