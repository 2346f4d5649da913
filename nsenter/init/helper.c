/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading a filter that notifies returns a descriptor for the agent that answers: the listener.
 * Init cannot send it: once the filter is loaded, any system call may wait for an answer, and
 * nobody has the descriptor yet to give one. So a helper sends it: a copy of init that shares its
 * table of descriptors. It is created before the filter is loaded, so that the filter does not
 * apply to it, and before init joins a pid namespace, so that no process in there can see it.
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

/* How often it looks before it begins to sleep between the looks. */
#define BRIEFLY 1000

/* Set when the kernel reaps children by itself. */
static int unwaited;

/*
 * Whether the descriptor is a listener: for one, there is no notification 0; other files do not
 * know the ioctl.
 */
static int is_listener(int fd)
{
	uint64_t id = 0;

	return syscall(SYS_ioctl, fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0 && errno == ENOENT;
}

/* The number that the listener will have. The runtime gets it from init (LISTENER). */
static int read_number(int channel)
{
	uint32_t number;
	ssize_t got;

	do
		got = read(channel, &number, sizeof(number));
	while (got < 0 && errno == EINTR);
	/* The end of the channel: init has failed before, so there will be no listener. */
	if (got != (ssize_t)sizeof(number))
		_exit(1);
	return (int)number;
}

/*
 * Waits for the listener, sends it and closes init's copy: only when the last copy is closed does
 * the kernel answer for an agent that has died.
 *
 * Init cannot report that the filter is loaded without a system call. So the helper looks for the
 * listener repeatedly: during the microseconds that loading takes, and then every millisecond,
 * because a cgroup may freeze init in between. A message on the channel, or its end, means that
 * init has ended, and that the helper looks for the last time.
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
 * Starts the helper, and sends its pidfd to the runtime. The user's program may only begin when the
 * helper has ended, so that it sees no process that it has not created.
 *
 * Nor may it see a zombie: the helper is a child of the runtime, like init. Only the first process
 * of a pid namespace cannot have siblings, so there the helper is its child, which the kernel reaps
 * at once. That ends at the exec, which resets the flags of all signals.
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
 * If the filter notifies, this reports to the runtime which number the listener will have: the
 * kernel uses the lowest free number for each descriptor, and neither init nor its helper opens any
 * until then. So the descriptor that is closed here had the lowest number, and it is free again.
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

/* For code that waits for its own children. The helper is gone by then. */
void forget_helper(void)
{
	if (unwaited)
		reap_children(0);
}
