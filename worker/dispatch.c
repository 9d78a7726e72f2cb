/*
 * worker/dispatch.c: what goes onto the board, and when.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, MADV_DONTFORK */
#include <sys/mman.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>

#include "spool/waiting.h"
#include "spool/watch.h"
#include "worker/backlog.h"
#include "worker/board.h"
#include "worker/dispatch.h"
#include "worker/self.h"

#define TICK      (60 * SECOND)       /* where inotify works */
#define POLL      (SECOND / 4)        /* where it does not */
#define BUSY_MIN  (5 * SECOND / 1000) /* until a locked name is tried again */
#define BUSY_MAX  SECOND
#define COMES     SECOND              /* by then a called worker has come */
#define LEAP      (3600 * SECOND)     /* no clock drifts so far */
#define HELD_MIN  (SECOND / 20)       /* until a dead worker's job is looked at */
#define HELD_MAX  (5 * SECOND)

struct dispatch {
	struct spool *spool;
	const struct worker_options *options;
	struct spool_watch watch;
	bool told;                 /* inotify tells us; else we poll */
	bool watches_departures;
	bool requests;             /* workers/ may hold a new request */
	bool reconfigure;          /* config may have changed */
	bool paused;               /* as it was said last */
	bool drained;
	bool lost;                 /* the spool is not there any more */
	size_t dead;               /* jobs that killed workers moved to dead/ */

	struct backlog backlog;
	int64_t tick;              /* when to look without being told */

	bool tidy;                 /* a worker is to tidy */
	int64_t recover;           /* when to recover again; 0: at the tick */
	int64_t held_wait;         /* between two recoveries of held jobs */
	int64_t expire;            /* when to purge again */
	int64_t since;             /* when the clock was set forward (time of
	                            * day); 0: it was not */
	int64_t offset;            /* between the time of day and monotonic() */
	int64_t called;            /* when a worker was called last */

	struct board *board;
	int *call;                 /* each worker's: we write; -1: no worker */
	size_t size;               /* of all this memory but the board */
};

/* --- opening ------------------------------------------------------------ */

static void
watch_spool(struct dispatch *d)
{
	struct spool *sp = d->spool;

	spool_watch_open(&d->watch);
	d->told = spool_watch_add(sp, &d->watch, JOB_PENDING, false) &&
	    spool_watch_add(sp, &d->watch, JOB_FAILED, false) &&
	    spool_watch_add(sp, &d->watch, SPOOL_WORKERS, false) &&
	    spool_watch_add(sp, &d->watch, SPOOL_ROOT, true) &&
	    !spool_watch_silent(sp);
}

/* In pages of its own, which workers do not inherit.  Pages that are not touched
 * cost nothing. */
static struct dispatch *
allocate(size_t size)
{
	struct dispatch *d = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (d == MAP_FAILED)
		return NULL;
#ifdef MADV_DONTFORK
	madvise(d, size, MADV_DONTFORK);
#endif
	d->size = size;
	return d;
}

struct dispatch *
dispatch_open(struct spool *sp, const struct worker_options *o)
{
	size_t timed = o->timed ? o->timed : TIMED_MAX;
	size_t queues = backlog_size(timed);
	struct dispatch *d = allocate(sizeof *d + queues +
	    (size_t)o->count * sizeof *d->call);
	int k;

	if (!d)
		return NULL;
	d->board = board_open(o->count, o->ready ? o->ready : READY_MAX);
	if (!d->board) {
		munmap(d, d->size);
		return NULL;
	}
	d->spool = sp;
	d->options = o;
	d->paused = d->board->paused = sp->config.paused;
	d->reconfigure = d->requests = d->tidy = true;
	backlog_open(&d->backlog, sp, d->board, d + 1, timed);
	d->call = (void *)((char *)(d + 1) + queues);
	for (k = 0; k < o->count; k++)
		d->call[k] = -1;
	watch_spool(d);
	d->backlog.gates.watch = d->told ? &d->watch : NULL;
	d->expire = monotonic();
	d->offset = today() - monotonic();
	d->tick = d->expire + (d->told ? TICK : POLL);
	return d;
}

void
dispatch_close(struct dispatch *d)
{
	int k;

	for (k = 0; k < d->options->count; k++)
		close_quietly(d->call[k]);
	spool_watch_close(&d->watch);
	backlog_close(&d->backlog);
	board_close(d->board);
	munmap(d, d->size);
}

struct board *
dispatch_board(const struct dispatch *d)
{
	return d->board;
}

/* --- news --------------------------------------------------------------- */

/* Tells the worker that runs the job to see whether somebody cancelled it. */
static void
pass_on_request(void *arg, const struct job_name *run)
{
	struct dispatch *d = arg;
	int k;

	for (k = 0; k < d->options->count; k++)
		if (board_cancel(d->board, k, run->id))
			bell_ring(d->call[k]);
}

static void
lose_news(struct dispatch *d)
{
	backlog_refresh(&d->backlog);
	gates_try(&d->backlog.gates);
	d->reconfigure = d->requests = true;
	d->lost = !spool_is_there(d->spool);
	spool_requests(d->spool, pass_on_request, d);
}

void
dispatch_news(struct dispatch *d)
{
	struct job_name name;
	const char *file;
	int dir, r;

	while ((r = spool_watch_next(&d->watch, &dir, &file)) > 0) {
		d->reconfigure |= dir == SPOOL_ROOT;
		d->requests |= dir == SPOOL_WORKERS;
		if (dir == SPOOL_WORKERS && spool_is_request(file, &name))
			pass_on_request(d, &name);
		if ((dir == JOB_PENDING || dir == JOB_FAILED) &&
		    job_name_parse(&name, file))
			backlog_add(&d->backlog, (enum job_state)dir, &name);
		if (dir == SPOOL_SLOTS)
			gates_news(&d->backlog.gates, d->watch.lock, !*file);
	}
	if (r < 0)
		lose_news(d);
}

bool
dispatch_asked(struct dispatch *d)
{
	bool asked = d->requests || !d->told;

	d->requests = false;
	return asked;
}

/* --- workers ------------------------------------------------------------ */

int
dispatch_watch_fd(const struct dispatch *d)
{
	return d->watch.fd;
}

int
dispatch_bell(const struct dispatch *d)
{
	return d->board->bell[0];
}

int
dispatch_hire(struct dispatch *d, int k)
{
	int call[2];

	if (make_pipe(call) < 0)
		return -1;
	fcntl(call[0], F_SETFL, O_NONBLOCK);
	fcntl(call[1], F_SETFL, O_NONBLOCK);
	d->call[k] = call[1];
	/* the job of the worker before it may be held */
	d->tidy |= board_hire(d->board, k);
	return call[0];
}

/* Another worker is to have the task of one that has died. */
static void
return_task(struct dispatch *d, const struct task *t)
{
	const struct job_name name = candidate_name(&t->job);

	d->tidy |= t->what == TASK_TIDY;
	if (t->what == TASK_RUN)
		gates_let_go(&d->backlog.gates, name.locks);
	if (t->what == TASK_RUN)
		backlog_add(&d->backlog, (enum job_state)t->job.state, &name);
}

/* Whether the job of a worker that was killed is dead: the worker had moved it
 * and could not say so any more. */
static bool
died_unsaid(struct dispatch *d, const struct task *t)
{
	enum job_state state;
	struct job_name name;

	return d->options->check && t->what == TASK_RUN &&
	    spool_find(d->spool, candidate_name(&t->job).id, &state, &name) ==
	    SPOOL_OK &&
	    state == JOB_DEAD;
}

void
dispatch_lose(struct dispatch *d, int k)
{
	const struct seat was = board_lose(d->board, k);

	close_quietly(d->call[k]);
	d->call[k] = -1;
	gates_let_go(&d->backlog.gates, was.locks);
	return_task(d, &was.task);
	d->dead += died_unsaid(d, &was.task);
}

size_t
dispatch_dead(const struct dispatch *d)
{
	return d->dead + board_dead(d->board);
}

/* A name that could not be claimed, and for how long it is left alone.  Without
 * news there is one pass after the other, and each meets the name: if it were
 * tried each time, the names behind it would never be reached. */
static void
hear_unclaimed(struct dispatch *d, const struct candidate *c,
    const struct report *report)
{
	int result = report->result;
	const struct job_name name = candidate_name(c);
	unsigned n = c->tries < 8 ? c->tries : 8;
	int64_t us = result != SPOOL_BUSY && result != SPOOL_OK ? RETRY :
	    BUSY_MIN << n < BUSY_MAX ? BUSY_MIN << n : BUSY_MAX;

	if (result == SPOOL_LOCKED) {
		backlog_lock(&d->backlog, c, report->busy, report->began);
		return;
	}
	gates_let_go(&d->backlog.gates, name.locks);
	/* the worker saw that the queue is paused; we may not know it yet */
	d->reconfigure |= result == SPOOL_OK;
	if (result != SPOOL_REFUSED || !d->told)
		backlog_postpone(&d->backlog, (enum job_state)c->state, &name,
		    c->tries, us);
}

/* Plans the next recovery and the next purge.  A job whose worker died is held
 * while a process of it lives on, or because another worker has just claimed it
 * and has not said so yet. */
static void
hear_tidied(struct dispatch *d, const struct task *t, const struct report *r)
{
	int64_t now = monotonic(), pause = 100 * r->took; /* 1 % of the time */

	d->held_wait = !r->held ? 0 : !d->held_wait ? HELD_MIN :
	    2 * d->held_wait < HELD_MAX ? 2 * d->held_wait : HELD_MAX;
	d->recover = r->result == SPOOL_ERROR ? now + RETRY :
	    r->held ? now + d->held_wait : 0;
	if (t->expire)
		d->expire = now + (r->more ? 0 : pause > TICK ? pause : TICK);
}

/* Hears of locks that were let go.  The workers told inotify before they told
 * us: so that comes first. */
static void
hear_freed(struct dispatch *d)
{
	char locks[BOARD_LOCKS];
	int k;

	dispatch_news(d);
	for (k = 0; k < d->options->count; k++) {
		if (!board_freed(d->board, k, locks))
			backlog_refresh(&d->backlog);
		gates_let_go(&d->backlog.gates, locks);
	}
}

void
dispatch_hear(struct dispatch *d)
{
	struct report r;
	struct task t;
	int k;

	bell_drain(dispatch_bell(d));
	if (d->backlog.gates.n)
		hear_freed(d);
	for (k = 0; k < d->options->count; k++)
		if (!board_hear(d->board, k, &t, &r))
			continue;
		else if (t.what == TASK_TIDY)
			hear_tidied(d, &t, &r);
		else
			hear_unclaimed(d, &t.job, &r);
}

/* Calls as many workers as have something to do.  A worker that hangs or is
 * stopped does not come; then another one is called. */
static void
call_workers(struct dispatch *d, int64_t now)
{
	int k;

	while ((k = board_call(d->board, now, now - COMES)) >= 0) {
		bell_ring(d->call[k]);
		d->called = now;
	}
}

void
dispatch_stop(struct dispatch *d, int level)
{
	int k;

	board_set_stop(d->board, level);
	for (k = 0; k < d->options->count; k++)
		if (d->call[k] >= 0)
			bell_ring(d->call[k]);
}

/* --- what is to be done ------------------------------------------------- */

/* Finds out whether the spool has got after/.  A worker that ends a job looks at
 * board->after behind the rename.  So a child of a job that ended before we set
 * it is met by the sweep, which comes after. */
static void
follow_after(struct dispatch *d)
{
	if (atomic_load(&d->board->after) || !spool_has_waiting(d->spool))
		return;
	atomic_store(&d->board->after, true);
	d->tidy = true;
}

static void
follow_config(struct dispatch *d)
{
	struct spool *sp = d->spool;

	if (!d->reconfigure && d->told)
		return;
	d->reconfigure = false;
	follow_after(d);
	if (!spool_config_refresh(sp))
		return;
	board_set_paused(d->board, sp->config.paused);
	if (d->paused != sp->config.paused)
		say(0, sp->config.paused ? "Paused: no job begins" :
		    "Resumed");
	d->paused = sp->config.paused;
	if (sp->config_error)
		say(0, "config cannot be read: %s%s",
		    strerror(sp->config_error), spool_remedy(sp->config_error));
	else if (sp->config_bad)
		say(0, "config: line %zu is not understood and passed over; "
		    "correct or remove it", sp->config_bad);
}

/* How often to look without being told. */
static int64_t
interval(const struct dispatch *d)
{
	int64_t poll = d->options->drain ? POLL / 4 : POLL;
	int64_t took = d->backlog.pass.ended - d->backlog.pass.began;

	if (d->told)
		return TICK;
	return poll > 10 * took ? poll : 10 * took;
}

/* Plans what is to be done without news. */
static void
tick(struct dispatch *d, int64_t now)
{
	const struct pass *p = &d->backlog.pass;

	if (now >= d->tick) {
		d->reconfigure = d->requests = d->tidy = true;
		d->lost = !spool_is_there(d->spool);
		if (!d->told)
			spool_requests(d->spool, pass_on_request, d);
		/* unless we have looked not long ago */
		if (!p->whole || p->front < now - interval(d) / 2)
			backlog_refresh(&d->backlog);
		if (d->told)
			gates_try(&d->backlog.gates);
		d->tick = now + interval(d);
	}
	if (d->recover && now >= d->recover) {
		d->recover = 0;
		d->tidy = true;
	}
}

/* If the clock was set forward by more than LEAP, jobs are not as old as their
 * stamps say.  (The end of a suspension looks the same.) */
static void
watch_clock(struct dispatch *d, int64_t now)
{
	int64_t offset = today() - now;

	if (offset > d->offset + LEAP)
		d->since = today();
	d->offset = offset;
}

/* Brings the backlog up to date. */
static void
look(struct dispatch *d, int64_t now)
{
	const struct pass *p = &d->backlog.pass;
	bool was_active = p->active;

	backlog_step(&d->backlog);
	if (was_active && !p->active && !p->whole)
		d->tick = now + RETRY;
}

/* Lets a worker tidy if it is time.  Returns whether one is to. */
static bool
order_tidy(struct dispatch *d, int64_t now, bool idle)
{
	/* A pool that is never idle purges as well, but seldom. */
	bool expire = now >= d->expire + (idle ? 0 : 10 * TICK);

	if (!d->tidy && !(expire && idle))
		return false;
	if (expire)
		d->expire = now + TICK;
	d->tidy = false;
	board_set_tidy(d->board, expire, d->since);
	return true;
}

/* Finds out whether nothing is left to do, when all workers are idle. */
static void
check_drained(struct dispatch *d)
{
	int r;

	if (!d->options->drain || !board_is_idle(d->board))
		return;
	if (!d->watches_departures) {
		/* from now on the end of others' jobs is news */
		d->watches_departures = true;
		spool_watch_add(d->spool, &d->watch, JOB_PENDING, true);
		spool_watch_add(d->spool, &d->watch, JOB_FAILED, true);
		spool_watch_add(d->spool, &d->watch, JOB_PROCESSING, true);
	}
	r = spool_drained(d->spool);
	d->drained = r == 1;
	if (r < 0)
		d->tick = monotonic() + RETRY;
}

bool
dispatch_is_ready(const struct dispatch *d)
{
	return board_is_ready(d->board);
}

bool
dispatch_is_lost(const struct dispatch *d)
{
	return d->lost;
}

bool
dispatch_drained(const struct dispatch *d)
{
	return d->drained;
}

/* How long nothing needs to be done without an event, in ms. */
static int
time_left(const struct dispatch *d, bool idle)
{
	int64_t until = d->tick, now = monotonic(), due;

	if (d->backlog.pass.active && !d->paused)
		return 0;
	if (d->recover && d->recover < until)
		until = d->recover;
	if (idle && d->expire < until)
		until = d->expire;
	if (now < d->called + COMES && d->called + COMES < until)
		until = d->called + COMES;
	due = d->paused ? INT64_MAX : backlog_due(&d->backlog);
	if (due != INT64_MAX && due - today() < until - now)
		until = now + due - today();
	return poll_ms(until - now);
}

int
dispatch_step(struct dispatch *d)
{
	int64_t now = monotonic();
	bool idle;

	if (d->board->stop) {
		if (!d->told)
			spool_requests(d->spool, pass_on_request, d);
		return poll_ms(d->told ? TICK : POLL);
	}
	follow_config(d);
	watch_clock(d, now);
	tick(d, now);
	if (!d->paused)
		look(d, now);
	idle = d->paused || backlog_is_dry(&d->backlog);
	if (!order_tidy(d, now, idle) && idle)
		check_drained(d);
	call_workers(d, now);
	return time_left(d, idle);
}
