// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

func faults() []operation {
	return []operation{
		{"checkpoint", checkpoint},
		{"init killed", initKilled},
		{"shim killed", shimKilled},
		{"kubelet and containerd killed", daemonsKilled},
		{"node drained", nodeDrained},
		{"node lost", nodeLost},
	}
}

// checkpoint asks kubelet for an archive of a container, which goes on.
func checkpoint(s *space) {
	s.ready("p", "containers:\n- {name: c, image: $IMAGE, command: [sh, -c, 'while :; do sleep 1; done']}\n")
	n := s.nodeOf("p")
	out, err := suite.cluster.kubectl("", "create", "--raw", "/api/v1/nodes/"+n.name+"/proxy/checkpoint/"+s.name+"/p/c", "-f", "/dev/null")
	if err != nil {
		s.Fatal(err)
	}
	_, path, _ := strings.Cut(out, `["`)
	path, _, _ = strings.Cut(path, `"`)
	if out, err = n.output("tar", "-tf", path); err != nil {
		s.Fatal(err)
	}
	s.contains("the archive", out, "checkpoint/pstree.img")
	s.equal("exec afterwards", s.exec("p", "echo", "here"), "here")
	s.equal("restarts", s.field("pod/p", ".status.containerStatuses[0].restartCount"), "0")
	if err := n.command("rm", path); err != nil {
		s.Error(err)
	}
}

// initProcess returns the pid of a container's init, as the rig sees it.
func (s *space) initProcess(pod string) int {
	s.Helper()
	data, err := os.ReadFile(s.nodeOf(pod).path("/run/containerd/io.containerd.runtime.v2.task/k8s.io/" + s.container(pod) + "/init.pid"))
	if err != nil {
		s.Fatal(err)
	}
	pid, err := strconv.Atoi(string(data))
	if err != nil {
		s.Fatal(err)
	}
	return pid
}

func initKilled(s *space) {
	s.ready("p", client)
	if err := syscall.Kill(s.initProcess("p"), syscall.SIGKILL); err != nil {
		s.Fatal(err)
	}
	s.wait("jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/p")
	s.wait("condition=Ready", "pod/p")
	s.equal("exit code", s.field("pod/p", ".status.containerStatuses[0].lastState.terminated.exitCode"), "137")
	s.equal("exec", s.exec("p", "echo", "here"), "here")
}

func shimKilled(s *space) {
	s.ready("p", client)
	n := s.nodeOf("p")
	shim := parentOf(s.T, s.initProcess("p"))
	if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", shim)); err != nil || !strings.HasPrefix(string(name), "containerd-shim") {
		s.Fatalf("the parent of init is %q: %v", name, err)
	}
	if err := syscall.Kill(shim, syscall.SIGKILL); err != nil {
		s.Fatal(err)
	}
	s.wait("jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/p")
	s.wait("condition=Ready", "pod/p")
	s.equal("exec", s.exec("p", "echo", "here"), "here")
	// A shim that is killed leaves its socket, with every runtime.
	s.removeDeadSockets(n)
}

// removeDeadSockets removes the sockets of shims that do not listen any more.
func (s *space) removeDeadSockets(n *node) {
	s.Helper()
	sockets, err := filepath.Glob(n.path("/run/containerd/s/*"))
	if err != nil {
		s.Fatal(err)
	}
	for _, socket := range sockets {
		if err := dial("unix", socket); errors.Is(err, syscall.ECONNREFUSED) {
			if err := os.Remove(socket); err != nil {
				s.Error(err)
			}
		}
	}
}

// parentOf returns the parent of a process.
func parentOf(t interface {
	Helper()
	Fatal(...any)
}, pid int,
) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	// The name may have spaces and brackets.
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		t.Fatal(err)
	}
	return parent
}

func daemonsKilled(s *space) {
	s.ready("p", client)
	n := s.nodeOf("p")
	before := s.initProcess("p")
	n.kubelet.end(syscall.SIGKILL)
	n.containerd.end(syscall.SIGKILL)
	if err := n.startContainerd(); err != nil {
		s.Fatal(err)
	}
	if err := n.kubelet.start(); err != nil {
		s.Fatal(err)
	}
	s.eventually("exec through both", func() error {
		_, err := s.try("exec", "p", "--", "true")
		return err
	})
	s.wait("condition=Ready", "node/"+n.name)
	s.equal("restarts", s.field("pod/p", ".status.containerStatuses[0].restartCount"), "0")
	if after := s.initProcess("p"); after != before {
		s.Errorf("init %d has become %d", before, after)
	}
	s.ready("new", client+"nodeName: "+n.name)
}

func nodeDrained(s *space) {
	s.apply(web)
	s.kubectl("rollout", "status", "deployment/web", "--timeout=90s")
	defer s.kubectl("uncordon", "n2")
	s.kubectl("drain", "n2", "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=90s",
		"--pod-selector=app=web")
	if out := s.kubectl("get", "pods", "--field-selector", "spec.nodeName=n2", "-o", "name"); out != "" {
		s.Errorf("on the drained node: %s", out)
	}
	s.kubectl("uncordon", "n2")
	s.kubectl("rollout", "restart", "deployment/web")
	s.kubectl("rollout", "status", "deployment/web", "--timeout=90s")
}

// nodeLost kills the daemons and all containers of a node, as a machine that loses its power.
func nodeLost(s *space) {
	manifest := strings.NewReplacer("maxSkew: 1", "maxSkew: 2",
		"terminationGracePeriodSeconds: 2", `terminationGracePeriodSeconds: 2
      tolerations:
      - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 1}`).Replace(web)
	s.apply(manifest)
	s.kubectl("rollout", "status", "deployment/web", "--timeout=90s")
	n := suite.cluster.nodes[1]
	n.kubelet.end(syscall.SIGKILL)
	n.containerd.end(syscall.SIGKILL)
	if err := n.killContainers(); err != nil {
		s.Fatal(err)
	}
	s.wait("condition=Ready=Unknown", "node/n2")
	s.eventually("two servers on the other node", func() error {
		out := s.kubectl("get", "pods", "--field-selector", "spec.nodeName=n1,status.phase=Running", "-l", "app=web", "-o", "name")
		if len(strings.Fields(out)) < 2 {
			return errors.New(out)
		}
		return nil
	})
	// It comes back with what was on its disk, and cleans up what runs no more.
	if err := n.startContainerd(); err != nil {
		s.Fatal(err)
	}
	if err := n.kubelet.start(); err != nil {
		s.Fatal(err)
	}
	s.wait("condition=Ready", "node/n2")
	s.ready("new", client+"nodeName: n2")
	s.removeDeadSockets(n)
}
