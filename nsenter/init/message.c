/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of received messages. After parse_plan every pointer of struct plan stays valid for
 * the life of the process: the plan is a sealed memfd that nobody can change any more.
 *
 * The sender is trusted, but its data comes from a config.json that is not. A bug in the sender
 * must lead to an error here, and never to a plan whose fields an attacker has chosen.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include "init.h"
#include "kernel.h"

#define NAMESPACES                                                                                 \
	(uint32_t)(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |   \
		   CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME)

static int check_namespaces(const struct wire_bootstrap *b)
{
	if ((b->unshare | b->namespace_files) & ~NAMESPACES)
		return EBADMSG;
	for (uint32_t i = 0; i < b->joins; i++)
		if (b->join_types[i] == 0 || b->join_types[i] & ~NAMESPACES)
			return EBADMSG;
	int joins_pid = joins_pid_namespace(b);
	/* A context would belong to the pid namespace that init comes from. */
	if (b->proc_contexts > 0 && joins_pid && !(b->flags & WIRE_OPENER))
		return EBADMSG;
	if ((b->flags & WIRE_OPENER || b->child_tasks > 0) && !joins_pid)
		return EBADMSG;
	return joins_pid && b->flags & WIRE_FORK ? EBADMSG : 0;
}

int joins_pid_namespace(const struct wire_bootstrap *b)
{
	for (uint32_t i = 0; i < b->joins; i++)
		if (b->join_types[i] & CLONE_NEWPID)
			return 1;
	return 0;
}

int check_bootstrap(const struct wire_bootstrap *b, size_t size, unsigned files)
{
	if (size != sizeof(*b) || b->magic != WIRE_MAGIC || b->version != WIRE_VERSION)
		return EBADMSG;
	if (b->flags & ~(uint32_t)WIRE_BOOTSTRAP_ALL)
		return EBADMSG;
	if (b->tasks > WIRE_MAX_TASKS || b->child_tasks > WIRE_MAX_TASKS ||
	    b->joins > WIRE_MAX_JOINS || b->proc_contexts > WIRE_MAX_PROC_CONTEXTS ||
	    b->offsets_size > WIRE_MAX_OFFSETS)
		return EBADMSG;
	if (b->tasks + b->joins + b->child_tasks + (b->flags & WIRE_HELPER ? 1 : 0) != files)
		return EBADMSG;
	return check_namespaces(b);
}

int check_plan_message(const struct wire_plan_message *m, size_t size, unsigned files)
{
	if (size != sizeof(*m) || m->magic != WIRE_MAGIC || m->version != WIRE_VERSION)
		return EBADMSG;
	if (m->files & ~(uint32_t)WIRE_HAS_ALL)
		return EBADMSG;
	/* `start` needs both fifos. */
	if (!(m->files & WIRE_HAS_FIFO) != !(m->files & WIRE_HAS_REPORTS))
		return EBADMSG;
	return files == 1 + (unsigned)__builtin_popcount(m->files) ? 0 : EBADMSG;
}

/* The beginning of the span, or NULL if it leaves the plan or is not aligned. */
static const char *span_start(const struct wire_plan *w, const struct wire_span *s, uint32_t align)
{
	if (s->offset > w->size || s->size > w->size - s->offset || s->offset % align != 0)
		return NULL;
	return (const char *)w + s->offset;
}

/* An array of count elements. Its product cannot overflow in 64 bits. */
static const void *array(const struct wire_plan *w, const struct wire_span *s, uint32_t element,
			 uint32_t align)
{
	if (s->size != (uint64_t)s->count * element)
		return NULL;
	return span_start(w, s, align);
}

/* Whether the span has exactly count strings, including the NUL of the last one. */
static int is_strings(const struct wire_plan *w, const struct wire_span *s)
{
	const char *at = span_start(w, s, 1);
	size_t left = s->size;

	if (at == NULL)
		return 0;
	for (uint32_t i = 0; i < s->count; i++) {
		const char *end = left == 0 ? NULL : memchr(at, '\0', left);

		if (end == NULL)
			return 0;
		left -= (size_t)(end + 1 - at);
		at = end + 1;
	}
	return left == 0;
}

/* The only string of a span, NULL if there is not exactly one. */
static const char *one_string(const struct wire_plan *w, const struct wire_span *s)
{
	return s->count == 1 && is_strings(w, s) ? (const char *)w + s->offset : NULL;
}

/*
 * Makes the vector of strings for execve(2) at *next, and moves *next behind it. The strings stay
 * where they are, in read-only memory. execve does not write to them, although its types would
 * allow it.
 */
static char **vector(const struct wire_plan *w, const struct wire_span *s, char ***next)
{
	char **start = *next;
	uintptr_t at = (uintptr_t)w + s->offset;

	for (uint32_t i = 0; i < s->count; i++) {
		start[i] = (char *)at;
		at += strlen((const char *)at) + 1;
	}
	start[s->count] = NULL;
	*next = start + s->count + 1;
	return start;
}

static size_t vector_length(const struct wire_span *args, const struct wire_span *env)
{
	return (size_t)args->count + env->count + 2;
}

/* Checks all the hooks, and counts the pointers that their vectors need. */
static int check_hooks(const struct wire_plan *w, const struct wire_hook *hooks, size_t *pointers)
{
	for (uint32_t i = 0; i < w->hooks.count; i++) {
		const struct wire_hook *h = &hooks[i];

		if (one_string(w, &h->path) == NULL || !is_strings(w, &h->args) ||
		    !is_strings(w, &h->env) || h->args.count == 0)
			return EBADMSG;
		*pointers += vector_length(&h->args, &h->env);
	}
	return 0;
}

/* Makes the argument vectors of the program and of the hooks, all in one mapping. */
static int make_vectors(struct plan *p, const struct wire_hook *hooks, size_t pointers)
{
	const struct wire_plan *w = p->wire;
	size_t size = w->hooks.count * sizeof(struct command) + pointers * sizeof(char *);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return errno;
	p->hooks = memory;
	p->hooks_count = w->hooks.count;
	p->vectors_size = size;
	char **next = (void *)(p->hooks + p->hooks_count);
	p->program.argv = vector(w, &w->args, &next);
	p->program.envp = vector(w, &w->env, &next);
	for (uint32_t i = 0; i < p->hooks_count; i++) {
		p->hooks[i].path = (const char *)w + hooks[i].path.offset;
		p->hooks[i].argv = vector(w, &hooks[i].args, &next);
		p->hooks[i].envp = vector(w, &hooks[i].env, &next);
		p->hooks[i].timeout = hooks[i].timeout;
	}
	return 0;
}

/* An optional string. If there is none, *to stays NULL. */
static int optional_string(const struct wire_plan *w, const struct wire_span *s, const char **to)
{
	if (s->count == 0)
		return 0;
	*to = one_string(w, s);
	return *to == NULL ? EBADMSG : 0;
}

/* Single values and arrays. */
static int parse_values(const struct wire_plan *w, struct plan *p)
{
	p->cwd = one_string(w, &w->cwd);
	if (p->cwd == NULL || p->cwd[0] != '/')
		return EBADMSG;
	if (w->flags & WIRE_KEYRING) {
		p->keyring = one_string(w, &w->keyring);
		if (p->keyring == NULL)
			return EBADMSG;
	}
	if (optional_string(w, &w->path, &p->program.path) != 0 ||
	    optional_string(w, &w->apparmor, &p->apparmor) != 0 ||
	    optional_string(w, &w->selinux, &p->selinux) != 0)
		return EBADMSG;
	p->memory_nodes = array(w, &w->memory_nodes, sizeof(uint64_t), sizeof(uint64_t));
	if (p->memory_nodes == NULL)
		return EBADMSG;
	p->rlimits = array(w, &w->rlimits, sizeof(struct wire_rlimit), sizeof(uint64_t));
	if (p->rlimits == NULL)
		return EBADMSG;
	p->groups = array(w, &w->groups, sizeof(uint32_t), sizeof(uint32_t));
	if (p->groups == NULL)
		return EBADMSG;
	const void *filter = array(w, &w->seccomp, BPF_INSTRUCTION_SIZE, BPF_INSTRUCTION_SIZE);
	if (filter == NULL || w->seccomp.count > UINT16_MAX)
		return EBADMSG;
	p->filter = w->seccomp.count > 0 ? filter : NULL;
	p->filter_length = (uint16_t)w->seccomp.count;
	return 0;
}

/* Checks a plan of size bytes at data, 8 bytes aligned, and fills in p. Returns an errno or 0. */
int parse_plan(const void *data, size_t size, struct plan *p)
{
	const struct wire_plan *w = data;
	int error;

	memset(p, 0, sizeof(*p));
	if (size < sizeof(*w) || w->size != size)
		return EBADMSG;
	if (w->magic != WIRE_MAGIC || w->version != WIRE_VERSION)
		return EBADMSG;
	if (w->flags & ~(uint32_t)WIRE_PLAN_ALL)
		return EBADMSG;
	p->wire = w;
	error = parse_values(w, p);
	if (error != 0)
		return error;
	if (!is_strings(w, &w->args) || !is_strings(w, &w->env) || w->args.count == 0)
		return EBADMSG;
	const struct wire_hook *hooks =
	    array(w, &w->hooks, sizeof(struct wire_hook), sizeof(uint32_t));
	if (hooks == NULL)
		return EBADMSG;
	size_t pointers = vector_length(&w->args, &w->env);
	error = check_hooks(w, hooks, &pointers);
	if (error != 0)
		return error;
	return make_vectors(p, hooks, pointers);
}
