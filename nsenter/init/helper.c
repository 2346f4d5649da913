/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter that notifies comes with a descriptor for the agent that answers, the listener. Init
 * cannot send it on: any system call that it makes once the filter is loaded may be one that waits
 * for an answer, and nobody who could give it has the descriptor. So a helper sends it: a copy of
 * init that shares its table of descriptors. It is made before the load, so that the filter is not
 * its, and before init joins a pid namespace, so that no process of that sees it.
 */
#include <errno.h>
#include <fcntl.h>
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

/* The number that the listener is going to have, which the runtime has of init (LISTENER). */
static int read_number(int channel)
{
	uint32_t number;
	ssize_t got;

	do
		got = read(channel, &number, sizeof(number));
	while (got < 0 && errno == EINTR);
	/* The end of the channel: there will be none, as init has failed before. */
	if (got != (ssize_t)sizeof(number))
		_exit(1);
	return (int)number;
}

/*
 * Waits for the listener, sends it and closes init's: the kernel answers for an agent that has died
 * when the last copy is gone.
 *
 * The load has no way to tell that would be no system call. So the listener is looked for again and
 * again: for the microseconds that a load takes, and then, since a cgroup may stop init in the
 * midst of it, every millisecond. What is said on the channel, its end included, makes this look
 * for the last time: init has ended.
 */
_Noreturn static void help(int channel)
{
	struct pollfd said = {.fd = channel, .events = POLLIN};
	int number = read_number(channel);

	for (unsigned looks = 0;; looks++) {
		int n = poll(&said, 1, looks > BRIEFLY);

		if (n < 0 && errno != EINTR)
			_exit(1);
		if (is_listener(number)) {
			report_to(channel);
			report(WIRE_LISTENER, &number, 1);
			close(number);
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
 * Starts the helper, and gives the runtime its pidfd: before it has ended no program may begin, so
 * that the user's finds no process that it has not made.
 *
 * Nor any zombie: the helper is the runtime's child as init is. Only the first process of a pid
 * namespace may have no siblings, and so it has a child that the kernel reaps at once. The exec
 * ends that: it sets the flags of all signals back.
 */
void start_helper(int channel)
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
		help(channel);
	report(WIRE_HELPING, &pidfd, 1);
	close(pidfd);
}

/*
 * If the filter notifies, this tells the runtime which number the listener will have: the kernel
 * takes the lowest free one for each descriptor, and neither init nor its helper opens any until
 * then. So what is closed here was the lowest, and is so again.
 */
int announce_listener(const struct plan *p, int sock)
{
	if (p->filter == NULL || !(p->wire->seccomp_flags & FILTER_NEW_LISTENER))
		return -1;
	int number = fcntl(sock, F_DUPFD_CLOEXEC, 0);
	if (number < 0 || close(number) < 0)
		die(STEP_LISTENER, errno, 0, NULL);
	report_number(WIRE_LISTENER, number);
	return number;
}

/* For who waits for children of its own. The helper is gone by then. */
void forget_helper(void)
{
	if (unwaited)
		reap_children(0);
}
