/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AppArmor and SELinux. A label that is written to a file of /proc/self/attr takes effect with the
 * next exec, so it confines the hooks and the user's program but not init itself, which still has
 * something to do.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "init.h"
#include "kernel.h"

/*
 * Writes to a file of init's own on the procfs that was there before the container was joined. On
 * anything else (a host whose /proc is not one) the write would succeed and confine nothing, so
 * the kind of file system is looked at first. An errno, or 0.
 */
static int write_attribute(int proc_self, const char *path, const char *text)
{
	CLEANUP_CLOSE int fd = openat(proc_self, path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	size_t size = strlen(text);
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return errno;
	if (fs.f_type != PROC_SUPER_MAGIC)
		return EXDEV;
	/* One write: the kernel takes a label whole or not at all. */
	return write(fd, text, size) == (ssize_t)size ? 0 : errno;
}

/*
 * The directory of AppArmor's own (Linux 5.8) comes first: attr/exec belongs to whichever security
 * module is listed first.
 */
static void set_apparmor_profile(const char *profile, int proc_self)
{
	struct text t = {.length = 0};

	append(&t, "exec ");
	append(&t, profile);
	/* A name that was cut may be another profile's. */
	if (t.length == WIRE_MAX_DETAIL)
		die(STEP_APPARMOR, ENAMETOOLONG, 0, profile);
	int error = write_attribute(proc_self, "attr/apparmor/exec", t.bytes);
	if (error == ENOENT && faccessat(proc_self, "attr/apparmor", F_OK, 0) < 0)
		error = write_attribute(proc_self, "attr/exec", t.bytes);
	if (error != 0)
		die(STEP_APPARMOR, error, 0, profile);
}

static void set_selinux_label(const char *label, const char *path, int proc_self)
{
	int error = write_attribute(proc_self, path, label);

	if (error != 0)
		die(STEP_SELINUX, error, 0, label);
}

/* The label of the keyring to come: with init's own the user's program could not use it. */
void set_keyring_label(const struct plan *p, int proc_self)
{
	if (p->selinux != NULL)
		set_selinux_label(p->selinux, "attr/keycreate", proc_self);
}

void set_exec_labels(const struct plan *p, int proc_self)
{
	if (p->apparmor != NULL)
		set_apparmor_profile(p->apparmor, proc_self);
	if (p->selinux != NULL)
		set_selinux_label(p->selinux, "attr/exec", proc_self);
}
