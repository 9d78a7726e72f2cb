/*
 * worker.c: a worker's loop.
 *
 *     an order ── claim ── run ── record ── the next order …
 *
 * A worker knows no queue: the pool's dispatcher gives it one name at a time.
 * The name is a hint, and the claim decides, because workers of other pools
 * compete.  A worker reports that a job has ended before it records the end,
 * so its next order is in the channel when it is done.
 *
 * If the dispatcher has died, the channel ends, and the worker stops after its
 * job.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "worker/launch.h"
#include "worker/run.h"
#include "worker/self.h"
#include "worker/worker.h"

enum {
	EXPIRE_MAX = 512,       /* jobs purged for one order */
	ORPHAN_MS = 1000        /* between looks for requests of an orphan */
};

/* --- orders ------------------------------------------------------------- */

int
worker_stop_level(const struct worker *w)
{
	if (!w->stop && (terminations || w->channel < 0))
		return 1;
	return w->stop;
}

void
worker_report(struct worker *w, int what, int result)
{
	struct report r = { .number = w->order.number, .result = result };

	r.what = (unsigned)what;
	if (w->channel >= 0)
		channel_send(w->channel, &r, sizeof r);
}

/* Gives back an order that came while we cannot take one. */
static void
return_order(struct worker *w, const struct order *o)
{
	const struct report r = { .what = REPORT_RETURNED,
		.number = o->number, .before = w->order.number };

	w->returned = true;
	channel_send(w->channel, &r, sizeof r);
}

static void
take_order(struct worker *w, const struct order *o)
{
	switch (o->what) {
	case ORDER_RUN:
	case ORDER_TIDY:
		if (w->recording) {
			return_order(w, o);
			break;
		}
		w->next = *o;
		w->has_next = true;
		break;
	case ORDER_CANCEL:
		w->cancel = true;
		break;
	case ORDER_STOP:
	case ORDER_NOW:
		w->stop = o->what == ORDER_NOW ? 2 : w->stop ? w->stop : 1;
		break;
	}
}

static void
take_orders(struct worker *w)
{
	enum { MOST = 4 };
	struct order o[MOST];
	int i, n;

	if (w->channel < 0)
		return;
	do {
		n = channel_receive(w->channel, o, sizeof *o, MOST);
		for (i = 0; i < n; i++)
			take_order(w, &o[i]);
	} while (n == MOST);
	if (n < 0) {
		close(w->channel);
		w->channel = -1;
	}
}

bool
worker_doze(struct worker *w, int ms, int in, int out)
{
	struct pollfd p[4] = {
		{ .fd = self_pipe, .events = POLLIN },
		{ .fd = w->channel, .events = POLLIN },
		{ .fd = in, .events = POLLIN },
		{ .fd = out, .events = POLLOUT },
	};

	/* Nobody stops an orphan: it looks for requests itself. */
	if (w->channel < 0 && (ms < 0 || ms > ORPHAN_MS))
		ms = ORPHAN_MS;
	if (poll(p, 4, ms) < 0)
		return false;
	if (p[0].revents)
		self_pipe_drain();
	if (p[1].revents)
		take_orders(w);
	if (w->channel < 0) {
		w->cancel = true;
		if (spool_pool_asked(w->spool, w->pool) == 2)
			w->stop = 2;
	}
	return p[2].revents;
}

bool
worker_is_cancelled(struct worker *w, const struct job_name *run)
{
	if (!w->cancel)
		return false;
	w->cancel = false;
	return spool_cancelled(w->spool, run);
}

void
worker_write_slot(struct worker *w, const struct spool_claim *c, int64_t log)
{
	struct spool_slot slot = {
		.number = w->number, .pid = (long)w->pid, .since = w->since,
		.tally = w->tally
	};

	if (c) {
		strcpy(slot.job, c->name.id);
		slot.start = c->name.stamp;
		slot.log = log;
	}
	spool_slot_write(w->pool, &slot);
	w->slot_names_job = c != NULL;
}

/* --- an order to run ---------------------------------------------------- */

static void
say_bad(struct worker *w, const char *id)
{
	say(w->number, "Job moved to the dead letter queue: %s: its text is "
	    "no job: %s", id, w->spool->why);
}

static void
say_refused(struct worker *w, enum job_state state,
    const struct job_name *name)
{
	char file[JOB_NAME_MAX + 1];

	job_name_format(file, name);
	say(w->number, "Left alone: %s/%s: %s", job_state_dir(state), file,
	    w->spool->why);
}

static void
try_job(struct worker *w)
{
	const struct order *o = &w->order;
	struct spool_claim claim;
	int r = spool_claim(w->spool, o->state, &o->name, today(), &claim);

	if (r == SPOOL_OK) {
		run_job(w, &claim);
		return;
	}
	if (r == SPOOL_BAD)
		say_bad(w, o->name.id);
	else if (r == SPOOL_REFUSED && !o->quiet)
		say_refused(w, o->state, &o->name);
	else if (r == SPOOL_ERROR)
		say_error(w->number, w->spool, "cannot claim a job; "
		    "trying again in a second");
	worker_report(w, REPORT_ENDED, r);
}

/* --- an order to tidy --------------------------------------------------- */

static void
say_recovered(void *arg, int result, const struct job_attempt *end,
    enum job_state state, const struct job_name *name)
{
	struct worker *w = arg;
	struct buf b = { 0 };

	switch (result) {
	case SPOOL_OK:
		/* an end that was recorded was counted by its worker, or not */
		if (end->outcome == JOB_LOST)
			spool_tally_count(&w->tally, end);
		job_outcome_words(&b, end);
		say(w->number, "Recovered job %s: %s; now %s", name->id,
		    b.p ? b.p : "", job_state_word(state));
		buf_free(&b);
		break;
	case SPOOL_BAD:
		say_bad(w, name->id);
		break;
	case SPOOL_REFUSED:
		say_refused(w, state, name);
		break;
	default:
		say_error(w->number, w->spool, "cannot recover a job");
	}
}

static int
recover(struct worker *w, size_t *held)
{
	return spool_recover(w->spool, today(), say_recovered, w, held);
}

/* What became of purging jobs of one state. */
struct purged {
	struct worker *worker;
	size_t n;
};

static bool
count_purged(void *arg, int result, const char *id)
{
	struct purged *p = arg;

	(void)id;
	if (result == SPOOL_ERROR) {
		say_error(p->worker->number, p->worker->spool,
		    "cannot purge a job");
		return false;
	}
	p->n += result == SPOOL_OK;
	return true;
}

/* Purges jobs that were kept for long enough (microseconds; below 0: for
 * ever), and those beyond keep-max.  Returns whether there may be more. */
static bool
expire(struct worker *w, enum job_state state, int64_t keep)
{
	const struct spool_expiry e = {
		.before = keep < 0 ? INT64_MIN : today() - keep,
		.arrival = true,
		.most = (size_t)w->spool->config.keep_max,
		.limit = EXPIRE_MAX
	};
	struct purged p = { w, 0 };
	bool more;

	if (keep < 0 && !e.most)
		return false;
	spool_expire(w->spool, state, &e, count_purged, &p, &more);
	if (p.n)
		say(w->number, "Purged %zu %s job%s", p.n,
		    job_state_word(state), p.n == 1 ? "" : "s");
	return more;
}

static void
tidy(struct worker *w)
{
	const struct config *config = &w->spool->config;
	struct report r = { .what = REPORT_TIDIED,
		.number = w->order.number };
	int64_t began;

	r.result = recover(w, &r.held);
	/* nobody needs to know any more what dead pools ran */
	if (r.result == SPOOL_OK && !r.held)
		spool_pool_sweep(w->spool);
	if (w->order.expire) {
		began = monotonic();
		r.more = expire(w, JOB_DONE, config->keep_done);
		r.more |= expire(w, JOB_DEAD, config->keep_dead);
		r.took = monotonic() - began;
	}
	if (w->channel >= 0)
		channel_send(w->channel, &r, sizeof r);
}

/* --- the loop ----------------------------------------------------------- */

static void
obey(struct worker *w)
{
	w->order = w->next;
	w->has_next = false;
	if (w->order.config != w->config)
		spool_config_refresh(w->spool);
	w->config = w->order.config;
	if (w->order.what == ORDER_TIDY)
		tidy(w);
	else
		try_job(w);
}

static void
work(struct worker *w)
{
	for (;;) {
		take_orders(w);
		if (worker_stop_level(w))
			return;
		if (w->has_next) {
			obey(w);
			continue;
		}
		if (w->slot_names_job)
			worker_write_slot(w, NULL, 0);
		worker_doze(w, -1, -1, -1);
	}
}

static bool
has_terminal(void)
{
	int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return errno != ENXIO;
	close(fd);
	return true;
}

/* Takes over the slot.  The job of the worker that had it before is recovered
 * first, while the slot still says where its output begins. */
static void
take_slot(struct worker *w, bool restarted)
{
	struct spool_slot before;
	size_t held;

	spool_slot_read(w->pool, w->number, &before);
	w->tally = before.tally;
	if (restarted)
		recover(w, &held);
	worker_write_slot(w, NULL, 0);
	worker_report(w, REPORT_READY, SPOOL_OK);
}

void
worker_main(struct spool *sp, struct spool_pool *pool,
    const struct worker_options *options, int number, int channel,
    bool restarted)
{
	struct worker w = {
		.spool = sp, .pool = pool, .options = options,
		.number = number, .pid = getpid(), .channel = channel,
		.since = today(), .terminal = has_terminal()
	};
	extern char **environ;
	size_t n;

	for (n = 0; environ && environ[n]; n++)
		;
	w.by_vfork = vfork_shares_memory();
	w.env.plain = is_plain_env(environ, n, "", &w.env.has_path);
	take_slot(&w, restarted);
	work(&w);
	worker_write_slot(&w, NULL, 0); /* with the last tally */
	_exit(0);
}
