/*
 * spool/expire.c: how long jobs that have ended are kept.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>

#include "spool/spool_priv.h"

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

/* Collects the oldest names of a state; with `most` any age counts, because
 * only the number of all of them tells which are too many. */
static int
oldest_find(struct spool *sp, enum job_state state,
    const struct spool_expiry *e, struct oldest *o)
{
	struct spool_iter it;
	struct job_name name;
	int r, result = SPOOL_OK;

	if (spool_iter_open(sp, &it, state) != SPOOL_OK)
		return SPOOL_ERROR;
	while ((r = spool_iter_next(&it, &name)) > 0) {
		if (!e->most && name.stamp >= e->before)
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

		if (!many && name->stamp >= e->before)
			break;
		/* after weeks without power it is still news */
		if (!many && e->arrival &&
		    spool_arrived(sp, state, name) >= e->before)
			continue;
		step = e->dry ? SPOOL_OK : spool_purge(sp, state, name->id);
		if (step == SPOOL_GONE || step == SPOOL_WRONG_STATE)
			continue;
		left -= step == SPOOL_OK;
		removed += step == SPOOL_OK;
		if (!each(arg, step, name->id))
			break;
	}
	*more = removed && e->limit && i == e->limit;
	free(o.v);
	return r;
}
