/*
 * spool/file.c: one job's file: open, read and lock it, append to it, and its
 * entry in ids/.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* flock, O_NOFOLLOW */
#include <sys/file.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "spool/file_priv.h"
#include "spool/lock_priv.h"

int
job_open(struct spool *sp, const char *path, int *fd, struct stat *st)
{
	int r = file_open(sp, path, O_RDONLY, fd, st);

	if (r == SPOOL_OK && st->st_uid != sp->owner) {
		r = spool_refuse(sp, "it does not belong to the spool's owner; "
		    "chown it");
		fd_close(*fd);
		*fd = -1;
	}
	return r;
}

/*
 * Reads the header and the last lines of a text, and so at most
 * JOB_HEADER_MAX + JOB_TAIL_MAX bytes that count.  *from and *to tell what was
 * left out between them.
 */
static int
read_ends(struct spool *sp, const char *path, int fd, off_t size,
    struct buf *text, int64_t *from, int64_t *to)
{
	size_t head = 0, had, skip;
	const char *newline;
	off_t more = JOB_TAIL_MAX;

	*from = *to = 0;
	do {
		had = text->n;
		if (had >= JOB_HEADER_MAX) {
			sp->why = "its header is longer than 32 MiB";
			sp->line = 0;
			return SPOOL_BAD;
		}
		if (more > size - (off_t)had)
			more = size - (off_t)had;
		if (!fd_read(fd, (off_t)had, more, text))
			return spool_fail(sp, path);
		if ((off_t)text->n >= size || text->n == had)
			return SPOOL_OK;
		head = job_header_size(text->p, text->n);
		/* it was looked through in vain: so double it each time */
		more = (off_t)text->n;
	} while (!head);
	*from = *to = (off_t)head;
	if (*to < size - JOB_TAIL_MAX)
		*to = size - JOB_TAIL_MAX;
	text->n = head;
	if (!fd_read(fd, (off_t)*to, size - (off_t)*to, text))
		return spool_fail(sp, path);
	if (*to == *from || text->n == head)
		return SPOOL_OK;
	/* Drop the line that is cut.  If it is the last one, its end must stay:
	 * it tells that the text is torn. */
	newline = memchr(text->p + head, '\n', text->n - head - 1);
	skip = newline ? (size_t)(newline + 1 - text->p) - head :
	    text->n - head - 1;
	text->n -= skip;
	memmove(text->p + head, text->p + head + skip, text->n - head + 1);
	*to += (off_t)skip;
	return SPOOL_OK;
}

int
job_read(struct spool *sp, const char *path, int fd, const struct stat *st,
    const char *id, struct job *job)
{
	struct buf text = { 0 };
	int64_t from, to;
	const char *why;
	int e, r;

	job_init(job);
	r = read_ends(sp, path, fd, st->st_size, &text, &from, &to);
	if (r != SPOOL_OK) {
		e = errno;
		buf_free(&text);
		errno = e;
		return r;
	}
	why = job_parse(job, text.p, text.n, &sp->line);
	if (why) {
		job_free(job);
		job_init(job);
		if (!strcmp(why, "out of memory")) {
			errno = ENOMEM;
			return spool_fail(sp, path);
		}
		sp->why = why;
		return SPOOL_BAD;
	}
	if (job->id[0] && strcmp(job->id, id)) {
		job_free(job);
		job_init(job);
		return spool_refuse(sp, "its Id: is not the one in its name; "
		    "correct one of them");
	}
	strcpy(job->id, id);
	if (job->priority < 0)
		job->priority = JOB_PRIORITY;
	job->unread_from = from;
	job->unread_to = to;
	return SPOOL_OK;
}

int
read_unread(struct spool *sp, const char *path, int fd, const struct job *job,
    spool_earlier_line *each, void *arg)
{
	int64_t at = job->unread_from, to = job->unread_to, retried;
	struct buf b = { 0 };
	struct job_attempt a;
	enum job_line what;
	bool within = false; /* a line that is longer than `b` */
	int r = SPOOL_OK;

	while (at < to) {
		char *line, *newline;

		buf_clear(&b);
		if (!fd_read(fd, (off_t)at, to - at < JOB_TAIL_MAX ?
		    (off_t)(to - at) : JOB_TAIL_MAX, &b)) {
			r = spool_fail(sp, path);
			break;
		}
		for (line = b.p; (newline = memchr(line, '\n',
		    (size_t)(b.p + b.n - line))); line = newline + 1) {
			*newline = '\0';
			what = within ? JOB_LINE_OTHER : job_line_read(line,
			    (size_t)(newline - line), &a, &retried);
			if (what != JOB_LINE_OTHER)
				each(arg, what == JOB_LINE_ATTEMPT ? &a : NULL);
			within = false;
		}
		if (!b.n)
			break; /* the file is shorter now */
		within |= line == b.p;
		at += line == b.p ? (off_t)b.n : line - b.p;
	}
	buf_free(&b);
	return r;
}

static void
count_loss(void *arg, const struct job_attempt *a)
{
	struct job *job = arg;

	if (!a)
		job->lost = 0;
	else
		job->lost += a->outcome == JOB_LOST;
}

int
count_losses(struct spool *sp, const char *path, int fd, struct job *job)
{
	job->lost = 0;
	return job->retried >= 0 ? SPOOL_OK :
	    read_unread(sp, path, fd, job, count_loss, job);
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

bool
is_same_file(struct spool *sp, const char *path, const struct stat *st)
{
	struct stat now;

	return fstatat(sp->fd, path, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	    same_file(&now, st);
}

void
claim_init(struct spool_claim *c, enum job_state state,
    const struct job_name *name)
{
	*c = (struct spool_claim){ .fd = -1, .out = -1, .from = state,
		.name = *name };
	job_init(&c->job);
}

void
spool_release(struct spool_claim *c)
{
	int e = errno;

	locks_let_go(c);
	/* Unlock, do not only close: a daemon that the job left behind may
	 * hold the same file description. */
	if (c->fd >= 0) {
		fd_lock(c->fd, LOCK_UN);
		close(c->fd);
	}
	fd_close(c->out);
	c->fd = c->out = -1;
	job_free(&c->job);
	job_init(&c->job);
	errno = e;
}

/* What it means that a file of a job cannot be written to (errno). */
static int
refuse_change(struct spool *sp, const char *path)
{
	if (errno == EPERM || errno == EACCES)
		return spool_refuse(sp, "it cannot be changed; see ls -l and "
		    "lsattr(1)");
	return errno == ENOENT ? SPOOL_GONE : spool_fail(sp, path);
}

int
check_change(struct spool *sp, const char *path)
{
	return faccessat(sp->fd, path, W_OK, 0) == 0 ? SPOOL_OK :
	    refuse_change(sp, path);
}

/* Opens a file that job_open() has opened, to append to it. */
static int
open_append(struct spool *sp, const char *path, int *fd)
{
	*fd = openat(sp->fd, path, O_WRONLY | O_APPEND | O_NOFOLLOW |
	    O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (*fd >= 0)
		return SPOOL_OK;
	return refuse_change(sp, path);
}

/*
 * On an overlay, opening a file of a lower layer for writing copies it up.  The
 * copy is another file than the one that we opened for reading, with locks of
 * its own.  The copy is the one to lock, and the second round finds it.
 */
int
lock_job(struct spool *sp, const char *path, bool change, struct spool_claim *c,
    struct stat *st)
{
	struct stat seen;
	int i, r;

	*st = (struct stat){ 0 };
	for (i = 0; i < 2; i++) {
		r = job_open(sp, path, &c->fd, &seen);
		if (r == SPOOL_OK && change)
			r = open_append(sp, path, &c->out);
		if (r == SPOOL_OK && fd_lock(c->fd, LOCK_EX | LOCK_NB) < 0)
			r = errno == EWOULDBLOCK ? SPOOL_BUSY :
			    spool_fail(sp, path);
		/* it may have grown between open and lock */
		if (r == SPOOL_OK && fstat(change ? c->out : c->fd, st) < 0)
			r = spool_fail(sp, path);
		if (r == SPOOL_OK && same_file(&seen, st)) {
			c->size = st->st_size;
			return SPOOL_OK;
		}
		spool_release(c);
		if (r != SPOOL_OK)
			return r;
	}
	return SPOOL_GONE;
}

int
lock_and_read(struct spool *sp, enum job_state state,
    const struct job_name *name, bool change, struct spool_claim *c,
    struct stat *st)
{
	struct path p = path_job(state, name);
	int r;

	claim_init(c, state, name);
	r = lock_job(sp, p.s, change, c, st);
	if (r == SPOOL_OK && !is_same_file(sp, p.s, st))
		r = SPOOL_GONE;
	if (r == SPOOL_OK)
		r = job_read(sp, p.s, c->fd, st, name->id, &c->job);
	if (r != SPOOL_OK && r != SPOOL_BAD)
		spool_release(c);
	return r;
}

int
append_line(struct spool *sp, struct spool_claim *c, enum job_state state,
    struct buf *line)
{
	struct path p = path_job(state, &c->name);
	struct stat st;
	char last = '\n';

	if (line->failed) {
		errno = ENOMEM;
		return spool_fail(sp, p.s);
	}
	if (fstat(c->out, &st) < 0)
		return spool_fail(sp, p.s);
	if (!st.st_nlink)
		return SPOOL_GONE;
	/* somebody else has written to it, or our last write was cut short */
	if (st.st_size != c->size) {
		c->size = st.st_size;
		if (st.st_size && pread(c->fd, &last, 1, st.st_size - 1) < 0)
			return spool_fail(sp, p.s);
		c->job.torn = last != '\n';
	}
	if (c->job.torn) {
		buf_room(line, 2);
		if (!line->failed) {
			memmove(line->p + 2, line->p, line->n + 1);
			memcpy(line->p, " \n", 2);
			line->n += 2;
		}
	}
	if (line->failed)
		errno = ENOMEM;
	if (line->failed || fd_write(c->out, line->p, line->n) < 0)
		return spool_fail(sp, p.s);
	c->size += (off_t)line->n;
	c->job.torn = false;
	return SPOOL_OK;
}

int
count_names(struct spool *sp, const char *id, size_t *n)
{
	struct job_name name;
	struct spool_iter it;
	int i, r = 0;

	*n = 0;
	for (i = 0; i < JOB_STATES && r == 0; i++) {
		if (spool_iter_open(sp, &it, (enum job_state)i) != SPOOL_OK)
			return SPOOL_ERROR;
		while ((r = spool_iter_next(&it, &name)) > 0)
			*n += !strcmp(name.id, id);
		spool_iter_close(&it);
	}
	return r < 0 ? SPOOL_ERROR : SPOOL_OK;
}

int
check_entry(struct spool *sp, const char *entry, const char *id)
{
	struct stat st;
	size_t n = 0;

	if (fstatat(sp->fd, entry, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? SPOOL_OK : spool_fail(sp, entry);
	if (S_ISREG(st.st_mode) && st.st_nlink < 2)
		return SPOOL_OK;
	if (S_ISREG(st.st_mode) && count_names(sp, id, &n) != SPOOL_OK)
		return SPOOL_ERROR;
	return n == 1 ? SPOOL_OK : spool_refuse(sp, "its id is another job's; "
	    "give it one of its own");
}

int
ensure_id_entry(struct spool *sp, const char *path, const char *id,
    const struct stat *st)
{
	struct path p = path_in(SPOOL_IDS, id);
	int fd, r;

	if (is_same_file(sp, p.s, st) ||
	    linkat(sp->fd, path, sp->fd, p.s, 0) == 0)
		return SPOOL_OK;
	if (errno == ENOENT)
		return SPOOL_GONE;
	if (errno != EEXIST)
		return spool_fail(sp, p.s);
	r = check_entry(sp, p.s, id);
	if (r != SPOOL_OK)
		return r;
	/* Nobody may be enqueueing that id, or moving its job. */
	r = ids_lock(sp, LOCK_EX | LOCK_NB);
	if (r != SPOOL_OK)
		return r;
	fd = openat(sp->fd, p.s, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_NOCTTY | O_CLOEXEC);
	if (fd >= 0 && fd_lock(fd, LOCK_EX | LOCK_NB) < 0)
		r = SPOOL_BUSY;
	if (r == SPOOL_OK)
		r = check_entry(sp, p.s, id);
	if (r == SPOOL_OK &&
	    ((unlinkat(sp->fd, p.s, 0) < 0 && errno != ENOENT) ||
	    linkat(sp->fd, path, sp->fd, p.s, 0) < 0))
		r = errno == ENOENT ? SPOOL_GONE : spool_fail(sp, p.s);
	fd_close(fd);
	ids_unlock(sp);
	return r;
}
