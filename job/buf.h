/*
 * buf.h: a growing string of bytes, and a growing array.
 *
 * Failure is sticky: when memory runs out, `failed` is set, the bytes so far
 * stay as they are and further additions do nothing.  So a caller adds all it
 * has and asks once, at the end.  `p` is NUL-terminated when it is not NULL;
 * the bytes may hold NULs too, `n` counts them.  A zeroed struct is an empty
 * buffer.  One that buf_on() begins in the caller's array allocates nothing
 * until that is full: a program that never allocates starts faster.
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
	size_t cap;   /* bytes allocated, the NUL's too */
	bool lent;    /* `p` is the caller's array */
	bool failed;  /* memory ran out */
};

/* Begins `b` in an array of `cap` bytes, which must outlive it. */
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

/* Adds a number in decimal. */
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

/* The bytes as a string, "" while nothing was added. */
static inline const char *
buf_text(const struct buf *b)
{
	return b->p ? b->p : "";
}

/* Empties the buffer and keeps its memory. */
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

/*
 * Makes room for `n` elements of `size` bytes in the array `v`, which has room
 * for *cap.  Returns the array, which may have moved; NULL: out of memory, and
 * the old array is unchanged.
 */
static inline void *
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

#endif
