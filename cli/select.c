/*
 * select.c: which jobs a command is about.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/select.h"

enum {
	MARGIN = 1000,          /* kept beyond the limit: jobs move */
	COUNT_AGAIN = 10000     /* more jobs than that are counted once */
};

/* In the order of a job's life: a job that moves on while we look is met again,
 * and not missed. */
static const enum job_state in_order[] = { JOB_HELD, JOB_WAITING, JOB_PENDING,
	JOB_FAILED, JOB_PROCESSING, JOB_DONE, JOB_DEAD };

static bool
is_word(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && !strncasecmp(s, word, n);
}

/* Adds the bits of a word of `n` bytes, such as "completed".  false: it is not a
 * state. */
static bool
add_state(const char *word, size_t n, unsigned *states)
{
	enum job_state state;
	int i;

	/* backwards, because "waiting" is JOB_WAITING */
	for (i = JOB_STATES; i-- > 0;) {
		state = (enum job_state)i;
		if (!is_word(word, n, job_state_dir(state)) &&
		    !is_word(word, n, job_state_word(state)))
			continue;
		*states |= 1u << state;
		if (state == JOB_WAITING)
			*states |= 1u << JOB_HELD;
		return true;
	}
	return false;
}

const char *
states_add(const char *list, unsigned *states)
{
	size_t n = strcspn(list, ",");

	while (add_state(list, n, states)) {
		if (!list[n])
			return NULL;
		list += n + 1;
		n = strcspn(list, ",");
	}
	return list;
}

int
states_read(const struct call *c, unsigned *states)
{
	unsigned found = 0;
	const char *wrong;
	size_t i;

	for (i = 0; i < c->ngiven; i++) {
		if (strcmp(c->given[i].option->name, "state") != 0)
			continue;
		wrong = states_add(c->given[i].value, &found);
		if (wrong)
			return complain_usage("no such state: %.*s; the states "
			    "are waiting, pending, processing, completed, "
			    "failed, dead", (int)strcspn(wrong, ","), wrong);
	}
	if (found)
		*states = found;
	return DONE;
}

bool
select_is_pattern(const char *word)
{
	return strpbrk(word, "*?[") != NULL;
}

bool
select_matches(char *const *glob, int n, const char *id)
{
	int i;

	for (i = 0; i < n; i++)
		if (job_id_matches(glob[i], id))
			return true;
	return !n;
}

static bool
changed_since(struct spool *sp, enum job_state state,
    const struct job_name *name, int64_t since)
{
	if (!name->timed)
		return name->stamp >= since;
	/* it failed before its deadline */
	if (state == JOB_FAILED && name->stamp < since)
		return false;
	return spool_arrived(sp, state, name) >= since;
}

static bool
is_selected(struct spool *sp, const struct selection *s, enum job_state state,
    const struct job_name *name)
{
	return select_matches(s->glob, s->n, name->id) &&
	    (s->since <= 0 || changed_since(sp, state, name, s->since));
}

static int
compare_sights(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	int c = strcmp(a->name.id, b->name.id);

	return c ? c : a->seen < b->seen ? -1 : 1;
}

static int
compare_shown(const void *pa, const void *pb)
{
	static const int rank[] = { [JOB_PROCESSING] = 0, [JOB_PENDING] = 1,
		[JOB_FAILED] = 2, [JOB_HELD] = 3, [JOB_WAITING] = 3,
		[JOB_DONE] = 4, [JOB_DEAD] = 5 };
	const struct entry *a = pa, *b = pb;

	if (rank[a->state] != rank[b->state])
		return rank[a->state] - rank[b->state];
	if (a->state != JOB_PENDING && a->name.stamp != b->name.stamp)
		return a->name.stamp < b->name.stamp ? -1 : 1;
	return job_name_compare(&a->name, &b->name);
}

static int
compare_reversed(const void *a, const void *b)
{
	return compare_shown(b, a);
}

/* A selection that is being read. */
struct harvest {
	struct spool *spool;
	const struct selection *s;
	struct listing *l;
	int (*compare)(const void *, const void *);
	size_t keep;            /* how many stay when there are twice as many */
	size_t seen;
	struct entry last;      /* none behind this one is of interest */
	bool full;              /* there is such a last one */
};

/* Keeps the last sight of each job, in the order in which they are shown, and
 * forgets what is too many. */
static void
harvest_sort(struct harvest *h)
{
	struct listing *l = h->l;
	size_t i, n = 0;

	if (!l->n)
		return;
	qsort(l->v, l->n, sizeof *l->v, compare_sights);
	for (i = 1; i < l->n; i++) {
		if (strcmp(l->v[n].name.id, l->v[i].name.id) != 0)
			n++;
		l->v[n] = l->v[i];
	}
	l->n = n + 1;
	qsort(l->v, l->n, sizeof *l->v, h->compare);
	if (l->n < h->keep)
		return;
	l->n = h->keep;
	h->last = l->v[l->n - 1];
	h->full = true;
}

static bool
harvest_add(struct harvest *h, enum job_state state,
    const struct job_name *name)
{
	size_t seen = h->seen++;

	if (h->full) {
		struct entry e = { state, *name, seen };

		if (h->compare(&e, &h->last) > 0)
			return true;
	}
	if (!is_selected(h->spool, h->s, state, name))
		return true;
	if (!listing_add(h->l, state, name))
		return false;
	h->l->v[h->l->n - 1].seen = seen;
	if (h->l->n / 2 >= h->keep)
		harvest_sort(h);
	return true;
}

static int
harvest_state(struct harvest *h, enum job_state state)
{
	struct job_name name;
	struct spool_iter it;
	int r;

	if (spool_iter_open(h->spool, &it, state) != SPOOL_OK)
		return complain_spool(h->spool);
	while ((r = spool_iter_next(&it, &name)) > 0)
		if (!harvest_add(h, state, &name)) {
			spool_iter_close(&it);
			return complain_memory();
		}
	spool_iter_close(&it);
	return r < 0 ? complain_spool(h->spool) : DONE;
}

/* A job that moves while we read the directories may be seen twice or missed.
 * Then we read them again, and the last sight of a job counts. */
int
select_jobs(struct spool *sp, const struct selection *s, struct listing *l)
{
	struct harvest h = { .spool = sp, .s = s, .l = l,
		.compare = s->reverse ? compare_reversed : compare_shown,
		.keep = s->limit < SIZE_MAX - MARGIN ? s->limit + MARGIN :
		    SIZE_MAX };
	uint64_t before = spool_version(sp);
	size_t i, pass;
	int r;

	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < JOB_STATES; i++)
			if (s->states >> in_order[i] & 1 &&
			    (r = harvest_state(&h, in_order[i])) != DONE)
				return r;
		if (spool_version(sp) == before)
			break;
	}
	harvest_sort(&h);
	if (l->n > s->limit)
		l->n = s->limit;
	return DONE;
}

static int
count_state(struct spool *sp, const struct selection *s, enum job_state state,
    size_t *n)
{
	struct job_name name;
	struct spool_iter it;
	int r;

	if (spool_iter_open(sp, &it, state) != SPOOL_OK)
		return complain_spool(sp);
	while ((r = spool_iter_next(&it, &name)) > 0)
		*n += is_selected(sp, s, state, &name);
	spool_iter_close(&it);
	return r < 0 ? complain_spool(sp) : DONE;
}

/* A job that moves meanwhile may be counted twice or not at all.  So a small
 * queue is counted again, a few times at most, until nothing has moved. */
int
select_count(struct spool *sp, const struct selection *s, size_t *n)
{
	uint64_t before;
	size_t i, pass;
	int r;

	for (pass = 0; pass < 5; pass++) {
		before = spool_version(sp);
		*n = 0;
		for (i = 0; i < JOB_STATES; i++)
			if (s->states >> in_order[i] & 1 &&
			    (r = count_state(sp, s, in_order[i], n)) != DONE)
				return r;
		if (*n > COUNT_AGAIN || spool_version(sp) == before)
			break;
	}
	if (*n > s->limit)
		*n = s->limit;
	return DONE;
}

static bool
is_matched(const struct listing *l, const char *pattern)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (job_id_matches(pattern, l->v[i].name.id))
			return true;
	return false;
}

int
select_patterns(struct call *c, unsigned states, const char *none,
    struct listing *l)
{
	struct selection s = { .states = states, .glob = c->operand,
		.n = c->n, .limit = SIZE_MAX };
	int i, r, worst = DONE;

	for (i = 0; i < c->n && !select_is_pattern(c->operand[i]);)
		i++;
	if (i == c->n)
		return DONE;
	r = select_jobs(&c->spool, &s, l);
	if (r != DONE)
		return r;
	for (; i < c->n; i++)
		if (select_is_pattern(c->operand[i]) &&
		    !is_matched(l, c->operand[i]))
			worst = complain("%s: %s; queuectl list shows the jobs",
			    c->operand[i], none);
	return worst;
}

int
select_each(struct call *c, unsigned states, const char *none,
    int (*each)(void *arg, const char *id), void *arg)
{
	char (*id)[JOB_ID_MAX + 1] = calloc((size_t)c->n, sizeof *id);
	struct listing l = { 0 };
	size_t k;
	int i, r, worst = DONE;

	if (!id)
		return complain_memory();
	for (i = 0; i < c->n; i++) {
		if (select_is_pattern(c->operand[i]))
			continue;
		r = spool_resolve(&c->spool, c->operand[i], id[i]);
		r = r == SPOOL_OK ? each(arg, id[i]) :
		    complain_job(&c->spool, r, c->operand[i]);
		if (r != DONE)
			worst = r;
	}
	r = select_patterns(c, states, none, &l);
	if (r != DONE)
		worst = r;
	for (k = 0; k < l.n; k++) {
		/* it may have been named, too */
		for (i = 0; i < c->n && strcmp(id[i], l.v[k].name.id) != 0;)
			i++;
		if (i == c->n && (r = each(arg, l.v[k].name.id)) != DONE)
			worst = r;
	}
	free(l.v);
	free(id);
	return worst;
}
