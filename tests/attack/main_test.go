// SPDX-License-Identifier: Apache-2.0

// Package attack tries to get out of containers, as root of a host.
//
// Each attack is tried on something weak first, where it has to succeed: so it is known to
// work, and its test can fail. Then it is tried on the runtime in $RUNTIME, where it must get
// nothing. What is weak is an older berth, the one before the attacks were mended ($WEAK), or
// the same runtime with a config.json that lacks the restriction in question.
//
// It is black-box, as tests/integration is: it knows command lines, the runtime-spec and the
// kernel. Its one invariant: nothing is left behind, neither by an attack that succeeds.
package attack

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// suite is what all attacks share; TestMain fills it in.
var suite struct {
	// runtime and weak are absolute paths.
	runtime, weak string
	// rootfs is a directory with a busybox tree, which is never written.
	rootfs string
	// work is the directory of all stages, token a part of every id and cgroup of this run.
	work, token string
	// unified says that /sys/fs/cgroup is cgroup v2.
	unified bool
}

// helperEnv has the test binary be a program inside a container.
const helperEnv = "BERTH_ATTACK_HELPER"

// helpers are the programs of attackers, by what helperEnv has to say. Each prints what it
// gets, a line each.
func helpers() map[string]func(args []string) error {
	return map[string]func(args []string) error{
		"hunt": hunt, "peek": peek, "ids": tellIDs, "newer-calls": callNewer, "sockets": useSockets, "swap": swap,
	}
}

func TestMain(m *testing.M) {
	if name := os.Getenv(helperEnv); name != "" {
		helper := helpers()[name]
		if helper == nil {
			fmt.Println("no such helper:", name)
			os.Exit(2)
		}
		if err := helper(os.Args[1:]); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		return
	}
	if slices.Contains(os.Args, "-test.list") {
		os.Exit(m.Run()) // which runs none
	}
	if os.Getenv("RUNTIME") == "" {
		fmt.Println("attacks need RUNTIME, WEAK and root: see tests/attack/run")
		os.Exit(0)
	}
	code, err := setUp(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "attack:", err)
		code = 2
	}
	os.Exit(code)
}

func setUp(m *testing.M) (code int, err error) {
	suite.runtime, suite.weak, suite.rootfs = os.Getenv("RUNTIME"), os.Getenv("WEAK"), os.Getenv("ROOTFS")
	for _, path := range []string{suite.runtime, suite.weak, suite.rootfs} {
		if _, err := os.Stat(path); err != nil {
			return 0, fmt.Errorf("RUNTIME, WEAK, ROOTFS: %w", err)
		}
	}
	// First processes of containers become children of the tests, who can wait for them.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return 0, fmt.Errorf("become a subreaper: %w", err)
	}
	suite.token = fmt.Sprintf("attack%dx", os.Getpid())
	var st unix.Statfs_t
	if err := unix.Statfs("/sys/fs/cgroup", &st); err != nil {
		return 0, fmt.Errorf("statfs /sys/fs/cgroup: %w", err)
	}
	suite.unified = st.Type == unix.CGROUP2_SUPER_MAGIC
	if suite.work, err = os.MkdirTemp("", "berth-attack."); err != nil {
		return 0, err
	}
	// Containers with a user namespace have to reach their root file systems.
	if err := os.Chmod(suite.work, 0o755); err != nil {
		return 0, err
	}
	code = m.Run()
	removeParents()
	return code, os.Remove(suite.work)
}

// TestHelpersRun: a helper that cannot run would make every attack fail, and so every test
// of the runtime pass.
func TestHelpersRun(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = []string{helperEnv + "=none"}
	if out, err := cmd.Output(); err == nil || string(out) != "no such helper: none\n" {
		t.Fatalf("the test binary as a helper: %q, %v", out, err)
	}
}
