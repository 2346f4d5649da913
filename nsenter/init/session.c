/* SPDX-License-Identifier: Apache-2.0 */
/* The session of the user's process: its keyring, its terminal and its standard streams. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"
#include "kernel.h"

#define DESCRIPTION_MAX 512

/*
 * Parses the permissions in a KEYCTL_DESCRIBE result, "type;uid;gid;perm;name", with perm in hex.
 */
static int parse_permissions(const char *description, uint32_t *permissions)
{
	uint32_t value = 0;

	for (int field = 0; field < 3; field++) {
		description = strchr(description, ';');
		if (description == NULL)
			return 0;
		description++;
	}
	for (; *description != ';'; description++) {
		const char *digits = "0123456789abcdef";
		const char *digit = *description == '\0' ? NULL : strchr(digits, *description);

		if (digit == NULL)
			return 0;
		value = value << 4 | (uint32_t)(digit - digits);
	}
	*permissions = value;
	return 1;
}

/*
 * Its own session keyring keeps the keys of the runtime's caller out of the container. ENOSYS means
 * a kernel without keyrings, or an outer filter without the call; EPERM means an outer filter (a
 * container in a container). Then there is nothing to keep out, or no way to do it. The user gets
 * search permission for the new keyring, because it belongs to root and the process may have
 * another user later.
 */
void join_keyring(const char *name)
{
	char description[DESCRIPTION_MAX] = "";
	uint32_t permissions;
	long ring = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0);

	if (ring < 0 && (errno == ENOSYS || errno == EPERM))
		return;
	if (ring < 0)
		die(STEP_KEYRING, errno, 0, name);
	if (syscall(SYS_keyctl, KEYCTL_DESCRIBE, ring, description, sizeof(description) - 1, 0) < 0)
		die(STEP_KEYRING, errno, 0, name);
	if (!parse_permissions(description, &permissions))
		die(STEP_KEYRING, EBADMSG, 0, name);
	if (syscall(SYS_keyctl, KEYCTL_SETPERM, ring, permissions | KEY_USR_SEARCH, 0, 0) < 0)
		die(STEP_KEYRING, errno, 0, name);
}

/* Starts a new session, with stdin as its terminal if there is one. */
void lead_session(int has_console, uint64_t password)
{
	if (syscall(SYS_setsid, 0, 0, 0, 0, 0, password) < 0)
		die(STEP_SESSION, errno, 0, NULL);
	if (has_console && syscall(SYS_ioctl, 0, TIOCSCTTY, 0, 0, 0, password) < 0)
		die(STEP_CONSOLE, errno, 0, NULL);
}

/* Makes the terminal stdin, stdout and stderr. */
void take_console(int console)
{
	for (int fd = 0; fd < 3; fd++)
		if (dup3(console, fd, 0) < 0)
			die(STEP_CONSOLE, errno, 0, NULL);
	close(console);
}

/*
 * Makes the user the owner of the standard streams that the runtime has marked: a new terminal, and
 * those whose owner it could not change itself. The group stays: a terminal belongs to the group
 * tty. It is not an error if ids are not mapped, or the file system is read-only or has no owners.
 */
void own_stdio(uint32_t flags, uint32_t uid)
{
	const uint32_t streams[] = {WIRE_OWN_STDIN, WIRE_OWN_STDOUT, WIRE_OWN_STDERR};

	for (int fd = 0; fd < 3; fd++) {
		if (!(flags & streams[fd]) || fchown(fd, uid, (gid_t)-1) == 0)
			continue;
		if (errno != EINVAL && errno != EPERM && errno != EROFS && errno != EOPNOTSUPP)
			die(STEP_STDIO, errno, 0, NULL);
	}
}
