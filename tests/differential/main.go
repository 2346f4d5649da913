// SPDX-License-Identifier: Apache-2.0

// Command differential gives the same configs and command lines to berth, runc and crun, and
// compares what comes of them: accepted or refused, and with what effect.
//
// The cases are made from the tables in ./tables: each value and each mistake by itself, with
// and without a user namespace, and some of them together at random. A seed decides which; a
// case is known by its number and the seed. The differences that are meant are rows of the
// file ./differences; any other fails, and so does a row that explains nothing.
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

// tableVersions are those of the peers that ./differences was made with.
var tableVersions = map[string]string{"runc": "version 1.3.6", "crun": "version 1.28"}

// runtime is one of those that are compared. The first one is the one that is tested.
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
	flag.StringVar(&c.mappedRootfs, "mapped-rootfs", "", "the same one, whose root is 100000")
	flag.StringVar(&c.probe, "probe", "", "`directory` with the probe")
	flag.StringVar(&c.mode, "mode", "v2", "the mode of cgroups that has been prepared: v1 or v2")
	flag.StringVar(&c.part, "part", "", "`directory` of cgroup v2 in which each case gets one for itself")
	flag.StringVar(&c.rules, "differences", "", "`file` of differences (default: the one that was built in)")
	flag.StringVar(&c.parts, "parts", "", "only cases with a part that matches this `pattern`")
	flag.StringVar(&c.record, "record", "", "write all that was seen to this `file`")
	flag.StringVar(&c.replay, "replay", "", "compare what such a `file` has, and run nothing")
	flag.StringVar(&c.used, "used", "", "`file` with the rows that the other modes' runs have used, to which this one's are added")
	flag.BoolVar(&c.last, "last", true, "no other mode follows: fail for rows without use, if all cases have run")
	flag.IntVar(&c.n, "n", 0, "how many cases; 0: all")
	flag.IntVar(&c.combinations, "combinations", 700, "how many cases of several values there are, of all")
	flag.IntVar(&c.jobs, "jobs", 4*goruntime.NumCPU(), "how many cases at a time: they wait more than they work")
	flag.IntVar(&c.only, "case", -1, "this case alone")
	flag.IntVar(&c.from, "from", 0, "leave out the cases before this one")
	flag.Uint64Var(&c.seed, "seed", 1, "decides which values come together, and which cases are chosen")
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
			fmt.Printf("./differences is about %s %s: what is not explained may be new in this one\n", rt.name, tableVersions[rt.name])
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
	// Other seeds make other combinations, which some rows may not be about.
	return r.finish(len(chosen) == len(cases) && c.seed == 1)
}
