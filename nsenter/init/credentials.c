/* SPDX-License-Identifier: Apache-2.0 */
/* Ids, capabilities and the system call filter of the user's process. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"
#include "kernel.h"

/*
 * The password is the sixth argument of system calls that a filter without no_new_privs allows only
 * for init, if init joins a pid namespace: init has to load the filter before its setup is
 * complete. None of these calls uses a sixth argument.
 */

#define CAPABILITIES 64

static int has(uint64_t set, unsigned capability)
{
	return (int)(set >> capability & 1);
}

/* The hard limits are high enough already: lowering one needs no capability. */
void set_rlimits(const struct plan *p)
{
	uint64_t password = p->wire->password;

	for (uint32_t i = 0; i < p->wire->rlimits.count; i++) {
		const struct wire_rlimit *r = &p->rlimits[i];
		const uint64_t limit[2] = {r->soft, r->hard};

		if (syscall(SYS_prlimit64, 0, r->resource, limit, NULL, 0, password) < 0)
			die(STEP_RLIMIT, errno, (unsigned)r->resource, NULL);
	}
}

/* From here on init opens no files. Landlock does not check files that are open already. */
void confine(int ruleset)
{
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		die(STEP_LANDLOCK, errno, 0, NULL);
}

void load_filter(const struct plan *p, int number)
{
	struct bpf_program program = {.len = p->filter_length, .filter = p->filter};
	uint32_t flags = p->wire->seccomp_flags;

	if (p->filter == NULL)
		return;
	long loaded = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	if (loaded < 0)
		die(STEP_SECCOMP, errno, 0, NULL);
	/* The helper would wait for the other number. */
	if (flags & FILTER_NEW_LISTENER && loaded != number)
		end();
}

/*
 * Capabilities that the process does not have are not dropped: that needs CAP_SETPCAP, which a
 * runtime inside a container may lack. Only EINVAL marks the end of the list of capabilities.
 * Another error comes from a filter, and ignoring it would silently keep the whole set.
 */
void drop_bounding_set(uint64_t keep)
{
	for (unsigned c = 0; c < CAPABILITIES; c++) {
		int present = prctl(PR_CAPBSET_READ, c, 0, 0, 0);

		if (present < 0 && errno == EINVAL)
			return;
		if (present < 0)
			die(STEP_BOUNDING, errno, c, NULL);
		if (present == 0 || has(keep, c))
			continue;
		if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
			die(STEP_BOUNDING, errno, c, NULL);
	}
}

/*
 * A user namespace may forbid setgroups (user_namespaces(7)), permanently. Then no groups can be
 * dropped, and an empty list is not an error.
 */
static int groups_denied(int proc_self)
{
	char word[4] = "";
	CLEANUP_CLOSE int file = openat(proc_self, "setgroups", O_RDONLY | O_CLOEXEC);

	return file >= 0 && read(file, word, sizeof(word)) == (ssize_t)sizeof(word) &&
	       memcmp(word, "deny", sizeof(word)) == 0;
}

static void set_groups(const struct plan *p, int proc_self)
{
	if (syscall(SYS_setgroups, p->wire->groups.count, p->groups) == 0)
		return;
	int error = errno;
	if (error != EPERM || p->wire->groups.count > 0 || !groups_denied(proc_self))
		die(STEP_SETGROUPS, error, 0, NULL);
}

/*
 * Makes the system calls directly: the C library's functions first stop all threads, and are large
 * because of it. With keep_caps the permitted set survives the change of ids, until
 * set_capabilities sets the final one.
 */
void switch_user(const struct plan *p, int proc_self)
{
	const struct wire_plan *w = p->wire;

	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		die(STEP_KEEP_CAPS, errno, 0, NULL);
	if (w->flags & WIRE_SET_GROUPS)
		set_groups(p, proc_self);
	if (syscall(SYS_setresgid, w->gid, w->gid, w->gid) < 0)
		die(STEP_SETGID, errno, 0, NULL);
	if (syscall(SYS_setresuid, w->uid, w->uid, w->uid) < 0)
		die(STEP_SETUID, errno, 0, NULL);
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		die(STEP_KEEP_CAPS, errno, 0, NULL);
}

/* Raises the ambient capabilities that can be raised: they must be permitted and inheritable. */
static void set_ambient(const struct wire_plan *w)
{
	uint64_t ambient = w->ambient & w->permitted & w->inheritable;

	if (syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0, w->password) < 0)
		die(STEP_AMBIENT, errno, 0, NULL);
	for (unsigned c = 0; c < CAPABILITIES; c++) {
		if (!has(ambient, c))
			continue;
		/* EINVAL: this kernel does not know it, and capset has ignored it too. */
		if (syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0, w->password) <
			0 &&
		    errno != EINVAL)
			die(STEP_AMBIENT, errno, c, NULL);
	}
}

/* Sets the three sets, with the capabilities in more added. */
static int set_sets(const struct wire_plan *w, uint64_t more)
{
	struct capability_header header = {.version = CAPABILITY_VERSION_3};
	struct capability_data data[2];

	for (unsigned i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)((w->effective | more) >> 32 * i);
		data[i].permitted = (uint32_t)((w->permitted | more) >> 32 * i);
		data[i].inheritable = (uint32_t)(w->inheritable >> 32 * i);
	}
	return (int)syscall(SYS_capset, &header, data, 0, 0, 0, w->password);
}

/*
 * Sets the user's capabilities, and also CAP_SYS_ADMIN as long as a filter or a ruleset needs it.
 * With these the look-up of the program has the same result as for the user.
 */
void limit_capabilities(const struct wire_plan *w, int confines)
{
	int needed = confines && !(w->flags & WIRE_NO_NEW_PRIVS);

	if (set_sets(w, needed ? 1ull << CAP_SYS_ADMIN : 0) < 0)
		die(STEP_CAPSET, errno, 0, NULL);
}

void set_capabilities(const struct wire_plan *w)
{
	if (set_sets(w, 0) < 0)
		die(STEP_CAPSET, errno, 0, NULL);
	set_ambient(w);
}
