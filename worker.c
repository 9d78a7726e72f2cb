/*
 * worker.c: a worker's loop.
 *
 *     the board ── a task ── claim ── run ── record ── the board …
 *
 * A worker takes one task after the other from the pool's board.  A name there
 * is a hint, and the claim decides, because workers of other pools compete.
 * When there is nothing to do, the worker waits to be called.
 *
 * If the supervisor has died, the pipe of the calls ends, and the worker stops
 * after its job.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "spool/waiting.h"
#include "worker/launch.h"
#include "worker/run.h"
#include "worker/self.h"
#include "worker/worker.h"

enum {
	EXPIRE_MAX = 512,       /* jobs purged for one task */
	ORPHAN_MS = 1000        /* between looks for requests of an orphan */
};

/* --- calls -------------------------------------------------------------- */

int
worker_stop_level(const struct worker *w)
{
	if (!w->stop && (terminations || w->call < 0))
		return 1;
	return w->stop;
}

/* Looks at the board, or finds that the supervisor has died. */
static void
answer_call(struct worker *w)
{
	bool cancel;

	if (!bell_drain(w->call)) {
		close(w->call);
		w->call = -1;
		w->spool->after = NULL; /* nobody tells us any more */
	}
	w->stop = board_look(w->board, w->number - 1, &cancel);
	w->cancel |= cancel;
}

bool
worker_doze(struct worker *w, int ms, int in, int out)
{
	struct pollfd p[4] = {
		{ .fd = self_pipe, .events = POLLIN },
		{ .fd = w->call, .events = POLLIN },
		{ .fd = in, .events = POLLIN },
		{ .fd = out, .events = POLLOUT },
	};

	/* Nobody stops an orphan: it looks for requests itself. */
	if (w->call < 0 && (ms < 0 || ms > ORPHAN_MS))
		ms = ORPHAN_MS;
	if (poll(p, 4, ms) < 0)
		return false;
	if (p[0].revents)
		self_pipe_drain();
	if (p[1].revents)
		answer_call(w);
	if (w->call < 0) {
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

/* --- a job -------------------------------------------------------------- */

static void
say_bad(struct worker *w, const char *id)
{
	say(w->number, "Job moved to the dead letter queue: %s: its text is "
	    "no job: %s", id, w->spool->why);
}

/* Says what failed, now and then as long as it does. */
static void
say_failure(struct worker *w, const char *what)
{
	if (board_may_complain(w->board, what, strerror(errno)))
		say_error(w->number, w->spool, what);
}

static void
say_refused(struct worker *w, enum job_state state,
    const struct job_name *name)
{
	char file[JOB_NAME_MAX + 1];

	job_name_format(file, name);
	if (board_may_complain(w->board, w->spool->why, file))
		say(w->number, "Left alone: %s/%s: %s",
		    job_state_dir(state), file, w->spool->why);
}

/* Tells the dispatcher that others may have the job's locks. */
static void
let_go(struct worker *w, const struct job_name *name)
{
	if (name->locks[0])
		board_let_go(w->board, w->number - 1, name->locks);
}

/* Claims and runs a job.  What the dispatcher can do something about is
 * reported: the name is to be tried again. */
static void
try_job(struct worker *w)
{
	const struct job_name name = candidate_name(&w->task.job);
	enum job_state state = (enum job_state)w->task.job.state;
	struct report report = { .began = name.locks[0] ? monotonic() : 0 };
	struct spool_claim claim;

	spool_config_refresh(w->spool);
	if (w->spool->config.paused) { /* no job begins from now on */
		report.result = SPOOL_OK;
		board_report(w->board, w->number - 1, &report);
		return;
	}
	report.result = spool_claim(w->spool, state, &name, today(), &claim);
	switch (report.result) {
	case SPOOL_OK:
		run_job(w, &claim);
		let_go(w, &name);
		return;
	case SPOOL_BAD:
		board_add_dead(w->board, w->number - 1);
		say_bad(w, name.id);
		let_go(w, &name);
		return;
	case SPOOL_REFUSED:
		say_refused(w, state, &name);
		break;
	case SPOOL_ERROR:
		say_failure(w, "cannot claim a job; trying again every second");
		break;
	case SPOOL_LOCKED:
		report.busy = claim.busy;
		break;
	case SPOOL_BUSY:
		break;
	default: /* another worker has it */
		let_go(w, &name);
		return;
	}
	board_report(w->board, w->number - 1, &report);
}

/* --- tidying ------------------------------------------------------------ */

static void
say_recovered(void *arg, int result, const struct job_attempt *end,
    enum job_state state, const struct job_name *name)
{
	struct worker *w = arg;
	struct buf b = { 0 };

	if (result == SPOOL_BAD || (result == SPOOL_OK && state == JOB_DEAD))
		board_add_dead(w->board, w->number - 1);
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
		say_failure(w, "cannot recover a job; trying again every second");
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
		say_failure(p->worker, "cannot purge a job");
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
	int64_t now = today();
	const struct spool_expiry e = {
		.now = now,
		/* before the clock was set we could not know their age */
		.keep = now - w->task.since < keep ? -1 : keep,
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

/* Completes releases that were cut short, in 1 % of the time: a pool without
 * inotify tidies four times a second. */
static void
sweep(struct worker *w)
{
	int64_t began = monotonic(), now;
	size_t released;

	if (!board_may_sweep(w->board, began))
		return;
	if (spool_waiting_sweep(w->spool, &released) != SPOOL_OK)
		say_failure(w, "cannot release a waiting job");
	if (released)
		say(w->number, "Released %zu waiting job%s", released,
		    released == 1 ? "" : "s");
	now = monotonic();
	board_set_sweep(w->board, now + 100 * (now - began));
}

static void
tidy(struct worker *w)
{
	const struct config *config = &w->spool->config;
	struct report r = { .held = 0 };
	int64_t began;

	spool_config_refresh(w->spool);
	r.result = recover(w, &r.held);
	sweep(w);
	/* nobody needs to know any more what dead pools ran */
	if (r.result == SPOOL_OK && !r.held)
		spool_pool_sweep(w->spool);
	if (w->task.expire) {
		began = monotonic();
		r.more = expire(w, JOB_DONE, config->keep_done);
		r.more |= expire(w, JOB_DEAD, config->keep_dead);
		r.took = monotonic() - began;
	}
	board_report(w->board, w->number - 1, &r);
}

/* --- the loop ----------------------------------------------------------- */

static void
work(struct worker *w)
{
	while (!worker_stop_level(w)) {
		w->task = board_take(w->board, w->number - 1);
		switch (w->task.what) {
		case TASK_RUN:
			try_job(w);
			break;
		case TASK_TIDY:
			tidy(w);
			break;
		case TASK_STOP:
			return;
		case TASK_NONE:
			if (w->slot_names_job)
				worker_write_slot(w, NULL, 0);
			worker_doze(w, -1, -1, -1);
			break;
		}
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
}

void
worker_main(struct spool *sp, struct spool_pool *pool,
    const struct worker_options *options, int number, struct board *board,
    int call, bool restarted)
{
	struct worker w = {
		.spool = sp, .pool = pool, .options = options,
		.number = number, .pid = getpid(), .board = board, .call = call,
		.since = today(), .terminal = has_terminal()
	};
	extern char **environ;
	size_t n;

	sp->after = &board->after;
	for (n = 0; environ && environ[n]; n++)
		;
	w.by_vfork = vfork_shares_memory();
	w.env.plain = is_plain_env(environ, n, "", &w.env.has_path);
	take_slot(&w, restarted);
	work(&w);
	worker_write_slot(&w, NULL, 0); /* with the last tally */
	_exit(0);
}
