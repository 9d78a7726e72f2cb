/*
 * spool/pool.c: workers/: a pool's file, its slots, requests.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/file.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spool/pool_priv.h"
#include "spool/tally_priv.h"

enum {
	SLOT_LEN = 480,         /* bytes of a worker's line in its pool's file */
	STOP_MS = 10            /* between two looks whether a pool has ended */
};

static const char request_suffix[] = ".cancel";

struct path
path_request(const struct job_name *run)
{
	char file[JOB_NAME_MAX + sizeof request_suffix];

	job_name_format(file, run);
	strcat(file, request_suffix);
	return path_in(SPOOL_WORKERS, file);
}

bool
spool_cancelled(struct spool *sp, const struct job_name *run)
{
	return file_exists(sp, path_request(run).s);
}

bool
spool_is_request(const char *file, struct job_name *run)
{
	char name[JOB_NAME_MAX + 1];
	size_t n = strlen(file), k = sizeof request_suffix - 1;

	if (n <= k || n - k > JOB_NAME_MAX ||
	    strcmp(file + n - k, request_suffix))
		return false;
	memcpy(name, file, n - k);
	name[n - k] = '\0';
	return job_name_parse(run, name);
}

int
spool_requests(struct spool *sp, spool_request_seen *each, void *arg)
{
	struct spool_names names;
	struct job_name run;
	const char *name;

	if (names_open(&names, dir_open(sp, SPOOL_WORKERS)) < 0)
		return spool_fail(sp, dir_name(SPOOL_WORKERS));
	while ((name = names_next(&names)))
		if (spool_is_request(name, &run))
			each(arg, &run);
	names_close(&names);
	return SPOOL_OK;
}

/* Removes a request if the run that it is about is over. */
static void
sweep_request(void *arg, const struct job_name *run)
{
	struct spool *sp = arg;

	if (!file_exists(sp, path_job(JOB_PROCESSING, run).s))
		unlinkat(sp->fd, path_request(run).s, 0);
}

/* A pool's name has no dot; the names derived from it have one. */
static struct path
path_pool(const char *name, const char *suffix)
{
	struct path p;

	snprintf(p.s, sizeof p.s, "%s/%s%s", dir_name(SPOOL_WORKERS), name,
	    suffix);
	return p;
}

/* The file is locked before it gets its name, so an unlocked file of that name
 * belongs to a dead pool. */
static int
pool_create(struct spool *sp, struct spool_pool *pool)
{
	struct path tmp = path_pool(pool->name, ".new");
	struct path p = path_pool(pool->name, "");
	struct spool_slot slot = { 0 };

	pool->fd = openat(sp->fd, tmp.s, O_RDWR | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	if (pool->fd < 0)
		return spool_fail(sp, tmp.s);
	for (slot.number = 1; slot.number <= pool->count; slot.number++)
		spool_slot_write(pool, &slot);
	if (fd_lock(pool->fd, LOCK_EX | LOCK_NB) == 0 &&
	    renameat(sp->fd, tmp.s, sp->fd, p.s) == 0)
		return SPOOL_OK;
	spool_fail(sp, p.s);
	unlinkat(sp->fd, tmp.s, 0);
	fd_close(pool->fd);
	pool->fd = -1;
	return SPOOL_ERROR;
}

int
spool_pool_join(struct spool *sp, struct spool_pool *pool, int count,
    int64_t now)
{
	char id[JOB_ID_MAX + 1];
	int tries, r = SPOOL_ERROR;

	job_id_make(id, now);
	snprintf(pool->name, sizeof pool->name, "%s-%ld", id, (long)getpid());
	pool->count = count;
	/* another pool's sweep may remove our file before it is locked */
	for (tries = 0; tries < 5 && r != SPOOL_OK; tries++) {
		r = pool_create(sp, pool);
		if (r != SPOOL_OK && errno != ENOENT && errno != EWOULDBLOCK)
			break;
	}
	return r;
}

int
spool_worker_log(struct spool *sp)
{
	int fd = openat(sp->fd, "worker.log", O_WRONLY | O_APPEND | O_CREAT |
	    O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd < 0)
		return spool_fail(sp, "worker.log"), -1;
	fcntl(fd, F_SETFL, O_APPEND);
	return fd;
}

/* Each worker has a line of fixed length, so that it can write its own in
 * place. */
void
spool_slot_write(struct spool_pool *pool, const struct spool_slot *s)
{
	char time[JOB_TIME_LEN + 1], line[SLOT_LEN + 1];
	struct buf b;

	buf_on(&b, line, sizeof line);
	buf_puts(&b, "worker=");
	buf_number(&b, s->number);
	buf_puts(&b, " pid=");
	buf_number(&b, s->pid);
	job_time_format(time, s->since);
	buf_puts(&b, " since=");
	buf_puts(&b, time);
	if (s->job[0]) {
		buf_puts(&b, " job=");
		buf_puts(&b, s->job);
		job_time_format(time, s->start);
		buf_puts(&b, " start=");
		buf_puts(&b, time);
		buf_puts(&b, " log=");
		buf_number(&b, s->log);
	}
	buf_puts(&b, " tally=");
	tally_format(&b, &s->tally);
	if (!b.failed) {
		memset(b.p + b.n, ' ', SLOT_LEN - b.n);
		b.p[SLOT_LEN - 1] = '\n';
	}
	while (!b.failed && pwrite(pool->fd, b.p, SLOT_LEN,
	    (off_t)(s->number - 1) * SLOT_LEN) < 0 && errno == EINTR)
		;
	buf_free(&b);
}

/* Finds what follows "key=" in a slot's line.  NULL: the key is not there. */
static char *
slot_value(char *line, const char *key)
{
	char *p = strstr(line, key);

	return p ? p + strlen(key) : NULL;
}

static bool
slot_parse(char *line, struct spool_slot *s)
{
	static const char *const keys[] = { "worker=", " pid=", " since=",
		" job=", " start=", " log=", " tally=" };
	char *v[7];
	int64_t number, pid;
	int i;

	*s = (struct spool_slot){ 0 };
	for (i = 0; i < 7; i++)
		v[i] = slot_value(line, keys[i]);
	for (i = 0; i < 7; i++)
		if (v[i])
			v[i][strcspn(v[i], " \n")] = '\0';
	if (!v[0] || !v[1] || !v[2] ||
	    !job_number_parse(v[0], 1, JOB_NUMBER_MAX, &number) ||
	    !job_number_parse(v[1], 0, JOB_NUMBER_MAX, &pid) ||
	    !job_time_parse(v[2], &s->since))
		return false;
	s->number = (int)number;
	s->pid = (long)pid;
	if (v[3] && v[4] && v[5] && job_id_valid(v[3]) &&
	    job_time_parse(v[4], &s->start) &&
	    job_number_parse(v[5], 0, INT64_MAX, &s->log))
		strcpy(s->job, v[3]);
	if (v[6])
		tally_parse(v[6], &s->tally);
	return true;
}

/* Reads the slot at `at` of a pool's file.  false: the file ends before. */
static bool
slot_read(int fd, off_t at, struct spool_slot *s)
{
	char line[SLOT_LEN + 1];

	*s = (struct spool_slot){ 0 };
	if (pread(fd, line, SLOT_LEN, at) != SLOT_LEN)
		return false;
	line[SLOT_LEN] = '\0';
	if (!slot_parse(line, s))
		*s = (struct spool_slot){ 0 };
	return true;
}

void
spool_slot_read(const struct spool_pool *pool, int number,
    struct spool_slot *s)
{
	slot_read(pool->fd, (off_t)(number - 1) * SLOT_LEN, s);
}

static void
tally_pool(int fd, struct spool_tally *sum)
{
	struct spool_slot s;
	off_t at;

	for (at = 0; slot_read(fd, at, &s); at += SLOT_LEN)
		tally_add(sum, &s.tally);
}

int
spool_pool_asked(struct spool *sp, const struct spool_pool *pool)
{
	if (faccessat(sp->fd, path_pool(pool->name, ".now").s, F_OK, 0) == 0)
		return 2;
	return faccessat(sp->fd, path_pool(pool->name, ".stop").s, F_OK,
	    0) == 0;
}

int
pool_open(struct spool *sp, const char *name, const char *suffix, bool *live)
{
	struct stat st;
	int fd, r;

	r = file_open(sp, path_pool(name, suffix).s, O_RDONLY, &fd, &st);
	if (r == SPOOL_REFUSED && errno != EACCES)
		errno = ENOENT;
	if (r != SPOOL_OK)
		return -1;
	*live = fd_lock(fd, LOCK_SH | LOCK_NB) < 0;
	if (!*live)
		fd_lock(fd, LOCK_UN);
	return fd;
}

bool
pool_parse(const char *file, struct pool_file *f)
{
	static const char *const suffixes[] = { "", ".new", ".stop", ".now" };
	size_t len = strcspn(file, "."), id = strcspn(file, "-"), i;

	for (i = 0; i < 4; i++)
		if (!strcmp(file + len, suffixes[i]))
			break;
	/* the id that spool_pool_join() makes has 10 digits, base 36 */
	if (i == 4 || len >= sizeof f->pool || id < 10 || id > 12 ||
	    strspn(file, "0123456789abcdefghijklmnopqrstuvwxyz") != id)
		return false;
	strcpy(f->suffix, suffixes[i]);
	memcpy(f->pool, file, len);
	f->pool[len] = '\0';
	return id < len &&
	    job_number_parse(f->pool + id + 1, 1, JOB_NUMBER_MAX, &f->pid);
}

typedef void pool_seen(struct spool *, const struct pool_file *, void *arg);

static int
each_pool_file(struct spool *sp, pool_seen *each, void *arg)
{
	struct spool_names names;
	struct pool_file f;
	const char *name;
	int r = SPOOL_OK;

	if (names_open(&names, dir_open(sp, SPOOL_WORKERS)) < 0)
		return spool_fail(sp, dir_name(SPOOL_WORKERS));
	while ((name = names_next(&names)))
		if (pool_parse(name, &f))
			each(sp, &f, arg);
	if (errno)
		r = spool_fail(sp, dir_name(SPOOL_WORKERS));
	names_close(&names);
	return r;
}

struct slot_walk {
	spool_slot_seen *each;
	void *arg;
	bool dead;
};

static void
walk_slots(struct spool *sp, const struct pool_file *f, void *arg)
{
	struct slot_walk *w = arg;
	struct spool_slot slot;
	bool live;
	off_t at;
	int fd;

	if (*f->suffix || (fd = pool_open(sp, f->pool, "", &live)) < 0)
		return;
	for (at = 0; (live || w->dead) && slot_read(fd, at, &slot);
	    at += SLOT_LEN)
		if (slot.pid)
			w->each(w->arg, f->pool, (long)f->pid, &slot);
	close(fd);
}

int
spool_slots(struct spool *sp, bool dead, spool_slot_seen *each, void *arg)
{
	struct slot_walk w = { each, arg, dead };

	return each_pool_file(sp, walk_slots, &w);
}

/* Removes a pool's file and adds its tally to metrics.  The lock makes sure
 * that one process does it, and that nobody sees the tally in both places or in
 * neither. */
static void
forget_pool(struct spool *sp, const char *name, int fd)
{
	struct spool_tally sum, own = { .seconds = 0 };
	bool locked = fd_lock(sp->fd, LOCK_EX) == 0;

	tally_pool(fd, &own);
	if (unlinkat(sp->fd, path_pool(name, "").s, 0) == 0) {
		metrics_read(sp, &sum);
		tally_add(&sum, &own);
		if (!tally_is_zero(&own))
			metrics_write(sp, &sum);
	}
	if (locked)
		fd_lock(sp->fd, LOCK_UN);
}

void
spool_pool_leave(struct spool *sp, struct spool_pool *pool)
{
	unlinkat(sp->fd, path_pool(pool->name, ".stop").s, 0);
	unlinkat(sp->fd, path_pool(pool->name, ".now").s, 0);
	forget_pool(sp, pool->name, pool->fd);
}

static void
tally_one(struct spool *sp, const struct pool_file *f, void *arg)
{
	bool live;
	int fd;

	if (*f->suffix || (fd = pool_open(sp, f->pool, "", &live)) < 0)
		return;
	tally_pool(fd, arg);
	fd_close(fd);
}

int
spool_tally_sum(struct spool *sp, struct spool_tally *t)
{
	int r;

	if (fd_lock(sp->fd, LOCK_SH) < 0)
		return spool_fail(sp, "");
	metrics_read(sp, t);
	r = each_pool_file(sp, tally_one, t);
	fd_lock(sp->fd, LOCK_UN);
	return r;
}

static void
sweep_one(struct spool *sp, const struct pool_file *f, void *arg)
{
	bool born = !strcmp(f->suffix, ".new"), live = false;
	struct path p = path_pool(f->pool, f->suffix);
	struct stat st;
	int fd;

	(void)arg;
	/* a pool that is starting holds the lock under its first name */
	fd = pool_open(sp, f->pool, born ? f->suffix : "", &live);
	if (!live && !*f->suffix && fd >= 0)
		forget_pool(sp, f->pool, fd);
	else if (!live && fstatat(sp->fd, p.s, &st, AT_SYMLINK_NOFOLLOW) ==
	    0 && S_ISREG(st.st_mode))
		unlinkat(sp->fd, p.s, 0);
	fd_close(fd);
}

void
spool_pool_sweep(struct spool *sp)
{
	each_pool_file(sp, sweep_one, NULL);
	spool_requests(sp, sweep_request, sp);
}

struct runner {
	const struct job_name *run;
	struct spool_slot *slot;
	bool found;
};

static void
match_runner(void *arg, const char *pool, long pid, const struct spool_slot *s)
{
	struct runner *r = arg;

	(void)pool;
	(void)pid;
	if (s->start == r->run->stamp && !strcmp(s->job, r->run->id)) {
		*r->slot = *s;
		r->found = true;
	}
}

bool
spool_runner(struct spool *sp, bool dead, const struct job_name *run,
    struct spool_slot *slot)
{
	struct runner r = { run, slot, false };

	*slot = (struct spool_slot){ 0 };
	spool_slots(sp, dead, match_runner, &r);
	return r.found;
}

struct asked_pool {
	int fd;                    /* -1: the pool has ended */
	struct pool_file file;
};

struct stopping {
	const char *suffix;
	size_t n, cap;
	struct asked_pool *pool;
	int error;                 /* errno of a pool that could not be asked */
};

static bool
request_stop(struct spool *sp, struct stopping *s, const struct pool_file *f,
    int pool)
{
	struct asked_pool *v = array_room(s->pool, &s->cap, s->n + 1,
	    sizeof *v);
	int fd;

	if (!v)
		return false;
	s->pool = v;
	fd = openat(sp->fd, path_pool(f->pool, s->suffix).s, O_WRONLY | O_CREAT |
	    O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	close(fd);
	s->pool[s->n++] = (struct asked_pool){ pool, *f };
	return true;
}

static void
request_stop_one(struct spool *sp, const struct pool_file *f, void *arg)
{
	struct stopping *s = arg;
	bool live = true;
	int fd;

	if (*f->suffix)
		return;
	fd = pool_open(sp, f->pool, "", &live);
	if ((fd < 0 && errno == ENOENT) || !live) {
		fd_close(fd);
		return;
	}
	if (fd < 0 || !request_stop(sp, s, f, fd)) {
		spool_fail(sp, path_pool(f->pool, s->suffix).s);
		s->error = errno;
		fd_close(fd);
	}
}

/* We wait for the lock of each pool's file, which is free when the last process
 * of the pool has ended.  Its name is gone before that, so the files stay open.
 * Returns whether all have ended within `ms` (-1: for ever). */
static bool
wait_for_pools(struct stopping *s, int ms)
{
	int64_t end = monotonic_ms() + ms;
	size_t i, left;

	for (;;) {
		for (i = left = 0; i < s->n; i++) {
			if (s->pool[i].fd >= 0 && (fd_lock(s->pool[i].fd,
			    ms < 0 ? LOCK_SH : LOCK_SH | LOCK_NB) == 0 ||
			    errno != EWOULDBLOCK)) {
				fd_close(s->pool[i].fd);
				s->pool[i].fd = -1;
			}
			left += s->pool[i].fd >= 0;
		}
		if (!left || monotonic_ms() >= end)
			return !left;
		sleep_ms(STOP_MS);
	}
}

int
spool_pools_stop(struct spool *sp, bool now, bool wait, spool_pool_late *late,
    void *arg, size_t *pools)
{
	struct stopping s = { .suffix = now ? ".now" : ".stop" };
	int r = each_pool_file(sp, request_stop_one, &s);
	int e = errno;
	size_t i;

	if (s.error) {
		e = s.error;
		r = SPOOL_ERROR;
	}
	if (wait && !wait_for_pools(&s, SPOOL_LATE_MS)) {
		for (i = 0; i < s.n; i++)
			if (s.pool[i].fd >= 0)
				late(arg, s.pool[i].file.pool,
				    (long)s.pool[i].file.pid);
		wait_for_pools(&s, -1);
	}
	for (i = 0; i < s.n; i++) {
		fd_close(s.pool[i].fd);
		/* the pool may have ended on its own and not seen it */
		if (wait)
			unlinkat(sp->fd, path_pool(s.pool[i].file.pool,
			    s.suffix).s, 0);
	}
	*pools = s.n;
	free(s.pool);
	errno = e;
	return r;
}
