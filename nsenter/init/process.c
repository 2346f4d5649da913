/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes that the kernel keeps per thread through an exec, and that only the thread itself can
 * change.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"

/* More CPUs than the largest NR_CPUS. The kernel ignores those it does not have. */
#define CPUS 8192

/*
 * Uses every CPU that the cgroup allows. Otherwise an engine that was started on a few CPUs would
 * confine all its containers to them. An outer filter may forbid the call. Then init keeps its
 * CPUs, like everything else in that place.
 */
void reset_affinity(void)
{
	unsigned char all[CPUS / 8];

	memset(all, 0xff, sizeof(all));
	if (syscall(SYS_sched_setaffinity, 0, sizeof(all), all) < 0 && errno != EPERM &&
	    errno != ENOSYS)
		die(STEP_AFFINITY, errno, 0, NULL);
}

void set_personality(const struct plan *p)
{
	if (!(p->wire->flags & WIRE_PERSONALITY))
		return;
	if (syscall(SYS_personality, (unsigned long)p->wire->personality) < 0)
		die(STEP_PERSONALITY, errno, 0, NULL);
}

/* The kernel's "maxnode" is one more than the number of bits, and 0 for no mask at all. */
void set_memory_policy(const struct plan *p)
{
	const struct wire_plan *w = p->wire;
	unsigned long words = w->memory_nodes.count;

	if (!(w->flags & WIRE_MEMORY_POLICY))
		return;
	if (syscall(SYS_set_mempolicy, (int)w->memory_policy, words > 0 ? p->memory_nodes : NULL,
		    words > 0 ? words * 64 + 1 : 0) < 0)
		die(STEP_MEMORY_POLICY, errno, 0, NULL);
}
