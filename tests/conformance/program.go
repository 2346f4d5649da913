// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// outcome is the result of one run of a program.
type outcome struct {
	tap *tapResult
	// Failures has the message for each failure, by the name that it has in the table.
	Failures map[string]string
}

// verdict is an outcome compared with the table.
type verdict struct {
	Program             string
	Tests               int
	Problems, Explained []string
}

// refusals are the programs that pass if the runtime refuses to create the container. They plan
// no test, and print the runtime's error.
var refusals = []string{"prestart_fail", "process_rlimits_fail", "process_capabilities_fail"}

// judge runs a program and compares its failures with the table. If a failure is racy, it runs
// the program again until it passes: a program that never passes is not racy.
func judge(ctx context.Context, o *options, name string, table []expectation, h *host) *verdict {
	v := &verdict{Program: name}
	expect, err := expected(table, name, o.name, h)
	if err != nil {
		v.Problems = []string{err.Error()}
		return v
	}
	var out *outcome
	for attempt := 1; ; attempt++ {
		if out, err = runProgram(ctx, o, name); err != nil {
			v.Problems = []string{err.Error()}
			return v
		}
		again := false
		for f := range out.Failures {
			again = again || expect.may[f] != ""
		}
		if !again || attempt >= o.attempts {
			break
		}
	}
	v.Tests = len(out.tap.Tests)
	if reason, known := expect.must[failAny]; known && len(out.Failures) > 0 {
		v.Explained = []string{failAny + ": " + reason}
		return v
	}
	for _, f := range slices.SortedFunc(maps.Keys(out.Failures), byNumber) {
		reason, known := expect.must[f]
		if !known {
			reason, known = expect.either[f]
		}
		if known {
			v.Explained = append(v.Explained, f+": "+reason)
		} else {
			v.Problems = append(v.Problems, f+": "+strings.ReplaceAll(out.Failures[f], "\n", "\n           "))
		}
	}
	for _, f := range slices.SortedFunc(maps.Keys(expect.must), byNumber) {
		if _, failed := out.Failures[f]; !failed {
			v.Problems = append(v.Problems, f+": passes, although the table says: "+expect.must[f])
		}
	}
	return v
}

// byNumber orders "2" before "10", and words last.
func byNumber(a, b string) int {
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	if errX != nil || errY != nil {
		return strings.Compare(a, b)
	}
	return cmp.Compare(x, y)
}

// runProgram runs one program of the suite in a directory of its own.
func runProgram(ctx context.Context, o *options, name string) (_ *outcome, err error) {
	dir, err := os.MkdirTemp(o.work, name+".")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	// The root of a container with a user namespace must be able to reach its rootfs.
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	wrapper, err := prepare(o, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, cleanUp(o, filepath.Join(dir, "state"))) }()

	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(o.bin, name))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "RUNTIME="+wrapper, "TMPDIR="+dir)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// Programs whose containers have no mount namespace leave mounts behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Unshareflags: syscall.CLONE_NEWNS}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	runErr := cmd.Run()
	if runErr != nil && !errors.As(runErr, new(*exec.ExitError)) && ctx.Err() == nil {
		return nil, runErr
	}
	if err := keep(o, name, stdout.Bytes(), stderr.Bytes()); err != nil {
		return nil, err
	}
	return assess(name, &stdout, stderr.String(), runErr, ctx.Err())
}

// prepare copies to dir the files that the programs look for in their working directory, and a
// wrapper that gives the runtime its own root.
func prepare(o *options, dir string) (wrapper string, err error) {
	err = errors.Join(
		copyFile(filepath.Join(o.bin, "runtimetest"), filepath.Join(dir, "runtimetest"), 0o755),
		copyFile(o.rootfs, filepath.Join(dir, filepath.Base(o.rootfs)), 0o644))
	if err != nil {
		return "", err
	}
	wrapper = filepath.Join(dir, "runtime")
	script := fmt.Sprintf("#!/bin/sh\nexec '%s' --root '%s/state' \"$@\"\n", o.runtime, dir)
	return wrapper, os.WriteFile(wrapper, []byte(script), 0o755)
}

func copyFile(from, to string, mode os.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// cleanUp deletes the containers that a program has left, as several do when they fail.
func cleanUp(o *options, state string) error {
	entries, err := os.ReadDir(state)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var errs []error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		out, delErr := exec.Command(o.runtime, "--root", state, "delete", "--force", e.Name()).CombinedOutput()
		if delErr != nil {
			errs = append(errs, fmt.Errorf("delete --force %s: %w: %s", e.Name(), delErr, bytes.TrimSpace(out)))
		}
	}
	return errors.Join(append(errs, err)...)
}

// keep saves the output of a program.
func keep(o *options, name string, stdout, stderr []byte) error {
	if o.output == "" {
		return nil
	}
	return errors.Join(
		os.WriteFile(filepath.Join(o.output, name+".out"), stdout, 0o644),
		os.WriteFile(filepath.Join(o.output, name+".err"), stderr, 0o644))
}

// assess returns the failures of a run.
func assess(name string, stdout io.Reader, stderr string, runErr, ctxErr error) (*outcome, error) {
	tap, err := parseTAP(stdout)
	if err != nil {
		return nil, err
	}
	out := &outcome{tap: tap, Failures: map[string]string{}}
	for _, t := range tap.Tests {
		if !t.OK && !t.Skipped {
			out.Failures[strconv.Itoa(t.Number)] = t.Description
		}
	}
	stderr = strings.TrimSpace(stderr)
	refused := strings.HasPrefix(stderr, "failed to create the container")
	switch {
	case ctxErr != nil:
		out.Failures[failTimeout] = ctxErr.Error()
	case runErr != nil:
		out.Failures[failExit] = runErr.Error() + ": " + stderr
	case len(tap.Tests) > 0:
		if tap.Planned != len(tap.Tests) {
			out.Failures[failPlan] = fmt.Sprintf("%d tests, %d planned", len(tap.Tests), tap.Planned)
		}
	case len(tap.Errors) > 0:
		out.Failures[failError] = strings.Join(tap.Errors, "; ")
	case slices.Contains(refusals, name):
		if !refused {
			out.Failures[failError] = "the runtime refused nothing"
		}
	case stderr != "":
		out.Failures[failError] = stderr
	}
	return out, nil
}
