/* SPDX-License-Identifier: Apache-2.0 */
/* The working directory. Its path comes from the config and is not trusted. */
#include <errno.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"

/*
 * The first attempt, with all of root's rights, because the user may have less. Where root has less
 * than the user (NFS with root squash, FUSE), main.c tries again as the user. The same goes for
 * paths that exist only for a process in the container's pid namespace (/proc/self). Returns 1 on
 * success.
 */
int try_cwd(const char *cwd)
{
	return chdir(cwd) == 0;
}

/*
 * A cwd such as /proc/self/fd/7 leads through a descriptor, if it is open, to a directory outside
 * of the container (CVE-2024-21626). The kernel then returns its path as "(unreachable)/...", or
 * does not find it at all. This uses the bare system call: a C library may replace the result by
 * ENOENT, or by a search.
 */
void verify_cwd(const char *cwd)
{
	char path[PATH_MAX];
	long size = syscall(SYS_getcwd, path, sizeof(path));

	if (size < 0)
		die(STEP_VERIFY_CWD, errno, 0, cwd);
	if (path[0] != '/')
		die(STEP_VERIFY_CWD, EXDEV, 0, cwd);
}
