// SPDX-License-Identifier: Apache-2.0

// Command bench compares the speed and the memory of OCI runtimes on this machine, checks
// how much of what can be counted one of them does, and writes documents from results.
//
// It runs every operation with every runtime in turn, round by round and in another order
// each time, so that what else the machine does meets all of them alike. It judges no time:
// what is a good result is for people to say. Counts are compared with bounds.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// config is the command line.
type config struct {
	rounds      int
	gap         time.Duration
	only        string
	rootfs      string
	profile     string
	floor, word string
	work        string
	runtimes    []*runtimeUnderTest
	interrupts  chan os.Signal
}

// interrupted tells of a signal to end.
func (c *config) interrupted() error {
	select {
	case s := <-c.interrupts:
		return fmt.Errorf("%v", s)
	default:
		return nil
	}
}

// actions are what is done instead of measuring.
type actions struct {
	json, bounds, plot, metric, output string
	documents                          bool
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	c := config{interrupts: make(chan os.Signal, 1)}
	var a actions
	flag.IntVar(&c.rounds, "rounds", 40, "rounds of each operation; a quarter of it for those that take long")
	flag.DurationVar(&c.gap, "gap", 30*time.Millisecond, "rest before each command")
	flag.StringVar(&c.only, "only", "", "comma-separated `operations` to measure (default: all): "+operationNames())
	flag.StringVar(&c.rootfs, "rootfs", "", "root file system `directory` with /bin/true and /bin/sleep")
	flag.StringVar(&c.profile, "profile", "", "seccomp profile `file` of the engines' containers")
	flag.StringVar(&c.floor, "floor", "", "`program` built from floor/floor.c")
	flag.StringVar(&c.word, "word", "", "`program` built from word")
	flag.StringVar(&a.json, "json", "", "write the results to this `file`, too")
	flag.StringVar(&a.bounds, "bounds", "", "count system calls and the like, and compare with the bounds in this `file`")
	flag.StringVar(&a.plot, "plot", "", "draw the results in this `file`, and measure nothing")
	flag.StringVar(&a.metric, "metric", "time", "what to plot: time, cpu, faults, switches or peak")
	flag.StringVar(&a.output, "o", "", "`file` of the plot")
	flag.BoolVar(&a.documents, "documents", false, "put tables into documents: -documents RESULTS.json[,MORE.json] DOCUMENT...")
	flag.Parse()
	switch {
	case a.plot != "":
		return plotFile(a.plot, a.metric, a.output)
	case a.documents:
		if flag.NArg() < 2 {
			return errors.New("-documents wants a file of results, and documents")
		}
		return updateDocuments(strings.Split(flag.Arg(0), ","), flag.Args()[1:])
	case c.rootfs == "" || flag.NArg() == 0 || c.rounds < 1:
		return errors.New("wants -rootfs and runtimes; see -help")
	}
	return c.with(flag.Args(), func() error {
		if a.bounds != "" {
			return checkCounts(os.Stdout, &c, a.bounds)
		}
		return compare(os.Stdout, &c, a.json)
	})
}

// with makes the directory of the bench and finds the runtimes, for f.
func (c *config) with(runtimes []string, f func() error) (err error) {
	if c.work, err = os.MkdirTemp("/run", "berth-bench."); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(c.work)) }()
	for _, name := range runtimes {
		rt, err := newRuntime(c, name)
		if err != nil {
			return err
		}
		c.runtimes = append(c.runtimes, rt)
	}
	for name, path := range map[string]string{floorName: c.floor, wordName: c.word} {
		// floor.c is for cgroup v2.
		if path == "" || name == floorName && !unified() {
			continue
		}
		rt, err := newYardstick(c, name, path)
		if err != nil {
			return err
		}
		c.runtimes = append(c.runtimes, rt)
	}
	if err := adopt(); err != nil {
		return err
	}
	// Containers that live, and all cgroups, are to be removed.
	signal.Notify(c.interrupts, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(c.interrupts)
	return f()
}

// compare measures all operations and shows the results.
func compare(w io.Writer, c *config, file string) error {
	res, err := newResults(c)
	if err != nil {
		return err
	}
	if err := measure(c, res); err != nil {
		return err
	}
	for _, row := range res.Rows {
		for _, cell := range row.Cells {
			delete(cell, metricVoluntary) // for bounds only
		}
	}
	if err := res.print(w); err != nil || file == "" {
		return err
	}
	return res.save(file)
}

// absolute resolves a runtime's name as a shell would, without following links: the
// name may decide what the binary does.
func absolute(path string) (string, error) {
	if !strings.Contains(path, "/") {
		for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
			if st, err := os.Stat(filepath.Join(dir, path)); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
				return filepath.Join(dir, path), nil
			}
		}
		return "", fmt.Errorf("%s: not in PATH", path)
	}
	return filepath.Abs(path)
}
