// SPDX-License-Identifier: Apache-2.0

package attr

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// sleeper starts a process to set priorities of. It ends with the test.
func sleeper(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("/bin/sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process.Pid
}

// nicer returns a nice value that any user who runs the tests may set: it is not below the
// present one.
func nicer(t *testing.T) int32 {
	t.Helper()
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return min(attr.Nice+7, 19)
}

func TestSetPriorities(t *testing.T) {
	pid, nice := sleeper(t), nicer(t)
	p := &configs.Process{
		Scheduler:  &configs.Scheduler{Policy: unix.SCHED_BATCH, Nice: nice, Flags: unix.SCHED_FLAG_RESET_ON_FORK},
		IOPriority: &configs.IOPriority{Class: 2, Level: 6},
	}
	if err := SetPriorities(pid, p, false); err != nil {
		t.Fatal(err)
	}
	attr, err := unix.SchedGetAttr(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	if attr.Policy != unix.SCHED_BATCH || attr.Nice != nice || attr.Flags&unix.SCHED_FLAG_RESET_ON_FORK == 0 {
		t.Errorf("attributes %+v", attr)
	}
	if io, _, _ := unix.Syscall(unix.SYS_IOPRIO_GET, 1, uintptr(pid), 0); io != 2<<13|6 {
		t.Errorf("I/O priority %#x", io)
	}
}

// A process that forks only gets what its child inherits.
func TestSetPrioritiesOfOneThatForks(t *testing.T) {
	for _, tc := range []struct {
		s    configs.Scheduler
		want uint32
	}{
		{configs.Scheduler{Policy: unix.SCHED_BATCH}, unix.SCHED_BATCH},
		{configs.Scheduler{Policy: unix.SCHED_BATCH, Flags: unix.SCHED_FLAG_RESET_ON_FORK}, unix.SCHED_NORMAL},
		{configs.Scheduler{Policy: unix.SCHED_DEADLINE}, unix.SCHED_NORMAL},
	} {
		pid := sleeper(t)
		tc.s.Nice = nicer(t)
		if err := SetPriorities(pid, &configs.Process{Scheduler: &tc.s}, true); err != nil {
			t.Fatal(err)
		}
		if attr, err := unix.SchedGetAttr(pid, 0); err != nil || attr.Policy != tc.want {
			t.Errorf("%+v: policy %d, %v", tc.s, attr.Policy, err)
		}
	}
}

func TestSetPrioritiesFails(t *testing.T) {
	pid := sleeper(t)
	for _, tc := range []struct {
		p    configs.Process
		want string
	}{
		// The kernel has reserved the number of SCHED_ISO and refuses it.
		{configs.Process{Scheduler: &configs.Scheduler{Policy: 4}}, "process.scheduler: error setting scheduler: sched_setattr: invalid argument"},
		{configs.Process{IOPriority: &configs.IOPriority{Class: 5}}, "process.ioPriority: ioprio_set: invalid argument"},
	} {
		if err := SetPriorities(pid, &tc.p, false); err == nil || err.Error() != tc.want {
			t.Errorf("error %v, want %s", err, tc.want)
		}
	}
}

func TestCheckLabels(t *testing.T) {
	for _, tc := range []struct {
		have bool
		p    configs.Process
		want string
	}{
		{HaveAppArmor(), configs.Process{AppArmorProfile: "x"}, "process.apparmorProfile: apparmor failed to apply profile: AppArmor is not enabled"},
		{HaveSELinux(), configs.Process{SELinuxLabel: "x"}, "process.selinuxLabel: selinux label is specified in config, but selinux is disabled or not supported: SELinux is not enabled"},
		{true, configs.Process{}, ""},
	} {
		err := CheckLabels(&tc.p)
		if tc.have != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("kernel has it: %v; error %v", tc.have, err)
		}
	}
}

func TestIsPolicyLabel(t *testing.T) {
	for label, want := range map[string]bool{
		"system_u:system_r:kernel_t:s0\x00": true, "u:r:t": true, "kernel\x00": false, "init\x00": false, "": false, ":": false,
	} {
		if got := isPolicyLabel([]byte(label)); got != want {
			t.Errorf("%q: %v", label, got)
		}
	}
}

// A label for mounts, unlike one for the process, is not an error without SELinux.
func TestMountLabel(t *testing.T) {
	got := MountLabel(&configs.Config{MountLabel: configs.MountLabel{Label: "x"}})
	if (got.Label == "x") != HaveSELinux() {
		t.Errorf("label %+v, SELinux %v", got, HaveSELinux())
	}
	if got := MountLabel(&configs.Config{}); got.Label != "" {
		t.Errorf("label %+v of none", got)
	}
}
