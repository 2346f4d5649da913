// SPDX-License-Identifier: Apache-2.0

// Command conformance runs the validation programs of the OCI runtime-tools with one runtime, and
// compares the failures with a table of known failures.
//
// It does not check the reasons in the table. They are checked by runs with other runtimes, for
// which the same table is used. Its one invariant: it exits with status 1 if there is a failure
// that is not in the table, or a success where the table has a failure.
//
// Each program runs in its own mount namespace, directory and runtime root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// programCount is the number of programs in the suite, so that an incomplete build is an error.
const programCount = 58

type options struct {
	bin, rootfs, table, runtime, name, work, output string
	only                                            string
	timeout                                         time.Duration
	jobs, attempts                                  int
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "", "`directory` of the built programs")
	flag.StringVar(&o.rootfs, "rootfs", "", "the suite's rootfs `tarball`")
	flag.StringVar(&o.table, "table", "", "`file` of expected failures")
	flag.StringVar(&o.runtime, "runtime", "", "absolute `path` of the runtime")
	flag.StringVar(&o.name, "name", "", "`name` of the runtime in the table (default: its file name)")
	flag.StringVar(&o.work, "work", "", "working `directory`, which every user can reach")
	flag.StringVar(&o.output, "output", "", "`directory` for the output of the programs")
	flag.StringVar(&o.only, "only", "", "run only these `programs`, separated by commas")
	flag.DurationVar(&o.timeout, "timeout", 90*time.Second, "time limit of a program")
	flag.IntVar(&o.jobs, "jobs", 2, "`number` of programs at the same time")
	flag.IntVar(&o.attempts, "attempts", 5, "`number` of runs of a program with racy failures")
	flag.Parse()
	if o.name == "" {
		o.name = filepath.Base(o.runtime)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := run(ctx, &o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// run runs the suite, reports on stdout, and returns whether everything is as in the table.
func run(ctx context.Context, o *options) (bool, error) {
	f, err := os.Open(o.table)
	if err != nil {
		return false, err
	}
	table, err := parseTable(f)
	f.Close()
	if err != nil {
		return false, fmt.Errorf("%s: %w", o.table, err)
	}
	programs, err := selectPrograms(o)
	if err != nil {
		return false, err
	}
	for _, e := range table {
		if o.only == "" && !slices.Contains(programs, e.Program) {
			return false, fmt.Errorf("%s: line %d: no program %q", o.table, e.Line, e.Program)
		}
	}
	h, err := thisHost()
	if err != nil {
		return false, err
	}
	verdicts := runAll(ctx, o, programs, table, h)
	if ctx.Err() != nil {
		return false, errors.New("interrupted")
	}
	return report(verdicts), nil
}

// selectPrograms lists the suite's programs, or those that were requested.
func selectPrograms(o *options) ([]string, error) {
	entries, err := os.ReadDir(o.bin)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, e := range entries {
		if e.Name() != "runtimetest" {
			all = append(all, e.Name())
		}
	}
	if len(all) != programCount {
		return nil, fmt.Errorf("%s: %d programs, want %d", o.bin, len(all), programCount)
	}
	if o.only == "" {
		return all, nil
	}
	only := strings.Split(o.only, ",")
	for _, name := range only {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("no program %q", name)
		}
	}
	return only, nil
}

// runAll runs the programs, o.jobs of them at a time. Programs about cgroups all use the same
// path, and run one after the other.
func runAll(ctx context.Context, o *options, programs []string, table []expectation, h *host) []*verdict {
	verdicts := make([]*verdict, len(programs))
	var cgroupPath sync.Mutex
	var done atomic.Int64
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(o.jobs, 1))
	for i, name := range programs {
		wg.Go(func() {
			if strings.HasPrefix(name, "linux_cgroups_") {
				cgroupPath.Lock()
				defer cgroupPath.Unlock()
			}
			slots <- struct{}{}
			defer func() { <-slots }()
			if ctx.Err() == nil {
				verdicts[i] = judge(ctx, o, name, table, h)
			}
			// For tests/internal/progress.
			if n := done.Add(1); os.Getenv("BERTH_PROGRESS") != "" {
				fmt.Printf("@progress %d %d %s\n", n, len(programs), name)
			}
		})
	}
	wg.Wait()
	return verdicts
}

// report prints a line for each program and the totals, and returns whether there is nothing
// unexplained.
func report(verdicts []*verdict) bool {
	var passed, failed, explained, tests int
	for _, v := range verdicts {
		tests += v.Tests
		switch {
		case len(v.Problems) > 0:
			failed++
			fmt.Printf("FAIL       %s\n", v.Program)
			for _, p := range v.Problems {
				fmt.Printf("           %s\n", p)
			}
		case len(v.Explained) > 0:
			explained++
			fmt.Printf("explained  %s\n", v.Program)
		default:
			passed++
			fmt.Printf("pass       %s\n", v.Program)
		}
		for _, e := range v.Explained {
			fmt.Printf("           %s\n", e)
		}
	}
	fmt.Printf("%d tests in %d programs; a skipped program has a failure that the table explains\n", tests, len(verdicts))
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, failed, explained)
	return failed == 0
}

// thisHost finds out what conditions of the table need.
func thisHost() (*host, error) {
	h := &host{exists: fileExists}
	var st syscall.Statfs_t
	if err := syscall.Statfs("/sys/fs/cgroup", &st); err != nil {
		return nil, fmt.Errorf("statfs /sys/fs/cgroup: %w", err)
	}
	const cgroup2Magic = 0x63677270
	h.Unified = st.Type == cgroup2Magic
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(status)) {
		if _, err := fmt.Sscanf(line, "CapEff: %x", &h.Capabilities); err == nil {
			return h, nil
		}
	}
	return nil, errors.New("/proc/self/status: no CapEff")
}
