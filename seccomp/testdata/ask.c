// SPDX-License-Identifier: Apache-2.0
/*
 * Loads a seccomp filter and makes system calls under it. Standard input: the number of
 * instructions, the instructions, the number of calls, and for each of them whether it is made by
 * int 0x80, and its number. Standard output: the result of each. All numbers have 32 bits.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct call {
	uint32_t narrow, number;
};

static struct sock_filter filter[4096];
static struct call calls[4096];
static uint32_t length, count;

static int32_t make(const struct call *c)
{
	long result = (long)(int32_t)c->number;

	if (c->narrow)
		__asm__ volatile("int $0x80"
				 : "+a"(result)
				 : "b"(0), "c"(0), "d"(0), "S"(0), "D"(0)
				 : "memory", "r8", "r9", "r10", "r11");
	else
		__asm__ volatile("syscall"
				 : "+a"(result)
				 : "D"(0), "S"(0), "d"(0)
				 : "memory", "rcx", "r11");
	return (int32_t)result;
}

/* The filter may forbid every call, even exit. */
static void child(int32_t *results)
{
	struct sock_fprog program = {.len = (unsigned short)length, .filter = filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
		_exit(1);
	for (uint32_t i = 0; i < count; i++)
		results[i] = make(&calls[i]);
	__builtin_trap();
}

int main(void)
{
	struct rlimit none = {0, 0};
	int status;

	if (fread(&length, 4, 1, stdin) != 1 || length > 4096 ||
	    fread(filter, sizeof(*filter), length, stdin) != length ||
	    fread(&count, 4, 1, stdin) != 1 || count > 4096 ||
	    fread(calls, sizeof(*calls), count, stdin) != count)
		return 2;
	int32_t *results = mmap(NULL, sizeof(*results) * 4096, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (results == MAP_FAILED || setrlimit(RLIMIT_CORE, &none) != 0)
		return 3;
	pid_t pid = fork();
	if (pid == 0)
		child(results);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) ||
	    WTERMSIG(status) != 4)
		return 4;
	return fwrite(results, sizeof(*results), count, stdout) == count ? 0 : 5;
}
