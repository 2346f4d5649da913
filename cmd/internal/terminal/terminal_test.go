// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openPTY opens a pty of the host's devpts, which needs no privileges.
func openPTY(t *testing.T) (master, peer *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip("needs a pty:", err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	peer, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	master = os.NewFile(uintptr(fd), "ptmx")
	t.Cleanup(func() { master.Close(); peer.Close() })
	return master, peer
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// TestDrain: everything that the program wrote arrives, although the pty stays open.
func TestDrain(t *testing.T) {
	master, peer := openPTY(t)
	stdin, _ := pipe(t)
	reader, stdout := pipe(t)
	term := &Terminal{Stdin: stdin, Stdout: stdout}
	if err := term.Attach(master); err != nil {
		t.Fatal(err)
	}
	term.Run()

	got := make(chan []byte, 1)
	go func() {
		text, _ := io.ReadAll(reader)
		got <- text
	}()
	want := bytes.Repeat([]byte("0123456789abcdef"), 8192)
	if _, err := peer.Write(want); err != nil {
		t.Fatal(err)
	}
	if err := term.Drain(); err != nil {
		t.Fatal(err)
	}
	stdout.Close()
	if text := <-got; !bytes.Equal(text, want) {
		t.Errorf("%d of %d bytes arrived", len(text), len(want))
	}
}

// TestBrokenStdout: a program continues if nobody reads its output, and the loss is reported.
func TestBrokenStdout(t *testing.T) {
	master, peer := openPTY(t)
	stdin, _ := pipe(t)
	reader, stdout := pipe(t)
	reader.Close()
	term := &Terminal{Stdin: stdin, Stdout: stdout}
	if err := term.Attach(master); err != nil {
		t.Fatal(err)
	}
	term.Run()
	if _, err := peer.Write(make([]byte, 256<<10)); err != nil {
		t.Fatal(err)
	}
	if err := term.Drain(); err == nil {
		t.Error("no error")
	}
}

// TestClosedStdout: the error names the stream, and the master does not stay open.
func TestClosedStdout(t *testing.T) {
	master, _ := openPTY(t)
	stdin, _ := pipe(t)
	_, stdout := pipe(t)
	stdout.Close()
	term := &Terminal{Stdin: stdin, Stdout: stdout}
	if err := term.Attach(master); err == nil || !strings.HasPrefix(err.Error(), stdout.Name()+": ") {
		t.Errorf("error %v", err)
	}
	if err := master.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the master was open: %v", err)
	}
}

// TestEndOfInput: the end of stdin is the end of input on the pty, also after
// an unfinished line.
func TestEndOfInput(t *testing.T) {
	for _, input := range []string{"", "line\n", "line\nunfinished"} {
		master, peer := openPTY(t)
		stdin, w := pipe(t)
		_, stdout := pipe(t)
		term := &Terminal{Stdin: stdin, Stdout: stdout}
		if err := term.Attach(master); err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteString(input); err != nil {
			t.Fatal(err)
		}
		w.Close()
		term.Run()
		text, err := io.ReadAll(peer)
		if err != nil || string(text) != input {
			t.Errorf("program reads %q, %v; want %q", text, err, input)
		}
		if err := term.Drain(); err != nil {
			t.Error(err)
		}
	}
}

// TestOuterTerminal: the user's terminal is raw in the meantime, its size is passed on, and its
// settings are restored.
func TestOuterTerminal(t *testing.T) {
	outerMaster, outer := openPTY(t)
	size := &unix.Winsize{Row: 33, Col: 77}
	if err := unix.IoctlSetWinsize(int(outerMaster.Fd()), unix.TIOCSWINSZ, size); err != nil {
		t.Fatal(err)
	}
	before, err := termios(outer)
	if err != nil {
		t.Fatal(err)
	}
	master, peer := openPTY(t)
	term := &Terminal{Stdin: outer, Stdout: outer}
	if err := term.Attach(master); err != nil {
		t.Fatal(err)
	}
	got, err := unix.IoctlGetWinsize(int(peer.Fd()), unix.TIOCGWINSZ)
	if err != nil || got.Row != 33 || got.Col != 77 {
		t.Errorf("size %+v, %v", got, err)
	}
	raw, err := termios(outer)
	if err != nil {
		t.Fatal(err)
	}
	if raw.Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) != 0 || raw.Oflag&unix.OPOST != 0 {
		t.Errorf("not raw: %+v", raw)
	}
	size.Col = 78
	if err := unix.IoctlSetWinsize(int(outerMaster.Fd()), unix.TIOCSWINSZ, size); err != nil {
		t.Fatal(err)
	}
	if err := term.Resize(); err != nil {
		t.Fatal(err)
	}
	if got, err = unix.IoctlGetWinsize(int(peer.Fd()), unix.TIOCGWINSZ); err != nil || got.Col != 78 {
		t.Errorf("size after resize %+v, %v", got, err)
	}
	term.Restore()
	if after, err := termios(outer); err != nil || *after != *before {
		t.Errorf("settings %+v, %v; want %+v", after, err, before)
	}
}

// TestNoTerminal: all methods work without a pty.
func TestNoTerminal(t *testing.T) {
	term := &Terminal{Stdin: os.Stdin, Stdout: os.Stdout}
	term.Run()
	if err := term.Resize(); err != nil {
		t.Error(err)
	}
	if err := term.Drain(); err != nil {
		t.Error(err)
	}
	term.Restore()
}
