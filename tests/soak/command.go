// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// limit is how long a command may take on an overloaded machine.
const limit = 90 * time.Second

// kind is a kind of command. Its weight is how often it is drawn.
type kind struct {
	name   string
	weight int
	args   func(r *rand.Rand, b *box) []string
}

// plain returns a command with fixed arguments, followed by the container's id.
func plain(words ...string) func(*rand.Rand, *box) []string {
	return func(_ *rand.Rand, b *box) []string { return append(slices.Clone(words), b.id) }
}

func pick(r *rand.Rand, list ...string) string { return list[r.IntN(len(list))] }

func kinds() []kind {
	return []kind{
		{"create", 20, func(_ *rand.Rand, b *box) []string {
			return []string{"create", "--bundle", b.dir, "--pid-file", b.path("pid"), b.id}
		}},
		{"start", 14, plain("start")},
		{"run --detach", 30, func(_ *rand.Rand, b *box) []string { return []string{"run", "--detach", "--bundle", b.dir, b.id} }},
		{"run", 4, func(_ *rand.Rand, b *box) []string { return []string{"run", "--bundle", b.path("short"), b.id} }},
		{"exec", 14, func(r *rand.Rand, b *box) []string {
			return []string{"exec", b.id, "/bin/sh", "-c", pick(r, "true", "exit 3", "cat /proc/self/mountinfo", "ls /dev/shm")}
		}},
		{"exec --detach", 5, func(r *rand.Rand, b *box) []string {
			return []string{"exec", "--detach", b.id, "/bin/sleep", pick(r, "0", "0.1", "1000")}
		}},
		{"kill", 5, func(r *rand.Rand, b *box) []string {
			// There is no STOP: a command that waits for a stopped process needs a CONT, which
			// may not come.
			return []string{"kill", b.id, pick(r, "TERM", "KILL", "USR1", "CONT", "0")}
		}},
		{"kill --all", 2, func(r *rand.Rand, b *box) []string { return []string{"kill", "--all", b.id, pick(r, "TERM", "KILL")} }},
		{"pause", 4, plain("pause")},
		{"resume", 8, plain("resume")},
		{"update", 6, func(r *rand.Rand, b *box) []string {
			return append([]string{"update"}, pick(r, "--memory=64M", "--pids-limit=50", "--cpu-quota=50000", "--cpuset-cpus=0"), b.id)
		}},
		{"ps", 4, plain("ps")},
		{"state", 6, plain("state")},
		{"list", 4, func(r *rand.Rand, _ *box) []string { return []string{"list", "--format", pick(r, "table", "json")} }},
		{"delete", 8, plain("delete")},
		{"delete --force", 14, plain("delete", "--force")},
		{"events --stats", 4, plain("events", "--stats")},
		{"mounts add", 6, func(_ *rand.Rand, b *box) []string { return []string{"mounts", "add", b.id, b.path("mounts.json")} }},
		{"mounts remove", 4, func(_ *rand.Rand, b *box) []string { return []string{"mounts", "remove", b.id, b.path("mounts.json")} }},
	}
}

// draw draws a kind of command.
func draw(r *rand.Rand, list []kind) *kind {
	sum := 0
	for i := range list {
		sum += list[i].weight
	}
	at := r.IntN(sum)
	for i := range list {
		if at -= list[i].weight; at < 0 {
			return &list[i]
		}
	}
	return nil
}

// result is the result of a command.
type result struct {
	status int
	// signal is the signal that has killed it; 0 for none.
	signal unix.Signal
	output string
	hung   bool
}

// bad are texts by which a runtime reports its own faults.
var bad = regexp.MustCompile(`(?m)^(panic: |fatal error: |goroutine \d+ \[|.*(SIGSEGV|runtime error: ))`)

// one runs one command.
func (s *soak) one(r *rand.Rand) {
	k := draw(r, kinds())
	b := s.boxes[r.IntN(len(s.boxes))]
	args := k.args(r, b)
	kill := time.Duration(-1)
	if r.IntN(s.killed) == 0 {
		// Most commands take some milliseconds.
		kill = time.Duration(r.Int64N(int64(12 * time.Millisecond)))
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	res := s.command(ctx, b, kill, args...)
	switch {
	case res.hung:
		s.fault("%q hangs: %s", args, res.output)
	case bad.MatchString(res.output):
		s.fault("%q: %s", args, res.output)
	case res.signal != 0 && (kill < 0 || res.signal != unix.SIGKILL):
		s.fault("%q: %v: %s", args, res.signal, res.output)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts[k.name]
	if c == nil {
		c = new(count)
		s.counts[k.name] = c
	}
	switch {
	case res.signal != 0:
		c.killed++
	case res.status != 0:
		c.failed++
	default:
		c.well++
	}
}

// command runs the runtime, and kills it after a while unless kill is negative. Its output is a
// file, so that a container that continues to run does not keep a pipe open.
func (s *soak) command(ctx context.Context, b *box, kill time.Duration, args ...string) result {
	out, err := os.CreateTemp(b.dir, "output.")
	if err != nil {
		return result{status: -1, output: err.Error()}
	}
	defer out.Close()
	defer func() { _ = os.Remove(out.Name()) }()
	cmd := exec.CommandContext(ctx, s.runtime, append([]string{"--root", s.stateRoot()}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.dir, out, out
	if err := cmd.Start(); err != nil {
		return result{status: -1, output: err.Error()}
	}
	if kill >= 0 {
		timer := time.AfterFunc(kill, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
	}
	err = cmd.Wait()
	data, readErr := os.ReadFile(out.Name())
	if err != nil && !errors.As(err, new(*exec.ExitError)) || readErr != nil {
		return result{status: -1, output: errors.Join(err, readErr).Error()}
	}
	r := result{output: string(data), status: cmd.ProcessState.ExitCode(), hung: ctx.Err() != nil}
	if status, ok := cmd.ProcessState.Sys().(interface{ Signal() unix.Signal }); ok && r.status < 0 {
		r.signal = status.Signal()
	}
	return r
}

func sortedNames(m map[string]*count) []string { return slices.Sorted(maps.Keys(m)) }
