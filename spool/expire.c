/*
 * spool/expire.c: how long jobs that have ended are kept.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/stat.h>
#include <errno.h>
#include <stdlib.h>

#include "spool/file_priv.h"
#include "spool/life_priv.h"
#include "spool/waiting_priv.h"

enum { PURGES = 100 };         /* for one lock of ids/ */

struct oldest {
	struct job_name *v;
	size_t n, cap;
	size_t all;              /* names that were seen */
};

static int
compare_stamps(const void *pa, const void *pb)
{
	const struct job_name *a = pa, *b = pb;

	return a->stamp != b->stamp ? (a->stamp < b->stamp ? -1 : 1) : 0;
}

/* Adds a name.  Where there is a limit, the older half stays each time when
 * there are twice as many. */
static bool
oldest_add(struct oldest *o, const struct job_name *name, size_t limit)
{
	struct job_name *v = array_room(o->v, &o->cap, o->n + 1, sizeof *v);

	if (!v)
		return false;
	o->v = v;
	v[o->n++] = *name;
	o->all++;
	if (limit && o->n == 2 * limit) {
		qsort(v, o->n, sizeof *v, compare_stamps);
		o->n = limit;
	}
	return true;
}

static bool
is_old(const struct spool_expiry *e, int64_t stamp)
{
	return e->keep >= 0 && stamp < e->now - e->keep;
}

/* Whether the clock was wrong when the job got its stamp. */
static bool
is_unknown(const struct spool_expiry *e, int64_t stamp)
{
	return e->keep && stamp < JOB_TIME_KNOWN && e->now >= JOB_TIME_KNOWN;
}

/* Whether a waiting job names it as a parent.  The purge itself makes sure. */
static bool
is_parent(struct spool *sp, const struct job_name *name)
{
	bool named;

	return waiting_names(sp, name->id, &named) != SPOOL_OK || named;
}

/* Collects the oldest names of a state; with `most` any age counts, because
 * only the number of all of them tells which are too many. */
static int
oldest_find(struct spool *sp, enum job_state state,
    const struct spool_expiry *e, struct oldest *o)
{
	bool parents = waiting_is_used(sp);
	struct spool_iter it;
	struct job_name name;
	int r, result = SPOOL_OK;

	if (spool_iter_open(sp, &it, state) != SPOOL_OK)
		return SPOOL_ERROR;
	while ((r = spool_iter_next(&it, &name)) > 0) {
		if (!e->most && !is_old(e, name.stamp))
			continue;
		/* those would stand in the way of the others */
		if (parents && is_parent(sp, &name))
			continue;
		if (!oldest_add(o, &name, e->limit)) {
			errno = ENOMEM;
			result = spool_fail(sp, "");
			break;
		}
	}
	spool_iter_close(&it);
	return r < 0 ? SPOOL_ERROR : result;
}

/* Gives a job the time of today, so that it is kept from now on. */
static void
restamp(struct spool *sp, enum job_state state, const struct job_name *name,
    int64_t now)
{
	struct job_name from = *name, to = *name;
	struct spool_claim c;
	struct stat st;
	int r = lock_and_read(sp, state, name, false, &c, &st);

	to.stamp = now;
	if (r == SPOOL_OK || r == SPOOL_BAD)
		move_locked(sp, state, &from, state, &to, &st);
	spool_release(&c);
}

static int
begin_purges(struct spool *sp)
{
	if (sp->purging)
		spool_purges_end(sp);
	return spool_purges_begin(sp);
}

int
spool_expire(struct spool *sp, enum job_state state,
    const struct spool_expiry *e, spool_expired *each, void *arg, bool *more)
{
	struct oldest o = { .n = 0 };
	size_t i, n, left, removed = 0;
	int r = oldest_find(sp, state, e, &o), step;

	if (o.n)
		qsort(o.v, o.n, sizeof *o.v, compare_stamps);
	n = e->limit && o.n > e->limit ? e->limit : o.n;
	left = o.all;
	for (i = 0; i < n && r == SPOOL_OK; i++) {
		const struct job_name *name = &o.v[i];
		bool many = e->most && left > e->most;

		if (!e->dry && i % PURGES == 0 &&
		    (r = begin_purges(sp)) != SPOOL_OK)
			break;
		if (!many && !is_old(e, name->stamp))
			break;
		if (e->match && !e->match(arg, name->id)) {
			left--;
			continue;
		}
		if (!many && is_unknown(e, name->stamp)) {
			if (!e->dry)
				restamp(sp, state, name, e->now);
			continue;
		}
		/* after weeks without power it is still news */
		if (!many && e->arrival &&
		    !is_old(e, spool_arrived(sp, state, name)))
			continue;
		step = e->dry ? SPOOL_OK : spool_purge(sp, state, name->id);
		if (step == SPOOL_GONE || step == SPOOL_WRONG_STATE ||
		    step == SPOOL_NEEDED)
			continue;
		left -= step == SPOOL_OK;
		removed += step == SPOOL_OK;
		if (!each(arg, step, name->id))
			break;
	}
	if (sp->purging)
		spool_purges_end(sp);
	*more = removed && e->limit && i == e->limit;
	free(o.v);
	return r;
}
