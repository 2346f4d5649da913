// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/berth-run/berth/nsenter/internal/wire"
	"golang.org/x/sys/unix"
)

// insideRequest is what the first message of init must contain.
type insideRequest struct {
	procContexts int
	namespaces   uint32
}

// Namespaces waits until init has moved into its cgroups and namespaces. Its error is a
// *StepError if init failed. It must be called at most once. If the files are not needed it
// need not be called, because Configure waits as well.
func (i *Init) Namespaces() (*Inside, error) {
	r, files, err := i.receive(wire.Namespaces)
	if i.entering.End(err) != nil {
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

// Configure sends the plan and waits until init has applied everything that can fail. By then
// init waits for `start` or for Proceed, or has executed the program. Its error is a *StepError
// if init failed.
//
// If init joins a pid namespace, it is another process afterwards, also a child of the caller,
// and the first one has been reaped.
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
	// Init is gone: its last message explains why.
	if err != nil && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
		return err
	}
	if err := i.skipInside(); err != nil {
		return err
	}
	span := i.track.Begin("carry out the plan")
	err = i.followWithListener(p)
	if err == nil {
		_, err = i.await(last(p))
	}
	if span.End(err) != nil || !p.AtOnce {
		return err
	}
	return i.awaitEnd()
}

// last returns the kind of init's last message about the plan.
func last(p *Plan) uint32 {
	if p.AtOnce {
		return wire.Exec
	}
	return wire.Ready
}

// followWithListener follows init into a pid namespace that it joins, and receives the listener of its
// filter, in the order in which init does these (init/main.c). The agent can identify the
// process of the listener that it gets: it is the one that will run the program.
func (i *Init) followWithListener(p *Plan) error {
	joins := i.joinsPID
	listener, err := (*os.File)(nil), error(nil)
	if !p.NoNewPrivileges {
		listener, err = i.takeListener(p)
	}
	if err == nil && joins {
		err = i.follow()
	}
	if err == nil && !p.NoNewPrivileges {
		err = passListener(listener, p)
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
			return passListener(listener, p)
		}
	}
	if listener != nil {
		_ = listener.Close()
	}
	return err
}

// letGo releases an init that waits for it.
func (i *Init) letGo() error {
	if err := sendMessage(i.sock, []byte{wire.Go}, nil); err != nil {
		return fmt.Errorf("%w (send: %w)", ErrInitGone, err)
	}
	return nil
}

// skipInside receives and closes the files if Namespaces was not called.
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

// sendPlan writes the plan into a sealed memfd, because an environment may be larger than a
// message, and sends the memfd with the files of the plan.
func (i *Init) sendPlan(p *Plan) error {
	data, err := p.encode(i.joinsPID)
	if err != nil {
		return err
	}
	m := wire.PlanMessage{Magic: wire.Magic, Version: wire.Version, Size: uint32(len(data))}
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
	// In ascending order of the flags, as init expects them.
	add(wire.HasConsole, p.Console)
	add(wire.HasRoot, p.Root)
	if p.Fifos != nil {
		add(wire.HasFifo, p.Fifos[0])
	}
	if len(p.Hooks) > 0 {
		state, err := sealedFile("container-state", p.HookState, false)
		if err != nil {
			return err
		}
		defer unix.Close(state)
		m.Files |= wire.HasHookState
		files = append(files, state)
	}
	add(wire.HasProgram, p.Program)
	add(wire.HasHookStdout, p.HookStdout)
	add(wire.HasHookStderr, p.HookStderr)
	if p.Fifos != nil {
		add(wire.HasReports, p.Fifos[1])
	}
	add(wire.HasRuleset, p.Landlock)
	err = sendMessage(i.sock, wire.Bytes(&m), files)
	runtime.KeepAlive(p)
	if err != nil {
		return fmt.Errorf("send the plan to init: %w", err)
	}
	return nil
}

// Proceed releases an init without fifos, and waits until it has executed the user's program
// (nil) or failed to (a *StepError).
func (i *Init) Proceed() error {
	if err := i.letGo(); err != nil {
		return err
	}
	if _, err := i.await(wire.Exec); err != nil {
		return err
	}
	return i.awaitEnd()
}

// awaitEnd waits until init, which has announced it, has executed the user's program (nil) or
// failed to.
func (i *Init) awaitEnd() error {
	span := i.track.Begin("exec of the program")
	// The kernel closes init's end of the socket at the exec, and this is the answer.
	_, err := i.await(wire.Failed)
	if errors.Is(err, ErrInitGone) {
		err = diedBeforeExec(i.PID, i.PIDFD, nil)
	}
	return span.End(err)
}

// Close closes the connection and the pidfd. An init that has not been configured yet then
// exits. One that waits on the fifos continues to wait.
func (i *Init) Close() error {
	if i.sock == nil {
		return i.PIDFD.Close()
	}
	return errors.Join(i.helper.close(), i.endChild(), i.sock.Close(), i.PIDFD.Close())
}

// endChild is for an init that ended, or was killed, between its fork into a pid namespace and
// follow: there may be a child that is not known yet.
func (i *Init) endChild() error {
	if !i.joinsPID {
		return nil
	}
	const moment = 1000 // milliseconds, in case somebody has stopped it
	said, err := i.forked != 0, error(nil)
	if !said {
		said, err = readableWithin(i.sock, moment)
	}
	// Without a child, this is the end of the connection.
	if err != nil || !said || i.follow() != nil {
		return err
	}
	return i.Abort()
}

// Adopt returns an Init for a child that another program, such as criu, has started for the
// caller, and takes ownership of its pidfd. It can be waited for and killed, but there is no
// connection to it.
func Adopt(pid int, pidfd *os.File) *Init { return &Init{PID: pid, PIDFD: pidfd} }

// Detach closes only the connection. The caller owns the pidfd and the process, which has
// executed the program.
func (i *Init) Detach() error { return errors.Join(i.helper.close(), i.sock.Close()) }

// Interrupt kills init, whichever process it is by now, while another goroutine is in one of
// its methods, which then returns an error. Init must still be reaped.
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

// Abort kills init and reaps it. It is not an error if init was dead or reaped already. Close
// must still be called.
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

// await is receive for a record that has no files. It closes those that come with it all the same:
// a process that traces a child in a joined pid namespace may forge its messages.
func (i *Init) await(want uint32) (*wire.Report, error) {
	r, files, err := i.receive(want)
	closeAll(files)
	return r, err
}

// receive waits for one record of init, which must be of kind want. It returns an error if init
// reports a failure, and ErrInitGone at the end of the connection.
func (i *Init) receive(want uint32) (*wire.Report, []int, error) {
	return i.receiveFrom(i.sock, want)
}

// receiveFrom is like receive, from the socket of the helper or of init.
func (i *Init) receiveFrom(sock *os.File, want uint32) (*wire.Report, []int, error) {
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
	if err == nil && r.Kind == wire.Failed {
		failed := i.names.stepError(r, detail)
		if failed.AboutProgram() {
			failed.Facts = i.facts(sock)
		}
		err = failed
	} else if err == nil && r.Kind != want {
		if r.Kind == wire.Forked {
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

// sendMessage sends one message with descriptors. There are only a few messages, for which the
// socket has room, so it does not block.
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
	// sender is the pid of the process that has sent the message, if the socket reports it.
	sender int
}

// receiveMessage waits for one message.
func receiveMessage(sock *os.File, data []byte) (m received, err error) {
	control := make([]byte, unix.CmsgSpace(4*(wire.MaxProcContexts+8))+unix.CmsgSpace(unix.SizeofUcred))
	for {
		var oob, flags int
		m.size, oob, flags, _, err = unix.Recvmsg(int(sock.Fd()), data, control, unix.MSG_CMSG_CLOEXEC)
		switch {
		// ECONNRESET comes before messages that are still queued: init ended without reading
		// everything, but its last messages are there. The error is returned only once.
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

// parseControl returns the descriptors and the sender in the control messages.
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
