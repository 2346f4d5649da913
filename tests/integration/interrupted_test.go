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

// endHelper is the program that an interrupted run of the tests turns into.
const endHelper = "end"

// heedSignals gives the runtimes under test the default meaning of signals. A shell
// starts jobs in the background with two of them ignored, which programs inherit from
// program to program, and which a runtime rightly leaves so.
//
// When one comes, the tests end with all that they have started. They become another
// program for it, as tests would start more meanwhile.
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

// endRun ends the processes of a run with the given token, and removes its cgroups. Its
// process is that of the tests.
func endRun(args []string) error {
	errInterrupted := errors.New("integration: interrupted")
	if suite.token = args[0]; suite.token == "" {
		return errInterrupted // before it had begun
	}
	const tries = 100
	for range tries {
		for _, dir := range cgroupsOf(suite.token) {
			// What is frozen dies on cgroup v2 only.
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
