/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What there is to know about a program that could not be executed: its path, its first bytes, its
 * interpreter, the names beside it. Only the runtime draws conclusions. These are looked at here
 * because init has the view and the rights of the program by now: no link and no mount of the
 * container can lead it to a file of the host, and whoever wrote the file gains nothing.
 *
 * The failure itself has been reported before. A filter may forbid these calls, or kill init for
 * them, and then some facts are missing.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"

/* ST_NOEXEC of statvfs(3), as statfs(2) returns it. */
#define MOUNT_NOEXEC 8

/* How deep scripts may name scripts, as for execve(2), and their loader. */
#define MAX_LEVELS 6

/*
 * How much is sent at most. Nobody may be reading the fifo, so that its facts and the reports
 * before them have to fit into it (64 KiB).
 */
#define FIFO_BUDGET   (48 << 10)
#define SOCKET_BUDGET (256 << 10)
static size_t budget;

static int tell(uint32_t what, int error, const void *data, size_t size)
{
	if (size > WIRE_MAX_DETAIL || size + sizeof(struct wire_report) > budget) {
		budget = 0;
		return 0;
	}
	budget -= size + sizeof(struct wire_report);
	return report_fact(what, error, data, size);
}

/* Whether the path, with its file, is open to the program. Returns an errno of stat or access. */
static int tell_path(const char *path, struct stat *st)
{
	char detail[sizeof(struct wire_path) + PATH_MAX];
	struct wire_path w = {0};
	struct statfs fs;
	size_t size = strnlen(path, WIRE_MAX_DETAIL - sizeof(w));

	int error = stat(path, st) < 0 ? errno : 0;
	if (error == 0) {
		w.mode = st->st_mode;
		w.uid = st->st_uid;
		w.gid = st->st_gid;
		w.dev = st->st_dev;
		w.ino = st->st_ino;
		if (statfs(path, &fs) == 0 && fs.f_flags & MOUNT_NOEXEC)
			w.flags |= WIRE_PATH_NOEXEC;
		error = may_execute(path);
	}
	memcpy(detail, &w, sizeof(w));
	memcpy(detail + sizeof(w), path, size);
	return tell(WIRE_FACT_PATH, error, detail, sizeof(w) + size) ? error : EPIPE;
}

/* The names in a directory, as getdents64(2) returns them. */
static void tell_names(const char *directory)
{
	_Alignas(8) char names[WIRE_MAX_DETAIL];
	CLEANUP_CLOSE int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long n;

	if (fd < 0)
		return;
	while ((n = syscall(SYS_getdents64, fd, names, sizeof(names))) > 0)
		if (!tell(WIRE_FACT_NAMES, 0, names, (size_t)n))
			return;
}

/* What is there instead: where a symbolic link leads, or the names in the directory above. */
static void tell_instead(char *path, size_t length, size_t name)
{
	char target[PATH_MAX];
	char last = path[length];

	path[length] = '\0';
	ssize_t n = readlink(path, target, WIRE_MAX_DETAIL);
	path[length] = last;
	if (n >= 0) {
		tell(WIRE_FACT_LINK, 0, target, (size_t)n);
		return;
	}
	if (name == 0) {
		tell_names(".");
		return;
	}
	last = path[name];
	path[name] = '\0';
	tell_names(path);
	path[name] = last;
}

/* Each directory on the way to the file, and the file. Returns whether the file can be executed. */
static int tell_way(const char *name, struct stat *st)
{
	char path[PATH_MAX];
	size_t length = strnlen(name, PATH_MAX), start = 0;

	if (length == 0 || length >= PATH_MAX)
		return 0;
	memcpy(path, name, length + 1);
	if (path[0] != '/' && tell_path(".", st) != 0)
		return 0;
	for (size_t i = 0; i <= length; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		size_t end = i == 0 ? 1 : i; /* the root directory */
		if (i > start || i == 0) {
			char last = path[end];
			path[end] = '\0';
			int error = tell_path(path, st);
			path[end] = last;
			if (error != 0) {
				if (error == ENOENT)
					tell_instead(path, end, start);
				return 0;
			}
		}
		start = i + 1;
	}
	return 1;
}

/* The interpreter that a script names, as execve(2) reads its first line. */
static int script_interpreter(const char *head, size_t size, char path[PATH_MAX])
{
	size_t at = 2, n = 0;

	while (at < size && (head[at] == ' ' || head[at] == '\t'))
		at++;
	while (at + n < size && memchr(" \t\n", head[at + n], 4) == NULL)
		n++;
	if (n == 0 || at + n == WIRE_HEAD) /* ENOEXEC: it may go on behind the head */
		return 0;
	memcpy(path, head + at, n);
	path[n] = '\0';
	return 1;
}

static uint64_t number(const unsigned char *at, size_t size)
{
	uint64_t wide;
	uint32_t word;
	uint16_t half;

	switch (size) {
	case sizeof(half):
		memcpy(&half, at, size);
		return half;
	case sizeof(word):
		memcpy(&word, at, size);
		return word;
	}
	memcpy(&wide, at, sizeof(wide));
	return wide;
}

#define FIELD(type, name, from) number((from) + offsetof(type, name), sizeof(((type *)NULL)->name))
#define ELF_FIELD(kind, name, from)                                                                \
	(wide ? FIELD(Elf64_##kind, name, from) : FIELD(Elf32_##kind, name, from))

/* The loader in the program headers of an ELF file, of 64 or 32 bits. */
static int elf_interpreter(int fd, const unsigned char *head, size_t size, char path[PATH_MAX])
{
	unsigned char program[sizeof(Elf64_Phdr)];
	int wide = head[EI_CLASS] == ELFCLASS64;

	if (size < sizeof(Elf64_Ehdr))
		return 0;
	uint64_t at = ELF_FIELD(Ehdr, e_phoff, head);
	uint64_t each = ELF_FIELD(Ehdr, e_phentsize, head);
	uint64_t count = ELF_FIELD(Ehdr, e_phnum, head);
	size_t header = wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	for (uint64_t i = 0; i < count && i < 64 && each == header; i++) {
		if (pread(fd, program, header, (off_t)(at + i * each)) != (ssize_t)header)
			return 0;
		if (number(program, sizeof(uint32_t)) != PT_INTERP)
			continue;
		uint64_t n = ELF_FIELD(Phdr, p_filesz, program);
		if (n == 0 || n > PATH_MAX)
			return 0;
		ssize_t got = pread(fd, path, (size_t)n, (off_t)ELF_FIELD(Phdr, p_offset, program));
		return got == (ssize_t)n && path[n - 1] == '\0' && path[0] != '\0';
	}
	return 0;
}

/* The beginning of the file, and the path of the program that the kernel would execute for it. */
static int tell_file(const char *name, char next[PATH_MAX])
{
	unsigned char head[WIRE_HEAD];
	CLEANUP_CLOSE int fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : pread(fd, head, sizeof(head), 0);

	if (n < 0 || !tell(WIRE_FACT_HEAD, 0, head, (size_t)n))
		return 0;
	if (n > 2 && memcmp(head, "#!", 2) == 0)
		return script_interpreter((char *)head, (size_t)n, next);
	if (n > SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0)
		return elf_interpreter(fd, head, (size_t)n, next);
	return 0;
}

static void tell_program(const char *path)
{
	static char next[PATH_MAX];
	struct stat st;

	for (int level = 0; level < MAX_LEVELS; level++) {
		if (!tell_way(path, &st) || !S_ISREG(st.st_mode) || !tell_file(path, next) ||
		    !tell(WIRE_FACT_NEXT, 0, next, strnlen(next, WIRE_MAX_DETAIL)))
			return;
		path = next;
	}
}

/* For a name that is not found: what has that name, and what else is in the directories. */
static void tell_search(const char *name, char *const *envp)
{
	static char path[PATH_MAX];
	const char *directory = search_path(envp);
	struct stat st;

	for (int more = *directory != '\0'; more && budget > 0;) {
		size_t length = strcspn(directory, ":");

		if (join(path, directory, length, name)) {
			if (stat(path, &st) == 0)
				tell_path(path, &st);
			else if (errno == ENOENT) {
				path[length == 0 ? 1 : length] = '\0';
				tell_names(path);
			}
		}
		more = directory[length] == ':';
		directory += length + 1;
	}
}

/*
 * Reports a failure, then the facts, if init may look for them, and ends. name is argv[0] for a
 * look-up that failed, and the path for an exec.
 */
_Noreturn void die_explained(enum step step, int error, const char *name, char *const *envp,
			     int to_fifo, int look)
{
	report_failure(step, error, 0, name);
	budget = to_fifo ? FIFO_BUDGET : SOCKET_BUDGET;
	if (!look)
		budget = 0;
	else if (step == STEP_LOOK_UP)
		tell_search(name, envp);
	else if (name != NULL)
		tell_program(name);
	report_fact(WIRE_FACTS_END, 0, NULL, 0);
	end();
}
