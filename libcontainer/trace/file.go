// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// file is an open descriptor. It is not an os.File, which would set up Go's poller.
type file int

const noFile file = -1

// Command is what the trace is about.
type Command struct {
	// Program is the name of the program, Name the command's, and Container the id of its
	// container; "" for none.
	Program, Name, Container string
}

// Open starts the trace of a command. It is written by Close: at the end of the file path, or, if
// path is a directory, to a new file there.
//
// The file is a JSON array without the bracket at its end, which the format does not require, so
// that the next command can continue it. Everything is written with one write(2), O_APPEND and a
// lock: commands that run at the same time may share a file. The first line is the name of the command
// that has made the file. All others begin with a comma: the format says nothing about one at
// the end.
func Open(path string, c Command) (*Trace, error) {
	var nofollow int
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, c.fileName(os.Getpid()))
		nofollow = unix.O_NOFOLLOW // others may guess the name
	}
	t := Collect()
	// O_NONBLOCK: the open of a fifo would wait for a reader. The mode lets nobody else hold a lock.
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_APPEND|unix.O_CREAT|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC|nofollow, 0o600)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	t.file, t.path = file(fd), path
	name := processName(os.Getpid(), c.title())
	first, err := t.file.begin(name)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), unix.Close(fd))
	}
	if !first {
		t.process = name
	}
	return t, nil
}

// title is the name of the process in the trace.
func (c *Command) title() string {
	return strings.TrimSpace(c.Program + " " + c.Name + " " + c.Container)
}

// fileName returns the name of a command's own file. What is given as a container's id may be
// anything, since nobody has checked it yet.
func (c *Command) fileName(pid int) string {
	const longest = 200 // with the rest, less than NAME_MAX
	name := c.Name + "-"
	if id := c.Container; id != "" {
		name += strings.Map(safe, id[:min(len(id), longest)]) + "-"
	}
	return name + strconv.Itoa(pid) + ".json"
}

// safe replaces the characters that the id of a container cannot have.
func safe(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("_+-.", r):
		return r
	}
	return '_'
}

// begin begins the array with an element if the file is new, and otherwise checks that it is an
// array, and open. The lock keeps two commands from both beginning it.
func (f file) begin(element []byte) (first bool, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f), &st); err != nil {
		return false, os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return false, errors.New("neither a regular file nor a directory")
	}
	if err := f.lock(); err != nil {
		return false, err
	}
	err = unix.Fstat(int(f), &st)
	switch {
	case err != nil:
		err = os.NewSyscallError("fstat", err)
	case st.Size == 0:
		first, err = true, f.write(slices.Concat([]byte("["), element, []byte("\n")))
	default:
		err = f.check()
	}
	return first, errors.Join(err, os.NewSyscallError("flock", unix.Flock(int(f), unix.LOCK_UN)))
}

// check returns an error for a file that is not a trace, or one that somebody has completed.
func (f file) check() error {
	var first [1]byte
	if _, err := unix.Pread(int(f), first[:], 0); err != nil {
		return os.NewSyscallError("pread", err)
	}
	if first[0] != '[' {
		return errors.New("is not a trace")
	}
	end, _, err := f.end()
	if err != nil {
		return err
	}
	incomplete := len(incompleteLine(end)) > 0
	if end = bytes.TrimSpace(end); !incomplete && bytes.HasSuffix(end, []byte("]")) {
		return errors.New("is a trace that was completed with a bracket")
	}
	return nil
}

// lockPatience limits the wait for a command that is writing.
const lockPatience = 10 * time.Second

func (f file) lock() error {
	for deadline := time.Now().Add(lockPatience); ; time.Sleep(time.Millisecond) {
		err := unix.Flock(int(f), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(deadline) {
			return os.NewSyscallError("flock", err)
		}
	}
}

// append writes to the end of the file. The lock is for cutIncomplete; the end of the descriptor
// ends it.
func (f file) append(data []byte) error {
	if err := f.lock(); err != nil {
		return err
	}
	if err := f.cutIncomplete(); err != nil {
		return err
	}
	return f.write(data)
}

// cutIncomplete removes an incomplete line at the end: the kernel ends a write of several pages early
// if the process is killed meanwhile. Otherwise, one killed command would make the traces of all
// others unreadable.
func (f file) cutIncomplete() error {
	end, size, err := f.end()
	if err != nil {
		return err
	}
	line := incompleteLine(end)
	if len(line) == 0 {
		return nil
	}
	return os.NewSyscallError("ftruncate", unix.Ftruncate(int(f), size-int64(len(line))))
}

// end returns the last part of the file, and the size of the whole.
func (f file) end() (end []byte, size int64, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f), &st); err != nil {
		return nil, 0, os.NewSyscallError("fstat", err)
	}
	const most = 64 << 10
	end = make([]byte, min(st.Size, most))
	if _, err := unix.Pread(int(f), end, st.Size-int64(len(end))); err != nil {
		return nil, 0, os.NewSyscallError("pread", err)
	}
	return end, st.Size, nil
}

// incompleteLine returns the last line of end if it is one of ours and incomplete; nil otherwise.
func incompleteLine(end []byte) []byte {
	newline := bytes.LastIndexByte(end, '\n')
	line := end[newline+1:]
	if newline < 0 || len(line) == 0 || line[0] != ',' || bytes.HasSuffix(line, []byte("}]")) {
		return nil
	}
	return line
}

// write writes all of data or, if the file system is full, nothing. Nobody else writes meanwhile.
func (f file) write(data []byte) error {
	n, err := unix.Write(int(f), data)
	if err == nil && n < len(data) {
		err = unix.ENOSPC
		var st unix.Stat_t
		if unix.Fstat(int(f), &st) == nil {
			_ = unix.Ftruncate(int(f), st.Size-int64(n))
		}
	}
	return os.NewSyscallError("write", err)
}

// Close writes the trace.
func (t *Trace) Close() error {
	if t == nil || t.file == noFile {
		return nil
	}
	data, err := t.encode(os.Getpid())
	if err == nil {
		err = t.file.append(data)
	}
	err = errors.Join(err, unix.Close(int(t.file)))
	t.file = noFile
	if err != nil {
		return fmt.Errorf("%s: %w", t.path, err)
	}
	return nil
}
