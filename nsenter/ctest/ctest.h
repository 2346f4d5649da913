/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of init share. Each is one file, which includes this once. */
#ifndef BERTH_CTEST_H
#define BERTH_CTEST_H

#include <stdint.h>
#include <stdio.h>

static int failures;

static void check(int ok, const char *what, const char *name)
{
	if (ok)
		return;
	fprintf(stderr, "FAIL %s: %s\n", name, what);
	failures++;
}

/* xorshift64: the same numbers in every run. */
static uint64_t seed = 0x9e3779b97f4a7c15u;
static uint32_t next_number(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16);
}

#endif
