/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A procfs shows the processes of the pid namespace of whoever opened its context. For one that is
 * joined that has to be a process in it, which others there can trace; and fsopen(2) wants
 * CAP_SYS_ADMIN over the mount namespace that the process is in. So it gets that over nothing: in a
 * user namespace and a mount namespace that are made for it, with an empty file system as its root.
 * To mount the procfs is another's part, whose rights are looked at then.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init.h"
#include "kernel.h"

/* A mounted tmpfs that is attached nowhere. */
static int make_tmpfs(void)
{
	CLEANUP_CLOSE int context = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);

	if (context < 0 || syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		die(STEP_EMPTY_ROOT, errno, 0, "tmpfs");
	int mount = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
	if (mount < 0)
		die(STEP_EMPTY_ROOT, errno, 0, "tmpfs");
	return mount;
}

/* Leaves every file of the host behind. /proc is where there surely is a directory. */
static void empty_root(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		die(STEP_UNSHARE, errno, 0, NULL);
	int root = make_tmpfs();
	if (syscall(SYS_move_mount, root, "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		die(STEP_EMPTY_ROOT, errno, 0, "move_mount");
	if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		die(STEP_EMPTY_ROOT, errno, 0, "pivot_root");
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		die(STEP_EMPTY_ROOT, errno, 0, "umount");
	close(root);
}

/* Ends as the runtime's child that it is, when the contexts are sent. */
_Noreturn void open_contexts(const struct wire_bootstrap *b, int proc_self)
{
	empty_root();
	close(proc_self);
	stay_undumpable();
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid < 0)
		die(STEP_FORK, errno, 0, NULL);
	if (pid == 0) {
		send_inside(b, -1);
		_exit(0);
	}
	while (waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	_exit(0);
}
