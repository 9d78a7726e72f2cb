/*
 * worker/dispatch.c: which name goes to which worker, and when.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, MADV_DONTFORK */
#include <sys/mman.h>
#include <string.h>

#include "spool/watch.h"
#include "worker/dispatch.h"
#include "worker/order.h"
#include "worker/queue.h"
#include "worker/self.h"

enum {
	USUAL_ID = 10,          /* bytes, as job_id_make() makes them */
	PASS_STEP = 4096,       /* names of a pass between two looks at events */
	REFUSED_MAX = 64        /* names whose refusal was said already */
};

#define TICK      (60 * SECOND)       /* where inotify works */
#define POLL      (SECOND / 4)        /* where it does not */
#define BUSY_MIN  (5 * SECOND / 1000) /* until a locked name is tried again */
#define BUSY_MAX  SECOND
#define HELD_MIN  (SECOND / 20)       /* so is a job of a dead worker */
#define HELD_MAX  (5 * SECOND)

/* A worker, as the dispatcher sees it. */
struct seat {
	int channel;               /* -1: there is no worker */
	bool busy;                 /* it has an order and has not reported */
	struct order order;        /* the last */
	unsigned char tries;       /* of the order's name */
};

/* A pass over pending/ and failed/. */
struct pass {
	bool active;
	enum job_state state;      /* the directory that is being read */
	struct spool_iter it;
	struct candidate from;     /* what is better was given out already */
	int64_t began, ended;      /* monotonic */
	int64_t front;             /* began, of the last that skipped nothing */
	bool whole;                /* all directories could be read */
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
	bool paused;               /* and it was said */
	bool stopping;
	bool drained;

	struct queue ready;        /* by priority and stamp */
	struct queue timed;        /* deadlines that lie ahead */
	struct queue busy;         /* locked; to be tried again */
	struct pass pass;
	int64_t wanted;            /* a pass from the front must have begun then
	                            * or later */
	int64_t tick;              /* when to look without being told */

	bool tidy;                 /* give the next free worker that order */
	int64_t recover;           /* when to recover again; 0: at the tick */
	int64_t held_wait;         /* between two recoveries of held jobs */
	int64_t expire;            /* when to purge again */
	bool swept;                /* the files of dead pools are gone */

	int *free;                 /* workers without an order, nfree of them; */
	int nfree, hired;          /* of those there are */
	struct seat *seat;
	uint32_t orders;           /* counts them */
	uint32_t refused[REFUSED_MAX];
	size_t nrefused;

	size_t size;               /* of all this memory */
	size_t room;               /* bytes of the queue `ready` */
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
	const size_t wide = queue_width(JOB_ID_MAX);
	size_t ready = o->ready ? o->ready : READY_MAX;
	size_t timed = queue_size(o->timed ? o->timed : TIMED_MAX, wide);
	size_t count = (size_t)o->count;
	size_t room = queue_size(ready, queue_width(USUAL_ID));
	struct dispatch *d;
	size_t size;
	char *p;
	int k;

	if (room < queue_size(1, wide))
		room = queue_size(1, wide);
	size = sizeof *d + count * (sizeof *d->seat + sizeof *d->free) + 8 +
	    2 * timed + room;
	/* In pages of its own, which workers do not inherit: pages that are
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
	d->room = room;
	d->paused = sp->config.paused;
	d->reconfigure = d->requests = d->tidy = true;
	d->pass.it.names.fd = -1;
	p = (char *)(d + 1);
	d->seat = (void *)p;
	p += count * sizeof *d->seat;
	queue_lay_out(&d->timed, p, timed, wide);
	queue_lay_out(&d->busy, p + timed, timed, wide);
	queue_lay_out(&d->ready, p + 2 * timed, room, queue_width(USUAL_ID));
	d->free = (void *)(p + 2 * timed + room);
	for (k = 0; k < o->count; k++)
		d->seat[k].channel = -1;
	watch_spool(d);
	d->wanted = d->expire = monotonic();
	d->tick = d->wanted + (d->told ? TICK : POLL);
	return d;
}

void
dispatch_close(struct dispatch *d)
{
	int k;

	for (k = 0; k < d->options->count; k++)
		close_quietly(d->seat[k].channel);
	spool_watch_close(&d->watch);
	if (d->pass.active)
		spool_iter_close(&d->pass.it);
	munmap(d, d->size);
}

/* --- what is known of a name -------------------------------------------- */

/* The longest that a job can wait for a retry, in microseconds. */
static int64_t
longest_wait(const struct dispatch *d, int64_t backoff_max)
{
	const struct job_policy *policy = &d->spool->config.policy;

	if (backoff_max < 0)
		backoff_max = policy->backoff_max;
	return backoff_max * SECOND / 100 * (100 + policy->backoff_jitter);
}

/*
 * Whether a deadline in failed/ is further ahead than a backoff can be: it was
 * set before the clock was set back, and counts as due.  The job may say what
 * its backoff can be, so its file is read.
 */
static bool
is_bogus(struct dispatch *d, const struct job_name *name, int64_t now)
{
	int64_t max = -1;
	struct job job;

	if (spool_load(d->spool, JOB_FAILED, name, &job) == SPOOL_OK &&
	    job.backoff_max >= 0)
		max = job.backoff_max;
	job_free(&job);
	return name->stamp - now > longest_wait(d, max);
}

/* Makes a candidate of a name.  Whether it is ready; else it has a deadline. */
static bool
appraise(struct dispatch *d, enum job_state state, const struct job_name *name,
    int64_t now, struct candidate *c)
{
	*c = candidate_of(state, name);
	if (!name->timed || name->stamp <= now || (state == JOB_FAILED &&
	    name->stamp - now > longest_wait(d, -1) &&
	    is_bogus(d, name, now)))
		return true;
	c->rank = 0;
	return false;
}

/* Makes a candidate ready that was due at a time. */
static void
push_ready(struct dispatch *d, struct candidate *c)
{
	c->rank = c->priority;
	c->when = c->stamp;
	queue_push(&d->ready, c);
}

/* Takes in a name that somebody told us about. */
static void
push_name(struct dispatch *d, enum job_state state,
    const struct job_name *name)
{
	struct candidate c;

	if (appraise(d, state, name, today(), &c))
		queue_push(&d->ready, &c);
	else
		queue_push(&d->timed, &c);
	if (d->ready.wider) /* its id is too long for the slots */
		d->wanted = monotonic();
}

/* A name that is locked, or could not be claimed, is tried again in a while. */
static void
postpone(struct dispatch *d, const struct order *o, unsigned tries, int64_t us)
{
	struct candidate c = candidate_of(o->state, &o->name);

	c.rank = 0;
	c.when = today() + us;
	c.tries = (unsigned char)(tries < 30 ? tries + 1 : tries);
	queue_push(&d->busy, &c);
}

/* --- a pass over the directories ---------------------------------------- */

static void
pass_open(struct dispatch *d, enum job_state state)
{
	d->pass.state = state;
	d->pass.active = true;
	if (spool_iter_open(d->spool, &d->pass.it, state) == SPOOL_OK)
		return;
	d->pass.whole = false;
	say_error(0, d->spool, "cannot look for jobs; trying again in a "
	    "second");
}

/* Begins a pass, behind names that were given out already; NULL: from the
 * front.  The queues begin anew with it. */
static void
pass_begin(struct dispatch *d, const struct candidate *from)
{
	static const struct candidate lowest = { .when = INT64_MIN };

	d->pass.from = from ? *from : lowest;
	d->pass.began = monotonic();
	d->pass.whole = true;
	if (!from)
		d->pass.front = d->pass.began;
	if (d->ready.wider)
		queue_lay_out(&d->ready, d->ready.order, d->room,
		    d->ready.wider);
	queue_clear(&d->ready);
	queue_clear(&d->timed);
	if (!from) {
		queue_clear(&d->busy);
		queue_sort(&d->busy);
	}
	pass_open(d, JOB_PENDING);
}

/* A job may say that its backoff is shorter than the config's: then appraise()
 * was too patient.  Only the names that were kept are looked at. */
static void
mend_deadlines(struct dispatch *d, int64_t now)
{
	size_t i;

	for (i = 0; i < d->timed.n; i++) {
		struct candidate c = queue_get(&d->timed, i);
		struct job_name name = candidate_name(&c);

		if (c.state == JOB_FAILED && is_bogus(d, &name, now))
			push_ready(d, &c);
	}
}

static void
pass_end(struct dispatch *d)
{
	struct pass *p = &d->pass;

	if (d->ready.wider) { /* once more, with room for longer ids */
		pass_begin(d, p->front == p->began ? NULL : &p->from);
		return;
	}
	mend_deadlines(d, today());
	queue_sort(&d->ready);
	queue_sort(&d->timed);
	p->active = false;
	p->ended = monotonic();
	if (!p->whole)
		d->tick = p->ended + RETRY;
}

/* Reads a bounded number of names, so that events do not wait. */
static void
pass_step(struct dispatch *d)
{
	struct pass *p = &d->pass;
	int64_t now = today();
	struct job_name name;
	struct candidate c;
	int n, r = 1;

	for (n = 0; n < PASS_STEP && p->it.names.fd >= 0 &&
	    (r = spool_iter_next(&p->it, &name)) > 0; n++)
		if (!appraise(d, p->state, &name, now, &c))
			queue_push(&d->timed, &c);
		else if (candidate_compare(&c, &p->from) >= 0)
			queue_push(&d->ready, &c);
	if (n == PASS_STEP)
		return;
	if (r < 0) {
		p->whole = false;
		say_error(0, d->spool, "cannot look for jobs; trying again in "
		    "a second");
	}
	spool_iter_close(&p->it);
	if (p->state == JOB_PENDING)
		pass_open(d, JOB_FAILED);
	else
		pass_end(d);
}

/* Begins a pass if one is due, and goes on with the one that was begun. */
static void
look(struct dispatch *d)
{
	struct pass *p = &d->pass;
	const struct candidate from = d->ready.horizon;

	/* Without news, an urgent job may have come unseen.  We look for it
	 * before the next order, for a tenth of the time at most. */
	if (!d->told && !p->active && d->ready.n &&
	    monotonic() - p->ended > 10 * (p->ended - p->began))
		d->wanted = monotonic();
	if (!p->active && p->front < d->wanted)
		pass_begin(d, NULL);
	else if (!p->active && !d->ready.n && d->ready.over)
		pass_begin(d, &from);
	if (p->active)
		pass_step(d);
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
	d->wanted = monotonic();
	d->reconfigure = d->requests = true;
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
			push_name(d, (enum job_state)dir, &name);
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
	d->seat[k] = (struct seat){ .channel = channel, .busy = true };
	d->hired++;
}

static void
seat_free(struct dispatch *d, int k)
{
	d->seat[k].busy = false;
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
		push_name(d, s->order.state, &s->order.name);
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
	/* If it cannot be sent, the worker is dead, and the pool will say so:
	 * dispatch_lose() takes the order back. */
	channel_send(s->channel, o, sizeof *o);
}

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint32_t
hash_name(const struct job_name *name)
{
	char file[JOB_NAME_MAX + 1];
	const char *s = file;
	uint32_t h = 2166136261u;

	job_name_format(file, name);
	while (*s)
		h = (h ^ (unsigned char)*s++) * 16777619u;
	return h;
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

/* The worker is free; what became of its order decides about the name. */
static void
hear_ended(struct dispatch *d, int k, const struct report *r)
{
	struct seat *s = &d->seat[k];
	unsigned n = s->tries < 8 ? s->tries : 8;

	if (r->result == SPOOL_BUSY)
		postpone(d, &s->order, s->tries, BUSY_MIN << n < BUSY_MAX ?
		    BUSY_MIN << n : BUSY_MAX);
	else if (r->result == SPOOL_ERROR)
		postpone(d, &s->order, s->tries, RETRY);
	else if (r->result == SPOOL_ALIEN && !s->order.quiet)
		d->refused[d->nrefused++ % REFUSED_MAX] =
		    hash_name(&s->order.name);
	seat_free(d, k);
}

/* Plans the next recovery.  A job whose worker died is held while a process of
 * it lives on, or because another worker has just claimed it and has not said
 * so yet. */
static void
hear_recovered(struct dispatch *d, const struct report *r)
{
	int64_t now = monotonic();

	d->recover = 0;
	if (r->result == SPOOL_ERROR) {
		d->recover = now + RETRY;
	} else if (r->held) {
		d->held_wait = !d->held_wait ? HELD_MIN :
		    2 * d->held_wait < HELD_MAX ? 2 * d->held_wait : HELD_MAX;
		d->recover = now + d->held_wait;
	} else {
		d->held_wait = 0;
	}
}

static void
hear_tidied(struct dispatch *d, int k, const struct report *r)
{
	const struct order *o = &d->seat[k].order;
	int64_t pause = 100 * r->took; /* purging takes 1 % of the time */

	hear_recovered(d, r);
	if (o->sweep && r->result == SPOOL_OK && !r->held)
		d->swept = true;
	if (o->expire)
		d->expire = monotonic() + (r->more ? 0 : pause > TICK ? pause :
		    TICK);
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
		if (r->recovered)
			hear_recovered(d, r);
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
			push_name(d, s->order.state, &s->order.name);
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

void
dispatch_stop(struct dispatch *d, int level)
{
	const struct order o = { .what = level == 1 ? ORDER_STOP : ORDER_NOW };
	int k;

	d->stopping = true;
	for (k = 0; k < d->options->count; k++)
		if (d->seat[k].channel >= 0)
			channel_send(d->seat[k].channel, &o, sizeof o);
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
	int64_t took = d->pass.ended - d->pass.began;

	if (d->told)
		return TICK;
	return poll > 10 * took ? poll : 10 * took;
}

static void
tick(struct dispatch *d, int64_t now)
{
	if (now >= d->tick) {
		d->reconfigure = d->requests = true;
		if (!d->told)
			spool_requests(d->spool, pass_on_request, d);
		/* unless we have looked not long ago */
		if (!d->pass.whole || d->pass.front < now - interval(d) / 2)
			d->wanted = now;
		d->tidy = true;
		d->tick = now + interval(d);
	}
	if (d->recover && now >= d->recover) {
		d->recover = 0;
		d->tidy = true;
	}
}

/* Makes ready what is due. */
static void
collect_due(struct dispatch *d)
{
	const struct candidate *c;
	int64_t now = today();

	if (d->pass.active)
		return;
	while ((c = queue_best(&d->timed)) && c->when <= now) {
		struct candidate due = queue_pop(&d->timed);

		push_ready(d, &due);
	}
	while ((c = queue_best(&d->busy)) && c->when <= now) {
		struct candidate due = queue_pop(&d->busy);

		push_ready(d, &due);
	}
	/* a deadline that found no room, or locked names that did not, when
	 * nothing else is left */
	if ((d->timed.over && !d->timed.n && d->timed.horizon.when <= now) ||
	    (d->busy.over && !d->ready.n && !d->ready.over &&
	    d->pass.ended + BUSY_MAX <= monotonic()))
		d->wanted = monotonic();
}

static bool
give_tidy(struct dispatch *d, int64_t now, bool idle)
{
	struct order o = { .what = ORDER_TIDY, .sweep = !d->swept };

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

static void
give_jobs(struct dispatch *d)
{
	while (d->nfree && d->ready.n && !d->pass.active && !d->paused) {
		struct candidate c = queue_pop(&d->ready);
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
dispatch_drained(const struct dispatch *d)
{
	return d->drained;
}

/* Until when to sleep, as ms from now. */
static int
time_left(const struct dispatch *d)
{
	int64_t until = d->tick, now = monotonic(), wall = today(), due;
	const struct candidate *c;

	if (d->pass.active)
		return 0;
	if (d->recover && d->recover < until)
		until = d->recover;
	if (d->nfree && d->expire < until)
		until = d->expire;
	if (d->busy.over && !d->ready.n && d->pass.ended + BUSY_MAX < until)
		until = d->pass.ended + BUSY_MAX;
	due = (c = queue_best(&d->timed)) ? c->when : d->timed.over ?
	    d->timed.horizon.when : INT64_MAX;
	if ((c = queue_best(&d->busy)) && c->when < due)
		due = c->when;
	if (!d->paused && due < wall + until - now)
		until = now + due - wall;
	return poll_ms(until - now);
}

int
dispatch_step(struct dispatch *d)
{
	int64_t now = monotonic();
	bool idle;

	if (d->stopping)
		return d->told ? poll_ms(TICK) : poll_ms(POLL);
	follow_config(d);
	tick(d, now);
	give_tidy(d, now, false);
	if (!d->paused) {
		collect_due(d);
		look(d);
		give_jobs(d);
	}
	idle = !d->pass.active && (d->paused || !d->ready.n);
	if (idle && !give_tidy(d, now, true))
		check_drained(d);
	return time_left(d);
}
