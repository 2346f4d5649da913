/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init is the process of berth that becomes the user's program. It makes no decisions: it executes
 * the messages of wire.h in a fixed order, and reports the first failure.
 *
 * It allocates only the argument vectors, does not read the environment and prints nothing.
 */
#ifndef INIT_H
#define INIT_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

#define CLEANUP_CLOSE __attribute__((cleanup(close_descriptor)))

/* channel.c: messages over the socket and the fifo. */

/* A received message. Descriptors are in files. */
#define MESSAGE_MAX_FILES (2 * WIRE_MAX_TASKS + WIRE_MAX_JOINS + 1)
struct message {
	size_t size;
	unsigned files_count;
	int files[MESSAGE_MAX_FILES];
};

void report_to(int fd);
void use_password(uint64_t password);
void report(uint32_t kind, const int *files, unsigned count);
void report_number(uint32_t kind, int number);
void report_failure(enum step step, int error, unsigned index, const char *detail);
int report_fact(uint32_t what, int error, const void *detail, size_t size);
_Noreturn void end(void);
_Noreturn void die(enum step step, int error, unsigned index, const char *detail);
void receive(int sock, void *buffer, size_t size, struct message *m, enum step step);
void await_go(int sock);
void close_descriptor(const int *fd);

/*
 * message.c: checks of received messages. Without side effects, so that they can be tested on any
 * input.
 */

/* A program to run, ready for execve(2). */
struct command {
	const char *path; /* NULL for a program that is looked up */
	char **argv, **envp;
	uint32_t timeout;
};

struct plan {
	const struct wire_plan *wire;
	const char *cwd;
	/* Each may be NULL. */
	const char *keyring, *apparmor, *selinux;
	const struct wire_rlimit *rlimits;
	const uint32_t *groups;
	const uint64_t *memory_nodes;
	const void *filter; /* NULL for none */
	uint16_t filter_length;
	struct command program;
	struct command *hooks;
	uint32_t hooks_count;
	size_t vectors_size; /* size of the mapping that begins at hooks */
};

int joins_pid_namespace(const struct wire_bootstrap *b);
int check_bootstrap(const struct wire_bootstrap *b, size_t size, unsigned files);
int check_plan_message(const struct wire_plan_message *m, size_t size, unsigned files);
int parse_plan(const void *data, size_t size, struct plan *p);

/* namespaces.c */
void enter_namespaces(const struct wire_bootstrap *b, const int *files, int *proc_self);
/* first is the index of the first of them in the whole list, for errors. */
void enter_cgroups(const int *tasks, unsigned first, unsigned count, uint64_t password);
void send_inside(const struct wire_bootstrap *b, int proc_self);

/* fork.c */
void go_on_as_first(int proc, int *proc_self, int has_helper);
void stay_undumpable(void);
void go_on_last(int has_helper, uint64_t password);

/* opener.c */
_Noreturn void open_contexts(const struct wire_bootstrap *b, int proc_self);

/* session.c: keyring, session, terminal. */
void join_keyring(const char *name);
void lead_session(int has_console, uint64_t password);
void take_console(int console);
void own_stdio(uint32_t flags, uint32_t uid);

/* label.c: labels for the security modules. */
void set_keyring_label(const struct plan *p, int proc_self);
void set_exec_labels(const struct plan *p, int proc_self);

/* process.c: attributes of the process that an exec does not change. */
void reset_affinity(void);
void set_personality(const struct plan *p);
void set_memory_policy(const struct plan *p);

/* credentials.c */
void set_rlimits(const struct plan *p);
void load_filter(const struct plan *p, int number);
void drop_bounding_set(uint64_t keep);
void switch_user(const struct plan *p, int proc_self);
void limit_capabilities(const struct wire_plan *w, int confines);
void confine(int ruleset);
void set_capabilities(const struct wire_plan *w);

/* helper.c */
void start_helper(int channel);
int announce_listener(const struct plan *p, int sock);
void forget_helper(void);

/* lookup.c */
int may_execute(const char *path);
const char *search_path(char *const *envp);
int join(char path[PATH_MAX], const char *directory, size_t length, const char *name);
const char *look_up(const char *name, char *const *envp, enum step *step, int *error);

/* facts.c */
_Noreturn void die_explained(enum step step, int error, const char *name, char *const *envp,
			     int to_fifo, int look);

/* cwd.c */
int try_cwd(const char *cwd);
void verify_cwd(const char *cwd);

/* text.c: short texts, truncated if they get too long. */
struct text {
	size_t length;
	char bytes[WIRE_MAX_DETAIL + 1];
};
void append(struct text *t, const char *s);
void append_number(struct text *t, unsigned number);

/* hooks.c */

/* The standard streams of hooks. An output of -1 is kept by init, to report a failure. */
struct hook_files {
	int state, output, error;
};
void prepare_hooks(const struct plan *p);
void run_hooks(const struct plan *p, const struct hook_files *files);

/* signal.c */
void reset_signals(void);
void set_sigpipe(int ignore);

#endif
