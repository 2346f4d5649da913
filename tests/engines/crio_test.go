// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// crioRest is what a test needs besides the document's configuration.
const crioRest = `
[crio.runtime]
default_runtime = "berth"
pinns_path = "` + programs + `/pinns"
$DRIVER
[crio.image]
pause_image = "` + sandboxImage + `"
pause_command = ""
signature_policy = "/etc/crio/policy.json"
[crio.network]
plugin_dirs = ["` + programs + `/cni"]
[crio.stats]
included_pod_metrics = ["all"]
`

// crioRegistries are those of critest's images, and of the tests' own.
var crioRegistries = []string{"gcr.io", "k8s.gcr.io", "quay.io", "registry.k8s.io", "test.local"}

// startCRIO starts CRI-O with the document's configuration, and with that registry in the place of
// all others.
func startCRIO(t *testing.T, r *registry) {
	t.Helper()
	t.Setenv("PATH", os.Getenv("PATH")+":"+programs+":/opt/criu/bin")
	t.Log(command{args: []string{"crio", "--version"}}.run(t))
	config, err := snippet("CRI-O", "toml")
	if err == nil {
		err = linkRuntime()
	}
	if err != nil {
		t.Fatal(err)
	}
	// A sandbox's score of -998, and a privileged container, need CAP_SYS_RESOURCE, which root may not
	// have in a container or a virtual machine.
	if exec.Command("sh", "-c", "echo -998 >/proc/self/oom_score_adj").Run() != nil {
		const wrapper = "/opt/wrapper"
		if err := writeWrapper(wrapper, "resource"); err != nil {
			t.Fatal(err)
		}
		config = strings.ReplaceAll(config, runtimePath(), wrapper)
	}
	driver := "cgroup_manager = \"cgroupfs\"\nconmon_cgroup = \"pod\""
	if suite.systemd {
		driver = ""
	}
	var registries strings.Builder
	for _, name := range crioRegistries {
		fmt.Fprintf(&registries, "[[registry]]\nprefix = %q\nlocation = %q\ninsecure = true\n", name, r.address)
	}
	writeFile(t, "/etc/crio/crio.conf.d/berth.conf", config)
	writeFile(t, "/etc/crio/crio.conf.d/test.conf", strings.ReplaceAll(crioRest, "$DRIVER", driver))
	writeFile(t, "/etc/crio/policy.json", `{"default": [{"type": "insecureAcceptAnything"}]}`)
	writeFile(t, "/etc/containers/registries.conf", registries.String())
	// Its ports of the host are reached on the loopback as well if, as on a node, others see to it.
	writeFile(t, "/proc/sys/net/ipv4/conf/all/route_localnet", "1")
	command{args: strings.Fields("iptables -t nat -A POSTROUTING -s 127.0.0.0/8 -o cni0 -j MASQUERADE")}.run(t)
	// As on a node, its storage stays mounted when it ends, and in it an image volume that a container
	// could not have.
	t.Cleanup(func() { _ = exec.Command("umount", "--recursive", "/var/lib/containers/storage/overlay").Run() })
	start(t, "crio", nil, "crio").ready(t, func() error {
		if out, err := exec.Command(programs+"/crictl", "info").CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}
