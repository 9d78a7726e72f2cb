/*
 * buf.h: a growing string of bytes.
 *
 * Failure is sticky: when memory runs out, `failed` is set, what is there
 * stays as it is and further additions do nothing, so a caller adds all it
 * has and asks once at the end.  `p` is always NUL-terminated when it is not
 * NULL; bytes may be NUL all the same, `n` counts them.  A zeroed struct is an
 * empty buffer.  One that begins in an array of its user's, with buf_on, asks
 * for memory when that is full: a program that never does starts faster.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BUF_H
#define BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct buf {
	char *p;      /* the bytes and a NUL, or NULL while nothing was added */
	size_t n;     /* bytes, without the NUL */
	size_t cap;   /* there is room for so many */
	bool lent;    /* `p` is the user's array */
	bool failed;  /* memory ran out */
};

/* Begins `b` in an array of `cap` bytes, which outlives it. */
static inline void
buf_on(struct buf *b, char *array, size_t cap)
{
	*b = (struct buf){ .p = array, .cap = cap, .lent = true };
	*array = '\0';
}

/* Makes room for `more` bytes and the NUL. */
static inline bool
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

static inline void
buf_add(struct buf *b, const char *p, size_t n)
{
	if (!buf_room(b, n))
		return;
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

static inline void
buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

static inline void
buf_putc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

#ifdef __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
static inline void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	size_t room = 0;
	int n = 0;

	/* again with the room that it said it needs */
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

/* In decimal. */
static inline void
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

/* Empties it and keeps the memory. */
static inline void
buf_clear(struct buf *b)
{
	b->n = 0;
	b->failed = false;
	if (b->p)
		b->p[0] = '\0';
}

static inline void
buf_free(struct buf *b)
{
	if (!b->lent)
		free(b->p);
	*b = (struct buf){ 0 };
}

#endif
