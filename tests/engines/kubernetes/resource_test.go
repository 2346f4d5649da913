// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func resources() []operation {
	return []operation{
		{"limits", limits},
		{"resize up and down", resize},
		{"pod-level resources", podLevel},
		{"OOM of init", oomOfInit},
		{"OOM of a child", oomOfChild},
		{"swap", swap},
		{"statistics", statistics},
	}
}

// limited has limits that can be changed in place.
const limited = `containers:
- name: c
  image: $IMAGE
  command: [/guest, pause]
  resources:
    requests: {cpu: 50m, memory: 48Mi}
    limits: {cpu: 250m, memory: 64Mi}
  resizePolicy:
  - {resourceName: cpu, restartPolicy: NotRequired}
  - {resourceName: memory, restartPolicy: NotRequired}
`

// A limit is one of a cgroup.
type limit int

const (
	memoryLimit limit = iota
	cpuQuota
	cpuShares
)

// file returns where a limit is, below the root of the hierarchies.
func (l limit) file(cgroup string) string {
	if mode() == "v1" {
		return []string{"memory" + cgroup + "/memory.limit_in_bytes", "cpu" + cgroup + "/cpu.cfs_quota_us", "cpu" + cgroup + "/cpu.shares"}[l]
	}
	return cgroup + []string{"/memory.max", "/cpu.max", "/cpu.weight"}[l]
}

// cgroup reads a limit of the container from its cgroup, which is mounted there read-only.
func (s *space) cgroup(pod string, l limit) string {
	s.Helper()
	return first(s.exec(pod, "cat", "/sys/fs/cgroup/"+l.file("")))
}

// first returns the first word: after the quota, cgroup v2 has its period.
func first(text string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	return word
}

// limits of a container, as kubelet makes them of requests and limits.
func limits(s *space) {
	s.ready("p", limited)
	s.equal("memory", s.cgroup("p", memoryLimit), fmt.Sprint(64<<20))
	s.equal("quota", s.cgroup("p", cpuQuota), "25000")
	// 51 shares are a weight of 11 on v2, and were one of 2 with runc until 1.3.
	if got := s.cgroup("p", cpuShares); !slices.Contains(map[string][]string{"v1": {"51"}, "v2": {"11", "2"}}[mode()], got) {
		s.Errorf("shares: %s", got)
	}
	s.equal("class", s.field("pod/p", ".status.qosClass"), "Burstable")
}

func resize(s *space) {
	s.ready("p", limited)
	before := s.container("p")
	for _, size := range []struct{ cpu, memory, quota, bytes string }{
		{"500m", "128Mi", "50000", fmt.Sprint(128 << 20)},
		{"100m", "52Mi", "10000", fmt.Sprint(52 << 20)},
	} {
		patch := fmt.Sprintf(`{"spec":{"containers":[{"name":"c","resources":{"limits":{"cpu":%q,"memory":%q}}}]}}`, size.cpu, size.memory)
		s.kubectl("patch", "pod", "p", "--subresource=resize", "--patch", patch)
		s.eventually("the limits of the cgroup", func() error {
			quota, bytes := s.cgroup("p", cpuQuota), s.cgroup("p", memoryLimit)
			if quota != size.quota || bytes != size.bytes {
				return fmt.Errorf("%s and %s, want %s and %s", quota, bytes, size.quota, size.bytes)
			}
			return nil
		})
		// The status has what the runtime reports to the CRI.
		s.wait("jsonpath={.status.containerStatuses[0].resources.limits.memory}="+size.memory, "pod/p")
		s.wait("jsonpath={.status.containerStatuses[0].resources.limits.cpu}="+size.cpu, "pod/p")
	}
	s.equal("restarts", s.field("pod/p", ".status.containerStatuses[0].restartCount"), "0")
	if after := s.container("p"); after != before {
		s.Errorf("container %s has become %s", before, after)
	}
}

func podLevel(s *space) {
	s.ready("p", `resources:
  requests: {cpu: 100m, memory: 64Mi}
  limits: {cpu: 300m, memory: 96Mi}
containers:
- {name: one, image: $IMAGE, command: [/guest, pause]}
- {name: two, image: $IMAGE, command: [/guest, pause]}
`)
	// The pod's cgroup has the limits, the containers' have room up to them.
	uid := s.field("pod/p", ".metadata.uid")
	n := s.nodeOf("p")
	cgroup := "/kubepods/burstable/pod" + uid
	if mode() == "v2" {
		cgroup = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + strings.ReplaceAll(uid, "-", "_") + ".slice"
	}
	s.equal("the pod's memory", s.on(n, "cat", "/sys/fs/cgroup/"+memoryLimit.file(cgroup)), fmt.Sprint(96<<20))
	s.equal("the pod's quota", first(s.on(n, "cat", "/sys/fs/cgroup/"+cpuQuota.file(cgroup))), "30000")
	// Both together have more than the pod may, and one of them is killed.
	_, err := s.try("exec", "p", "-c", "one", "--", "timeout", "20", "/guest", "eat", "200")
	s.contains("more than the pod has", fmt.Sprint(err), "exit code 137")
}

func oomOfInit(s *space) {
	s.pod("p", `restartPolicy: Never
containers:
- {name: c, image: $IMAGE, command: [/guest, eat, "200"], resources: {limits: {memory: 32Mi}}}
`)
	s.wait("jsonpath={.status.phase}=Failed", "pod/p")
	s.equal("reason", s.field("pod/p", ".status.containerStatuses[0].state.terminated.reason"), "OOMKilled")
	s.equal("exit code", s.field("pod/p", ".status.containerStatuses[0].state.terminated.exitCode"), "137")
}

func oomOfChild(s *space) {
	s.ready("p", `containers:
- {name: c, image: $IMAGE, command: [sh, -c, "/guest eat 200; echo child $?; sleep 1000"], resources: {limits: {memory: 32Mi}}}
`)
	if mode() == "v2" {
		// kubelet sets memory.oom.group there: all processes of the container end with one.
		s.wait("jsonpath={.status.containerStatuses[0].lastState.terminated.reason}=OOMKilled", "pod/p")
		return
	}
	s.eventually("the child's end", func() error {
		if out := s.kubectl("logs", "p"); !strings.Contains(out, "child 137") {
			return fmt.Errorf("logs: %q", out)
		}
		return nil
	})
	// The container goes on.
	s.equal("restarts", s.field("pod/p", ".status.containerStatuses[0].restartCount"), "0")
	s.equal("exec", s.exec("p", "echo", "here"), "here")
}

// swap is shared out by what containers request of the memory.
func swap(s *space) {
	if mode() == "v1" {
		s.Skip("kubelet lets no pod swap on cgroup v1")
	}
	s.ready("p", limited)
	if bytes, err := strconv.Atoi(strings.TrimSpace(s.exec("p", "cat", "/sys/fs/cgroup/memory.swap.max"))); err != nil || bytes <= 0 || bytes >= 64<<20 {
		s.Errorf("memory.swap.max is %d: %v", bytes, err)
	}
	s.ready("none", client)
	s.equal("of a pod without requests", s.exec("none", "cat", "/sys/fs/cgroup/memory.swap.max"), "0")
}

// statistics are what kubelet has from the cgroups, through containerd.
func statistics(s *space) {
	s.ready("p", client)
	n := s.nodeOf("p")
	s.eventually("statistics", func() error {
		out, err := suite.cluster.kubectl("", "get", "--raw", "/api/v1/nodes/"+n.name+"/proxy/stats/summary")
		if err != nil {
			return err
		}
		var summary struct {
			Pods []struct {
				PodRef     struct{ Name, Namespace string }
				Containers []struct {
					Memory struct{ WorkingSetBytes uint64 }
					CPU    struct{ UsageCoreNanoSeconds uint64 }
				}
			}
		}
		if err := json.Unmarshal([]byte(out), &summary); err != nil {
			return err
		}
		for _, pod := range summary.Pods {
			if pod.PodRef.Namespace != s.name {
				continue
			}
			for _, container := range pod.Containers {
				if container.Memory.WorkingSetBytes > 0 && container.CPU.UsageCoreNanoSeconds > 0 {
					return nil
				}
			}
		}
		return fmt.Errorf("none of the pod in %d", len(summary.Pods))
	})
}
