// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// machine is a part of the room that has systemd as its first process (see ./machine).
type machine struct {
	*daemon
	pid string
	// mode is v1 or v2: how cgroups are seen there.
	mode string
}

// startMachine starts systemd, which ends with the test.
func startMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{mode: "v2"}
	// systemd 258 and newer does not start on cgroup v1.
	version := strings.Fields(command{args: []string{"systemctl", "--version"}}.run(t))
	if n, err := strconv.Atoi(version[1]); err != nil || n < 258 {
		m.mode = suite.mode
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "pid")
	m.daemon = start(t, "systemd", []string{"MACHINE_PID=" + file}, "script", "--quiet", "--return", "--command", "./machine "+m.mode, "/dev/null")
	t.Cleanup(func() {
		_ = m.inside("systemctl", "exit", "0").try(t)
		select {
		case <-m.done:
		case <-time.After(suite.limit):
			t.Errorf("systemd does not end")
		}
	})
	m.ready(t, func() error {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		m.pid = strings.TrimSpace(string(data))
		state := strings.TrimSpace(m.inside("systemctl", "is-system-running").try(t).out)
		if state != "running" && state != "degraded" {
			return fmt.Errorf("the system is %q", state)
		}
		return nil
	})
	if failed := m.inside("systemctl", "--failed", "--plain", "--no-legend").run(t); failed != "" {
		t.Fatalf("units that failed: %s", failed)
	}
	return m
}

// inside returns a command in the namespaces of the machine, but not in its cgroups.
func (m *machine) inside(args ...string) command {
	return command{args: append([]string{"nsenter", "--target", m.pid, "--all", "--wd=/"}, args...)}
}

// asUser returns a command of the ordinary user, who has a service manager.
func (m *machine) asUser(args ...string) command {
	runtimeDir := fmt.Sprintf("/run/user/%d", podmanUID)
	return m.inside(append([]string{
		"setpriv", fmt.Sprintf("--reuid=%d", podmanUID), fmt.Sprintf("--regid=%d", podmanUID), "--init-groups",
		"env", "HOME=" + podmanHome, "USER=" + podmanUser, "XDG_RUNTIME_DIR=" + runtimeDir,
		"DBUS_SESSION_BUS_ADDRESS=unix:path=" + runtimeDir + "/bus", "PODMAN_IGNORE_CGROUPSV1_WARNING=1",
	}, args...)...)
}

// service returns a command that runs as a service of the machine, or of its user.
func (m *machine) service(user bool, options []string, args ...string) command {
	line := []string{"systemd-run", "--pipe", "--wait", "--quiet", "--collect", "--setenv=PODMAN_IGNORE_CGROUPSV1_WARNING=1"}
	if user {
		line = append(line, "--user", "--setenv=HOME="+podmanHome)
	}
	return m.manage(user, append(append(line, options...), append([]string{"--"}, args...)...)...)
}

// manage returns a command that talks to the service manager.
func (m *machine) manage(user bool, args ...string) command {
	if user {
		return m.asUser(args...)
	}
	return m.inside(args...)
}

// systemctl calls the service manager, and returns its answer.
func (m *machine) systemctl(t reporter, user bool, args ...string) string {
	t.Helper()
	line := []string{"systemctl"}
	if user {
		line = append(line, "--user")
	}
	return strings.TrimSpace(m.manage(user, append(line, args...)...).run(t))
}

// notifyEnv is the variable that makes this program tell the service manager that it is ready,
// and then wait.
const notifyEnv = "ENGINES_NOTIFY"

func notify() error {
	socket, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: os.Getenv("NOTIFY_SOCKET"), Net: "unixgram"})
	if err != nil {
		return err
	}
	if _, err = socket.Write([]byte("READY=1\nSTATUS=" + os.Getenv(notifyEnv))); err != nil {
		return errors.Join(err, socket.Close())
	}
	if err := socket.Close(); err != nil {
		return err
	}
	return syscall.Pause()
}
