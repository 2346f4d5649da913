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

// Copy is a directory to be copied into a new file system by a process that is started
// for it: the program in copier/, in a cgroup that pays for the memory.
type Copy struct {
	// From and To are directories; nobody else may see To. They stay the caller's.
	From, To *os.File
	// Owner gives To the owner of From.
	Owner bool
	// CgroupDir and CgroupTasks are the cgroup, as in Options; Joins leads to the user
	// namespace that owns To, where OwnerUID and OwnerGID are its root.
	CgroupDir          *os.File
	CgroupTasks        []*os.File
	Joins              []Join
	OwnerUID, OwnerGID uint32
	// Around, when not nil, is called with what starts the process, to call that once: for
	// who has to change itself for the moment. Started is told the process before it begins;
	// nil for nobody.
	Around  func(start func() error) error
	Started func(pid int) error
}

// CopyError is what the copier could not do. Path is below the directory.
type CopyError struct {
	Call, Path string
	Errno      syscall.Errno
}

func (e *CopyError) Error() string {
	text := e.Call
	if e.Path != "" {
		text = e.Path + ": " + text
	}
	return text + ": " + e.Errno.Error()
}

func (e *CopyError) Unwrap() error { return e.Errno }

// ErrCopyKilled is a copier that was killed, as it is when there is no memory in its cgroup.
var ErrCopyKilled = errors.New("the process that copies was killed")

// Run copies, and returns when the process is gone.
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

// program is the copier in a file that nobody can change. Nor may anybody read it: in a
// user namespace the process is nobody's to trace then, from its exec on.
func (c *Copy) program() (*os.File, error) {
	program, err := initFiles.ReadFile(copierFile)
	if err != nil || len(program) == 0 {
		return nil, ErrNoInit
	}
	fd, err := sealedFile("berth-copier", program, true)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "copier")
	// The seals leave the bits to execute it as they are, and those alone.
	if err := unix.Fchmod(fd, 0o111); err != nil {
		return nil, errors.Join(fmt.Errorf("fchmod copier: %w", err), f.Close())
	}
	return f, nil
}

// start has init's program become the copier. It is in the caller's pid namespace, where no
// process of the container sees it. With an error there may be an init to end.
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

// plan leaves the process who it is. In a user namespace it has all rights, and keeps them.
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
		// An exec gives capabilities to root alone, but leaves ambient ones.
		p.Inheritable, p.Ambient = all, all
	}
	return p
}

// reap waits for the end of a process that has exec'd.
func (i *Init) reap() (syscall.WaitStatus, error) {
	var ws syscall.WaitStatus
	for {
		_, err := syscall.Wait4(i.PID, &ws, 0, nil)
		if !errors.Is(err, unix.EINTR) {
			return ws, os.NewSyscallError("wait4", err)
		}
	}
}

// copyResult makes an error of the copier's last words (fail in copier/copier.c).
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
	return &CopyError{
		Call:  string(call),
		Path:  strings.TrimSuffix(string(path), "\x00"),
		Errno: syscall.Errno(binary.NativeEndian.Uint32(record)),
	}
}
