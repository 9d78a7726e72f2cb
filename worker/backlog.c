/*
 * worker/backlog.c: the names that wait for a worker.
 *
 * SPDX-License-Identifier: MIT
 */

#include <errno.h>
#include <string.h>

#include "worker/backlog.h"
#include "worker/self.h"

enum {
	PASS_STEP = 4096        /* names of a pass that are read at a time */
};

#define LOOK_AGAIN SECOND   /* for locked names that found no room */

/* --- opening ------------------------------------------------------------ */

size_t
backlog_size(size_t timed)
{
	return 2 * queue_size(timed, queue_width(QUEUE_ID_MAX));
}

void
backlog_open(struct backlog *b, struct spool *sp, struct board *board,
    void *memory, size_t timed)
{
	const size_t wide = queue_width(QUEUE_ID_MAX);
	size_t size = queue_size(timed, wide);

	b->spool = sp;
	b->board = board;
	queue_lay_out(&b->timed, memory, size, wide);
	queue_lay_out(&b->busy, (char *)memory + size, size, wide);
	gates_open(&b->gates, sp, board);
	b->pass = (struct pass){ .active = false };
	b->wanted = monotonic();
}

void
backlog_close(struct backlog *b)
{
	if (b->pass.active)
		spool_iter_close(&b->pass.it);
	gates_close(&b->gates);
}

/* --- what is known of a name -------------------------------------------- */

/* The longest that a job can wait for a retry, in microseconds. */
static int64_t
longest_wait(const struct backlog *b, int64_t backoff_max)
{
	const struct job_policy *policy = &b->spool->config.policy;

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
is_bogus(struct backlog *b, const struct job_name *name, int64_t now)
{
	int64_t max = -1;
	struct job job;

	if (spool_load(b->spool, JOB_FAILED, name, &job) == SPOOL_OK &&
	    job.backoff_max >= 0)
		max = job.backoff_max;
	job_free(&job);
	return name->stamp - now > longest_wait(b, max);
}

/* Makes a candidate of a name.  Whether it is ready; else it has a deadline. */
static bool
appraise(struct backlog *b, enum job_state state, const struct job_name *name,
    int64_t now, struct candidate *c)
{
	*c = candidate_of(state, name);
	if (!name->timed || name->stamp <= now || (state == JOB_FAILED &&
	    name->stamp - now > longest_wait(b, -1) &&
	    is_bogus(b, name, now)))
		return true;
	c->rank = 0;
	return false;
}

/* Puts a name on the board.  If its id is too long for the slots there, a pass
 * makes them wider and finds the name. */
static void
push_ready(struct backlog *b, const struct candidate *c)
{
	if (*candidate_locks(c) && gates_add(&b->gates, c))
		return;
	if (!board_add(b->board, c) && b->board->ready.wider)
		backlog_refresh(b);
}

/* A candidate that was due at a time, as it stands on the board. */
static struct candidate
as_ready(const struct candidate *c)
{
	struct candidate ready = *c;

	ready.rank = c->priority;
	ready.when = c->stamp;
	return ready;
}

static void
make_ready(struct backlog *b, const struct candidate *c)
{
	const struct candidate ready = as_ready(c);

	push_ready(b, &ready);
}

/* Whether the name was found locked and is not due again. */
static bool
is_postponed(const struct backlog *b, const struct candidate *c)
{
	size_t i;

	for (i = 0; i < b->busy.n; i++) {
		struct candidate other = queue_get(&b->busy, i);

		if (other.stamp == c->stamp && !strcmp(other.id, c->id))
			return true;
	}
	return false;
}

void
backlog_add(struct backlog *b, enum job_state state,
    const struct job_name *name)
{
	struct candidate c;

	if (!appraise(b, state, name, today(), &c))
		queue_push(&b->timed, &c);
	else if (!is_postponed(b, &c))
		push_ready(b, &c);
}

void
backlog_postpone(struct backlog *b, enum job_state state,
    const struct job_name *name, unsigned tries, int64_t us)
{
	struct candidate c = candidate_of(state, name);

	board_remove(b->board, &c); /* a pass may have met it meanwhile */
	c.rank = 0;
	c.when = monotonic() + us; /* even if the clock is set back */
	c.tries = (unsigned char)(tries < 30 ? tries + 1 : tries);
	queue_push(&b->busy, &c);
}

void
backlog_lock(struct backlog *b, const struct candidate *c, unsigned char busy,
    int64_t began)
{
	const struct candidate ready = as_ready(c);
	const struct job_name name = candidate_name(c);

	if (!gates_shut(&b->gates, &ready, busy, began))
		backlog_postpone(b, (enum job_state)c->state, &name, c->tries,
		    LOOK_AGAIN);
}

void
backlog_refresh(struct backlog *b)
{
	b->wanted = monotonic();
}

/* --- a pass over the directories ---------------------------------------- */

static void
say_unreadable(struct backlog *b)
{
	static const char what[] =
	    "cannot look for jobs; trying again every second";

	if (board_may_complain(b->board, what, strerror(errno)))
		say_error(0, b->spool, what);
}

static void
pass_open(struct backlog *b, enum job_state state)
{
	b->pass.state = state;
	b->pass.active = true;
	if (spool_iter_open(b->spool, &b->pass.it, state) == SPOOL_OK)
		return;
	b->pass.whole = false;
	say_unreadable(b);
}

/* Begins a pass, behind names that were taken already; NULL: from the front.  The
 * queues begin anew with it. */
static void
pass_begin(struct backlog *b, const struct candidate *from)
{
	static const struct candidate lowest = { .when = INT64_MIN };

	b->pass.from = from ? *from : lowest;
	b->pass.began = monotonic();
	b->pass.whole = true;
	if (!from)
		b->pass.front = b->pass.began;
	board_begin(b->board);
	gates_begin(&b->gates);
	queue_clear(&b->timed);
	if (!from && b->busy.over) {
		/* the pass finds those that found no room */
		queue_clear(&b->busy);
		queue_sort(&b->busy);
	}
	pass_open(b, JOB_PENDING);
}

/* A job may say that its backoff is shorter than the config's: then appraise()
 * was too patient.  Only the names that were kept are looked at. */
static void
mend_deadlines(struct backlog *b, int64_t now)
{
	size_t i;

	for (i = 0; i < b->timed.n; i++) {
		struct candidate c = queue_get(&b->timed, i);
		struct job_name name = candidate_name(&c);

		if (c.state == JOB_FAILED && is_bogus(b, &name, now))
			make_ready(b, &c);
	}
}

/* A pass meets the names that are postponed, too.  If they were tried each time,
 * they would hold up those behind them. */
static void
hide_postponed(struct backlog *b)
{
	size_t i;

	for (i = 0; i < b->busy.n; i++) {
		const struct candidate c = queue_get(&b->busy, i);
		const struct candidate ready = as_ready(&c);

		board_remove(b->board, &ready);
	}
}

static void
pass_end(struct backlog *b)
{
	struct pass *p = &b->pass;

	mend_deadlines(b, today());
	/* once more, with room for longer ids */
	if (b->board->ready.wider || b->gates.wider) {
		pass_begin(b, p->front == p->began ? NULL : &p->from);
		return;
	}
	queue_sort(&b->board->ready);
	queue_sort(&b->timed);
	hide_postponed(b);
	gates_end(&b->gates);
	board_end(b->board);
	p->active = false;
	p->ended = monotonic();
}

/* Reads a bounded number of names, so that events do not wait. */
static void
pass_step(struct backlog *b)
{
	struct pass *p = &b->pass;
	int64_t now = today();
	struct job_name name;
	struct candidate c;
	int n, r = 1;

	for (n = 0; n < PASS_STEP && p->it.names.fd >= 0 &&
	    (r = spool_iter_next(&p->it, &name)) > 0; n++)
		if (!appraise(b, p->state, &name, now, &c))
			queue_push(&b->timed, &c);
		else if (*candidate_locks(&c) && gates_add(&b->gates, &c))
			continue;
		else if (candidate_compare(&c, &p->from) >= 0)
			queue_push(&b->board->ready, &c);
	if (n == PASS_STEP)
		return;
	if (r < 0) {
		p->whole = false;
		say_unreadable(b);
	}
	spool_iter_close(&p->it);
	if (p->state == JOB_PENDING)
		pass_open(b, JOB_FAILED);
	else
		pass_end(b);
}

/* --- what comes next ---------------------------------------------------- */

/* Makes ready what is due in a queue. */
static void
collect_due(struct backlog *b, struct queue *q, int64_t now)
{
	const struct candidate *c;

	while ((c = queue_best(q)) && c->when <= now) {
		struct candidate due = queue_pop(q);

		make_ready(b, &due);
	}
}

/* Whether locked names that found no room are to be looked for: when nothing
 * else is left. */
static bool
misses_busy(const struct backlog *b)
{
	return b->busy.over && !board_waiting(b->board) &&
	    !b->board->ready.over;
}

/* When a pass for the sake of locks may begin: nobody gets a name while it
 * lasts, so it takes a tenth of the time at most. */
static int64_t
rested(const struct pass *p)
{
	return p->ended + 9 * (p->ended - p->began);
}

void
backlog_step(struct backlog *b)
{
	struct pass *p = &b->pass;
	int64_t now = today();

	if (board_was_torn(b->board)) {
		backlog_refresh(b);
		gates_try(&b->gates);
	}
	if (!p->active) {
		gates_step(&b->gates);
		collect_due(b, &b->timed, now);
		collect_due(b, &b->busy, monotonic());
		if ((b->timed.over && !b->timed.n &&
		    b->timed.horizon.when <= now) || (misses_busy(b) &&
		    p->ended + LOOK_AGAIN <= monotonic()) ||
		    b->gates.wider ||
		    (b->gates.wants && rested(p) <= monotonic()))
			backlog_refresh(b);
		if (p->front < b->wanted) {
			pass_begin(b, NULL);
		} else if (b->board->ready.over && !board_waiting(b->board)) {
			const struct candidate from = b->board->ready.horizon;

			pass_begin(b, &from);
		}
	}
	if (p->active)
		pass_step(b);
}

bool
backlog_is_dry(const struct backlog *b)
{
	return !b->pass.active && !board_waiting(b->board);
}

int64_t
backlog_due(const struct backlog *b)
{
	const struct candidate *c = queue_best(&b->timed);
	int64_t due = c ? c->when : b->timed.over ? b->timed.horizon.when :
	    INT64_MAX, now = today(), again;

	if ((c = queue_best(&b->busy)) && now + c->when - monotonic() < due)
		due = now + c->when - monotonic();
	if (misses_busy(b) && now + LOOK_AGAIN < due)
		due = now + LOOK_AGAIN;
	again = gates_due(&b->gates);
	if (b->gates.wider)
		again = monotonic();
	if (b->gates.wants && rested(&b->pass) < again)
		again = rested(&b->pass);
	if (again != INT64_MAX && now + again - monotonic() < due)
		due = now + again - monotonic();
	return due;
}
