/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How init gets into a pid namespace: only its children can be born there. The runtime learns the
 * child's pid from the kernel, which adds it to what the child says (SO_PASSCRED).
 *
 * In a pid namespace that is new nobody else is. One that is joined has processes, which may trace
 * who appears there if they have the right (CAP_SYS_PTRACE), whatever PR_SET_DUMPABLE says. So init
 * appears there when it has become what the container may see: with its root and its rights, and
 * with nothing of the host's in its memory or its descriptors. It does what is left as one of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"
#include "kernel.h"

/* The child is the runtime's, as init is, and shares the descriptors with a helper, if any. */
static void fork_sibling(int has_helper, uint64_t password)
{
	unsigned long flags = CLONE_PARENT | SIGCHLD | (has_helper ? CLONE_FILES : 0);
	long pid = syscall(SYS_clone, flags, 0, 0, 0, 0, password);

	if (pid < 0)
		die(STEP_FORK, errno, 0, NULL);
	/* A filter is asked about this one as well, and its answer changes nothing. */
	if (pid > 0)
		_exit(0);
}

/*
 * Goes on as the first process of the pid namespace that was unshared. proc is the procfs of the
 * host, where the child has another directory.
 */
void go_on_as_first(int proc, int *proc_self, int has_helper)
{
	fork_sibling(has_helper, 0);
	report(WIRE_FORKED, NULL, 0);
	close(*proc_self);
	*proc_self = openat(proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*proc_self < 0)
		die(STEP_PROC, errno, 0, "/proc/self");
}

/*
 * Init became undumpable at its beginning, but a change of ids has set that to what the sysctl
 * fs.suid_dumpable says. A user of the container with the same id needs no more to trace it.
 */
void stay_undumpable(void)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		die(STEP_FORK, errno, 0, "PR_SET_DUMPABLE");
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		die(STEP_FORK, EPERM, 0, "PR_GET_DUMPABLE");
}

/* Goes on in the pid namespace that was joined. */
void go_on_last(int has_helper, uint64_t password)
{
	fork_sibling(has_helper, password);
	report(WIRE_FORKED, NULL, 0);
}
