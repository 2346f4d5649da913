/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals. A process inherits which signals are ignored and which are blocked, also through an
 * exec. But the user's program must not ignore the signals that the engine ignores.
 *
 * The system calls directly: the C library reserves some real-time signals.
 */
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"
#include "kernel.h"

#define SIGNALS 64

void set_sigpipe(int ignore)
{
	struct kernel_sigaction action = {.handler =
					      ignore ? (uintptr_t)SIG_IGN : (uintptr_t)SIG_DFL};

	/* The error is ignored: the call cannot fail, unless a filter forbids it. */
	syscall(SYS_rt_sigaction, SIGPIPE, &action, NULL, KERNEL_SIGSET_SIZE);
}

/* Signals that stop a service. They must have an effect on a container that waits for its start. */
static const int stopping[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGABRT};

/* Never returns, so that nothing has to be restored. _exit makes a call or two. */
static void stop(int signal)
{
	_exit(128 + signal);
}

/*
 * The first process of a pid namespace ignores signals for which it has no handler (signal(7),
 * pid_namespaces(7)). The exec resets all handlers.
 */
static void end_on_stopping(void)
{
	struct kernel_sigaction action = {
	    .handler = (uintptr_t)stop,
	    .flags = KERNEL_SA_RESTORER,
	    .restorer = (uintptr_t)stop,
	};

	for (unsigned i = 0; i < sizeof(stopping) / sizeof(stopping[0]); i++)
		syscall(SYS_rt_sigaction, stopping[i], &action, NULL, KERNEL_SIGSET_SIZE);
}

/*
 * Sets every signal to its default action and unblocks all. SIGKILL and SIGSTOP return EINVAL.
 * SIGPIPE stays ignored until the exec: if the reader of the reports is gone, this must not kill
 * init.
 */
void reset_signals(void)
{
	struct kernel_sigaction action = {.handler = (uintptr_t)SIG_DFL};
	uint64_t none = 0;

	for (int s = 1; s <= SIGNALS; s++)
		syscall(SYS_rt_sigaction, s, &action, NULL, KERNEL_SIGSET_SIZE);
	set_sigpipe(1);
	end_on_stopping();
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, KERNEL_SIGSET_SIZE);
}
