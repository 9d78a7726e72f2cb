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

#include "cli/late.h"
#include "cli/select.h"
#include "cli/wait.h"
#include "spool/pool.h"
#include "spool/waiting.h"
#include "spool/watch.h"

enum {
	LOOK_MS = 250,          /* between two looks without inotify, */
	TICK_MS = 60000,        /* and with it */
	BAR_MS = 100,           /* between two progress lines, at least */
	BAR_MAX_MS = 1000,      /* and at most */
	HELD_MS = 2000          /* a job may seem to have no worker for so long,
	                         * while it passes from one to the next */
};

static int64_t
monotonic_ms(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) < 0)
		return 0; /* no system lacks it */
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* News of jobs. */
struct news {
	struct spool_watch watch;
	bool told;              /* inotify tells of all; else we must look */
};

static void
news_open(struct news *n, struct spool *sp)
{
	int i;

	spool_watch_open(&n->watch);
	n->told = !spool_watch_silent(sp);
	/* A job that leaves a state in which it has not ended may be gone for
	 * good. */
	for (i = 0; i < JOB_HELD; i++)
		n->told &= spool_watch_add(sp, &n->watch, i,
		    !state_is_final((enum job_state)i));
}

/* Sleeps until there is news, for `ms` at most. */
static void
news_wait(struct news *n, int64_t ms)
{
	struct pollfd p = { .fd = n->watch.fd, .events = POLLIN };

	if (!n->told && ms > LOOK_MS)
		ms = LOOK_MS;
	poll(&p, 1, ms > 0 ? (int)ms : 0);
}

struct awaited {
	char id[JOB_ID_MAX + 1];
	bool ended;
	unsigned walk;          /* in which it was met */
};

int
waiting_add(void *waiting, const char *id)
{
	struct waiting *w = waiting;
	struct awaited *v = array_room(w->v, &w->cap, w->n + 1, sizeof *v);

	if (!v)
		return complain_memory();
	w->v = v;
	v[w->n].ended = false;
	v[w->n].walk = 0;
	strcpy(v[w->n++].id, id);
	return DONE;
}

void
waiting_free(struct waiting *w)
{
	free(w->v);
}

static int
compare_awaited(const void *a, const void *b)
{
	return strcmp(((const struct awaited *)a)->id,
	    ((const struct awaited *)b)->id);
}

/* Sorts the jobs and drops what is there twice. */
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

/* The exit status that stands for how a dead job ended; says it in words, too,
 * if nobody waits for another job. */
static int
tell_failure(struct spool *sp, const struct job_name *name, bool alone)
{
	int status = FAILED;
	const struct job_attempt *last = NULL;
	struct buf b = { 0 };
	struct job job;

	if (spool_load(sp, JOB_DEAD, name, &job) == SPOOL_OK)
		last = job_last(&job);
	if (last && last->outcome == JOB_EXIT && last->value)
		status = last->value;
	else if (last && last->outcome == JOB_SIGNAL)
		status = 128 + last->value;
	if (last)
		job_outcome_words(&b, last);
	if (alone)
		complain("%s: %s", name->id, b.p ? b.p : "damaged");
	buf_free(&b);
	job_free(&job);
	return status;
}

static struct awaited *
find_awaited(const struct waiting *w, const char *id)
{
	struct awaited key = { .ended = false };

	strcpy(key.id, id);
	return bsearch(&key, w->v, w->n, sizeof key, compare_awaited);
}

/* Of a chain, all jobs may be awaited.  Those that were met on another way in
 * this round need not be looked at again. */
static bool
is_known(void *waiting, const char *id)
{
	struct waiting *w = waiting;
	struct awaited *a = find_awaited(w, id);
	bool known = a && a->walk >= w->first && a->walk < w->walk;

	if (a && !known)
		a->walk = w->walk;
	return known;
}

/* Looks whether a job waits for what will not come; if so, *why tells. */
static int
check_parents(struct waiting *w, struct spool *sp, const struct job_name *name,
    struct spool_reason *why)
{
	const struct awaited *a;
	int r;

	w->walk++;
	r = spool_waiting_root(sp, name, is_known, w, why);
	a = r == SPOOL_OK && why->waits ? find_awaited(w, why->name.id) : NULL;
	/* it still waits; so if it counts as ended, it is blocked */
	why->blocked |= a && a->ended;
	return r;
}

/* Looks whether a job has ended. */
static int
check_one(struct waiting *w, struct spool *sp, struct awaited *a)
{
	struct spool_reason why = { .blocked = false };
	enum job_state state = JOB_DEAD;
	struct job_name name;
	int r;

	if (a->ended)
		return DONE;
	r = spool_find(sp, a->id, &state, &name);
	if (r != SPOOL_OK && r != SPOOL_GONE)
		return complain_spool(sp);
	if (r == SPOOL_OK && state == JOB_WAITING &&
	    check_parents(w, sp, &name, &why) != SPOOL_OK)
		return complain_spool(sp);
	w->children |= r == SPOOL_OK && state == JOB_WAITING;
	if (r == SPOOL_OK && !state_is_final(state) && !why.blocked)
		return DONE;
	a->ended = true;
	w->ended++;
	if (r == SPOOL_OK && state == JOB_DONE)
		return DONE;
	w->failed++;
	w->status = FAILED;
	if (why.blocked)
		complain("%s: blocked: it waits for %s, which will not be "
		    "completed; queuectl show %s says why", a->id, why.id,
		    a->id);
	else if (r == SPOOL_OK)
		w->status = tell_failure(sp, &name, w->n == 1);
	else
		complain("%s: it was removed before it had ended", a->id);
	return DONE;
}

static int
check_all(struct waiting *w, struct spool *sp)
{
	size_t i;
	int r = DONE;

	w->first = w->walk + 1;
	for (i = 0; i < w->n && r == DONE; i++)
		r = check_one(w, sp, &w->v[i]);
	return r;
}

/* Looks at the jobs that there is news of; at all if news was lost. */
static int
check_news(struct waiting *w, struct spool *sp, struct news *news)
{
	struct job_name name;
	struct awaited *a;
	const char *file;
	bool lost = false;
	int dir, s, r = DONE;

	while (r == DONE &&
	    (s = spool_watch_next(&news->watch, &dir, &file)) != 0) {
		/* the end of another job may block one of ours */
		lost |= s < 0 || (w->children &&
		    (dir == JOB_DEAD || dir == JOB_DONE));
		if (s < 0 || !job_name_parse(&name, file))
			continue;
		a = find_awaited(w, name.id);
		w->first = w->walk + 1;
		if (a)
			r = check_one(w, sp, a);
	}
	return r == DONE && lost ? check_all(w, sp) : r;
}

/* [######--------------] 6/20, 1 failed, 3.1/s, 5 s left */
static void
draw_bar(struct waiting *w, int64_t now)
{
	static const char bar[] = "####################--------------------";
	size_t done = w->n ? 20 * w->ended / w->n : 20, columns;
	double seconds = (double)(now - w->began) / 1000;
	double rate = (double)(w->ended - w->before) / seconds;
	struct buf b = { 0 };

	buf_printf(&b, "[%.20s] %zu/%zu", bar + 20 - done, w->ended, w->n);
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
		fprintf(stderr, "\r%.*s\033[K", (int)columns_fit(b.p,
		    w->columns - 1, &columns), b.p);
	buf_free(&b);
	w->drawn = now;
}

/* Says so if the jobs may wait long. */
static void
warn_if_idle(struct spool *sp)
{
	struct crew crew;

	if (crew_count(sp, &crew) == SPOOL_OK &&
	    (!crew.workers || sp->config.paused))
		complain(crew.workers ? "the queue is paused; waiting until "
		    "queuectl resume" : "no worker is running; waiting until "
		    "queuectl worker start");
}

/* Draws the bar if it is due, and sleeps until there is news or something else
 * is due.  false: the time is up. */
static bool
sleep_once(struct waiting *w, struct news *news, int64_t timeout)
{
	int64_t ms = TICK_MS, now = monotonic_ms(), end = w->began + timeout;

	if (timeout >= 0 && now >= end)
		return false;
	if (w->columns && now - w->drawn >= BAR_MS)
		draw_bar(w, now);
	if (timeout >= 0 && end - now < ms)
		ms = end - now;
	if (w->columns && ms > BAR_MAX_MS)
		ms = BAR_MAX_MS;
	news_wait(news, ms);
	return true;
}

/* The exit status, and a word about several jobs. */
static int
sum_up(const struct waiting *w)
{
	if (w->ended < w->n) {
		complain("%zu of %zu job%s had not ended in time",
		    w->n - w->ended, w->n, w->n == 1 ? "" : "s");
		return TIMED_OUT;
	}
	if (w->failed && w->n > 1)
		complain("%zu of %zu jobs did not succeed", w->failed, w->n);
	return !w->failed ? DONE : w->n == 1 ? w->status : FAILED;
}

int
waiting_wait(struct waiting *w, struct spool *sp, int64_t timeout)
{
	struct news news;
	int64_t now, next = 0;
	int r;

	waiting_sort(w);
	w->columns = terminal_width(STDERR_FILENO);
	w->began = monotonic_ms();
	news_open(&news, sp);
	r = check_all(w, sp);
	w->before = w->ended;
	if (w->ended < w->n && timeout)
		warn_if_idle(sp);
	while (r == DONE && w->ended < w->n &&
	    sleep_once(w, &news, timeout)) {
		now = monotonic_ms();
		r = check_news(w, sp, &news);
		/* Without inotify, looking takes a tenth of the time. */
		if (r == DONE && now >= next) {
			r = check_all(w, sp);
			next = now + (news.told ? TICK_MS :
			    10 * (monotonic_ms() - now));
		}
	}
	if (w->columns && w->drawn) {
		draw_bar(w, monotonic_ms());
		putc('\n', stderr);
	}
	spool_watch_close(&news.watch);
	return r == DONE ? sum_up(w) : r;
}

const struct option_def wait_options[] = {
	{ "timeout", 0, "SPAN", "for at most SPAN (90, 1.5s, 15m, 12h, 7d); "
	    "then exit status 124" },
	{ "all", 0, NULL, "wait for all jobs that wait or run now" },
	{ NULL, 0, NULL, NULL }
};

/* Adds the jobs that have not ended. */
static int
await_all(struct waiting *w, struct spool *sp)
{
	struct selection s = { .states = STATES_OPEN, .limit = SIZE_MAX };
	struct listing l = { 0 };
	size_t i;
	int r = select_jobs(sp, &s, &l);

	for (i = 0; i < l.n && r == DONE; i++)
		r = waiting_add(w, l.v[i].name.id);
	free(l.v);
	return r;
}

int
command_wait(struct call *c)
{
	const char *timeout = call_option(c, "timeout");
	struct waiting w = { .n = 0 };
	int64_t us = -1000;
	size_t i;
	int r;

	if ((call_option(c, "all") != NULL) == (c->n > 0))
		return complain_usage("name jobs, or --all");
	if (timeout && !job_span_parse(timeout, &us))
		return complain_usage("%s must be %s, not %s", "--timeout",
		    TEXT_SPAN, timeout);
	if (call_open_spool(c, false) != DONE)
		return FAILED;
	r = c->n ? select_each(c, STATES_ALL, "matches no job",
	    waiting_add, &w) :
	    await_all(&w, &c->spool);
	for (i = 0; i < w.n && r == DONE; i++)
		if (call_is_from_job(c, w.v[i].id))
			r = complain("%s: a job cannot wait for its own end",
			    w.v[i].id);
	if (r == DONE)
		r = waiting_wait(&w, &c->spool, us / 1000);
	waiting_free(&w);
	return r;
}

/* The jobs to cancel; an id becomes "" when its job is done with. */
struct cancelling {
	struct spool *spool;
	struct spool_cancel *v;
	size_t n, cap;
	size_t left;            /* of a round: how many are not done with */
	bool patient;           /* a job that has no worker may get one yet */
	struct late late;       /* who keeps us waiting */
	int worst;              /* exit status */
};

static int
cancelling_add(void *cancelling, const char *id)
{
	struct cancelling *k = cancelling;
	struct spool_cancel *v = array_room(k->v, &k->cap, k->n + 1, sizeof *v);

	if (!v)
		return complain_memory();
	k->v = v;
	v[k->n] = (struct spool_cancel){ .held = false };
	strcpy(v[k->n++].id, id);
	return DONE;
}

/* Says why a job could not be cancelled, as `result` tells. */
static int
complain_cancel(struct spool *sp, int result,
    const struct spool_cancel *x)
{
	if (result == SPOOL_WRONG_STATE)
		return complain("%s: has ended already: it is %s; queuectl "
		    "%s %s removes it", x->id, job_state_word(x->state),
		    x->state == JOB_DEAD ? "dlq purge" :
		    "purge --state completed", x->id);
	if (result == SPOOL_BUSY)
		return complain("%s: its worker died, and a process of it "
		    "still runs; it is cancelled when that has ended", x->id);
	if (result == SPOOL_BAD)
		return complain("%s: not cancelled, but moved to the dead "
		    "letter queue: its text is no job: %s", x->id, sp->why);
	return complain_job(sp, result, x->id);
}

/* Takes notice of what became of a job in this round. */
static void
end_step(void *cancelling, int result, void *cancel)
{
	struct cancelling *k = cancelling;
	struct spool_cancel *x = cancel;

	if (result == SPOOL_BUSY && (k->patient || !x->held)) {
		k->left++;
		return;
	}
	if (result == SPOOL_OK)
		puts(x->id);
	else
		k->worst = complain_cancel(k->spool, result, x);
	*x->id = '\0';
}

/* Tries to cancel each job that is left. */
static void
cancel_round(struct cancelling *k)
{
	struct spool_bulk b = { .spool = k->spool, .each = end_step, .arg = k };
	size_t i;

	k->left = 0;
	for (i = 0; i < k->n; i++)
		if (*k->v[i].id)
			spool_bulk_cancel(&b, &k->v[i], now_us());
	spool_bulk_end(&b);
}

/* Notes a worker that runs a job of ours, and its supervisor, which would tell
 * it to end the job. */
static void
add_late_worker(void *cancelling, const char *pool, long pid,
    const struct spool_slot *s)
{
	struct cancelling *k = cancelling;
	size_t i;

	(void)pool;
	for (i = 0; i < k->n && s->job[0]; i++)
		if (!strcmp(k->v[i].id, s->job)) {
			late_add_process(&k->late, pid);
			late_add_process(&k->late, s->pid);
			late_add_job(&k->late, s->job);
			return;
		}
}

int
command_cancel(struct call *c)
{
	struct cancelling k = { .spool = &c->spool };
	struct news news;
	const char *file;
	int64_t began = monotonic_ms();
	bool said = false;
	int dir;

	if (call_open_spool(c, false) != DONE)
		return FAILED;
	k.worst = select_each(c, STATES_OPEN, "matches no job that has not "
	    "ended", cancelling_add, &k);
	news_open(&news, &c->spool);
	do {
		k.patient = monotonic_ms() < began + HELD_MS;
		cancel_round(&k);
		if (fflush(stdout))
			break;
		if (k.left && !said &&
		    monotonic_ms() >= began + SPOOL_LATE_MS) {
			said = true;
			spool_slots(&c->spool, false, add_late_worker, &k);
			if (k.late.njobs)
				late_say(&k.late, NULL, LATE_KILLED);
		}
		if (k.left)
			news_wait(&news, HELD_MS / 2);
		/* The next round looks at all of them anyway. */
		while (spool_watch_next(&news.watch, &dir, &file))
			;
	} while (k.left);
	spool_watch_close(&news.watch);
	free(k.v);
	return k.worst;
}
