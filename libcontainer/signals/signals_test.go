// SPDX-License-Identifier: Apache-2.0

package signals

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/internal/firstuse"
	"golang.org/x/sys/unix"
)

func mustCatch(t *testing.T, list ...unix.Signal) *Caught {
	t.Helper()
	c, err := Catch(list...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Release(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func send(t *testing.T, sig unix.Signal) {
	t.Helper()
	if err := unix.Kill(unix.Getpid(), sig); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, c *Caught, want unix.Signal) {
	t.Helper()
	got, err := c.Next()
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("next signal: %d, want %d", got, want)
	}
}

func TestCatchEverything(t *testing.T) {
	var list []unix.Signal
	for sig := unix.Signal(1); sig <= 64; sig++ {
		// 32 and 33 belong to the C library, SIGURG to Go; SIGPIPE has its own test. Signals
		// that this process was started to ignore (nohup) stay ignored.
		if signal.Ignored(sig) {
			continue
		}
		if sig != unix.SIGPIPE && sig != unix.SIGKILL && sig != unix.SIGSTOP && sig != unix.SIGURG && sig != 32 && sig != 33 {
			list = append(list, sig)
		}
	}
	c := mustCatch(t, list...)
	for _, sig := range list {
		send(t, sig)
		expect(t, c, sig)
	}
}

// TestPipe: a write that nobody reads is an error for the writer, and is not forwarded to the
// program in the foreground.
func TestPipe(t *testing.T) {
	c := mustCatch(t, unix.SIGPIPE, unix.SIGUSR1)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteString("x"); !errors.Is(err, unix.EPIPE) {
		t.Fatal(err)
	}
	send(t, unix.SIGUSR1)
	expect(t, c, unix.SIGUSR1)
	// The shell is another process.
	if err := exec.Command("sh", "-c", "kill -PIPE $PPID").Run(); err != nil {
		t.Fatal(err)
	}
	expect(t, c, unix.SIGPIPE)
}

// sendInOrder sends each signal when the previous one is in the queue: the kernel decides which
// thread handles a signal, and when.
func sendInOrder(t *testing.T, c *Caught, list ...unix.Signal) {
	t.Helper()
	for i, sig := range list {
		send(t, sig)
		for n := 0; n <= i; runtime.Gosched() {
			var err error
			if n, err = unix.IoctlGetInt(c.readEnd, unix.TIOCINQ); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestAdd(t *testing.T) {
	c := mustCatch(t, unix.SIGUSR1)
	if err := c.Add(unix.SIGUSR2, unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if len(c.taken) != 2 {
		t.Errorf("taken: %v", c.taken)
	}
	sendInOrder(t, c, unix.SIGUSR2, unix.SIGUSR1)
	expect(t, c, unix.SIGUSR2)
	expect(t, c, unix.SIGUSR1)
}

func TestWake(t *testing.T) {
	c := mustCatch(t, unix.SIGUSR1)
	if err := c.Wake(); err != nil {
		t.Fatal(err)
	}
	expect(t, c, 0)
	send(t, unix.SIGUSR1)
	expect(t, c, unix.SIGUSR1)
}

// Not SIGHUP, which nohup(1) lets this process ignore.
func TestAwait(t *testing.T) {
	c := mustCatch(t, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM)
	sendInOrder(t, c, unix.SIGUSR1, unix.SIGALRM, unix.SIGUSR2)
	if got, err := c.Await(unix.SIGTERM, unix.SIGUSR2); err != nil || got != unix.SIGUSR2 {
		t.Errorf("await: %d, %v", int(got), err)
	}
	expect(t, c, unix.SIGUSR1)
	expect(t, c, unix.SIGALRM)
	if err := c.Wake(); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Await(unix.SIGUSR2); err != nil || got != 0 {
		t.Errorf("await after wake: %d, %v", int(got), err)
	}
}

func TestReleaseGivesBackOnlyWhatWasTaken(t *testing.T) {
	outer := mustCatch(t, unix.SIGUSR1)
	inner, err := Catch(unix.SIGUSR1, unix.SIGUSR2)
	if err != nil {
		t.Fatal(err)
	}
	if err := inner.Release(); err != nil {
		t.Fatal(err)
	}
	send(t, unix.SIGUSR1)
	expect(t, outer, unix.SIGUSR1)
	now, err := swap(unix.SIGUSR2, nil)
	if err != nil {
		t.Fatal(err)
	}
	if now.handler == handlerPC {
		t.Error("SIGUSR2 is still caught")
	}
}

func TestIgnoredStaysIgnored(t *testing.T) {
	before, err := swap(unix.SIGHUP, &action{handler: sigIgnore})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := swap(unix.SIGHUP, &before); err != nil {
			t.Error(err)
		}
	})
	c := mustCatch(t, unix.SIGHUP, unix.SIGUSR1)
	send(t, unix.SIGHUP)
	send(t, unix.SIGUSR1)
	expect(t, c, unix.SIGUSR1)
}

func TestCatchErrors(t *testing.T) {
	for _, sig := range []unix.Signal{unix.SIGKILL, unix.SIGSTOP, 65, 0} {
		if _, err := Catch(unix.SIGUSR1, sig); !errors.Is(err, unix.EINVAL) {
			t.Errorf("signal %d: %v", int(sig), err)
		}
		now, err := swap(unix.SIGUSR1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if now.handler == handlerPC {
			t.Error("SIGUSR1 is still caught")
		}
	}
}

// TestFaultsStayGos: faults of the process itself still end in Go's panic or crash, but a
// signal of the same number that somebody sends is caught.
func TestFaultsStayGos(t *testing.T) {
	if os.Getenv("SIGNALS_TEST_FAULT") != "" {
		if _, err := Catch(unix.SIGSEGV, unix.SIGBUS); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if r := recover(); r != nil {
				fmt.Println("recovered")
			}
		}()
		var p *int
		*p = 1
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "SIGNALS_TEST_FAULT=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	if !strings.Contains(out.String(), "recovered") {
		t.Errorf("no panic: %s", out.String())
	}
}

// TestManyAtOnce: a full pipe drops signals, and blocks nobody.
func TestManyAtOnce(t *testing.T) {
	c := mustCatch(t, unix.SIGUSR1)
	const many = 70_000 // more than the pipe has room for
	for range many {
		send(t, unix.SIGUSR1)
	}
	got := 0
	if err := unix.SetNonblock(c.readEnd, true); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.SetNonblock(c.readEnd, false); err != nil {
			t.Fatal(err)
		}
	}()
	for {
		sig, err := c.Next()
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if err != nil || sig != unix.SIGUSR1 {
			t.Fatal(sig, err)
		}
		got++
	}
	if got == 0 || got >= many {
		t.Errorf("%d signals of %d", got, many)
	}
}

// TestPending takes the requested signals, without waiting, and leaves the others in order.
func TestPending(t *testing.T) {
	c := mustCatch(t, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2)
	pending := func(want unix.Signal, list ...unix.Signal) {
		t.Helper()
		got, err := c.Pending(list...)
		if got != want || err != nil {
			t.Errorf("pending: %d, %v, want %d", got, err, want)
		}
	}
	pending(0, unix.SIGTERM)
	sendInOrder(t, c, unix.SIGUSR1, unix.SIGTERM, unix.SIGUSR2)
	pending(0, unix.SIGHUP)
	pending(unix.SIGTERM, unix.SIGHUP, unix.SIGTERM)
	pending(0, unix.SIGHUP, unix.SIGTERM)
	expect(t, c, unix.SIGUSR1)
	expect(t, c, unix.SIGUSR2)
	pending(0, unix.SIGUSR1, unix.SIGUSR2)
}

// TestCatchOnce: the second signal has its default effect, here none, unless it was caught
// before.
func TestCatchOnce(t *testing.T) {
	for _, before := range []bool{false, true} {
		if before {
			mustCatch(t, unix.SIGWINCH)
		}
		c, err := CatchOnce(unix.SIGWINCH)
		if err != nil {
			t.Fatal(err)
		}
		send(t, unix.SIGWINCH)
		expect(t, c, unix.SIGWINCH)
		send(t, unix.SIGWINCH)
		if before {
			expect(t, c, unix.SIGWINCH)
		} else if sig, err := c.Pending(unix.SIGWINCH); sig != 0 || err != nil {
			t.Errorf("the second signal: %d, %v", sig, err)
		}
		if err := c.Release(); err != nil {
			t.Error(err)
		}
	}
}

// BenchmarkCatch compares catching all signals with os/signal for the same, and for only the
// four that end a command.
func BenchmarkCatch(b *testing.B) {
	var all []unix.Signal
	for sig := unix.Signal(1); sig <= 64; sig++ {
		switch sig {
		case unix.SIGKILL, unix.SIGSTOP, unix.SIGCHLD, unix.SIGURG, unix.SIGWINCH, 32, 33:
		default:
			all = append(all, sig)
		}
	}
	notify := func(list ...unix.Signal) func() error {
		return func() error {
			came := make(chan os.Signal, 64)
			for _, sig := range list {
				signal.Notify(came, sig)
			}
			return nil
		}
	}
	firstuse.Compare(b, map[string]func() error{
		"catch": func() error {
			_, err := Catch(all...)
			return err
		},
		"notify":     notify(all...),
		"notify-few": notify(unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM),
	})
}
