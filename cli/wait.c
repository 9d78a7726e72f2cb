/*
 * wait.c: wait and cancel.
 *
 * SPDX-License-Identifier: MIT
 */
#define _POSIX_C_SOURCE 200809L
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/listing.h"
#include "cli/wait.h"
#include "spool/watch.h"

enum {
	LOOK_MS = 250,          /* and of wait and cancel, where there is no */
	TICK_MS = 60000,        /* inotify, and where there is */
	BAR_MS = 100,           /* between two progress lines, */
	BAR_MIN_MS = 1000,      /* and not longer than this */
	HELD_MS = 2000          /* so long a job may seem to have no worker */
};

static int64_t
monotonic_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* What happens to jobs. */
struct news {
	struct spool_watch watch;
	bool told;              /* by inotify; else we must look */
};

static void
news_open(struct news *n, struct spool *sp)
{
	int i;

	spool_watch_open(&n->watch);
	n->told = !spool_watch_silent(sp);
	/* what leaves other states may be gone for good */
	for (i = 0; i < JOB_STATES; i++)
		n->told &= spool_watch_add(sp, &n->watch, i, !ends(i));
}

/* Sleeps until there are any, for `ms` at most. */
static void
news_wait(struct news *n, int64_t ms)
{
	struct pollfd p = { .fd = n->watch.fd, .events = POLLIN };

	if (!n->told && ms > LOOK_MS)
		ms = LOOK_MS;
	poll(&p, 1, ms > 0 ? (int)ms : 0);
}

/* For who looks at everything again. */
static void
news_skip(struct news *n)
{
	const char *file;
	int dir;

	while (spool_watch_next(&n->watch, &dir, &file))
		;
}

static void
news_close(struct news *n)
{
	spool_watch_close(&n->watch);
}

bool
waiting_add(struct waiting *w, const char *id)
{
	if (w->n == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 16;
		struct awaited *v = realloc(w->v, cap * sizeof *v);

		if (!v)
			return false;
		w->v = v;
		w->cap = cap;
	}
	w->v[w->n] = (struct awaited){ .ended = false };
	strcpy(w->v[w->n++].id, id);
	return true;
}

static int
compare_awaited(const void *a, const void *b)
{
	return strcmp(((const struct awaited *)a)->id,
	    ((const struct awaited *)b)->id);
}

/* Sorts them, each once. */
static void
waiting_sort(struct waiting *w)
{
	size_t i, n = 0;

	if (w->n)
		qsort(w->v, w->n, sizeof *w->v, compare_awaited);
	for (i = 0; i < w->n; i++)
		if (!n || strcmp(w->v[n - 1].id, w->v[i].id))
			w->v[n++] = w->v[i];
	w->n = n;
}

/* How a dead job ended, for a person and as an exit status. */
static void
tell_failure(struct spool *sp, const struct job_name *name, int *status,
    bool only)
{
	const struct job_attempt *last = NULL;
	struct buf b = { 0 };
	struct job job;

	*status = FAILED;
	if (spool_load(sp, JOB_DEAD, name, &job) == SPOOL_OK && job.nattempt)
		last = &job.attempt[job.nattempt - 1];
	if (last && last->outcome == JOB_EXIT && last->value)
		*status = last->value;
	else if (last && last->outcome == JOB_SIGNAL)
		*status = 128 + last->value;
	if (last)
		job_outcome_words(&b, last);
	if (only)
		complain("%s: %s", name->id, b.p ? b.p : "damaged");
	buf_free(&b);
	job_free(&job);
}

/* Sees whether one has ended. */
static int
check_one(struct spool *sp, struct waiting *w, struct awaited *a)
{
	enum job_state state = JOB_DEAD;
	struct job_name name;
	int r;

	if (a->ended)
		return DONE;
	r = spool_find(sp, a->id, &state, &name);
	if (r != SPOOL_OK && r != SPOOL_GONE)
		return complain_spool(sp);
	if (r == SPOOL_OK && !ends((int)state))
		return DONE;
	a->ended = true;
	w->ended++;
	if (r == SPOOL_OK && state == JOB_DONE)
		return DONE;
	w->failed++;
	w->status = FAILED;
	if (r == SPOOL_OK)
		tell_failure(sp, &name, &w->status, w->n == 1);
	else
		complain("%s: it was removed before it had ended", a->id);
	return DONE;
}

static int
check_all(struct spool *sp, struct waiting *w)
{
	size_t i;
	int r = DONE;

	for (i = 0; i < w->n && r == DONE; i++)
		r = check_one(sp, w, &w->v[i]);
	return r;
}

/* Looks at those of which there is news. */
static int
check_news(struct spool *sp, struct waiting *w, struct news *news)
{
	struct job_name name;
	struct awaited key = { .ended = false }, *a;
	const char *file;
	bool lost = false;
	int dir, s, r = DONE;

	while (r == DONE &&
	    (s = spool_watch_next(&news->watch, &dir, &file)) != 0) {
		lost |= s < 0;
		if (s < 0 || !job_name_parse(&name, file))
			continue;
		strcpy(key.id, name.id);
		a = bsearch(&key, w->v, w->n, sizeof key, compare_awaited);
		if (a)
			r = check_one(sp, w, a);
	}
	return r == DONE && lost ? check_all(sp, w) : r;
}

/* [######--------------] 6/20, 1 failed, 3.1/s, 5 s left */
static void
draw_bar(struct waiting *w, int64_t now)
{
	static const char full[] = "####################";
	static const char empty[] = "--------------------";
	size_t done = w->n ? 20 * w->ended / w->n : 20, columns;
	double seconds = (double)(now - w->began) / 1000;
	double rate = (double)(w->ended - w->before) / seconds;
	struct buf b = { 0 };

	buf_printf(&b, "[%.*s%.*s] %zu/%zu", (int)done, full,
	    (int)(20 - done), empty, w->ended, w->n);
	if (w->failed)
		buf_printf(&b, ", %zu failed", w->failed);
	if (w->ended > w->before && seconds > 0) {
		buf_printf(&b, ", %.1f/s", rate);
		if (w->ended < w->n) {
			buf_puts(&b, ", ");
			span_words(&b, (int64_t)((double)(w->n - w->ended) /
			    rate * 1e6));
			buf_puts(&b, " left");
		}
	}
	if (b.p && !b.failed)
		fprintf(stderr, "\r%.*s\033[K", (int)fit(b.p, w->columns - 1,
		    &columns), b.p);
	buf_free(&b);
	w->drawn = now;
}

int
wait_for(struct spool *sp, struct waiting *w, int64_t timeout)
{
	int64_t now = monotonic_ms(), next = 0, took;
	struct crew crew = { 0, 0 };
	struct news news;
	int r;

	waiting_sort(w);
	w->columns = terminal_width(STDERR_FILENO);
	w->began = now;
	news_open(&news, sp);
	r = check_all(sp, w);
	w->before = w->ended;
	if (w->ended < w->n && timeout &&
	    spool_slots(sp, false, see_worker, &crew) == SPOOL_OK &&
	    (!crew.workers || sp->config.paused))
		complain("%s; waiting all the same", crew.workers ?
		    "the queue is paused" : "no worker is running");
	while (r == DONE && w->ended < w->n) {
		int64_t ms = TICK_MS;

		now = monotonic_ms();
		if (timeout >= 0 && now - w->began >= timeout)
			break;
		if (w->columns && now - w->drawn >= BAR_MS)
			draw_bar(w, now);
		if (timeout >= 0 && w->began + timeout - now < ms)
			ms = w->began + timeout - now;
		if (w->columns && ms > BAR_MIN_MS)
			ms = BAR_MIN_MS;
		news_wait(&news, ms);
		now = monotonic_ms();
		r = check_news(sp, w, &news);
		if (r == DONE && now >= next) {
			r = check_all(sp, w);
			took = monotonic_ms() - now;
			next = now + (news.told ? TICK_MS : 10 * took);
		}
	}
	if (w->columns && w->drawn) {
		draw_bar(w, monotonic_ms());
		putc('\n', stderr);
	}
	news_close(&news);
	if (r != DONE)
		return r;
	if (w->ended < w->n) {
		complain("%zu of %zu job%s had not ended in time",
		    w->n - w->ended, w->n, w->n == 1 ? "" : "s");
		return TIMED_OUT;
	}
	if (w->failed && w->n > 1)
		complain("%zu of %zu jobs did not succeed", w->failed, w->n);
	return !w->failed ? DONE : w->n == 1 ? w->status : FAILED;
}

enum { WAIT_TIMEOUT, WAIT_ALL };

const struct option_def wait_options[] = {
	{ "timeout", 0, "S", "for S seconds at most; exit status 124 then" },
	{ "all", 0, NULL, "for all that wait or run now" },
	{ NULL, 0, NULL, NULL }
};

/* The jobs that have not ended. */
static int
await_all(struct spool *sp, struct waiting *w)
{
	struct listing l = { 0 };
	size_t i;
	int r = collect(sp, &l, JOB_STATES);

	for (i = 0; i < l.n && r == DONE; i++)
		if (!ends((int)l.v[i].state) &&
		    !waiting_add(w, l.v[i].name.id))
			r = no_memory();
	free(l.v);
	return r;
}

static int
await_named(struct call *c, struct waiting *w)
{
	char id[JOB_ID_MAX + 1];
	int i, r = DONE;

	for (i = 0; i < c->n; i++) {
		int s = spool_resolve(&c->spool, c->operand[i], id);

		if (s != SPOOL_OK)
			r = complain_job(&c->spool, s, c->operand[i]);
		else if (!waiting_add(w, id))
			return no_memory();
	}
	return r;
}

int
command_wait(struct call *c)
{
	struct waiting w = { .n = 0 };
	int64_t us = -1000;
	int r;

	if ((c->value[WAIT_ALL] != NULL) == (c->n > 0)) {
		complain("name jobs, or --all");
		return USAGE;
	}
	if (c->value[WAIT_TIMEOUT] &&
	    !job_seconds_parse(c->value[WAIT_TIMEOUT], &us)) {
		complain("--timeout must be a number of seconds, not %s",
		    c->value[WAIT_TIMEOUT]);
		return USAGE;
	}
	if (open_spool(c, false) != DONE)
		return FAILED;
	r = c->n ? await_named(c, &w) : await_all(&c->spool, &w);
	if (r == DONE)
		r = wait_for(&c->spool, &w, us / 1000);
	free(w.v);
	return r;
}

/* Says why a job could not be cancelled. */
static int
complain_cancel(const struct spool *sp, int result,
    const struct spool_cancel *x)
{
	if (result == SPOOL_STATE)
		complain("%s: has ended already: it is %s", x->id,
		    job_state_word(x->state));
	else if (result == SPOOL_BAD)
		complain("%s: not cancelled, but moved to the dead letter "
		    "queue: its text is no job: %s", x->id, sp->why);
	else
		return complain_job(sp, result, x->id);
	return FAILED;
}

/* Goes once through those that have not ended.  *left: how many there are. */
static int
cancel_round(struct call *c, struct spool_cancel *x, size_t n, bool patient,
    size_t *left)
{
	int worst = DONE;
	size_t i;

	*left = 0;
	for (i = 0; i < n; i++) {
		int r;

		if (!*x[i].id)
			continue;
		r = spool_cancel(&c->spool, &x[i], now_us());
		if (r == SPOOL_BUSY && (patient || !x[i].held)) {
			++*left;
			continue;
		}
		if (r == SPOOL_OK) {
			puts(x[i].id);
		} else if (r == SPOOL_BUSY) {
			complain("%s: its worker died, and a process of it "
			    "still runs; it is cancelled when that has ended",
			    x[i].id);
			worst = FAILED;
		} else {
			worst = complain_cancel(&c->spool, r, &x[i]);
		}
		*x[i].id = '\0';
	}
	return worst;
}

int
command_cancel(struct call *c)
{
	struct spool_cancel *x;
	struct news news;
	int64_t held = monotonic_ms() + HELD_MS;
	size_t n = 0, left;
	int i, r, worst = DONE;

	if (open_spool(c, false) != DONE)
		return FAILED;
	x = calloc((size_t)c->n, sizeof *x);
	if (!x)
		return no_memory();
	for (i = 0; i < c->n; i++) {
		r = spool_resolve(&c->spool, c->operand[i], x[n].id);
		if (r == SPOOL_OK)
			n++;
		else
			worst = complain_job(&c->spool, r, c->operand[i]);
	}
	news_open(&news, &c->spool);
	do {
		r = cancel_round(c, x, n, monotonic_ms() < held, &left);
		if (r != DONE)
			worst = r;
		if (fflush(stdout))
			break;
		if (left)
			news_wait(&news, HELD_MS / 2);
		news_skip(&news);
	} while (left);
	news_close(&news);
	free(x);
	return worst;
}
