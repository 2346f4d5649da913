/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the runtime may not take the listener out of init itself (listener.c), this does: a copy of
 * init that shares its table of descriptors. To copy a descriptor of init's takes the right to
 * trace it, and init is dumpable for nobody: a user without root's rights has none over an init
 * that has joined a user namespace, nor has root in a container without CAP_SYS_PTRACE.
 *
 * It is made before the load, so that the filter is not its, and has nothing of init's to wait for.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"
#include "kernel.h"

/* How often it looks before it takes a nap between any two looks. */
#define BRIEFLY 1000

/* Set once the kernel reaps children by itself. */
static int unwaited;

/* Whether the descriptor is a listener: it has no notification 0; others know no such call. */
static int is_listener(int fd)
{
	uint64_t id = 0;

	return syscall(SYS_ioctl, fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0 && errno == ENOENT;
}

/*
 * Sends the descriptor of that number when it is the listener. What is said on the channel, its end
 * included, makes this look for the last time: that init stands at the gate, or is dead.
 *
 * Without a gate nobody can say the former, and init itself has no way to tell that would be no
 * system call. So it is looked for again and again: for the microseconds that a load takes, and
 * then, since a cgroup may stop init in the midst of it, every millisecond.
 */
_Noreturn static void help(int number, int channel, int gated)
{
	struct pollfd said = {.fd = channel, .events = POLLIN};

	for (unsigned looks = 0;; looks++) {
		int n = poll(&said, 1, gated ? -1 : looks > BRIEFLY);

		if (n < 0 && errno != EINTR)
			_exit(1);
		if (is_listener(number)) {
			report_to(channel);
			report(WIRE_LISTENER, &number, 1);
			_exit(0);
		}
		if (n > 0)
			_exit(1);
		sched_yield();
	}
}

static void reap_children(int flags)
{
	struct sigaction action = {.sa_flags = flags};

	action.sa_handler = SIG_DFL;
	if (sigaction(SIGCHLD, &action, NULL) < 0)
		die(STEP_HELPER, errno, 0, NULL);
	unwaited = flags != 0;
}

/*
 * Returns a pidfd of the helper, for the runtime to see its end: before that nobody may open the
 * gate, so that the user's program finds no process that it has not made.
 *
 * Nor any zombie: the helper is the runtime's child as init is. Only the first process of a pid
 * namespace may have no siblings, and so it has a child that the kernel reaps at once. The exec
 * ends that: it sets the flags of all signals back.
 */
int start_helper(int number, int channel, int gated)
{
	unsigned long flags = CLONE_FILES | CLONE_PIDFD | SIGCHLD;
	int pidfd = -1;
	long pid = syscall(SYS_clone, flags | CLONE_PARENT, 0, &pidfd, 0, 0);

	if (pid < 0 && errno == EINVAL) {
		reap_children(SA_NOCLDWAIT);
		pid = syscall(SYS_clone, flags, 0, &pidfd, 0, 0);
	}
	if (pid < 0)
		die(STEP_HELPER, errno, 0, NULL);
	if (pid == 0)
		help(number, channel, gated);
	return pidfd;
}

/* For who waits for children of its own. The helper is gone by then. */
void forget_helper(void)
{
	if (unwaited)
		reap_children(0);
}
