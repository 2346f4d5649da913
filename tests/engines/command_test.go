// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// reporter is a T or a testing.T.
type reporter interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(f func())
}

// command is a command line.
type command struct {
	args  []string
	env   []string // in addition to this process's
	stdin string
	dir   string
}

// result is what a command has returned.
type result struct {
	code     int
	out, err string
}

// try runs a command, which may fail but must end within suite.limit.
func (c command) try(t reporter) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), suite.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(c.stdin), &stdout, &stderr
	cmd.Env, cmd.Dir = append(os.Environ(), c.env...), c.dir
	// What it has started may keep its pipes.
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	r := result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	var exit *exec.ExitError
	if ctx.Err() != nil || err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		t.Fatalf("%s: %v: %s%s", strings.Join(c.args, " "), err, r.out, r.err)
	}
	return r
}

// run runs a command that must succeed, and returns its standard output.
func (c command) run(t reporter) string {
	t.Helper()
	r := c.try(t)
	if r.code != 0 {
		t.Fatalf("%s: exit status %d: %s%s", strings.Join(c.args, " "), r.code, r.out, r.err)
	}
	return r.out
}

// lines returns the lines that a command prints, whatever its exit status.
func (c command) lines(t reporter) []string {
	t.Helper()
	return strings.Split(strings.TrimSpace(c.try(t).out), "\n")
}

// talk is a command whose input depends on its output.
type talk struct {
	t   *T
	in  io.WriteCloser
	out *bufio.Reader
	all bytes.Buffer
}

// talk starts a command, which must end by itself before the operation does.
func (c command) talk(t *T) *talk {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), suite.limit)
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Env, cmd.Dir, cmd.WaitDelay = append(os.Environ(), c.env...), c.dir, time.Second
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		cancel()
		t.Fatalf("%s: %v", strings.Join(c.args, " "), err)
	}
	k := &talk{t: t, in: in, out: bufio.NewReader(out)}
	t.Cleanup(func() {
		_, _ = k.all.ReadFrom(k.out)
		_ = cmd.Wait()
		if ctx.Err() != nil {
			t.Errorf("%s: it does not end: %s", strings.Join(c.args, " "), k.all.String())
		}
		cancel()
	})
	return k
}

// say writes to the command, and waits until it has answered.
func (k *talk) say(line, answer string) {
	k.t.Helper()
	if _, err := io.WriteString(k.in, line); err != nil {
		k.t.Fatalf("%v", err)
	}
	from := k.all.Len()
	for !strings.Contains(k.all.String()[from:], answer) {
		b, err := k.out.ReadByte()
		if err != nil {
			k.t.Fatalf("no answer %q to %q: %v: %s", answer, line, err, k.all.String())
		}
		k.all.WriteByte(b)
	}
}

// daemon is a process that an engine's test has started.
type daemon struct {
	name string
	env  []string
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

// start starts a daemon, and ends it with the test.
func start(t reporter, name string, env []string, args ...string) *daemon {
	t.Helper()
	d := launch(t, name, env, args...)
	t.Cleanup(func() { d.end(t) })
	return d
}

// end ends a daemon, which must end by itself.
func (d *daemon) end(t reporter) {
	if !d.stop(syscall.SIGTERM) {
		t.Errorf("%s: had to be killed", d.name)
	}
}

// launch starts a daemon. Its log goes to ./_build/results.
func launch(t reporter, name string, env []string, args ...string) *daemon {
	t.Helper()
	d := &daemon{name: name, env: env, log: filepath.Join(os.Getenv("RESULTS"), fmt.Sprintf("%s-%s-%s-%s.log", suite.room, suite.place, suite.name, name)), done: make(chan struct{})}
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer log.Close()
	d.cmd = exec.Command(args[0], args[1:]...)
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.Env = append(os.Environ(), env...)
	// A group of its own, so that an interrupt at the terminal leaves it to the test.
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := d.cmd.Start(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	go func() {
		defer close(d.done)
		_ = d.cmd.Wait()
	}()
	return d
}

// stop sends a signal and waits for the end, which it forces if it must.
func (d *daemon) stop(signal syscall.Signal) bool {
	_ = d.cmd.Process.Signal(signal)
	select {
	case <-d.done:
		return true
	case <-time.After(suite.limit):
		_ = d.cmd.Process.Kill()
		<-d.done
		return false
	}
}

// ready waits until a daemon answers.
func (d *daemon) ready(t reporter, probe func() error) {
	t.Helper()
	err := wait(func() error {
		select {
		case <-d.done:
			return nil
		default:
			return probe()
		}
	})
	if err == nil {
		err = probe()
	}
	if err != nil {
		log, _ := os.ReadFile(d.log)
		t.Fatalf("%s does not answer: %v: %s", d.cmd.Path, err, log[max(0, len(log)-4000):])
	}
}
