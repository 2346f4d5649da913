/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the parsers of init with good and bad messages. Arguments: files with plans that must be
 * accepted. Run it under AddressSanitizer: if a parser accepts a plan, it is read to the last byte.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ctest.h"
#include "init.h"

/* How often each plan is damaged. */
#ifndef ROUNDS
#define ROUNDS 150000
#endif

static volatile size_t sink;

static void walk_command(const struct command *c)
{
	if (c->path != NULL)
		sink += strlen(c->path);
	for (char **s = c->argv; *s != NULL; s++)
		sink += strlen(*s);
	for (char **s = c->envp; *s != NULL; s++)
		sink += strlen(*s);
}

/* Reads everything that the plan points to. */
static void walk(const struct plan *p)
{
	sink += strlen(p->cwd) + (p->keyring == NULL ? 0 : strlen(p->keyring));
	sink += (p->apparmor == NULL ? 0 : strlen(p->apparmor)) +
		(p->selinux == NULL ? 0 : strlen(p->selinux));
	for (uint32_t i = 0; i < p->wire->memory_nodes.count; i++)
		sink += p->memory_nodes[i];
	for (uint32_t i = 0; i < p->wire->groups.count; i++)
		sink += p->groups[i];
	for (size_t i = 0; i < (size_t)p->filter_length * 8; i++)
		sink += ((const unsigned char *)p->filter)[i];
	walk_command(&p->program);
	for (uint32_t i = 0; i < p->hooks_count; i++)
		walk_command(&p->hooks[i]);
	munmap(p->hooks, p->vectors_size);
}

/* Parses a copy in a block of exactly that size, so that one byte beyond it is noticed. */
static int parse(const void *data, size_t size)
{
	struct plan p;
	void *copy = malloc(size == 0 ? 1 : size);

	if (copy == NULL)
		abort();
	memcpy(copy, data, size);
	int error = parse_plan(copy, size, &p);
	if (error == 0)
		walk(&p);
	free(copy);
	return error;
}

/* The offset of a word in a plan, and a value with which the plan must be refused. */
#define PLAN_WORD(member) (offsetof(struct wire_plan, member) / 4)
static const struct {
	const char *what;
	size_t word;
	uint32_t value;
} bad_words[] = {
    {"wrong magic", PLAN_WORD(magic), 1},
    {"wrong version", PLAN_WORD(version), WIRE_VERSION + 1},
    {"size too large", PLAN_WORD(size), 0x7fffffff},
    {"size 0", PLAN_WORD(size), 0},
    {"no args", PLAN_WORD(args.count), 0},
    {"more args than strings", PLAN_WORD(args.count), 1000000},
    {"args count at the limit", PLAN_WORD(args.count), UINT32_MAX},
    {"args outside", PLAN_WORD(args.offset), UINT32_MAX},
    {"args size wraps", PLAN_WORD(args.size), UINT32_MAX},
    {"args without the last NUL", PLAN_WORD(args.size), 4},
    {"env outside", PLAN_WORD(env.offset), 0x7fffffff},
    {"more env than strings", PLAN_WORD(env.count), 99},
    {"cwd relative", PLAN_WORD(cwd.offset), 0},
    {"two cwds", PLAN_WORD(cwd.count), 2},
    {"groups size and count differ", PLAN_WORD(groups.count), 77},
    {"groups not aligned", PLAN_WORD(groups.offset), 161},
    {"seccomp count wraps", PLAN_WORD(seccomp.count), 0x20000000},
    {"seccomp not aligned", PLAN_WORD(seccomp.offset), 164},
    {"hooks count wraps", PLAN_WORD(hooks.count), 0x66666667},
    {"hooks outside", PLAN_WORD(hooks.offset), 0xfffffff0},
    {"memory nodes count wraps", PLAN_WORD(memory_nodes.count), 0x20000000},
    {"memory nodes not aligned", PLAN_WORD(memory_nodes.offset), 228},
    {"two AppArmor profiles", PLAN_WORD(apparmor.count), 2},
    {"SELinux label outside", PLAN_WORD(selinux.count), 1000000},
};

static void test_bad_words(const char *file, const unsigned char *data, size_t size)
{
	unsigned char *copy = malloc(size);

	if (copy == NULL)
		abort();
	for (size_t i = 0; i < sizeof(bad_words) / sizeof(bad_words[0]); i++) {
		memcpy(copy, data, size);
		memcpy(copy + bad_words[i].word * 4, &bad_words[i].value, 4);
		check(parse(copy, size) == EBADMSG, bad_words[i].what, file);
	}
	free(copy);
}

static void test_truncated(const char *file, const unsigned char *data, size_t size)
{
	unsigned char *copy = malloc(size);

	if (copy == NULL)
		abort();
	for (size_t cut = 0; cut < size; cut++) {
		uint32_t told = (uint32_t)cut;

		check(parse(data, cut) == EBADMSG, "truncated, size as it was", file);
		if (cut < sizeof(struct wire_plan))
			continue;
		memcpy(copy, data, cut);
		memcpy(copy + offsetof(struct wire_plan, size), &told, 4);
		parse(copy, cut);
	}
	free(copy);
}

static uint32_t nasty(size_t size)
{
	static const uint32_t values[] = {0,   1,      2,	   4,	       7,	  8,
					  160, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff};
	uint32_t pick = next_number() % 16;

	if (pick < sizeof(values) / sizeof(values[0]))
		return values[pick];
	return pick < 14 ? next_number() % (uint32_t)(size + 8) : next_number();
}

/* Random damage: words of the header and the hooks, and bytes anywhere. */
static void test_mutated(const char *file, const unsigned char *data, size_t size)
{
	unsigned char *copy = malloc(size);
	unsigned accepted = 0;

	if (copy == NULL)
		abort();
	for (int round = 0; round < ROUNDS; round++) {
		memcpy(copy, data, size);
		for (uint32_t n = next_number() % 4; n > 0; n--) {
			uint32_t value = nasty(size);

			if (next_number() % 2 == 0)
				copy[next_number() % size] = (unsigned char)value;
			else
				memcpy(copy + (next_number() % (size / 4)) * 4, &value, 4);
		}
		accepted += parse(copy, size) == 0;
	}
	check(accepted > 0 && accepted < ROUNDS, "damage is never or always accepted", file);
	printf("%s: %u of %d damaged plans were plans\n", file, accepted, ROUNDS);
	free(copy);
}

static void test_plan_file(const char *file)
{
	static unsigned char data[1 << 16];
	FILE *f = fopen(file, "rb");
	size_t size;

	if (f == NULL) {
		check(0, strerror(errno), file);
		return;
	}
	size = fread(data, 1, sizeof(data), f);
	fclose(f);
	check(parse(data, size) == 0, "a good plan is refused", file);
	test_bad_words(file, data, size);
	test_truncated(file, data, size);
	test_mutated(file, data, size);
}

static void test_joins(struct wire_bootstrap b)
{
	b.joins = 1;
	check(check_bootstrap(&b, sizeof(b), 3) == EBADMSG, "joins nothing", "bootstrap");
	b.join_types[0] = CLONE_VM;
	check(check_bootstrap(&b, sizeof(b), 3) == EBADMSG, "joins what is none", "bootstrap");
	b.join_types[0] = CLONE_NEWPID | CLONE_NEWNS;
	check(check_bootstrap(&b, sizeof(b), 3) == 0, "a join is refused", "bootstrap");
	b.proc_contexts = 1;
	check(check_bootstrap(&b, sizeof(b), 3) == EBADMSG, "contexts of the host", "bootstrap");
	b.flags = WIRE_OPENER;
	check(check_bootstrap(&b, sizeof(b), 3) == 0, "an opener is refused", "bootstrap");
	b.join_types[0] = CLONE_NEWNS;
	check(check_bootstrap(&b, sizeof(b), 3) == EBADMSG, "opens for nobody", "bootstrap");
}

static void test_bootstrap(void)
{
	struct wire_bootstrap b = {.magic = WIRE_MAGIC, .version = WIRE_VERSION, .tasks = 2};
	struct wire_bootstrap good = b;

	check(check_bootstrap(&b, sizeof(b), 2) == 0, "a good one is refused", "bootstrap");
	check(check_bootstrap(&b, sizeof(b) - 1, 2) == EBADMSG, "short", "bootstrap");
	check(check_bootstrap(&b, sizeof(b), 1) == EBADMSG, "a file is missing", "bootstrap");
	b.joins = WIRE_MAX_JOINS + 1;
	check(check_bootstrap(&b, sizeof(b), 2 + b.joins) == EBADMSG, "joins", "bootstrap");
	b.joins = UINT32_MAX;
	check(check_bootstrap(&b, sizeof(b), 1) == EBADMSG, "sum wraps", "bootstrap");
	b.joins = 0;
	b.offsets_size = WIRE_MAX_OFFSETS + 1;
	check(check_bootstrap(&b, sizeof(b), 2) == EBADMSG, "offsets", "bootstrap");
	b.offsets_size = 0;
	b.proc_contexts = WIRE_MAX_PROC_CONTEXTS + 1;
	check(check_bootstrap(&b, sizeof(b), 2) == EBADMSG, "contexts", "bootstrap");
	b.proc_contexts = 0;
	b.version++;
	check(check_bootstrap(&b, sizeof(b), 2) == EBADMSG, "version", "bootstrap");
	b = good;
	b.flags = WIRE_BOOTSTRAP_ALL + 1;
	check(check_bootstrap(&b, sizeof(b), 2) == EBADMSG, "unknown flag", "bootstrap");
	b.flags = WIRE_HELPER;
	check(check_bootstrap(&b, sizeof(b), 2) == EBADMSG, "no channel", "bootstrap");
	check(check_bootstrap(&b, sizeof(b), 3) == 0, "a helper is refused", "bootstrap");
	b = good;
	b.unshare = CLONE_VM;
	check(check_bootstrap(&b, sizeof(b), 2) == EBADMSG, "unshare", "bootstrap");
	test_joins(good);
}

static void test_plan_message(void)
{
	struct wire_plan_message m = {.magic = WIRE_MAGIC,
				      .version = WIRE_VERSION,
				      .files = WIRE_HAS_FIFO | WIRE_HAS_REPORTS};

	check(check_plan_message(&m, sizeof(m), 3) == 0, "a good one is refused", "plan message");
	check(check_plan_message(&m, sizeof(m), 2) == EBADMSG, "missing file", "plan message");
	check(check_plan_message(&m, 8, 3) == EBADMSG, "short", "plan message");
	m.files = WIRE_HAS_ROOT | WIRE_HAS_FIFO;
	check(check_plan_message(&m, sizeof(m), 3) == EBADMSG, "one fifo", "plan message");
	m.files |= 1 << 20;
	check(check_plan_message(&m, sizeof(m), 4) == EBADMSG, "unknown file", "plan message");
}

static void test_text(void)
{
	static struct text t;

	append_number(&t, 0);
	append(&t, ",");
	append_number(&t, UINT32_MAX);
	check(strcmp(t.bytes, "0,4294967295") == 0, t.bytes, "text");
	for (int i = 0; i < WIRE_MAX_DETAIL; i++)
		append(&t, "xy");
	check(t.length == WIRE_MAX_DETAIL && strlen(t.bytes) == t.length, "not cut", "text");
}

#ifdef LIBFUZZER
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_bootstrap b;

	parse(data, size);
	/* Messages that are checked where they are received. */
	memset(&b, 0, sizeof(b));
	memcpy(&b, data, size < sizeof(b) ? size : sizeof(b));
	sink += (size_t)check_bootstrap(&b, size, size % 32);
	return 0;
}
#else
int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s plan...\n", argv[0]);
		return 2;
	}
	test_bootstrap();
	test_plan_message();
	test_text();
	for (int i = 1; i < argc; i++)
		test_plan_file(argv[i]);
	if (failures == 0)
		puts("ok");
	return failures == 0 ? 0 : 1;
}
#endif
