// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// difference is a key on which berth and another runtime differ.
type difference struct {
	tc           *testCase
	peer, key    string
	berth, peers string
}

// seen has the outcomes of all runtimes in a case, as -record writes them.
type seen struct {
	Case     *testCase
	Outcomes []outcome
}

// compareAll runs the cases with each runtime, several at a time, and reports them in order.
func compareAll(c *config, cases []*testCase, report func(seen) error) error {
	type done struct {
		outcomes []outcome
		err      error
	}
	results := make([]chan done, len(cases))
	for i := range results {
		results[i] = make(chan done, 1)
	}
	next := make(chan int)
	var group sync.WaitGroup
	for range c.jobs {
		group.Go(func() {
			for i := range next {
				outcomes, err := c.outcomes(cases[i])
				results[i] <- done{outcomes, err}
			}
		})
	}
	stop := make(chan struct{})
	go func() {
		defer close(next)
		for i := range cases {
			select {
			case next <- i:
			case <-stop:
				return
			}
		}
	}()
	defer group.Wait()
	defer close(stop)
	for i, tc := range cases {
		d := <-results[i]
		if d.err != nil {
			return fmt.Errorf("case %s: %w", tc, d.err)
		}
		if err := report(seen{tc, d.outcomes}); err != nil {
			return err
		}
		if os.Getenv("BERTH_PROGRESS") != "" {
			fmt.Printf("@progress %d %d cases\n", i+1, len(cases))
		}
	}
	return nil
}

// replay reports what an earlier run has recorded.
func replay(path string, report func(seen) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for d := json.NewDecoder(f); ; {
		var s seen
		if err := d.Decode(&s); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := report(s); err != nil {
			return err
		}
	}
}

// outcomes runs a case with each runtime in turn.
func (c *config) outcomes(tc *testCase) ([]outcome, error) {
	var all []outcome
	for _, rt := range c.runtimes {
		o, err := c.work(tc, rt)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", rt.name, err)
		}
		all = append(all, o)
	}
	return all, nil
}

// work runs a case with one runtime, in a separate process.
func (c *config) work(tc *testCase, rt runtime) (outcome, error) {
	id := fmt.Sprintf("df%dx%d%s", os.Getpid(), tc.Number, rt.name[:1])
	j := job{Case: tc, Name: rt.name, Path: rt.path, Rootfs: c.rootfs, Probe: c.probe, ID: id, Cgroup: "cg" + id[2:], Part: c.part != ""}
	if tc.Mapped {
		j.Rootfs = c.mappedRootfs
	}
	data, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/proc/self/exe", workerCommand)
	cmd.Stdin = bytes.NewReader(data)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
		// crun sees a process of another pid namespace as 0, and may take it for one of a
		// container. kill(2) takes 0 for the whole process group.
		Setpgid: true,
	}
	if c.part != "" {
		dir := filepath.Join(c.part, id)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, err
		}
		defer removeCgroup(dir)
		fd, err := os.Open(dir)
		if err != nil {
			return nil, err
		}
		defer fd.Close()
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(fd.Fd())
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWCGROUP
	}
	cmd.WaitDelay = time.Minute
	if err := cmd.Run(); err != nil {
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
			return outcome{"outcome": "kills its caller"}, nil
		}
		return nil, fmt.Errorf("%w: %s%s", err, stdout.Bytes(), stderr.Bytes())
	}
	var o outcome
	if err := json.Unmarshal(stdout.Bytes(), &o); err != nil {
		return nil, fmt.Errorf("%w: %s%s", err, stdout.Bytes(), stderr.Bytes())
	}
	return o, nil
}

// always are prefixes of keys that are compared whatever the outcome of a case is.
var always = []string{"outcome", "stage", "host.", "left.", "failed."}

// compare lists the keys that differ. If one runtime has refused the case, its effects under the
// other one are no further differences, and neither are those of half a container.
func compare(tc *testCase, peer string, berth, other outcome) []difference {
	var found []difference
	effects := berth["outcome"] == other["outcome"] && berth["outcome"] != "refused"
	// Without the probe's last line, all of its lines may be missing: that is one difference.
	spoke := (berth["in.end"] == "") == (other["in.end"] == "")
	keys := map[string]bool{}
	for _, o := range []outcome{berth, other} {
		for key := range o {
			keys[key] = true
		}
	}
	for key := range keys {
		switch {
		case strings.HasPrefix(key, "#") || berth[key] == other[key]:
		case key == "stage" && berth["outcome"] != other["outcome"]:
		case !effects && !begins(key, always):
		case !spoke && key != "in.end" && begins(key, inside):
		default:
			found = append(found, difference{tc, peer, key, berth[key], other[key]})
		}
	}
	slices.SortFunc(found, func(a, b difference) int { return strings.Compare(a.key, b.key) })
	return found
}

// inside are the prefixes of keys that the probe has found.
var inside = []string{"in.", "mount.", "super."}

func begins(key string, with []string) bool {
	return slices.ContainsFunc(with, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
}

// version returns the first two lines of --version.
func (rt runtime) version() []string {
	out, err := exec.Command(rt.path, "--version").Output()
	if err != nil {
		return []string{err.Error()}
	}
	lines := strings.SplitN(string(out), "\n", 3)
	return lines[:min(2, len(lines))]
}
