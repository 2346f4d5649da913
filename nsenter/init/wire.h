/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protocol between the runtime and init. This header is the source. wire.go is its copy in Go,
 * and a test compares the two, field by field and constant by constant.
 *
 *   runtime                                             init
 *   -------                                             ----
 *   BOOTSTRAP + tasks, joins  -- socket ------------->  (written before init exists)
 *   clone, exec  ------------------------------------>
 *              <--------------- HELPING + pidfd (with HELPER)
 *              <--------------- READY (with AWAIT_MAPS)
 *   id maps, GO (ditto)  ----- socket --------------->  moves into cgroups, joins, unshares
 *              <--------------- FORKED (with FORK)      goes on as the first process of the new
 *                                                       pid namespace
 *                                                       opens procfs contexts, namespace files
 *              <--------------- NAMESPACES + files, or FAILED
 *   PLAN + memfd, files  ----- socket --------------->  sheds privileges, finds the program
 *
 *   with a pid namespace that it joins
 *              <--------------- FORKED                  goes on as a child in that, with nothing
 *                                                       but what the program is to have
 *   GO (with AWAIT_GO)  ------ socket --------------->
 *
 *   with a filter that notifies
 *              <--------------- LISTENER, its number    loads the filter
 *   the number  -------------- channel -------------->  helper: waits for that descriptor
 *              <----- channel - LISTENER + listener     helper: ends
 *   (without no_new_privs this is before FORKED, otherwise after it)
 *
 *              <--------------- READY, or FAILED
 *
 *   with fifos                                          waits for a GO on the one
 *   (`create` ends, `start` writes it)  ------------->  runs the startContainer hooks
 *              <------ other -- EXEC, then end of file; or FAILED
 *
 *   at once (exec): no READY, and nothing is waited for
 *                                                       runs the hooks
 *              <------ socket - EXEC, then end of file; or FAILED
 *
 *   without either
 *   GO  ---------------------- socket --------------->  runs the hooks
 *              <------ socket - EXEC, then end of file; or FAILED
 *
 * If the program is not found or cannot be executed, FACTs come after FAILED, on the same way.
 *
 * The end of file comes from the kernel, which closes init's last descriptor at the exec. The
 * kernel also adds the sender's pid to each record (SO_PASSCRED): this is how the runtime learns
 * the pid of the child that sends FORKED.
 *
 * Everything is in the byte order of the machine; no structure has padding.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdint.h>

#define WIRE_MAGIC   0x62727468 /* "brth" */
#define WIRE_VERSION 1

/* Limits. A message may carry 253 descriptors at most (SCM_MAX_FD). */
#define WIRE_MAX_TASKS	       64
#define WIRE_MAX_JOINS	       16
#define WIRE_MAX_PROC_CONTEXTS 64
#define WIRE_MAX_OFFSETS       256
#define WIRE_MAX_DETAIL	       4000

/*
 * Flags of the bootstrap message.
 *
 * AWAIT_MAPS: init is the first process of a new user namespace, and waits for a GO, sent when the
 * id maps are written. RESET_AFFINITY: init may run on every CPU of its cgroup, even if the runtime
 * was confined to fewer. OWN: in the user namespace it changes to the ids in the message, which own
 * everything that is created there. FORK: the pid namespace that it unshares is only for its
 * children, so it goes on as a child. HELPER: the last descriptor is a channel for a helper that
 * sends the listener of a filter (helper.c). OPENER: init only opens the procfs contexts of a pid
 * namespace that it joins (opener.c).
 */
#define WIRE_AWAIT_MAPS	    1
#define WIRE_RESET_AFFINITY 2
#define WIRE_OWN	    4
#define WIRE_FORK	    8
#define WIRE_HELPER	    16
#define WIRE_OPENER	    32
#define WIRE_BOOTSTRAP_ALL  63

/*
 * The first message to init, with these descriptors: the tasks files, the files to join, the
 * child_tasks files, the channel.
 */
struct wire_bootstrap {
	uint32_t magic, version;
	uint32_t flags;		  /* WIRE_AWAIT_MAPS to WIRE_OPENER */
	uint32_t uid, gid;	  /* with WIRE_OWN */
	uint32_t unshare;	  /* CLONE_NEW* not created by the clone */
	uint32_t namespace_files; /* CLONE_NEW* whose files of /proc/self/ns init sends */
	uint32_t tasks, joins;	  /* how many files of each kind come with the message */
	uint32_t child_tasks;	  /* tasks files for the child in a joined pid namespace */
	uint32_t proc_contexts;	  /* how many procfs contexts init makes */
	uint32_t offsets_size;	  /* bytes in offsets, the text for timens_offsets */
	uint32_t join_types[WIRE_MAX_JOINS];
	char offsets[WIRE_MAX_OFFSETS];
};

/* The descriptors that come with the plan, after the plan itself, in this order. */
#define WIRE_HAS_CONSOLE     1
#define WIRE_HAS_ROOT	     2
#define WIRE_HAS_FIFO	     4 /* to which `start` writes a GO, open for reading and writing */
#define WIRE_HAS_HOOK_STATE  8
#define WIRE_HAS_PROGRAM     16
#define WIRE_HAS_HOOK_STDOUT 32
#define WIRE_HAS_HOOK_STDERR 64
#define WIRE_HAS_REPORTS     128 /* the fifo that `start` reads, open for both as well */
#define WIRE_HAS_RULESET     256 /* of Landlock */
#define WIRE_HAS_ALL	     511

/* The second message to init. Its first descriptor is a sealed memfd with a wire_plan. */
struct wire_plan_message {
	uint32_t magic, version;
	uint32_t files; /* WIRE_HAS_* */
	uint32_t size;	/* of the plan */
};

/* A resource limit: the arguments of setrlimit(2). */
struct wire_rlimit {
	uint64_t resource, soft, hard;
};

/* A piece of the plan: count elements that fill size bytes at offset. */
struct wire_span {
	uint32_t offset, size, count;
};

/* Flags of the plan. */
#define WIRE_NO_NEW_PRIVS     1
#define WIRE_NEW_SESSION      2
#define WIRE_SET_GROUPS	      4
#define WIRE_KEEP_CREDENTIALS 8
#define WIRE_KEYRING	      16
#define WIRE_PERSONALITY      32
#define WIRE_MEMORY_POLICY    64
#define WIRE_AT_ONCE	      128
#define WIRE_AWAIT_GO	      256 /* a child in a joined pid namespace first waits for a GO */
#define WIRE_LISTEN_PID	      512 /* init completes LISTEN_PID= in env */
/* The standard streams whose owner becomes the user; the others stay as they are. */
#define WIRE_OWN_STDIN	1024
#define WIRE_OWN_STDOUT 2048
#define WIRE_OWN_STDERR 4096
#define WIRE_PLAN_ALL	8191

/* The plan. A string ends with a NUL, which is included in the size of its span. */
struct wire_plan {
	uint32_t magic, version;
	uint32_t size; /* of the whole plan */
	uint32_t flags;
	uint64_t bounding, effective, permitted, inheritable, ambient;
	uint32_t uid, gid, umask;
	uint32_t seccomp_flags;
	struct wire_span cwd, keyring; /* one string each */
	struct wire_span path;	       /* one string: what to exec, not looked up; or none */
	struct wire_span args, env;    /* strings */
	struct wire_span groups;       /* uint32_t, aligned to 4 */
	struct wire_span seccomp;      /* struct sock_filter, aligned to 8 */
	struct wire_span hooks;	       /* struct wire_hook, aligned to 4 */
	struct wire_span rlimits;      /* struct wire_rlimit, aligned to 8 */
	uint32_t personality;	       /* of personality(2), with WIRE_PERSONALITY */
	uint32_t memory_policy;	       /* mode and flags of set_mempolicy(2) */
	struct wire_span memory_nodes; /* uint64_t, aligned to 8: the node mask */
	/* One string each, or none: an AppArmor profile, a context of SELinux. */
	struct wire_span apparmor, selinux;
	/*
	 * The filter allows some calls of init that have this as their sixth argument
	 * (credentials.c); 0 for a filter without a password.
	 */
	uint64_t password;
};

/* A startContainer hook. */
struct wire_hook {
	uint32_t timeout; /* seconds, 0 for none */
	struct wire_span path, args, env;
};

/* Messages of init. */
#define WIRE_NAMESPACES 1
#define WIRE_READY	2
#define WIRE_EXEC	3
#define WIRE_FAILED	4
#define WIRE_LISTENER	5
#define WIRE_FORKED	6
#define WIRE_HELPING	7 /* with the pidfd of the helper */
#define WIRE_FACT	8 /* about a program that could not be executed; step is one of these: */

/*
 * PATH: a path that init came to, the way to a file from its first directory on: a wire_path, then
 * the path. error is that of stat(2), or else of the check whether it may be executed or entered.
 * LINK: the last path is a symbolic link with this target. NAMES: of the directory above the last
 * path, which does not exist, as getdents64(2) returns them. HEAD: the first bytes of the file at
 * the last path. NEXT: the interpreter or loader that this file names; the paths after it lead
 * there. END: there is no more.
 */
#define WIRE_FACT_PATH	1
#define WIRE_FACT_LINK	2
#define WIRE_FACT_NAMES 3
#define WIRE_FACT_HEAD	4
#define WIRE_FACT_NEXT	5
#define WIRE_FACTS_END	6

#define WIRE_HEAD	 256 /* as many bytes as the kernel looks at */
#define WIRE_PATH_NOEXEC 1

struct wire_path {
	uint32_t mode, uid, gid; /* 0 if there is no file */
	uint32_t flags;		 /* WIRE_PATH_NOEXEC: its mount has that option */
	uint64_t dev, ino;	 /* which file it is */
};

/* The byte that the runtime sends when init is to go on. */
#define WIRE_GO 71

/*
 * A record of init, followed by detail_size bytes of text. Together they are smaller than PIPE_BUF,
 * so that a record is written to the fifo as a whole or not at all.
 */
struct wire_report {
	uint32_t magic, kind;
	uint32_t step;	/* one of WIRE_STEPS */
	int32_t error;	/* an errno, or 0 */
	uint32_t index; /* which of several tasks files, joins or hooks; the listener's number */
	uint32_t detail_size;
};

/* The steps in which init can fail: the name in C, the number, and the word in error texts. */
#define WIRE_STEPS(X)                                                                              \
	X(STEP_BOOTSTRAP, 1, "read the bootstrap message")                                         \
	X(STEP_CLOSE, 2, "close_range")                                                            \
	X(STEP_PROC, 3, "open")                                                                    \
	X(STEP_CGROUP, 4, "join cgroup")                                                           \
	X(STEP_JOIN, 5, "setns")                                                                   \
	X(STEP_UNSHARE, 6, "unshare")                                                              \
	X(STEP_TIME_OFFSETS, 7, "write")                                                           \
	X(STEP_PROC_CONTEXT, 8, "fsopen")                                                          \
	X(STEP_NAMESPACE_FILE, 9, "open namespace")                                                \
	X(STEP_PLAN, 10, "read the plan")                                                          \
	X(STEP_KEYRING, 11, "join session keyring")                                                \
	X(STEP_SESSION, 12, "setsid")                                                              \
	X(STEP_CONSOLE, 13, "set controlling terminal")                                            \
	X(STEP_STDIO, 14, "fchown stdio")                                                          \
	X(STEP_CHROOT, 15, "chroot")                                                               \
	X(STEP_NO_NEW_PRIVS, 16, "set no_new_privs")                                               \
	X(STEP_SECCOMP, 17, "load seccomp filter")                                                 \
	X(STEP_BOUNDING, 18, "drop bounding capability")                                           \
	X(STEP_KEEP_CAPS, 19, "set keep_caps")                                                     \
	X(STEP_SETGROUPS, 20, "setgroups")                                                         \
	X(STEP_SETGID, 21, "setgid")                                                               \
	X(STEP_SETUID, 22, "setuid")                                                               \
	X(STEP_CAPSET, 23, "capset")                                                               \
	X(STEP_AMBIENT, 24, "raise ambient capability")                                            \
	X(STEP_CHDIR, 25, "chdir")                                                                 \
	X(STEP_VERIFY_CWD, 26, "verify cwd")                                                       \
	X(STEP_LOOK_UP, 27, "look up")                                                             \
	X(STEP_STAT, 28, "stat")                                                                   \
	X(STEP_EXECUTABLE, 29, "check executable")                                                 \
	X(STEP_HOOK, 31, "error running startContainer hook")                                      \
	X(STEP_EXEC, 32, "exec")                                                                   \
	X(STEP_RLIMIT, 33, "set resource limit")                                                   \
	X(STEP_AFFINITY, 34, "sched_setaffinity")                                                  \
	X(STEP_PERSONALITY, 35, "personality")                                                     \
	X(STEP_MEMORY_POLICY, 36, "set_mempolicy")                                                 \
	X(STEP_APPARMOR, 37, "set AppArmor profile")                                               \
	X(STEP_SELINUX, 38, "set SELinux label")                                                   \
	X(STEP_LISTENER, 39, "find a number for the seccomp listener")                             \
	X(STEP_FORK, 40, "fork")                                                                   \
	X(STEP_OWNER, 41, "become the owner in the user namespace")                                \
	X(STEP_HELPER, 42, "start a helper for the seccomp listener")                              \
	X(STEP_LANDLOCK, 43, "landlock_restrict_self")                                             \
	X(STEP_EMPTY_ROOT, 44, "make an empty root")

#define WIRE_STEP_NUMBER(name, number, word) name = number,
enum step { WIRE_STEPS(WIRE_STEP_NUMBER) };
#undef WIRE_STEP_NUMBER

_Static_assert(sizeof(struct wire_bootstrap) == 368, "wire_bootstrap has padding");
_Static_assert(sizeof(struct wire_plan_message) == 16, "wire_plan_message has padding");
_Static_assert(sizeof(struct wire_plan) == 232, "wire_plan has padding");
_Static_assert(sizeof(struct wire_rlimit) == 24, "wire_rlimit has padding");
_Static_assert(sizeof(struct wire_hook) == 40, "wire_hook has padding");
_Static_assert(sizeof(struct wire_path) == 32, "wire_path has padding");
_Static_assert(sizeof(struct wire_report) == 24, "wire_report has padding");

#endif
