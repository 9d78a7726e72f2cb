/*
 * must.c: see fuzz.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz.h"
#include "job/json.h"

const char *fuzz_where = "input";

const struct job_policy fuzz_policy = {
	.max_retries = 3, .backoff_base = 2, .backoff_max = 3600,
	.backoff_jitter = 5, .max_crashes = 5
};

void
fuzz_must(bool holds, const char *file, int line, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "fuzz: %s: %s:%d: does not hold: %s\n", fuzz_where,
	    file, line, what);
	abort();
}

char *
fuzz_copy(const char *p, size_t n)
{
	char *s = malloc(n + 1);

	if (!s)
		exit(1);
	if (n)
		memcpy(s, p, n);
	s[n] = '\0';
	return s;
}

bool
fuzz_same(const struct buf *a, const struct buf *b)
{
	return a->n == b->n && (a->n == 0 || !memcmp(a->p, b->p, a->n));
}

bool
fuzz_starts(const struct buf *a, const struct buf *with)
{
	return with->n <= a->n && (with->n == 0 ||
	    !memcmp(a->p, with->p, with->n));
}

bool
fuzz_printable(const struct buf *b)
{
	size_t i;

	if (b->n && !text_is_utf8(b->p, b->n))
		return false;
	for (i = 0; i < b->n; i++)
		if ((unsigned char)b->p[i] < 0x20 || b->p[i] == 0x7f ||
		    ((unsigned char)b->p[i] == 0xc2 &&
		    (unsigned char)b->p[i + 1] < 0xa0))
			return false;
	return true;
}

const char *
fuzz_read_text(struct job *job, const char *p, size_t n, size_t *line)
{
	return job_parse(job, fuzz_copy(p, n), n, line);
}
