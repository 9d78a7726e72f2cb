/*
 * survey.c: what there is in a spool, by the names of the jobs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "cli/survey.h"

enum { COUNT_AGAIN = 10000 };   /* a queue with more jobs is counted once */

static int
compare_line(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return job_name_compare(&x->name, &y->name);
}

/* The earliest first. */
static int
compare_times(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->name.stamp != y->name.stamp ?
	    (x->name.stamp < y->name.stamp ? -1 : 1) :
	    strcmp(x->name.id, y->name.id);
}

static int
compare_ends(const void *a, const void *b)
{
	return compare_times(b, a);
}

static void
best_clear(struct best *b, int (*compare)(const void *, const void *))
{
	b->list.n = 0;
	b->full = false;
	b->compare = compare;
}

/* Sorts them, and forgets those that are too many. */
static void
best_sort(struct best *b)
{
	struct listing *l = &b->list;

	if (l->n)
		qsort(l->v, l->n, sizeof *l->v, b->compare);
	if (!b->most || l->n < b->most)
		return;
	l->n = b->most;
	b->last = l->v[b->most - 1];
	b->full = true;
}

/* It gathers twice as many, sorts them, and forgets the second half and all that
 * come behind it.  false: out of memory. */
static bool
best_add(struct best *b, enum job_state state, const struct job_name *name)
{
	const struct entry e = { .state = state, .name = *name };

	if (!b->most || (b->full && b->compare(&e, &b->last) > 0))
		return true;
	if (!listing_add(&b->list, state, name))
		return false;
	if (b->list.n == 2 * b->most)
		best_sort(b);
	return true;
}

/* Takes in a name.  false: out of memory. */
static bool
survey_name(struct survey *v, enum job_state state,
    const struct job_name *name, int64_t now)
{
	v->count[state]++;
	if (state == JOB_DONE)
		return best_add(&v->completed, state, name);
	if (state == JOB_DEAD)
		return best_add(&v->dead, state, name);
	if (state == JOB_PROCESSING)
		return listing_add(&v->running, state, name);
	if (state != JOB_PENDING && state != JOB_FAILED)
		return true;
	if (name->timed && !best_add(&v->later, state, name))
		return false;
	if (state != JOB_PENDING || !name_is_ready(name, now))
		return true;
	if (name->stamp < v->oldest)
		v->oldest = name->stamp;
	return best_add(&v->ready, state, name);
}

static int
survey_state(struct survey *v, struct spool *sp, enum job_state state)
{
	int64_t now = now_us();
	struct job_name name;
	struct spool_iter it;
	int r;

	v->count[state] = 0;
	if (spool_iter_open(sp, &it, state) != SPOOL_OK)
		return complain_spool(sp);
	while ((r = spool_iter_next(&it, &name)) > 0)
		if (!survey_name(v, state, &name, now)) {
			spool_iter_close(&it);
			return complain_memory();
		}
	v->strange[state] = it.strange;
	strcpy(v->example[state], it.example);
	spool_iter_close(&it);
	return r < 0 ? complain_spool(sp) : DONE;
}

/* A job that moves meanwhile may be counted twice or not at all.  So a small
 * queue is counted again, a few times at most, until nothing has moved. */
int
survey_read(struct survey *v, struct spool *sp)
{
	uint64_t before;
	size_t n;
	int i, r, pass;

	for (pass = 0; pass < 5; pass++) {
		before = spool_version(sp);
		v->running.n = 0;
		best_clear(&v->ready, compare_line);
		best_clear(&v->later, compare_times);
		best_clear(&v->completed, compare_ends);
		best_clear(&v->dead, compare_ends);
		v->oldest = INT64_MAX;
		for (i = 0, n = 0; i < JOB_STATES; i++) {
			r = survey_state(v, sp, (enum job_state)i);
			if (r != DONE)
				return r;
			n += v->count[i];
		}
		if (n > COUNT_AGAIN || spool_version(sp) == before)
			break;
	}
	best_sort(&v->ready);
	best_sort(&v->later);
	best_sort(&v->completed);
	best_sort(&v->dead);
	if (v->running.n)
		qsort(v->running.v, v->running.n, sizeof *v->running.v,
		    compare_times);
	if (v->count[JOB_WAITING] + v->count[JOB_HELD] &&
	    spool_waiting_count(sp, &v->waiting) != SPOOL_OK)
		return complain_spool(sp);
	return crew_count(sp, &v->crew) == SPOOL_OK ? DONE :
	    complain_spool(sp);
}

const struct job_name *
survey_next(const struct survey *v)
{
	return v->later.list.n ? &v->later.list.v[0].name : NULL;
}

void
survey_free(struct survey *v)
{
	free(v->ready.list.v);
	free(v->later.list.v);
	free(v->completed.list.v);
	free(v->dead.list.v);
	free(v->running.v);
}
