// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// meter measures.
type meter struct {
	*config
	res *results
	// way is what is looked at.
	way    way
	crowds map[string][]*container
	many   string // the directory of many mounts
}

// way is what of a command is looked at in a round.
type way int

const (
	timed  way = iota // its time, and what it takes
	peaks             // traced: the most memory
	traced            // traced: its system calls
)

// sample is what one command has taken.
type sample struct {
	took time.Duration
	usage
	peak int64 // in KiB
	trace
}

func (s sample) and(o sample) sample {
	s.took += o.took
	s.plus(o.usage)
	return s
}

// each is one of n equal parts.
func (s sample) each(n int64) sample {
	u := s.usage
	return sample{took: s.took / time.Duration(n), usage: usage{u.cpu / time.Duration(n), u.faults / n, u.voluntary / n, u.switches / n}}
}

// measured rests, and runs a command; after then waits until everything is done that belongs
// to it.
func (m *meter) measured(rt *runtimeUnderTest, dir string, after func() error, args ...string) (s sample, err error) {
	before, err := spent()
	if err != nil {
		return s, err
	}
	time.Sleep(m.gap)
	switch m.way {
	case timed:
		s.took, err = rt.call(dir, args...)
	case peaks:
		err = rt.perform(dir, args, func(cmd *exec.Cmd) (err error) {
			s.peak, err = peakRSS(cmd)
			return err
		})
	case traced:
		err = rt.perform(dir, args, func(cmd *exec.Cmd) (err error) {
			s.trace, err = traceCalls(cmd)
			return err
		})
	}
	if err == nil && after != nil {
		err = after()
	}
	if err != nil {
		return s, err
	}
	done, err := spent()
	s.usage = done.minus(before)
	return s, err
}

// record adds a sample.
func (m *meter) record(row string, rt *runtimeUnderTest, s sample) {
	add := func(metric string, value float64) { m.res.add(row, rt.name, metric, value) }
	switch m.way {
	case timed:
		add(metricTime, float64(s.took.Nanoseconds())/1e6)
		add(metricCPU, float64(s.cpu.Nanoseconds())/1e6)
		add(metricFaults, float64(s.faults))
		add(metricSwitches, float64(s.switches))
		add(metricVoluntary, float64(s.voluntary))
	case peaks:
		add(metricPeak, float64(s.peak))
	case traced:
		add(metricCalls, float64(s.calls))
		add(metricThreads, float64(s.threads))
	}
}

// measure runs all operations.
func measure(c *config, res *results) (err error) {
	m := &meter{config: c, res: res}
	ops := allOperations()
	if c.only != "" {
		names := strings.Split(c.only, ",")
		if err := unknown(names); err != nil {
			return err
		}
		ops = slices.DeleteFunc(ops, func(o operation) bool { return !slices.Contains(names, o.name) })
	}
	defer func() {
		for _, rt := range c.runtimes {
			err = errors.Join(err, rt.end())
		}
	}()
	for n, op := range ops {
		// For tests/internal/progress.
		if os.Getenv("BERTH_PROGRESS") != "" {
			fmt.Printf("@progress %d %d %s\n", n, len(ops), op.name)
		}
		if err := m.all(&op); err != nil {
			return fmt.Errorf("%s: %w", op.name, err)
		}
	}
	for _, rt := range c.runtimes {
		for _, op := range ops {
			if rt.lacks[op.name] != "" {
				res.Notes = append(res.Notes, fmt.Sprintf("%s left out: %s", op.name, rt.lacks[op.name]))
			}
		}
	}
	res.finish()
	return nil
}

// all measures one operation of all runtimes: its rounds, and one more for the memory.
func (m *meter) all(op *operation) (err error) {
	if op.finish != nil {
		defer func() { err = errors.Join(err, op.finish(m)) }()
	}
	if op.prepare != nil {
		if err := op.prepare(m); err != nil {
			m.res.Notes = append(m.res.Notes, fmt.Sprintf("%s left out: %v", op.name, err))
			return nil
		}
	}
	rounds := m.rounds
	if op.slow {
		rounds = max(rounds/4, 1)
	}
	for round := range rounds + 1 {
		m.way = timed
		if round == rounds {
			m.way = peaks
		}
		for _, i := range rand.Perm(len(m.runtimes)) {
			rt := m.runtimes[i]
			if !rt.takesPart(op.name) {
				continue
			}
			err := op.once(m, rt)
			if interrupt := m.interrupted(); interrupt != nil {
				return interrupt
			}
			if err != nil {
				// A whole operation may be missing; the others are still of interest.
				rt.lacks[op.name] = err.Error()
			}
		}
	}
	return nil
}

// mountMany mounts a directory at many places of the bench's mount namespace.
func mountMany(n int) func(*meter) error {
	return func(m *meter) error {
		m.many = filepath.Join(m.work, "many")
		if err := os.Mkdir(m.many, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("many", m.many, "tmpfs", 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.many, err)
		}
		source := filepath.Join(m.many, "source")
		for i := range n {
			dir := filepath.Join(m.many, fmt.Sprint(i))
			if i == 0 {
				dir = source
			}
			if err := os.Mkdir(dir, 0o755); err != nil {
				return err
			}
			if err := unix.Mount(source, dir, "", unix.MS_BIND, ""); err != nil {
				return fmt.Errorf("mount %s: %w", dir, err)
			}
		}
		return nil
	}
}

func unmountMany(m *meter) error {
	if err := unix.Unmount(m.many, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount %s: %w", m.many, err)
	}
	return os.Remove(m.many)
}
