/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests what init looks at when a program cannot be executed (facts.c), with files and names of
 * every kind: the container has written them. Run it under AddressSanitizer. It works in a
 * directory of its own, its argument.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctest.h"
#include "init.h"

/* How many damaged files are looked at. */
#ifndef ROUNDS
#define ROUNDS 20000
#endif

/* What has been reported since look. */
static struct {
	int paths, links, names, heads, nexts, ends;
	int error; /* of the last path */
	size_t sent, head;
	char next[PATH_MAX], link[PATH_MAX]; /* the last ones */
} told;

static volatile unsigned sink;

int report_fact(uint32_t what, int error, const void *detail, size_t size)
{
	const unsigned char *byte = detail;

	for (size_t i = 0; i < size; i++) /* each has to be there */
		sink += byte[i];
	check(size <= WIRE_MAX_DETAIL, "too large", "report");
	told.sent += size + sizeof(struct wire_report);
	switch (what) {
	case WIRE_FACT_PATH:
		told.paths++;
		told.error = error;
		check(size >= sizeof(struct wire_path), "short", "path");
		break;
	case WIRE_FACT_LINK:
		told.links++;
		memcpy(told.link, detail, size);
		told.link[size] = '\0';
		break;
	case WIRE_FACT_NAMES:
		told.names++;
		break;
	case WIRE_FACT_HEAD:
		told.heads++;
		told.head = size;
		check(size <= WIRE_HEAD, "too large", "head");
		break;
	case WIRE_FACT_NEXT:
		told.nexts++;
		memcpy(told.next, detail, size);
		told.next[size] = '\0';
		break;
	case WIRE_FACTS_END:
		told.ends++;
		break;
	default:
		check(0, "unknown", "report");
	}
	return 1;
}

/* Those of channel.c need a channel. */
static jmp_buf ended;

_Noreturn void end(void)
{
	longjmp(ended, 1);
}

void report_failure(enum step step, int error, unsigned index, const char *detail)
{
	(void)step;
	(void)error;
	(void)index;
	(void)detail;
}

void close_descriptor(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* Has init look at a program, or for a name. */
static void look(enum step step, const char *name, const char *path, int to_fifo)
{
	char variable[2 * PATH_MAX];
	char *envp[] = {variable, NULL};

	snprintf(variable, sizeof(variable), "PATH=%s", path);
	memset(&told, 0, sizeof(told));
	if (setjmp(ended) == 0)
		die_explained(step, ENOENT, name, envp, to_fifo, 1);
	check(told.ends == 1, "no end", name);
	check(told.sent <= (size_t)(to_fifo ? 49 << 10 : 257 << 10), "too much", name);
}

static void put(const char *name, const void *bytes, size_t size, mode_t mode)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0600);

	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || fchmod(fd, mode) < 0 ||
	    close(fd) < 0) {
		perror(name);
		exit(2);
	}
}

/* A file with this text leads to next; NULL for a text that leads nowhere. */
static void script(const char *text, size_t size, const char *next)
{
	put("script", text, size, 0755);
	look(STEP_EXEC, "./script", "", 0);
	check(told.heads > 0, "no head", "script");
	if (next == NULL)
		check(told.nexts == 0, told.next, text);
	else
		check(told.nexts > 0 && strcmp(told.next, next) == 0, told.next, text);
}

static void test_scripts(void)
{
	static char text[2 * WIRE_HEAD], name[WIRE_HEAD - 2];

#define SCRIPT(text, next) script(text, sizeof(text) - 1, next)
	SCRIPT("#!/no/sh\n", "/no/sh");
	SCRIPT("#! \t/no/sh -e\n", "/no/sh");
	SCRIPT("#!/no/sh\r\n", "/no/sh\r");
	SCRIPT("#!/no/sh", "/no/sh");
	SCRIPT("#!/no\0/sh\n", "/no");
	SCRIPT("#!\n", NULL);
	SCRIPT("#!", NULL);
	SCRIPT("#", NULL);
	SCRIPT("", NULL);
	SCRIPT("#!   ", NULL);
	/* As long as the kernel's buffer, and longer. */
	memset(text, 'x', sizeof(text));
	memcpy(text, "#!/", 3);
	memcpy(name, text + 2, sizeof(name) - 1);
	script(text, WIRE_HEAD - 1, name);
	script(text, WIRE_HEAD, NULL);
	script(text, sizeof(text), NULL);
	/* A script that names itself ends. */
	SCRIPT("#!script\n", "script");
	check(told.nexts == 6, "without end", "script");
}

static size_t elf(unsigned char *file, int wide, const char *loader, size_t loader_size)
{
	if (wide) {
		Elf64_Ehdr h = {
		    .e_phoff = sizeof(h), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 2};
		Elf64_Phdr p[2] = {{.p_type = PT_PHDR}, {.p_type = PT_INTERP}};

		memcpy(h.e_ident, ELFMAG, SELFMAG);
		h.e_ident[EI_CLASS] = ELFCLASS64;
		p[1].p_offset = sizeof(h) + sizeof(p);
		p[1].p_filesz = loader_size;
		memcpy(file, &h, sizeof(h));
		memcpy(file + sizeof(h), p, sizeof(p));
		memcpy(file + p[1].p_offset, loader, loader_size);
		return p[1].p_offset + loader_size;
	}
	Elf32_Ehdr h = {
	    .e_phoff = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf32_Phdr), .e_phnum = 1};
	Elf32_Phdr p = {.p_type = PT_INTERP, .p_offset = sizeof(Elf64_Ehdr) + sizeof(p)};

	memcpy(h.e_ident, ELFMAG, SELFMAG);
	h.e_ident[EI_CLASS] = ELFCLASS32;
	p.p_filesz = (Elf32_Word)loader_size;
	memcpy(file, &h, sizeof(h));
	memcpy(file + h.e_phoff, &p, sizeof(p));
	memcpy(file + p.p_offset, loader, loader_size);
	return p.p_offset + loader_size;
}

static void test_elf(void)
{
	static unsigned char file[4 * PATH_MAX];
	static char loader[PATH_MAX + 1];

	for (int wide = 0; wide <= 1; wide++) {
		const char *kind = wide ? "64 bits" : "32 bits";
		size_t size = elf(file, wide, "/no/ld.so", 10);

		put("elf", file, size, 0755);
		look(STEP_EXEC, "elf", "", 0);
		check(told.nexts == 1 && strcmp(told.next, "/no/ld.so") == 0, told.next, kind);
		put("elf", file, size - 1, 0755);
		look(STEP_EXEC, "elf", "", 0);
		check(told.heads == 1 && told.nexts == 0, "cut", kind);
		put("elf", file, elf(file, wide, "/no/ld.so", 9), 0755);
		look(STEP_EXEC, "elf", "", 0);
		check(told.nexts == 0, "not ended", kind);
		memset(loader, 'x', sizeof(loader));
		loader[PATH_MAX - 1] = loader[PATH_MAX] = '\0';
		put("elf", file, elf(file, wide, loader, PATH_MAX), 0755);
		look(STEP_EXEC, "elf", "", 0);
		check(told.nexts == 1, "the longest", kind);
		loader[PATH_MAX - 1] = 'x';
		put("elf", file, elf(file, wide, loader, PATH_MAX + 1), 0755);
		look(STEP_EXEC, "elf", "", 0);
		check(told.nexts == 0, "too long", kind);
	}
}

/* Headers with numbers and letters at random, and files that are cut. */
static void test_damaged(void)
{
	static unsigned char good[4 * PATH_MAX], file[4 * PATH_MAX];

	for (int round = 0; round < ROUNDS; round++) {
		size_t size;

		if (round % 3 == 0) {
			static const char text[] = "#! \t/no/such/interpreter with options\n";
			memcpy(good, text, sizeof(text));
			size = sizeof(text);
		} else {
			size = elf(good, round % 3 == 1, "/no/ld.so", 10);
		}
		memcpy(file, good, size);
		for (uint32_t n = next_number() % 4; n > 0; n--) {
			/* Mostly in the headers, and not the first letters. */
			size_t at = 4 + next_number() % (size - 4);
			size_t width = (size_t)1 << next_number() % 4;
			static const uint64_t odd[] = {
			    0,		1,	   PATH_MAX,   PATH_MAX + 1,
			    UINT32_MAX, INT64_MAX, UINT64_MAX, 1ULL << 63};
			uint64_t value =
			    next_number() % 2 == 0 ? next_number() : odd[next_number() % 8];

			memcpy(file + at, &value, at + width > size ? size - at : width);
		}
		put("damaged", file, next_number() % 4 == 0 ? next_number() % size : size, 0755);
		look(STEP_EXEC, "damaged", "", 0);
	}
}

static void test_names(void)
{
	static char longest[3 * PATH_MAX];

	look(STEP_EXEC, "", "", 0);
	check(told.paths == 0, "looked at", "no name");
	look(STEP_EXEC, "/", "", 0);
	check(told.paths == 1 && told.error == 0 && told.heads == 0, "/", "the root");
	look(STEP_EXEC, "///proc//self///no", "", 0);
	check(told.error == ENOENT && told.names > 0, "names", "nothing there");
	look(STEP_EXEC, "no", "", 0);
	check(told.error == ENOENT && told.names == 1, "names", "nothing here");
	if (symlink("gone", "link") < 0 && errno != EEXIST)
		perror("link");
	look(STEP_EXEC, "link", "", 0);
	check(told.links == 1 && strcmp(told.link, "gone") == 0, told.link, "a link");
	put("closed", "#!/no/sh\n", 9, 0644);
	look(STEP_EXEC, "closed", "", 0);
	check(told.error == EACCES && told.heads == 0, "looked at", "a file for nobody");
	look(STEP_EXEC, "closed/x", "", 0);
	check(told.error == EACCES || told.error == ENOTDIR, "a file", "on the way");
	/* Names up to the longest and beyond. */
	memset(longest, 'x', sizeof(longest) - 1);
	for (size_t n = 200; n < sizeof(longest); n += 201)
		longest[n] = '/';
	for (size_t n = PATH_MAX - 3; n < PATH_MAX + 3; n++) {
		char last = longest[n];
		longest[n] = '\0';
		look(STEP_EXEC, longest, "", 0);
		look(STEP_EXEC, longest + 1, "", 1);
		look(STEP_LOOK_UP, "no", longest, 1);
		look(STEP_LOOK_UP, longest, "/proc", 0);
		longest[n] = last;
	}
}

/* Makes a directory with files. */
static void put_directory(const char *directory, int files)
{
	char name[255];

	if (mkdir(directory, 0755) < 0) {
		perror(directory);
		exit(2);
	}
	for (int i = 0; i < files; i++) {
		snprintf(name, sizeof(name), "%s/%0240d", directory, i);
		put(name, "", 0, 0644);
	}
}

static void test_search(void)
{
	static char path[2 * PATH_MAX] = "many";

	put_directory("few", 1);
	put_directory("many", 100);
	look(STEP_LOOK_UP, "script", "/no:.:few", 0);
	check(told.paths == 1 && told.names == 1, "found", "script");
	look(STEP_LOOK_UP, "no", "many", 0);
	check(told.names > 1 && told.sent > 100 * 240, "not all names", "a large directory");
	look(STEP_LOOK_UP, "no", ":", 0);
	check(told.names == 2, "here, twice", ":");
	look(STEP_LOOK_UP, "no", "", 0);
	check(told.names == 0, "nowhere", "no PATH");
	/* No more than the reader has room for. */
	while (strlen(path) + 6 < sizeof(path))
		strcat(path, ":many");
	look(STEP_LOOK_UP, "no", path, 1);
	check(told.names > 0, "names", "many directories");
	look(STEP_LOOK_UP, "no", path, 0);
	check(told.names > 0, "names", "many directories");
}

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) < 0) {
		fprintf(stderr, "usage: %s directory\n", argv[0]);
		return 2;
	}
	test_scripts();
	test_elf();
	test_names();
	test_search();
	test_damaged();
	if (failures == 0)
		puts("ok");
	return failures == 0 ? 0 : 1;
}
