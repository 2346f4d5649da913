// SPDX-License-Identifier: Apache-2.0

package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// conn is an rtnetlink(7) socket of one network namespace.
//
// It replaces that of the netlink package, which needs two system calls per request and
// allocates 64 KiB for each answer. Here a batch is sent at once, and the kernel has executed
// it when sendto(2) returns.
type conn struct {
	fd  int
	seq uint32
	buf []byte
}

// request is one message of a batch.
type request struct {
	*nl.NetlinkRequest
	// explain returns the error for a request that the kernel has refused, or nil if that is
	// not an error. Without explain the kernel's error is returned.
	explain func(error) error
	// done is called when the kernel has executed the request.
	done func()
	// answer receives an answer of the kernel other than the acknowledgement: the message
	// without its header.
	answer func(body []byte) error
}

// newRequest returns a request that is acknowledged.
func newRequest(kind, flags int, data ...nl.NetlinkRequestData) *request {
	r := nl.NewNetlinkRequest(kind, flags|unix.NLM_F_ACK)
	r.Data = data
	return &request{NetlinkRequest: r}
}

// openConn opens a socket in the network namespace of the calling thread.
func openConn() (*conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	// Ask for error texts, and for no copy of the request in the answer.
	for _, option := range [...]int{unix.NETLINK_EXT_ACK, unix.NETLINK_CAP_ACK} {
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, option, 1); err != nil {
			return nil, errors.Join(os.NewSyscallError("setsockopt", err), unix.Close(fd))
		}
	}
	return &conn{fd: fd, buf: make([]byte, 16<<10)}, nil
}

func (c *conn) close() error {
	if c == nil {
		return nil
	}
	return os.NewSyscallError("close", unix.Close(c.fd))
}

// maxBatch limits the number of acknowledgements that the kernel has to queue. It would drop
// those that do not fit into the receive buffer.
const maxBatch = 64

// do executes requests in order and returns the error of the first one that failed. The later
// ones are still executed.
func (c *conn) do(batch ...*request) error {
	var first error
	for len(batch) > 0 {
		n := min(len(batch), maxBatch)
		if err := c.exchange(batch[:n]); err != nil && first == nil {
			first = err
		}
		batch = batch[n:]
	}
	return first
}

func (c *conn) exchange(batch []*request) error {
	var out []byte
	start := c.seq + 1
	for _, r := range batch {
		c.seq++
		r.Seq = c.seq
		out = append(out, r.Serialize()...)
		for len(out)%unix.NLMSG_ALIGNTO != 0 {
			out = append(out, 0)
		}
	}
	if err := unix.Sendto(c.fd, out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	results := make([]error, len(batch))
	for missing := len(batch); missing > 0; {
		n, err := c.receive(func(h *unix.NlMsghdr, body []byte) error {
			i := h.Seq - start // large for an older message
			if int(i) >= len(batch) {
				return nil
			}
			if h.Type == unix.NLMSG_DONE {
				missing-- // the end of a list
			} else if h.Type == unix.NLMSG_ERROR {
				missing--
				switch err := ackError(h, body); {
				case err != nil && results[i] == nil:
					results[i] = err
				case err == nil && batch[i].done != nil:
					batch[i].done()
				}
			} else if batch[i].answer != nil && results[i] == nil {
				results[i] = batch[i].answer(body)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if n == 0 {
			return errors.New("netlink: the kernel has sent nothing")
		}
	}
	for i, err := range results {
		if err != nil && batch[i].explain != nil {
			err = batch[i].explain(err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// receive reads one datagram, which may contain several messages.
func (c *conn) receive(each func(h *unix.NlMsghdr, body []byte) error) (int, error) {
	var n int
	for {
		var err error
		n, _, err = unix.Recvfrom(c.fd, c.buf, unix.MSG_TRUNC)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, os.NewSyscallError("recvfrom", err)
		}
		break
	}
	if n > len(c.buf) {
		return 0, fmt.Errorf("netlink: an answer of %d bytes is too long", n)
	}
	for rest := c.buf[:n]; len(rest) >= unix.SizeofNlMsghdr; {
		h := unix.NlMsghdr{
			Len:   binary.NativeEndian.Uint32(rest),
			Type:  binary.NativeEndian.Uint16(rest[4:]),
			Flags: binary.NativeEndian.Uint16(rest[6:]),
			Seq:   binary.NativeEndian.Uint32(rest[8:]),
		}
		if h.Len < unix.SizeofNlMsghdr || int(h.Len) > len(rest) {
			return 0, errors.New("netlink: a message of the kernel is cut off")
		}
		if err := each(&h, rest[unix.SizeofNlMsghdr:h.Len]); err != nil {
			return 0, err
		}
		rest = rest[min(align(int(h.Len)), len(rest)):]
	}
	return n, nil
}

func align(n int) int { return (n + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1) }

// kernelError is the kernel's error for a request.
type kernelError struct {
	errno unix.Errno
	// text is the kernel's own explanation, "" if there is none.
	text string
}

func (e *kernelError) Error() string {
	if e.text == "" {
		return e.errno.Error()
	}
	return e.errno.Error() + " (" + e.text + ")"
}

func (e *kernelError) Unwrap() error { return e.errno }

// The attributes of an extended acknowledgement (linux/netlink.h).
const (
	nlmFAckTLVs   = 0x200
	nlmsgerrAttrM = 1 // the text
)

// ackError returns the error in an acknowledgement, nil if there is none.
func ackError(h *unix.NlMsghdr, body []byte) error {
	if len(body) < 4+unix.SizeofNlMsghdr {
		return errors.New("netlink: an acknowledgement is cut off")
	}
	code := int32(binary.NativeEndian.Uint32(body))
	if code == 0 {
		return nil
	}
	e := &kernelError{errno: unix.Errno(-code)}
	if h.Flags&nlmFAckTLVs != 0 {
		for a := range attributes(body[4+unix.SizeofNlMsghdr:]) {
			if a.kind == nlmsgerrAttrM {
				e.text = cString(a.value)
			}
		}
	}
	return e
}
