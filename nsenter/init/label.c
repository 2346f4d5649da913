/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AppArmor and SELinux. A label that is written to a file of /proc/self/attr takes effect with the
 * next exec. So it confines the hooks and the user's program, but not init itself, which still has
 * work to do.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "init.h"
#include "kernel.h"

/*
 * Writes to a file of init itself on the procfs from before the container was joined. On another
 * file system (a host whose /proc is not a procfs) the write would succeed but confine nothing, so
 * the type of the file system is checked first. Returns an errno, or 0.
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
	/* One write: the kernel accepts only a whole label. */
	return write(fd, text, size) == (ssize_t)size ? 0 : errno;
}

/*
 * AppArmor's own directory (Linux 5.8) comes first: attr/exec belongs to the security module that
 * is listed first.
 */
static void set_apparmor_profile(const char *profile, int proc_self)
{
	struct text t = {.length = 0};

	append(&t, "exec ");
	append(&t, profile);
	/* A truncated name may be that of another profile. */
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

/* Sets the label of the new keyring: with init's own label the user's program could not use it. */
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
