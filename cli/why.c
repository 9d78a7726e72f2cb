/*
 * why.c: why jobs are not running.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "cli/why.h"
#include "spool/waiting.h"

/* A job that is to be shown and that may run now. */
struct ready {
	const struct job_name *name;
	size_t ahead;           /* how many run before it */
};

static int
compare_ready(const void *a, const void *b)
{
	return job_name_compare(((const struct ready *)a)->name,
	    ((const struct ready *)b)->name);
}

/* The first of the ready jobs that comes behind `name`; with `itself`, that one
 * too. */
static size_t
find_ready(const struct outlook *o, const struct job_name *name, bool itself)
{
	size_t low = 0, high = o->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (job_name_compare(o->ready[mid].name, name) < !itself)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Counts the jobs of a state that may run now, each at the first of ours that
 * comes behind it. */
static int
count_ready(struct outlook *o, enum job_state state, int64_t now)
{
	struct job_name name;
	struct spool_iter it;
	size_t i;
	int r;

	if (spool_iter_open(o->spool, &it, state) != SPOOL_OK)
		return complain_spool(o->spool);
	while ((r = spool_iter_next(&it, &name)) > 0)
		if (name_is_ready(&name, now) &&
		    (i = find_ready(o, &name, false)) < o->n)
			o->ready[i].ahead++;
	spool_iter_close(&it);
	return r < 0 ? complain_spool(o->spool) : DONE;
}

int
outlook_open(struct outlook *o, struct spool *sp, const struct entry *v,
    size_t n)
{
	int64_t now = now_us();
	size_t i;
	int r;

	*o = (struct outlook){ .spool = sp };
	if (crew_count(sp, &o->crew) != SPOOL_OK)
		return complain_spool(sp);
	if (o->crew.workers > o->crew.busy || !o->crew.workers ||
	    sp->config.paused)
		return DONE;
	o->ready = calloc(n + 1, sizeof *o->ready);
	if (!o->ready)
		return complain_memory();
	for (i = 0; i < n; i++)
		if ((v[i].state == JOB_PENDING || v[i].state == JOB_FAILED) &&
		    name_is_ready(&v[i].name, now))
			o->ready[o->n++].name = &v[i].name;
	if (!o->n)
		return DONE;
	qsort(o->ready, o->n, sizeof *o->ready, compare_ready);
	r = count_ready(o, JOB_PENDING, now);
	if (r == DONE)
		r = count_ready(o, JOB_FAILED, now);
	for (i = 1; i < o->n; i++)
		o->ready[i].ahead += o->ready[i - 1].ahead;
	return r;
}

void
outlook_free(struct outlook *o)
{
	free(o->ready);
	lock_view_free(&o->locks);
	buf_free(&o->words);
}

static size_t
count_ahead(const struct outlook *o, const struct job_name *name)
{
	size_t i = find_ready(o, name, true);

	return i < o->n ? o->ready[i].ahead : 0;
}

/* Says which job another one waits for.  false: out of memory, or it cannot be
 * found out. */
static bool
add_parent(struct outlook *o, const struct job_name *name)
{
	static const char *const words[] = { [PARENT_WORKS] = "",
		[PARENT_DONE] = "", [PARENT_DEAD] = ", which is dead",
		[PARENT_GONE] = ", which is gone" };
	struct buf *b = &o->words;
	struct spool_reason why;

	/* for a list, the way up would take too long */
	if ((o->deep ? spool_waiting_root(o->spool, name, NULL, NULL, &why) :
	    spool_waiting_reason(o->spool, name, &why)) != SPOOL_OK)
		return false;
	buf_printf(b, "waits for %s", name->parent);
	if (strcmp(why.id, name->parent) != 0)
		buf_printf(b, ", and also for %s", why.id);
	if (why.blocked && why.waits)
		buf_puts(b, ", in a ring of jobs that wait for each other");
	else if (why.blocked)
		buf_puts(b, words[why.parent]);
	else if (why.held)
		buf_puts(b, ", which is held");
	return !b->failed;
}

const char *
outlook_why(struct outlook *o, const struct field_view *v)
{
	const struct job_name *name = v->name;
	struct buf *b = &o->words;
	int64_t now = now_us();
	bool waits = !name_is_ready(name, now);
	const char *lock = NULL;

	buf_clear(b);
	if (v->state == JOB_HELD)
		return "held; queuectl release lets it go";
	if (v->state == JOB_WAITING)
		return add_parent(o, name) ? b->p : NULL;
	if (v->state != JOB_PENDING && v->state != JOB_FAILED)
		return NULL;
	if (!waits && !v->bad)
		lock = lock_why(o->spool, &o->locks, name->locks);
	if (v->bad)
		buf_printf(b, "unreadable file: %s", v->bad);
	else if (v->state == JOB_FAILED && waits)
		buf_printf(b, "waits for its retry (attempt %u of %u), due in ",
		    name->attempt + 1, job_allowed(v->job, v->policy));
	else if (waits)
		buf_puts(b, "due in ");
	else if (lock)
		buf_puts(b, lock);
	else if (o->spool->config.paused)
		buf_puts(b, "paused");
	else if (!o->crew.workers)
		buf_puts(b, "no worker");
	else if (o->crew.workers > o->crew.busy &&
	    spool_check(o->spool, v->state, name) == SPOOL_REFUSED)
		buf_printf(b, "left alone: %s", o->spool->why);
	else if (o->crew.workers > o->crew.busy)
		buf_puts(b, "about to run");
	else
		buf_printf(b, "all workers busy (%zu ahead of it)",
		    count_ahead(o, name));
	if (waits && !v->bad)
		span_words(b, name->stamp - now);
	return b->p;
}
