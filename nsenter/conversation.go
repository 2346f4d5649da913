// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// insideRequest is what the first message of init has to bring.
type insideRequest struct {
	procContexts int
	namespaces   uint32
}

// Namespaces waits until init has moved into its cgroups and namespaces. Its
// error is a *StepError when init could not. It is to be called once, and may
// be left out when the files are not needed: Configure then waits as well.
func (i *Init) Namespaces() (*Inside, error) {
	r, files, err := i.receive(wireNamespaces)
	if err != nil {
		return nil, err
	}
	i.insideTaken = true
	inside := &Inside{}
	for len(files) > 0 && len(inside.ProcContexts) < i.inside.procContexts {
		inside.ProcContexts = append(inside.ProcContexts, os.NewFile(uintptr(files[0]), "procfs context"))
		files = files[1:]
	}
	// In ascending order of the flags, as init sends them.
	for flag := uint32(1); flag != 0; flag <<= 1 {
		if i.inside.namespaces&flag == 0 || len(files) == 0 {
			continue
		}
		if inside.Namespaces == nil {
			inside.Namespaces = make(map[uint32]*os.File)
		}
		inside.Namespaces[flag] = os.NewFile(uintptr(files[0]), "namespace of init")
		files = files[1:]
	}
	if len(files) > 0 || len(inside.ProcContexts)+len(inside.Namespaces) != i.inside.count() {
		closeAll(files)
		return nil, errors.Join(fmt.Errorf("message %d of init: wrong number of files", r.Kind), inside.Close())
	}
	return inside, nil
}

func (r insideRequest) count() int {
	n := r.procContexts
	for flags := r.namespaces; flags != 0; flags &= flags - 1 {
		n++
	}
	return n
}

// Configure sends the plan and waits until init has applied everything that can
// fail and waits on the exec fifo or for Proceed, or has exec'd. Its error is a *StepError
// when init refused.
func (i *Init) Configure(p *Plan) error {
	channel, err := i.listenerChannel(p)
	if err != nil {
		return err
	}
	defer channel.close()
	err = i.sendPlan(p, channel)
	// Nobody to send to: what init has said last tells why.
	if err != nil && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
		return err
	}
	if err := i.skipInside(); err != nil {
		return err
	}
	if p.Listener != nil {
		if err := i.passListener(p.Listener, channel); err != nil {
			return err
		}
	}
	if p.AtOnce {
		return i.awaitExec()
	}
	_, _, err = i.receive(wireReady)
	return err
}

// skipInside takes what Namespaces was not called for.
func (i *Init) skipInside() error {
	if i.insideTaken {
		return nil
	}
	inside, err := i.Namespaces()
	if err != nil {
		return err
	}
	return inside.Close()
}

// sendPlan puts the plan into a sealed memfd, since an environment may be larger
// than a message, and sends that with the files of the plan.
func (i *Init) sendPlan(p *Plan, channel *listenerChannel) error {
	data, err := p.encode()
	if err != nil {
		return err
	}
	m := wirePlanMessage{Magic: wireMagic, Version: wireVersion, Size: uint32(len(data))}
	fd, err := sealedFile("berth-plan", data, false)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	files := []int{fd}
	add := func(flag uint32, f *os.File) {
		if f != nil {
			m.Files |= flag
			files = append(files, int(f.Fd()))
		}
	}
	// In ascending order of the flags, as init takes them.
	add(wireHasConsole, p.Console)
	add(wireHasRoot, p.Root)
	add(wireHasFifo, p.ExecFifo)
	if len(p.Hooks) > 0 {
		state, err := sealedFile("container-state", p.HookState, false)
		if err != nil {
			return err
		}
		defer unix.Close(state)
		m.Files |= wireHasHookState
		files = append(files, state)
	}
	add(wireHasProgram, p.Program)
	add(wireHasHookStdout, p.HookStdout)
	add(wireHasHookStderr, p.HookStderr)
	if channel != nil {
		add(wireHasChannel, channel.helpers)
	}
	add(wireHasRuleset, p.Landlock)
	err = sendMessage(i.sock, bytesOf(&m), files)
	runtime.KeepAlive(p)
	if err != nil {
		return fmt.Errorf("send the plan to init: %w", err)
	}
	return nil
}

// Proceed lets an init without an exec fifo go on, and waits until it has
// exec'd the user's program (nil) or failed to (a *StepError).
func (i *Init) Proceed() error {
	if err := sendMessage(i.sock, []byte{wireGo}, nil); err != nil {
		return fmt.Errorf("%w (send: %w)", ErrInitGone, err)
	}
	return i.awaitExec()
}

// awaitExec waits until init has exec'd the user's program (nil) or failed to.
func (i *Init) awaitExec() error {
	if _, _, err := i.receive(wireExec); err != nil {
		return err
	}
	// The kernel closes init's end of the socket at the exec: that is the answer.
	_, _, err := i.receive(wireFailed)
	if !errors.Is(err, ErrInitGone) {
		return err
	}
	return diedBeforeExec(i.PID, i.PIDFD, nil)
}

// Close gives up the connection and the pidfd. An init that has not been
// configured yet exits; one that waits on the exec fifo goes on waiting.
func (i *Init) Close() error {
	if i.sock == nil {
		return i.PIDFD.Close()
	}
	return errors.Join(i.sock.Close(), i.PIDFD.Close())
}

// Adopt makes an Init of a child that somebody else has started for the caller, such as
// criu, and takes its pidfd over. It can be waited for and killed, but not talked to.
func Adopt(pid int, pidfd *os.File) *Init { return &Init{PID: pid, PIDFD: pidfd} }

// Detach gives up the connection alone: the pidfd is the caller's from now on, and the
// process, which has been exec'd, too.
func (i *Init) Detach() error { return i.sock.Close() }

// Abort kills init and reaps it. It is no error when it was dead or reaped
// already. Close is still to be called.
func (i *Init) Abort() error {
	fd := int(i.PIDFD.Fd())
	defer runtime.KeepAlive(i)
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill init: %w", err)
	}
	for {
		err := unix.Waitid(unix.P_PIDFD, fd, nil, unix.WEXITED, nil)
		if err == nil || errors.Is(err, unix.ECHILD) {
			return nil
		}
		if !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("waitid init: %w", err)
		}
	}
}

// receive waits for one record of init, which must be of kind want. Failures are
// errors, and so is the end of the connection: ErrInitGone.
func (i *Init) receive(want uint32) (*wireReport, []int, error) {
	return i.receiveFrom(i.sock, want)
}

// receiveFrom is receive, from a socket of the helper's or of init's.
func (i *Init) receiveFrom(sock *os.File, want uint32) (*wireReport, []int, error) {
	var buf [reportMax]byte
	n, files, err := receiveMessage(sock, buf[:])
	if err != nil {
		return nil, nil, fmt.Errorf("receive from init: %w", err)
	}
	if n == 0 {
		return nil, nil, ErrInitGone
	}
	r, detail, rest, err := parseReport(buf[:n])
	if err == nil && (r == nil || len(rest) != 0) {
		err = errBadReport
	}
	if err == nil && r.Kind == wireFailed {
		err = i.names.stepError(r, detail)
	} else if err == nil && r.Kind != want {
		err = fmt.Errorf("%w: kind %d, want %d", errBadReport, r.Kind, want)
	}
	if err != nil {
		closeAll(files)
		return nil, nil, err
	}
	return r, files, nil
}

func closeAll(files []int) {
	for _, f := range files {
		unix.Close(f)
	}
}

// sendMessage sends one message with descriptors. The socket has room for the
// few that there are, so it does not wait.
func sendMessage(sock *os.File, data []byte, files []int) error {
	var rights []byte
	if len(files) > 0 {
		rights = unix.UnixRights(files...)
	}
	for {
		err := unix.Sendmsg(int(sock.Fd()), data, rights, nil, unix.MSG_NOSIGNAL)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// receiveMessage waits for one message; n is 0 at the end of the connection.
func receiveMessage(sock *os.File, data []byte) (n int, files []int, err error) {
	rights := make([]byte, unix.CmsgSpace(4*(wireMaxProcContexts+8)))
	for {
		var oob, flags int
		n, oob, flags, _, err = unix.Recvmsg(int(sock.Fd()), data, rights, unix.MSG_CMSG_CLOEXEC)
		switch {
		// ECONNRESET comes before what is still queued: init ended and had not
		// read all, but what it said last is there. It comes once.
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNRESET):
			continue
		case err != nil:
			return 0, nil, err
		}
		if files, err = parseRights(rights[:oob]); err != nil {
			return 0, nil, err
		}
		if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
			closeAll(files)
			return 0, nil, unix.EMSGSIZE
		}
		return n, files, nil
	}
}

func parseRights(oob []byte) ([]int, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var files []int
	for n := range messages {
		f, err := unix.ParseUnixRights(&messages[n])
		if err != nil {
			closeAll(files)
			return nil, err
		}
		files = append(files, f...)
	}
	return files, nil
}
