/*
 * buf.c: a growing string of bytes, and a growing array.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job/buf.h"

bool
buf_room(struct buf *b, size_t more)
{
	size_t cap = b->cap ? b->cap : 240;
	char *p;

	if (b->failed || more > SIZE_MAX / 4 - b->n - 1) {
		b->failed = true;
		return false;
	}
	if (b->n + more + 1 <= b->cap)
		return true;
	while (cap < b->n + more + 1)
		cap *= 2;
	p = realloc(b->lent ? NULL : b->p, cap);
	if (!p) {
		b->failed = true;
		return false;
	}
	if (b->lent)
		memcpy(p, b->p, b->n + 1);
	b->lent = false;
	b->p = p;
	b->cap = cap;
	return true;
}

void
buf_add(struct buf *b, const char *p, size_t n)
{
	if (!buf_room(b, n))
		return;
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

void
buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_putc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	size_t room = 0;
	int n = 0;

	/* vsnprintf says how much room it needs: then once more. */
	do {
		if (n < 0 || !buf_room(b, (size_t)n))
			break;
		room = b->cap - b->n;
		va_start(ap, fmt);
		n = vsnprintf(b->p + b->n, room, fmt, ap);
		va_end(ap);
	} while (n < 0 || (size_t)n >= room);
	if (!b->failed && n > 0)
		b->n += (size_t)n;
	if (b->p)
		b->p[b->n] = '\0';
}

void
buf_number(struct buf *b, int64_t number)
{
	char digits[20], *p = digits + sizeof digits;
	uint64_t n = (uint64_t)number;

	if (number < 0) {
		buf_putc(b, '-');
		n = -n;
	}
	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	buf_add(b, p, (size_t)(digits + sizeof digits - p));
}

void
buf_free(struct buf *b)
{
	if (!b->lent)
		free(b->p);
	*b = (struct buf){ 0 };
}

void *
array_room(void *v, size_t *cap, size_t n, size_t size)
{
	size_t room = *cap ? *cap : 1;

	if (n <= *cap)
		return v;
	while (room < n)
		room *= 2;
	v = room <= SIZE_MAX / size ? realloc(v, room * size) : NULL;
	if (v)
		*cap = room;
	return v;
}
