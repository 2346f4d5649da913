// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestRestoreRights: the processes have the same privileges and restrictions after the restore,
// and processes that exec adds have those of the config.
func TestRestoreRights(t *testing.T) {
	k := newCounter(t)
	k.spec.Linux.Seccomp = &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Syscalls:      []specs.LinuxSyscall{{Names: []string{"getcwd"}, Action: specs.ActErrno, ErrnoRet: ptr(uint(unix.EPERM))}},
	}
	k.spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_CORE", Soft: 7, Hard: 8}}
	k.runAndCount()
	fields := []string{"Seccomp", "NoNewPrivs", "CapEff", "CapBnd", "CapPrm", "CapInh", "CapAmb", "Uid", "Gid", "Groups"}
	before := k.statusOf()
	k.checkpoint()
	k.restore()
	k.ask()
	after, added := k.statusOf(), k.execStatus()
	for _, f := range fields {
		want(t, f, after[f], before[f])
		if f != "Uid" && f != "Gid" && f != "Groups" { // exec's are ids of its user namespace
			want(t, f+" of exec", added[f], before[f])
		}
	}
	var limit unix.Rlimit
	if err := unix.Prlimit(k.pid, unix.RLIMIT_CORE, nil, &limit); err != nil || limit != (unix.Rlimit{Cur: 7, Max: 8}) {
		t.Errorf("RLIMIT_CORE %+v, %v", limit, err)
	}
}

// TestRestoreRestrictions: restore refuses a config with restrictions that the checkpoint does
// not have.
func TestRestoreRestrictions(t *testing.T) {
	k := newCounter(t)
	k.spec.Process.NoNewPrivileges = false
	k.runAndCount()
	k.checkpoint()
	k.spec.Process.NoNewPrivileges = true
	k.tryRestore().fails("process.noNewPrivileges", "")
	k.checkNothingLeft()
	k.spec.Process.NoNewPrivileges = false
	k.spec.Linux.Seccomp = &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Syscalls:      []specs.LinuxSyscall{{Names: []string{"getcwd"}, Action: specs.ActErrno}},
	}
	k.tryRestore().fails("linux.seccomp", "")
	k.checkNothingLeft()
	k.spec.Linux.Seccomp = nil
	k.restore()
	k.ask()
}

// TestRestoreRestrictionsAtOnce: if a restore is refused, none of its processes runs, not even
// briefly, whether the pid namespace is the container's own or not.
func TestRestoreRestrictionsAtOnce(t *testing.T) {
	for _, own := range []bool{true, false} {
		t.Run(map[bool]string{true: "pid namespace", false: "host's pid namespace"}[own], func(t *testing.T) {
			k := newCounter(t)
			if !own {
				k.without(specs.PIDNamespace)
				hostSafe(k.container, specs.PIDNamespace)
			}
			k.spec.Process.NoNewPrivileges = false
			k.sh("(while :; do echo >>/runs; done) & until [ -s /runs ]; do :; done; " + counts)
			k.runAndCount()
			if !own && suite.users.name == "userns" {
				k.tryCheckpoint().fails("linux.namespaces: a container with a user namespace and without a pid namespace cannot be checkpointed", "")
				k.ask() // the container continues to run
				return
			}
			tree := append(childrenOf(t, k.pid), k.pid)
			k.checkpoint()
			for _, pid := range tree { // their pids must be free again
				endsSoon(pid)
			}
			reapZombies(t)
			size := func() int { return len(readFile(t, k.rootfs("runs"))) }
			before := size()
			k.spec.Process.NoNewPrivileges = true
			k.tryRestore().fails("process.noNewPrivileges", "")
			k.checkNothingLeft()
			if left, err := filepath.Glob(k.path("*", ".criu*")); err != nil || len(left) > 0 {
				t.Errorf("criu leaves %q, %v", left, err)
			}
			if after := size(); after != before {
				t.Errorf("the second process has run: %d bytes, %d before", after, before)
			}
		})
	}
}

// childrenOf returns the children of a process that it has not reaped.
func childrenOf(t *testing.T, pid int) (all []int) {
	t.Helper()
	for _, word := range strings.Fields(readFile(t, fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))) {
		child, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, child)
	}
	return all
}

// statusOf reads the first process's /proc/PID/status.
func (c *container) statusOf() map[string]string {
	c.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.pid))
	if err != nil {
		c.t.Fatal(err)
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = squeeze(value)
	}
	return fields
}

// TestRestoreLimits: the limits of the cgroup are those of the config for the restore. Later
// updates are based on them.
func TestRestoreLimits(t *testing.T) {
	k := newCounter(t)
	needController(t, "pids")
	k.runAndCount()
	k.checkpoint()
	k.spec.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(77))}}
	k.restore()
	k.ask()
	want(t, "pids.max", k.cgroupFile("pids", "pids.max"), "77")
	k.command("update", "--pids-limit", "78", k.id).must()
	want(t, "pids.max", k.cgroupFile("pids", "pids.max"), "78")
}

// execDetached runs a script in the container. The process is reaped when it ends, as an engine
// does it, since init cannot end before that. Then the channel is closed.
func (c *container) execDetached(script string) <-chan struct{} {
	c.t.Helper()
	file := c.path("exec.pid")
	c.detached("exec", "--detach", "--pid-file", file, c.id, "sh", "-c", script).must()
	pid, err := strconv.Atoi(readFile(c.t, file))
	if err != nil {
		c.t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	reaped := make(chan struct{})
	go func() {
		defer close(reaped)
		_ = unix.Waitid(unix.P_PIDFD, fd, nil, unix.WEXITED, nil)
	}()
	c.t.Cleanup(func() {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		<-reaped
		_ = unix.Close(fd)
	})
	return reaped
}

// TestCheckpointExec: of the processes that exec has added, the descendants of the first process
// are saved. There is a warning for the others.
func TestCheckpointExec(t *testing.T) {
	for name, script := range map[string]string{
		"daemon": "(echo up >/ready; exec tail -f /dev/null) &",
		"alone":  "echo up >/ready; exec tail -f /dev/null",
	} {
		t.Run(name, func(t *testing.T) {
			k := newCounter(t).runAndCount()
			ready := k.fifo("ready")
			ended := k.execDetached(script)
			want(t, "exec", ready.line(), "up")
			if name == "daemon" {
				<-ended
			}
			res := k.tryCheckpoint().must()
			if told := strings.Contains(res.stderr, "is not saved"); told != (name == "alone") {
				t.Errorf("stderr %q", res.stderr)
			}
			k.restore()
			k.ask()
			ps := k.execOut(k.id, "sh", "-c", `cat /proc/[0-9]*/cmdline | tr '\0' ' '`)
			if saved := strings.Contains(ps, "tail -f"); saved != (name == "daemon") {
				t.Errorf("after the restore: %s", ps)
			}
		})
	}
}

// TestCheckpointExecLeavesRunning: processes that are not saved continue to run, too.
func TestCheckpointExecLeavesRunning(t *testing.T) {
	k := newCounter(t).runAndCount()
	ready := k.fifo("ready")
	second := k.fifo("ready2")
	k.execDetached("echo up >/ready; read x </ready2; echo $x >/ready")
	want(t, "exec", ready.line(), "up")
	k.tryCheckpoint("--leave-running").must()
	second.send("still")
	want(t, "exec", ready.line(), "still")
	k.ask()
}

// TestRestoreSysctls: criu saves only some of a namespace's sysctls.
func TestRestoreSysctls(t *testing.T) {
	k := newCounter(t)
	k.spec.Linux.Sysctl = map[string]string{
		"net.core.somaxconn": "77", "net.ipv4.ip_unprivileged_port_start": "88", "net.ipv4.conf.lo.rp_filter": "2", "kernel.shmmni": "999",
	}
	k.runAndCount()
	show := func() string {
		var values []string
		for key := range k.spec.Linux.Sysctl {
			values = append(values, key+"="+k.execOut(k.id, "cat", "/proc/sys/"+strings.ReplaceAll(key, ".", "/")))
		}
		slices.Sort(values)
		return strings.Join(values, " ")
	}
	before := show()
	k.checkpoint()
	k.restore()
	k.ask()
	want(t, "sysctls", show(), before)
}

// TestCheckpointAgent: refused, since no agent could answer after a restore.
func TestCheckpointAgent(t *testing.T) {
	c := newContainer(t)
	needCriu(t)
	newAgent(c, refuse).notify(c, "mkdir", "mkdirat")
	c.running()
	c.tryCheckpoint().fails("linux.seccomp.listenerPath", "")
	c.status(specs.StateRunning)
}
