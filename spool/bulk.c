/*
 * spool/bulk.c: changes of many jobs, for the price of one sync.
 *
 *     begin    lock the job where it is, append its line
 *     end      sync the files, all at once; rename each, the instant of
 *              commit; unlock; sync the directories; tell the caller
 *
 * Retry and cancel of one job are a bulk of one.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spool/bulk_priv.h"
#include "spool/file_priv.h"
#include "spool/life_priv.h"
#include "spool/waiting_priv.h"

enum {
	BULK_MAX = 1000,        /* jobs of one sync */
	AGAIN_MAX = 100,        /* times that a directory goes away under us */
	WAIT_MS = 20,           /* between looks at a job that is locked */
	PATIENCE_MS = 2000      /* for all such jobs of a bulk together */
};

static int
sync_held(void *bulk, size_t i)
{
	struct spool_bulk *b = bulk;
	struct spool_claim *c = &b->v[i].claim;

	return fsync(c->fd) < 0 ? spool_fail(b->spool,
	    path_job(c->from, &c->name).s) : SPOOL_OK;
}

/* A name that a job went to or has left. */
struct place {
	enum job_state state;
	const struct job_name *name;
};

/* Of the first n of the bulk, which have moved: the i-th place to sync, those
 * that they went to first. */
static struct place
nth_place(const struct spool_bulk *b, size_t n, size_t i)
{
	const struct spool_held *h = &b->v[i % n];

	return i < n ? (struct place){ h->to, &h->next } :
	    (struct place){ h->claim.from, &h->claim.name };
}

/* Syncs the directories that the jobs went to, then those that they left, each
 * once. */
static int
sync_dirs(struct spool_bulk *b, size_t n)
{
	bool synced[JOB_STATES] = { false };
	size_t i;
	int r = SPOOL_OK;

	for (i = 0; i < 2 * n && r == SPOOL_OK; i++) {
		const struct place p = nth_place(b, n, i);
		const struct place before = nth_place(b, n, i ? i - 1 : i);

		if (p.state == JOB_WAITING ? i && before.state == p.state &&
		    !strcmp(before.name->parent, p.name->parent) :
		    synced[p.state])
			continue;
		synced[p.state] = true;
		r = dir_sync_of(b->spool, p.state, p.name);
	}
	return r;
}

/* Does what the move of a job lets others do: its children, if it has ended; or
 * itself, if its parent has ended meanwhile. */
static void
follow_up(struct spool *sp, const struct spool_held *h)
{
	size_t moved = 0;
	int fd;

	if (h->to == JOB_WAITING)
		waiting_settle(sp, &h->next);
	else if (h->to == JOB_DEAD &&
	    (h->claim.hooked || waiting_is_used(sp)) &&
	    (fd = waiting_children(sp, h->next.id)) >= 0)
		waiting_release(sp, h->next.id, JOB_DEAD, fd, &moved);
}

/* Moves a job whose line is written.  Its directory in after/ was empty so far,
 * so somebody may have removed it. */
static int
move_held(struct spool *sp, struct spool_held *h)
{
	struct job none;
	int i, r = SPOOL_OK;

	job_init(&none);
	for (i = 0; i < AGAIN_MAX; i++) {
		r = move_locked(sp, h->claim.from, &h->claim.name, h->to,
		    &h->next, &h->st);
		if (r != SPOOL_ERROR || errno != ENOENT ||
		    h->to != JOB_WAITING || waiting_prepare(sp, &none, h->to,
		    &h->next) != SPOOL_OK)
			break;
	}
	return r;
}

/* Moves the jobs whose lines are written, and tells what became of each. */
static void
bulk_commit(struct spool_bulk *b)
{
	struct spool *sp = b->spool;
	bool sync = sp->config.sync != SYNC_NONE;
	size_t i, moved = 0;
	int e, r, all = SPOOL_OK;

	if (sync)
		all = sync_many(sp, b->n, sync_held, b);
	e = errno;
	for (i = 0; i < b->n; i++) {
		struct spool_held *h = &b->v[i];

		errno = e;
		r = all == SPOOL_OK ? move_held(sp, h) : all;
		spool_release(&h->claim);
		if (r != SPOOL_OK) {
			b->each(b->arg, r, h->job);
			continue;
		}
		b->v[moved++] = *h;
	}
	if (sync)
		all = sync_dirs(b, moved);
	e = errno;
	for (i = 0; i < moved; i++) {
		follow_up(sp, &b->v[i]);
		errno = e;
		b->each(b->arg, all, b->v[i].job);
	}
	b->n = 0;
}

void
bulk_add(struct spool_bulk *b, struct spool_held *h, int result)
{
	struct spool_held *v;

	if (result == SPOOL_OK) {
		fd_close(h->claim.out);
		h->claim.out = -1;
		job_free(&h->claim.job); /* a thousand of them take room */
		v = array_room(b->v, &b->cap, b->n + 1, sizeof *v);
		if (v) {
			b->v = v;
			v[b->n++] = *h;
			if (b->n == BULK_MAX)
				bulk_commit(b);
			return;
		}
		result = spool_fail(b->spool, "");
	}
	spool_release(&h->claim);
	b->each(b->arg, result, h->job);
}

bool
bulk_made_room(struct spool_bulk *b, struct spool_held *h, int result)
{
	if (result != SPOOL_ERROR || errno != EMFILE || !b->n)
		return false;
	spool_release(&h->claim);
	bulk_commit(b);
	return true;
}

void
spool_bulk_end(struct spool_bulk *b)
{
	bulk_commit(b);
	free(b->v);
	b->v = NULL;
	b->cap = 0;
}

/* Finds out where a locked job belongs that nobody holds. */
static int
begin_waiting(struct spool *sp, struct spool_held *h)
{
	int r = waiting_place(sp, &h->claim.job, NULL, NULL, &h->to, &h->next);

	return r == SPOOL_OK && h->to == JOB_WAITING ?
	    waiting_prepare(sp, &h->claim.job, h->to, &h->next) : r;
}

static int
begin_retry(struct spool *sp, const struct job_name *name, int64_t now,
    struct spool_held *h)
{
	int r = lock_and_read(sp, JOB_DEAD, name, true, &h->claim, &h->st);

	h->next = *name;
	h->next.attempt = 0;
	h->next.timed = false;
	h->next.stamp = now;
	if (r == SPOOL_OK)
		r = begin_waiting(sp, h);
	return r == SPOOL_OK ? append_retried(sp, &h->claim, now) : r;
}

/* A job may be locked because another bulk has it, for as long as that one
 * syncs.  Waits a little, with none of our own locked.  Whether the job can be
 * tried again. */
static bool
wait_for_lock(struct spool_bulk *b, int result)
{
	if (result != SPOOL_BUSY || b->waited >= PATIENCE_MS)
		return false;
	bulk_commit(b);
	sleep_ms(WAIT_MS);
	b->waited += WAIT_MS;
	return true;
}

void
spool_bulk_retry(struct spool_bulk *b, const struct job_name *name,
    int64_t now, void *job)
{
	struct spool_held h = { .job = job };
	int r;

	do
		r = begin_retry(b->spool, name, now, &h);
	while (bulk_made_room(b, &h, r) || wait_for_lock(b, r));
	bulk_add(b, &h, r);
}

/* Finds a job and locks it.  SPOOL_GONE also if it has moved in between. */
static int
find_and_lock(struct spool *sp, const char *id, struct spool_held *h)
{
	enum job_state state;
	struct job_name name;
	int r = spool_find(sp, id, &state, &name);

	if (r != SPOOL_OK)
		return r;
	h->next = name;
	h->claim.from = state;
	if (state == JOB_PROCESSING || state == JOB_DONE || state == JOB_DEAD)
		return SPOOL_WRONG_STATE;
	r = lock_and_read(sp, state, &name, false, &h->claim, &h->st);
	if (r != SPOOL_OK)
		return r;
	r = ensure_id_entry(sp, path_job(state, &name).s, id, &h->st);
	if (r != SPOOL_OK)
		spool_release(&h->claim);
	return r;
}

static int
begin_hold(struct spool *sp, const char *id, struct spool_held *h)
{
	int r = find_and_lock(sp, id, h);

	h->to = JOB_HELD;
	h->next.parent[0] = '\0';
	if (r == SPOOL_OK && h->claim.from == JOB_HELD)
		return SPOOL_WRONG_STATE;
	if (r == SPOOL_OK)
		r = waiting_make(sp, JOB_HELD);
	/* who has left its parents behind has no need of them any more */
	if (r == SPOOL_OK && h->claim.from == JOB_WAITING)
		r = waiting_prepare(sp, &h->claim.job, JOB_HELD, &h->next);
	return r;
}

static int
begin_let_go(struct spool *sp, const char *id, struct spool_held *h)
{
	int r = find_and_lock(sp, id, h);

	if (r == SPOOL_OK && h->claim.from != JOB_HELD)
		return SPOOL_WRONG_STATE;
	return r == SPOOL_OK ? begin_waiting(sp, h) : r;
}

/* Adds a job that one of these has begun to change. */
static void
bulk_change(struct spool_bulk *b, const char *id, void *job,
    int (*begin)(struct spool *, const char *, struct spool_held *))
{
	struct spool_held h;
	int r;

	do {
		h = (struct spool_held){ .job = job };
		claim_init(&h.claim, JOB_PENDING, &h.next);
		r = begin(b->spool, id, &h);
	} while (bulk_made_room(b, &h, r) || wait_for_lock(b, r));
	bulk_add(b, &h, r);
}

void
spool_bulk_hold(struct spool_bulk *b, const char *id, void *job)
{
	bulk_change(b, id, job, begin_hold);
}

void
spool_bulk_let_go(struct spool_bulk *b, const char *id, void *job)
{
	bulk_change(b, id, job, begin_let_go);
}

/* What became of the only job of a bulk, with errno. */
struct result {
	int result, error;
};

static void
keep_result(void *arg, int result, void *job)
{
	struct result *one = arg;

	(void)job;
	one->result = result;
	one->error = errno;
}

int
spool_retry(struct spool *sp, const char *id, int64_t now)
{
	struct result one = { .result = SPOOL_OK };
	struct spool_bulk b = { .spool = sp, .each = keep_result,
		.arg = &one };
	struct job_name name;
	enum job_state state;
	int r = spool_find(sp, id, &state, &name);

	if (r != SPOOL_OK)
		return r;
	if (state != JOB_DEAD)
		return SPOOL_WRONG_STATE;
	spool_bulk_retry(&b, &name, now, NULL);
	spool_bulk_end(&b);
	errno = one.error;
	return one.result;
}
