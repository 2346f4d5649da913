// SPDX-License-Identifier: Apache-2.0

// Package signals catches the signals that this process gets, to pass them on to what it runs
// in the foreground.
//
// It replaces os/signal, which switches to another thread and back for every signal that is
// registered, and there are sixty. Here each costs one system call. The handler consists of a
// few assembly instructions: it writes the signal's number into a pipe, and does not call Go
// code.
//
// BenchmarkCatch measures both in fresh processes (`go test -run '^$' -bench Catch -benchtime
// 200x ./libcontainer/signals`): all signals take 0.06 ms here and 0.8 ms with os/signal, and
// the four signals that end a command take 0.25 ms with os/signal (medians on two busy CPUs;
// the minima are 0.03, 0.43 and 0.09 ms). An exec of 4.3 ms of CPU time took 0.84 ms more with
// os/signal for all signals, 0.70 ms more if all but those four were registered by another
// thread while init started, and 0.20 ms more with only the four, but then the others would be
// lost. Signals cannot be blocked and read from a signalfd(2) instead: Go starts threads before
// main, and gives each the mask that the process began with. And os/signal does not catch
// SIGSEGV and similar signals, which may be sent with kill(2) and would end berth but not the
// program.
//
// The drawbacks: a signal must not be registered with both packages, CPU profiling does not
// work (SIGPROF is caught like others), and a child of a vfork(2) has the handlers until its
// exec.
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

// Used by the handlers; see handler_amd64.s and handler_arm64.s.
var (
	// writeEnd is the descriptor that the handlers write to; -1 before there is a pipe.
	writeEnd int32 = -1
	// runtimeHandler is Go's handler, for faults in this process itself.
	runtimeHandler uintptr //nolint:unused // the assembly reads it
	// ownPID is the pid of this process, for SIGPIPE.
	ownPID int32 //nolint:unused // the assembly reads it
)

// queue is the pipe. Like signal dispositions, it exists once per process.
var queue struct {
	once    sync.Once
	readEnd int
	err     error
}

// openQueue creates the pipe on the first call.
func openQueue() (readEnd int, err error) {
	queue.once.Do(func() { queue.readEnd, queue.err = makeQueue() })
	return queue.readEnd, queue.err
}

func makeQueue() (readEnd int, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return -1, fmt.Errorf("pipe for signals: %w", err)
	}
	// A handler must not block.
	if err := unix.SetNonblock(p[1], true); err != nil {
		return -1, fmt.Errorf("pipe for signals: %w", errors.Join(err, unix.Close(p[0]), unix.Close(p[1])))
	}
	writeEnd, ownPID = int32(p[1]), int32(unix.Getpid())
	return p[0], nil
}

// Caught is a set of signals that are caught instead of having their default effect.
type Caught struct {
	readEnd int
	taken   []taken
}

// taken is a caught signal and its previous action.
type taken struct {
	sig    unix.Signal
	before action
}

// Supported reports whether there are handlers for this architecture.
func Supported() bool { return handlerPC != 0 }

// Catch catches the signals from now on, except for those that are ignored (nohup(1)): catching
// them would undo that. A SIGPIPE from a write of this process is not kept, and [os.File] still
// ends the process if the write was to stdout or stderr. On error no signal is caught.
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

// CatchOnce is like Catch, but only for the first signal of each number: a second one, from an
// impatient user, has its default effect. Signals that are caught already stay caught.
func CatchOnce(list ...unix.Signal) (*Caught, error) {
	c, err := Catch() // creates the pipe
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

// Add catches more signals. On error, those before the one that the error names are caught.
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

// Next waits for a signal. It returns 0 after [Caught.Wake].
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

// Await waits for one of the given signals. It returns 0 after [Caught.Wake]. Other signals
// that come in the meantime are kept for later calls.
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

// Pending returns one of the given signals that have come, without waiting; 0 for none. Others
// are kept for later calls.
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

// Wake makes one call of Next or Await return without a signal.
func (c *Caught) Wake() error { return put([]byte{0}) }

// put writes to the pipe as a handler does.
func put(list []byte) error {
	if len(list) == 0 {
		return nil
	}
	_, err := unix.Write(int(writeEnd), list)
	return os.NewSyscallError("write signals", err)
}

// Release restores the previous actions of the signals that this Catch has caught. Signals that
// have come and were not read are kept if another Catch remains.
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
	// saResetHand restores the default action when the signal has come once.
	saResetHand = 0x80000000
	saOnStack   = 0x08000000
	saRestorer  = 0x04000000
)

// catch sets the action of a signal to be caught, and returns the previous one.
func catch(sig unix.Signal) (before action, err error) {
	switch sig {
	case unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGTRAP, unix.SIGSYS:
		return catchFault(sig)
	}
	return catchWith(sig, 0)
}

// catchWith sets the action of a signal that Go does not need itself, with more flags.
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

// catchFault catches a signal that Go needs itself. Only the handler changes; the rest of Go's
// action stays.
func catchFault(sig unix.Signal) (before action, err error) {
	if before, err = swap(sig, nil); err != nil || before.handler == sigIgnore || before.handler == faultHandlerPC {
		return before, err
	}
	a := before
	a.handler, runtimeHandler = faultHandlerPC, before.handler
	return swap(sig, &a)
}

// swap sets the action of sig, if next is not nil, and returns the previous one.
func swap(sig unix.Signal, next *action) (before action, err error) {
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig),
		uintptr(unsafe.Pointer(next)), uintptr(unsafe.Pointer(&before)), unsafe.Sizeof(before.mask), 0, 0)
	if errno != 0 {
		return before, fmt.Errorf("rt_sigaction of signal %d: %w", int(sig), errno)
	}
	return before, nil
}
