// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// left returns what containers could leave on the nodes: processes, mounts, cgroups, and what
// the runtime, the shim and the network plugins keep.
func (c *cluster) left(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, n := range c.nodes {
		some, err := n.left()
		if err != nil {
			t.Fatal(err)
		}
		for _, what := range some {
			all = append(all, n.name+": "+what)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// left returns what there is of that kind (see ./agent), or of all.
func (n *node) left(kind ...string) ([]string, error) {
	out, err := n.agent(append([]string{"left"}, kind...)...)
	return strings.Split(strings.TrimSpace(out), "\n"), err
}

// killContainers kills the processes of the node's containers and their shims, and waits for
// their end.
func (n *node) killContainers() error {
	return until(suite.limit, "the end of the containers", func() error {
		lines, err := n.left("processes")
		if err != nil {
			return err
		}
		var pids []string
		for _, line := range lines {
			if pid, _, found := strings.Cut(strings.TrimPrefix(line, "process "), ":"); found {
				pids = append(pids, pid)
			}
		}
		if len(pids) == 0 {
			return nil
		}
		// Some may have ended.
		_ = n.command("kill", append([]string{"-KILL"}, pids...)...)
		return fmt.Errorf("%d processes", len(pids))
	})
}

// kept are what stays by design: the cgroups of the classes of pods.
func kept(line string) bool {
	for _, suffix := range []string{
		"/kubepods", "/kubepods/burstable", "/kubepods/besteffort",
		"/kubepods.slice", "/kubepods-burstable.slice", "/kubepods-besteffort.slice",
	} {
		if strings.Contains(line, "cgroup ") && strings.HasSuffix(line, suffix) {
			return true
		}
	}
	return false
}

// nothingLeft waits until all namespaces of the tests are gone, and the nodes are as before.
func (c *cluster) nothingLeft(t *testing.T, before []string) {
	if err := until(max(3*time.Minute, suite.limit), "the deletion of the namespaces", func() error {
		out, err := c.kubectl("", "get", "namespaces", "-o", "name")
		if err != nil {
			return err
		}
		for line := range strings.Lines(out) {
			name := strings.TrimSpace(strings.TrimPrefix(line, "namespace/"))
			if name != "default" && !strings.HasPrefix(name, "kube-") {
				return errors.New(out)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	// kubelet removes sandboxes that have ended when it next looks for them, up to a minute later.
	if err := until(suite.limit, "left on the nodes", func() error {
		var more []string
		for _, line := range c.left(t) {
			if _, found := slices.BinarySearch(before, line); !found && !kept(line) {
				more = append(more, line)
			}
		}
		if len(more) > 0 {
			return errors.New(strings.Join(more, "\n"))
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
