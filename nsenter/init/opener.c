/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A procfs shows the pid namespace of the process that opened its context. For a joined pid
 * namespace this must be a process in it, which others there can trace. And fsopen(2) needs
 * CAP_SYS_ADMIN over the mount namespace of the process. So the process gets this capability only
 * over new user and mount namespaces of its own, with an empty file system as root. Another process
 * mounts the procfs, and the kernel then checks the rights of that process.
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

/* A tmpfs that is not attached anywhere. */
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

/* Leaves every file of the host behind. /proc is used as a directory that certainly exists. */
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

/* Sends the contexts and ends. */
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
