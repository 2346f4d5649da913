// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testPods has groups of containers.
func (p *podmanEngine) testPods(t *testing.T) {
	smoke(t, "pod", func(t *T) {
		p.pod(t, "crew", "--share", "pid,ipc,net,uts")
		web := p.start(t, []string{"--pod", "crew"}, "httpd", "-f", "-p", "80", "-h", "/etc")
		t.until("it answers", func() error {
			r := p.try(t, "run", "--rm", "--pod", "crew", "box", "wget", "-qO-", "http://127.0.0.1/passwd")
			if !strings.Contains(r.out, "root:") {
				return fmt.Errorf("%s%s", r.out, r.err)
			}
			return nil
		})
		t.contains("all processes", p.run(t, []string{"--pod", "crew"}, "ps"), "httpd", "catatonit")
		t.contains("pod top", p.do(t, "pod", "top", "crew"), "httpd")
		p.do(t, "pod", "stop", "--time", "1", "crew")
		t.equal("state", p.inspect(t, web, "{{.State.Status}}"), "exited")
		p.do(t, "pod", "start", "crew")
		p.state(t, web, "{{.State.Status}}", "running")
	})
	operation(t, "pod pause and kill", func(t *T) { p.podPause(t) })
	operation(t, "pod limits", func(t *T) { p.podLimits(t) })
	operation(t, "pod with users", func(t *T) {
		p.pod(t, "crew", "--userns=auto:size=3000")
		first := p.run(t, []string{"--pod", "crew"}, "cat", "/proc/self/uid_map")
		t.contains("the map", first, " 3000")
		t.equal("the other's map", p.run(t, []string{"--pod", "crew"}, "cat", "/proc/self/uid_map"), first)
	})
	operation(t, "pod with an init container", func(t *T) {
		t.Cleanup(func() { p.do(t, "volume", "rm", "--force", "hold") })
		p.pod(t, "crew", "--volume", "hold:/hold")
		p.do(t, "create", "--pod", "crew", "--init-ctr", "once", "box", "sh", "-c", "echo first >/hold/file")
		id := p.create(t, "create", []string{"--pod", "crew"}, "sh", "-c", "cat /hold/file; sleep 1000")
		p.do(t, "pod", "start", "crew")
		p.logs(t, id, "first")
	})
	operation(t, "pod clone", func(t *T) {
		p.pod(t, "crew")
		p.start(t, []string{"--pod", "crew"}, "sleep", "1000")
		p.removePodLater(t, "relief")
		p.do(t, "pod", "clone", "--start", "crew", "relief")
		t.equal("containers", p.do(t, "ps", "--filter", "pod=relief", "--format", "{{.Status}}", "--noheading")[:2], "Up")
	})
	smoke(t, "kube play", func(t *T) { p.kube(t) })
	operation(t, "kube generate", func(t *T) {
		p.pod(t, "crew")
		p.start(t, []string{"--pod", "crew", "--cap-add", "net_raw"}, "sleep", "1000")
		text := p.do(t, "kube", "generate", "crew")
		t.contains("what it says", text, "image: localhost/box:latest", "kind: Pod")
	})
}

func (p *podmanEngine) podPause(t *T) {
	p.needController(t, "freezer")
	p.pod(t, "crew")
	id := p.start(t, []string{"--pod", "crew"}, "sleep", "1000")
	p.do(t, "pod", "pause", "crew")
	t.equal("state", p.inspect(t, id, "{{.State.Status}}"), "paused")
	p.do(t, "pod", "unpause", "crew")
	t.equal("state", p.inspect(t, id, "{{.State.Status}}"), "running")
	p.do(t, "pod", "kill", "crew")
	t.equal("exit status", p.do(t, "wait", id), "137")
}

func (p *podmanEngine) podLimits(t *T) {
	p.needController(t, "memory")
	p.pod(t, "crew", "--memory", "64m", "--cpus", "0.5")
	p.start(t, []string{"--pod", "crew"}, "sleep", "1000")
	t.contains("stats", p.do(t, "pod", "stats", "--no-stream", "crew"), "crew-infra")
	t.equal("limit", p.do(t, "pod", "inspect", "--format", "{{.MemoryLimit}} {{.CPUQuota}}", "crew"), "67108864 50000")
}

// pod makes a pod that the operation removes at its end.
func (p *podmanEngine) pod(t *T, name string, options ...string) {
	t.Helper()
	p.removePodLater(t, name)
	p.do(t, append(append([]string{"pod", "create", "--name", name}, options...), "--infra-name", name+"-infra")...)
}

func (p *podmanEngine) removePodLater(t *T, name string) {
	t.Cleanup(func() { p.do(t, "pod", "rm", "--force", "--ignore", "--time", "0", name) })
}

const kubeText = `
apiVersion: v1
kind: ConfigMap
metadata: {name: chart}
data: {course: "north"}
---
apiVersion: v1
kind: Pod
metadata: {name: ship}
spec:
  hostname: ship
  shareProcessNamespace: true
  securityContext: {runAsUser: 0}
  initContainers:
  - name: first
    image: localhost/box
    imagePullPolicy: Never
    command: ["sh", "-c", "echo loaded >/hold/state"]
    volumeMounts: [{name: hold, mountPath: /hold}]
  containers:
  - name: web
    image: localhost/box
    imagePullPolicy: Never
    command: ["sh", "-c", "cat /hold/state; echo course $COURSE; exec httpd -f -p 80 -h /chart"]
    env:
    - {name: COURSE, valueFrom: {configMapKeyRef: {name: chart, key: course}}}
    volumeMounts: [{name: hold, mountPath: /hold}, {name: chart, mountPath: /chart, readOnly: true}]
    securityContext: {capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false}
    livenessProbe: {exec: {command: ["test", "-e", "/chart/course"]}, periodSeconds: 1}
  - name: other
    image: localhost/box
    imagePullPolicy: Never
    command: ["sh", "-c", "until wget -qO- http://127.0.0.1/course; do sleep 0.1; done; ps; sleep 1000"]
  volumes:
  - {name: hold, emptyDir: {}}
  - {name: chart, configMap: {name: chart}}
`

// kube starts a pod of a Kubernetes file, replaces it, and takes it down.
func (p *podmanEngine) kube(t *T) {
	file := filepath.Join(p.directory(t), "ship.yaml")
	if err := os.WriteFile(file, []byte(kubeText), 0o644); err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { p.do(t, "kube", "down", "--force", file) })
	p.do(t, "kube", "play", file)
	p.logs(t, "ship-web", "loaded\ncourse north")
	p.logs(t, "ship-other", "north")
	p.logs(t, "ship-other", "httpd")
	p.do(t, "kube", "play", "--replace", file)
	p.logs(t, "ship-other", "north")
}
