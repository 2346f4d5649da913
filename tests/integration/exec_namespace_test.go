// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"testing"

	"github.com/berth-run/berth/tests/internal/bundle"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestExecUserNamespace(t *testing.T) {
	c := newContainer(t).userNamespace()
	c.running()
	s := c.execStatus("-u", "1000:1001")
	want(t, "Uid", s["Uid"], "1000 1000 1000 1000")
	want(t, "Gid", s["Gid"], "1001 1001 1001 1001")
	want(t, "map", squeeze(c.execOut(c.id, "cat", "/proc/self/uid_map")), "0 100000 65536")
	want(t, "capabilities", c.execStatus()["CapEff"], capMask(t, bundle.Capabilities()...))
	c.command("exec", "-u", "70000", c.id, "true").fails("", "")
}

// TestExecHostNamespaces: exec uses the host's namespaces that the container shares.
func TestExecHostNamespaces(t *testing.T) {
	c := newContainer(t).without(specs.PIDNamespace, specs.NetworkNamespace, specs.UTSNamespace)
	c.spec.Hostname = ""
	c.running()
	for _, ns := range []string{"pid", "net", "uts"} {
		own, err := os.Readlink("/proc/self/ns/" + ns)
		if err != nil {
			t.Fatal(err)
		}
		want(t, ns+" namespace", c.execOut(c.id, "readlink", "/proc/self/ns/"+ns), own)
	}
}

func TestExecNoMountNamespace(t *testing.T) {
	c := newContainer(t).without(specs.MountNamespace)
	c.spec.Mounts, c.spec.Linux.MaskedPaths, c.spec.Linux.ReadonlyPaths = nil, nil, nil
	waitUp := c.long()
	c.create().start()
	waitUp()
	want(t, "file of the root", c.execOut(c.id, "ls", "-d", "/ready"), "/ready")
	want(t, "file of the root, with HOME", c.execOut("--env", "HOME=/", c.id, "ls", "-d", "/ready"), "/ready")
}

func TestExecTimeNamespace(t *testing.T) {
	c := newContainer(t).namespace(specs.TimeNamespace, "").running()
	want(t, "time namespace", c.execOut(c.id, "readlink", "/proc/self/ns/time"), c.execOut(c.id, "readlink", "/proc/1/ns/time"))
}
