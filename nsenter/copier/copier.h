/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copier copies a directory of a container into a new file system that nobody uses yet (the option
 * tmpcopyup). It is a separate process because of memory accounting: the memory of files, and the
 * kernel's memory for names and inodes, is charged to the cgroup of the process that writes, by its
 * address space (mm->owner). Neither a thread of the runtime nor the runtime itself can be put into
 * the container's cgroup for that, but a small program can: it allocates nothing, and shares
 * neither memory nor the pid namespace with other processes.
 *
 * The source may change at any time, and contain anything. Nobody else can see the target.
 */
#ifndef COPIER_H
#define COPIER_H

#include <sys/stat.h>

/* The descriptors that it gets: the source, the target, and the pipe for a failure. */
#define SOURCE 3
#define TARGET 4
#define REPORT 5

/* The maximum depth of a tree: each level needs two descriptors, and stack memory. */
#define MAX_DEPTH 256

/* copier.c */

/* Ends with a record of the failure, with the path from enter and leave. */
_Noreturn void fail(const char *call, int error);
/* Returns the length of the path, to be passed to leave when name is done. */
unsigned enter(const char *name);
void leave(unsigned length);
/* Ends the process if nobody can read a report any more. */
void check_reader(void);

/* entry.c */
void copy_tree(int from, int to, int with_owner);

/* metadata.c */
void copy_metadata(int to, const char *name, const struct stat *st);
void copy_owner(int to, const struct stat *st);
void copy_xattrs(int from, int to);

#endif
