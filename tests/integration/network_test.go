// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// ownHost puts the rest of the test, with all that it starts, into a new network
// namespace that stands for the host's. All bridges of the test are in there.
func ownHost(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("ip")
	require(t, err == nil, "ip (iproute2)")
	runtime.LockOSThread()
	old, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(unix.Setns(int(old.Fd()), unix.CLONE_NEWNET), old.Close()); err != nil {
			t.Fatal(err) // and the thread stays locked, so that it ends with the test
		}
		runtime.UnlockOSThread()
	})
	ip(t, 0, "link set lo up")
}

// network sets the annotation; the text is the list of interfaces and what follows it.
func (c *container) network(rest string) *container {
	return c.annotate("run.berth.network", `{"version": 1, "interfaces": `+rest+`}`)
}

// ping sends one packet from the network namespace of a process, 0 for the test's own,
// with busybox, which needs no rights for that and is on the host of all tests.
func ping(t *testing.T, pid int, options ...string) {
	t.Helper()
	command := append([]string{"busybox", "ping", "-c", "1", "-W", "5"}, options...)
	if pid != 0 {
		command = append([]string{"nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", pid)}, command...)
	}
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		t.Errorf("ping %v: %v: %s", options, err, out)
	}
}

// TestNetworkPing: the documented way to begin, in both forms.
func TestNetworkPing(t *testing.T) {
	for _, form := range []string{"annotation", "option"} {
		t.Run(form, func(t *testing.T) {
			c := newContainer(t).args("true")
			ownHost(t)
			var options []string
			if form == "annotation" {
				c.network(`[{"bridge": "br0", "create": true, "addresses": ["10.88.0.2/24"], "gateways": ["10.88.0.1"]}]`)
			} else {
				options = []string{"--network", "bridge=br0,address=10.88.0.2/24,gateway=10.88.0.1,create=true"}
			}
			c.create(options...)
			ping(t, c.pid, "10.88.0.1")
			ping(t, 0, "10.88.0.2")
			c.start().wait()
			c.command("delete", c.id).must()
			want(t, "interfaces of the host", interfaces(t, 0), "br0")
			if out := ip(t, 0, "addr show dev br0"); !strings.Contains(out, "inet 10.88.0.1/24") {
				t.Errorf("bridge: %q", out)
			}
		})
	}
}

// TestNetworkSameAddress: of two containers that want an address the second one is told.
func TestNetworkSameAddress(t *testing.T) {
	first := newContainer(t)
	ownHost(t)
	first.network(`[{"bridge": "br0", "create": true, "addresses": ["10.88.0.2/24"]}]`).create()
	c := anotherContainer(t, first)
	c.network(`[{"bridge": "br0", "addresses": ["10.88.0.3/24", "10.88.0.2/24"]}]`)
	before := interfaces(t, 0)
	c.refuses(`annotations["run.berth.network"].interfaces[0].addresses[1]: 10.88.0.2 is in use on bridge br0 by `)
	c.refuses(fmt.Sprintf(`of container "%s": address already in use`, first.id))
	want(t, "interfaces of the host", interfaces(t, 0), before)
	first.command("delete", "--force", first.id).must()
	c.create()
	c.start().wait()
}
