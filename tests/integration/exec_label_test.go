// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// labelled returns a process document that prints its own label.
func labelled(change func(*specs.Process)) *specs.Process {
	p := &specs.Process{Args: []string{"cat", "/proc/self/attr/current"}, Cwd: "/", Env: []string{"PATH=/bin:/usr/bin"}}
	change(p)
	return p
}

// TestExecAppArmor: a process that exec adds has the container's profile, or one that the option
// or the document sets. The option takes precedence over the document.
func TestExecAppArmor(t *testing.T) {
	for _, nnp := range []bool{false, true} {
		t.Run(fmt.Sprintf("no_new_privs %v", nnp), func(t *testing.T) {
			container, other := appArmorProfile(t, "container"), appArmorProfile(t, "other")
			c := newContainer(t)
			c.spec.Process.ApparmorProfile, c.spec.Process.NoNewPrivileges = container, nnp
			c.running()
			show := []string{c.id, "sh", "-c", "cat /proc/self/attr/current; (echo x >/tmp/x) 2>/dev/null || echo refused"}
			want(t, "inherited", c.execOut(show...), container+" (enforce)\nrefused")
			want(t, "by option", c.execOut(append([]string{"--apparmor", other}, show...)...), other+" (enforce)\nrefused")
			want(t, "with no_new_privs", c.execOut(append([]string{"--no-new-privs", "--apparmor", other}, show...)...), other+" (enforce)\nrefused")
			document := c.process(labelled(func(p *specs.Process) { p.ApparmorProfile = other }))
			want(t, "by document", c.execOut("--process", document, c.id), other+" (enforce)")
			document = c.process(labelled(func(*specs.Process) {}))
			want(t, "document without", c.execOut("--process", document, c.id), container+" (enforce)")
			want(t, "option over document", c.execOut("--process", document, "--apparmor", other, c.id), other+" (enforce)")
		})
	}
}

// TestExecAppArmorOnly: processes may have a profile in a container without one.
func TestExecAppArmorOnly(t *testing.T) {
	profile := appArmorProfile(t, "exec")
	c := newContainer(t).running()
	want(t, "none", c.execOut(c.id, "cat", "/proc/self/attr/current"), "unconfined")
	want(t, "one", c.execOut("--apparmor", profile, c.id, "cat", "/proc/self/attr/current"), profile+" (enforce)")
}

// TestExecAppArmorUnknownProfile: nothing runs, and the container continues.
func TestExecAppArmorUnknownProfile(t *testing.T) {
	only(t, haveAppArmor(), "a kernel with AppArmor")
	c := newContainer(t).running()
	c.command("exec", "--apparmor", "no-such-profile", c.id, "touch", "/ran").
		fails("process.apparmorProfile: set AppArmor profile no-such-profile: no such file or directory", "").code(255)
	want(t, "files", c.execOut(c.id, "sh", "-c", "ls /ran 2>/dev/null || echo none"), "none")
}

func TestExecNoAppArmor(t *testing.T) {
	only(t, !haveAppArmor(), "a kernel without AppArmor")
	c := newContainer(t).running()
	c.command("exec", "--apparmor", "some-profile", c.id, "true").
		fails("process.apparmorProfile: apparmor failed to apply profile: AppArmor is not enabled", "").code(255)
}

// TestExecSELinux: the same with SELinux labels.
func TestExecSELinux(t *testing.T) {
	const other = "system_u:system_r:container_t:s0:c0"
	for _, nnp := range []bool{false, true} {
		t.Run(fmt.Sprintf("no_new_privs %v", nnp), func(t *testing.T) {
			needLabel(t, processLabel)
			c := newContainer(t)
			c.spec.Process.SelinuxLabel, c.spec.Process.NoNewPrivileges = processLabel, nnp
			c.running()
			show := func(args ...string) string { return strings.Trim(c.execOut(args...), "\x00") }
			want(t, "inherited", show(c.id, "cat", "/proc/self/attr/current"), processLabel)
			want(t, "by option", show("--process-label", other, c.id, "cat", "/proc/self/attr/current"), other)
			want(t, "with no_new_privs", show("--no-new-privs", "--process-label", other, c.id, "cat", "/proc/self/attr/current"), other)
			document := c.process(labelled(func(p *specs.Process) { p.SelinuxLabel = other }))
			want(t, "by document", show("--process", document, c.id), other)
			document = c.process(labelled(func(*specs.Process) {}))
			want(t, "document without", show("--process", document, c.id), processLabel)
			want(t, "option over document", show("--process", document, "--process-label", other, c.id), other)
		})
	}
}

func TestExecSELinuxUnknownLabel(t *testing.T) {
	needLabel(t, processLabel)
	c := newContainer(t).running()
	c.command("exec", "--process-label", "no such label", c.id, "touch", "/ran").
		fails("process.selinuxLabel: set SELinux label no such label: invalid argument", "").code(255)
	want(t, "files", c.execOut(c.id, "sh", "-c", "ls /ran 2>/dev/null || echo none"), "none")
}

func TestExecNoSELinux(t *testing.T) {
	only(t, !haveSELinux(), "a kernel without SELinux")
	c := newContainer(t).running()
	c.command("exec", "--process-label", "system_u:system_r:container_t:s0", c.id, "true").
		fails("process.selinuxLabel: selinux label is specified in config, but selinux is disabled or not supported: SELinux is not enabled", "").code(255)
}
