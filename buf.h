/*
 * buf.h: a growing string of bytes.
 *
 * Failure is sticky: when memory runs out, `failed` is set, what is there
 * stays as it is and further additions do nothing, so a caller adds all it
 * has and asks once at the end.  `p` is always NUL-terminated when it is not
 * NULL; bytes may be NUL all the same, `n` counts them.  A zeroed struct is an
 * empty buffer.
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
	size_t cap;   /* allocated */
	bool failed;  /* memory ran out */
};

/* Makes room for `more` bytes and the NUL. */
static inline bool
buf_room(struct buf *b, size_t more)
{
	size_t cap = b->cap ? b->cap : 128;
	char *p;

	if (b->failed || more > SIZE_MAX / 4 - b->n - 1) {
		b->failed = true;
		return false;
	}
	if (b->n + more + 1 <= b->cap)
		return true;
	while (cap < b->n + more + 1)
		cap *= 2;
	p = realloc(b->p, cap);
	if (!p) {
		b->failed = true;
		return false;
	}
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
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !buf_room(b, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
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
	free(b->p);
	*b = (struct buf){ 0 };
}

#endif
