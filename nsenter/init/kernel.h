/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of the kernel's interface that init needs and the C library's headers lack. The kernel's
 * own headers conflict with musl's, and a cross compiler may not have them.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdint.h>

/* linux/mount.h. glibc's sys/mount.h has it. */
#ifndef FSOPEN_CLOEXEC
#define FSOPEN_CLOEXEC		1
#define FSMOUNT_CLOEXEC		1
#define MOVE_MOUNT_F_EMPTY_PATH 4
#endif
#ifndef FSCONFIG_CMD_CREATE
#define FSCONFIG_CMD_CREATE 6
#endif

/* linux/sched.h */
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

/* linux/close_range.h; needs Linux 5.11. glibc's unistd.h has it. */
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

/* linux/keyctl.h and linux/key.h */
#define KEYCTL_JOIN_SESSION_KEYRING 1
#define KEYCTL_SETPERM		    5
#define KEYCTL_DESCRIBE		    6
#define KEY_USR_SEARCH		    0x00080000u

/* linux/seccomp.h and linux/filter.h */
#define SECCOMP_SET_MODE_FILTER 1
#define BPF_INSTRUCTION_SIZE	8
struct bpf_program {
	uint16_t len;
	const void *filter;
};

/* SECCOMP_FILTER_FLAG_NEW_LISTENER */
#define FILTER_NEW_LISTENER	     8
#define SECCOMP_IOCTL_NOTIF_ID_VALID 0x40082102ul

/* linux/magic.h */
#define PROC_SUPER_MAGIC 0x9fa0

/* linux/capability.h */
#define CAP_SYS_ADMIN	     21
#define CAPABILITY_VERSION_3 0x20080522
struct capability_header {
	uint32_t version;
	int32_t pid;
};
struct capability_data {
	uint32_t effective, permitted, inheritable;
};

/*
 * The kernel's own struct sigaction. The order of its fields depends on the architecture; this one
 * is for all that berth is built for. On some a handler needs a restorer.
 */
#define KERNEL_SIGSET_SIZE 8
#define KERNEL_SA_RESTORER 0x04000000
struct kernel_sigaction {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};

#endif
