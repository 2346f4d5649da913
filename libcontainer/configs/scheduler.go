// SPDX-License-Identifier: Apache-2.0

package configs

// Scheduler is process.scheduler, with the numbers of sched_setattr(2).
type Scheduler struct {
	// Policy is SCHED_OTHER, SCHED_FIFO, ….
	Policy uint32
	// Flags are SCHED_FLAG_*.
	Flags uint64
	// Nice is used by SCHED_OTHER and SCHED_BATCH.
	Nice int32
	// Priority is used by SCHED_FIFO and SCHED_RR.
	Priority uint32
	// Runtime, Deadline and Period are in nanoseconds, for SCHED_DEADLINE.
	Runtime, Deadline, Period uint64
}

// IOPriority is process.ioPriority (ioprio_set(2)).
type IOPriority struct {
	// Class is IOPRIO_CLASS_RT (1), _BE (2) or _IDLE (3).
	Class int
	// Level is 0 (highest) to 7.
	Level int
}

// Value returns the number that ioprio_set(2) takes.
func (p IOPriority) Value() int { return p.Class<<13 | p.Level }

// CPUAffinity is process.execCPUAffinity: the CPUs on which a process added by exec may run,
// before (Initial) and after (Final) it has entered the cgroup. An empty set does not change
// the affinity.
type CPUAffinity struct {
	Initial, Final BitSet
}

// BitSet is a set of CPU or NUMA node numbers in the form of the kernel's masks: number n is
// bit n%64 of word n/64. It is as long as its highest member needs.
type BitSet []uint64

// Add adds n to the set.
func (s *BitSet) Add(n int) {
	for len(*s) <= n/64 {
		*s = append(*s, 0)
	}
	(*s)[n/64] |= 1 << (n % 64)
}

// Has reports whether n is in the set.
func (s BitSet) Has(n int) bool {
	return n >= 0 && n/64 < len(s) && s[n/64]&(1<<(n%64)) != 0
}

// Personality is linux.personality: the argument of personality(2).
type Personality struct {
	// Domain is PER_LINUX or PER_LINUX32.
	Domain uint64
}

// MemoryPolicy is linux.memoryPolicy, with the numbers of set_mempolicy(2).
type MemoryPolicy struct {
	// Mode is MPOL_*, and Flags are MPOL_F_*. The call takes their OR.
	Mode, Flags int
	// Nodes is the node mask. It is empty if the mode takes none.
	Nodes BitSet
}
