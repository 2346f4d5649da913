// SPDX-License-Identifier: Apache-2.0

package attr

import (
	"errors"
	"fmt"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// SetPriorities gives a process the scheduler and the I/O priority of the plan. Not the
// process itself does it: in a user namespace it has no right to what needs
// CAP_SYS_NICE. One that forks before it runs the program has no use for a scheduler that
// its child does not inherit.
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

// InheritsScheduler says whether a child has that scheduler of its parent (sched(7)). A process
// with a deadline may not even fork.
func InheritsScheduler(s *configs.Scheduler) bool {
	return s == nil || s.Policy != unix.SCHED_DEADLINE && s.Flags&unix.SCHED_FLAG_RESET_ON_FORK == 0
}

// SetScheduler sets the scheduling policy of a process; nil leaves it.
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
			// sched(7): not for a process that is kept to some of the CPUs.
			err = fmt.Errorf("%w (%s)", err, configs.PhraseSchedulerAndCPUs)
		}
		return fmt.Errorf("process.scheduler: %s: sched_setattr: %w", configs.PhraseSetScheduler, err)
	}
	return nil
}
