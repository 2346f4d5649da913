// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// annotate sets an annotation.
func (c *container) annotate(key, value string) *container {
	if c.spec.Annotations == nil {
		c.spec.Annotations = map[string]string{}
	}
	c.spec.Annotations[key] = value
	return c
}

// runWithGroups runs the container from a process with the given groups.
func (c *container) runWithGroups(groups string) string {
	c.t.Helper()
	c.write()
	r := c.shell(`exec setpriv --groups `+groups+` "$@"`, suite.runtime, "--root", c.state, "run", c.id).must()
	return squeeze(r.out)
}

func TestKeepOriginalGroups(t *testing.T) {
	c := newContainer(t).args("grep", "^Groups", "/proc/self/status")
	c.spec.Process.User = specs.User{UID: 1000, GID: 1000, AdditionalGids: []uint32{77}}
	if out := c.runWithGroups("5,4242"); strings.Contains(out, "4242") || !strings.Contains(out, "77") {
		t.Errorf("without the annotation: %q", out)
	}
	c.annotate("run.oci.keep_original_groups", "1")
	kept := "5 4242"
	if suite.users.name == "userns" {
		kept = "65534 65534" // They have no number in the user namespace, but are kept.
	}
	if out := c.runWithGroups("5,4242"); !strings.Contains(out, kept) || strings.Contains(out, "77") {
		t.Errorf("with the annotation: %q", out)
	}
}

// TestHookFiles: all six kinds write to the files of the annotations.
func TestHookFiles(t *testing.T) {
	c := newContainer(t).args("true")
	say := func(kind string) []specs.Hook {
		return []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo " + kind + "; echo not " + kind + " >&2"}}}
	}
	c.spec.Hooks = &specs.Hooks{
		Prestart:        say("prestart"),
		CreateRuntime:   say("createRuntime"),
		CreateContainer: say("createContainer"),
		StartContainer:  say("startContainer"),
		Poststart:       say("poststart"),
		Poststop:        say("poststop"),
	}
	c.annotate("run.oci.hooks.stdout", c.path("hooks.out")).annotate("run.oci.hooks.stderr", c.path("hooks.err"))
	c.run().must().silent()
	for file, prefix := range map[string]string{"hooks.out": "", "hooks.err": "not "} {
		got, err := os.ReadFile(c.path(file))
		if err != nil {
			t.Fatal(err)
		}
		// Sorted: crun runs startContainer and poststart at the same time.
		lines := strings.Split(strings.TrimSpace(string(got)), "\n")
		slices.Sort(lines)
		all := []string{"createContainer", "createRuntime", "poststart", "poststop", "prestart", "startContainer"}
		want(t, file, strings.Join(lines, ","), prefix+strings.Join(all, ","+prefix))
	}
}

// TestHookFileFails: a file that cannot be opened is an error of the caller.
func TestHookFileFails(t *testing.T) {
	c := newContainer(t).annotate("run.oci.hooks.stdout", "/no/such/directory/file")
	c.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/true"}}}
	c.run().fails("run.oci.hooks.stdout: open /no/such/directory/file: no such file or directory", "")
}

// TestPIDFDReceiver: the socket of the annotation gets a pidfd of the first process.
func TestPIDFDReceiver(t *testing.T) {
	c := newContainer(t).args("sleep", "1000")
	r := c.receiver("receiver")
	c.annotate("run.oci.pidfd_receiver", r.path).create()
	pidfd, _ := r.receive()
	fd := int(pidfd.Fd())
	info, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(fd))
	if err != nil || !strings.Contains(squeeze(string(info)), "Pid: "+strconv.Itoa(c.pid)+" ") {
		t.Errorf("fd %q (%v) is not a pidfd of %d", info, err, c.pid)
	}
}

// TestUnknownAnnotations: unknown annotations only appear in the state.
func TestUnknownAnnotations(t *testing.T) {
	c := newContainer(t).args("true").annotate("org.example.a", "1").annotate("", "empty").annotate("é", "\n")
	c.create()
	got := c.stateJSON().Annotations
	if got["org.example.a"] != "1" || got["é"] != "\n" {
		t.Errorf("annotations %q", got)
	}
}
