/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk. Another container may share the source, and replace any entry by another one at any
 * time. So each entry is opened once, with a descriptor that gives no access (O_PATH), and
 * everything else depends on what this descriptor refers to. Opening a name that has become a
 * device node would call its driver, and bypass the container's device rules.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "copier.h"

/* getdents64(2) */
struct entry {
	uint64_t inode;
	int64_t offset;
	unsigned short length;
	unsigned char type;
	char name[];
};

/* File systems whose files belong to the kernel and contain no data (linux/magic.h). */
static const unsigned long kernels[] = {
    0x9fa0,	/* proc */
    0x62656572, /* sysfs */
    0x64626720, /* debugfs */
    0x74726163, /* tracefs */
    0x73636673, /* securityfs */
    0x27e0eb,	/* cgroup */
    0x63677270, /* cgroup2 */
    0xcafe4a11, /* bpf */
    0x6165676c, /* pstore */
    0xde5e81e4, /* efivarfs */
    0x62656570, /* configfs */
    0xf97cff8c, /* selinuxfs */
    0x7655821,	/* resctrl */
};

static void copy_directory(int from, int to, int depth);

static int open_directory(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		fail("openat", errno);
	return fd;
}

/* Opens the same file as fd (O_PATH) for reading. O_NONBLOCK is for a file with a lease.
 */
static int reopen(int fd)
{
	/* "/proc/self/fd/" and a number, which fits. */
	char link[32] = "/proc/self/fd/";
	char digits[12];
	unsigned n = 0, at = (unsigned)strlen(link), number = (unsigned)fd;

	do
		digits[n++] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	while (n > 0)
		link[at++] = digits[--n];
	link[at] = '\0';

	int in = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (in < 0)
		fail("open", errno);
	return in;
}

static void check_data(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		fail("fstatfs", errno);
	for (unsigned i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
		if (((unsigned long)fs.f_type & 0xffffffff) == kernels[i])
			fail("a file of the kernel's", EINVAL);
}

/* Copies one range of data. Returns false if the file has become shorter. */
static int copy_range(int in, int out, off_t at, off_t end)
{
	const size_t most = 1 << 20; /* between two checks whether the runtime is still there */

	while (at < end) {
		size_t size = end - at < (off_t)most ? (size_t)(end - at) : most;
		ssize_t n = sendfile(out, in, &at, size);

		if (n < 0 && errno != EINTR)
			fail("sendfile", errno);
		if (n == 0)
			return 0;
		check_reader();
	}
	return 1;
}

/*
 * Copies as much data as the file had at first, because a process may append to it forever. Holes
 * stay holes; a file system that does not report them has none.
 */
static void copy_data(int in, int out, off_t size)
{
	for (off_t at = 0; at < size;) {
		off_t data = lseek(in, at, SEEK_DATA), hole = size;

		if (data < 0 && errno == ENXIO)
			break;
		if (data < 0)
			data = at;
		else
			hole = lseek(in, data, SEEK_HOLE);
		if (data >= size)
			break;
		if (hole <= data || hole > size)
			hole = size;
		if (lseek(out, data, SEEK_SET) < 0)
			fail("lseek", errno);
		if (!copy_range(in, out, data, hole))
			return;
		at = hole;
	}
	if (ftruncate(out, size) < 0)
		fail("ftruncate", errno);
}

static void copy_file(int fd, int to, const char *name, const struct stat *st)
{
	check_data(fd);
	int in = reopen(fd);
	int out = openat(to, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (out < 0)
		fail("openat", errno);
	copy_data(in, out, st->st_size);
	copy_metadata(to, name, st);
	/* After the change of owner, which removes file capabilities. */
	copy_xattrs(in, out);
	close(in);
	close(out);
}

static void copy_link(int fd, int to, const char *name, const struct stat *st)
{
	static char target[PATH_MAX]; /* the stack is needed for nesting */
	ssize_t length = readlinkat(fd, "", target, sizeof(target) - 1);

	if (length < 0)
		fail("readlinkat", errno);
	target[length] = '\0';
	if (symlinkat(target, to, name) < 0)
		fail("symlinkat", errno);
	copy_metadata(to, name, st);
}

static void copy_subdirectory(int fd, int to, const char *name, const struct stat *st, int depth)
{
	if (mkdirat(to, name, 0700) < 0)
		fail("mkdirat", errno);
	int in = open_directory(fd, "."), out = open_directory(to, name);

	copy_directory(in, out, depth + 1);
	copy_metadata(to, name, st);
	copy_xattrs(in, out);
	close(in);
	close(out);
}

static void copy_entry(int from, int to, const char *name, int depth)
{
	struct stat st;
	int fd = openat(from, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	/* An entry that has been removed since it was listed is skipped. */
	if (fd < 0 && errno == ENOENT)
		return;
	if (fd < 0)
		fail("openat", errno);
	if (fstat(fd, &st) < 0)
		fail("fstat", errno);
	if (S_ISDIR(st.st_mode))
		copy_subdirectory(fd, to, name, &st, depth);
	else if (S_ISREG(st.st_mode))
		copy_file(fd, to, name, &st);
	else if (S_ISLNK(st.st_mode))
		copy_link(fd, to, name, &st);
	else if (mknodat(to, name, st.st_mode, st.st_rdev) < 0)
		fail("mknodat", errno);
	else
		copy_metadata(to, name, &st);
	close(fd);
}

static void copy_directory(int from, int to, int depth)
{
	_Alignas(struct entry) char buffer[4096];

	if (depth > MAX_DEPTH)
		fail("nested too deeply", ELOOP);
	for (;;) {
		long got = syscall(SYS_getdents64, from, buffer, sizeof(buffer));

		if (got < 0)
			fail("getdents64", errno);
		if (got == 0)
			return;
		for (long at = 0; at < got;) {
			const struct entry *e = (const void *)(buffer + at);

			at += e->length;
			if (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0)
				continue;
			check_reader();
			unsigned before = enter(e->name);
			copy_entry(from, to, e->name, depth);
			leave(before);
		}
	}
}

void copy_tree(int from, int to, int with_owner)
{
	struct stat st;
	/* New descriptors, because the caller's may give no access (O_PATH). */
	int in = open_directory(from, "."), out = open_directory(to, ".");

	if (with_owner) {
		if (fstat(in, &st) < 0)
			fail("fstat", errno);
		copy_owner(out, &st);
	}
	copy_directory(in, out, 0);
}
