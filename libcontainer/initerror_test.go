// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

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
			start + `process.capabilities: can't apply capabilities: capset: operation not permitted (effective has ["CAP_KILL"], which permitted has not)`,
		},
		{nsenter.ErrInitGone, "init process is gone"},
	} {
		if got := describeInitError(tc.err, phrase, joined, false, p); got.Error() != tc.want || !errors.Is(got, tc.err) {
			t.Errorf("got  %v\nwant %s", got, tc.want)
		}
	}
}

// TestExplainMaps runs where all ids are mapped to themselves, or are root's alone: the
// last id is in no map.
func TestExplainMaps(t *testing.T) {
	cfg := &configs.Config{
		Namespaces:  configs.Namespaces{{Type: configs.NewUser}},
		UIDMappings: []configs.IDMap{{HostID: 0, Size: 1}},
		GIDMappings: []configs.IDMap{{HostID: 0, Size: 1}, {ContainerID: 1, HostID: 1<<32 - 2, Size: 1}},
	}
	eperm := fmt.Errorf("start init: %w", unix.EPERM)
	if got := explainMaps(eperm, cfg); got != eperm { //nolint:errorlint // it is to be left alone
		t.Errorf("maps that are fine: %v", got)
	}
	cfg.GIDMappings[1].Size = 2
	got := explainMaps(eperm, cfg)
	const want = "linux.gidMappings[1]: start init: operation not permitted (the user namespace that berth runs in does not have all of the 2 host ids from 4294967294 on)"
	if got.Error() != want || !errors.Is(got, unix.EPERM) {
		t.Errorf("got  %v\nwant %s", got, want)
	}
	for _, err := range []error{nil, unix.EACCES} {
		if got := explainMaps(err, cfg); !errors.Is(got, err) || got != nil && got.Error() != err.Error() {
			t.Errorf("%v became %v", err, got)
		}
	}
	cfg.Namespaces = nil
	if got := explainMaps(eperm, cfg); got.Error() != eperm.Error() {
		t.Errorf("without a user namespace: %v", got)
	}
}

func TestInOneRow(t *testing.T) {
	m := []configs.IDMap{{ContainerID: 0, HostID: 500, Size: 1}, {ContainerID: 1, HostID: 1000, Size: 10}}
	for _, tc := range []struct {
		first, size uint32
		want        bool
	}{
		{0, 1, true},
		{0, 2, false},
		{1, 10, true},
		{5, 6, true},
		{5, 7, false},
		{11, 1, false},
		{1<<32 - 1, 1<<32 - 1, false},
	} {
		if got := inOneRow(m, tc.first, tc.size); got != tc.want {
			t.Errorf("%d ids from %d on: %v", tc.size, tc.first, got)
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
			{configs.Capabilities{Effective: netRaw | kill, Permitted: kill}, false, `effective has ["CAP_NET_RAW"], which permitted has not`},
			{configs.Capabilities{Inheritable: netRaw | kill, Permitted: netRaw, Bounding: netRaw}, true, `inheritable has ["CAP_KILL"], which bounding has not`},
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

// withoutNetRaw runs f on a thread that has not CAP_NET_RAW, and ends with f.
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
