// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	burstRuns = 20
	crowd     = 300
)

// operation is what is measured. One operation may have several rows.
type operation struct {
	name string
	slow bool // gets a quarter of the rounds
	// prepare and finish are called once, for all runtimes.
	prepare, finish func(*meter) error
	once            func(*meter, *runtimeUnderTest) error
}

// allOperations are in the order in which they run.
func allOperations() []operation {
	return []operation{
		{name: "version", once: func(m *meter, rt *runtimeUnderTest) error { return m.simple("version", rt, "--version") }},
		{name: "run", once: func(m *meter, rt *runtimeUnderTest) error { return m.run("run", plain, rt) }},
		{name: "cycle", once: func(m *meter, rt *runtimeUnderTest) error { return m.cycle("", plain, rt) }},
		{name: "exec", once: func(m *meter, rt *runtimeUnderTest) error { return m.inside("exec", plain, rt, "exec", "/bin/true") }},
		{name: "state", once: func(m *meter, rt *runtimeUnderTest) error { return m.inside("state", plain, rt, "state") }},
		{name: "kill", once: func(m *meter, rt *runtimeUnderTest) error { return m.inside("kill", plain, rt, "kill", "CONT") }},
		{name: "docker.run", once: func(m *meter, rt *runtimeUnderTest) error { return m.run("docker.run", docker, rt) }},
		{name: "docker.cycle", once: func(m *meter, rt *runtimeUnderTest) error { return m.cycle("docker.", docker, rt) }},
		{name: "docker.exec", once: func(m *meter, rt *runtimeUnderTest) error {
			return m.inside("docker.exec", docker, rt, "exec", "/bin/true")
		}},
		{name: "pod.run", once: func(m *meter, rt *runtimeUnderTest) error { return m.run("pod.run", pod, rt) }},
		{name: "pod.cycle", once: func(m *meter, rt *runtimeUnderTest) error { return m.cycle("pod.", pod, rt) }},
		{name: "pod.exec", once: func(m *meter, rt *runtimeUnderTest) error { return m.inside("pod.exec", pod, rt, "exec", "/bin/true") }},
		{name: "burst4", slow: true, once: func(m *meter, rt *runtimeUnderTest) error { return m.burst("burst4", 4, rt) }},
		{name: "burst16", slow: true, once: func(m *meter, rt *runtimeUnderTest) error { return m.burst("burst16", 16, rt) }},
		{name: "run1000", slow: true, prepare: mountMany(1000), finish: unmountMany, once: func(m *meter, rt *runtimeUnderTest) error {
			return m.run("run1000", plain, rt)
		}},
		{name: "run4000", slow: true, prepare: mountMany(4000), finish: unmountMany, once: func(m *meter, rt *runtimeUnderTest) error {
			return m.run("run4000", plain, rt)
		}},
		{name: "crowd", slow: true, prepare: gather, finish: disperse, once: func(m *meter, rt *runtimeUnderTest) error {
			if err := m.simple("list300", rt, "list"); err != nil {
				return err
			}
			return m.create("create300", rt)
		}},
	}
}

// simple measures one command.
func (m *meter) simple(row string, rt *runtimeUnderTest, args ...string) error {
	s, err := m.measured(rt, rt.work, nil, args...)
	if err == nil {
		m.record(row, rt, s)
	}
	return err
}

// inside measures a command about the container that lives on.
func (m *meter) inside(row, kind string, rt *runtimeUnderTest, command string, args ...string) error {
	c, err := rt.begin(kind)
	if err != nil {
		return err
	}
	return m.simple(row, rt, append([]string{command, c.id}, args...)...)
}

// run measures the run of a program that does nothing.
func (m *meter) run(row, kind string, rt *runtimeUnderTest) (err error) {
	id := newID()
	dir, err := rt.bundle(kind, id, "/bin/true")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := m.measured(rt, dir, nil, "run", id)
	if err == nil {
		m.record(row, rt, s)
	}
	return err
}

// cycle measures create, start and delete of one container, and their sum. start has taken
// what the container takes until its program has ended.
func (m *meter) cycle(prefix, kind string, rt *runtimeUnderTest) (err error) {
	id := newID()
	dir, err := rt.bundle(kind, id, "/bin/true")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	before, err := descendants()
	if err != nil {
		return err
	}
	create, err := m.measured(rt, dir, nil, "create", "--pid-file", filepath.Join(dir, "pid"), id)
	if err != nil {
		return err
	}
	deleted := false
	defer func() {
		if !deleted {
			_, e := rt.call(dir, "delete", "--force", id)
			err = errors.Join(err, e)
		}
	}()
	pid, err := readPID(dir)
	if err != nil {
		return err
	}
	if m.way == peaks {
		kib, err := resident(before)
		if err != nil {
			return err
		}
		m.res.add(prefix+"created", rt.name, metricResident, float64(kib))
	}
	start, err := m.measured(rt, dir, func() error { return waitForExit(pid) }, "start", id)
	if err != nil {
		return err
	}
	remove, err := m.measured(rt, dir, nil, "delete", id)
	if err != nil {
		return err
	}
	deleted = true
	m.record(prefix+"create", rt, create)
	m.record(prefix+"start", rt, start)
	m.record(prefix+"delete", rt, remove)
	if m.way == timed {
		m.record(prefix+"cycle", rt, create.and(start).and(remove))
	}
	return nil
}

// create measures create alone.
func (m *meter) create(row string, rt *runtimeUnderTest) (err error) {
	id := newID()
	dir, err := rt.bundle(plain, id, "/bin/true")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := m.measured(rt, dir, nil, "create", id)
	if err != nil {
		return err
	}
	m.record(row, rt, s)
	_, err = rt.call(dir, "delete", "--force", id)
	return err
}

// burst measures many runs, several at a time, per container.
func (m *meter) burst(row string, parallel int, rt *runtimeUnderTest) (err error) {
	if m.way != timed {
		return nil // that of run
	}
	var dirs, names []string
	for range burstRuns {
		id := newID()
		dir, err := rt.bundle(plain, id, "/bin/true")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		dirs, names = append(dirs, dir), append(names, id)
	}
	before, err := spent()
	if err != nil {
		return err
	}
	time.Sleep(m.gap)
	next := make(chan int, burstRuns)
	for i := range burstRuns {
		next <- i
	}
	close(next)
	var wg sync.WaitGroup
	errs := make([]error, burstRuns)
	began := time.Now()
	for range parallel {
		wg.Go(func() {
			for i := range next {
				_, errs[i] = rt.call(dirs[i], "run", names[i])
			}
		})
	}
	wg.Wait()
	s := sample{took: time.Since(began)}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	after, err := spent()
	if err != nil {
		return err
	}
	s.usage = after.minus(before)
	m.record(row, rt, s.each(burstRuns))
	return nil
}

// gather runs many containers of each runtime.
func gather(m *meter) error {
	m.crowds = map[string][]*container{}
	for _, rt := range m.runtimes {
		if rt.only != nil {
			continue
		}
		for range crowd {
			c, err := rt.detach(plain)
			if err != nil {
				return err
			}
			m.crowds[rt.name] = append(m.crowds[rt.name], c)
		}
	}
	return nil
}

func disperse(m *meter) error {
	var errs []error
	for _, rt := range m.runtimes {
		errs = append(errs, rt.remove(m.crowds[rt.name]))
	}
	return errors.Join(errs...)
}

// takesPart tells whether a runtime or yardstick has an operation.
func (rt *runtimeUnderTest) takesPart(name string) bool {
	return rt.lacks[name] == "" && (rt.only == nil || slices.Contains(rt.only, name))
}

// operationNames are all of them, for the help.
func operationNames() string {
	var names []string
	for _, o := range allOperations() {
		names = append(names, o.name)
	}
	return strings.Join(names, ", ")
}

// unknown is the first name that is no operation's.
func unknown(names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(allOperations(), func(o operation) bool { return o.name == name }) {
			return fmt.Errorf("unknown operation %q", name)
		}
	}
	return nil
}
