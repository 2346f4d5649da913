// SPDX-License-Identifier: Apache-2.0

// This is the program in the containers that are compared: it prints what a program can see of
// its container, as lines of "key=value". It is in C, since the Go run time changes limits and
// signals before main, and does not start with small limits.

#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

extern char **environ;

void say(const char *key, const char *format, ...)
{
	char value[8192];
	va_list args;

	va_start(args, format);
	vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	printf("%s=", key);
	// Print one line for each key, whatever the value contains.
	for (const char *p = value; *p != '\0'; p++) {
		if (*p == '\n')
			fputs("\\n", stdout);
		else if (*p == '\\')
			fputs("\\\\", stdout);
		else
			putchar(*p);
	}
	putchar('\n');
}

const char *error_name(int number)
{
	static char other[16];

	switch (number) {
	case 0:
		return "ok";
	case EPERM:
		return "EPERM";
	case ENOENT:
		return "ENOENT";
	case EACCES:
		return "EACCES";
	case EROFS:
		return "EROFS";
	case ENXIO:
		return "ENXIO";
	case ENODEV:
		return "ENODEV";
	case EEXIST:
		return "EEXIST";
	case EINVAL:
		return "EINVAL";
	case ENOSYS:
		return "ENOSYS";
	case EFAULT:
		return "EFAULT";
	case EBADF:
		return "EBADF";
	case EBUSY:
		return "EBUSY";
	case ENOTDIR:
		return "ENOTDIR";
	case ENOTSUP:
		return "ENOTSUP";
	default:
		snprintf(other, sizeof(other), "errno %d", number);
		return other;
	}
}

static void ids(void)
{
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid, groups[256];
	char list[2048] = "";
	int n;

	getresuid(&ruid, &euid, &suid);
	getresgid(&rgid, &egid, &sgid);
	say("uid", "%u %u %u", ruid, euid, suid);
	say("gid", "%u %u %u", rgid, egid, sgid);
	n = getgroups(256, groups);
	for (int i = 0; i < n; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%u", i ? " " : "",
			 groups[i]);
	say("groups", "%s", list);
}

static void capabilities(void)
{
	// As in linux/capability.h, which musl's compiler does not find: version 3.
	struct {
		unsigned int version;
		int pid;
	} header = {.version = 0x20080522};
	struct {
		unsigned int effective, permitted, inheritable;
	} data[2] = {{0}};
	unsigned long long bounding = 0, ambient = 0;

	syscall(SYS_capget, &header, data);
	for (int i = 0; i < 64; i++) {
		if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
			bounding |= 1ULL << i;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1)
			ambient |= 1ULL << i;
	}
	say("cap.effective", "%08x%08x", data[1].effective, data[0].effective);
	say("cap.permitted", "%08x%08x", data[1].permitted, data[0].permitted);
	say("cap.inheritable", "%08x%08x", data[1].inheritable, data[0].inheritable);
	say("cap.bounding", "%016llx", bounding);
	say("cap.ambient", "%016llx", ambient);
}

static void flags(void)
{
	int value = -1;

	say("no_new_privs", "%d", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	say("securebits", "%d", prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
	say("dumpable", "%d", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	say("timerslack", "%d", prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
	say("thp_disable", "%d", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
	prctl(PR_GET_PDEATHSIG, &value, 0, 0, 0);
	say("pdeathsig", "%d", value);
	prctl(PR_GET_CHILD_SUBREAPER, &value, 0, 0, 0);
	say("subreaper", "%d", value);
	say("personality", "%d", personality(0xffffffff));
}

static void limits(void)
{
	static const char *const names[] = {
	    "CPU",     "FSIZE", "DATA",	 "STACK",      "CORE",	   "RSS",  "NPROC",  "NOFILE",
	    "MEMLOCK", "AS",	"LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
	};
	struct rlimit limit;
	char key[32];

	for (int i = 0; i < 16; i++) {
		if (getrlimit(i, &limit) == 0) {
			snprintf(key, sizeof(key), "rlimit.%s", names[i]);
			say(key, "%lld %lld", (long long)limit.rlim_cur, (long long)limit.rlim_max);
		}
	}
}

static void scheduling(void)
{
	struct {
		unsigned int size, policy;
		unsigned long long flags;
		int nice;
		unsigned int priority;
		unsigned long long runtime, deadline, period;
		unsigned int util_min, util_max;
	} attr = {0};
	unsigned long mask[16] = {0}, nodes[16] = {0};
	int mode = -1;

	if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) == 0) {
		// Fair policies have a time slice there, which no runtime sets.
		say("scheduler", "policy %u flags %llu priority %u", attr.policy, attr.flags,
		    attr.priority);
		if (attr.policy == 6)
			say("scheduler.deadline", "%llu %llu %llu", attr.runtime, attr.deadline,
			    attr.period);
	}
	errno = 0;
	say("nice", "%d", getpriority(PRIO_PROCESS, 0));
	say("ioprio", "%ld", syscall(SYS_ioprio_get, 1, 0));
	syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask);
	say("affinity", "%lx", mask[0]);
	if (syscall(SYS_get_mempolicy, &mode, nodes, 1024, NULL, 0) == 0)
		say("mempolicy", "%d %lx", mode, nodes[0]);
}

static void signals(void)
{
	struct sigaction action;
	sigset_t blocked;
	char list[512] = "";

	sigprocmask(SIG_SETMASK, NULL, &blocked);
	for (int i = 1; i < 65; i++)
		if (sigismember(&blocked, i) == 1)
			snprintf(list + strlen(list), sizeof(list) - strlen(list), "%d ", i);
	say("signals.blocked", "%s", list);
	list[0] = '\0';
	for (int i = 1; i < 65; i++)
		if (sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			snprintf(list + strlen(list), sizeof(list) - strlen(list), "%d ", i);
	say("signals.ignored", "%s", list);
}

static void process(int argc, char **argv)
{
	char key[64], path[4096];
	struct utsname names;
	mode_t mask = umask(0);

	umask(mask);
	say("umask", "%03o", mask);
	say("cwd", "%s", getcwd(path, sizeof(path)) ? path : error_name(errno));
	say("pid", "%d", getpid());
	say("parent", "%s", getppid() == 0 ? "outside" : "inside");
	say("session", "%s", getsid(0) == getpid() ? "own" : "another");
	say("group", "%s", getpgid(0) == getpid() ? "own" : "another");
	uname(&names);
	say("hostname", "%s", names.nodename);
	say("domainname", "%s", names.domainname);
	say("machine", "%s", names.machine);
	for (int i = 0; i < argc; i++) {
		snprintf(key, sizeof(key), "arg.%d", i);
		say(key, "%s", argv[i]);
	}
	for (int i = 0; environ[i] != NULL; i++) {
		snprintf(key, sizeof(key), "env.%d", i);
		say(key, "%s", environ[i]);
	}
	for (int i = 0; i < 3; i++) {
		snprintf(key, sizeof(key), "tty.%d", i);
		say(key, "%d", isatty(i));
	}
}

// calls makes system calls for which there are filters, with invalid arguments.
static void calls(void)
{
	static const struct {
		const char *name;
		long number;
	} all[] = {
	    {"swapon", SYS_swapon}, {"keyctl", SYS_keyctl},
	    {"bpf", SYS_bpf},	    {"getcwd", SYS_getcwd},
	    {"mount_setattr", 442}, {"chmod", SYS_chmod},
	    {"fchmodat2", 452},	    {"perf_event_open", SYS_perf_event_open},
	    {"mkdir", SYS_mkdir},   {"unknown", 1023},
	};
	char key[64];

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		snprintf(key, sizeof(key), "call.%s", all[i].name);
		fflush(stdout);
		errno = 0;
		syscall(all[i].number, -1L, -1L, -1L, -1L, -1L);
		say(key, "%s", error_name(errno));
	}
	fflush(stdout);
	say("seccomp", "%d", prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
}

static void received(int number)
{
	char text[3] = {(char)('0' + number / 10), (char)('0' + number % 10), ' '};

	if (number == 64)
		_exit(0);
	if (write(1, text, sizeof(text)) != sizeof(text))
		_exit(9);
	if (number == SIGTERM)
		_exit(15);
}

// wait_for_signals prints the signals that it receives, until the one that ends it.
static void wait_for_signals(void)
{
	struct sigaction action = {.sa_handler = received, .sa_flags = SA_RESTART};

	// Handle one signal at a time: otherwise the last one that is delivered runs first.
	sigfillset(&action.sa_mask);
	for (int i = 1; i < 65; i++)
		sigaction(i, &action, NULL);
	if (write(1, "!", 1) != 1)
		_exit(9);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "wait") == 0)
		wait_for_signals();
	// Buffer the lines: a full file system or a limit on file sizes must not cut them off.
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	ids();
	capabilities();
	flags();
	limits();
	scheduling();
	signals();
	process(argc, argv);
	files();
	calls();
	say("end", "%s", "1");
	return fflush(stdout) == 0 ? 7 : 8;
}
