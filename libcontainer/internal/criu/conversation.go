// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"errors"
	"fmt"
	"os"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"
)

// maxMessage is more than criu sends. A longer message is an error; it is not truncated.
const maxMessage = 64 << 10

// ErrGone means that criu has ended without an answer.
var ErrGone = errors.New("criu has died")

// Refused is criu's own answer that it has failed. Its log says why.
type Refused struct {
	Type rpc.CriuReqType
	// Errno is an errno(3), or 0 if criu does not report one.
	Errno int32
	// Message is criu's own text, usually empty.
	Message string
}

func (r *Refused) Error() string {
	text := fmt.Sprintf("type %v errno %d", r.Type, r.Errno)
	if r.Message != "" {
		text += ": " + r.Message
	}
	return text
}

// converse sends the request and serves the notifications until the answer comes.
func (t *Task) converse() (*rpc.CriuResp, error) {
	if err := t.send(&rpc.CriuReq{Type: &t.Type, Opts: t.Opts}); err != nil {
		return nil, err
	}
	for {
		answer, file, err := t.receive()
		if err != nil {
			return nil, err
		}
		if answer.GetType() == rpc.CriuReqType_NOTIFY && answer.GetSuccess() {
			err = t.notified(answer.GetNotify(), file)
		} else {
			if file != nil {
				_ = file.Close()
			}
			return answer, t.check(answer)
		}
		ok := err == nil
		reply := rpc.CriuReqType_NOTIFY
		if serr := t.send(&rpc.CriuReq{Type: &reply, NotifySuccess: &ok}); err == nil && serr != nil {
			err = serr
		}
		if err != nil {
			// The answer comes when criu has undone its work.
			_, file, _ := t.receive()
			if file != nil {
				_ = file.Close()
			}
			return nil, err
		}
	}
}

// check returns an error if the answer is one.
func (t *Task) check(answer *rpc.CriuResp) error {
	switch {
	case !answer.GetSuccess():
		return &Refused{answer.GetType(), answer.GetCrErrno(), answer.GetCrErrmsg()}
	case answer.GetType() != t.Type:
		return fmt.Errorf("criu has answered %v to %v", answer.GetType(), t.Type)
	}
	return nil
}

// notified passes a notification on.
func (t *Task) notified(n *rpc.CriuNotify, file *os.File) error {
	if t.Notify != nil {
		return t.Notify(n.GetScript(), int(n.GetPid()), file)
	}
	if file != nil {
		return file.Close()
	}
	return nil
}

func (t *Task) send(m *rpc.CriuReq) error {
	data, err := m.MarshalVT()
	if err != nil {
		return fmt.Errorf("criu request: %w", err)
	}
	for {
		err := unix.Send(int(t.sock.Fd()), data, unix.MSG_NOSIGNAL)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EPIPE):
			return ErrGone
		default:
			return os.NewSyscallError("send to criu", err)
		}
	}
}

// receive reads one message and the descriptor that may come with it.
func (t *Task) receive() (*rpc.CriuResp, *os.File, error) {
	data, oob := make([]byte, maxMessage), make([]byte, unix.CmsgSpace(4))
	n, oobn, flags, err := t.recvmsg(data, oob)
	if err != nil {
		return nil, nil, os.NewSyscallError("receive from criu", err)
	}
	file, err := received(oob[:oobn])
	if err == nil && flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		err = fmt.Errorf("a message of criu is longer than %d bytes", maxMessage)
	}
	if err == nil && n == 0 {
		err = ErrGone
	}
	answer := new(rpc.CriuResp)
	if err == nil {
		if err = answer.UnmarshalVT(data[:n]); err != nil {
			err = fmt.Errorf("a message of criu: %w", err)
		}
	}
	if err != nil && file != nil {
		_ = file.Close()
		file = nil
	}
	return answer, file, err
}

func (t *Task) recvmsg(data, oob []byte) (n, oobn, flags int, err error) {
	for {
		n, oobn, flags, _, err = unix.Recvmsg(int(t.sock.Fd()), data, oob, unix.MSG_CMSG_CLOEXEC)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ECONNRESET):
			return 0, 0, 0, ErrGone
		default:
			return n, oobn, flags, err
		}
	}
}

// received returns the descriptor in a control message, nil if there is none.
func received(oob []byte) (*os.File, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("control message of criu: %w", err)
	}
	var file *os.File
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			if file != nil {
				_ = unix.Close(fd)
				continue
			}
			file = os.NewFile(uintptr(fd), "criu")
		}
	}
	return file, nil
}
