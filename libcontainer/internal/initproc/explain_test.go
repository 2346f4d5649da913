// SPDX-License-Identifier: Apache-2.0

package initproc

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

func TestExplainKernel(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{&os.PathError{Op: "fsopen", Path: "proc", Err: unix.ENOSYS}, true},
		{&nsenter.StepError{Step: nsenter.StepMemoryPolicy, Errno: unix.ENOSYS}, false},
		{unix.EPERM, false},
	} {
		err := ExplainKernel(tt.err)
		if got := strings.Contains(err.Error(), "Linux 5.10"); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%v: got %v", tt.err, err)
		}
	}
}

func TestDescribeInitError(t *testing.T) {
	const (
		phrase = "unable to start container process"
		start  = phrase + ": "
	)
	joined := configs.Namespaces{
		{Type: configs.NewUTS},
		{Type: configs.NewNet, Path: "/n", Field: "linux.namespaces[1].path"},
	}
	p := &configs.Process{UID: 5, GID: 6, AdditionalGIDs: []uint32{7, 8}}
	p.Capabilities.Effective = 1 << unix.CAP_KILL
	p.Rlimits = []configs.Rlimit{{Name: "RLIMIT_CORE", Resource: unix.RLIMIT_CORE}, {Name: "RLIMIT_NOFILE", Resource: unix.RLIMIT_NOFILE}}
	step := func(step string, errno unix.Errno) error { return &nsenter.StepError{Step: step, Errno: errno} }
	for _, tc := range []struct {
		err  error
		want string
	}{
		{
			step(nsenter.StepMemoryPolicy, unix.ENOSYS),
			start + "linux.memoryPolicy: set_mempolicy: function not implemented (the kernel has no NUMA support)",
		},
		{step(nsenter.StepPersonality, unix.EPERM), start + "linux.personality: personality: operation not permitted"},
		{
			step(nsenter.StepUnshare, unix.ENOSPC),
			start + "linux.namespaces: unshare: no space left on device (a limit of /proc/sys/user/max_*_namespaces is reached)",
		},
		{
			step(nsenter.StepSetuid, unix.EINVAL),
			start + "process.user.uid: setuid: invalid argument (5 is not mapped in the user namespace)",
		},
		{
			step(nsenter.StepSetgid, unix.EINVAL),
			start + "process.user.gid: setgid: invalid argument (6 is not mapped in the user namespace)",
		},
		{
			step(nsenter.StepSetgroups, unix.EINVAL),
			start + "process.user.additionalGids: setgroups: invalid argument (not all of [7 8] are mapped in the user namespace)",
		},
		{
			step(nsenter.StepSetgroups, unix.EPERM),
			start + "process.user.additionalGids: setgroups: operation not permitted (the user namespace may deny it: see /proc/PID/setgroups in user_namespaces(7))",
		},
		{
			&nsenter.StepError{Step: nsenter.StepJoin, Detail: "/n", Errno: unix.EPERM},
			start + "linux.namespaces[1].path: setns /n: operation not permitted",
		},
		{&nsenter.StepError{Step: nsenter.StepJoin, Detail: "/other", Errno: unix.EPERM}, start + "setns /other: operation not permitted"},
		{&nsenter.StepError{Step: "chdir", Detail: "/x", Errno: unix.ENOENT}, start + "chdir /x: no such file or directory"},
		{
			step(nsenter.StepBounding, unix.EPERM),
			start + "process.capabilities.bounding: drop bounding capability: operation not permitted (berth needs CAP_SETPCAP to drop any)",
		},
		{
			step(nsenter.StepCapset, unix.EPERM),
			start + `process.capabilities: can't apply capabilities: capset: operation not permitted (effective has ["CAP_KILL"], which permitted does not have)`,
		},
		{
			&nsenter.StepError{Step: nsenter.StepRlimit, Detail: "7", Errno: unix.EPERM},
			start + "process.rlimits[1]: RLIMIT_NOFILE: error setting rlimits for ready process: error setting rlimit type 7: set resource limit 7: operation not permitted",
		},
		{nsenter.ErrInitGone, "init process is gone"},
	} {
		if got := Describe(tc.err, phrase, joined, nil, p, nil); got.Error() != tc.want || !errors.Is(got, tc.err) {
			t.Errorf("got  %v\nwant %s", got, tc.want)
		}
	}
}

func TestCapabilitiesReason(t *testing.T) {
	const netRaw, kill = 1 << unix.CAP_NET_RAW, 1 << unix.CAP_KILL
	withoutNetRaw(t, func() {
		for _, tc := range []struct {
			caps   configs.Capabilities
			mapped bool
			want   string
		}{
			{configs.Capabilities{Effective: netRaw | kill, Permitted: kill}, false, `effective has ["CAP_NET_RAW"], which permitted does not have`},
			{configs.Capabilities{Inheritable: netRaw | kill, Permitted: netRaw, Bounding: netRaw}, true, `inheritable has ["CAP_KILL"], which bounding does not have`},
			{configs.Capabilities{Permitted: netRaw}, false, `berth itself does not have ["CAP_NET_RAW"]`},
			{configs.Capabilities{Inheritable: netRaw, Bounding: netRaw}, false, `berth itself does not have ["CAP_NET_RAW"]`},
			{configs.Capabilities{Permitted: netRaw}, true, ""},
			{configs.Capabilities{}, false, ""},
		} {
			if got := capabilitiesReason(&tc.caps, tc.mapped); got != tc.want {
				t.Errorf("%+v, mapped %t: %q, want %q", tc.caps, tc.mapped, got, tc.want)
			}
		}
	})
}

// withoutNetRaw runs f on a thread that does not have CAP_NET_RAW. The thread ends with f.
func withoutNetRaw(t *testing.T, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock it
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var sets [2]unix.CapUserData
		if err := unix.Capget(&header, &sets[0]); err != nil {
			t.Errorf("capget: %v", err)
			return
		}
		const netRaw = 1 << unix.CAP_NET_RAW
		sets[0].Effective &^= netRaw
		sets[0].Permitted &^= netRaw
		if err := unix.Capset(&header, &sets[0]); err != nil {
			t.Errorf("capset: %v", err)
			return
		}
		f()
	}()
	<-done
}
