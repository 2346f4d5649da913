// SPDX-License-Identifier: Apache-2.0

// Package signals keeps the signals that this process gets, for what it runs in the
// foreground.
//
// It stands in for os/signal, which goes to another thread and back for every signal that
// is asked for, and there are sixty. Here each costs one system call: the handler, of a few
// instructions of assembly, writes the signal's number into a pipe and knows nothing of Go.
//
// BenchmarkCatch measures both in fresh processes (`go test -run '^$' -bench Catch -benchtime
// 200x ./libcontainer/signals`): everything takes 0.06 ms here and 0.8 ms there, and the four
// signals that end a command take 0.25 ms there (medians on two busy CPUs; at the least 0.03,
// 0.43 and 0.09 ms). An exec of 4.3 ms of CPU time took 0.84 ms more with os/signal for
// everything, 0.70 ms more when all but those four were asked for by another thread while
// init started, and 0.20 ms more without the others, which would be lost. Signals cannot be
// blocked and read from a signalfd(2) instead: Go starts threads before main, and gives each
// the mask that the process began with. Nor does os/signal know SIGSEGV and its like, which
// kill(2) may send, and which would end berth and leave the program alone.
//
// What it costs: one signal must not be given to both packages, there is no CPU profile
// (SIGPROF is kept like others), and a child of a vfork(2) has the handlers until its exec.
package signals

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The handlers' part; see handler_amd64.s and handler_arm64.s.
var (
	// writeEnd is what the handlers write to; -1 before there is a pipe.
	writeEnd int32 = -1
	// runtimeHandler is Go's handler, for faults of this process itself.
	runtimeHandler uintptr //nolint:unused // the assembly reads it
	// ownPID is this process's, for SIGPIPE.
	ownPID int32 //nolint:unused // the assembly reads it
)

// queue is the pipe. Like the dispositions of signals it is the process's.
var queue struct {
	once    sync.Once
	readEnd int
	err     error
}

// openQueue makes the pipe, the first time.
func openQueue() (readEnd int, err error) {
	queue.once.Do(func() { queue.readEnd, queue.err = makeQueue() })
	return queue.readEnd, queue.err
}

func makeQueue() (readEnd int, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return -1, fmt.Errorf("pipe for signals: %w", err)
	}
	// A handler must not wait for a reader.
	if err := unix.SetNonblock(p[1], true); err != nil {
		return -1, fmt.Errorf("pipe for signals: %w", errors.Join(err, unix.Close(p[0]), unix.Close(p[1])))
	}
	writeEnd, ownPID = int32(p[1]), int32(unix.Getpid())
	return p[0], nil
}

// Caught are signals that are kept instead of doing what they do by default.
type Caught struct {
	readEnd int
	taken   []taken
}

// taken is a signal and what it did before.
type taken struct {
	sig    unix.Signal
	before action
}

// Supported says whether there are handlers for this architecture.
func Supported() bool { return handlerPC != 0 }

// Catch keeps the signals from now on, but for those that are ignored (nohup(1)):
// catching them would undo that. A SIGPIPE is not kept if a write of this process has raised
// it; and by [os.File] such a write to stdout or stderr still ends the process. On error
// none is kept.
func Catch(list ...unix.Signal) (*Caught, error) {
	if !Supported() {
		return nil, errors.New("signals: no handler for this architecture")
	}
	readEnd, err := openQueue()
	if err != nil {
		return nil, err
	}
	c := &Caught{readEnd: readEnd}
	if err := c.Add(list...); err != nil {
		return nil, errors.Join(err, c.Release())
	}
	return c, nil
}

// CatchOnce is Catch for the first of each signal alone: a second one, that of somebody who
// is out of patience, does what it does by default. Signals that are kept already stay so.
func CatchOnce(list ...unix.Signal) (*Caught, error) {
	c, err := Catch() // for the pipe
	if err != nil {
		return nil, err
	}
	for _, sig := range list {
		before, err := swap(sig, nil)
		if err == nil && before.handler != sigIgnore && !isOurs(before.handler) {
			if before, err = catchWith(sig, saResetHand); err == nil {
				c.taken = append(c.taken, taken{sig, before})
			}
		}
		if err != nil {
			return nil, errors.Join(err, c.Release())
		}
	}
	return c, nil
}

// Add keeps further signals. On error those before the one that it names are kept.
func (c *Caught) Add(list ...unix.Signal) error {
	for _, sig := range list {
		before, err := catch(sig)
		if err != nil {
			return err
		}
		if before.handler == sigIgnore {
			if _, err := swap(sig, &before); err != nil {
				return err
			}
			continue
		}
		if !isOurs(before.handler) {
			c.taken = append(c.taken, taken{sig, before})
		}
	}
	return nil
}

// Next waits for a signal; 0 after [Caught.Wake].
func (c *Caught) Next() (unix.Signal, error) {
	var buf [1]byte
	for {
		n, err := unix.Read(c.readEnd, buf[:])
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, os.NewSyscallError("read signals", err)
		case n == 1:
			return unix.Signal(buf[0]), nil
		}
	}
}

// Await waits for one of the signals; 0 after [Caught.Wake]. Others that come meanwhile
// stay for who asks next.
func (c *Caught) Await(list ...unix.Signal) (sig unix.Signal, err error) {
	var others []byte
	for {
		if sig, err = c.Next(); err != nil || sig == 0 || slices.Contains(list, sig) {
			break
		}
		others = append(others, byte(sig))
	}
	return sig, errors.Join(err, put(others))
}

// Pending takes one of the signals that have come, without waiting; 0 for none. Others stay
// for who asks next.
func (c *Caught) Pending(list ...unix.Signal) (unix.Signal, error) {
	ready := []unix.PollFd{{Fd: int32(c.readEnd), Events: unix.POLLIN}}
	n, err := unix.Poll(ready, 0)
	if errors.Is(err, unix.EINTR) || err == nil && n == 0 {
		return 0, nil
	}
	if err != nil {
		return 0, os.NewSyscallError("poll signals", err)
	}
	var buf [256]byte
	n, err = unix.Read(c.readEnd, buf[:])
	if err != nil {
		return 0, os.NewSyscallError("read signals", err)
	}
	came := buf[:n]
	i := slices.IndexFunc(came, func(b byte) bool { return slices.Contains(list, unix.Signal(b)) })
	if i < 0 {
		return 0, put(came)
	}
	sig := unix.Signal(came[i])
	return sig, put(slices.Delete(came, i, i+1))
}

// Wake makes one Next or Await return without a signal.
func (c *Caught) Wake() error { return put([]byte{0}) }

// put writes what a handler might have written.
func put(list []byte) error {
	if len(list) == 0 {
		return nil
	}
	_, err := unix.Write(int(writeEnd), list)
	return os.NewSyscallError("write signals", err)
}

// Release lets the signals that this Catch has begun to keep do what they did before.
// Those that have come and nobody has asked for stay with the others.
func (c *Caught) Release() error {
	var errs []error
	for _, t := range c.taken {
		_, err := swap(t.sig, &t.before)
		errs = append(errs, err)
	}
	c.taken = nil
	return errors.Join(errs...)
}

// action is the kernel's struct sigaction (rt_sigaction(2)).
type action struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

const (
	sigIgnore = 1 // SIG_IGN

	saSigInfo = 0x00000004
	saRestart = 0x10000000
	// saResetHand gives the signal its default back when it has come once.
	saResetHand = 0x80000000
	saOnStack   = 0x08000000
	saRestorer  = 0x04000000
)

// catch sets the action of a signal that is kept, and returns the one before.
func catch(sig unix.Signal) (before action, err error) {
	switch sig {
	case unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGTRAP, unix.SIGSYS:
		return catchFault(sig)
	}
	return catchWith(sig, 0)
}

// catchWith sets the action of a signal that is none of Go's own, with further flags.
func catchWith(sig unix.Signal, flags uint64) (before action, err error) {
	a := action{handler: handlerPC, flags: flags | saSigInfo | saRestart | saOnStack, mask: ^uint64(0)}
	if sig == unix.SIGPIPE {
		a.handler = pipeHandlerPC
	}
	if restorerPC != 0 {
		a.flags |= saRestorer
		a.restorer = restorerPC
	}
	return swap(sig, &a)
}

func isOurs(handler uintptr) bool {
	return handler == handlerPC || handler == faultHandlerPC || handler == pipeHandlerPC
}

// catchFault catches a signal that Go needs itself: its action stays Go's in all else.
func catchFault(sig unix.Signal) (before action, err error) {
	if before, err = swap(sig, nil); err != nil || before.handler == sigIgnore || before.handler == faultHandlerPC {
		return before, err
	}
	a := before
	a.handler, runtimeHandler = faultHandlerPC, before.handler
	return swap(sig, &a)
}

// swap sets the action of sig, if next is not nil, and returns the one before.
func swap(sig unix.Signal, next *action) (before action, err error) {
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig),
		uintptr(unsafe.Pointer(next)), uintptr(unsafe.Pointer(&before)), unsafe.Sizeof(before.mask), 0, 0)
	if errno != 0 {
		return before, fmt.Errorf("rt_sigaction of signal %d: %w", int(sig), errno)
	}
	return before, nil
}
