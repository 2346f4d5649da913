// SPDX-License-Identifier: Apache-2.0

// Package terminal connects the user's terminal to the terminal of a container in the
// foreground.
package terminal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Terminal connects the pty of a container in the foreground to berth's own standard streams. A
// value with only Stdin and Stdout set has no pty; all its methods may be called.
//
//	user's terminal (raw) ⇄ stdin, stdout ⇄ master ⇄ pty (cooked) ⇄ program
//
// As in ssh, and unlike in runc, the user's terminal is set to raw mode and the pty keeps the
// kernel's default settings, so that the program sees an ordinary terminal. If stdout is not a
// terminal, lines end with a newline only, as in runc.
type Terminal struct {
	Stdin, Stdout *os.File
	// Master is nil without a pty.
	Master *os.File
	// outer is the user's terminal, nil if berth has none. saved has its settings.
	outer *os.File
	saved *unix.Termios
	// out is what writes to stdout.
	out *os.File
	// output receives the result of copying to stdout.
	output chan error
}

// check returns an error if the user has no terminal: the program would have one that nobody sees or
// types into, and most programs wait for input then. Like runc it accepts any of berth's own
// standard streams, and the controlling terminal.
func check(streams ...*os.File) error {
	for _, f := range streams {
		if _, err := termios(f); err == nil {
			return nil
		}
	}
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("process.terminal: neither stdin nor stdout nor stderr is a terminal: open /dev/tty: %w", err)
	}
	return unix.Close(fd)
}

// Console returns Attach, the engine's Console callback, or an error if the user has no terminal.
func (t *Terminal) Console(stderr *os.File) (attach func(master *os.File) error, err error) {
	if err := check(t.Stdin, t.Stdout, stderr); err != nil {
		return nil, err
	}
	return t.Attach, nil
}

// Attach starts to use the pty. It is the engine's Console callback, and takes ownership of
// master.
func (t *Terminal) Attach(master *os.File) error {
	dup, err := dupNonblocking(master)
	if err = errors.Join(err, master.Close()); err != nil {
		return fmt.Errorf("console: %w", err)
	}
	t.Master = dup
	if t.out, err = WithoutSIGPIPE(t.Stdout); err != nil {
		return err
	}
	for _, f := range [...]*os.File{t.Stdin, t.Stdout} {
		if saved, err := termios(f); err == nil {
			t.outer, t.saved = f, saved
			break
		}
	}
	if err := t.writeLines(); err != nil {
		return err
	}
	if t.outer == nil {
		return nil
	}
	if err := t.Resize(); err != nil {
		return err
	}
	raw := *t.saved
	makeRaw(&raw)
	return setTermios(t.outer, &raw)
}

// writeLines makes the pty leave line ends as they are if stdout is not a terminal: a script
// that reads berth's output wants no carriage returns in it.
func (t *Terminal) writeLines() error {
	if _, err := termios(t.Stdout); err == nil {
		return nil
	}
	settings, err := termios(t.Master)
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	settings.Oflag &^= unix.ONLCR
	if err := setTermios(t.Master, settings); err != nil {
		return fmt.Errorf("console: %w", err)
	}
	return nil
}

// Resize sets the pty to the size of the user's terminal.
func (t *Terminal) Resize() error {
	if t.outer == nil || t.Master == nil {
		return nil
	}
	var size *unix.Winsize
	err := control(t.outer, func(fd int) (err error) {
		size, err = unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
		return err
	})
	if err != nil {
		return fmt.Errorf("terminal: TIOCGWINSZ: %w", err)
	}
	err = control(t.Master, func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, size)
	})
	if err != nil {
		return fmt.Errorf("console: TIOCSWINSZ: %w", err)
	}
	return nil
}

// Run starts to copy in both directions.
func (t *Terminal) Run() {
	if t.Master == nil {
		return
	}
	t.output = make(chan error, 1)
	go func() { t.output <- t.copyOutput() }()
	go t.copyInput()
}

// copyOutput copies to stdout until no process has the pty open (EIO), or Drain interrupts it.
// If writing to stdout fails it continues to read: otherwise a program that writes to a full
// pty would hang forever.
func (t *Terminal) copyOutput() error {
	buf := make([]byte, 32<<10)
	var writeErr error
	for {
		n, err := t.Master.Read(buf)
		if n > 0 && writeErr == nil {
			_, writeErr = t.out.Write(buf[:n])
		}
		switch {
		case err == nil:
		case errors.Is(err, unix.EIO), errors.Is(err, io.EOF), errors.Is(err, os.ErrDeadlineExceeded):
			return writeErr
		default:
			return errors.Join(writeErr, err)
		}
	}
}

// copyInput copies from stdin. If stdin is not a terminal, its end is passed on as the
// character that a user would type: the pty's end-of-file character. Nobody waits for
// copyInput: a read from a terminal cannot be interrupted, and the process ends anyway. An
// error means that one of the two ends is closed, which copyOutput reports.
func (t *Terminal) copyInput() {
	if _, err := io.Copy(t.Master, t.Stdin); err != nil {
		return
	}
	settings, err := termios(t.Master)
	if err != nil || settings.Lflag&unix.ICANON == 0 {
		return
	}
	// Twice, because after an unfinished line the first one only ends the line.
	eof := settings.Cc[unix.VEOF]
	_, _ = t.Master.Write([]byte{eof, eof})
}

// Drain copies what is still in the pty and ends the copying of output. It is called when the
// container's init has exited. It does not wait for the end of the pty, because another process
// may keep it open.
func (t *Terminal) Drain() error {
	if t.output == nil {
		return nil
	}
	defer t.out.Close()
	if err := t.Master.SetReadDeadline(time.Now()); err != nil {
		return fmt.Errorf("console: %w", err)
	}
	if err := <-t.output; err != nil {
		return fmt.Errorf("copy output: %w", err)
	}
	if err := t.Master.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("console: %w", err)
	}
	// read(2) of a master returns everything that was written before the program exited: it
	// flushes the line discipline's work queue first.
	buf := make([]byte, 4096)
	for {
		n, err := readNow(t.Master, buf)
		if n <= 0 || err != nil {
			return nil
		}
		if _, err := t.out.Write(buf[:n]); err != nil {
			return fmt.Errorf("copy output: %w", err)
		}
	}
}

// Restore restores the settings of the user's terminal. Nothing can be done if that fails.
func (t *Terminal) Restore() {
	if t.saved != nil {
		_ = setTermios(t.outer, t.saved)
		t.saved = nil
	}
}

// WithoutSIGPIPE returns a duplicate of f, a standard stream. When nobody reads, only writes to
// descriptors 1 and 2 kill a Go program.
func WithoutSIGPIPE(f *os.File) (*os.File, error) {
	var dup int
	err := control(f, func(fd int) (err error) {
		dup, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
		return os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", err)
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return os.NewFile(uintptr(dup), f.Name()), nil
}

// dupNonblocking returns a duplicate of f that supports deadlines.
func dupNonblocking(f *os.File) (*os.File, error) {
	dup := -1
	err := control(f, func(fd int) (err error) {
		if dup, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3); err != nil {
			return fmt.Errorf("fcntl F_DUPFD_CLOEXEC: %w", err)
		}
		return unix.SetNonblock(dup, true)
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(dup), f.Name()), nil
}

// readNow reads what is available, without waiting.
func readNow(f *os.File, buf []byte) (n int, err error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	waitErr := conn.Read(func(fd uintptr) bool {
		n, err = unix.Read(int(fd), buf)
		return true
	})
	return n, errors.Join(err, waitErr)
}

// control calls do with f's descriptor. Unlike Fd, it does not set f to blocking mode.
func control(f *os.File, do func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var doErr error
	if err := conn.Control(func(fd uintptr) { doErr = do(int(fd)) }); err != nil {
		return err
	}
	return doErr
}

func termios(f *os.File) (settings *unix.Termios, err error) {
	err = control(f, func(fd int) (err error) {
		settings, err = unix.IoctlGetTermios(fd, unix.TCGETS)
		return err
	})
	return settings, err
}

func setTermios(f *os.File, settings *unix.Termios) error {
	err := control(f, func(fd int) error {
		return unix.IoctlSetTermios(fd, unix.TCSETS, settings)
	})
	if err != nil {
		return fmt.Errorf("terminal: TCSETS: %w", err)
	}
	return nil
}

// makeRaw does what cfmakeraw(3) does.
func makeRaw(t *unix.Termios) {
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB
	t.Cflag |= unix.CS8
	t.Cc[unix.VMIN] = 1
	t.Cc[unix.VTIME] = 0
}
