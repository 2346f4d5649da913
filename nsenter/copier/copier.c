/* SPDX-License-Identifier: Apache-2.0 */
/* The main function, and the report of a failure. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copier.h"

/* The path relative to the source, for errors. It is truncated if it gets too long. */
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

/* The record: the errno, then the call and the path, each terminated by a NUL. */
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
	/* It may be longer than PIPE_BUF, but nobody else writes there. */
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
 * If the runtime was killed, this process must not continue. The runtime has the only other end of
 * the pipe.
 */
void check_reader(void)
{
	struct pollfd reader = {.fd = REPORT};

	if (poll(&reader, 1, 0) > 0 && reader.revents & POLLERR)
		_exit(1);
}

/* The argument says whether the target gets the owner of the source. */
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
