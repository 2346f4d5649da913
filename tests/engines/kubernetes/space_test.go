// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A space is the namespace of one operation with one runtime. Its methods end the test when
// something fails.
type space struct {
	*testing.T
	runtime runtime
	// name is that of the namespace in the API.
	name string
}

// newSpace makes one. It is deleted when the test ends, and nobody waits for that: nothingLeft
// does, for all of them.
func newSpace(t *testing.T, r runtime, operation string) *space {
	t.Helper()
	name := strings.Trim(strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '-'
	}, strings.ToLower(operation+"-"+r.name)), "-")
	s := &space{T: t, runtime: r, name: name}
	if _, err := suite.cluster.kubectl("", "create", "namespace", name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			s.report()
		}
		if _, err := suite.cluster.kubectl("", "delete", "namespace", name, "--wait=false"); err != nil {
			t.Error(err)
		}
	})
	// No pod is admitted without it.
	s.kubectl("wait", "--for=create", "serviceaccount/default", patience())
	return s
}

// report logs what the API says about the pods.
func (s *space) report() {
	for _, args := range [][]string{{"get", "pods", "-o", "wide"}, {"describe", "pods"}, {"get", "events"}} {
		out, err := s.try(args...)
		s.Logf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// try runs kubectl in the namespace.
func (s *space) try(args ...string) (string, error) {
	return suite.cluster.kubectl("", append([]string{"--namespace", s.name}, args...)...)
}

// kubectl is try for what must succeed.
func (s *space) kubectl(args ...string) string {
	s.Helper()
	out, err := s.try(args...)
	if err != nil {
		s.Fatal(err)
	}
	return out
}

// apply makes what the manifest says, with $RUNTIME, $IMAGE and the like replaced.
func (s *space) apply(manifest string) {
	s.Helper()
	// When a probe comes, and what it has for its answer.
	period := "periodSeconds: 1, timeoutSeconds: 5"
	if suite.machine != "" {
		period = "periodSeconds: 10, timeoutSeconds: 20"
	}
	manifest = strings.NewReplacer("$PERIOD", period, "$RUNTIME", s.runtime.name, "$IMAGE2", busybox2, "$IMAGE", busybox, "$DATA", data).Replace(manifest)
	if _, err := suite.cluster.kubectl(manifest, "--namespace", s.name, "apply", "-f", "-"); err != nil {
		s.Fatalf("%v\n%s", err, manifest)
	}
}

// pod makes one of that specification (YAML without indentation), with the runtime of the space
// and a short grace period, unless it says otherwise.
func (s *space) pod(name, spec string) {
	s.Helper()
	defaults := "runtimeClassName: $RUNTIME\nautomountServiceAccountToken: false\n"
	if !strings.Contains(spec, "terminationGracePeriodSeconds:") {
		defaults += "terminationGracePeriodSeconds: 1\n"
	}
	s.apply(fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata: {name: %s, labels: {app: %s}}\nspec:\n%s",
		name, name, indent(defaults+spec, "  ")))
}

// ready makes a pod and waits until it is ready.
func (s *space) ready(name, spec string) {
	s.Helper()
	s.pod(name, spec)
	s.wait("condition=Ready", "pod/"+name)
}

// wait waits for a condition, with kubectl wait.
func (s *space) wait(condition string, what ...string) {
	s.Helper()
	s.kubectl(append([]string{"wait", "--for=" + condition, patience()}, what...)...)
}

// exec runs a command in a pod's first container, and returns what it prints.
func (s *space) exec(pod string, args ...string) string {
	s.Helper()
	return s.kubectl(append([]string{"exec", pod, "--"}, args...)...)
}

// field returns a field of an object.
func (s *space) field(object, path string) string {
	s.Helper()
	return s.kubectl("get", object, "-o", "jsonpath={"+path+"}")
}

// names returns the names of the pods with these labels that run and are not being deleted.
func (s *space) names(labels string) []string {
	s.Helper()
	out := s.kubectl("get", "pods", "-l", labels, "-o",
		`go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{if eq .status.phase "Running"}}{{.metadata.name}} {{end}}{{end}}{{end}}`)
	return strings.Fields(out)
}

// nodeOf returns the node of a pod.
func (s *space) nodeOf(pod string) *node {
	s.Helper()
	name := s.field("pod/"+pod, ".spec.nodeName")
	for _, n := range suite.cluster.nodes {
		if n.name == name {
			return n
		}
	}
	s.Fatalf("pod %s is on no node: %q", pod, name)
	return nil
}

// needNodes skips what takes more nodes than there are.
func (s *space) needNodes(number int) {
	if len(suite.cluster.nodes) < number {
		s.Skipf("it takes %d nodes", number)
	}
}

// container returns the id of a pod's container at containerd.
func (s *space) container(pod string) string {
	s.Helper()
	return strings.TrimPrefix(s.field("pod/"+pod, ".status.containerStatuses[0].containerID"), "containerd://")
}

// eventually waits until try returns nil.
func (s *space) eventually(what string, try func() error) {
	s.Helper()
	if err := until(suite.limit, what, try); err != nil {
		s.Fatal(err)
	}
}

// within is eventually with another limit.
func (s *space) within(limit time.Duration, what string, try func() error) {
	s.Helper()
	if err := until(limit, what, try); err != nil {
		s.Fatal(err)
	}
}

// equal compares without white space at the ends.
func (s *space) equal(what, got, want string) {
	s.Helper()
	if strings.TrimSpace(got) != strings.TrimSpace(want) {
		s.Errorf("%s: %q, want %q", what, strings.TrimSpace(got), want)
	}
}

// contains looks for a part.
func (s *space) contains(what, got, part string) {
	s.Helper()
	if !strings.Contains(got, part) {
		s.Errorf("%s: %q has no %q", what, got, part)
	}
}

// indent puts the prefix before each line.
func indent(text, prefix string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return prefix + strings.Join(lines, "\n"+prefix) + "\n"
}
