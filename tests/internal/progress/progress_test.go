// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fed feeds lines to a display and returns what it writes.
func fed(t *testing.T, d *display, lines string) string {
	t.Helper()
	var out bytes.Buffer
	d.out, d.label, d.began = &out, "work", time.Now()
	if err := d.copyAll(strings.NewReader(lines)); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestLogHasAllLines(t *testing.T) {
	const lines = "one\n@progress x\ntwo\nlast without an end"
	if got := fed(t, &display{every: time.Hour}, lines); got != lines {
		t.Errorf("shown %q, want %q", got, lines)
	}
}

// TestRemind: the progress is reported if nothing else was printed, without control characters.
func TestRemind(t *testing.T) {
	var out bytes.Buffer
	began := time.Unix(1000, 0)
	d := &display{out: &out, label: "work", every: 30 * time.Second, began: began, said: began}
	d.line("@progress 3 20 making \x1b[1mtea\n")
	d.remind(began.Add(29 * time.Second))
	d.remind(began.Add(65 * time.Second))
	d.remind(began.Add(66 * time.Second))
	if got, want := out.String(), "work: 3 of 20, 1m5s: making [1mtea\n"; got != want {
		t.Errorf("shown %q, want %q", got, want)
	}
}

// TestTerminal: the last line is overwritten, does not wrap, and is erased at the end.
func TestTerminal(t *testing.T) {
	got := fed(t, &display{every: time.Hour, width: 24}, "@progress 1 2 something that is long\none\n@progress 2 2 b\n")
	want := "\rwork: 1 of 2, 0s: somet" + "\r" + strings.Repeat(" ", 23) + "\rone\n" +
		"\rwork: 2 of 2, 0s: b" + "\r" + strings.Repeat(" ", 19) + "\r"
	if got != want {
		t.Errorf("shown %q, want %q", got, want)
	}
}

func TestOnlyFailingTests(t *testing.T) {
	const lines = `before
=== RUN   TestA
    a.go:1: not to be seen
--- PASS: TestA (0.00s)
=== RUN   TestB
=== RUN   TestB/one
=== RUN   TestB/two
    b.go:1: is wrong
=== NAME  TestB
    b.go:2: as well
--- FAIL: TestB (0.00s)
    --- PASS: TestB/one (0.00s)
    --- FAIL: TestB/two (0.00s)
=== RUN   TestC
--- SKIP: TestC (0.00s)
=== RUN   TestD
panic: dead
`
	d := &display{every: time.Hour, tests: &tests{}}
	want := `before
=== RUN   TestB/two
    b.go:1: is wrong
    b.go:2: as well
--- FAIL: TestB (0.00s)
    --- FAIL: TestB/two (0.00s)
panic: dead
`
	if got := fed(t, d, lines); got != want {
		t.Errorf("shown\n%s\nwant\n%s", got, want)
	}
	if d.done != 3 || d.what != "TestD" {
		t.Errorf("%d done, at %q, want 3 at TestD", d.done, d.what)
	}
}

// TestCommand runs the program itself. It has the command's exit status, and reports the progress
// that is written to a file by its last line.
func TestCommand(t *testing.T) {
	program := filepath.Join(t.TempDir(), "progress")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	log := program + ".log"
	// The command continues when its output was seen: when nobody has its stdin open any more.
	// Its child has the pipe open for longer.
	const script = `echo first; echo "second $BERTH_PROGRESS"; sleep 1000 & read -r _; echo $! >&3; exit 7`
	cmd := exec.Command(program, "-label", "work", "-every", "1ms", "-log", log, "sh", "-c", script)
	child, err := os.Create(program + ".child")
	if err != nil {
		t.Fatal(err)
	}
	defer child.Close()
	cmd.ExtraFiles = []*os.File{child}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shown := bufio.NewReader(out)
	for line := ""; !strings.HasSuffix(line, "s: second 1\n"); {
		if line, err = shown.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	in.Close()
	if _, err := io.Copy(io.Discard, shown); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 7 {
		t.Errorf("status %d, want 7", got)
	}
	var pid int
	if data, err := os.ReadFile(child.Name()); err != nil {
		t.Error(err)
	} else if _, err := fmt.Sscan(string(data), &pid); err != nil {
		t.Error(err)
	} else if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("the command's child: %v", err)
	}
	if got, err := os.ReadFile(log); err != nil || string(got) != "first\nsecond 1\n" {
		t.Errorf("the file has %q (%v)", got, err)
	}
}
