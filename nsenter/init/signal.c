/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals. A process inherits which signals are ignored and which are blocked, through the exec
 * as well: what the engine ignores must not be ignored by the user's program.
 *
 * The system calls themselves: the C library keeps some real-time signals to itself.
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

	/* No error to tell: the call has no way to fail, unless a filter forbids it. */
	syscall(SYS_rt_sigaction, SIGPIPE, &action, NULL, KERNEL_SIGSET_SIZE);
}

/* What stops a service, and is not to be lost on a container that waits for its start. */
static const int stopping[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGABRT};

/* Never returns, so that nothing has to be restored; _exit is a call or two. */
static void stop(int signal)
{
	_exit(128 + signal);
}

/*
 * The first process of a pid namespace takes no signal that it has no handler for (signal(7),
 * pid_namespaces(7)). The exec resets them all.
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
 * Makes every signal's action the default and unblocks all. SIGKILL and SIGSTOP give EINVAL.
 * SIGPIPE is left ignored until the exec: a reader of reports may be gone, and that must not kill.
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
