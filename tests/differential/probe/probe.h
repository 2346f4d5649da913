// SPDX-License-Identifier: Apache-2.0

#pragma once

// say prints a line of one key.
void say(const char *key, const char *format, ...) __attribute__((format(printf, 2, 3)));

// error_name is a word for what a system call has said; valid until the next one.
const char *error_name(int number);

// files prints what is found by path: procfs, mounts, devices, and who may write where.
void files(void);
