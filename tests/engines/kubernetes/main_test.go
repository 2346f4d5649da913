// SPDX-License-Identifier: Apache-2.0

// Package kubernetes starts a cluster of two nodes in namespaces of this machine, or of one in a
// virtual machine (etcd, the control plane, and on each node containerd, kubelet and kube-proxy), and tries what people do
// with pods, with each runtime that it is given, through the RuntimeClass of its name.
//
// It knows kubectl, the CRI and the kernel, but nothing about a runtime. What passes with one
// runtime and fails with another is a fault of that one. Its one invariant: when all namespaces
// are deleted, no process, mount, cgroup or state of a container is left on a node.
package kubernetes

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// suite is shared by all tests. TestMain sets it.
var suite struct {
	// work is the directory for all that the cluster keeps, programs the one with its binaries,
	// staged has the guest and the script of a node.
	work, programs, staged string
	runtimes               []runtime
	cluster                *cluster
	// machine is the kind of the virtual machine that is the node (see tests/vm/boot), or "".
	machine string
	nodes   int
	// limit is how long an event may take, grace how long a node may be silent.
	limit time.Duration
	grace string
}

// mode is how the nodes see cgroups.
func mode() string {
	if suite.machine != "" {
		return "v2"
	}
	return "v1"
}

// place is where the nodes are: the mode, or the kind of virtual machine.
func place() string {
	if suite.machine != "" {
		return "vm-" + suite.machine
	}
	return mode()
}

// patience is for kubectl.
func patience() string { return fmt.Sprintf("--timeout=%.0fs", suite.limit.Seconds()) }

// A runtime is a program and the name of its RuntimeClass.
type runtime struct{ name, path string }

func TestMain(m *testing.M) {
	if os.Getenv("BERTH_CLUSTER") == "" {
		fmt.Println("the tests of a cluster need root and namespaces: see tests/engines/kubernetes/run")
		os.Exit(0)
	}
	code, err := setUp(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "kubernetes:", err)
		code = 2
	}
	os.Exit(code)
}

// setUp starts the cluster, runs the tests, and takes it down.
func setUp(m *testing.M) (code int, err error) {
	suite.work, suite.programs, suite.staged = os.Getenv("work"), os.Getenv("PROGRAMS"), os.Getenv("staged")
	suite.nodes, suite.limit, suite.grace = 2, 2*time.Minute, "16s"
	if suite.machine = os.Getenv("VM"); suite.machine != "" {
		suite.nodes, suite.limit, suite.grace = 1, 10*time.Minute, "2m"
	}
	for _, pair := range strings.Fields(os.Getenv("RUNTIMES")) {
		name, path, found := strings.Cut(pair, "=")
		if !found {
			return 0, fmt.Errorf("RUNTIMES: %q is not a name and a path", pair)
		}
		suite.runtimes = append(suite.runtimes, runtime{name, path})
	}
	logs := filepath.Join(suite.work, "logs")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return 0, err
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM)
	began := time.Now()
	suite.cluster, err = startCluster(logs)
	if err != nil {
		return 0, err
	}
	defer suite.cluster.stop()
	fmt.Printf("the cluster is ready after %.1f s\n", time.Since(began).Seconds())
	go func() {
		<-interrupted
		suite.cluster.stop()
		os.Exit(130)
	}()
	if command := os.Getenv("HOLD"); command != "" {
		return hold(command)
	}
	return m.Run(), nil
}

// hold runs a command in place of the tests, which can use kubectl.
func hold(command string) (int, error) {
	cmd := exec.Command("bash", "-c", command)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "KUBECONFIG="+suite.cluster.admin, "PATH="+suite.programs+":"+os.Getenv("PATH"))
	if err := cmd.Run(); err != nil {
		return 1, err
	}
	return 0, nil
}

// An operation is what is tried with each runtime, in a namespace of its own.
type operation struct {
	name string
	run  func(*space)
}

// operations returns all of them, in the order of the table in docs/kubernetes.md.
func operations() []operation {
	var all []operation
	for _, some := range [][]operation{
		workloads(), streams(), probes(), lifecycles(), resources(), users(), volumes(), faults(),
	} {
		all = append(all, some...)
	}
	return all
}

func TestKubernetes(t *testing.T) {
	for _, runtime := range suite.runtimes {
		t.Run(runtime.name, func(t *testing.T) {
			before := suite.cluster.left(t)
			for _, operation := range operations() {
				began := time.Now()
				// It does not run if the command line has not chosen it.
				ran, passed, skipped := false, false, false
				t.Run(operation.name, func(t *testing.T) {
					ran = true
					defer func() { passed, skipped = !t.Failed(), t.Skipped() }()
					operation.run(newSpace(t, runtime, operation.name))
				})
				if ran {
					record(t, runtime, operation.name, passed, skipped, time.Since(began))
				}
			}
			began := time.Now()
			passed := t.Run("nothing left", func(t *testing.T) { suite.cluster.nothingLeft(t, before) })
			record(t, runtime, "nothing left", passed, false, time.Since(began))
		})
	}
}

// An outcome is what ../run makes its table of.
type outcome struct {
	Room, Place, Runtime, Test, Result string
	Seconds                            float64
}

// record appends a result to the file of the runtime.
func record(t *testing.T, runtime runtime, operation string, passed, skipped bool, took time.Duration) {
	t.Helper()
	o := outcome{"kubernetes", place(), runtime.name, "TestKubernetes/" + operation, "FAILED", took.Seconds()}
	switch {
	case skipped:
		o.Result = "skipped"
	case passed:
		o.Result = "passed"
	}
	path := filepath.Join(suite.work, "logs", "kubernetes-"+place()+"-"+runtime.name+".json")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := json.NewEncoder(file).Encode(o); err != nil {
		t.Fatal(err)
	}
}
