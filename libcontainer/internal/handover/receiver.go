// SPDX-License-Identifier: Apache-2.0

// Package handover passes what belongs to the caller to the container, and what belongs to the
// container to the caller: streams, terminals, pidfds, the listener of a seccomp filter, the
// pid file.
package handover

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/access"
	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/internal/unixsocket"
	"golang.org/x/sys/unix"
)

// Receiver is a unix stream socket of the caller that receives one file descriptor
// (`--console-socket`, `--pidfd-socket`). A nil receiver means that the caller did not ask for
// it.
type Receiver struct {
	what string
	sock *os.File
}

// Dial connects to the socket at path. It returns nil if path is "". It makes plain system
// calls, because package net would cost more at start than everything else.
func Dial(what, path string) (*Receiver, error) {
	if path == "" {
		return nil, nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: socket: %w", what, err)
	}
	sock := os.NewFile(uintptr(fd), path)
	if err := unixsocket.Connect(fd, path); err != nil {
		_ = sock.Close()
		return nil, codes.With(codes.SocketFailed, fmt.Errorf("%s: connect %s: %w", what, path, access.ExplainMissing(path, err)))
	}
	return &Receiver{what, sock}, nil
}

// Send sends one file descriptor, with text as the content of the message. It is one message,
// unless text is longer than the socket takes at once and a signal splits it.
func (r *Receiver) Send(f *os.File, text string) error {
	if r == nil {
		return nil
	}
	rights := unix.UnixRights(int(f.Fd()))
	for rest := []byte(text); rights != nil || len(rest) > 0; {
		n, err := unix.SendmsgN(int(r.sock.Fd()), rest, rights, nil, unix.MSG_NOSIGNAL)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: sendmsg %s: %w", r.what, r.sock.Name(), err)
		}
		// The first part has taken the descriptor along.
		rest, rights = rest[n:], nil
	}
	return nil
}

// Close closes the connection. It may be called on nil.
func (r *Receiver) Close() {
	if r != nil {
		_ = r.sock.Close()
	}
}
