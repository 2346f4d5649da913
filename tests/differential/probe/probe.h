// SPDX-License-Identifier: Apache-2.0

#pragma once

// say prints the line of a key.
void say(const char *key, const char *format, ...) __attribute__((format(printf, 2, 3)));

// error_name returns a name for the result of a system call; valid until the next call.
const char *error_name(int number);

// files prints what depends on paths: procfs, mounts, devices, and who may write where.
void files(void);
