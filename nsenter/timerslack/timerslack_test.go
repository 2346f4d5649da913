// SPDX-License-Identifier: Apache-2.0

package timerslack

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// init keeps TestMain on the main thread, which Relax leaves alone.
func init() { runtime.LockOSThread() }

// before is the timer slack of the main thread.
var before int

func TestMain(m *testing.M) {
	before, _ = unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	Relax()
	os.Exit(m.Run())
}

// TestRelax: the monitor thread has another timer slack, and the main thread has not.
func TestRelax(t *testing.T) {
	all := slacks(t)
	relaxes := slices.Contains(all, relaxed)
	if !relaxes && os.Geteuid() == 0 {
		t.Errorf("no thread has the timer slack %s: %q", relaxed, all)
	}
	if relaxes && all[1] != relaxed {
		t.Errorf("not the second thread has it: %q", all)
	}
	if relaxes != (inherited != 0) {
		t.Errorf("inherited is %d, and the threads have %q", inherited, all)
	}
	main, err := os.ReadFile("/proc/self/timerslack_ns")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(main)); got == relaxed {
		t.Errorf("the main thread has the timer slack %s", got)
	}
}

// slacks returns the timer slack of each thread of this process.
func slacks(t *testing.T) []string {
	t.Helper()
	threads, err := filepath.Glob("/proc/self/task/*")
	if err != nil || len(threads) == 0 {
		t.Fatal(threads, err)
	}
	var all []string
	for _, thread := range threads {
		text, err := os.ReadFile("/proc/" + filepath.Base(thread) + "/timerslack_ns")
		if err == nil { // Go may have ended the thread
			all = append(all, strings.TrimSpace(string(text)))
		}
	}
	return all
}

// TestRestore: a child gets the timer slack of this process's parent, even from a thread that
// has another one.
func TestRestore(t *testing.T) {
	if inherited == 0 {
		t.Skip("requires CAP_SYS_NICE")
	}
	runtime.LockOSThread() // and never unlocked
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 2000000, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	child := func() int {
		out, err := exec.Command("cat", "/proc/self/timerslack_ns").Output()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, c := range strings.TrimSpace(string(out)) {
			n = 10*n + int(c-'0')
		}
		return n
	}
	if got := child(); got != 2000000 {
		t.Fatalf("without Restore a child has %d", got)
	}
	Restore()
	if got := child(); got != before {
		t.Errorf("a child has %d, want %d", got, before)
	}
}
