// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// msgConn carries JSON messages with file descriptors between two processes of this runtime,
// one message per packet of a SOCK_SEQPACKET socket.
type msgConn struct{ sock *os.File }

const (
	// maxMessage bounds a message. What may be larger is sent as a memfd.
	maxMessage = 64 << 10
	// maxMessageFDs is SCM_MAX_FD.
	maxMessageFDs = 253
)

// msgPair returns the two ends of a connection, the second one as a file to hand on.
func msgPair() (*msgConn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	return &msgConn{os.NewFile(uintptr(fds[0]), "builder")}, os.NewFile(uintptr(fds[1]), "runtime"), nil
}

func (c *msgConn) close() { _ = c.sock.Close() }

// send marshals v and passes copies of files.
func (c *msgConn) send(v any, files ...*os.File) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(data) > maxMessage {
		return fmt.Errorf("message of %d bytes is too large", len(data))
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	if err := unix.Sendmsg(int(c.sock.Fd()), data, rights, nil, unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("sendmsg: %w", err)
	}
	return nil
}

// sendFiles passes copies of files, in as many messages as needed.
func (c *msgConn) sendFiles(files []*os.File) error {
	for chunk := range slices.Chunk(files, maxMessageFDs) {
		if err := c.send(struct{}{}, chunk...); err != nil {
			return err
		}
	}
	return nil
}

// receiveFiles receives n files from sendFiles. The caller owns those it returns, even with an
// error.
func (c *msgConn) receiveFiles(n int) ([]*os.File, error) {
	var files []*os.File
	for len(files) < n {
		more, err := c.receive(&struct{}{})
		files = append(files, more...)
		if err == nil && len(more) == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return files, err
		}
	}
	return files, nil
}

// receive unmarshals the next message into v. It returns io.EOF when the other side is gone.
// The caller owns the files.
func (c *msgConn) receive(v any) ([]*os.File, error) {
	data := make([]byte, maxMessage)
	oob := make([]byte, unix.CmsgSpace(4*maxMessageFDs))
	n, oobn, flags, err := c.recvmsg(data, oob)
	if err != nil {
		return nil, fmt.Errorf("recvmsg: %w", err)
	}
	if n == 0 {
		return nil, io.EOF
	}
	files, err := receivedFiles(oob[:oobn])
	switch {
	case err != nil:
		return files, err
	case flags&unix.MSG_CTRUNC != 0:
		// Otherwise both sides would wait: one for the rest, the other one for an answer.
		return files, errors.New("recvmsg: not all file descriptors have arrived (is the limit of open files too low?)")
	}
	return files, json.Unmarshal(data[:n], v)
}

func (c *msgConn) recvmsg(data, oob []byte) (n, oobn, flags int, err error) {
	for {
		n, oobn, flags, _, err = unix.Recvmsg(int(c.sock.Fd()), data, oob, unix.MSG_CMSG_CLOEXEC)
		if !errors.Is(err, unix.EINTR) {
			return n, oobn, flags, err
		}
	}
}

// receivedFiles takes the file descriptors out of a control message.
func receivedFiles(oob []byte) ([]*os.File, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for i := range msgs {
		fds, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			return files, err
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}
