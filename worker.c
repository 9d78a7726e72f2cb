/*
 * worker.c: the pool, the order of claiming and waking up, running a job,
 * timeouts, signals.
 *
 * One supervisor, `count` workers, a process each.  The supervisor starts
 * them again when they crash, passes on requests to stop, and reaps; it runs
 * no job.  Each worker looks for jobs on its own:
 *
 *     candidates ── claim ── run ── finish ── candidates …
 *
 * The candidates are the best READY_MAX names by run order and the next
 * TIMED_MAX deadlines: a list that the pool shares, filled by one pass over
 * pending/ and failed/ that needs no stat, and what inotify has told a worker
 * since, whose events carry the names.  A candidate is only a hint: the claim
 * decides.  Workers of a pool mark what they try, so that not all of them do.
 * What did not fit is found by the next pass, made when the candidates run
 * dry, when news were lost, and on a slow tick.  Asleep, a worker wakes for
 * news, the next deadline and the tick.
 *
 * Requests reach a worker as signals from its supervisor: SIGTERM, finish the
 * job and end; SIGUSR1, end it now; SIGUSR2, see whether your job is cancelled.
 * A worker whose supervisor died reads that off the lifeline, a pipe whose
 * other end only the supervisor holds, and ends after its job.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/launch.h"
#include "worker/run.h"
#include "worker/self.h"
#include "worker/words.h"
#include "worker/worker.h"

enum { TIDY_MAX = 1024 }; /* jobs purged in one go */

#define BUSY_MIN  (5 * SECOND / 1000) /* a locked candidate is tried again */
#define BUSY_MAX  SECOND
#define HELD_MIN  (SECOND / 20)       /* so is one left by a dead worker */
#define HELD_MAX  (5 * SECOND)

/* A monotonic time, short, in units of 16 us; it begins anew every 19 hours. */
static uint32_t
instant(int64_t us)
{
	return (uint32_t)(us >> 4);
}

#define CLOSED UINT16_MAX

int
stop_level(const struct worker *w)
{
	if (stop_now)
		return 2;
	return terminations || w->lifeline < 0;
}

bool
doze(struct worker *w, int ms, int in, int out)
{
	struct pollfd p[4] = {
		{ .fd = wake[0], .events = POLLIN },
		{ .fd = w->lifeline, .events = POLLIN },
		{ .fd = in, .events = POLLIN },
		{ .fd = out, .events = POLLOUT },
	};

	/* An orphan is stopped by nobody: it looks itself. */
	if (w->lifeline < 0 && (ms < 0 || ms > 1000))
		ms = 1000;
	if (poll(p, 4, ms) < 0)
		return false;
	if (p[0].revents)
		drain_pipe(wake[0]);
	if (p[1].revents) {
		close(w->lifeline);
		w->lifeline = -1;
	}
	if (w->lifeline < 0 && spool_pool_asked(w->spool, w->pool) == 2)
		stop_now = 1;
	if (w->lifeline < 0)
		some_cancel = 1;
	return p[2].revents;
}

bool
is_cancelled(struct worker *w, const struct job_name *run)
{
	if (!some_cancel)
		return false;
	some_cancel = 0;
	return spool_cancelled(w->spool, run);
}

void
write_slot(struct worker *w, const struct spool_claim *c, int64_t log)
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
	spool_pool_note(w->pool, &slot);
	w->noted = c != NULL;
}

/* The longest that a job can wait for a retry, in microseconds. */
static int64_t
longest_wait(const struct worker *w, int64_t backoff_max)
{
	const struct job_policy *policy = &w->spool->config.policy;

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
is_bogus(struct worker *w, const struct job_name *name, int64_t now)
{
	int64_t max = -1;
	struct job job;

	if (spool_load(w->spool, JOB_FAILED, name, &job) == SPOOL_OK &&
	    job.backoff_max >= 0)
		max = job.backoff_max;
	job_free(&job);
	return name->stamp - now > longest_wait(w, max);
}

/* What is to be known of a name that was seen then.  Whether it is ready, and
 * no deadline. */
static bool
appraise(struct worker *w, enum job_state state, const struct job_name *name,
    int64_t now, int64_t seen, struct candidate *c)
{
	int64_t max = longest_wait(w, -1);

	*c = candidate_of(state, name);
	c->seen = instant(seen);
	if (!name->timed || name->stamp <= now || (state == JOB_FAILED &&
	    name->stamp - now > max && is_bogus(w, name, now)))
		return true;
	c->rank = 0;
	return false;
}

static bool
read_dir(struct worker *w, struct list *l, enum job_state state, int64_t now)
{
	struct spool_iter it;
	struct job_name name;
	struct candidate c;
	int r;

	r = spool_iter_open(w->spool, &it, state) == SPOOL_OK ? 1 : -1;
	while (r > 0 && (r = spool_iter_next(&it, &name)) > 0)
		if (!appraise(w, state, &name, now, l->began, &c))
			queue_push(&l->timed, &c);
		else if (candidate_compare(&c, &l->cursor) > 0)
			queue_push(&l->ready, &c);
	if (r < 0)
		say_error(w->number, w->spool, "cannot look for jobs; trying "
		    "again in a second");
	spool_iter_close(&it);
	return r == 0;
}

/* A job may say that its backoff is shorter than the config's: then appraise()
 * was too patient.  Only the candidates are looked at. */
static void
mend_deadlines(struct worker *w, struct list *l, int64_t now)
{
	size_t i;

	for (i = 0; i < l->timed.n; i++) {
		struct candidate c = queue_get(&l->timed, i);
		struct job_name name = name_of(&c);

		if (c.state == JOB_FAILED && is_bogus(w, &name, now)) {
			c.rank = c.priority;
			if (candidate_compare(&c, &l->cursor) > 0)
				queue_push(&l->ready, &c); /* a double does
				                            * no harm */
		}
	}
}

void
lay_out(struct shared *s, size_t width)
{
	size_t cap = s->room / (sizeof(uint16_t) + width);

	queue_make(&s->list.ready, s->ready, cap < QUEUE_CAP_MAX ? cap :
	    QUEUE_CAP_MAX, width);
	queue_make(&s->list.timed, s->timed, s->deadlines,
	    width_of(JOB_ID_MAX));
}

/*
 * Reads the directories into the list, which is closed.  Where the last was
 * used up (`dry`), and half as many refused as it had, it goes on behind it,
 * and so does the next: they must not hide the rest.
 */
static void
read_spool(struct worker *w, struct list *l, bool dry)
{
	const struct candidate start = { .when = INT64_MIN };
	struct shared *s = w->shared;
	size_t refused = atomic_exchange(&s->refused, 0);
	bool behind = dry && l->ready.over && (l->front != l->began ||
	    2 * refused >= l->ready.n);
	int64_t now;

	l->cursor = behind ? l->last : start;
	for (;;) {
		now = today();
		l->began = monotonic();
		queue_clear(&l->ready);
		queue_clear(&l->timed);
		l->whole = read_dir(w, l, JOB_PENDING, now);
		l->whole &= read_dir(w, l, JOB_FAILED, now);
		mend_deadlines(w, l, now);
		if (!l->ready.wider)
			break;
		lay_out(s, l->ready.wider);
	}
	queue_sort(&l->ready);
	queue_sort(&l->timed);
	l->last = l->ready.n ? queue_get(&l->ready, 0) : start;
	if (!behind)
		l->front = l->began;
	l->ended = monotonic();
}

/* Replaces the list, as the reader that we are.  If that dies on the way, it
 * stays closed until the next has made one. */
static void
make_list(struct worker *w, bool dry)
{
	struct shared *s = w->shared;
	unsigned version = atomic_load(&s->version);

	if (version % 2)
		lay_out(s, s->list.ready.width);
	version |= 1;
	atomic_store(&s->version, version);
	atomic_store(&s->taken, CLOSED);
	atomic_thread_fence(memory_order_seq_cst);
	read_spool(w, &s->list, dry);
	version++;
	atomic_store(&s->taken, (version & CLOSED) << 16);
	atomic_store(&s->version, version);
}

/* Forgets what the pass has found for itself. */
static void
outdate(struct queue *q, const struct list *l)
{
	uint32_t began = instant(l->began);
	size_t i, n = 0;

	for (i = 0; i < q->n; i++) {
		struct candidate c = queue_get(q, i);

		c.rank = c.priority;
		c.when = c.stamp;
		if ((int32_t)(c.seen - began) >= 0 ||
		    candidate_compare(&c, &l->cursor) <= 0)
			queue_swap(q, n++, i);
	}
	q->n = n;
}

/* Goes over to the list that there is now, if it is another.  If that is
 * replaced meanwhile, it is not ours; what is then in w->timed does no harm. */
static void
follow(struct worker *w)
{
	struct shared *s = w->shared;
	unsigned version = atomic_load(&s->version);
	size_t i;

	while (version != w->version && version % 2 == 0) {
		struct list l = s->list;

		atomic_thread_fence(memory_order_acquire);
		if (atomic_load(&s->version) == version) {
			if (w->missed < l.front)
				w->timed.over = false;
			if (w->missed < l.began && candidate_compare(
			    &w->news.horizon, &l.cursor) > 0)
				w->news.over = false;
			outdate(&w->news, &l);
			while (w->news.n && l.ready.over && candidate_compare(
			    queue_at(&w->news, 0), &l.ready.horizon) >= 0)
				queue_drop(&w->news);
			outdate(&w->timed, &l);
			if (l.timed.over)
				queue_turn_away(&w->timed, &l.timed.horizon);
			for (i = 0; i < l.timed.n; i++) {
				struct candidate c = queue_get(&l.timed, i);

				queue_push(&w->timed, &c);
			}
			w->list = l;
			w->version = version;
			if (!l.whole)
				w->tick = monotonic() + RETRY;
		}
		version = atomic_load(&s->version);
	}
}

/*
 * Sees to a list of a pass that began at `since` (monotonic) or later; false:
 * there is none, for we are to end.  Only where `dry`, and the one that we have
 * is used up, may it skip what is before its end.
 */
static bool
renew(struct worker *w, int64_t since, bool dry)
{
	struct shared *s = w->shared;
	unsigned used_up = w->version;
	int ms = 1;

	while (follow(w), (dry ? w->list.began : w->list.front) < since) {
		int nobody = 0;

		if (stop_level(w))
			return false;
		if (!atomic_compare_exchange_strong(&s->reader, &nobody,
		    w->number)) {
			doze(w, ms, -1, -1);
			ms = ms < 32 ? 2 * ms : ms;
			continue;
		}
		follow(w);
		if ((dry ? w->list.began : w->list.front) < since)
			make_list(w, dry && w->version == used_up);
		atomic_store(&s->reader, 0);
	}
	return true;
}

/* Keeps a candidate for ourselves, if it does not jump the queue. */
static void
keep(struct worker *w, struct queue *q, const struct candidate *c)
{
	const struct queue *listed = &w->list.ready;
	bool beyond = q == &w->news && listed->over &&
	    candidate_compare(c, &listed->horizon) >= 0;

	if (beyond)
		queue_turn_away(q, c);
	if (beyond || !queue_push(q, c))
		w->missed = monotonic();
}

/* Takes in what inotify has to tell. */
static void
read_news(struct worker *w)
{
	int64_t now = today();
	struct candidate c;
	struct job_name name;
	const char *file;
	int dir, r;

	while ((r = spool_watch_next(&w->watch, &dir, &file)) > 0) {
		w->ticked = false;
		w->reconfigure |= dir == SPOOL_ROOT;
		if ((dir == JOB_PENDING || dir == JOB_FAILED) &&
		    job_name_parse(&name, file))
			keep(w, appraise(w, (enum job_state)dir, &name, now,
			    monotonic(), &c) ? &w->news : &w->timed, &c);
	}
	if (r < 0) {
		w->wanted = monotonic();
		w->reconfigure = true;
	}
}

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint32_t
hash(const char *s)
{
	uint32_t h = 2166136261u;

	while (*s)
		h = (h ^ (unsigned char)*s++) * 16777619u;
	return h;
}

/*
 * News come to all workers, so what one is about to claim, he marks in memory
 * that they share.  They pass over what was marked after they saw it there: it
 * is gone, or soon will be.  Without this, each of many workers tries dozens
 * of names that others have taken before it finds its next.
 *
 * A mark is a hint like the candidates.  Who finds that he cannot claim takes
 * it back, and looks after the name himself; when a worker dies, all go.  Two
 * names that share a place forget one of the marks, and a mark that is read
 * while it is written can at worst hide a name until the next pass.
 */
static struct mark *
mark_of(const struct worker *w, const struct candidate *c, uint32_t *name)
{
	*name = (hash(c->id) ^ (uint32_t)c->stamp) * 16777619u;
	return &w->shared->mark[*name % w->shared->nmarks];
}

static bool
is_marked(const struct worker *w, const struct candidate *c)
{
	uint32_t name, since;
	const struct mark *m;

	if (!w->shared->nmarks)
		return false;
	m = mark_of(w, c, &name);
	if (m->name != name)
		return false;
	/* between then and now: one of yesterday is neither */
	since = m->when - c->seen;
	return since && since <= instant(monotonic()) - c->seen;
}

/* Whether nobody else had marked it. */
static bool
mark(const struct worker *w, const struct candidate *c)
{
	uint32_t name;
	struct mark *m;
	bool first;

	if (!w->shared->nmarks)
		return false;
	m = mark_of(w, c, &name);
	first = m->name != name;
	m->when = instant(monotonic());
	m->name = name;
	return first;
}

static void
unmark(const struct worker *w, const struct candidate *c)
{
	uint32_t name;
	struct mark *m = mark_of(w, c, &name);

	if (m->name == name)
		m->name = 0;
}

/* The next of the list, if it is still ours; *taken is for take_listed().
 * Until that has said so, it may be anything. */
static bool
peek_listed(const struct worker *w, unsigned *taken, struct candidate *c)
{
	const struct queue *q = &w->list.ready;
	size_t i, slot;

	*taken = atomic_load(&w->shared->taken);
	i = *taken & CLOSED;
	if (*taken >> 16 != (w->version & CLOSED) || i >= q->n)
		return false;
	slot = ((const volatile uint16_t *)q->order)[q->n - 1 - i];
	if (slot >= q->cap)
		return false;
	memcpy(c, q->slots + slot * q->width, q->width);
	c->id[JOB_ID_MAX] = '\0';
	return true;
}

/* Whether it was ours, and so nobody has taken it or made a new list. */
static bool
take_listed(const struct worker *w, unsigned taken)
{
	return atomic_compare_exchange_strong(&w->shared->taken, &taken,
	    taken + 1);
}

/* The best that is known of, from the news or the list. */
static bool
take(struct worker *w, struct candidate *c)
{
	const struct candidate *news;
	unsigned taken;

	for (;;) {
		bool listed = peek_listed(w, &taken, c);

		while ((news = queue_best(&w->news)) && is_marked(w, news))
			w->news.n--;
		if (news && (!listed || candidate_compare(news, c) <= 0)) {
			*c = queue_pop(&w->news);
			return true;
		}
		/* not before what was turned away and is better */
		if (!listed || (w->news.over &&
		    candidate_compare(c, &w->news.horizon) >= 0))
			return false;
		if (take_listed(w, taken) && !is_marked(w, c))
			return true;
	}
}

/* Since when a pass would find more than we know of, or 0: we know all.  *dry
 * is for renew(). */
static int64_t
next_pass(const struct worker *w, bool *dry)
{
	const struct list *l = &w->list;

	*dry = true;
	/* another list is there, or being made */
	if (atomic_load(&w->shared->version) != w->version)
		return l->began + 1;
	if (!w->news.over)
		return l->ready.over ? l->began + 1 : 0;
	*dry = candidate_compare(&w->news.horizon, &l->last) > 0;
	return (l->began > w->missed ? l->began : w->missed) + 1;
}

static bool
knows_some(const struct worker *w)
{
	struct candidate c;
	unsigned taken;

	return w->news.n || peek_listed(w, &taken, &c);
}

/* When something will be due that is not yet, or INT64_MAX. */
static int64_t
next_deadline(const struct worker *w)
{
	const struct candidate *due = queue_best(&w->timed);

	return due ? due->when : w->timed.over ? w->timed.horizon.when :
	    INT64_MAX;
}

/* The best candidate that may run now. */
static bool
next_candidate(struct worker *w, struct candidate *c)
{
	int64_t now = today(), since;
	const struct candidate *due;
	bool dry;

	while ((due = queue_best(&w->timed)) && due->when <= now) {
		*c = queue_pop(&w->timed);
		c->rank = c->priority;
		c->when = c->stamp;
		keep(w, &w->news, c);
	}
	if (w->timed.over && next_deadline(w) <= now)
		w->wanted = monotonic();
	/* Not told of news, we look before we take the next: an urgent job may
	 * have come.  A tenth of the time at most. */
	if (!w->told && knows_some(w) && monotonic() - w->list.ended >
	    10 * (w->list.ended - w->list.began))
		w->wanted = monotonic();
	if (!renew(w, w->wanted, false))
		return false;
	while (!take(w, c)) {
		since = next_pass(w, &dry);
		if (!since || !renew(w, since, dry))
			return false;
	}
	return true;
}

/* Has it tried again in a while. */
static void
postpone(struct worker *w, const struct candidate *c, int64_t us)
{
	struct candidate later = *c;

	atomic_fetch_add(&w->shared->refused, 1);
	later.rank = 0;
	later.when = today() + us;
	if (later.tries < 30)
		later.tries++;
	keep(w, &w->timed, &later);
}

/* Tells of a file that is left alone, once. */
static void
say_refused(struct worker *w, enum job_state state,
    const struct job_name *name)
{
	char file[JOB_NAME_MAX + 1];
	uint32_t h;
	size_t i;

	job_name_format(file, name);
	h = hash(file);
	for (i = 0; i < REFUSED_MAX; i++)
		if (w->refused[i] == h)
			return;
	w->refused[w->nrefused++ % REFUSED_MAX] = h;
	say(w->number, "Left alone: %s/%s: %s", job_state_dir(state), file,
	    w->spool->why);
}

static void
say_bad(struct worker *w, const char *id)
{
	say(w->number, "Job moved to the dead letter queue: %s: its text is "
	    "no job: %s", id, w->spool->why);
}

static void
try_candidate(struct worker *w, const struct candidate *c)
{
	const struct job_name name = name_of(c);
	int64_t busy = BUSY_MIN << (c->tries < 8 ? c->tries : 8);
	struct spool_claim claim;
	bool first = mark(w, c);
	int r;

	r = spool_claim(w->spool, (enum job_state)c->state, &name, today(),
	    &claim);
	if (first && r != SPOOL_OK && r != SPOOL_GONE)
		unmark(w, c);
	switch (r) {
	case SPOOL_OK:
		/* A tick found it: if inotify still does not tell of it, it
		 * is silent here. */
		if (w->ticked && !c->timed) {
			read_news(w);
			if (w->ticked)
				atomic_store(&w->shared->silent, true);
		}
		w->ticked = false;
		run_job(w, &claim);
		break;
	case SPOOL_BUSY:
		postpone(w, c, busy < BUSY_MAX ? busy : BUSY_MAX);
		break;
	case SPOOL_BAD:
		say_bad(w, c->id);
		break;
	case SPOOL_ALIEN:
		atomic_fetch_add(&w->shared->refused, 1);
		say_refused(w, (enum job_state)c->state, &name);
		break;
	case SPOOL_ERROR:
		say_error(w->number, w->spool, "cannot claim a job; "
		    "trying again in a second");
		postpone(w, c, RETRY);
		break;
	default: /* GONE: another worker has it */
		break;
	}
}

static void
say_recovered(void *arg, int result, const struct job_attempt *end,
    enum job_state state, const struct job_name *name)
{
	struct worker *w = arg;
	struct buf b = { 0 };

	switch (result) {
	case SPOOL_OK:
		/* what was recorded its worker has counted, or not */
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
	case SPOOL_ALIEN:
		say_refused(w, state, name);
		break;
	default:
		say_error(w->number, w->spool, "cannot recover a job");
	}
}

static void
recover(struct worker *w)
{
	size_t held;
	int r;

	r = spool_recover(w->spool, today(), say_recovered, w, &held);
	w->recover = 0;
	if (r == SPOOL_ERROR) {
		w->recover = monotonic() + RETRY;
	} else if (held) {
		/* Its worker died and a process of it lives on, or another
		 * worker has just claimed it and not said so yet. */
		w->held_wait = !w->held_wait ? HELD_MIN :
		    2 * w->held_wait < HELD_MAX ? 2 * w->held_wait : HELD_MAX;
		w->recover = monotonic() + w->held_wait;
	} else {
		/* Nobody needs to know any more what dead pools ran. */
		if (w->number == 1 && !w->swept && w->noted_since)
			spool_pool_sweep(w->spool);
		w->swept = w->noted_since;
		w->held_wait = 0;
	}
}

/* Takes the names of a state, the oldest of which are then the best. */
static bool
find_oldest(struct worker *w, enum job_state state, struct queue *q,
    size_t *n)
{
	struct spool_iter it;
	struct job_name name;
	int r;

	*n = 0;
	queue_clear(q);
	r = spool_iter_open(w->spool, &it, state) == SPOOL_OK ? 1 : -1;
	while (r > 0 && (r = spool_iter_next(&it, &name)) > 0) {
		struct candidate c = candidate_of(state, &name);

		c.rank = 0;
		queue_push(q, &c);
		++*n;
	}
	spool_iter_close(&it);
	queue_sort(q);
	return r == 0;
}

/* Removes what ended, and came here, more than `keep` microseconds ago (below
 * 0: nothing), and what is beyond keep-max.  Whether there may be more. */
static bool
tidy_state(struct worker *w, enum job_state state, int64_t keep,
    struct queue *q)
{
	size_t most = (size_t)w->spool->config.keep_max, n, removed = 0;
	int64_t before = keep < 0 ? INT64_MIN : today() - keep;
	const struct candidate *old;

	if ((keep < 0 && !most) || !find_oldest(w, state, q, &n))
		return false;
	while ((old = queue_best(q)) && (old->when < before ||
	    (most && n > most))) {
		struct candidate c = queue_pop(q);
		struct job_name name = name_of(&c);
		int r;

		/* after weeks without power it is still news */
		if ((!most || n <= most) &&
		    spool_arrived(w->spool, state, &name) >= before)
			continue;
		r = spool_purge(w->spool, state, name.id);
		if (r == SPOOL_ERROR) {
			say_error(w->number, w->spool,
			    "cannot purge a job");
			return false;
		}
		removed += r == SPOOL_OK;
		n--;
	}
	if (removed)
		say(w->number, "Purged %zu %s job%s", removed,
		    job_state_word(state), removed == 1 ? "" : "s");
	return removed && q->over && !q->n;
}

/* Keeps the number of jobs that have ended within what config says. */
static void
tidy(struct worker *w)
{
	const struct config *config = &w->spool->config;
	int64_t began = monotonic(), took;
	struct queue q = { .order = NULL };
	bool more = false;

	if (queue_init(&q, TIDY_MAX) == 0) {
		more = tidy_state(w, JOB_DONE, config->keep_done, &q);
		more |= tidy_state(w, JOB_DEAD, config->keep_dead, &q);
	}
	free(q.order);
	took = monotonic() - began;
	w->tidy = began + took;
	if (!more)
		w->tidy += TICK > 100 * took ? TICK : 100 * took;
}

/* How often to look without being told. */
static int64_t
interval(const struct worker *w)
{
	int64_t poll = w->options->drain ? POLL / 4 : POLL;
	int64_t took = w->list.ended - w->list.began;

	if (w->told)
		return TICK;
	return poll > 10 * took ? poll : 10 * took;
}

static void
tick(struct worker *w)
{
	int64_t now = monotonic(), since;
	bool dry;

	if (w->told && atomic_load(&w->shared->silent)) {
		w->told = false;
		w->tick = now;
	}
	/* The supervisor polls, too; until it does, no further job begins. */
	if (!w->told && spool_pool_asked(w->spool, w->pool))
		terminations = 1;
	if (now >= w->tick) {
		recover(w);
		/* though never idle; this often only a little of it */
		if (w->number == 1 && now >= w->tidy + 10 * TICK)
			tidy(w);
		read_news(w);
		w->ticked = w->told && w->list.began >= w->wanted &&
		    w->list.front == w->list.began &&
		    !knows_some(w) && !next_pass(w, &dry) &&
		    !atomic_load(&w->shared->refused);
		/* unless somebody has looked not long ago */
		since = monotonic() - (w->list.whole ? interval(w) / 2 : 0);
		if (since > w->wanted)
			w->wanted = since;
		w->reconfigure = true;
		w->tick = monotonic() + interval(w);
	} else if (w->recover && now >= w->recover) {
		recover(w);
	}
}

/* From now on it is news when others' jobs end or go away. */
static void
watch_departures(struct worker *w)
{
	w->draining = true;
	spool_watch_add(w->spool, &w->watch, JOB_PENDING, true);
	spool_watch_add(w->spool, &w->watch, JOB_FAILED, true);
	spool_watch_add(w->spool, &w->watch, JOB_PROCESSING, true);
}

static bool
is_paused(const struct worker *w)
{
	return w->spool->config.paused;
}

/* Nothing to do.  Sleeps until there may be; true: there never will be. */
static bool
idle(struct worker *w)
{
	int64_t now, until, wait;
	int ms, drained;

	w->ticked = false;
	if (w->noted)
		write_slot(w, NULL, 0);
	if (w->number == 1 && monotonic() >= w->tidy) {
		tidy(w);
		return false;
	}
	/* One finds out for all: while it runs a job, there is one. */
	if (w->options->drain && w->number == 1) {
		if (!w->draining)
			watch_departures(w);
		drained = spool_drained(w->spool);
		if (drained == 1)
			return true;
		if (drained < 0)
			w->tick = monotonic() + RETRY;
	}
	now = monotonic();
	until = w->tick;
	if (w->recover && w->recover < until)
		until = w->recover;
	ms = poll_ms(until - now);
	wait = is_paused(w) ? INT64_MAX : next_deadline(w);
	if (wait != INT64_MAX && poll_ms(wait - today()) < ms)
		ms = poll_ms(wait - today());
	doze(w, ms, w->watch.fd, -1);
	return false;
}

static void
say_config(struct worker *w)
{
	if (w->number == 1 && w->paused != is_paused(w))
		say(w->number, is_paused(w) ? "Paused: no job begins" :
		    "Resumed");
	w->paused = is_paused(w);
	if (w->spool->config_error)
		say(w->number, "config cannot be read: %s",
		    strerror(w->spool->config_error));
	else if (w->spool->config_bad)
		say(w->number, "config: line %zu is not understood and "
		    "passed over", w->spool->config_bad);
}

static void
work(struct worker *w)
{
	struct candidate c;

	while (tick(w), !stop_level(w)) {
		follow(w);
		read_news(w);
		if (w->reconfigure && spool_config_refresh(w->spool))
			say_config(w);
		w->reconfigure = !w->told;
		if (!is_paused(w) && next_candidate(w, &c))
			try_candidate(w, &c);
		else if (!stop_level(w) && idle(w))
			break;
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

_Noreturn void
worker_main(struct spool *sp, struct spool_pool *pool,
    const struct worker_options *options, struct shared *shared, int number,
    int lifeline)
{
	struct worker w = {
		.spool = sp, .pool = pool, .options = options,
		.shared = shared,
		.number = number, .pid = getpid(), .lifeline = lifeline,
		.since = today(), .paused = sp->config.paused,
		.terminal = has_terminal()
	};
	extern char **environ;
	struct spool_slot before;
	size_t n;

	for (n = 0; environ && environ[n]; n++)
		;
	w.env.plain = is_plain_env(environ, n, "", &w.env.has_path);
	if (queue_init(&w.news, shared->deadlines) < 0 ||
	    queue_init(&w.timed, shared->deadlines) < 0) {
		say(number, "out of memory");
		_exit(1);
	}
	spool_pool_recall(pool, number, &before);
	w.tally = before.tally;
	/* What the worker before us in this slot left behind, while the slot
	 * still tells of it. */
	recover(&w);
	write_slot(&w, NULL, 0);
	w.noted_since = true;
	/* And again: while the slot told of it, a job that is still locked
	 * passed for one that is run. */
	recover(&w);
	spool_watch_open(&w.watch);
	w.told = spool_watch_add(sp, &w.watch, JOB_PENDING, false) &&
	    spool_watch_add(sp, &w.watch, JOB_FAILED, false) &&
	    spool_watch_add(sp, &w.watch, SPOOL_ROOT, true) &&
	    !spool_watch_silent(sp);
	w.wanted = monotonic();
	w.reconfigure = true;
	w.tick = monotonic() + interval(&w);
	work(&w);
	write_slot(&w, NULL, 0); /* with the last tally */
	_exit(stop_level(&w) ? STOPPED : 0);
}
