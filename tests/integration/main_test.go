// SPDX-License-Identifier: Apache-2.0

// Package integration runs real containers with the runtime in $RUNTIME, as root, and looks at
// them from outside and inside.
//
// It is a black-box test: it knows command lines, the spec and the kernel, but nothing about
// berth's code. Therefore it can also run with runc and crun, which shows whether a test is right
// (known-gaps lists what they lack). Its one invariant: each test leaves no process, mount,
// cgroup, state or descriptor behind.
package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// suite is shared by all tests. TestMain sets it.
var suite struct {
	// runtime is the absolute path of the runtime, and name its file name.
	runtime, name string
	// rootfs is a directory with a root file system of the kind "busybox" or "debian".
	rootfs, kind string
	// systemd means that the containers' cgroups are systemd units, unless a test sets another
	// cgroup.
	systemd bool
	// unified means that /sys/fs/cgroup is cgroup v2.
	unified bool
	// token is part of every container id and cgroup path of this run.
	token string
	// work is the directory for all bundles.
	work string
	gaps []gap
	// limit is how long a command of the runtime, or the wait for an event, may take.
	limit time.Duration
	// users describes who runs the containers.
	users users
	// checkGaps means that only tests in known-gaps run, to find out which of them pass.
	checkGaps bool
	// closed are the tests in known-gaps that pass.
	closed []string
}

// helperEnv is the variable that makes the test binary run one of helpers in a container.
const helperEnv = "BERTH_TEST_HELPER"

// helpers returns the programs by their names in helperEnv.
func helpers() map[string]func(args []string) error {
	return map[string]func(args []string) error{notifyHelper: sendNotifications, holderHelper: hold, endHelper: endRun}
}

// helper mounts the test binary on /helper and makes it run the named program.
func (c *container) helper(name string) *container {
	c.t.Helper()
	self, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	c.spec.Process.Env = append(c.spec.Process.Env, helperEnv+"="+name)
	return c.mount("/helper", "bind", self, "bind", "ro")
}

func TestMain(m *testing.M) {
	if helper := helpers()[os.Getenv(helperEnv)]; helper != nil {
		if err := helper(os.Args[1:]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	if slices.Contains(os.Args, "-test.list") {
		os.Exit(m.Run()) // which runs no tests
	}
	if os.Getenv("RUNTIME") == "" {
		fmt.Println("integration tests need RUNTIME and root: see tests/integration/run")
		os.Exit(0)
	}
	heedSignals()
	code, err := setUp(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
		code = 2
	}
	os.Exit(code)
}

// setUp sets the suite, runs the tests, and cleans up.
func setUp(m *testing.M) (code int, err error) {
	// The first processes of containers must become children of the tests, as they become
	// children of an engine's shim.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return 0, fmt.Errorf("become a subreaper: %w", err)
	}
	suite.runtime = os.Getenv("RUNTIME")
	suite.name = os.Getenv("NAME")
	if suite.name == "" {
		suite.name = filepath.Base(suite.runtime)
	}
	suite.rootfs = os.Getenv("ROOTFS")
	if suite.rootfs == "" {
		return 0, fmt.Errorf("ROOTFS is not set")
	}
	suite.systemd = os.Getenv("DRIVER") == "systemd"
	suite.kind, _, _ = strings.Cut(filepath.Base(suite.rootfs), "-")
	// A process in another pid namespace of this machine may have the same pid, and uses the same
	// cgroups.
	var ns unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &ns); err != nil {
		return 0, fmt.Errorf("stat /proc/self/ns/pid: %w", err)
	}
	suite.token = fmt.Sprintf("btn%dp%dx", ns.Ino, os.Getpid())
	suite.limit = 30 * time.Second
	if suite.checkGaps = os.Getenv("GAPS") == "check"; suite.checkGaps {
		suite.limit = 3 * time.Second // in several gaps a runtime hangs
	}
	if slow := os.Getenv("SLOW"); slow != "" {
		factor, err := strconv.Atoi(slow)
		if err != nil || factor < 1 {
			return 0, fmt.Errorf("SLOW: %q is not a factor", slow)
		}
		suite.limit *= time.Duration(factor)
	}
	var st unix.Statfs_t
	if err := unix.Statfs("/sys/fs/cgroup", &st); err != nil {
		return 0, fmt.Errorf("statfs /sys/fs/cgroup: %w", err)
	}
	suite.unified = st.Type == unix.CGROUP2_SUPER_MAGIC
	if suite.gaps, err = readGaps("known-gaps"); err != nil {
		return 0, err
	}
	if suite.work, err = os.MkdirTemp("", "berth-test."); err != nil {
		return 0, err
	}
	// Containers in a user namespace must be able to reach their rootfs.
	if err := os.Chmod(suite.work, 0o755); err != nil {
		return 0, err
	}
	users, undo, err := setUpUsers(os.Getenv("USERS"), suite.work)
	suite.users = users
	defer func() {
		removeCgroupParents()
		if undoErr := undo(); undoErr != nil && err == nil {
			err = undoErr
		}
		if rmErr := os.Remove(suite.work); rmErr != nil && err == nil {
			err = rmErr
		}
	}()
	if err != nil {
		return 0, err
	}
	code = m.Run()
	if suite.checkGaps {
		code = 0
		for _, name := range suite.closed {
			fmt.Printf("known-gaps, known-modes: %s passes with %s, users: %s\n", name, suite.name, suite.users.name)
			code = 1
		}
	}
	return code, nil
}
