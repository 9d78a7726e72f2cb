/*
 * spool/tally.c: counts of attempts.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "spool/tally_priv.h"

/* In the order in which a tally is written. */
enum {
	SECONDS = TALLY_OUTCOMES + TALLY_BUCKETS,
	USER, SYS, MAXRSS, NUMBERS,
	LEAST_NUMBERS = USER,         /* older versions wrote no more */
	LINE_MAX_LEN = NUMBERS * 20   /* bytes */
};

const int64_t spool_tally_bounds[TALLY_BUCKETS - 1] = { 10000, 100000, 1000000,
	10000000, 60000000, 600000000, INT64_C(3600000000),
	INT64_C(86400000000) };

void
spool_tally_count(struct spool_tally *t, const struct job_attempt *a)
{
	int64_t took = a->end > a->start ? a->end - a->start : 0;
	int i = 0;

	t->outcome[a->outcome == JOB_EXIT && !a->value ? 0 :
	    a->outcome + 1]++;
	while (i < TALLY_BUCKETS - 1 && took > spool_tally_bounds[i])
		i++;
	t->took[i]++;
	t->seconds += (uint64_t)took;
	if (!a->measured)
		return;
	t->user += (uint64_t)a->user;
	t->sys += (uint64_t)a->sys;
	if (t->maxrss < (uint64_t)a->maxrss)
		t->maxrss = (uint64_t)a->maxrss;
}

static uint64_t *
tally_number(struct spool_tally *t, int i)
{
	return i < TALLY_OUTCOMES ? &t->outcome[i] :
	    i < SECONDS ? &t->took[i - TALLY_OUTCOMES] :
	    i == SECONDS ? &t->seconds : i == USER ? &t->user :
	    i == SYS ? &t->sys : &t->maxrss;
}

void
tally_format(struct buf *b, const struct spool_tally *tally)
{
	const uint64_t most = UINT64_C(99999999999);
	struct spool_tally t = *tally;
	int i;

	for (i = 0; i < NUMBERS; i++) {
		uint64_t v = *tally_number(&t, i);

		if ((i < SECONDS || i == MAXRSS) && v > most)
			v = most;
		if (i)
			buf_putc(b, ',');
		buf_number(b, (int64_t)v);
	}
}

bool
tally_parse(char *p, struct spool_tally *t)
{
	char *comma;
	int64_t v;
	int i;

	*t = (struct spool_tally){ .seconds = 0 };
	for (i = 0; p && i < NUMBERS; i++, p = comma) {
		comma = strchr(p, ',');
		if (comma)
			*comma++ = '\0';
		if (!job_number_parse(p, 0, INT64_MAX, &v))
			break;
		*tally_number(t, i) = (uint64_t)v;
	}
	if (!p && (i == NUMBERS || i == LEAST_NUMBERS))
		return true;
	*t = (struct spool_tally){ .seconds = 0 };
	return false;
}

void
tally_add(struct spool_tally *sum, const struct spool_tally *more)
{
	struct spool_tally t = *more;
	int i;

	for (i = 0; i < MAXRSS; i++)
		*tally_number(sum, i) += *tally_number(&t, i);
	if (sum->maxrss < t.maxrss)
		sum->maxrss = t.maxrss;
}

bool
tally_is_zero(const struct spool_tally *tally)
{
	struct spool_tally t = *tally;
	int i;

	for (i = 0; i < NUMBERS; i++)
		if (*tally_number(&t, i))
			return false;
	return true;
}

void
metrics_read(struct spool *sp, struct spool_tally *t)
{
	char line[LINE_MAX_LEN + 1] = "";
	struct stat st;
	ssize_t n;
	int fd;

	if (file_open(sp, "metrics", O_RDONLY, &fd, &st) == SPOOL_OK) {
		n = pread(fd, line, LINE_MAX_LEN, 0);
		line[n < 0 ? 0 : n] = '\0';
		fd_close(fd);
	}
	line[strcspn(line, "\n")] = '\0';
	tally_parse(line, t);
}

void
metrics_write(struct spool *sp, const struct spool_tally *t)
{
	struct buf b = { 0 };

	tally_format(&b, t);
	buf_putc(&b, '\n');
	if (!b.failed)
		file_replace(sp, "metrics", &b, false);
	buf_free(&b);
}
