// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// endHelper is the program that the test binary executes if it is interrupted.
const endHelper = "end"

// heedSignals gives SIGINT and SIGQUIT their default meaning for the runtimes under test. A shell
// starts background jobs with both ignored. Programs inherit this, and a runtime rightly does not
// change it.
//
// When one of the signals arrives, the tests and all processes that they have started are ended.
// The tests execute another program for this, as they would otherwise start more processes in the
// meantime.
func heedSignals() {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, unix.SIGINT, unix.SIGQUIT, unix.SIGHUP, unix.SIGTERM)
	go func() {
		fmt.Fprintln(os.Stderr, "integration:", <-caught)
		err := unix.Exec("/proc/self/exe", []string{os.Args[0], suite.token}, append(os.Environ(), helperEnv+"="+endHelper))
		fmt.Fprintln(os.Stderr, "integration: end:", err)
		os.Exit(1)
	}()
}

// endRun ends the processes of the run with the given token, and removes its cgroups. It runs in
// the process that ran the tests.
func endRun(args []string) error {
	errInterrupted := errors.New("integration: interrupted")
	if suite.token = args[0]; suite.token == "" {
		return errInterrupted // before it had begun
	}
	const tries = 100
	for range tries {
		for _, dir := range cgroupsOf(suite.token) {
			// Frozen processes can only be killed on cgroup v2.
			_ = os.WriteFile(filepath.Join(dir, "freezer.state"), []byte("THAWED"), 0)
		}
		alive, err := endProcesses(0)
		if err != nil {
			return err
		}
		removeCgroupParents()
		if len(alive) == 0 && len(cgroupsOf(suite.token)) == 0 {
			return errInterrupted
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%w, and there still are %q", errInterrupted, cgroupsOf(suite.token))
}
