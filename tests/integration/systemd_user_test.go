// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestSystemdUser: containers of an ordinary user are units of that user's service manager,
// wherever the command is called from.
func TestSystemdUser(t *testing.T) {
	runtime := needUserManager(t)
	for _, test := range []string{"private socket", "bus", "nothing"} {
		t.Run(test, func(t *testing.T) {
			if test != "private socket" {
				onlyBerth(t)
			}
			c := newScope(t).rootless()
			c.spec.Linux.CgroupsPath = "user.slice:" + suite.token + ":" + c.id
			switch test {
			case "private socket":
				c.env = append(c.env, "XDG_RUNTIME_DIR="+runtime, "DBUS_SESSION_BUS_ADDRESS=unix:path="+runtime+"/bus")
			case "bus":
				c.env = append(c.env, "XDG_RUNTIME_DIR="+c.dir, "DBUS_SESSION_BUS_ADDRESS=unix:path="+runtime+"/bus")
			}
			c.spec.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(33))}}
			c.args("sleep", "1000").create().start()
			c.cgroup = cgroupOf(t, c.pid)
			if !strings.HasSuffix(c.cgroup, fmt.Sprintf("/user@%d.service/user.slice/%s", userID, c.unit())) {
				t.Errorf("cgroup %q", c.cgroup)
			}
			want(t, "limit", c.cgroupFile("pids", "pids.max"), "33")
			c.command("update", "--pids-limit", "44", c.id).must()
			want(t, "limit", c.cgroupFile("pids", "pids.max"), "44")
			c.command("exec", "--detach", "--pid-file", c.path("pid2"), c.id, "sleep", "1000").must()
			pid, err := strconv.Atoi(readFile(t, c.path("pid2")))
			if err != nil {
				t.Fatal(err)
			}
			if suite.name == "berth" { // others do not move the process
				want(t, "cgroup of exec", cgroupOf(t, pid), c.cgroup)
			}
			killAndReap(pid)
			c.command("delete", "--force", c.id).must().silent()
			if left := cgroupsOf(c.id); len(left) > 0 {
				t.Errorf("cgroups left: %q", left)
			}
		})
	}
}

// needUserManager skips a test unless an ordinary user has a systemd instance. It returns the
// user's runtime directory.
func needUserManager(t *testing.T) (runtime string) {
	t.Helper()
	needSystemd(t)
	only(t, suite.unified, "cgroup v2")
	runtime = fmt.Sprintf("/run/user/%d", userID)
	_, err := os.Stat(runtime + "/systemd/private")
	only(t, err == nil, fmt.Sprintf("machines with a service manager of user %d (systemctl start user@%d.service)", userID, userID))
	return runtime
}

// TestSystemdUserByRoot: root can update and delete a container whose unit belongs to a user's
// manager.
func TestSystemdUserByRoot(t *testing.T) {
	onlyBerth(t)
	needUserManager(t)
	c := newScope(t).rootless()
	c.spec.Linux.CgroupsPath = "user.slice:" + suite.token + ":" + c.id
	c.args("sleep", "1000").create().start()
	c.cgroup = cgroupOf(t, c.pid)
	// These variables of root must not be used here.
	c.credential, c.global = nil, nil
	c.env = append(c.env, "XDG_RUNTIME_DIR="+c.dir, "DBUS_SESSION_BUS_ADDRESS=unix:path="+c.dir+"/bus")
	c.command("update", "--pids-limit", "44", c.id).must().silent()
	want(t, "limit", c.cgroupFile("pids", "pids.max"), "44")
	want(t, "TasksMax", userShow(t, c.unit(), "TasksMax"), "44")
	c.command("delete", "--force", c.id).must().silent()
	c.wait()
	want(t, "state of the unit", userShow(t, c.unit(), "LoadState"), "not-found")
	if left := cgroupsOf(c.id); len(left) > 0 {
		t.Errorf("cgroups left: %q", left)
	}
}

// userShow is show for the user's manager.
func userShow(t *testing.T, unit, property string) string {
	t.Helper()
	cmd := exec.Command("systemctl", "--user", "show", "--property", property, "--value", unit)
	cmd.Env = append(os.Environ(), fmt.Sprintf("XDG_RUNTIME_DIR=/run/user/%d", userID))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: userID, Gid: userID}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("systemctl --user show: %v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// TestSystemdNoUser: without a service manager, the user gets an error that says so.
func TestSystemdNoUser(t *testing.T) {
	onlyBerth(t)
	c := newScope(t).rootless()
	c.env = append(c.env, "XDG_RUNTIME_DIR="+c.dir)
	c.spec.Linux.CgroupsPath = "user.slice:p:" + c.id
	c.tryCreate().fails(fmt.Sprintf("--systemd-cgroup: systemd does not run for user %d: ", userID), "")
	c.checkNothingLeft()
}
