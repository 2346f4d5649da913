/* SPDX-License-Identifier: Apache-2.0 */
/* The look-up of the user's program, as the user, in the container. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/*
 * Whether the user may execute the file, with the effective ids and capabilities, as execve(2)
 * checks it. Without faccessat2 (a filter that does not know it returns ENOSYS or EPERM) the plain
 * call is used: the real ids are the same here, it only ignores capabilities.
 */
int may_execute(const char *path)
{
	if (syscall(SYS_faccessat2, AT_FDCWD, path, X_OK, AT_EACCESS) == 0)
		return 0;
	if (errno != ENOSYS && errno != EPERM)
		return errno;
	return syscall(SYS_faccessat, AT_FDCWD, path, X_OK) == 0 ? 0 : errno;
}

/* What prevents the execution of path: an errno, with the step that failed, or 0. */
static int hindrance(const char *path, enum step *step)
{
	struct stat st;

	*step = STEP_STAT;
	if (stat(path, &st) < 0)
		return errno;
	*step = STEP_EXECUTABLE;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	if (!S_ISREG(st.st_mode))
		return EACCES;
	return may_execute(path);
}

const char *search_path(char *const *envp)
{
	for (; *envp != NULL; envp++)
		if (strncmp(*envp, "PATH=", 5) == 0)
			return *envp + 5;
	return DEFAULT_PATH;
}

/*
 * Writes "directory/name" to path. An empty directory is the current one. Returns 0 if it is too
 * long.
 */
int join(char path[PATH_MAX], const char *directory, size_t length, const char *name)
{
	size_t name_size = strlen(name) + 1;

	if (length == 0) {
		directory = ".";
		length = 1;
	}
	if (length >= PATH_MAX || name_size >= PATH_MAX - length)
		return 0;
	memcpy(path, directory, length);
	path[length] = '/';
	memcpy(path + length + 1, name, name_size);
	return 1;
}

/*
 * The path of the program: name itself if it has a slash, otherwise found in PATH of the
 * environment. Returns NULL if there is none, with the step that failed and its errno.
 */
const char *look_up(const char *name, char *const *envp, enum step *step, int *error)
{
	static char path[PATH_MAX];
	const char *directory = search_path(envp);

	if (strchr(name, '/') != NULL) {
		*error = hindrance(name, step);
		return *error == 0 ? name : NULL;
	}
	/* "PATH=" names no directory, not even the current one. */
	for (int more = *directory != '\0'; more;) {
		size_t length = strcspn(directory, ":");

		if (join(path, directory, length, name) && hindrance(path, step) == 0)
			return path;
		more = directory[length] == ':';
		directory += length + 1;
	}
	*step = STEP_LOOK_UP;
	*error = ENOENT;
	return NULL;
}
