// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"encoding/binary"
	"errors"
	"os"
	"syscall"
	"time"
	"unsafe"

	"github.com/berth-run/berth/nsenter/internal/wire"
	"golang.org/x/sys/unix"
)

// Fact is a path that init came to on the way to a program, as the program sees it. The paths are
// the directories on the way, and then the file; after the file, those of the interpreter that it
// names.
type Fact struct {
	Path string
	// Errno is why the path could not be looked at, or else why it may not be executed (a
	// directory: entered); 0 if it may.
	Errno syscall.Errno
	// Mode has the type and the permissions; it is 0 if there is no file.
	Mode     uint32
	UID, GID uint32
	// Dev and Ino identify the file.
	Dev, Ino uint64
	// Noexec is set if the mount with the file has this option.
	Noexec bool
	// Link is where the path leads, if it is a symbolic link to something that does not exist.
	Link string
	// Names are the other files in the directory, if the path does not exist.
	Names []string
	// Head is the beginning of the file. It is nil if it could not be read, and empty if the file is.
	Head []byte
	// Next is the interpreter or loader that the file names. The paths after this one lead there.
	Next string
}

// What is accepted from init, and how long it may take. It sends less, and at once; but whoever
// traces it in a joined pid namespace can send anything, and a filter may stop it.
const (
	maxFacts = 4096
	maxNames = 10000
	factTime = 5 * time.Second
)

// factReader collects the facts that follow a failure.
type factReader struct {
	facts    []Fact
	names    int
	records  int
	deadline time.Time
}

func newFactReader() *factReader { return &factReader{deadline: time.Now().Add(factTime)} }

// wait waits until there is something to read. It returns false if nothing came in time.
func (c *factReader) wait(fd int) bool {
	for {
		left := time.Until(c.deadline)
		if left <= 0 {
			return false
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds())+1)
		if !errors.Is(err, unix.EINTR) {
			return err == nil && n > 0
		}
	}
}

// add adds one record. It returns false if it was the last one.
func (c *factReader) add(r *wire.Report, detail string) bool {
	c.records++
	if r.Kind != wire.Fact || c.records > maxFacts {
		return false
	}
	if r.Step == wire.FactPath {
		if len(detail) < int(unsafe.Sizeof(wire.Path{})) {
			return false
		}
		var p wire.Path
		path := detail[copy(wire.Bytes(&p), detail):]
		c.facts = append(c.facts, Fact{
			Path: path, Errno: syscall.Errno(r.Error), Mode: p.Mode, UID: p.UID, GID: p.GID, Dev: p.Dev, Ino: p.Ino,
			Noexec: p.Flags&wire.PathNoexec != 0,
		})
		return true
	}
	if r.Step == wire.FactNames && len(c.facts) == 0 {
		c.facts = append(c.facts, Fact{}) // of the directories of PATH
	}
	if len(c.facts) == 0 {
		return false
	}
	last := &c.facts[len(c.facts)-1]
	switch r.Step {
	case wire.FactLink:
		last.Link = detail
	case wire.FactNames:
		c.addNames(last, []byte(detail))
	case wire.FactHead:
		last.Head = []byte(detail)
	case wire.FactNext:
		last.Next = detail
	default:
		return false
	}
	return true
}

// addNames adds the names in the buffer of a getdents64(2).
func (c *factReader) addNames(f *Fact, entries []byte) {
	const nameOffset = 19 // linux_dirent64: ino, off, reclen, type
	for len(entries) > nameOffset {
		size := int(binary.NativeEndian.Uint16(entries[16:]))
		if size <= nameOffset || size > len(entries) || c.names >= maxNames {
			return
		}
		name := unix.ByteSliceToString(entries[nameOffset:size])
		if name != "." && name != ".." {
			f.Names = append(f.Names, name)
			c.names++
		}
		entries = entries[size:]
	}
}

// facts receives what init knows about a program that it could not execute.
func (i *Init) facts(sock *os.File) []Fact {
	c := newFactReader()
	var buf [reportMax]byte
	for c.wait(int(sock.Fd())) {
		m, err := receiveMessage(sock, buf[:])
		if err != nil || m.size == 0 {
			break
		}
		closeAll(m.files)
		r, detail, rest, err := parseReport(buf[:m.size])
		if err != nil || r == nil || len(rest) > 0 || !c.add(r, detail) {
			break
		}
	}
	return c.facts
}

// factsOfFifo is the same for a fifo, of which pending has been read already.
func factsOfFifo(fifo int, pending []byte) []Fact {
	c := newFactReader()
	for {
		for {
			r, detail, rest, err := parseReport(pending)
			if err != nil || r != nil && !c.add(r, detail) {
				return c.facts
			}
			if r == nil {
				break
			}
			pending = rest
		}
		if !c.wait(fifo) {
			return c.facts
		}
		var buf [reportMax]byte
		n, err := unix.Read(fifo, buf[:])
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		case err != nil, n == 0:
			return c.facts
		default:
			pending = append(pending, buf[:n]...)
		}
	}
}
