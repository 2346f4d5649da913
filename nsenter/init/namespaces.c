/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves init into its cgroups and namespaces, and opens the descriptors that can only be created
 * inside them.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"
#include "kernel.h"

/* The files of /proc/self/ns in the order in which they are sent: by flag, ascending. */
static const struct {
	uint32_t flag;
	const char *path;
} namespace_files[] = {
    {CLONE_NEWTIME, "ns/time"}, {CLONE_NEWNS, "ns/mnt"},  {CLONE_NEWCGROUP, "ns/cgroup"},
    {CLONE_NEWUTS, "ns/uts"},	{CLONE_NEWIPC, "ns/ipc"}, {CLONE_NEWUSER, "ns/user"},
    {CLONE_NEWPID, "ns/pid"},	{CLONE_NEWNET, "ns/net"},
};
#define NAMESPACE_FILES (sizeof(namespace_files) / sizeof(namespace_files[0]))

/*
 * In each v1 hierarchy, writing "0" to `tasks` moves the writing thread. Writing a pid to
 * cgroup.procs from outside takes a lock for which the kernel waits an RCU grace period.
 */
void enter_cgroups(const int *tasks, unsigned first, unsigned count, uint64_t password)
{
	for (unsigned i = 0; i < count; i++) {
		if (syscall(SYS_write, tasks[i], "0", 1, 0, 0, password) != 1)
			die(STEP_CGROUP, errno, first + i, NULL);
		close(tasks[i]);
	}
}

/*
 * The offsets of a time namespace can be written only while no process is in it. So unshare(2)
 * creates it for future children, and init then joins it too.
 */
static void enter_time_namespace(const struct wire_bootstrap *b, int proc_self)
{
	if (b->offsets_size > 0) {
		CLEANUP_CLOSE int offsets =
		    openat(proc_self, "timens_offsets", O_WRONLY | O_CLOEXEC);

		if (offsets < 0)
			die(STEP_PROC, errno, 0, "/proc/self/timens_offsets");
		/* One write: the kernel accepts all lines or none. */
		if (write(offsets, b->offsets, b->offsets_size) != (ssize_t)b->offsets_size)
			die(STEP_TIME_OFFSETS, errno, 0, "/proc/self/timens_offsets");
	}
	CLEANUP_CLOSE int children =
	    openat(proc_self, "ns/time_for_children", O_RDONLY | O_CLOEXEC);
	if (children < 0)
		die(STEP_PROC, errno, 0, "/proc/self/ns/time_for_children");
	if (setns(children, CLONE_NEWTIME) < 0)
		die(STEP_JOIN, errno, WIRE_MAX_JOINS, "/proc/self/ns/time_for_children");
}

/*
 * Everything that init creates in the user namespace belongs to its ids, and the host's root is not
 * mapped there. If a joined namespace does not map an id, init keeps its own; it has all
 * capabilities anyway.
 */
static void become_owner(const struct wire_bootstrap *b)
{
	if (!(b->flags & WIRE_OWN))
		return;
	if (syscall(SYS_setresgid, b->gid, b->gid, b->gid) < 0 && errno != EINVAL)
		die(STEP_OWNER, errno, 0, NULL);
	if (syscall(SYS_setresuid, b->uid, b->uid, b->uid) < 0 && errno != EINVAL)
		die(STEP_OWNER, errno, 0, NULL);
}

/*
 * A new cgroup namespace has init's cgroups as its root, so it comes after the moves. The joins
 * come before the new namespaces, because a joined user namespace must own these.
 */
void enter_namespaces(const struct wire_bootstrap *b, const int *files, int *proc_self)
{
	CLEANUP_CLOSE int proc = -1;

	if (b->flags & WIRE_FORK) {
		proc = openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (proc < 0)
			die(STEP_PROC, errno, 0, "/proc");
	}
	enter_cgroups(files, 0, b->tasks, 0);
	if (b->flags & WIRE_RESET_AFFINITY)
		reset_affinity();
	files += b->tasks;
	for (unsigned i = 0; i < b->joins; i++) {
		if (setns(files[i], (int)b->join_types[i]) < 0)
			die(STEP_JOIN, errno, i, NULL);
		close(files[i]);
	}
	become_owner(b);
	if (b->unshare != 0 && unshare((int)b->unshare) < 0)
		die(STEP_UNSHARE, errno, 0, NULL);
	if (b->unshare & CLONE_NEWTIME)
		enter_time_namespace(b, *proc_self);
	if (b->flags & WIRE_FORK)
		go_on_as_first(proc, proc_self, (b->flags & WIRE_HELPER) != 0);
}

/*
 * A procfs context belongs to the pid namespace of the process that opens it. So init opens it for
 * the builder, which is in the host's pid namespace.
 */
void send_inside(const struct wire_bootstrap *b, int proc_self)
{
	int files[WIRE_MAX_PROC_CONTEXTS + NAMESPACE_FILES];
	int joins_pid = joins_pid_namespace(b);
	unsigned count = 0;

	for (; count < b->proc_contexts; count++) {
		files[count] = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);
		if (files[count] < 0)
			die(STEP_PROC_CONTEXT, errno, 0, "proc");
	}
	for (unsigned i = 0; i < NAMESPACE_FILES; i++) {
		if (!(b->namespace_files & namespace_files[i].flag))
			continue;
		const char *path = namespace_files[i].path;

		/* Init gets there only by a fork. */
		if (joins_pid && namespace_files[i].flag == CLONE_NEWPID)
			path = "ns/pid_for_children";
		files[count] = openat(proc_self, path, O_RDONLY | O_CLOEXEC);
		if (files[count] < 0)
			die(STEP_NAMESPACE_FILE, errno, 0, path);
		count++;
	}
	report(WIRE_NAMESPACES, files, count);
	while (count > 0)
		close(files[--count]);
}
