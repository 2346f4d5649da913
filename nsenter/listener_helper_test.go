// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The program starts as if there had never been a helper: without a child, a zombie or a
// descriptor, and with SIGCHLD unchanged.
func TestHelperLeavesNothing(t *testing.T) {
	onListenerWays(t, func(t *testing.T, nnp bool, o *Options) {
		a := newAgent(t, func(uint32) unix.Errno { return proceed })
		p := notifying(shell(t, `
			read children </proc/thread-self/children
			echo "children:$children."
			grep -e SigIgn -e SigBlk /proc/self/status
			ls -l /proc/self/fd
			(exit 3)
			echo status $?`), notifyAll(), a.listen)
		p.NoNewPrivileges = nnp
		out := run(t, o, p)
		for _, unwanted := range []string{"seccomp", "socket:", "pidfd", "userfaultfd"} {
			if strings.Contains(out, unwanted) {
				t.Errorf("the program has %s: %q", unwanted, out)
			}
		}
		for _, wanted := range []string{"children:.", "SigIgn:\t0000000000000000", "SigBlk:\t0000000000000000", "status 3"} {
			if !strings.Contains(out, wanted) {
				t.Errorf("no %q in %q", wanted, out)
			}
		}
		if !slices.Contains(a.numbers(), unix.SYS_EXECVE) {
			t.Error("the agent was not asked about execve")
		}
	})
}

// A hook's status is not lost, even if the kernel has reaped the helper.
func TestHelperBeforeHooks(t *testing.T) {
	onListenerWays(t, func(t *testing.T, nnp bool, o *Options) {
		a := newAgent(t, func(uint32) unix.Errno { return proceed })
		p := notifying(shell(t, "true"), notifyAll(), a.listen)
		p.NoNewPrivileges = nnp
		p.Hooks = []Hook{{Path: "/bin/true"}, {Path: "/bin/sh", Args: []string{"sh", "-c", "exit 7"}}}
		i := start(t, o)
		if err := i.Configure(p); err != nil {
			t.Fatal(err)
		}
		if err := i.Proceed(); err == nil || !strings.Contains(err.Error(), "/bin/sh: exit status 7") {
			t.Errorf("Proceed: %v", err)
		}
	})
}

// Resource limits apply to the program, and do not prevent the helper.
func TestHelperBeforeLimits(t *testing.T) {
	onListenerWays(t, func(t *testing.T, nnp bool, o *Options) {
		a := newAgent(t, func(uint32) unix.Errno { return proceed })
		p := notifying(shell(t, "echo started"), filter(unix.SYS_UNAME, unix.SECCOMP_RET_USER_NOTIF), a.listen)
		p.UID, p.Effective, p.Permitted, p.Bounding = 54321, 0, 0, 0
		p.NoNewPrivileges = nnp
		p.Rlimits = []Rlimit{{unix.RLIMIT_NPROC, 1, 1}}
		if out := run(t, o, p); out != "started" {
			t.Errorf("output %q", out)
		}
	})
}

// When this process dies, the kernel closes its descriptors, which ends the helper.
func TestHelperEndsWithRuntime(t *testing.T) {
	onListenerWays(t, func(t *testing.T, _ bool, o *Options) {
		i := start(t, o)
		if err := i.helper.ours.Close(); err != nil {
			t.Fatal(err)
		}
		i.helper.ours = nil
		ended := []unix.PollFd{{Fd: int32(i.helper.process.Fd()), Events: unix.POLLIN}}
		within(t, "the helper", func() {
			for n, _ := unix.Poll(ended, -1); n < 1; n, _ = unix.Poll(ended, -1) {
				continue
			}
		})
	})
}

// The helper may be killed.
func TestHelperKilled(t *testing.T) {
	onListenerWays(t, func(t *testing.T, nnp bool, o *Options) {
		i := start(t, o)
		if err := unix.PidfdSendSignal(int(i.helper.process.Fd()), unix.SIGKILL, nil, 0); err != nil {
			t.Fatal(err)
		}
		p := notifying(rootPlan(t, "true"), filter(unix.SYS_UNAME, unix.SECCOMP_RET_USER_NOTIF), func(*os.File) error { return nil })
		p.NoNewPrivileges = nnp
		within(t, "Configure", func() {
			if err := i.Configure(p); err == nil || !strings.Contains(err.Error(), "helper for the seccomp listener was killed") {
				t.Errorf("error %v", err)
			}
		})
	})
}

func TestListenerWithoutHelper(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	p := notifying(rootPlan(t, "true"), notifyAll(), func(*os.File) error { return nil })
	if err := start(t, &Options{NewNamespaces: allNew}).Configure(p); err == nil || !strings.Contains(err.Error(), "without Notifies") {
		t.Errorf("error %v", err)
	}
}
