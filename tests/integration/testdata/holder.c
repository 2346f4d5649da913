/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: holder KIND [ARGUMENT]
 *
 * Holds something that a checkpoint has to save, and answers each line of /in with a line in /out:
 * how many there have been, and what is wrong with what it holds, if anything is.
 *
 *   lock FILE      a lock on the file
 *   tcp PORT       both ends of a connection to 127.0.0.1
 *   pending PORT   a connection that nobody has accepted
 *   unix PATH      a datagram socket that is connected to another one
 *   unlinked FILE  the file, open, but removed by this name
 *   memory MBYTES  memory that is not zero
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *argument;
static int held[3]; /* descriptors */
static unsigned *memory;
static size_t words;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int need(int result, const char *what)
{
	if (result < 0)
		die(what);
	return result;
}

static struct sockaddr_in local(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(argument))};

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static int dial(void)
{
	struct sockaddr_in a = local();
	int s = need(socket(AF_INET, SOCK_STREAM, 0), "socket");

	need(connect(s, (struct sockaddr *)&a, sizeof(a)), "connect");
	return s;
}

static void make_lock(void)
{
	held[0] = need(open(argument, O_RDWR | O_CREAT, 0600), argument);
	need(flock(held[0], LOCK_EX), "flock");
}

static const char *check_lock(void)
{
	int again = need(open(argument, O_RDWR), argument);
	int result = flock(again, LOCK_EX | LOCK_NB);

	close(again);
	return result < 0 && errno == EWOULDBLOCK ? "" : " is not locked";
}

static void make_pending(void)
{
	struct sockaddr_in a = local();
	int one = 1;

	held[0] = need(socket(AF_INET, SOCK_STREAM, 0), "socket");
	need(setsockopt(held[0], SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), "setsockopt");
	need(bind(held[0], (struct sockaddr *)&a, sizeof(a)), "bind");
	need(listen(held[0], 5), "listen");
	held[1] = dial();
}

static const char *check_pending(void)
{
	int s = dial();

	close(s);
	return "";
}

static void make_tcp(void)
{
	make_pending();
	held[2] = need(accept(held[0], NULL, NULL), "accept");
}

static const char *check_tcp(void)
{
	char c = 0;

	if (send(held[1], "x", 1, MSG_NOSIGNAL) != 1 || recv(held[2], &c, 1, 0) != 1 || c != 'x')
		return " is disconnected";
	return "";
}

static void make_unix(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	strncpy(a.sun_path, argument, sizeof(a.sun_path) - 1);
	held[0] = need(socket(AF_UNIX, SOCK_DGRAM, 0), "socket");
	need(connect(held[0], (struct sockaddr *)&a, sizeof(a)), argument);
}

static const char *check_unix(void)
{
	return send(held[0], "x", 1, MSG_NOSIGNAL) == 1 ? "" : " is disconnected";
}

static void make_unlinked(void)
{
	char other[4096];

	snprintf(other, sizeof(other), "%s.other", argument);
	held[0] = need(open(argument, O_RDWR | O_CREAT, 0600), argument);
	need(link(argument, other), other);
	need(unlink(argument), argument);
}

static const char *check_unlinked(void)
{
	struct stat st;

	need(fstat(held[0], &st), "fstat");
	return st.st_nlink == 1 ? "" : " has another number of links";
}

static void make_memory(void)
{
	words = (size_t)atoi(argument) << 18;
	memory = malloc(words * sizeof(*memory));
	if (!memory)
		die("malloc");
	for (size_t i = 0; i < words; i++)
		memory[i] = (unsigned)i * 2654435761u;
}

static const char *check_memory(void)
{
	for (size_t i = 0; i < words; i++)
		if (memory[i] != (unsigned)i * 2654435761u)
			return " is changed";
	return "";
}

static const struct {
	const char *name;
	void (*make)(void);
	const char *(*check)(void);
} kinds[] = {
    {"lock", make_lock, check_lock},
    {"tcp", make_tcp, check_tcp},
    {"pending", make_pending, check_pending},
    {"unix", make_unix, check_unix},
    {"unlinked", make_unlinked, check_unlinked},
    {"memory", make_memory, check_memory},
};

int main(int argc, char **argv)
{
	FILE *in, *out;
	char line[256];
	unsigned kind = 0, n = 0;

	while (argc > 2 && kind < sizeof(kinds) / sizeof(kinds[0]) &&
	       strcmp(kinds[kind].name, argv[1]))
		kind++;
	if (argc != 3 || kind == sizeof(kinds) / sizeof(kinds[0]))
		return 2;
	argument = argv[2];
	kinds[kind].make();
	in = fopen("/in", "r");
	if (!in)
		die("/in");
	while (fgets(line, sizeof(line), in)) {
		out = fopen("/out", "w");
		if (!out)
			die("/out");
		fprintf(out, "%u%s\n", ++n, kinds[kind].check());
		fclose(out);
	}
	return 0;
}
