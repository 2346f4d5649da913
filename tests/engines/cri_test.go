// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// criHandler is the runtime's name in the document's configuration.
const criHandler = "berth"

// podNetwork connects pods with a bridge.
const podNetwork = `{
  "cniVersion": "1.0.0", "name": "pods",
  "plugins": [
    {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true, "ipMasq": true,
     "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.85.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
`

// onCRIO tells whether the room's engine is CRI-O, not containerd.
func onCRIO() bool { return strings.HasPrefix(suite.room, "crio") }

// criSocket is where the room's engine answers the CRI.
func criSocket() string {
	if onCRIO() {
		return "unix:///run/crio/crio.sock"
	}
	return "unix:///run/containerd/containerd.sock"
}

// startCRI starts the room's engine with a network for pods, and with a registry for all images.
func startCRI(t *testing.T) {
	t.Helper()
	r := startRegistry(t)
	for file, text := range map[string]string{
		"/etc/cni/net.d/10-pods.conflist": podNetwork,
		"/etc/resolv.conf":                "",
		"/etc/crictl.yaml":                fmt.Sprintf("runtime-endpoint: %[1]s\nimage-endpoint: %[1]s\n", criSocket()),
		"/etc/cdi/test.yaml":              "cdiVersion: \"0.6.0\"\nkind: test.local/device\ndevices:\n- {name: one, containerEdits: {env: [\"CDI=one\"], deviceNodes: [{path: " + spareDevice() + "}]}}\n",
	} {
		writeFile(t, file, text)
	}
	// The bridge stays, as on a node.
	t.Cleanup(func() { _ = exec.Command("ip", "link", "delete", "cni0").Run() })
	writeFile(t, "/proc/sys/net/ipv4/ip_forward", "1")
	if onCRIO() {
		startCRIO(t, r)
	} else {
		writeFile(t, "/etc/containerd/certs.d/_default/hosts.toml",
			fmt.Sprintf("server = \"http://%[1]s\"\n[host.\"http://%[1]s\"]\n  capabilities = [\"pull\", \"resolve\"]\n", r.address))
		startContainerd(t)
	}
	for _, name := range criImages() {
		crictl("pull", name).run(t)
	}
}

// criImages are those of pods.
func criImages() []string { return []string{sandboxImage, box} }

// sandboxImage is that of a pod's own container. critest has another one.
const sandboxImage = "test.local/sandbox:1"

// writeFile makes a file, and the directory that it is in.
func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// crictl runs crictl of the programs, which is newer than a room's.
func crictl(args ...string) command {
	return command{args: append([]string{programs + "/crictl", "--timeout", "60s"}, args...)}
}

// A pod is a sandbox of the CRI.
type pod struct {
	t *T
	// id is the CRI's, dir has its logs and configurations.
	id, dir, config string
}

// ownProcesses is a container's pid namespace of its own, which kubelet asks for.
var ownProcesses = map[string]any{"namespace_options": map[string]any{"pid": 1}}

// newPod makes one, and removes it with the operation.
func newPod(t *T) *pod {
	t.Helper()
	return newPodWith(t, map[string]any{})
}

// newPodWith makes one with these namespace_options.
func newPodWith(t *T, namespaces map[string]any) *pod {
	t.Helper()
	dir, err := os.MkdirTemp("", "pod")
	if err != nil {
		t.Fatalf("%v", err)
	}
	p := &pod{t: t, dir: dir, config: filepath.Join(dir, "pod.json")}
	parent := "/pods/" + filepath.Base(dir)
	if suite.systemd {
		parent = "/pods.slice"
	}
	p.write(p.config, map[string]any{
		"metadata":      map[string]any{"name": "pod", "namespace": "default", "uid": filepath.Base(dir), "attempt": 1},
		"log_directory": dir, "linux": map[string]any{"cgroup_parent": parent, "security_context": map[string]any{"namespace_options": namespaces}},
	})
	p.id = strings.TrimSpace(crictl("runp", "--runtime", criHandler, p.config).run(t))
	t.Cleanup(func() {
		crictl("rmp", "--force", p.id).run(t)
		_ = os.RemoveAll(dir)
		// A pod's cgroup is the kubelet's matter.
		if suite.systemd {
			command{args: []string{"systemctl", "stop", "pods.slice"}}.run(t)
		}
		for _, pattern := range []string{"/sys/fs/cgroup/pods/*", "/sys/fs/cgroup/pods", "/sys/fs/cgroup/*/pods/*", "/sys/fs/cgroup/*/pods"} {
			cgroups, _ := filepath.Glob(pattern)
			for _, cgroup := range cgroups {
				_ = syscall.Rmdir(cgroup)
			}
		}
	})
	return p
}

func (p *pod) write(file string, content map[string]any) {
	p.t.Helper()
	data, err := json.Marshal(content)
	if err == nil {
		err = os.WriteFile(file, data, 0o600)
	}
	if err != nil {
		p.t.Fatalf("%v", err)
	}
}

// container makes and starts a container that sleeps, with more fields, and returns its id.
func (p *pod) container(name string, more map[string]any) string {
	p.t.Helper()
	config := map[string]any{
		"metadata": map[string]any{"name": name, "attempt": 1}, "image": map[string]any{"image": box},
		"command": []string{"sleep", "100000"}, "log_path": name + ".log",
		"linux": map[string]any{"security_context": ownProcesses},
	}
	for key, value := range more {
		config[key] = value
	}
	file := filepath.Join(p.dir, name+".json")
	p.write(file, config)
	id := strings.TrimSpace(crictl("create", p.id, file, p.config).run(p.t))
	// The first process of a pid namespace ignores SIGTERM, and CRI-O would give it all the time that
	// the removal of the pod may take.
	p.t.Cleanup(func() { crictl("stop", "--timeout", "0", id).try(p.t) })
	crictl("start", id).run(p.t)
	return id
}

func criExec(t *T, id string, args ...string) string {
	t.Helper()
	return strings.TrimSpace(crictl(append([]string{"exec", "--sync", id}, args...)...).run(t))
}

// inCgroup reads a file of the container's own cgroup: v1, or on cgroup v2 the other one. It returns
// the first number.
func inCgroup(t *T, id, v1, v2 string) string {
	t.Helper()
	file := v1
	if suite.mode == "v2" {
		file = v2
	}
	number, _, _ := strings.Cut(criExec(t, id, "cat", "/sys/fs/cgroup/"+file), " ")
	return number
}

func TestCRI(t *testing.T) {
	if suite.smoke {
		t.Skip("a smoke test has no crictl")
	}
	needsCPU(t)
	inRoom(t)
	startCRI(t)
	operation(t, "pod", func(t *T) {
		p := newPod(t)
		id := p.container("c", nil)
		t.equal("exec", criExec(t, id, "echo", "hello"), "hello")
		t.contains("inspect", crictl("inspect", id).run(t), "CONTAINER_RUNNING")
		crictl("stop", "--timeout", "1", id).run(t)
		t.contains("inspect", crictl("inspect", id).run(t), "CONTAINER_EXITED", `"exitCode": 137`)
		// In the pid namespace of the pod, it is not the first process, which ignores SIGTERM.
		id = p.container("shared", map[string]any{"linux": map[string]any{}})
		crictl("stop", "--timeout", "10", id).run(t)
		t.contains("inspect", crictl("inspect", id).run(t), "CONTAINER_EXITED", `"exitCode": 143`)
		crictl("rm", id).run(t)
	})
	operation(t, "runtime's features", func(t *T) {
		var info struct {
			RuntimeHandlers []struct {
				Name     string
				Features map[string]bool
			}
		}
		out := crictl("info").run(t)
		if err := json.Unmarshal([]byte(out), &info); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, handler := range info.RuntimeHandlers {
			if handler.Name == criHandler && (!handler.Features["user_namespaces"] || !handler.Features["recursive_read_only_mounts"]) {
				t.Errorf("features: %v", handler.Features)
			}
		}
	})
	criResources(t)
	operation(t, "bad command", func(t *T) {
		p := newPod(t)
		file := filepath.Join(p.dir, "bad.json")
		p.write(file, map[string]any{
			"metadata": map[string]any{"name": "bad", "attempt": 1}, "image": map[string]any{"image": box}, "command": []string{"nosuch"},
			"linux": map[string]any{"security_context": ownProcesses},
		})
		// CRI-O's create calls the runtime, containerd's does not.
		r := crictl("create", p.id, file, p.config).try(t)
		if r.code == 0 {
			r = crictl("start", strings.TrimSpace(r.out)).try(t)
		}
		t.contains("error", r.err, `exec: \"nosuch\": executable file not found in $PATH`)
	})
	operation(t, "CDI device", func(t *T) {
		p := newPod(t)
		id := p.container("c", map[string]any{"CDI_devices": []any{map[string]any{"name": "test.local/device=one"}}})
		t.equal("environment", criExec(t, id, "sh", "-c", "echo $CDI"), "one")
		t.contains("device", criExec(t, id, "ls", "-l", spareDevice()), "crw")
	})
	operation(t, "user namespace", func(t *T) {
		ids := []any{map[string]any{"host_id": 100000, "container_id": 0, "length": 65536}}
		users := map[string]any{"mode": 0, "uids": ids, "gids": ids} // the pod's
		p := newPodWith(t, map[string]any{"userns_options": users})
		id := p.container("c", map[string]any{"linux": map[string]any{"security_context": map[string]any{
			"namespace_options": map[string]any{"pid": 1, "userns_options": users},
		}}})
		t.equal("map", strings.Join(strings.Fields(criExec(t, id, "cat", "/proc/self/uid_map")), " "), "0 100000 65536")
		t.equal("owner", criExec(t, id, "stat", "-c", "%u", "/bin/busybox"), "0")
		t.equal("new file", criExec(t, id, "sh", "-c", "touch /file && stat -c %u:%g /file"), "0:0")
	})
	operation(t, "checkpoint", func(t *T) {
		p := newPod(t)
		id := p.container("c", map[string]any{"command": counts(0, "/root/count")})
		crictl("checkpoint", "--export", "/srv/checkpoint.tar", id).run(t)
		t.contains("archive", command{args: []string{"tar", "-tf", "/srv/checkpoint.tar"}}.run(t), "checkpoint/pstree.img")
		t.equal("exec afterwards", criExec(t, id, "echo", "here"), "here")
	})
	operation(t, "checkpoint, shared pid namespace", func(t *T) {
		p := newPod(t)
		id := p.container("c", map[string]any{"command": counts(0, "/root/count"), "linux": map[string]any{}})
		crictl("checkpoint", "--export", "/srv/shared.tar", id).run(t)
		t.equal("exec afterwards", criExec(t, id, "echo", "here"), "here")
	})
	criTest(t)
	for _, name := range criImages() {
		crictl("rmi", name).run(t)
	}
}

// criResources are limits and their changes.
func criResources(t *testing.T) {
	limits := map[string]any{"security_context": ownProcesses, "resources": map[string]any{
		"cpu_period": 100000, "cpu_quota": 50000, "cpu_shares": 128, "memory_limit_in_bytes": 64 << 20,
		"memory_swap_limit_in_bytes": 80 << 20, "oom_score_adj": 500,
	}}
	operation(t, "resources", func(t *T) {
		controllers(t)
		p := newPod(t)
		id := p.container("c", map[string]any{"linux": limits})
		swap := 80 << 20 // with the memory; on cgroup v2, without it
		if suite.mode == "v2" {
			swap -= 64 << 20
		}
		t.equal("memory", inCgroup(t, id, "memory/memory.limit_in_bytes", "memory.max"), fmt.Sprint(64<<20))
		t.equal("swap", inCgroup(t, id, "memory/memory.memsw.limit_in_bytes", "memory.swap.max"), fmt.Sprint(swap))
		t.equal("quota", inCgroup(t, id, "cpu/cpu.cfs_quota_us", "cpu.max"), "50000")
		t.equal("OOM score", criExec(t, id, "cat", "/proc/1/oom_score_adj"), "500")
	})
	operation(t, "update", func(t *T) {
		controllers(t)
		p := newPod(t)
		id := p.container("c", map[string]any{"linux": limits})
		for _, size := range []int{128, 32} {
			// systemd rounds quotas to hundredths of a CPU.
			bytes, quota := fmt.Sprint(size<<20), fmt.Sprint(size*1000)
			crictl("update", "--memory", bytes, "--cpu-quota", quota, "--cpu-share", "77", id).run(t)
			t.equal("memory", inCgroup(t, id, "memory/memory.limit_in_bytes", "memory.max"), bytes)
			t.equal("quota", inCgroup(t, id, "cpu/cpu.cfs_quota_us", "cpu.max"), quota)
			if suite.mode == "v1" {
				t.equal("shares", inCgroup(t, id, "cpu/cpu.shares", ""), "77")
			}
		}
	})
	operation(t, "statistics", func(t *T) {
		p := newPod(t)
		id := p.container("c", nil)
		t.contains("statistics", crictl("stats", "--output", "json", "--id", id).run(t), "usageCoreNanoSeconds")
		t.contains("the pod's", crictl("statsp", "--output", "json", "--id", p.id).run(t), "usageCoreNanoSeconds")
	})
}

// criTest runs critest whole. Each of its tests is an operation.
func criTest(t *testing.T) {
	// It takes minutes, before any of its results is an operation.
	if run := os.Getenv("RUN"); run != "" && !strings.Contains(run, "critest") {
		return
	}
	report := filepath.Join(t.TempDir(), "report.json")
	line := append([]string{
		"--runtime-endpoint", criSocket(), "--runtime-handler", criHandler,
		"--nri-socket", "/run/nri/nri.sock", "--ginkgo.json-report", report, "--ginkgo.no-color",
	}, strings.Fields(os.Getenv("CRITEST"))...)
	if suite.room == "containerd21" {
		// What it leaves running would look like the runtime's fault (see ./skips).
		line = append(line, "--ginkgo.skip=should fail RunPodSandbox and clean up")
	}
	if onCRIO() {
		// So long it waits for a container that ignores SIGTERM.
		line = append(line, "--runtime-service-timeout=30s")
	}
	cmd := exec.Command(programs+"/critest", line...)
	log, err := os.Create(filepath.Join(os.Getenv("RESULTS"), fmt.Sprintf("%s-%s-%s-critest.log", suite.room, suite.place, suite.name)))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	runErr := cmd.Run()
	if suite.systemd {
		// critest's parent of a pod is the kubelet's matter, too.
		_ = exec.Command("systemctl", "stop", "test.slice").Run()
	}
	var suites []struct {
		SpecReports []struct {
			ContainerHierarchyTexts    []string
			LeafNodeType, LeafNodeText string
			State                      string
			Failure                    struct{ Message string }
			CapturedGinkgoWriterOutput string
		}
	}
	data, err := os.ReadFile(report)
	if err == nil {
		err = json.Unmarshal(data, &suites)
	}
	if err != nil {
		t.Fatalf("critest: %v, %v: see %s", runErr, err, log.Name())
	}
	for _, s := range suites {
		for _, spec := range s.SpecReports {
			// A spec that the flags leave out has no message.
			left := os.Getenv("CRITEST") != "" && spec.State == "skipped" && spec.Failure.Message == ""
			if spec.LeafNodeType != "It" || left {
				continue
			}
			name := strings.Join(append(spec.ContainerHierarchyTexts, spec.LeafNodeText), " ")
			operation(t, "critest: "+strings.NewReplacer("/", " ", " | ", " ").Replace(name), func(t *T) {
				switch spec.State {
				case "passed":
				case "skipped", "pending":
					t.Skipf("critest: %s", spec.Failure.Message)
				default:
					t.Fatalf("%s: %s\n%s", spec.State, spec.Failure.Message, spec.CapturedGinkgoWriterOutput)
				}
			})
		}
	}
}
