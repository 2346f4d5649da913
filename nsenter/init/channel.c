/* SPDX-License-Identifier: Apache-2.0 */
/* Sends and receives the messages of wire.h over the socket and the fifo. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"

/* Where reports are written: the socket, and later the fifo for reports if there is one. */
static int report_fd = -1;

/* The password that lets a record pass the filter; see credentials.c. */
static uint64_t report_password;

void use_password(uint64_t password)
{
	report_password = password;
}

void report_to(int fd)
{
	report_fd = fd;
}

void close_descriptor(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/*
 * Ends the process. A filter may forbid exit_group, or let an agent give any answer to it. So the
 * last resort is not a system call but an instruction for which the kernel kills the process.
 */
_Noreturn void end(void)
{
	syscall(SYS_exit_group, 1);
	__builtin_trap();
}

/*
 * Writes one record with one call: a seqpacket socket and a fifo (below PIPE_BUF) accept it as a
 * whole. There is nobody to report an error to. Returns 0 if the record was not written although
 * the reader exists, for example because of a filter. SIGPIPE is ignored.
 */
static int write_record(struct wire_report *r, const void *detail, size_t size)
{
	char record[sizeof(*r) + WIRE_MAX_DETAIL];

	r->magic = WIRE_MAGIC;
	r->detail_size = (uint32_t)size;
	memcpy(record, r, sizeof(*r));
	if (size > 0)
		memcpy(record + sizeof(*r), detail, size);
	ssize_t written;
	do
		written =
		    syscall(SYS_write, report_fd, record, sizeof(*r) + size, 0, 0, report_password);
	while (written < 0 && errno == EINTR);
	return written == (ssize_t)(sizeof(*r) + size) || (written < 0 && errno == EPIPE);
}

/* Sends a record with descriptors over the socket. */
static void send_record(struct wire_report *r, const int *files, unsigned count)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * MESSAGE_MAX_FILES)];
	} control;
	struct iovec iov = {.iov_base = r, .iov_len = sizeof(*r)};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

	memset(&control, 0, sizeof(control));
	h.msg_control = &control;
	h.msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * count);
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * count);
	memcpy(CMSG_DATA(c), files, sizeof(int) * count);
	while (sendmsg(report_fd, &h, MSG_NOSIGNAL) < 0) {
		/* If the runtime does not get the files, init cannot go on: end as if killed. */
		if (errno != EINTR)
			_exit(1);
	}
}

void report(uint32_t kind, const int *files, unsigned count)
{
	struct wire_report r = {.magic = WIRE_MAGIC, .kind = kind};

	/* write(2) if it is enough: every useful seccomp filter allows it. */
	if (count > 0)
		send_record(&r, files, count);
	/* The runtime waits for the record. When init ends, it learns that none will come. */
	else if (!write_record(&r, NULL, 0))
		end();
}

/* The same, with only a number. */
void report_number(uint32_t kind, int number)
{
	struct wire_report r = {.kind = kind, .index = (uint32_t)number};

	if (!write_record(&r, NULL, 0))
		end();
}

void report_failure(enum step step, int error, unsigned index, const char *detail)
{
	struct wire_report r = {
	    .kind = WIRE_FAILED, .step = (uint32_t)step, .error = error, .index = index};

	write_record(&r, detail, detail == NULL ? 0 : strnlen(detail, WIRE_MAX_DETAIL));
}

/* Returns 0 if there is no use in going on. */
int report_fact(uint32_t what, int error, const void *detail, size_t size)
{
	struct wire_report r = {.kind = WIRE_FACT, .step = what, .error = error};

	return write_record(&r, detail, size);
}

_Noreturn void die(enum step step, int error, unsigned index, const char *detail)
{
	report_failure(step, error, index, detail);
	end();
}

/* Returns the descriptors in a received message. */
static void take_files(struct msghdr *h, struct message *m, enum step step)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(h);

	m->files_count = 0;
	if (h->msg_flags & (MSG_CTRUNC | MSG_TRUNC))
		die(step, EMSGSIZE, 0, NULL);
	if (c == NULL)
		return;
	if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len < CMSG_LEN(0) || c->cmsg_len > CMSG_LEN(sizeof(m->files)))
		die(step, EBADMSG, 0, NULL);
	m->files_count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(m->files, CMSG_DATA(c), m->files_count * sizeof(int));
}

/*
 * Waits for a message. The end of the connection means that the runtime has given up or was killed.
 * Then the container is not needed any more, and there is nobody to report to.
 */
void receive(int sock, void *buffer, size_t size, struct message *m, enum step step)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(m->files))];
	} control;
	struct iovec iov = {.iov_base = buffer, .iov_len = size};
	struct msghdr h = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	ssize_t got;

	do
		got = recvmsg(sock, &h, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0 && errno != ECONNRESET)
		die(step, errno, 0, NULL);
	if (got <= 0)
		_exit(1);
	m->size = (size_t)got;
	take_files(&h, m, step);
}

/* Waits for the byte that releases init, on the socket or a fifo. */
void await_go(int sock)
{
	unsigned char byte = 0;
	ssize_t got;

	do
		got = read(sock, &byte, 1);
	while (got < 0 && errno == EINTR);
	if (got != 1 || byte != WIRE_GO)
		_exit(1);
}
