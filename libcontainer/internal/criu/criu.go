// SPDX-License-Identifier: Apache-2.0

// Package criu runs criu(8), which checkpoints and restores process trees, and holds
// the conversation with it. The messages are go-criu's.
//
//	caller                         criu swrk
//	start                    ──▶
//	request, options         ──▶
//	            ◀── notification: which step, a pid, a descriptor
//	done, or not             ──▶   (as many as there are steps)
//	            ◀── answer
//
// The conversation itself does not use go-criu, which can neither receive the descriptor of a
// restored terminal nor give criu standard streams.
//
// It has one invariant: when [Task.Run] returns, criu has ended and been reaped. A [Task] knows
// nothing about containers. What checkpoints and restores both tell criu about those is in the
// other files: options ([Run]), cgroups, files, mounts, processes, network.
package criu

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"github.com/berth-run/berth/nsenter/timerslack"
	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"
)

// find returns the path of the program: named, or "criu" in $PATH if that is "".
func find(named string) (string, error) {
	name := named
	if name == "" {
		name = "criu"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%w (checkpoint and restore are the work of criu, which must be installed)", err)
	}
	return path, nil
}

// Task is one run of criu.
type Task struct {
	// Path is the program.
	Path string
	// Type is what to do.
	Type rpc.CriuReqType
	Opts *rpc.CriuOpts
	// Stdin is criu's standard input; nil means /dev/null. What criu, or a tool that it runs,
	// writes to its standard output is dropped: criu has a log.
	Stdin *os.File
	// Cgroup is a v2 cgroup in which criu starts; nil for the caller's.
	Cgroup *os.File
	// OwnGroup gives criu its own process group, so that keys typed at the caller's terminal do
	// not interrupt it half-way.
	OwnGroup bool
	// DieWithCaller kills criu when the thread that started it ends. It is for a task that may
	// wait forever. It is better to let other tasks finish.
	DieWithCaller bool
	// Launch calls start, which starts criu, on the thread whose mount namespace criu is to
	// have. If it is nil, criu starts on the caller's thread.
	Launch func(start func() error) error
	// Started, unless it is nil, is called with the process before criu gets its request. It
	// may signal the process at any time, but must not wait for it.
	Started func(criu *os.Process) error
	// Notify is called for criu's steps with their names ("post-restore"). pid is the restored
	// process if the step has one. The file, which is nil except for "orphan-pts-master",
	// belongs to the callee. An error makes criu undo its work, and Run returns that error. If
	// Notify is nil, criu does not report its steps.
	Notify func(step string, pid int, file *os.File) error

	files []*os.File
	sock  *os.File
	// stderr is criu's standard error. It is a file, so that nobody has to read it meanwhile.
	stderr *os.File
}

// firstFile is the descriptor number that os/exec gives the first of ExtraFiles.
const firstFile = 3

// Pass passes f to criu and returns its number there. f still belongs to the caller.
func (t *Task) Pass(f *os.File) int32 {
	t.files = append(t.files, f)
	return int32(firstFile + len(t.files) - 1)
}

// versionOf returns criu's version: 31700 is 3.17, 40101 is 4.1.1.
func versionOf(path string) (int, error) {
	t := Task{Path: path, Type: rpc.CriuReqType_VERSION, OwnGroup: true}
	answer, err := t.run()
	if err != nil {
		return 0, fmt.Errorf("criu --version: %w", err)
	}
	v := answer.GetVersion()
	return int(v.GetMajorNumber())*10000 + int(v.GetMinorNumber())*100 + int(v.GetSublevel()), nil
}

// Run runs the task.
func (t *Task) Run() error {
	if t.Notify != nil {
		yes := true
		t.Opts.NotifyScripts = &yes
	}
	_, err := t.run()
	return err
}

func (t *Task) run() (*rpc.CriuResp, error) {
	if t.DieWithCaller {
		// Criu dies with this thread, so the thread must not end.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	process, err := t.start()
	if err != nil {
		return nil, err
	}
	var answer *rpc.CriuResp
	if t.Started != nil {
		err = t.Started(process.Process)
	}
	if err == nil {
		answer, err = t.converse()
	}
	// criu's answer says more than its exit status.
	_ = t.sock.Close()
	werr := process.Wait()
	defer t.stderr.Close()
	switch {
	case errors.Is(err, ErrGone):
		err = t.lastWords(err, werr)
	case err == nil && werr != nil && !errors.As(werr, new(*exec.ExitError)):
		err = werr
	}
	return answer, err
}

// lastWords adds to the error of a criu that is gone how it ended, and what it, or the dynamic
// loader, has written to its standard error: it may not have come as far as to have a log.
func (t *Task) lastWords(gone, ended error) error {
	if ended != nil {
		gone = fmt.Errorf("%w (%w)", gone, ended)
	}
	const most = 1 << 10
	buf := make([]byte, most)
	n, _ := t.stderr.ReadAt(buf, 0)
	if text := strings.Join(strings.Fields(string(buf[:n])), " "); text != "" {
		gone = fmt.Errorf("%w: %s", gone, text)
	}
	return gone
}

// start starts criu with one end of a socket.
func (t *Task) start() (*exec.Cmd, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	memfd, err := unix.MemfdCreate("criu", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, errors.Join(os.NewSyscallError("memfd_create", err), unix.Close(fds[0]), unix.Close(fds[1]))
	}
	t.stderr = os.NewFile(uintptr(memfd), "criu")
	t.sock = os.NewFile(uintptr(fds[0]), "criu")
	theirs := os.NewFile(uintptr(fds[1]), "criu")
	defer theirs.Close()
	number := t.Pass(theirs)
	cmd := exec.Command(t.Path, "swrk", fmt.Sprint(number))
	if t.Stdin != nil {
		cmd.Stdin = t.Stdin
	}
	cmd.ExtraFiles, cmd.Stderr = t.files, t.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: t.OwnGroup}
	if t.DieWithCaller {
		cmd.SysProcAttr.Pdeathsig = unix.SIGKILL
	}
	launch := t.Launch
	if launch == nil {
		launch = func(start func() error) error { return start() }
	}
	err = launch(func() error {
		if t.Cgroup != nil {
			cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(t.Cgroup.Fd())
		}
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		timerslack.Restore()
		return cmd.Start()
	})
	if err != nil {
		_, _ = t.sock.Close(), t.stderr.Close()
		return nil, err
	}
	return cmd, nil
}
