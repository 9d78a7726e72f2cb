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
#include <unistd.h>

#include "spool/bulk_priv.h"
#include "spool/file_priv.h"
#include "spool/life_priv.h"

enum {
	BULK_MAX = 1000,        /* jobs of one sync */
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

/* Syncs the directories that the jobs went to, then those that they left. */
static int
sync_dirs(struct spool *sp, unsigned to, unsigned from)
{
	int i, r = SPOOL_OK;

	for (i = 0; i < JOB_STATES && r == SPOOL_OK; i++)
		if (to >> i & 1)
			r = dir_sync(sp, i);
	for (i = 0; i < JOB_STATES && r == SPOOL_OK; i++)
		if (from >> i & 1 && !(to >> i & 1))
			r = dir_sync(sp, i);
	return r;
}

/* Moves the jobs whose lines are written, and tells what became of each. */
static void
bulk_commit(struct spool_bulk *b)
{
	struct spool *sp = b->spool;
	bool sync = sp->config.sync != SYNC_NONE;
	unsigned to = 0, from = 0;
	size_t i, moved = 0;
	int e, r, all = SPOOL_OK;

	if (sync)
		all = sync_many(sp, b->n, sync_held, b);
	e = errno;
	for (i = 0; i < b->n; i++) {
		struct spool_held *h = &b->v[i];

		errno = e;
		r = all == SPOOL_OK ? move_locked(sp, h->claim.from,
		    &h->claim.name, h->to, &h->next, &h->st) : all;
		spool_release(&h->claim);
		if (r != SPOOL_OK) {
			b->each(b->arg, r, h->job);
			continue;
		}
		to |= 1U << h->to;
		from |= 1U << h->claim.from;
		b->v[moved++].job = h->job;
	}
	if (sync)
		all = sync_dirs(sp, to, from);
	e = errno;
	for (i = 0; i < moved; i++) {
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

static int
begin_retry(struct spool *sp, const struct job_name *name, int64_t now,
    struct spool_held *h)
{
	int r = lock_and_read(sp, JOB_DEAD, name, true, &h->claim, &h->st);

	h->to = JOB_PENDING;
	h->next = *name;
	h->next.attempt = 0;
	h->next.timed = false;
	h->next.stamp = now;
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
