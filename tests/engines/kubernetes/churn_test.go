// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestChurn makes, changes and deletes pods with each runtime for as long as CHURN says, and then
// looks at what is left: on the nodes, and in the daemons.
func TestChurn(t *testing.T) {
	if os.Getenv("CHURN") == "" {
		t.Skip("CHURN is no duration")
	}
	duration, err := time.ParseDuration(os.Getenv("CHURN"))
	if err != nil {
		t.Fatal(err)
	}
	if suite.machine != "" {
		t.Skip("the nodes' daemons are in another machine")
	}
	for _, runtime := range suite.runtimes {
		t.Run(runtime.name, func(t *testing.T) {
			before := suite.cluster.left(t)
			var early map[string]usage
			rounds, pods, began := 0, 0, time.Now()
			t.Run("rounds", func(t *testing.T) {
				s := newSpace(t, runtime, "churn")
				for ; time.Since(began) < duration; rounds++ {
					pods += churn(s)
					if rounds == 2 {
						// The daemons' heaps and pools have grown by then.
						early = suite.cluster.usages(t)
					}
				}
			})
			took := time.Since(began)
			suite.cluster.nothingLeft(t, before)
			late := suite.cluster.usages(t)
			t.Logf("%d rounds, %d pods in %.0f s", rounds, pods, took.Seconds())
			for name, u := range late {
				t.Logf("%s: %+v, after the first rounds %+v", name, u, early[name])
				if was := early[name]; u.descriptors > was.descriptors+30 {
					t.Errorf("%s has %d descriptors, and had %d after the first rounds", name, u.descriptors, was.descriptors)
				}
			}
		})
	}
}

// churn is one round, and returns how many pods it had.
func churn(s *space) int {
	s.apply(strings.Replace(web, "replicas: 2", "replicas: 4", 1))
	s.kubectl("rollout", "status", "deployment/web", patience())
	names := s.names("app=web")
	for _, name := range names {
		s.equal("exec", s.exec(name, "sh", "-c", "echo $VERSION"), "first")
	}
	s.kubectl("delete", "pod", names[0], "--wait=false")
	s.kubectl("set", "env", "deployment/web", "VERSION=second")
	s.kubectl("rollout", "status", "deployment/web", patience())
	s.apply(strings.ReplaceAll(batch, "$COMMAND", "echo done"))
	s.wait("condition=Complete", "job/job")
	s.kubectl("delete", "job/job", "deployment/web", "service/web")
	s.eventually("no pods", func() error {
		if out := s.kubectl("get", "pods", "-o", "name"); out != "" {
			return errors.New(out)
		}
		return nil
	})
	return 4 + 1 + 4 + 3
}

// usage is what a daemon uses.
type usage struct {
	descriptors int
	memory      string
}

// usages returns that of the nodes' daemons.
func (c *cluster) usages(t *testing.T) map[string]usage {
	t.Helper()
	all := map[string]usage{}
	for _, n := range c.nodes {
		for _, d := range []*daemon{n.containerd, n.kubelet} {
			dir := fmt.Sprintf("/proc/%d", d.cmd.Process.Pid)
			entries, err := os.ReadDir(filepath.Join(dir, "fd"))
			if err != nil {
				t.Fatal(err)
			}
			u := usage{descriptors: len(entries)}
			status, err := os.ReadFile(filepath.Join(dir, "status"))
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(status)) {
				if value, found := strings.CutPrefix(line, "VmRSS:"); found {
					u.memory = strings.Join(strings.Fields(value), " ")
				}
			}
			all[d.name] = u
		}
	}
	return all
}
