// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestAwaitKilled: a process that does not end in time is an error, which names it.
func TestAwaitKilled(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	pidfd := os.NewFile(uintptr(fd), "process 7")
	defer pidfd.Close()
	if err := awaitKilled(pidfd, time.Now()); err == nil || !strings.HasPrefix(err.Error(), "process 7, ") {
		t.Errorf("a process that runs: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := awaitKilled(pidfd, time.Now().Add(time.Minute)); err != nil {
		t.Errorf("one that ends: %v", err)
	}
	_ = cmd.Wait()
}
