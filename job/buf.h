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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* Makes room for `more` bytes and the NUL.  false: out of memory. */
bool buf_room(struct buf *, size_t more);
void buf_add(struct buf *, const char *p, size_t n);
void buf_puts(struct buf *, const char *s);
void buf_putc(struct buf *, char c);
#ifdef __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
void buf_printf(struct buf *, const char *fmt, ...);
/* Adds a number in decimal. */
void buf_number(struct buf *, int64_t number);

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

/* Frees its memory; it is empty then. */
void buf_free(struct buf *);

/*
 * Makes room for `n` elements of `size` bytes in the array `v`, which has room
 * for *cap.  Returns the array, which may have moved; NULL: out of memory, and
 * the old array is unchanged.
 */
void *array_room(void *v, size_t *cap, size_t n, size_t size);

#endif
