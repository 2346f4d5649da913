/* SPDX-License-Identifier: Apache-2.0 */
/* The working directory, whose path is the config's and so nobody's friend. */
#include <errno.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"

/*
 * The first attempt, with all of root's rights: the user may be allowed less. Where root is allowed
 * less than the user (NFS with root squash, FUSE) it is for enter_cwd to try again, as the user;
 * and so it is with what only a process of the container's pid namespace finds (/proc/self). 1 if
 * it is done.
 */
int try_cwd(const char *cwd)
{
	return chdir(cwd) == 0;
}

/* The second attempt, as the user. */
void enter_cwd(const char *cwd)
{
	if (chdir(cwd) < 0)
		die(STEP_CHDIR, errno, 0, cwd);
}

/*
 * A cwd such as /proc/self/fd/7 leads through a descriptor, if one is open, to a directory outside
 * of the container (CVE-2024-21626). The kernel then calls it "(unreachable)/...", or does not find
 * it at all. The bare system call: a C library may replace that answer by ENOENT, or by a search.
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
