// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/fault"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// number is a name of the runtime-spec with the kernel's number.
type number[T ~string] struct {
	name  T
	value uint64
}

// lookup returns the number for a name in a table.
func lookup[T ~string](table []number[T], name T) (uint64, bool) {
	i := slices.IndexFunc(table, func(n number[T]) bool { return n.name == name })
	if i < 0 {
		return 0, false
	}
	return table[i].value, true
}

// names returns the names of a table, sorted.
func names[T ~string](table []number[T]) []string {
	all := make([]string, 0, len(table))
	for _, n := range table {
		all = append(all, string(n.name))
	}
	slices.Sort(all)
	return all
}

// flagSum ORs the values of flags. Its errors begin with phrase.
func flagSum[T ~string](table []number[T], field string, flags []T, phrase string) (uint64, error) {
	var errs fault.List
	var sum uint64
	for i, f := range flags {
		v, ok := lookup(table, f)
		if !ok {
			errs.Add(fault.New(fault.Element(field, i), "%s: %s: unknown flag", phrase, f))
		}
		sum |= v
	}
	return sum, errs.Err()
}

// schedISO is reserved by the kernel and not in x/sys.
const schedISO = 4

var schedulerPolicies = []number[specs.LinuxSchedulerPolicy]{
	{specs.SchedOther, unix.SCHED_NORMAL},
	{specs.SchedFIFO, unix.SCHED_FIFO},
	{specs.SchedRR, unix.SCHED_RR},
	{specs.SchedBatch, unix.SCHED_BATCH},
	{specs.SchedISO, schedISO},
	{specs.SchedIdle, unix.SCHED_IDLE},
	{specs.SchedDeadline, unix.SCHED_DEADLINE},
}

var schedulerFlags = []number[specs.LinuxSchedulerFlag]{
	{specs.SchedFlagResetOnFork, unix.SCHED_FLAG_RESET_ON_FORK},
	{specs.SchedFlagReclaim, unix.SCHED_FLAG_RECLAIM},
	{specs.SchedFlagDLOverrun, unix.SCHED_FLAG_DL_OVERRUN},
	{specs.SchedFlagKeepPolicy, unix.SCHED_FLAG_KEEP_POLICY},
	{specs.SchedFlagKeepParams, unix.SCHED_FLAG_KEEP_PARAMS},
	{specs.SchedFlagUtilClampMin, unix.SCHED_FLAG_UTIL_CLAMP_MIN},
	{specs.SchedFlagUtilClampMax, unix.SCHED_FLAG_UTIL_CLAMP_MAX},
}

// scheduler checks process.scheduler. Values that the policy does not use are errors: the
// kernel would ignore some of them and refuse others. For nice there is only a warning: the
// kernel ignores it, and many configs were written by just changing the policy.
func scheduler(p *specs.Process, plan *configs.Process, o *Options) error {
	s := p.Scheduler
	if s == nil {
		return nil
	}
	policy, ok := lookup(schedulerPolicies, s.Policy)
	switch {
	case s.Policy == "":
		return fault.New("scheduler.policy", configs.PhraseNoPolicy)
	case !ok:
		return fault.New("scheduler.policy", "%s: %s", configs.PhrasePolicy, s.Policy)
	}
	var errs fault.List
	errs.Add(schedulerValues(s, policy))
	if s.Nice != 0 && policy != unix.SCHED_NORMAL && policy != unix.SCHED_BATCH {
		o.warn("process.scheduler.nice: has no effect with %s", s.Policy)
	}
	flags, err := flagSum(schedulerFlags, "scheduler.flags", s.Flags, configs.PhraseSchedulerFlag)
	errs.Add(err)
	plan.Scheduler = &configs.Scheduler{
		Policy: uint32(policy), Flags: flags, Nice: s.Nice, Priority: uint32(s.Priority),
		Runtime: s.Runtime, Deadline: s.Deadline, Period: s.Period,
	}
	return errs.Err()
}

// schedulerValues checks the values that a policy has.
func schedulerValues(s *specs.Scheduler, policy uint64) error {
	realtime := policy == unix.SCHED_FIFO || policy == unix.SCHED_RR
	switch {
	case s.Nice < -20 || s.Nice > 19:
		return fault.New("scheduler.nice", "%s: %d, must be between -20 and 19", configs.PhraseNice, s.Nice)
	case s.Priority != 0 && !realtime:
		return fault.New("scheduler.priority", "%s, not for %s", configs.PhrasePriority, s.Policy)
	case realtime && (s.Priority < 1 || s.Priority > 99):
		return fault.New("scheduler.priority", "%s: must be between 1 and 99: %d", configs.PhraseSetScheduler, s.Priority)
	case policy != unix.SCHED_DEADLINE && (s.Runtime != 0 || s.Deadline != 0 || s.Period != 0):
		return fault.New("scheduler", "%s, not for %s", configs.PhraseDeadline, s.Policy)
	case policy == unix.SCHED_DEADLINE:
		return checkDeadline(s)
	}
	return nil
}

// checkDeadline checks the times as the kernel does (sched(7)): runtime <= deadline <= period,
// where a period of 0 stands for the deadline. Other limits depend on the machine and are left
// to the kernel.
func checkDeadline(s *specs.Scheduler) error {
	switch {
	case s.Deadline == 0:
		return fault.New("scheduler.deadline", configs.PhraseSetScheduler+": must not be 0 with %s", s.Policy)
	case s.Runtime == 0:
		return fault.New("scheduler.runtime", configs.PhraseSetScheduler+": must not be 0 with %s", s.Policy)
	case s.Runtime > s.Deadline:
		return fault.New("scheduler.runtime", configs.PhraseSetScheduler+": must be at most the deadline %d: %d", s.Deadline, s.Runtime)
	case s.Period != 0 && s.Deadline > s.Period:
		return fault.New("scheduler.deadline", configs.PhraseSetScheduler+": must be at most the period %d: %d", s.Period, s.Deadline)
	}
	return nil
}

// ioPriorityClasses are the kernel's numbers (ioprio_set(2)).
var ioPriorityClasses = []number[specs.IOPriorityClass]{
	{specs.IOPRIO_CLASS_RT, 1},
	{specs.IOPRIO_CLASS_BE, 2},
	{specs.IOPRIO_CLASS_IDLE, 3},
}

func ioPriority(p *specs.Process, plan *configs.Process, _ *Options) error {
	io := p.IOPriority
	if io == nil {
		return nil
	}
	var errs fault.List
	class, ok := lookup(ioPriorityClasses, io.Class)
	if !ok {
		errs.Add(fault.New("ioPriority.class", "%s: %q", configs.PhraseIOClass, io.Class))
	}
	if io.Priority < 0 || io.Priority > 7 {
		errs.Add(fault.New("ioPriority.priority", "%s: %d, must be between 0 and 7", configs.PhraseIOPriority, io.Priority))
	}
	plan.IOPriority = &configs.IOPriority{Class: int(class), Level: io.Priority}
	return errs.Err()
}

func cpuAffinity(p *specs.Process, plan *configs.Process, _ *Options) error {
	a := p.ExecCPUAffinity
	if a == nil {
		return nil
	}
	var errs fault.List
	initial, err := numberList("execCPUAffinity.initial", a.Initial, configs.PhraseAffinityInitial)
	errs.Add(err)
	final, err := numberList("execCPUAffinity.final", a.Final, configs.PhraseAffinityFinal)
	errs.Add(err)
	if initial != nil || final != nil {
		plan.ExecCPUAffinity = &configs.CPUAffinity{Initial: initial, Final: final}
	}
	return errs.Err()
}

// maxListNumber limits the numbers in a list, because the highest one determines the size of
// the mask. It is eight times the largest NR_CPUS.
const maxListNumber = 1<<16 - 1

// numberList parses the list format of cpuset(7): "0-3,7". An empty list is nil. Errors begin
// with phrase.
func numberList(field, list, phrase string) (configs.BitSet, error) {
	if strings.TrimSpace(list) == "" {
		return nil, nil
	}
	var set configs.BitSet
	for part := range strings.SplitSeq(list, ",") {
		low, high, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			high = low
		}
		from, errFrom := strconv.ParseUint(low, 10, 32)
		to, errTo := strconv.ParseUint(high, 10, 32)
		switch {
		case errFrom != nil || errTo != nil || from > to:
			return nil, fault.New(field, "%s: %q is not a number or range, want a list like 0-3,7", phrase, part)
		case to > maxListNumber:
			return nil, fault.New(field, "%s: number %d is above %d", phrase, to, maxListNumber)
		}
		for n := from; n <= to; n++ {
			set.Add(int(n))
		}
	}
	return set, nil
}
