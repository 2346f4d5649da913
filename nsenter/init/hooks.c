/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The startContainer hooks: processes that run in the container just before the user's program,
 * with its credentials and under its filter.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

#include "init.h"

/* The errno of a hook's child that could not execute it, in shared memory. */
static int *exec_error;

struct running {
	pid_t pid;
	int pidfd, output;
};

/*
 * The part that is done before the user's filter is loaded, so that the filter need not allow it.
 */
void prepare_hooks(const struct plan *p)
{
	if (p->hooks_count == 0)
		return;
	exec_error = mmap(NULL, sizeof(*exec_error), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (exec_error == MAP_FAILED)
		die(STEP_HOOK, errno, 0, "mmap");
}

/*
 * The child. An output without a file in the config goes into the pipe. The plan's descriptors are
 * closed; the extra files belong to the program.
 */
_Noreturn static void become_hook(const struct command *hook, const struct hook_files *files,
				  int pipe)
{
	int output = files->output >= 0 ? files->output : pipe;
	int error = files->error >= 0 ? files->error : pipe;

	if (dup3(files->state, 0, 0) == 0 && dup3(output, 1, 0) == 1 && dup3(error, 2, 0) == 2) {
		lseek(0, 0, SEEK_SET);
		syscall(SYS_close_range, 3, ~0u, 0);
		set_sigpipe(0);
		execve(hook->path, hook->argv, hook->envp);
	}
	*exec_error = errno;
	_exit(127);
}

static void start_hook(const struct command *hook, const struct hook_files *files, unsigned index,
		       struct running *r)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		die(STEP_HOOK, errno, index, "pipe2");
	*exec_error = 0;
	/* Like fork(2), but with a pidfd: a filter may forbid pidfd_open but not this flag. */
	long pid = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &r->pidfd, 0, 0);
	if (pid < 0)
		die(STEP_HOOK, errno, index, "clone");
	if (pid == 0)
		become_hook(hook, files, ends[1]);
	close(ends[1]);
	r->pid = (pid_t)pid;
	r->output = ends[0];
}

static int64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The time left, for poll(2). A deadline of 0 means none. */
static int time_left(int64_t deadline)
{
	int64_t left = deadline - milliseconds();

	if (deadline == 0)
		return -1;
	if (left < 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

/*
 * How much output is kept, so that there is room for the path; and how much of it from the
 * beginning.
 */
#define OUTPUT_MAX  3000
#define OUTPUT_HEAD 1000

/*
 * Adds to the output of a hook. When it is full, the text after the first part is dropped: many
 * programs begin with what they are about to do, and end with the reason why they could not.
 */
static void keep_output(struct text *t, const char *bytes, size_t size)
{
	static const char gap[] = "\n...\n";

	if (t->length + size > OUTPUT_MAX) {
		size_t excess = t->length + size - OUTPUT_MAX;
		char *tail = t->bytes + OUTPUT_HEAD;

		t->length -= excess;
		memmove(tail, tail + excess, t->length - OUTPUT_HEAD);
		memcpy(tail, gap, sizeof(gap) - 1);
	}
	for (size_t i = 0; i < size; i++)
		t->bytes[t->length++] = bytes[i] == '\0' ? ' ' : bytes[i];
	t->bytes[t->length] = '\0';
}

/* Reads some of the hook's output. Returns 0 at its end. */
static int take_output(int output, struct text *t)
{
	char buffer[512];
	ssize_t got = read(output, buffer, sizeof(buffer));

	if (got <= 0)
		return got < 0 && errno == EINTR;
	keep_output(t, buffer, (size_t)got);
	return 1;
}

/*
 * Collects output until the hook has ended. Returns 0 on a timeout. Processes that the hook leaves
 * behind may keep the pipe open, so this does not wait for the end of the output.
 */
static int await_hook(const struct running *r, uint32_t timeout, struct text *t)
{
	struct pollfd fds[2] = {{.fd = r->pidfd, .events = POLLIN},
				{.fd = r->output, .events = POLLIN}};
	int64_t deadline = timeout == 0 ? 0 : milliseconds() + (int64_t)timeout * 1000;
	int ended = 0;

	while (!ended) {
		int n = poll(fds, 2, time_left(deadline));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		ended = fds[0].revents != 0;
		if (fds[1].revents != 0 && !take_output(r->output, t))
			fds[1].fd = -1;
	}
	/* A pipe holds 64 KiB. A process that is left may write forever. */
	for (int reads = 0; reads < 256 && poll(&fds[1], 1, 0) > 0; reads++)
		if (!take_output(r->output, t))
			break;
	return 1;
}

/* Reports how the hook failed, in the same words as Go. The output comes last. */
_Noreturn static void die_of_hook(const struct command *hook, unsigned index, int ended, int status,
				  const struct text *output)
{
	static struct text t;

	append(&t, hook->path);
	if (!ended) {
		append(&t, ": hook ran past specified timeout of ");
		append_number(&t, hook->timeout);
		append(&t, ".0s");
	} else if (WIFEXITED(status)) {
		append(&t, ": exit status ");
		append_number(&t, (unsigned)WEXITSTATUS(status));
	} else {
		append(&t, ": killed by signal ");
		append_number(&t, (unsigned)WTERMSIG(status));
	}
	if (output->length > 0) {
		append(&t, ": ");
		append(&t, output->bytes);
	}
	die(STEP_HOOK, 0, index, t.bytes);
}

static void run_hook(const struct command *hook, const struct hook_files *files, unsigned index)
{
	static struct text output;
	struct running r;
	int status = 0;

	output.length = 0;
	output.bytes[0] = '\0';
	start_hook(hook, files, index, &r);
	int ended = await_hook(&r, hook->timeout, &output);
	/* It has not been waited for, so the pid still belongs to the hook. */
	if (!ended)
		kill(r.pid, SIGKILL);
	while (waitpid(r.pid, &status, 0) < 0 && errno == EINTR)
		continue;
	close(r.pidfd);
	close(r.output);
	if (*exec_error != 0)
		die(STEP_HOOK, *exec_error, index, hook->path);
	if (!ended || status != 0)
		die_of_hook(hook, index, ended, status, &output);
}

/* Runs the hooks one after the other, until one fails. */
void run_hooks(const struct plan *p, const struct hook_files *files)
{
	if (p->hooks_count > 0)
		forget_helper();
	for (uint32_t i = 0; i < p->hooks_count; i++)
		run_hook(&p->hooks[i], files, i);
}
