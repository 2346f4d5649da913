// SPDX-License-Identifier: Apache-2.0

package attr

import (
	"errors"
	"fmt"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// SetPriorities sets the scheduler and the I/O priority of a process to those of the plan. The
// process does not do it itself: in a user namespace it may not do what needs CAP_SYS_NICE. If
// it forks before it runs the program, a scheduler that its child does not inherit is not set.
func SetPriorities(pid int, p *configs.Process, forks bool) error {
	if !forks || InheritsScheduler(p.Scheduler) {
		if err := SetScheduler(pid, p.Scheduler); err != nil {
			return err
		}
	}
	if io := p.IOPriority; io != nil {
		const whoProcess = 1 // IOPRIO_WHO_PROCESS
		if _, _, errno := unix.Syscall(unix.SYS_IOPRIO_SET, whoProcess, uintptr(pid), uintptr(io.Value())); errno != 0 {
			return fmt.Errorf("process.ioPriority: ioprio_set: %w", errno)
		}
	}
	return nil
}

// InheritsScheduler reports whether a child inherits that scheduler from its parent (sched(7)).
// A process with a deadline may not even fork.
func InheritsScheduler(s *configs.Scheduler) bool {
	return s == nil || s.Policy != unix.SCHED_DEADLINE && s.Flags&unix.SCHED_FLAG_RESET_ON_FORK == 0
}

// SetScheduler sets the scheduling policy of a process. If s is nil, it does nothing.
func SetScheduler(pid int, s *configs.Scheduler) error {
	if s == nil {
		return nil
	}
	attr := &unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: s.Policy, Flags: s.Flags, Nice: s.Nice, Priority: s.Priority,
		Runtime: s.Runtime, Deadline: s.Deadline, Period: s.Period,
	}
	if err := unix.SchedSetAttr(pid, attr, 0); err != nil {
		if errors.Is(err, unix.EPERM) && s.Policy == unix.SCHED_DEADLINE {
			// sched(7): not for a process that is restricted to some of the CPUs.
			err = fmt.Errorf("%w (%s)", err, configs.PhraseSchedulerAndCPUs)
		}
		return fmt.Errorf("process.scheduler: %s: sched_setattr: %w", configs.PhraseSetScheduler, err)
	}
	return nil
}
