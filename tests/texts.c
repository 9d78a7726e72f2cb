/*
 * texts.c: see texts.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "texts.h"

const char *
texts_parse(struct job *job, const char *text, size_t len, size_t *line)
{
	char *own = malloc(len + 1);

	if (!own)
		ck_abort_msg("out of memory");
	memcpy(own, text, len);
	memset(job, 0x5a, sizeof *job);
	*line = 77;
	return job_parse(job, own, len, line);
}

/* Not by an assertion: libcheck writes each one to a file, also when it is
 * true, and this runs often. */
void
texts_read(struct job *job, const char *text, size_t len)
{
	size_t line;
	const char *wrong = texts_parse(job, text, len, &line);

	if (wrong || line != 0)
		ck_abort_msg("line %zu: %s in:\n%s", line, wrong, text);
}

int64_t
texts_time(const char *s)
{
	int64_t t;

	ck_assert_msg(job_time_parse(s, &t), "%s", s);
	return t;
}

void
texts_same(const char *a, const char *b, unsigned round, const char *what)
{
	if ((a == NULL) != (b == NULL) || (a && strcmp(a, b) != 0))
		ck_abort_msg("round %u: %s: \"%s\" became \"%s\"", round,
		    what, a ? a : "(none)", b ? b : "(none)");
}

void
texts_same_attempt(const struct job_attempt *a, const struct job_attempt *b,
    unsigned round)
{
	ck_assert_msg(a->number == b->number && a->outcome == b->outcome &&
	    a->value == b->value && a->start == b->start && a->end == b->end &&
	    a->log == b->log && a->worker == b->worker &&
	    a->measured == b->measured && a->user == b->user &&
	    a->sys == b->sys && a->maxrss == b->maxrss,
	    "round %u: attempt", round);
	texts_same(a->error, b->error, round, "error");
}
