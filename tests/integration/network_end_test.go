// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestNetworkKilled: a create that is killed between any two requests to the kernel leaves
// nothing that delete --force cannot remove, and does not prevent the next create.
func TestNetworkKilled(t *testing.T) {
	_, err := exec.LookPath("strace")
	require(t, err == nil, "strace")
	c := newContainer(t)
	ownHost(t)
	ip(t, 0, "link add br0 type bridge", "link set br0 up")
	c.network(`[{"bridge": "br0", "hostName": "web0", "addresses": ["10.88.0.2/24", "fd00::2/64"]}, {"bridge": "br0", "hostName": "web1"}]`)
	killed := 0
	for _, call := range []string{"sendto", "recvfrom"} {
		for n := 1; n <= 8; n++ {
			c.write()
			r, err := c.finish(c.exec(nil, "strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace="+call,
				"-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", call, n), suite.runtime, "--root", c.state, "create", c.id))
			if err != nil {
				t.Fatal(err)
			}
			// With -D the runtime is not a child of strace. The status is SIGKILL if the runtime
			// was killed.
			if r.status == -int(unix.SIGKILL) {
				killed++
			}
			c.command("delete", "--force", c.id).must()
			awaitInterfaces(t, "br0")
		}
	}
	if killed < 4 {
		t.Errorf("only %d creates were killed", killed)
	}
	c.create()
	want(t, "interfaces of the host", interfaces(t, 0), "br0 web0 web1")
}

// TestNetworkKilledLater: the same for a create that has made its network and waits for a hook.
func TestNetworkKilledLater(t *testing.T) {
	c := newContainer(t)
	ownHost(t)
	fifo := c.path("fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	c.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo >" + fifo + "; read x <" + fifo}}}}
	c.network(`[{"bridge": "br0", "create": true, "addresses": ["10.88.0.2/24"]}]`).write()
	r := c.launch(nil, "create", c.id)
	if _, err := os.ReadFile(fifo); err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.finish(r); err != nil {
		t.Fatal(err)
	}
	c.command("delete", "--force", c.id).must()
	awaitInterfaces(t, "br0") // the hook has ended with its command, or the leak check reports it
}
