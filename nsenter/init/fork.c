/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How init gets into a pid namespace: only its children can be in it. The runtime learns the
 * child's pid from the kernel, which adds it to the child's message (SO_PASSCRED).
 *
 * A new pid namespace is empty. A joined one has other processes. With CAP_SYS_PTRACE these may
 * trace init as soon as it appears there, whatever PR_SET_DUMPABLE says. So init appears there only
 * with the root and the rights of the container, and without anything of the host in its memory or
 * its descriptors. It does the rest of its work as a process of the container.
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

/*
 * The child is a child of the runtime, like init, and shares the descriptors with a helper, if any.
 */
static void fork_sibling(int has_helper, uint64_t password)
{
	unsigned long flags = CLONE_PARENT | SIGCHLD | (has_helper ? CLONE_FILES : 0);
	long pid = syscall(SYS_clone, flags, 0, 0, 0, 0, password);

	if (pid < 0)
		die(STEP_FORK, errno, 0, NULL);
	/* A filter applies to this call as well, but its result does not matter. */
	if (pid > 0)
		_exit(0);
}

/*
 * Goes on as the first process of the unshared pid namespace. proc is the host's procfs, in which
 * the child has another directory.
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
 * Init became undumpable at its beginning, but a change of ids has reset that to the sysctl
 * fs.suid_dumpable. If this allows it, any user of the container with the same id can trace init.
 */
void stay_undumpable(void)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		die(STEP_FORK, errno, 0, "PR_SET_DUMPABLE");
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		die(STEP_FORK, EPERM, 0, "PR_GET_DUMPABLE");
}

/* Goes on in the joined pid namespace. */
void go_on_last(int has_helper, uint64_t password)
{
	fork_sibling(has_helper, password);
	report(WIRE_FORKED, NULL, 0);
}
