/*
 * spool/log.c: log/ID.log, head and tail.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "spool/log.h"
#include "spool/spool_priv.h"

enum { MARK_MAX = 80 }; /* bytes of the line that stands for the gap */

static const char not_ours[] =
    "its log is not a regular file that we may open; move it away";
static const char mark_begin[] = "\n[queuectl: bytes ";

static int64_t
format_mark(const struct spool_gap *gap, char line[MARK_MAX + 1])
{
	return snprintf(line, MARK_MAX + 1, "%s%lld to %lld were dropped]\n",
	    mark_begin, (long long)gap->from, (long long)gap->to - 1);
}

/* Reads the line at `place`.  false: it does not stand for a gap. */
static bool
read_mark(int fd, int64_t place, struct spool_gap *gap)
{
	char line[MARK_MAX + 1], again[MARK_MAX + 1];
	ssize_t n = pread(fd, line, MARK_MAX, (off_t)place);
	int64_t last;
	char *p;

	if (n <= 0)
		return false;
	line[n] = '\0';
	p = strstr(line, " to ");
	if (!p)
		return false;
	p += 4;
	p[strspn(p, "0123456789")] = '\0';
	if (!job_number_parse(p, place, INT64_MAX - 1, &last))
		return false;
	*gap = (struct spool_gap){ .from = place, .to = last + 1 };
	gap->mark = format_mark(gap, again);
	return pread(fd, line, MARK_MAX, (off_t)place) >= gap->mark &&
	    !memcmp(line, again, (size_t)gap->mark);
}

int
spool_log_gap(int fd, struct spool_gap *gap)
{
	const size_t len = sizeof mark_begin - 1;
	char bytes[4096];
	int64_t at = 0;
	ssize_t n;

	*gap = (struct spool_gap){ .mark = 0 };
	while ((n = pread(fd, bytes, sizeof bytes, (off_t)at)) >= (ssize_t)len)
	{
		char *p = bytes, *end = bytes + n - len + 1;

		while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
			if (!memcmp(p, mark_begin, len) &&
			    read_mark(fd, at + (p - bytes), gap))
				return 0;
			p++;
		}
		at += n - (ssize_t)len + 1;
	}
	*gap = (struct spool_gap){ .mark = 0 };
	return n < 0 ? -1 : 0;
}

int64_t
spool_log_place(const struct spool_gap *gap, int64_t offset)
{
	if (!gap->mark || offset <= gap->from)
		return offset;
	return offset < gap->to ? gap->from :
	    gap->from + gap->mark + offset - gap->to;
}

int64_t
spool_log_offset(const struct spool_gap *gap, int64_t place)
{
	if (!gap->mark || place <= gap->from)
		return place;
	return place < gap->from + gap->mark ? gap->from :
	    gap->to + place - gap->from - gap->mark;
}

int
spool_log_begin(struct spool *sp, const struct spool_claim *c,
    struct spool_log *log, int64_t *offset)
{
	struct path p = path_log(c->name.id);
	struct stat st;
	int fd, r = SPOOL_OK;

	*log = (struct spool_log){ .fd = -1 };
	*offset = 0;
	if (!job_has_run(&c->job)) {
		if (fstatat(sp->fd, p.s, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return errno == ENOENT ? SPOOL_OK : spool_fail(sp, p.s);
		if (!S_ISREG(st.st_mode))
			return spool_refuse(sp, not_ours);
		return unlinkat(sp->fd, p.s, 0) < 0 && errno != ENOENT ?
		    spool_fail(sp, p.s) : SPOOL_OK;
	}
	r = spool_log_read(sp, c->name.id, &fd);
	if (r != SPOOL_OK)
		return r == SPOOL_GONE ? SPOOL_OK : r;
	if (fstat(fd, &st) < 0 || spool_log_gap(fd, &log->gap) < 0) {
		r = spool_fail(sp, p.s);
	} else {
		log->size = st.st_size;
		*offset = spool_log_offset(&log->gap, log->size);
	}
	fd_close(fd);
	return r;
}

static int
log_open(struct spool *sp, const char *id, struct spool_log *log)
{
	struct path p = path_log(id);
	struct stat st;
	int r;

	r = file_open(sp, p.s, O_RDWR | O_CREAT, &log->fd, &st);
	if (r == SPOOL_GONE)
		return spool_fail(sp, p.s); /* log/ itself is missing */
	return r == SPOOL_REFUSED ? spool_refuse(sp, not_ours) : r;
}

static int
write_at(int fd, const char *p, size_t n, int64_t at)
{
	while (n) {
		ssize_t w = pwrite(fd, p, n, (off_t)at);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -1;
		p += w;
		at += w;
		n -= (size_t)w;
	}
	return 0;
}

/*
 * Drops the middle.  A quarter of `max` stays at the head and a quarter at the
 * tail, which moves up behind the line.  At least three quarters are full by
 * then, so there is a middle.  A crash in between leaves the job's output with
 * a part of it missing or twice.
 */
static int
log_shrink(struct spool_log *log, int64_t max)
{
	int64_t head = log->gap.mark && log->gap.from < max / 4 ?
	    log->gap.from : max / 4;
	int64_t tail = log->size - max / 4, to;
	struct spool_gap gap = { .from = head };
	char line[MARK_MAX + 1], bytes[4096];
	ssize_t n;

	gap.to = spool_log_offset(&log->gap, tail);
	gap.mark = format_mark(&gap, line);
	if (write_at(log->fd, line, (size_t)gap.mark, head) < 0)
		return -1;
	for (to = head + gap.mark; (n = pread(log->fd, bytes, sizeof bytes,
	    (off_t)tail)) > 0; tail += n, to += n)
		if (write_at(log->fd, bytes, (size_t)n, to) < 0)
			return -1;
	if (n < 0 || ftruncate(log->fd, (off_t)to) < 0)
		return -1;
	log->size = to;
	log->gap = gap;
	return 0;
}

int
spool_log_add(struct spool *sp, const char *id, struct spool_log *log,
    const char *p, size_t n)
{
	int64_t max = sp->config.log_max;
	int r;

	if (log->fd < 0 && (r = log_open(sp, id, log)) != SPOOL_OK)
		return r;
	while (n) {
		/* in pieces that are small beside the part that stays */
		size_t part = max >= 0 && (int64_t)n > max / 4 ?
		    (size_t)(max / 4) : n;

		if ((max >= 0 && log->size + (int64_t)part > max &&
		    log_shrink(log, max) < 0) ||
		    write_at(log->fd, p, part, log->size) < 0)
			return spool_fail(sp, path_log(id).s);
		log->size += (int64_t)part;
		p += part;
		n -= part;
	}
	return SPOOL_OK;
}

void
spool_log_end(struct spool_log *log)
{
	fd_close(log->fd);
	log->fd = -1;
}

int
spool_log_read(struct spool *sp, const char *id, int *fd)
{
	struct stat st;
	int r = file_open(sp, path_log(id).s, O_RDONLY, fd, &st);

	return r == SPOOL_REFUSED ? spool_refuse(sp, not_ours) : r;
}
