/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "init.h"

void append(struct text *t, const char *s)
{
	size_t room = sizeof(t->bytes) - 1 - t->length;
	size_t size = strnlen(s, room);

	memcpy(t->bytes + t->length, s, size);
	t->length += size;
	t->bytes[t->length] = '\0';
}

void append_number(struct text *t, unsigned number)
{
	char digits[12];
	char *at = digits + sizeof(digits) - 1;

	*at = '\0';
	do
		*--at = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	append(t, at);
}
