/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which things happen. wire.h shows the protocol. */
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

/*
 * The name until the exec. By this, the runtime knows whether a dead process had executed the
 * program.
 */
#define INIT_NAME "berth:init"

/*
 * The state of init: its descriptors, -1 for those that it does not have, and what is still to be
 * done.
 */
struct held {
	int sock, proc_self;
	int console, root, fifo, reports, program, ruleset;
	struct hook_files hooks;
	int has_helper, joins_pid;
	/* The cgroups that only the child enters, so that init does not count there. */
	int child_tasks[WIRE_MAX_TASKS];
	unsigned tasks_count, child_tasks_count;
	/* The working directory has been entered; the program has been found, or is a descriptor.
	 */
	int entered;
	const char *path;
};

/* The argument is the descriptor of the socket. Returns -1 if it is not a number. */
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
 * First, init becomes undumpable, so that a process of a joined container cannot trace or inspect
 * it (CVE-2016-9962). Then all descriptors that are not meant for init are closed, for example
 * those that an engine has leaked into the runtime.
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
 * The files in /proc of an undumpable process belong to root, so an unprivileged runtime could not
 * write uid_map and gid_map. So init stays dumpable until they are written. This is safe: it is
 * alone in its user namespace, and has joined no other.
 *
 * Without maps init is not root, and has kept its capabilities through its own exec only as ambient
 * ones. From here on it keeps them as they are.
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
 * /proc/self is opened while /proc is still that of the host. From then on init uses this
 * descriptor, because the container can fake its own /proc. A process that others in the container
 * can trace never has the descriptor, because it leads to the root of the host.
 */
static void bootstrap(struct held *h)
{
	struct wire_bootstrap b;
	struct message m;

	receive(h->sock, &b, sizeof(b), &m, STEP_BOOTSTRAP);
	int error = check_bootstrap(&b, m.size, m.files_count);
	if (error != 0)
		die(STEP_BOOTSTRAP, error, 0, NULL);
	h->joins_pid = joins_pid_namespace(&b);
	h->has_helper = (b.flags & WIRE_HELPER) != 0;
	h->tasks_count = b.tasks;
	h->child_tasks_count = b.child_tasks;
	memcpy(h->child_tasks, m.files + b.tasks + b.joins, b.child_tasks * sizeof(int));
	if (h->has_helper) {
		reset_signals();
		start_helper(m.files[m.files_count - 1]);
	}
	if (b.flags & WIRE_AWAIT_MAPS)
		await_maps(h->sock);
	/* Not open(), which in musl makes another call for kernels without O_CLOEXEC. */
	h->proc_self = openat(AT_FDCWD, "/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (h->proc_self < 0)
		die(STEP_PROC, errno, 0, "/proc/self");
	enter_namespaces(&b, m.files, &h->proc_self);
	if (b.flags & WIRE_OPENER)
		open_contexts(&b, h->proc_self);
	send_inside(&b, h->proc_self);
	/* Done here, where it delays nobody: the runtime is busy with the files it got. */
	if (!h->has_helper)
		reset_signals();
}

/* The plan's strings are used in place, so nobody may change them, not even the runtime. */
static void check_seals(int fd)
{
	const int wanted = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0)
		die(STEP_PLAN, errno, 0, NULL);
	if ((seals & wanted) != wanted)
		die(STEP_PLAN, EPERM, 0, "seals");
}

static void map_plan(int fd, size_t size, struct plan *p)
{
	struct stat st;

	check_seals(fd);
	if (fstat(fd, &st) < 0)
		die(STEP_PLAN, errno, 0, NULL);
	/* An access beyond the end of the file would be a SIGBUS instead of an error. */
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

/* Stores the descriptors that came with the plan, in the order of their flags. */
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
	    {WIRE_HAS_REPORTS, &h->reports},
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

/* Sets up what belongs to the session and the process, not to the user. */
static void set_up_session(const struct plan *p, struct held *h)
{
	uint32_t flags = p->wire->flags;

	if (p->keyring != NULL) {
		set_keyring_label(p, h->proc_self);
		join_keyring(p->keyring);
	}
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

/*
 * Without an explanation if the filter notifies: an agent that does not know the calls for it could
 * let them wait for ever.
 */
static _Noreturn void fail_program(const struct plan *p, const struct held *h, enum step step,
				   int error, const char *name)
{
	die_explained(step, error, name, p->program.envp, step == STEP_EXEC && h->fifo >= 0,
		      !h->has_helper);
}

/* The second attempt, as the user. */
static void enter_cwd(const struct plan *p, const struct held *h)
{
	if (!try_cwd(p->cwd))
		fail_program(p, h, STEP_CHDIR, errno, p->cwd);
}

/* Changes from root to the user, in the user's directory. Only CAP_SYS_ADMIN may remain. */
static void become_user(const struct plan *p, struct held *h)
{
	const struct wire_plan *w = p->wire;
	int keep = (w->flags & WIRE_KEEP_CREDENTIALS) != 0;

	h->entered = try_cwd(p->cwd);
	if (!keep) {
		drop_bounding_set(w->bounding);
		switch_user(p, h->proc_self);
		limit_capabilities(w, p->filter != NULL || h->ruleset >= 0);
	}
	if (!h->entered && h->joins_pid)
		h->entered = try_cwd(p->cwd);
	else if (!h->entered)
		enter_cwd(p, h);
	if (h->entered || !h->joins_pid)
		verify_cwd(p->cwd);
}

/*
 * The path of the program. An init outside of the pid namespace may not find a path below
 * /proc/self. It does not report that, because the child looks again.
 */
static void find_program(const struct plan *p, struct held *h, int may_fail)
{
	enum step step;
	int error;

	if (h->program >= 0)
		return;
	h->path = p->program.path;
	if (h->path == NULL)
		h->path = look_up(p->program.argv[0], p->program.envp, &step, &error);
	if (h->path == NULL && !may_fail)
		fail_program(p, h, step, error, p->program.argv[0]);
}

/* The rest of become_user, for a child in the joined pid namespace. */
static void look_again(const struct plan *p, struct held *h)
{
	if (!h->entered) {
		enter_cwd(p, h);
		verify_cwd(p->cwd);
	}
	if (h->path == NULL)
		find_program(p, h, 0);
}

/* Completes LISTEN_PID= in the environment: the runtime cannot know the pid beforehand. */
static void complete_listen_pid(const struct plan *p)
{
	static struct text t;

	if (!(p->wire->flags & WIRE_LISTEN_PID))
		return;
	append(&t, "LISTEN_PID=");
	append_number(&t, (unsigned)syscall(SYS_getpid));
	for (char **e = p->program.envp; *e != NULL; e++)
		if (strcmp(*e, "LISTEN_PID=") == 0)
			*e = t.bytes;
}

/* What only the process that executes the program can do, in its pid namespace. */
static void settle(const struct plan *p, const struct held *h)
{
	if (h->joins_pid) {
		go_on_last(h->has_helper, p->wire->password);
		enter_cgroups(h->child_tasks, h->tasks_count, h->child_tasks_count,
			      p->wire->password);
		if (p->wire->flags & WIRE_AWAIT_GO)
			await_go(h->sock);
	}
	if (p->wire->flags & WIRE_NEW_SESSION)
		lead_session(h->console >= 0, p->wire->password);
	complete_listen_pid(p);
}

/* Loads the filter. With no_new_privs this is the last step. */
static void filter(const struct plan *p, const struct held *h)
{
	int listener = announce_listener(p, h->sock);

	load_filter(p, listener);
}

/*
 * Applies the plan up to the exec.
 *
 * Without no_new_privs, a filter, like a Landlock ruleset, needs CAP_SYS_ADMIN. So it must be
 * loaded before the capabilities are dropped, and has to allow capset and everything that init does
 * afterwards without the password. With no_new_privs the filter comes last: besides what hooks
 * need, it only has to allow write, read and execve.
 */
static void apply(const struct plan *p, struct held *h)
{
	const struct wire_plan *w = p->wire;
	int keep = (w->flags & WIRE_KEEP_CREDENTIALS) != 0;
	int late_filter = (w->flags & WIRE_NO_NEW_PRIVS) != 0;

	set_up_session(p, h);
	if (!keep) {
		umask((mode_t)w->umask);
		own_stdio(w->flags, w->uid);
	}
	become_user(p, h);
	if (h->entered || !h->joins_pid)
		find_program(p, h, h->joins_pid);
	close(h->proc_self);
	stay_undumpable();
	/* All descriptors are opened with CLOEXEC. This is in case one is ever forgotten. */
	if (syscall(SYS_close_range, h->sock, ~0u, CLOSE_RANGE_CLOEXEC) < 0 && errno != EINVAL &&
	    errno != ENOSYS && errno != EPERM)
		die(STEP_CLOSE, errno, 0, NULL);
	if (!h->joins_pid)
		settle(p, h);
	/* The limits are for the program, and may be too low for init. */
	if (!h->joins_pid)
		set_rlimits(p);
	if (h->ruleset >= 0)
		confine(h->ruleset);
	use_password(w->password);
	if (!late_filter)
		filter(p, h);
	if (!keep)
		set_capabilities(w);
	if (h->joins_pid) {
		settle(p, h);
		look_again(p, h);
		set_rlimits(p);
	}
	if (late_filter)
		filter(p, h);
}

/*
 * Only the runtime, or later `start`, lets the program begin. `start` writes to one fifo and reads
 * from the other. Init has both open for reading and writing, so that neither reports its end
 * before init has ended, and opening does not block.
 */
static void await_start(const struct held *h)
{
	report(WIRE_READY, NULL, 0);
	if (h->fifo < 0) {
		await_go(h->sock);
		return;
	}
	await_go(h->fifo);
	report_to(h->reports);
}

/*
 * Closes the descriptors that lead out of the container. Then a path from the user
 * ("/proc/self/fd/5/../..") cannot use them, not even in the exec itself.
 */
static void let_go(const struct held *h)
{
	if (h->fifo < 0)
		return;
	if (close(h->fifo) < 0 || close(h->sock) < 0)
		die(STEP_CLOSE, errno, 0, NULL);
}

int main(int argc, char **argv)
{
	static struct held h = {.sock = -1,
				.proc_self = -1,
				.console = -1,
				.root = -1,
				.fifo = -1,
				.reports = -1,
				.program = -1,
				.ruleset = -1,
				.hooks = {-1, -1, -1}};
	struct plan p;

	begin(argc == 2 ? argv[1] : NULL, &h);
	bootstrap(&h);
	receive_plan(&h, &p);
	apply(&p, &h);

	if (!(p.wire->flags & WIRE_AT_ONCE))
		await_start(&h);
	let_go(&h);
	run_hooks(&p, &h.hooks);
	report(WIRE_EXEC, NULL, 0);
	set_sigpipe(0);
	if (h.program >= 0)
		syscall(SYS_execveat, h.program, "", p.program.argv, p.program.envp, AT_EMPTY_PATH);
	else
		execve(h.path, p.program.argv, p.program.envp);
	fail_program(&p, &h, STEP_EXEC, errno, h.path);
}
