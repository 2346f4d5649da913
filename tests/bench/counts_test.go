// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestParseBounds(t *testing.T) {
	b, err := parseBounds("# comment\n\nrun 1 2 3 4 # more\nexec 5 6 7 8\n")
	if err != nil {
		t.Fatal(err)
	}
	if len(b) != 2 || b["run"][metricCalls] != 1 || b["exec"][metricFaults] != 8 {
		t.Errorf("got %v", b)
	}
	for _, text := range []string{"run 1 2 3\n", "run 1 2 3 x\n", "run 1 2 3 4\nrun 1 2 3 4\n"} {
		if b, err := parseBounds(text); err == nil {
			t.Errorf("%q is %v", text, b)
		}
	}
}

func TestCheck(t *testing.T) {
	r := &results{Runtime: []named{{"a", ""}}}
	for i, c := range counted {
		r.add("run", "a", c.metric, float64(i+1))
		r.add("run", "a", c.metric, 100) // a busy moment
	}
	r.finish()
	tests := []struct{ bounds, fault string }{
		{"run 1 2 3 4\n", ""},
		{"run 9 9 9 9\n", ""},
		{"run 0 2 3 4\n", "run: 1 system calls, more than 0"},
		{"run 1 2 2 3\n", "run: 4 page faults, more than 3"},
		{"run 1 2 3 4\nexec 1 2 3 4\n", "bounds for 2 rows, and 1 of them measured"},
	}
	for _, test := range tests {
		b, err := parseBounds(test.bounds)
		if err != nil {
			t.Fatal(err)
		}
		err = b.check(&strings.Builder{}, r)
		if test.fault == "" && err != nil || test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.fault)) {
			t.Errorf("%q: %v", test.bounds, err)
		}
	}
}

// TestTraceCalls: more system calls are more, and so are those of children.
func TestTraceCalls(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("requires sh")
	}
	count := func(script string) trace {
		got, err := traceCalls(exec.Command("sh", "-c", script))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	nothing, some, child := count(":"), count("umask 0; umask 0; umask 0"), count("(umask 0); :")
	if nothing.calls < 10 || some.calls < nothing.calls+3 || child.calls < nothing.calls+2 {
		t.Errorf("nothing: %d calls, three more: %d, with a child: %d", nothing.calls, some.calls, child.calls)
	}
	if nothing.threads != 0 || child.threads != 0 {
		t.Errorf("sh has %d threads, and %d with a child", nothing.threads, child.threads)
	}
	if _, err := traceCalls(exec.Command("sh", "-c", "exit 3")); err == nil {
		t.Error("a command that fails is no error")
	}
	// A program in Go, this one, has threads.
	program, err := exec.LookPath("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := traceCalls(exec.Command(program, "-test.run", "^$")); err != nil || got.threads == 0 {
		t.Errorf("a program in Go: %+v, %v", got, err)
	}
}

// TestTraceLeavesOthers: a process that outlives the command is let go, and runs.
func TestTraceLeavesOthers(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("requires sh")
	}
	file := t.TempDir() + "/done"
	if _, err := traceCalls(exec.Command("sh", "-c", "(sleep 0.2; mkdir "+file+") & :")); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if exec.Command("test", "-d", file).Run() == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("it has not gone on")
		}
	}
}

// TestSpent: what a child takes is in the difference, dead or alive.
func TestSpent(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("requires sh")
	}
	before, err := spent()
	if err != nil {
		t.Fatal(err)
	}
	busy := "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; "
	if err := exec.Command("sh", "-c", busy).Run(); err != nil {
		t.Fatal(err)
	}
	dead, err := spent()
	if err != nil {
		t.Fatal(err)
	}
	if u := dead.minus(before); u.cpu <= 0 || u.faults < 10 {
		t.Errorf("a child has taken %+v", u)
	}
	cmd := exec.Command("sh", "-c", busy+"echo; read x")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	alive, err := spent()
	if err != nil {
		t.Fatal(err)
	}
	if u := alive.minus(dead); u.cpu <= 0 || u.faults < 10 {
		t.Errorf("a child that lives has taken %+v", u)
	}
	stdin.Close()
	_ = cmd.Wait() // what read says is of no interest
}
