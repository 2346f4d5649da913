/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes every system call of x86-64, each in a process of its own and with arguments that no call
 * can do much with, and prints what became of it:
 *
 *   NUMBER ok | errno N | signal N
 *
 * The numbers with 0x40000000 are those of x32.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define X32    0x40000000L
#define LAST   600
#define ANSWER 200 /* the exit status of ok: no errno is that high */

/* What is not called, and why. */
static const struct {
	long number;
	const char *reason;
} skipped[] = {
    {SYS_rt_sigreturn, "takes registers from the stack"},
    {SYS_pause, "never returns"},
    {SYS_fork, "a second process would print"},
    {SYS_vfork, "a second process would print"},
    {SYS_exit, "does not return"},
    {SYS_exit_group, "does not return"},
    {SYS_sync, "writes back every file system of the machine"},
};

/* Arguments that a profile's checks tell apart. */
static const struct {
	const char *name;
	long number;
	long args[3];
} checked[] = {
    {"socket-unix", SYS_socket, {1, 1, 0}},
    {"socket-vsock", SYS_socket, {40, 1, 0}},
    {"socket-high-bits", SYS_socket, {40 + (1L << 32), 1, 0}},
    {"personality-0", SYS_personality, {0}},
    {"personality-8", SYS_personality, {8}},
    {"personality-9", SYS_personality, {9}},
    {"personality-0x20000", SYS_personality, {0x20000}},
    {"personality-0x20008", SYS_personality, {0x20008}},
    {"personality-0x1000000", SYS_personality, {0x1000000}},
    {"personality-asks", SYS_personality, {0xffffffff}},
    {"clone-newuts", SYS_clone, {CLONE_NEWUTS | CLONE_THREAD}},
    {"clone-newuser", SYS_clone, {CLONE_NEWUSER | CLONE_THREAD}},
    {"clone-thread", SYS_clone, {CLONE_THREAD}},
    {"unshare-0", SYS_unshare, {0}},
    {"clone3-null", SYS_clone3, {0}},
};

static int is_skipped(long number)
{
	for (unsigned i = 0; i < sizeof(skipped) / sizeof(skipped[0]); i++)
		if (skipped[i].number == number)
			return 1;
	return 0;
}

static void print_status(int status)
{
	if (WIFSIGNALED(status))
		printf("signal %d\n", WTERMSIG(status));
	else if (WEXITSTATUS(status) == ANSWER)
		printf("ok\n");
	else
		printf("errno %d\n", WEXITSTATUS(status));
}

/* The alarm ends a call that blocks; the answer then is its signal. */
static void try_call(long number, const long a[6])
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		alarm(5);
		long result = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
		_exit(result == -1 ? errno : ANSWER);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		printf("lost\n");
		return;
	}
	print_status(status);
}

int main(void)
{
	static const long none[6] = {-1, -1, -1, -1, -1, -1};

	for (long n = 0; n <= LAST; n++) {
		if (is_skipped(n))
			continue;
		printf("%ld ", n);
		try_call(n, none);
		printf("%ld ", X32 + n);
		try_call(X32 + n, none);
	}
	for (unsigned i = 0; i < sizeof(checked) / sizeof(checked[0]); i++) {
		const long args[6] = {checked[i].args[0], checked[i].args[1], checked[i].args[2]};

		printf("%s ", checked[i].name);
		try_call(checked[i].number, args);
	}
	return 0;
}
