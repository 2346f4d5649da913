// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/berth-run/berth/tests/engines/image"
)

// noting is the runtime behind a shell that notes the exit status of each clean-up, because a shim
// may report another one.
const noting = `#!/bin/sh
%[1]s "$@"
status=$?
case " $* " in *" delete "*) echo "$status $*" >>/run/deletes ;; esac
exit $status
`

// usage is what a process uses.
type usage struct{ descriptors, kilobytes int }

// usageOf reads it.
func usageOf(t reporter, pid int) usage {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatalf("%v", err)
	}
	u := usage{descriptors: len(entries)}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, "VmRSS:"); found {
			u.kilobytes, _ = strconv.Atoi(strings.Fields(value)[0])
		}
	}
	return u
}

// TestSoak runs $SOAK containers through containerd, four at a time and each with an exec, and
// then that many execs in one container. What is left is compared as after every test.
func TestSoak(t *testing.T) {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("SOAK"), "0"))
	if err != nil || n <= 0 {
		t.Skip("SOAK is no number of containers")
	}
	needsCPU(t)
	inRoom(t)
	c := startContainerd(t)
	layer, err := image.Busybox()
	if err != nil {
		t.Fatal(err)
	}
	imports(t, "default", box, layer, image.Config{Env: []string{"PATH=/bin"}})
	defer ctr("images", "remove", "--sync", box).run(t)
	operation(t, "containers, 4 at a time", func(t *T) {
		c.soak(t, n, runtimePath())
	})
	operation(t, "clean-up succeeds", func(t *T) {
		if err := os.WriteFile("/run/noting", []byte(fmt.Sprintf(noting, runtimePath())), 0o755); err != nil {
			t.Fatalf("%v", err)
		}
		defer os.Remove("/run/noting")
		c.soak(t, n, "/run/noting")
		deletes, err := os.ReadFile("/run/deletes")
		if err != nil {
			t.Fatalf("%v", err)
		}
		counts := map[string]int{}
		for line := range strings.Lines(string(deletes)) {
			status, _, _ := strings.Cut(line, " ")
			counts[status]++
			if status != "0" && strings.Contains(line, "--force") {
				t.Errorf("clean-up: %s", line)
			}
		}
		fmt.Printf("    exit statuses of delete: %v\n", counts)
	})
	operation(t, "execs in one container", func(t *T) {
		c.detached(t, "one", nil, "sleep", "1000000")
		pid, _ := strconv.Atoi(command{args: []string{"cat", "/run/containerd/io.containerd.runtime.v2.task/default/one/init.pid"}}.run(t))
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatalf("%v", err)
		}
		shim, _ := strconv.Atoi(strings.Fields(string(stat))[3])
		execs := func(n int) usage {
			for i := 0; i < n; i += 4 {
				atOnce(t, 4, func(t reporter, j int) {
					ctr("tasks", "exec", "--exec-id", fmt.Sprint("x", i+j), "one", "true").run(t)
				})
			}
			return usageOf(t, shim)
		}
		// Go's heap grows in the beginning.
		before := execs(100)
		began := time.Now()
		after := execs(n)
		fmt.Printf("    %d execs: %.1f s; the shim before %+v, after %+v\n", n, time.Since(began).Seconds(), before, after)
		if after.descriptors > before.descriptors+4 || after.kilobytes > before.kilobytes+8<<10 {
			t.Errorf("the shim before: %+v, after: %+v", before, after)
		}
	})
}

// soak runs n containers.
func (c *containerdEngine) soak(t *T, n int, runtime string) {
	t.Helper()
	one := func(t reporter, i int) {
		id := fmt.Sprint("soak", i)
		ctr("run", "--detach", "--runc-binary", runtime, box, id, "sleep", "1000").run(t)
		if r := ctr("tasks", "exec", "--exec-id", "x", id, "sh", "-c", "exit 7").try(t); r.code != 7 {
			t.Errorf("%s: exit status %d: %s", id, r.code, r.err)
		}
		ctr("tasks", "delete", "--force", id).run(t)
		ctr("containers", "delete", id).run(t)
	}
	batch := func(n int) {
		for i := 0; i < n; i += 4 {
			atOnce(t, 4, func(t reporter, j int) { one(t, i+j) })
		}
	}
	batch(20)
	before, began := usageOf(t, c.cmd.Process.Pid), time.Now()
	batch(n)
	after := usageOf(t, c.cmd.Process.Pid)
	log, _ := os.ReadFile(c.log)
	var sockets []string
	// A shim ends after it has answered.
	_ = wait(func() error {
		if sockets, _ = filepath.Glob("/run/containerd/s/*"); len(sockets) > 0 {
			return errors.New("there are sockets")
		}
		return nil
	})
	fmt.Printf("    %d containers with %s: %.1f s; containerd before %+v, after %+v; %d messages of failed clean-up, %d sockets\n", n,
		runtime, time.Since(began).Seconds(), before, after, strings.Count(string(log), "failed to remove runc container"), len(sockets))
	if after.descriptors > before.descriptors+8 || len(sockets) > 0 {
		t.Errorf("containerd before: %+v, after: %+v; sockets of shims: %d", before, after, len(sockets))
	}
}
