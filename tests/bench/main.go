// SPDX-License-Identifier: Apache-2.0

// Command bench compares the speed and the memory of OCI runtimes on this machine.
//
// It runs every operation with every runtime in turn, round by round, and rotates which is first,
// so that other load on the machine affects all of them equally. It checks nothing: people decide
// what is a good result.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// config is the command line.
type config struct {
	rounds, bursts int
	minGap, maxGap time.Duration
	ops            []string
	modes          []string
	rootfs, work   string
	runtimes       []*runtimeUnderTest
}

// allOps are the operations in the order in which they run and are printed. cycle measures
// create, start and delete.
var allOps = []string{"version", "run", "cycle", "exec", "state", "burst"}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	var c config
	ops := flag.String("ops", strings.Join(allOps, ","), "operations to measure")
	modes := flag.String("modes", "calm,tight", "`modes` to measure: calm has gaps between commands, tight has none")
	flag.IntVar(&c.rounds, "n", 20, "rounds of each operation")
	flag.IntVar(&c.bursts, "bursts", 3, "rounds of burst, which is 20 runs, 4 at a time")
	flag.DurationVar(&c.minGap, "min-gap", 30*time.Millisecond, "shortest gap of calm")
	flag.DurationVar(&c.maxGap, "max-gap", 50*time.Millisecond, "longest gap of calm")
	flag.StringVar(&c.rootfs, "rootfs", "", "root file system `directory` with /bin/true and /bin/sleep")
	flag.Parse()
	if c.rootfs == "" || flag.NArg() == 0 || c.minGap > c.maxGap || c.rounds < 1 {
		return errors.New("wants -rootfs and runtimes; see -help")
	}
	c.ops, c.modes = strings.Split(*ops, ","), strings.Split(*modes, ",")
	if c.work, err = os.MkdirTemp("", "berth-bench."); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(c.work)) }()
	for i, path := range flag.Args() {
		rt, err := newRuntime(&c, i, path)
		if err != nil {
			return err
		}
		c.runtimes = append(c.runtimes, rt)
	}
	if err := header(os.Stdout, &c); err != nil {
		return err
	}
	for _, mode := range c.modes {
		res, err := measure(&c, mode == "calm")
		if err != nil {
			return err
		}
		if err := res.print(os.Stdout, mode, &c); err != nil {
			return err
		}
	}
	return memory(os.Stdout, &c)
}

// header prints what is compared, and on which machine.
func header(w io.Writer, c *config) error {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return err
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "kernel %s, load %s, %d rounds\n", bytes.TrimSpace(release), bytes.TrimSpace(load), c.rounds)
	for _, rt := range c.runtimes {
		fmt.Fprintf(&b, "%-8s %s: %s\n", rt.name, rt.path, rt.version)
	}
	fmt.Fprintf(&b, "median (90th percentile) in ms; x: median as a multiple of %s's\n", c.runtimes[0].name)
	_, err = io.WriteString(w, b.String())
	return err
}

// absolute resolves a runtime's name as a shell would, but does not follow symbolic links: the
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
