/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copier copies a directory of a container into a file system that is new and nobody's yet (the
 * option tmpcopyup). It is a process of its own because of who pays: memory that a file system
 * keeps files in, and the kernel's own for names and inodes, is charged to the cgroup of the
 * process that writes, by its address space (mm->owner). Neither a thread of the runtime nor the
 * runtime itself could be put into the container's cgroup for that, so a small program is: it
 * allocates nothing, and shares neither memory nor the pid namespace with anybody.
 *
 * What it reads may change at any time, and be anything. What it writes nobody else can see.
 */
#ifndef COPIER_H
#define COPIER_H

#include <sys/stat.h>

/* The descriptors that it gets: what to copy, where to, and where to tell of a failure. */
#define SOURCE 3
#define TARGET 4
#define REPORT 5

/* The nesting of a tree: each level holds two descriptors, and memory of the stack. */
#define MAX_DEPTH 256

/* copier.c */

/* Ends with a record of what failed, on the path that enter and leave have followed. */
_Noreturn void fail(const char *call, int error);
/* The length of the path, to be given back to leave when name has been dealt with. */
unsigned enter(const char *name);
void leave(unsigned length);
/* Ends when nobody is there any more to be told of a failure. */
void check_reader(void);

/* entry.c */
void copy_tree(int from, int to, int with_owner);

/* metadata.c */
void copy_metadata(int to, const char *name, const struct stat *st);
void copy_owner(int to, const struct stat *st);
void copy_xattrs(int from, int to);

#endif
