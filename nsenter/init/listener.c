/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter that notifies comes with a descriptor for the agent that answers. Init cannot send it
 * on: any system call that it makes once the filter is loaded may be one that waits for an answer,
 * and nobody who could give it has the descriptor. So the runtime takes it out of init
 * (pidfd_getfd(2)). It knows the number beforehand, and sees init stop at the gate, a page of
 * memory that only the runtime can let init into: to touch it is no system call. Where the runtime
 * may not do that a helper sends it (helper.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"
#include "kernel.h"

/* A multiple of every page size there is. */
#define GATE_SIZE 65536

/* The page. Its faults are told to whoever holds the userfaultfd(2), and wait until that is closed.
 */
static volatile char *gate;

/* Makes userfault tell of the first touch of the memory, and of nothing else. */
static int watch(int userfault, const void *memory)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register r = {
	    .start = (uintptr_t)memory, .size = GATE_SIZE, .mode = UFFDIO_REGISTER_MODE_MISSING};

	if (syscall(SYS_ioctl, userfault, UFFDIO_API, &api) < 0)
		return -1;
	return (int)syscall(SYS_ioctl, userfault, UFFDIO_REGISTER, &r);
}

/*
 * The userfaultfd of the gate, non-blocking so that it can be polled. -1 where there is none to be
 * had (needs Linux 5.11, CONFIG_USERFAULTFD and nobody's filter against it): the runtime then has
 * to look for the listener again and again.
 */
static int make_gate(void)
{
	int userfault = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);

	if (userfault < 0)
		return -1;
	void *memory =
	    mmap(NULL, GATE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || watch(userfault, memory) < 0) {
		close(userfault);
		return -1;
	}
	gate = memory;
	return userfault;
}

/*
 * If the filter notifies, this tells the runtime which number the listener will have, and gives it
 * the gate, and the pidfd of the helper that it has asked for with a channel. The kernel takes the
 * lowest free number for each descriptor, and init has one thread, and a helper that opens nothing:
 * what is closed here last was the lowest, and is so again. The gate's only copy is then the
 * runtime's: should that die, the kernel closes it, and init is not stuck.
 */
int announce_listener(const struct plan *p, int sock, int channel)
{
	if (p->filter == NULL || !(p->wire->seccomp_flags & FILTER_NEW_LISTENER))
		return -1;
	int userfault = make_gate();
	int number = userfault >= 0 ? userfault : fcntl(sock, F_DUPFD_CLOEXEC, 0);
	int files[2];
	unsigned count = 0;

	if (number < 0)
		die(STEP_LISTENER, errno, 0, NULL);
	CLEANUP_CLOSE int helper =
	    channel >= 0 ? start_helper(number, channel, userfault >= 0) : -1;
	if (userfault >= 0)
		files[count++] = userfault;
	if (helper >= 0)
		files[count++] = helper;
	if (userfault >= 0)
		report_listener(number, files, count);
	if (close(number) < 0)
		die(STEP_LISTENER, errno, 0, NULL);
	/* Not before: without a gate the runtime looks at the number at once. */
	if (userfault < 0)
		report_listener(number, files, count);
	return number;
}

/*
 * After the load. Behind the gate the runtime has a copy for the agent, and init must not keep its
 * own: the kernel answers for an agent that has died when the last copy is gone. The close itself
 * may have to wait for the agent, and the agent may refuse it; then the exec closes the descriptor.
 *
 * Without a gate the runtime may not have looked yet, so that closing is left to the exec.
 */
void give_listener(int number)
{
	if (gate == NULL)
		return;
	*gate = 1;
	close(number);
}
