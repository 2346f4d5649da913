// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	burstRuns     = 20
	burstParallel = 4
)

// results are the times in ms, by row and by name of the runtime.
type results struct {
	rows  []string
	times map[string]map[string][]float64
	notes []string
}

func (r *results) add(row, name string, took time.Duration) {
	if r.times[row] == nil {
		r.rows = append(r.rows, row)
		r.times[row] = map[string][]float64{}
	}
	r.times[row][name] = append(r.times[row][name], float64(took.Microseconds())/1000)
}

// meter measures in one mode.
type meter struct {
	*config
	calm bool
	res  *results
}

// measure runs all operations in one mode.
func measure(c *config, calm bool) (_ *results, err error) {
	// The first processes of containers must become children of the bench, as with an engine.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become a subreaper: %w", err)
	}
	m := &meter{config: c, calm: calm, res: &results{times: map[string]map[string][]float64{}}}
	defer func() {
		for _, rt := range c.runtimes {
			err = errors.Join(err, rt.end())
		}
	}()
	for n, op := range c.ops {
		// For tests/internal/progress.
		if os.Getenv("BERTH_PROGRESS") != "" {
			fmt.Printf("@progress %d %d %s\n", n, len(c.ops), op)
		}
		rounds := c.rounds
		if op == "burst" {
			rounds = c.bursts
		}
		for round := range rounds {
			for i := range c.runtimes {
				rt := c.runtimes[(i+round)%len(c.runtimes)]
				if rt.lacks[op] != "" {
					continue
				}
				if err := m.one(op, rt); err != nil {
					// A runtime may lack a whole operation. The others are still measured.
					rt.lacks[op] = err.Error()
				}
			}
		}
	}
	for _, rt := range c.runtimes {
		for _, op := range c.ops {
			if rt.lacks[op] != "" {
				m.res.notes = append(m.res.notes, fmt.Sprintf("%s left out: %s", op, rt.lacks[op]))
			}
		}
	}
	return m.res, nil
}

// rest waits until the machine is idle if the mode is calm.
func (m *meter) rest() {
	if m.calm {
		time.Sleep(m.minGap + rand.N(m.maxGap-m.minGap+1))
	}
}

// one measures one operation once.
func (m *meter) one(op string, rt *runtimeUnderTest) error {
	switch op {
	case "version":
		return m.simple(op, rt, "--version")
	case "run":
		return m.run(rt)
	case "cycle":
		return m.cycle(rt)
	case "exec":
		return m.inside(op, rt, "exec", "/bin/true")
	case "state":
		return m.inside(op, rt, "state")
	case "burst":
		return m.burst(rt)
	}
	return fmt.Errorf("unknown operation %q", op)
}

func (m *meter) simple(row string, rt *runtimeUnderTest, args ...string) error {
	m.rest()
	took, err := rt.call(rt.work, args...)
	if err == nil {
		m.res.add(row, rt.name, took)
	}
	return err
}

// inside measures a command on a running container.
func (m *meter) inside(row string, rt *runtimeUnderTest, command string, args ...string) error {
	if err := rt.begin(); err != nil {
		return err
	}
	return m.simple(row, rt, append([]string{command, rt.live}, args...)...)
}

func (m *meter) run(rt *runtimeUnderTest) (err error) {
	id := newID()
	dir, err := rt.bundle(id, "/bin/true")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	m.rest()
	took, err := rt.call(dir, "run", id)
	if err == nil {
		m.res.add("run", rt.name, took)
	}
	return err
}

// cycle measures create, start and delete of one container, and their sum.
func (m *meter) cycle(rt *runtimeUnderTest) (err error) {
	id := newID()
	dir, err := rt.bundle(id, "/bin/true")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	m.rest()
	create, err := rt.call(dir, "create", "--pid-file", filepath.Join(dir, "pid"), id)
	if err != nil {
		return err
	}
	pid, err := readPID(dir)
	if err != nil {
		return err
	}
	m.rest()
	start, err := rt.call(dir, "start", id)
	if err != nil {
		return err
	}
	if err := waitForExit(pid); err != nil {
		return err
	}
	m.rest()
	remove, err := rt.call(dir, "delete", id)
	if err != nil {
		return err
	}
	m.res.add("create", rt.name, create)
	m.res.add("start", rt.name, start)
	m.res.add("delete", rt.name, remove)
	m.res.add("c+s+d", rt.name, create+start+remove)
	return nil
}

func readPID(dir string) (int, error) {
	data, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(data))
}

// burst measures many runs, several of them at a time, and prints the time per container.
func (m *meter) burst(rt *runtimeUnderTest) (err error) {
	var dirs, names []string
	for range burstRuns {
		id := newID()
		dir, err := rt.bundle(id, "/bin/true")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		dirs, names = append(dirs, dir), append(names, id)
	}
	m.rest()
	var wg sync.WaitGroup
	next := make(chan int, burstRuns)
	errs := make([]error, burstRuns)
	for i := range burstRuns {
		next <- i
	}
	close(next)
	began := time.Now()
	for range burstParallel {
		wg.Go(func() {
			for i := range next {
				_, errs[i] = rt.call(dirs[i], "run", names[i])
			}
		})
	}
	wg.Wait()
	took := time.Since(began) / burstRuns
	if err := errors.Join(errs...); err != nil {
		return err
	}
	m.res.add("burst/container", rt.name, took)
	return nil
}

// percentile returns the smallest of the sorted values that is not exceeded by the fraction p of
// them (nearest rank).
func percentile(sorted []float64, p float64) float64 {
	i := int(p*float64(len(sorted)) + 0.999999)
	return sorted[min(max(i-1, 0), len(sorted)-1)]
}

// median is the middle value, or the mean of the two in the middle.
func median(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

func sorted(values []float64) []float64 {
	s := slices.Clone(values)
	slices.Sort(s)
	return s
}
