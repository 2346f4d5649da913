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
// fail and waits for `start` or for Proceed, or has exec'd. Its error is a *StepError
// when init refused.
//
// If init has joined a pid namespace, it is another process afterwards, a child of the
// caller as well, and the first one has been reaped.
func (i *Init) Configure(p *Plan) error {
	if p.Listener != nil && i.helper == nil {
		return errors.New("a plan with a listener for an init that was started without Notifies")
	}
	if !i.joinsPID && p.Born != nil {
		if err := p.Born(); err != nil {
			return err
		}
	}
	err := i.sendPlan(p)
	// Nobody to send to: what init has said last tells why.
	if err != nil && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
		return err
	}
	if err := i.skipInside(); err != nil {
		return err
	}
	if err := i.goOn(p); err != nil {
		return err
	}
	if p.AtOnce {
		return i.awaitExec()
	}
	_, _, err = i.receive(wireReady)
	return err
}

// goOn follows init into a pid namespace that it joins, and takes the listener of its
// filter, in the order in which init does these (init/main.c). The agent gets the
// listener of a process that it can name: the one that will run the program.
func (i *Init) goOn(p *Plan) error {
	joins := i.joinsPID
	listener, err := (*os.File)(nil), error(nil)
	if !p.NoNewPrivileges {
		listener, err = i.takeListener(p)
	}
	if err == nil && joins {
		err = i.follow()
	}
	if err == nil && !p.NoNewPrivileges {
		err = handOn(listener, p)
		listener = nil
	}
	if err == nil && joins && p.Born != nil {
		err = p.Born()
	}
	if err == nil && joins && p.waits() {
		err = i.letGo()
	}
	if err == nil && p.NoNewPrivileges {
		if listener, err = i.takeListener(p); err == nil {
			return handOn(listener, p)
		}
	}
	if listener != nil {
		_ = listener.Close()
	}
	return err
}

// letGo lets an init go on that waits for it.
func (i *Init) letGo() error {
	if err := sendMessage(i.sock, []byte{wireGo}, nil); err != nil {
		return fmt.Errorf("%w (send: %w)", ErrInitGone, err)
	}
	return nil
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
func (i *Init) sendPlan(p *Plan) error {
	data, err := p.encode(i.joinsPID)
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
	if p.Fifos != nil {
		add(wireHasFifo, p.Fifos[0])
	}
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
	if p.Fifos != nil {
		add(wireHasReports, p.Fifos[1])
	}
	add(wireHasRuleset, p.Landlock)
	err = sendMessage(i.sock, bytesOf(&m), files)
	runtime.KeepAlive(p)
	if err != nil {
		return fmt.Errorf("send the plan to init: %w", err)
	}
	return nil
}

// Proceed lets an init without fifos go on, and waits until it has
// exec'd the user's program (nil) or failed to (a *StepError).
func (i *Init) Proceed() error {
	if err := i.letGo(); err != nil {
		return err
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
// configured yet exits; one that waits on the fifos goes on waiting.
func (i *Init) Close() error {
	if i.sock == nil {
		return i.PIDFD.Close()
	}
	return errors.Join(i.helper.close(), i.endChild(), i.sock.Close(), i.PIDFD.Close())
}

// endChild is for an init that has ended, or been killed, in the moment between its fork
// into a pid namespace and follow: there may be a child that nobody knows of.
func (i *Init) endChild() error {
	if !i.joinsPID {
		return nil
	}
	const moment = 1000 // milliseconds: it may be that somebody has stopped it
	said, err := i.forked != 0, error(nil)
	if !said {
		said, err = readableWithin(i.sock, moment)
	}
	// Without a child this is the end of the connection.
	if err != nil || !said || i.follow() != nil {
		return err
	}
	return i.Abort()
}

// Adopt makes an Init of a child that somebody else has started for the caller, such as
// criu, and takes its pidfd over. It can be waited for and killed, but not talked to.
func Adopt(pid int, pidfd *os.File) *Init { return &Init{PID: pid, PIDFD: pidfd} }

// Detach gives up the connection alone: the pidfd is the caller's from now on, and the
// process, which has been exec'd, too.
func (i *Init) Detach() error { return errors.Join(i.helper.close(), i.sock.Close()) }

// Interrupt kills init, whichever process it is by now, while another goroutine is in one
// of its methods, which comes back with an error. It is still to be reaped.
func (i *Init) Interrupt() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.interrupted = true
	err := unix.PidfdSendSignal(int(i.PIDFD.Fd()), unix.SIGKILL, nil, 0)
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill init: %w", err)
	}
	return nil
}

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
	m, err := receiveMessage(sock, buf[:])
	if err != nil {
		return nil, nil, fmt.Errorf("receive from init: %w", err)
	}
	if m.size == 0 {
		return nil, nil, ErrInitGone
	}
	i.sender = m.sender
	r, detail, rest, err := parseReport(buf[:m.size])
	if err == nil && (r == nil || len(rest) != 0) {
		err = errBadReport
	}
	if err == nil && r.Kind == wireFailed {
		err = i.names.stepError(r, detail)
	} else if err == nil && r.Kind != want {
		if r.Kind == wireForked {
			i.forked = m.sender
		}
		err = fmt.Errorf("%w: kind %d, want %d", errBadReport, r.Kind, want)
	}
	if err != nil {
		closeAll(m.files)
		return nil, nil, err
	}
	return r, m.files, nil
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

// received is a message.
type received struct {
	// size is 0 at the end of the connection.
	size  int
	files []int
	// sender is the pid of the process that has sent it, where the socket says so.
	sender int
}

// receiveMessage waits for one message.
func receiveMessage(sock *os.File, data []byte) (m received, err error) {
	control := make([]byte, unix.CmsgSpace(4*(wireMaxProcContexts+8))+unix.CmsgSpace(unix.SizeofUcred))
	for {
		var oob, flags int
		m.size, oob, flags, _, err = unix.Recvmsg(int(sock.Fd()), data, control, unix.MSG_CMSG_CLOEXEC)
		switch {
		// ECONNRESET comes before what is still queued: init ended and had not
		// read all, but what it said last is there. It comes once.
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNRESET):
			continue
		case err != nil:
			return m, err
		}
		if err := m.parseControl(control[:oob]); err != nil {
			closeAll(m.files)
			return m, err
		}
		if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
			closeAll(m.files)
			return m, unix.EMSGSIZE
		}
		return m, nil
	}
}

// parseControl takes the descriptors and the sender out of the control messages.
func (m *received) parseControl(control []byte) error {
	for len(control) > 0 {
		header, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return err
		}
		one := unix.SocketControlMessage{Header: header, Data: data}
		control = rest
		switch {
		case header.Level != unix.SOL_SOCKET:
		case header.Type == unix.SCM_RIGHTS:
			files, err := unix.ParseUnixRights(&one)
			if err != nil {
				return err
			}
			m.files = append(m.files, files...)
		case header.Type == unix.SCM_CREDENTIALS:
			sender, err := unix.ParseUnixCredentials(&one)
			if err != nil {
				return err
			}
			m.sender = int(sender.Pid)
		}
	}
	return nil
}
