// SPDX-License-Identifier: Apache-2.0

package cgroups

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
)

func testFreeze(t *testing.T) {
	c := plan(unique(t))
	m := create(t, c)
	cmd := run(t, m, "sh", "-c", "read go; while :; do :; done")
	ticks := func() string {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(b))[13]
	}
	for _, on := range []bool{true, true, false, true} {
		if err := m.Freeze(on); err != nil {
			t.Fatal(err)
		}
		if is, err := m.Frozen(); err != nil || is != on {
			t.Errorf("frozen: %v, %v; want %v", is, err, on)
		}
	}
	before := ticks()
	time.Sleep(50 * time.Millisecond) // Time is what a frozen process must not use.
	if after := ticks(); after != before {
		t.Errorf("a frozen process has run: %s, then %s ticks", before, after)
	}
	if err := m.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("not killed")
	}
	if err := m.Freeze(true); err != nil {
		t.Fatal(err)
	}
	if err := create2(t, c); err == nil || !strings.Contains(err.Error(), "container's cgroup unexpectedly frozen") {
		t.Errorf("a frozen cgroup: %v", err)
	}
	if err := m.Freeze(false); err != nil {
		t.Fatal(err)
	}
}

// testKill kills processes that fork all the time, with and without cgroup.kill.
func testKill(t *testing.T) {
	for _, each := range []bool{false, true} {
		m := create(t, plan(unique(t)))
		cmd := run(t, m, "sh", "-c", "read go; for i in 1 2 3; do (while :; do (:); done)& done; while :; do (:); done")
		kill := m.Kill
		if each {
			kill = func() error { return killEach(m) }
		}
		if err := kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if err := m.Destroy(); err != nil {
			t.Errorf("a process has survived: %v", err)
		}
	}
}

// killEach is Kill as it works before Linux 5.14.
func killEach(m Manager) error {
	d := m.Paths()["freezer"]
	if d == "" {
		d = m.Paths()[""]
	}
	return cgroupfs.Dir(d).KillEach(m.Freeze)
}

func testStraggler(t *testing.T) {
	m := create(t, plan(unique(t)))
	cmd := run(t, m, "cat")
	done := make(chan error)
	go func() { done <- m.Destroy() }()
	select {
	case err := <-done:
		t.Errorf("destroyed although it has a process: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	start := time.Now()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("noticed only after %v", d)
	}
}
