/* SPDX-License-Identifier: Apache-2.0 */
/* The attributes of files. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "copier.h"

/* linux/limits.h, which some C libraries include. */
#ifndef XATTR_LIST_MAX
#define XATTR_LIST_MAX 65536
#define XATTR_SIZE_MAX 65536
#endif

void copy_owner(int to, const struct stat *st)
{
	if (fchown(to, st->st_uid, st->st_gid) < 0)
		fail("fchown", errno);
}

/*
 * Sets the owner, the mode (after the owner, because changing that clears set-id bits) and the
 * times of the new entry. Nobody else has access to the new tree, so names are safe in it. Links
 * are not followed.
 */
void copy_metadata(int to, const char *name, const struct stat *st)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};

	if (fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		fail("fchownat", errno);
	if (!S_ISLNK(st->st_mode) && fchmodat(to, name, st->st_mode & 07777, 0) < 0)
		fail("fchmodat", errno);
	if (utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		fail("utimensat", errno);
}

/*
 * Whether the error means that the new file system does not support an attribute, or the process
 * may not set it.
 */
static int unsupported(int error)
{
	return error == ENOTSUP || error == EPERM;
}

static void copy_xattr(int from, int to, const char *name)
{
	static char value[XATTR_SIZE_MAX];
	ssize_t size = fgetxattr(from, name, value, sizeof(value));

	if (size < 0) {
		/* ENODATA: removed since it was listed. */
		if (!unsupported(errno) && errno != ENODATA)
			fail("fgetxattr", errno);
		return;
	}
	if (fsetxattr(to, name, value, (size_t)size, 0) < 0 && !unsupported(errno))
		fail("fsetxattr", errno);
}

/* Copies the extended attributes that the new file system supports. */
void copy_xattrs(int from, int to)
{
	static char list[XATTR_LIST_MAX];
	ssize_t size = flistxattr(from, list, sizeof(list));

	if (size < 0) {
		if (!unsupported(errno))
			fail("flistxattr", errno);
		return;
	}
	for (ssize_t at = 0; at < size; at += (ssize_t)strlen(list + at) + 1)
		copy_xattr(from, to, list + at);
}
