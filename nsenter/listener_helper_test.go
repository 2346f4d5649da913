// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// onHelperWays runs f where this process may not take init's descriptors: with a gate
// and without, for the first process of a pid namespace and for another one, whose
// helper is this process's child.
func onHelperWays(t *testing.T, f func(t *testing.T, o *Options)) {
	requireInit(t)
	for way, forbidden := range map[string][]uint32{
		"gate": {unix.SYS_PIDFD_GETFD}, "no gate": {unix.SYS_PIDFD_GETFD, unix.SYS_USERFAULTFD},
	} {
		for place, namespaces := range map[string]uintptr{"first": allNew, "another": allNew &^ unix.CLONE_NEWPID} {
			t.Run(way+", "+place, func(t *testing.T) {
				checkLeaks(t)
				onThread(func() {
					for _, nr := range forbidden {
						if err := loadOnThread(filter(nr, refuse(unix.EPERM))); err != nil {
							t.Error(err)
							return
						}
					}
					f(t, &Options{NewNamespaces: namespaces})
				})
			})
		}
	}
}

// The program begins as if there had never been a helper: no child, no zombie, no
// descriptor, and SIGCHLD as it is.
func TestHelperLeavesNothing(t *testing.T) {
	onHelperWays(t, func(t *testing.T, o *Options) {
		a := newAgent(t, func(uint32) unix.Errno { return proceed })
		p := notifying(shell(t, `
			read children </proc/thread-self/children
			echo "children:$children."
			grep -e SigIgn -e SigBlk /proc/self/status
			ls -l /proc/self/fd
			(exit 3)
			echo status $?`), notifyAll(), a.listen)
		p.NoNewPrivileges = true
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
			t.Error("not asked about execve")
		}
	})
}

// A hook's status is not lost where the kernel has reaped the helper.
func TestHelperBeforeHooks(t *testing.T) {
	onHelperWays(t, func(t *testing.T, o *Options) {
		a := newAgent(t, func(uint32) unix.Errno { return proceed })
		p := notifying(shell(t, "true"), notifyAll(), a.listen)
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

// Limits are the program's, and leave room for the helper.
func TestHelperBeforeLimits(t *testing.T) {
	onHelperWays(t, func(t *testing.T, o *Options) {
		a := newAgent(t, func(uint32) unix.Errno { return proceed })
		p := notifying(shell(t, "echo started"), filter(unix.SYS_UNAME, unix.SECCOMP_RET_USER_NOTIF), a.listen)
		p.UID, p.Effective, p.Permitted, p.Bounding = 54321, 0, 0, 0
		p.NoNewPrivileges = true
		p.Rlimits = []Rlimit{{unix.RLIMIT_NPROC, 1, 1}}
		if out := run(t, o, p); out != "started" {
			t.Errorf("output %q", out)
		}
	})
}

// When this process dies the kernel closes what it has: that ends the helper, and lets
// init through.
func TestHelperEndsWithRuntime(t *testing.T) {
	onHelperWays(t, func(t *testing.T, o *Options) {
		i := start(t, o)
		p := notifying(rootPlan(t, "true"), filter(unix.SYS_UNAME, unix.SECCOMP_RET_USER_NOTIF), func(*os.File) error { return nil })
		p.NoNewPrivileges = true
		c, err := i.listenerChannel(p)
		if err != nil || c == nil {
			t.Fatal("no channel", err)
		}
		defer c.close()
		if err := i.sendPlan(p, c); err != nil {
			t.Fatal(err)
		}
		_, files, err := i.receive(wireListener)
		if err != nil {
			t.Fatal(err)
		}
		gate, err := c.adopt(files)
		if err != nil {
			t.Fatal(err)
		}
		c.sock.Close()
		c.helpers.Close()
		closeAll(gate)
		ended := []unix.PollFd{{Fd: int32(c.process.Fd()), Events: unix.POLLIN}}
		within(t, "the helper", func() {
			for n, _ := unix.Poll(ended, -1); n < 1; n, _ = unix.Poll(ended, -1) {
				continue
			}
		})
		if err := c.end(); err != nil { // reaps
			t.Error(err)
		}
		if _, _, err := i.receive(wireReady); err != nil {
			t.Errorf("init: %v", err)
		}
	})
}

// A process of the container may be allowed to kill the helper.
func TestHelperKilled(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	i := start(t, &Options{NewNamespaces: allNew})
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pidfd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := &listenerChannel{
		sock: os.NewFile(uintptr(pair[0]), "channel"), helpers: os.NewFile(uintptr(pair[1]), "other end"),
		process: os.NewFile(uintptr(pidfd), "pidfd"),
	}
	defer c.close()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.listener(i, true); err == nil || !strings.Contains(err.Error(), "helper for the seccomp listener was killed") {
		t.Errorf("error %v", err)
	}
	if err := c.end(); err != nil { // reaps
		t.Error(err)
	}
	if err := cmd.Process.Release(); err != nil {
		t.Error(err)
	}
}
