// SPDX-License-Identifier: Apache-2.0

// Command differential gives the same configs and command lines to berth, runc and crun, and
// compares the results: accepted or refused, and with which effects.
//
// The cases are made from the tables in ./tables: each value and each mistake alone, with and
// without a user namespace, and random combinations. A case is identified by its number and the
// seed of the combinations. Intended differences are rows of the file ./differences. Any other
// difference is a failure, and so is a row that explains nothing.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	goruntime "runtime"
	"strings"
	"time"
)

// config is the command line.
type config struct {
	runtimes             []runtime
	rootfs, mappedRootfs string
	probe, mode, part    string
	n, only, from, jobs  int
	seed                 uint64
	parts, rules         string
	record, replay, used string
	last                 bool
	combinations         int
}

// tableVersions are the versions of the peers for which ./differences was written.
var tableVersions = map[string]string{"runc": "version 1.3.6", "crun": "version 1.28"}

// runtime is one of the runtimes that are compared. The first one is under test.
type runtime struct{ name, path string }

func main() {
	if len(os.Args) > 1 && os.Args[1] == workerCommand {
		os.Exit(workerMain())
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "differential:", err)
		os.Exit(1)
	}
}

func parse() (*config, error) {
	c := &config{}
	names := []string{"berth", "runc", "crun"}
	paths := make([]*string, len(names))
	for i, name := range names {
		paths[i] = flag.String(name, "", "the `program` of "+name)
	}
	flag.StringVar(&c.rootfs, "rootfs", "", "root file system `directory` with busybox")
	flag.StringVar(&c.mappedRootfs, "mapped-rootfs", "", "`directory` with a copy of it that belongs to user 100000")
	flag.StringVar(&c.probe, "probe", "", "`directory` with the probe")
	flag.StringVar(&c.mode, "mode", "v2", "`version` of cgroups that has been prepared: v1 or v2")
	flag.StringVar(&c.part, "part", "", "cgroup v2 `directory` in which each case gets its own cgroup")
	flag.StringVar(&c.rules, "differences", "", "`file` of differences (default: the built-in one)")
	flag.StringVar(&c.parts, "parts", "", "only cases with a part that matches this `pattern`")
	flag.StringVar(&c.record, "record", "", "write all outcomes to this `file`")
	flag.StringVar(&c.replay, "replay", "", "compare the outcomes in such a `file`, and run nothing")
	flag.StringVar(&c.used, "used", "", "`file` with the rows that runs in other modes have used; the rows of this run are added")
	flag.BoolVar(&c.last, "last", true, "no run in another mode follows: fail for unused rows, if all cases have run")
	flag.IntVar(&c.n, "n", 0, "`number` of cases; 0 for all")
	flag.IntVar(&c.combinations, "combinations", 700, "`number` of cases with several values among all cases")
	flag.IntVar(&c.jobs, "jobs", 4*goruntime.NumCPU(), "`number` of cases at a time: they mostly wait")
	flag.IntVar(&c.only, "case", -1, "run only the case with this `number`")
	flag.IntVar(&c.from, "from", 0, "leave out the cases before this `number`")
	flag.Uint64Var(&c.seed, "seed", 1, "`seed` for combinations of values, and for the choice of cases")
	flag.Parse()
	if c.replay == "" && (c.rootfs == "" || c.mappedRootfs == "" || c.probe == "") {
		return nil, errors.New("wants -rootfs, -mapped-rootfs and -probe; see -help")
	}
	for i, name := range names {
		if *paths[i] == "" && c.replay == "" {
			return nil, fmt.Errorf("wants -%s", name)
		}
		c.runtimes = append(c.runtimes, runtime{name, *paths[i]})
	}
	return c, nil
}

func run() error {
	c, err := parse()
	if err != nil {
		return err
	}
	rules, err := readRules(c)
	if err != nil {
		return err
	}
	r := newReport(c, rules)
	if c.replay != "" {
		if err := replay(c.replay, r.add); err != nil {
			return err
		}
		return r.finish(true)
	}
	cases, err := makeCases(c)
	if err != nil {
		return err
	}
	chosen := choose(c, cases)
	fmt.Printf("%d of %d cases, seed %d, cgroup %s\n", len(chosen), len(cases), c.seed, c.mode)
	for _, rt := range c.runtimes {
		version := strings.Join(rt.version(), ", ")
		fmt.Printf("%s: %s\n", rt.name, version)
		if !strings.Contains(version, tableVersions[rt.name]) {
			fmt.Printf("./differences is for %s %s: unexplained differences may be new in this version\n", rt.name, tableVersions[rt.name])
		}
	}
	if c.record != "" {
		if r.record, err = os.Create(c.record); err != nil {
			return err
		}
		defer r.record.Close()
	}
	began := time.Now()
	if err := compareAll(c, chosen, r.add); err != nil {
		return err
	}
	fmt.Printf("took %s\n", time.Since(began).Round(time.Second))
	// Other seeds make other combinations, in which some rows may not occur.
	return r.finish(len(chosen) == len(cases) && c.seed == 1)
}
