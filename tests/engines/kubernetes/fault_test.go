// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"errors"
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

// initProcess returns the pid of a container's init on its node.
func (s *space) initProcess(pod string) string {
	s.Helper()
	return s.on(s.nodeOf(pod), "cat", "/run/containerd/io.containerd.runtime.v2.task/k8s.io/"+s.container(pod)+"/init.pid")
}

// on runs a command on a node, and returns what it prints.
func (s *space) on(n *node, name string, args ...string) string {
	s.Helper()
	out, err := n.output(name, args...)
	if err != nil {
		s.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func initKilled(s *space) {
	s.ready("p", client)
	s.on(s.nodeOf("p"), "kill", "-KILL", s.initProcess("p"))
	s.wait("jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/p")
	s.wait("condition=Ready", "pod/p")
	s.equal("exit code", s.field("pod/p", ".status.containerStatuses[0].lastState.terminated.exitCode"), "137")
	s.equal("exec", s.exec("p", "echo", "here"), "here")
}

func shimKilled(s *space) {
	s.ready("p", client)
	n := s.nodeOf("p")
	shim := strings.Fields(s.on(n, "grep", "^PPid:", "/proc/"+s.initProcess("p")+"/status"))[1]
	s.contains("the parent of init", s.on(n, "cat", "/proc/"+shim+"/comm"), "containerd-shim")
	s.on(n, "kill", "-KILL", shim)
	s.wait("jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/p")
	s.wait("condition=Ready", "pod/p")
	s.equal("exec", s.exec("p", "echo", "here"), "here")
	s.tidy(n)
}

// tidy removes the sockets of shims that were killed.
func (s *space) tidy(n *node) {
	s.Helper()
	if _, err := n.agent("tidy"); err != nil {
		s.Fatal(err)
	}
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
		s.Errorf("init %s has become %s", before, after)
	}
	s.ready("new", client+"nodeName: "+n.name)
}

func nodeDrained(s *space) {
	s.needNodes(2)
	s.apply(web)
	s.kubectl("rollout", "status", "deployment/web", patience())
	defer s.kubectl("uncordon", "n2")
	s.kubectl("drain", "n2", "--ignore-daemonsets", "--delete-emptydir-data", "--force", patience(),
		"--pod-selector=app=web")
	if out := s.kubectl("get", "pods", "--field-selector", "spec.nodeName=n2", "-o", "name"); out != "" {
		s.Errorf("on the drained node: %s", out)
	}
	s.kubectl("uncordon", "n2")
	s.kubectl("rollout", "restart", "deployment/web")
	s.kubectl("rollout", "status", "deployment/web", patience())
}

// nodeLost kills the daemons and all containers of a node, as a machine that loses its power.
func nodeLost(s *space) {
	s.needNodes(2)
	manifest := strings.NewReplacer("maxSkew: 1", "maxSkew: 2",
		"terminationGracePeriodSeconds: 2", `terminationGracePeriodSeconds: 2
      tolerations:
      - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 1}`).Replace(web)
	s.apply(manifest)
	s.kubectl("rollout", "status", "deployment/web", patience())
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
	s.tidy(n)
}
