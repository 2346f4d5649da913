/* SPDX-License-Identifier: Apache-2.0 */
/* The beginning and the end: what is told of a failure. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copier.h"

/* The path from the source, for errors; it is cut where it gets too long. */
static char path[PATH_MAX];
static unsigned path_length;

unsigned enter(const char *name)
{
	unsigned before = path_length;

	if (path_length > 0 && path_length < sizeof(path) - 1)
		path[path_length++] = '/';
	while (*name != '\0' && path_length < sizeof(path) - 1)
		path[path_length++] = *name++;
	path[path_length] = '\0';
	return before;
}

void leave(unsigned length)
{
	path_length = length;
	path[length] = '\0';
}

/* The record: the error's number, and the call and the path, each with a NUL at its end. */
_Noreturn void fail(const char *call, int error)
{
	char record[sizeof(uint32_t) + 32 + sizeof(path)];
	uint32_t number = (uint32_t)error;
	size_t size = sizeof(number), length = strnlen(call, 31);

	memcpy(record, &number, size);
	memcpy(record + size, call, length);
	size += length;
	record[size++] = '\0';
	memcpy(record + size, path, path_length + 1);
	size += path_length + 1;
	/* Its length is at most PIPE_BUF and some: nobody else writes there. */
	for (size_t done = 0; done < size;) {
		ssize_t n = write(REPORT, record + done, size - done);

		if (n < 0 && errno != EINTR)
			break;
		if (n > 0)
			done += (size_t)n;
	}
	_exit(1);
}

/*
 * A runtime that was killed is not to leave a process that copies on. It has the only other end of
 * the pipe.
 */
void check_reader(void)
{
	struct pollfd reader = {.fd = REPORT};

	if (poll(&reader, 1, 0) > 0 && reader.revents & POLLERR)
		_exit(1);
}

/* The argument says whether the target is to belong to whom the source does. */
int main(int argc, char **argv)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		_exit(1);
	if (argc != 2)
		fail("arguments", EINVAL);
	umask(0);
	copy_tree(SOURCE, TARGET, strcmp(argv[1], "owner") == 0);
	return 0;
}
