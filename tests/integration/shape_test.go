// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Programs read the JSON of runc's commands by its keys. These tests compare berth's keys with
// those of runc, for the same bundle.

// deviation is a difference on purpose. It also covers what is below its path.
type deviation struct{ document, path, why string }

// These are keys that only one of the runtimes has: runc, or the runtime under test. Debian 12
// has runc 1.1.5.
var (
	missingOfRunc = []deviation{
		{"events", "cpu.throttling.periods", "left out when zero, which is up to the speed of the machine"},
		{"features", "mountOptions=acl", "no flag of the kernel's mounts is meant"},
		{"features", "mountOptions=noacl", "no flag of the kernel's mounts is meant"},
		{"features", "annotations.org.opencontainers.runc.", "of runc itself"},
		{"features", "annotations.io.github.seccomp.libseccomp.version", "berth makes filters without it"},
		{"spec", "process.capabilities.ambient", "runc 1.2 dropped it too: ambient capabilities would outlive setuid"},
	}
	moreThanRunc = []deviation{
		{"events", "cpu.throttling.periods", "left out when zero, which is up to the speed of the machine"},
		{"events", "cpu.psi", "of runc 1.2"},
		{"events", "memory.psi", "of runc 1.2"},
		{"events", "memory.usage.max", "on cgroup v2 of runc 1.2"},
		{"events", "blkio.psi", "of runc 1.2"},
		{"features", "annotations.run.berth.", "of berth itself"},
		{"features", "potentiallyUnsafeConfigAnnotations", "of runc 1.2"},
		{"features", "linux.namespaces=time", "of runc 1.2"},
		{"features", "linux.capabilities=", "runc lists those that it was called with"},
		{"features", "linux.cgroup.rdma", "of runc 1.2"},
		{"features", "linux.seccomp.archs=", "of libseccomp 2.6"},
		{"features", "linux.seccomp.knownFlags", "of runc 1.2"},
		{"features", "linux.seccomp.supportedFlags", "of runc 1.2"},
		{"features", "linux.intelRdt", "of runc 1.3"},
		{"features", "linux.memoryPolicy", "of runc 1.4"},
		{"features", "linux.mountExtensions", "of runc 1.2"},
		{"features", "linux.netDevices", "of runc 1.4"},
		{"features", "mountOptions=", "of runtime-spec 1.3, or of crun"},
	}
)

// shapes collects the keys that only one of two documents has.
type shapes struct {
	document string
	// exact are the paths whose values must be equal.
	exact         map[string]bool
	missing, more []string
	values        []string
}

// compare walks two documents. Lists of strings are compared as sets. Elements of other lists are
// alike, and are merged into one to be compared.
func (d *shapes) compare(path string, theirs, ours any) {
	switch a := theirs.(type) {
	case map[string]any:
		if b, ok := ours.(map[string]any); ok {
			d.compareObjects(path, a, b)
			return
		}
	case []any:
		if b, ok := ours.([]any); ok {
			d.compareLists(path, a, b)
			return
		}
	}
	if kindOf(theirs) != kindOf(ours) {
		d.missing = append(d.missing, fmt.Sprintf("%s as %s, not %s", path, kindOf(theirs), kindOf(ours)))
	} else if d.exact[path] && theirs != ours {
		d.values = append(d.values, fmt.Sprintf("%s is %v, not %v", path, ours, theirs))
	}
}

func (d *shapes) compareObjects(path string, theirs, ours map[string]any) {
	if path != "" {
		path += "."
	}
	for _, key := range slices.Sorted(maps.Keys(theirs)) {
		if v, ok := ours[key]; ok {
			d.compare(path+key, theirs[key], v)
		} else {
			d.missing = append(d.missing, path+key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(ours)) {
		if _, ok := theirs[key]; !ok {
			d.more = append(d.more, path+key)
		}
	}
}

func (d *shapes) compareLists(path string, theirs, ours []any) {
	if len(theirs) == 0 || len(ours) == 0 {
		if len(theirs) != len(ours) {
			d.values = append(d.values, fmt.Sprintf("%s has %d elements, not %d", path, len(ours), len(theirs)))
		}
		return
	}
	if kindOf(theirs[0]) != "string" || kindOf(ours[0]) != "string" {
		d.compare(path+"[]", merged(theirs), merged(ours))
		return
	}
	for _, v := range theirs {
		if !slices.Contains(ours, v) {
			d.missing = append(d.missing, path+"="+v.(string))
		}
	}
	for _, v := range ours {
		if !slices.Contains(theirs, v) {
			d.more = append(d.more, path+"="+v.(string))
		}
	}
}

// merged returns an element with the keys of all elements of a list: some elements may leave out
// a key because its value is zero.
func merged(list []any) any {
	all := make(map[string]any)
	for _, v := range slices.Backward(list) {
		object, ok := v.(map[string]any)
		if !ok {
			return list[0]
		}
		maps.Copy(all, object)
	}
	return all
}

// check reports differences that are not on purpose.
func (d *shapes) check(t *testing.T) {
	t.Helper()
	drop := func(list []string, meant []deviation) []string {
		return slices.DeleteFunc(list, func(path string) bool {
			return slices.ContainsFunc(meant, func(m deviation) bool {
				return m.document == d.document && strings.HasPrefix(path, m.path)
			})
		})
	}
	if missing := drop(d.missing, missingOfRunc); len(missing) > 0 {
		t.Errorf("%s: missing: %q", d.document, missing)
	}
	if more := drop(d.more, moreThanRunc); len(more) > 0 {
		t.Errorf("%s: more than runc: %q", d.document, more)
	}
	if len(d.values) > 0 {
		t.Errorf("%s: %q", d.document, d.values)
	}
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case float64:
		return "number"
	case string:
		return "string"
	case []any:
		return "list"
	}
	return "object"
}

// withRunc calls f for runc and for the runtime under test, each with a state of its own. The
// containers are deleted.
func withRunc(t *testing.T, c *container, f func() any) (theirs, ours any) {
	t.Helper()
	onlyBerth(t)
	only(t, suite.users.name == "root", "root")
	runc, err := exec.LookPath("runc")
	require(t, err == nil, "runc")
	runtime, state := suite.runtime, c.state
	both := func(path, dir string) any {
		suite.runtime, c.state = path, dir
		defer func() { suite.runtime, c.state = runtime, state }()
		result := f()
		c.command("delete", "--force", c.id).code(0)
		c.killLeftovers()
		return result
	}
	theirs = both(runc, c.path("runc"))
	return theirs, both(runtime, state)
}

// document returns the JSON that a command prints.
func (c *container) document(args ...string) any {
	c.t.Helper()
	var v any
	decode(c.t, c.command(args...).must().out, &v)
	return v
}

// TestStateLikeRunc compares the state in every status.
func TestStateLikeRunc(t *testing.T) {
	c := newContainer(t).annotate("org.example.key", "value").sh("exec sleep 10000")
	exact := map[string]bool{}
	for _, prefix := range []string{"", "[]."} {
		for _, key := range []string{"id", "bundle", "rootfs", "status", "owner", "annotations.org.example.key"} {
			exact[prefix+key] = true
		}
	}
	collect := func() any {
		all := make(map[string]any)
		note := func(status specs.ContainerState) {
			c.status(status)
			all["state "+string(status)] = c.document("state", c.id)
			all["list "+string(status)] = c.document("list", "--format", "json")
		}
		c.create()
		note(specs.StateCreated)
		c.start()
		note(specs.StateRunning)
		c.command("pause", c.id).must()
		note("paused")
		c.command("resume", c.id).must()
		killAndWaitZombie(c)
		note(specs.StateStopped)
		c.wait()
		c.command("delete", c.id).must()
		all["list none"] = c.document("list", "--format", "json")
		return all
	}
	theirs, ours := withRunc(t, c, collect)
	for name, document := range theirs.(map[string]any) {
		d := &shapes{document: name, exact: exact}
		d.compare("", document, ours.(map[string]any)[name])
		d.check(t)
	}
}

func TestPsLikeRunc(t *testing.T) {
	c := newContainer(t)
	theirs, ours := withRunc(t, c, func() any {
		ready := c.fifo("ready")
		defer os.Remove(c.rootfs("ready"))
		c.sh("sleep 10000 & echo up >/ready; wait").create().start()
		ready.line()
		list := c.document("ps", "--format", "json", c.id)
		if pids, ok := list.([]any); !ok || len(pids) != 2 {
			t.Errorf("ps: %v, want two pids", list)
		}
		return list
	})
	d := &shapes{document: "ps"}
	d.compare("", theirs, ours)
	d.check(t)
}

// TestEventsLikeRunc: both leave out values that are zero, so the containers first use every
// resource a little.
func TestEventsLikeRunc(t *testing.T) {
	c := newContainer(t)
	if !suite.unified {
		c.spec.Linux.Resources = base()
	}
	theirs, ours := withRunc(t, c, func() any {
		ready := c.fifo("ready")
		defer os.Remove(c.rootfs("ready"))
		c.sh(`dd if=/dev/zero of=/data bs=1M count=4 conv=fsync 2>/dev/null; cat /data >/dev/null
			for i in 1 2 3 4 5 6 7 8; do sh -c 'cat /bin/busybox >/dev/null'; done
			echo up >/ready; exec sleep 10000`).create().start()
		ready.line()
		return c.document("events", "--stats", c.id)
	})
	// On cgroup v2, runc 1.1.15 (of Debian 13) looks for hugetlb.2MB.rsvd.events, which kernels do
	// not have, and then has no huge pages at all.
	if pages, _ := dataOf(theirs)["hugetlb"].(map[string]any); suite.unified && len(pages) == 0 {
		t.Log("this runc does not count huge pages; they are not compared")
		delete(dataOf(theirs), "hugetlb")
		delete(dataOf(ours), "hugetlb")
	}
	d := &shapes{document: "events", exact: map[string]bool{"type": true, "id": true}}
	d.compare("", theirs, ours)
	for _, list := range []*[]string{&d.missing, &d.more} {
		for i, path := range *list {
			(*list)[i] = strings.TrimPrefix(path, "data.")
		}
	}
	d.check(t)
}

// dataOf returns the data of an event; nil if it has none.
func dataOf(event any) map[string]any {
	object, _ := event.(map[string]any)
	data, _ := object["data"].(map[string]any)
	return data
}

func TestFeaturesLikeRunc(t *testing.T) {
	c := newContainer(t)
	theirs, ours := withRunc(t, c, func() any { return c.document("features") })
	d := &shapes{document: "features", exact: map[string]bool{
		"ociVersionMin": true, "linux.cgroup.v1": true, "linux.cgroup.v2": true, "linux.cgroup.systemd": true,
		"linux.cgroup.systemdUser": true, "linux.seccomp.enabled": true, "linux.apparmor.enabled": true, "linux.selinux.enabled": true,
	}}
	d.compare("", theirs, ours)
	// Newer versions of runc have an annotation with the container's bundle, which berth does not
	// have.
	d.missing = slices.DeleteFunc(d.missing, func(path string) bool {
		return path == "potentiallyUnsafeConfigAnnotations=bundle"
	})
	d.check(t)
}

func TestSpecLikeRunc(t *testing.T) {
	for _, options := range [][]string{nil, {"--rootless"}} {
		t.Run(strings.Join(append([]string{"spec"}, options...), " "), func(t *testing.T) {
			c := newContainer(t)
			theirs, ours := withRunc(t, c, func() any {
				if err := os.Remove(c.path("config.json")); err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
				c.command(append([]string{"spec"}, options...)...).must()
				var v any
				decode(t, readFile(t, c.path("config.json")), &v)
				return v
			})
			d := &shapes{document: "spec", exact: map[string]bool{
				"root.path": true, "root.readonly": true, "process.terminal": true, "process.cwd": true, "process.noNewPrivileges": true,
				"process.user.uid": true, "process.user.gid": true, "mounts[].destination": true,
			}}
			d.compare("", theirs, ours)
			d.check(t)
		})
	}
}
