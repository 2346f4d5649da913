// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Copy describes a directory to be copied into a new file system. This is done by a separate
// process, the program in copier/, in a cgroup that is charged for the memory.
type Copy struct {
	// From and To are directories. No other process may have access to To. Run does not close
	// them.
	From, To *os.File
	// Owner gives To the owner of From.
	Owner bool
	// CgroupDir and CgroupTasks are the cgroup, as in Options. Joins leads to the user
	// namespace that owns To, in which OwnerUID and OwnerGID are root.
	CgroupDir          *os.File
	CgroupTasks        []*os.File
	Joins              []Join
	OwnerUID, OwnerGID uint32
	// Around, if not nil, is called with the function that starts the process, and must call it
	// once. It is for callers that have to change their own state for the start. Started, if
	// not nil, is called with the process before it begins.
	Around  func(start func() error) error
	Started func(pid int) error
}

// copyError is an error of the copier. Path is relative to the directory.
type copyError struct {
	Call, Path string
	Errno      syscall.Errno
}

func (e *copyError) Error() string {
	text := e.Call
	if e.Path != "" {
		text = e.Path + ": " + text
	}
	return text + ": " + e.Errno.Error()
}

func (e *copyError) Unwrap() error { return e.Errno }

// ErrCopyKilled means that the copier was killed, for example because its cgroup had no memory.
var ErrCopyKilled = errors.New("the process that copies was killed")

// Run copies, and returns when the process has ended.
func (c *Copy) Run() error {
	program, err := c.program()
	if err != nil {
		return err
	}
	defer program.Close()
	told, report, err := os.Pipe()
	if err != nil {
		return err
	}
	defer told.Close()
	i, err := c.start(program, report)
	if err = errors.Join(err, report.Close()); err != nil {
		if i != nil {
			err = errors.Join(err, i.Abort(), i.Close())
		}
		return fmt.Errorf("start the copier: %w", err)
	}
	record, err := io.ReadAll(told)
	if err != nil {
		return errors.Join(err, i.Abort(), i.Close())
	}
	status, err := i.reap()
	if err := errors.Join(err, i.Close()); err != nil {
		return err
	}
	return copyResult(record, status)
}

// program returns the copier in a file that nobody can change or read. A process in a user
// namespace whose program cannot be read cannot be traced after its exec.
func (c *Copy) program() (*os.File, error) {
	program, err := initFiles.ReadFile(copierFile)
	if err != nil || len(program) == 0 {
		return nil, errNoInit
	}
	fd, err := sealedFile("berth-copier", program, true)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "copier")
	// With the seals, only the execute bits can no longer be changed.
	if err := unix.Fchmod(fd, 0o111); err != nil {
		return nil, errors.Join(fmt.Errorf("fchmod copier: %w", err), f.Close())
	}
	return f, nil
}

// start starts init's program, which then executes the copier. It stays in the caller's pid
// namespace, where no process of the container can see it. On error there may still be an init
// to end.
func (c *Copy) start(program, report *os.File) (*Init, error) {
	var i *Init
	start := func() (err error) {
		i, err = Start(&Options{
			ExtraFiles: []*os.File{c.From, c.To, report},
			CgroupDir:  c.CgroupDir, CgroupTasks: c.CgroupTasks,
			Joins: c.Joins, OwnerUID: c.OwnerUID, OwnerGID: c.OwnerGID,
		})
		return err
	}
	around := c.Around
	if around == nil {
		around = func(start func() error) error { return start() }
	}
	if err := around(start); err != nil {
		return i, err
	}
	if c.Started != nil {
		if err := c.Started(i.PID); err != nil {
			return i, err
		}
	}
	owner := "none"
	if c.Owner {
		owner = "owner"
	}
	return i, i.Configure(c.plan(program, owner))
}

// plan keeps the process's credentials. In a user namespace it has all capabilities, and keeps
// them.
func (c *Copy) plan(program *os.File, owner string) *Plan {
	p := &Plan{
		Program: program, Args: []string{"berth-copier", owner}, Cwd: "/", AtOnce: true,
		KeepCredentials: len(c.Joins) == 0,
	}
	if p.KeepCredentials {
		return p
	}
	const all = ^uint64(0)
	p.UID, p.GID = c.OwnerUID, c.OwnerGID
	p.Bounding, p.Effective, p.Permitted = all, all, all
	if p.UID != 0 {
		// An exec gives capabilities only to root, but keeps ambient ones.
		p.Inheritable, p.Ambient = all, all
	}
	return p
}

// reap waits for the end of a process that has executed its program.
func (i *Init) reap() (syscall.WaitStatus, error) {
	var ws syscall.WaitStatus
	for {
		_, err := syscall.Wait4(i.PID, &ws, 0, nil)
		if !errors.Is(err, unix.EINTR) {
			return ws, os.NewSyscallError("wait4", err)
		}
	}
}

// copyResult converts the copier's last message to an error (fail in copier/copier.c).
func copyResult(record []byte, status syscall.WaitStatus) error {
	const numberSize = 4
	switch {
	case status.Signaled():
		if status.Signal() != unix.SIGKILL {
			return fmt.Errorf("the process that copies was ended by signal %d", status.Signal())
		}
		return ErrCopyKilled
	case status.ExitStatus() == 0:
		return nil
	case len(record) < numberSize:
		return errors.New("the process that copies has not said what failed")
	}
	call, path, _ := bytes.Cut(record[numberSize:], []byte{0})
	return &copyError{
		Call:  string(call),
		Path:  strings.TrimSuffix(string(path), "\x00"),
		Errno: syscall.Errno(binary.NativeEndian.Uint32(record)),
	}
}
