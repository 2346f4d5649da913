/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which things happen. wire.h draws the conversation around it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"
#include "kernel.h"

/* The name until the exec. The runtime tells by it whether a dead process has got that far. */
#define INIT_NAME "berth:init"

/* The descriptors that init holds, -1 for those that it does not. */
struct held {
	int sock, proc_self;
	int console, root, fifo, program, channel, ruleset;
	struct hook_files hooks;
};

/* The socket's number is the argument; -1 when it is no number. */
static int parse_descriptor(const char *s)
{
	int fd = 0;

	if (s == NULL || *s == '\0' || strlen(s) > 6)
		return -1;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9')
			return -1;
		fd = fd * 10 + (*s - '0');
	}
	return fd;
}

/*
 * Not dumpable comes before all else: a process of a container that is joined may not trace init
 * or look into it (CVE-2016-9962). Then nothing stays open that was not meant for init: what an
 * engine has leaked into the runtime ends here.
 */
static void begin(const char *argument, struct held *h)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		_exit(1);
	h->sock = parse_descriptor(argument);
	if (h->sock < 3 || fcntl(h->sock, F_SETFD, FD_CLOEXEC) < 0)
		_exit(1);
	report_to(h->sock);
	if (syscall(SYS_close_range, h->sock + 1, ~0u, 0) < 0)
		die(STEP_CLOSE, errno, 0, NULL);
	prctl(PR_SET_NAME, INIT_NAME, 0, 0, 0);
}

/*
 * The files of a process that is not dumpable belong to root, so an unprivileged runtime could not
 * write uid_map and gid_map. Until they are written init is dumpable then, which gives it away to
 * nobody: it is alone in its user namespace, and has joined no other.
 *
 * Without maps init is nobody's root, and has kept its capabilities through its own exec only as
 * ambient ones; from here on it keeps them as they are.
 */
static void await_maps(int sock)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		die(STEP_AMBIENT, errno, 0, NULL);
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		die(STEP_BOOTSTRAP, errno, 0, NULL);
	report(WIRE_READY, NULL, 0);
	await_go(sock);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		die(STEP_BOOTSTRAP, errno, 0, NULL);
}

/*
 * /proc/self is opened while /proc is still the host's. From then on init goes through this
 * descriptor: the container's /proc is the container's to fake.
 */
static void bootstrap(struct held *h)
{
	struct wire_bootstrap b;
	struct message m;

	receive(h->sock, &b, sizeof(b), &m, STEP_BOOTSTRAP);
	int error = check_bootstrap(&b, m.size, m.files_count);
	if (error != 0)
		die(STEP_BOOTSTRAP, error, 0, NULL);
	if (b.flags & WIRE_AWAIT_MAPS)
		await_maps(h->sock);
	/* Not open, to which musl adds a call for kernels that do not know O_CLOEXEC. */
	h->proc_self = openat(AT_FDCWD, "/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (h->proc_self < 0)
		die(STEP_PROC, errno, 0, "/proc/self");
	enter_namespaces(&b, m.files, &h->proc_self);
	send_inside(&b, h->proc_self);
	/* Here, where nobody waits for it: the runtime is at work on what it got. */
	reset_signals();
}

static void map_plan(int fd, size_t size, struct plan *p)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		die(STEP_PLAN, errno, 0, NULL);
	/* Beyond the end of the file there would be SIGBUS instead of an error. */
	if ((uint64_t)st.st_size != size)
		die(STEP_PLAN, EBADMSG, 0, NULL);
	const void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		die(STEP_PLAN, errno, 0, NULL);
	close(fd);
	int error = parse_plan(data, size, p);
	if (error != 0)
		die(STEP_PLAN, error, 0, NULL);
}

/* Puts the descriptors that came with the plan where they belong, in the order of their flags. */
static void take_plan_files(struct held *h, uint32_t which, const int *next)
{
	const struct {
		uint32_t flag;
		int *to;
	} places[] = {
	    {WIRE_HAS_CONSOLE, &h->console},
	    {WIRE_HAS_ROOT, &h->root},
	    {WIRE_HAS_FIFO, &h->fifo},
	    {WIRE_HAS_HOOK_STATE, &h->hooks.state},
	    {WIRE_HAS_PROGRAM, &h->program},
	    {WIRE_HAS_HOOK_STDOUT, &h->hooks.output},
	    {WIRE_HAS_HOOK_STDERR, &h->hooks.error},
	    {WIRE_HAS_CHANNEL, &h->channel},
	    {WIRE_HAS_RULESET, &h->ruleset},
	};

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (which & places[i].flag)
			*places[i].to = *next++;
}

static void receive_plan(struct held *h, struct plan *p)
{
	struct wire_plan_message w;
	struct message m;

	receive(h->sock, &w, sizeof(w), &m, STEP_PLAN);
	int error = check_plan_message(&w, m.size, m.files_count);
	if (error != 0)
		die(STEP_PLAN, error, 0, NULL);
	take_plan_files(h, w.files, m.files + 1);
	map_plan(m.files[0], w.size, p);
	if (p->hooks_count > 0 && h->hooks.state < 0)
		die(STEP_PLAN, EBADMSG, 0, NULL);
}

static void change_root(int root)
{
	if (fchdir(root) < 0 || chroot(".") < 0 || chdir("/") < 0)
		die(STEP_CHROOT, errno, 0, NULL);
	close(root);
}

/* What is of the session and the process, not of the user. */
static void set_up_session(const struct plan *p, const struct held *h)
{
	uint32_t flags = p->wire->flags;

	if (p->keyring != NULL) {
		set_keyring_label(p, h->proc_self);
		join_keyring(p->keyring);
	}
	if (flags & WIRE_NEW_SESSION && setsid() < 0)
		die(STEP_SESSION, errno, 0, NULL);
	if (h->console >= 0)
		take_console(h->console);
	if (h->root >= 0)
		change_root(h->root);
	set_exec_labels(p, h->proc_self);
	if (flags & WIRE_NO_NEW_PRIVS && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		die(STEP_NO_NEW_PRIVS, errno, 0, NULL);
	set_personality(p);
	set_memory_policy(p);
	prepare_hooks(p);
}

/* Turns root into the user, in the user's directory; only CAP_SYS_ADMIN is left too much. */
static void become_user(const struct plan *p, const struct held *h)
{
	const struct wire_plan *w = p->wire;
	int keep = (w->flags & WIRE_KEEP_CREDENTIALS) != 0;
	int entered = try_cwd(p->cwd);

	if (!keep) {
		drop_bounding_set(w->bounding);
		switch_user(p, h->proc_self);
		limit_capabilities(w, p->filter != NULL || h->ruleset >= 0);
	}
	if (!entered)
		enter_cwd(p->cwd);
	verify_cwd(p->cwd);
}

/* The path of the program, NULL when it came as a descriptor. */
static const char *find_program(const struct plan *p, const struct held *h)
{
	if (h->program >= 0)
		return NULL;
	if (p->program.path != NULL)
		return p->program.path;
	return look_up(p->program.argv[0], p->program.envp);
}

/*
 * Carries the plan out up to the exec, and returns the path of the program.
 *
 * Without no_new_privs a filter, as a ruleset of Landlock, needs CAP_SYS_ADMIN, so it must come
 * before the capabilities go, and has to let capset through. With it the filter comes last: write,
 * openat and execve are all that it must allow besides what hooks need.
 */
static const char *apply(const struct plan *p, const struct held *h)
{
	const struct wire_plan *w = p->wire;
	int late_filter = (w->flags & WIRE_NO_NEW_PRIVS) != 0;

	set_up_session(p, h);
	if (!(w->flags & WIRE_KEEP_CREDENTIALS)) {
		umask((mode_t)w->umask);
		own_stdio(w->uid);
	}
	become_user(p, h);
	const char *path = find_program(p, h);
	/* Everything is CLOEXEC from birth; this holds should that ever be forgotten. */
	if (syscall(SYS_close_range, h->sock, ~0u, CLOSE_RANGE_CLOEXEC) < 0 && errno != EINVAL &&
	    errno != ENOSYS && errno != EPERM)
		die(STEP_CLOSE, errno, 0, NULL);
	/* Before the limits, which are the program's and may be as low as it likes. */
	int listener = announce_listener(p, h->sock, h->channel);
	set_rlimits(p);
	if (h->ruleset >= 0)
		confine(h->ruleset);
	if (!late_filter)
		load_filter(p, listener);
	if (!(w->flags & WIRE_KEEP_CREDENTIALS))
		set_capabilities(w);
	if (late_filter)
		load_filter(p, listener);
	return path;
}

/*
 * Waits for `start` to open the fifo for reading. It is opened through /proc/self/fd, since init
 * has but an O_PATH descriptor, and no way to the runtime's directory.
 */
static void await_reader(struct held *h)
{
	struct text path = {.length = 0};
	int fifo;

	append(&path, "fd/");
	append_number(&path, (unsigned)h->fifo);
	do
		fifo = openat(h->proc_self, path.bytes, O_WRONLY | O_CLOEXEC);
	while (fifo < 0 && errno == EINTR);
	if (fifo < 0)
		die(STEP_FIFO, errno, 0, NULL);
	report_to(fifo);
}

/* Nobody but the runtime, or later `start`, lets the program begin. */
static void await_start(struct held *h)
{
	report(WIRE_READY, NULL, 0);
	if (h->fifo >= 0)
		await_reader(h);
	else
		await_go(h->sock);
}

/*
 * Lets go of what leads out of the container. A path of the user's ("/proc/self/fd/5/../..") can
 * then no longer pass through it, not even in the exec itself.
 */
static void let_go(const struct held *h)
{
	if (close(h->proc_self) < 0)
		die(STEP_CLOSE, errno, 0, NULL);
	if (h->fifo < 0)
		return;
	if (close(h->fifo) < 0 || close(h->sock) < 0)
		die(STEP_CLOSE, errno, 0, NULL);
}

int main(int argc, char **argv)
{
	struct held h = {-1, -1, -1, -1, -1, -1, -1, -1, {-1, -1, -1}};
	struct plan p;

	begin(argc == 2 ? argv[1] : NULL, &h);
	bootstrap(&h);
	receive_plan(&h, &p);
	const char *path = apply(&p, &h);

	if (!(p.wire->flags & WIRE_AT_ONCE))
		await_start(&h);
	let_go(&h);
	run_hooks(&p, &h.hooks);
	report(WIRE_EXEC, NULL, 0);
	set_sigpipe(0);
	if (h.program >= 0)
		syscall(SYS_execveat, h.program, "", p.program.argv, p.program.envp, AT_EMPTY_PATH);
	else
		execve(path, p.program.argv, p.program.envp);
	die(STEP_EXEC, errno, 0, path);
}
