// SPDX-License-Identifier: Apache-2.0

// Package attack tries to break out of containers, as root of a host.
//
// Each attack is first tried on something weak, where it must succeed. This shows that the attack
// works, and that its test can fail. Then it is tried on the runtime in $RUNTIME, where it must
// not succeed. The weak one is an older berth, from before the attacks were fixed ($WEAK), or the
// same runtime with a config.json without the restriction in question.
//
// It is a black-box test like tests/integration: it knows command lines, the runtime-spec and the
// kernel. Its one invariant: nothing is left behind, even by an attack that succeeds.
package attack

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// suite is shared by all attacks. TestMain sets it.
var suite struct {
	// runtime and weak are absolute paths.
	runtime, weak string
	// rootfs is a directory with a busybox tree, which is never changed.
	rootfs string
	// work is the directory for all stages. token is part of every id and cgroup of this run.
	work, token string
	// unified means that /sys/fs/cgroup is cgroup v2.
	unified bool
}

// helperEnv is the variable that makes the test binary run one of helpers in a container.
const helperEnv = "BERTH_ATTACK_HELPER"

// helpers returns the attackers' programs by their names in helperEnv. Each prints what it gains,
// one item per line.
func helpers() map[string]func(args []string) error {
	return map[string]func(args []string) error{
		"hunt": hunt, "peek": peek, "ids": printPrivileges, "newer-calls": callNewer, "sockets": useSockets, "swap": swap,
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
		os.Exit(m.Run()) // which runs no tests
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
	// The first processes of containers become children of the tests, which can then wait for
	// them.
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
	// Containers with a user namespace must be able to reach their root file systems.
	if err := os.Chmod(suite.work, 0o755); err != nil {
		return 0, err
	}
	code = m.Run()
	removeParents()
	return code, os.Remove(suite.work)
}

// TestHelpersRun: if a helper could not run, every attack would fail, and so every test of the
// runtime would pass.
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
