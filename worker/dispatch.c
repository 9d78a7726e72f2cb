/*
 * worker/dispatch.c: which name goes to which worker, and when.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, MADV_DONTFORK */
#include <sys/mman.h>
#include <string.h>

#include "spool/watch.h"
#include "worker/backlog.h"
#include "worker/dispatch.h"
#include "worker/order.h"
#include "worker/self.h"

enum {
	REFUSED_MAX = 64        /* names whose refusal was said already */
};

#define TICK      (60 * SECOND)       /* where inotify works */
#define POLL      (SECOND / 4)        /* where it does not */
#define BUSY_MIN  (5 * SECOND / 1000) /* until a locked name is tried again */
#define BUSY_MAX  SECOND
#define OBEYED    SECOND              /* by then a job must be claimed */
#define HELD_MIN  (SECOND / 20)       /* so is a job of a dead worker */
#define HELD_MAX  (5 * SECOND)

/* A worker, as the dispatcher sees it. */
struct seat {
	int channel;               /* -1: there is no worker */
	bool busy;                 /* it has an order and has not reported */
	struct order order;        /* the last */
	int64_t given;             /* when, if it is not known to be obeyed; 0:
	                            * it is */
	unsigned char tries;       /* of the order's name */
	bool used;                 /* a worker has had this seat before */
	int stop;                  /* it was told to: the level */
};

struct dispatch {
	struct spool *spool;
	const struct worker_options *options;
	struct spool_watch watch;
	bool told;                 /* inotify tells us; else we poll */
	bool watches_departures;
	bool requests;             /* workers/ may hold a new request */
	bool reconfigure;          /* config may have changed */
	uint32_t config;           /* counts its changes */
	bool paused;               /* as it was said last */
	int stopping;              /* the level */
	bool drained;
	bool lost;                 /* the spool is not there any more */

	struct backlog backlog;
	int64_t tick;              /* when to look without being told */

	bool tidy;                 /* the next free worker is to tidy */
	int64_t recover;           /* when to recover again; 0: at the tick */
	int64_t held_wait;         /* between two recoveries of held jobs */
	int64_t expire;            /* when to purge again */

	struct seat *seat;         /* one for each worker of the pool */
	int hired;                 /* workers that there are; */
	int *free;                 /* …those without an order, nfree of them */
	int nfree;
	uint32_t orders;           /* the number of the last one */
	int64_t check;             /* when to look for orders that are not
	                            * obeyed; 0: never */
	uint32_t refused[REFUSED_MAX]; /* hashes of names */
	size_t nrefused;

	size_t size;               /* of all this memory */
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

struct dispatch *
dispatch_open(struct spool *sp, const struct worker_options *o)
{
	size_t ready = o->ready ? o->ready : READY_MAX;
	size_t timed = o->timed ? o->timed : TIMED_MAX;
	size_t count = (size_t)o->count;
	size_t size = sizeof(struct dispatch) + backlog_size(ready, timed) +
	    count * (sizeof(struct seat) + sizeof(int));
	struct dispatch *d;
	int k;

	/* In pages of its own, which workers do not inherit.  Pages that are
	 * not touched cost nothing. */
	d = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (d == MAP_FAILED)
		return NULL;
#ifdef MADV_DONTFORK
	madvise(d, size, MADV_DONTFORK);
#endif
	d->spool = sp;
	d->options = o;
	d->size = size;
	d->paused = sp->config.paused;
	d->reconfigure = d->requests = d->tidy = true;
	d->seat = (void *)(d + 1);
	for (k = 0; k < o->count; k++)
		d->seat[k].channel = -1;
	backlog_open(&d->backlog, sp, d->seat + count, ready, timed);
	d->free = (void *)((char *)(d->seat + count) +
	    backlog_size(ready, timed));
	watch_spool(d);
	d->expire = monotonic();
	d->tick = d->expire + (d->told ? TICK : POLL);
	return d;
}

void
dispatch_close(struct dispatch *d)
{
	int k;

	for (k = 0; k < d->options->count; k++)
		close_quietly(d->seat[k].channel);
	spool_watch_close(&d->watch);
	backlog_close(&d->backlog);
	munmap(d, d->size);
}

/* --- news --------------------------------------------------------------- */

/* Tells the worker that runs the job to see whether somebody cancelled it. */
static void
pass_on_request(void *arg, const struct job_name *run)
{
	const struct order cancel = { .what = ORDER_CANCEL };
	struct dispatch *d = arg;
	int k;

	for (k = 0; k < d->options->count; k++)
		if (d->seat[k].channel >= 0 &&
		    !strcmp(d->seat[k].order.name.id, run->id))
			channel_send(d->seat[k].channel, &cancel,
			    sizeof cancel);
}

static void
lose_news(struct dispatch *d)
{
	backlog_refresh(&d->backlog);
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
dispatch_channel(const struct dispatch *d, int k)
{
	return d->seat[k].channel;
}

void
dispatch_hire(struct dispatch *d, int k, int channel)
{
	/* it is busy until it reports that it is ready */
	d->seat[k].channel = channel;
	d->seat[k].busy = true;
	d->seat[k].stop = 0;
	d->seat[k].order.name.id[0] = '\0';
	d->hired++;
}

static void
seat_free(struct dispatch *d, int k)
{
	d->seat[k].busy = false;
	d->seat[k].given = 0;
	d->free[d->nfree++] = k;
}

void
dispatch_lose(struct dispatch *d, int k)
{
	struct seat *s = &d->seat[k];
	int i, n = 0;

	if (s->channel < 0)
		return;
	close_quietly(s->channel);
	s->channel = -1;
	d->hired--;
	for (i = 0; i < d->nfree; i++)
		if (d->free[i] != k)
			d->free[n++] = d->free[i];
	d->nfree = n;
	if (s->busy && s->order.what == ORDER_RUN && *s->order.name.id)
		backlog_add(&d->backlog, s->order.state, &s->order.name);
	s->busy = false;
}

/* Sends a worker an order, which it reports on. */
static void
give(struct dispatch *d, int k, struct order *o)
{
	struct seat *s = &d->seat[k];

	o->number = ++d->orders ? d->orders : ++d->orders;
	o->config = d->config;
	s->order = *o;
	s->busy = true;
	s->given = o->what == ORDER_RUN ? monotonic() : 0;
	if (s->given && !d->check)
		d->check = s->given + OBEYED;
	/* If it cannot be sent, the worker is dead, and the pool will say so:
	 * dispatch_lose() takes the order back. */
	channel_send(s->channel, o, sizeof *o);
}

static uint32_t
hash_name(const struct job_name *name)
{
	char file[JOB_NAME_MAX + 1];

	job_name_format(file, name);
	return text_hash(TEXT_HASH, file, strlen(file));
}

/* Whether it was said already that the name is refused. */
static bool
was_refused(const struct dispatch *d, const struct job_name *name)
{
	uint32_t hash;
	size_t i;

	if (!d->nrefused)
		return false;
	hash = hash_name(name);
	for (i = 0; i < REFUSED_MAX; i++)
		if (d->refused[i] == hash)
			return true;
	return false;
}

/* Without news there is one pass after the other, and each meets the name: if
 * it were tried each time, the names behind it would never be reached. */
static void
hear_refused(struct dispatch *d, const struct seat *s)
{
	if (!s->order.quiet)
		d->refused[d->nrefused++ % REFUSED_MAX] =
		    hash_name(&s->order.name);
	if (!d->told)
		backlog_postpone(&d->backlog, s->order.state, &s->order.name,
		    s->tries, RETRY);
}

/* The worker is free; what became of its order decides about the name. */
static void
hear_ended(struct dispatch *d, int k, const struct report *r)
{
	struct seat *s = &d->seat[k];
	unsigned n = s->tries < 8 ? s->tries : 8;

	int64_t us = r->result == SPOOL_ERROR ? RETRY :
	    BUSY_MIN << n < BUSY_MAX ? BUSY_MIN << n : BUSY_MAX;

	if (r->result == SPOOL_BUSY || r->result == SPOOL_ERROR)
		backlog_postpone(&d->backlog, s->order.state, &s->order.name,
		    s->tries, us);
	else if (r->result == SPOOL_REFUSED)
		hear_refused(d, s);
	seat_free(d, k);
}

/* Plans the next recovery and the next purge.  A job whose worker died is held
 * while a process of it lives on, or because another worker has just claimed it
 * and has not said so yet. */
static void
hear_tidied(struct dispatch *d, int k, const struct report *r)
{
	int64_t now = monotonic(), pause = 100 * r->took; /* 1 % of the time */

	d->held_wait = !r->held ? 0 : !d->held_wait ? HELD_MIN :
	    2 * d->held_wait < HELD_MAX ? 2 * d->held_wait : HELD_MAX;
	d->recover = r->result == SPOOL_ERROR ? now + RETRY :
	    r->held ? now + d->held_wait : 0;
	if (d->seat[k].order.expire)
		d->expire = now + (r->more ? 0 : pause > TICK ? pause : TICK);
	seat_free(d, k);
}

static void
hear_one(struct dispatch *d, int k, const struct report *r)
{
	struct seat *s = &d->seat[k];

	/* A worker may report the end of an order twice, see RETURNED. */
	if (r->what != REPORT_READY && r->number != s->order.number)
		return;
	switch (r->what) {
	case REPORT_READY:
		/* the job of the worker before it may be held */
		d->tidy |= s->used;
		s->used = true;
		seat_free(d, k);
		break;
	case REPORT_TIDIED:
		hear_tidied(d, k, r);
		break;
	case REPORT_ENDED:
		if (s->busy)
			hear_ended(d, k, r);
		break;
	case REPORT_RETURNED:
		if (s->order.what == ORDER_RUN)
			backlog_add(&d->backlog, s->order.state, &s->order.name);
		else
			d->tidy = true;
		s->order.number = r->before;
		s->order.name.id[0] = '\0';
		break;
	}
}

void
dispatch_hear(struct dispatch *d, int k)
{
	struct report r[4];
	int i, n;

	if (d->seat[k].channel < 0)
		return;
	n = channel_receive(d->seat[k].channel, r, sizeof *r, 4);
	for (i = 0; i < n; i++)
		hear_one(d, k, &r[i]);
	if (n < 0) /* it ends, or has ended */
		dispatch_lose(d, k);
}

/* Tells all workers to stop that were not told yet.  false: one of them reads
 * nothing, and its channel is full; it is to be told later. */
static bool
tell_stop(struct dispatch *d)
{
	const struct order o = {
		.what = d->stopping == 1 ? ORDER_STOP : ORDER_NOW
	};
	bool all = true;
	int k;

	for (k = 0; k < d->options->count; k++) {
		struct seat *s = &d->seat[k];

		if (s->channel < 0 || s->stop == d->stopping)
			continue;
		if (channel_send(s->channel, &o, sizeof o))
			s->stop = d->stopping;
		else
			all = false;
	}
	return all;
}

void
dispatch_stop(struct dispatch *d, int level)
{
	d->stopping = level;
	tell_stop(d);
}

/* --- giving orders ------------------------------------------------------ */

static void
follow_config(struct dispatch *d)
{
	struct spool *sp = d->spool;

	if (!d->reconfigure && d->told)
		return;
	d->reconfigure = false;
	if (!spool_config_refresh(sp))
		return;
	d->config++;
	if (d->paused != sp->config.paused)
		say(0, sp->config.paused ? "Paused: no job begins" :
		    "Resumed");
	d->paused = sp->config.paused;
	if (sp->config_error)
		say(0, "config cannot be read: %s", strerror(sp->config_error));
	else if (sp->config_bad)
		say(0, "config: line %zu is not understood and passed over",
		    sp->config_bad);
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
		d->tick = now + interval(d);
	}
	if (d->recover && now >= d->recover) {
		d->recover = 0;
		d->tidy = true;
	}
}

/* Brings the backlog up to date. */
static void
look(struct dispatch *d, int64_t now)
{
	const struct pass *p = &d->backlog.pass;
	bool was_active = p->active;

	/* Without news, an urgent job may have come unseen.  We look for it
	 * before the next order, for a tenth of the time at most. */
	if (!d->told && d->backlog.ready.n &&
	    now - p->ended > 10 * (p->ended - p->began))
		backlog_refresh(&d->backlog);
	backlog_step(&d->backlog);
	if (was_active && !p->active && !p->whole)
		d->tick = now + RETRY;
}

static bool
give_tidy(struct dispatch *d, int64_t now, bool idle)
{
	struct order o = { .what = ORDER_TIDY };

	/* A pool that is never idle purges as well, but seldom. */
	o.expire = now >= d->expire + (idle ? 0 : 10 * TICK);
	if (!d->nfree || (!d->tidy && !(o.expire && idle)))
		return false;
	if (o.expire)
		d->expire = now + TICK;
	d->tidy = false;
	give(d, d->free[--d->nfree], &o);
	return true;
}

/* A worker that is stopped, or hangs, does not claim the job that it was given.
 * Then another one gets the name, too; whoever claims it first has it. */
static void
check_obeyed(struct dispatch *d, int64_t now)
{
	int64_t next = 0;
	int k;

	if (!d->check || now < d->check)
		return;
	for (k = 0; k < d->options->count; k++) {
		struct seat *s = &d->seat[k];

		if (!s->given)
			continue;
		if (now < s->given + OBEYED) {
			if (!next || s->given + OBEYED < next)
				next = s->given + OBEYED;
			continue;
		}
		s->given = 0;
		if (spool_there(d->spool, s->order.state, &s->order.name))
			backlog_add(&d->backlog, s->order.state,
			    &s->order.name);
	}
	d->check = next;
}

static void
give_jobs(struct dispatch *d)
{
	struct candidate c;

	while (d->nfree && backlog_pop(&d->backlog, &c)) {
		struct order o = { .what = ORDER_RUN,
			.state = (enum job_state)c.state,
			.name = candidate_name(&c) };
		int k = d->free[0];

		d->nfree--;
		memmove(d->free, d->free + 1, (size_t)d->nfree *
		    sizeof *d->free);
		d->seat[k].tries = c.tries;
		o.quiet = was_refused(d, &o.name);
		give(d, k, &o);
	}
}

/* Finds out whether nothing is left to do, when all workers are idle. */
static void
check_drained(struct dispatch *d)
{
	int r;

	if (!d->options->drain || d->nfree < d->hired || !d->hired)
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
	int k;

	for (k = 0; k < d->options->count; k++)
		if (d->seat[k].channel >= 0 && !d->seat[k].used)
			return false;
	return d->hired > 0;
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
time_left(const struct dispatch *d)
{
	int64_t until = d->tick, now = monotonic(), due;

	if (d->backlog.pass.active && !d->paused)
		return 0;
	if (d->recover && d->recover < until)
		until = d->recover;
	if (d->nfree && d->expire < until)
		until = d->expire;
	if (d->check && d->check < until)
		until = d->check;
	due = d->paused ? INT64_MAX : backlog_due(&d->backlog);
	if (due != INT64_MAX && due - today() < until - now)
		until = now + due - today();
	return poll_ms(until - now);
}

int
dispatch_step(struct dispatch *d)
{
	int64_t now = monotonic();

	if (d->stopping)
		return poll_ms(tell_stop(d) && d->told ? TICK : POLL);
	follow_config(d);
	tick(d, now);
	give_tidy(d, now, false);
	check_obeyed(d, now);
	if (!d->paused) {
		look(d, now);
		give_jobs(d);
	}
	if ((d->paused || backlog_is_dry(&d->backlog)) &&
	    !give_tidy(d, now, true))
		check_drained(d);
	return time_left(d);
}
