/*
 * spool/recover.c: the ways to end a job from outside: recovery of dead
 * workers' jobs, cancel.
 *
 * A job in processing/ whose lock is free has no worker and no process any
 * more: recovery appends the end that is missing and moves the job on, as its
 * worker would have done.
 *
 * To cancel a job that runs, we leave a request (spool/pool.c) and wait for its
 * worker, or a recovery if that has died, to move the job to dead/.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spool/bulk_priv.h"
#include "spool/file_priv.h"
#include "spool/hook_priv.h"
#include "spool/life_priv.h"
#include "spool/pool_priv.h"
#include "spool/recover_priv.h"

/* Describes a run whose worker died, from what is known about it. */
static void
lost_attempt(struct spool *sp, const struct spool_claim *c, int64_t now,
    struct job_attempt *end)
{
	const struct job_attempt *last = job_last(&c->job);
	struct spool_slot slot;

	*end = (struct job_attempt){
		.number = c->name.attempt, .outcome = JOB_LOST,
		.start = c->name.stamp, .end = now
	};
	/* Its worker wrote down where its output begins.  If that is lost, too,
	 * it cannot begin before the output of the attempt before it. */
	if (last)
		end->log = last->log;
	if (spool_runner(sp, true, &c->name, &slot)) {
		end->worker = slot.pid;
		end->log = slot.log;
	}
}

/* Ends a job of processing/, if nobody has it locked.  Calls `each` unless
 * another process has the job (SPOOL_BUSY) or took it (SPOOL_GONE). */
static int
recover_one(struct spool *sp, const struct job_name *name, int64_t now,
    spool_recovered *each, void *arg)
{
	const struct job_attempt *last;
	struct spool_claim c;
	struct job_attempt end = { .outcome = JOB_LOST };
	struct job_name next = *name;
	enum job_state to = JOB_PROCESSING;
	struct stat st;
	int r, bad;

	bad = r = lock_and_read(sp, JOB_PROCESSING, name, true, &c, &st);
	if (r == SPOOL_OK || r == SPOOL_BAD) {
		r = ensure_id_entry(sp, path_job(JOB_PROCESSING, name).s,
		    name->id, &st);
		if (r != SPOOL_OK)
			spool_release(&c);
	}
	if (r == SPOOL_OK && bad == SPOOL_BAD) {
		r = move_bad_text(sp, &c, &st, now, &next);
		to = JOB_DEAD;
	} else if (r == SPOOL_OK) {
		last = job_last(&c.job);
		/* the worker may have died between the line and the rename */
		c.recorded = last && last->start == name->stamp;
		if (c.recorded)
			end = *last;
		else
			lost_attempt(sp, &c, now, &end);
		if (!c.recorded && spool_cancelled(sp, name))
			end.outcome = JOB_CANCELLED;
		r = spool_finish(sp, &c, &end, &to, &next);
		end.error = NULL; /* it belonged to the job, which is freed */
		if (r == SPOOL_ERROR)
			spool_release(&c);
	}
	if (r != SPOOL_BUSY && r != SPOOL_GONE) {
		int e = errno;

		each(arg, r, &end, to, &next);
		errno = e;
	}
	return r;
}

/* Names in processing/ that are locked. */
struct locked {
	struct job_name *v;
	size_t n, cap;
};

static bool
locked_add(struct locked *l, const struct job_name *name)
{
	struct job_name *v = array_room(l->v, &l->cap, l->n + 1, sizeof *v);

	if (!v)
		return false;
	l->v = v;
	v[l->n++] = *name;
	return true;
}

/* Strikes out the name that a living worker says it runs. */
static void
strike_out(void *arg, const char *pool, long pid, const struct spool_slot *s)
{
	struct locked *l = arg;
	size_t i;

	(void)pool;
	(void)pid;
	for (i = 0; i < l->n; i++)
		if (l->v[i].stamp == s->start && !strcmp(l->v[i].id, s->job)) {
			l->v[i] = l->v[--l->n];
			return;
		}
}

/* A claim precedes the worker's slot by a moment, so a locked name without a
 * slot may also be one that has just been claimed: the caller looks again. */
int
spool_recover(struct spool *sp, int64_t now, spool_recovered *each, void *arg,
    size_t *held)
{
	struct locked locked = { 0 };
	struct spool_iter it;
	struct job_name name;
	int r, e = 0, worst = SPOOL_OK;

	*held = 0;
	if (spool_iter_open(sp, &it, JOB_PROCESSING) != SPOOL_OK)
		return SPOOL_ERROR;
	while ((r = spool_iter_next(&it, &name)) > 0) {
		r = recover_one(sp, &name, now, each, arg);
		if (r == SPOOL_BUSY && !locked_add(&locked, &name))
			r = spool_fail(sp, "");
		if (r == SPOOL_ERROR) {
			worst = r;
			e = errno;
		}
	}
	if (r < 0) {
		worst = SPOOL_ERROR;
		e = errno;
	}
	spool_iter_close(&it);
	if (locked.n)
		spool_slots(sp, false, strike_out, &locked);
	*held = locked.n;
	free(locked.v);
	errno = e;
	return worst;
}

void
recovered_quietly(void *arg, int result, const struct job_attempt *end,
    enum job_state to, const struct job_name *name)
{
	(void)arg;
	(void)result;
	(void)end;
	(void)to;
	(void)name;
}

/* Begins to cancel a job that waits: its end goes on record without a run. */
static int
begin_cancel(struct spool *sp, enum job_state state,
    const struct job_name *name, int64_t now, struct spool_held *h)
{
	struct job_attempt end = { .outcome = JOB_CANCELLED,
		.number = name->attempt + 1, .start = now, .end = now };
	struct path p = path_job(state, name);
	struct buf line = { 0 };
	const struct job_attempt *last;
	struct job_name run = *name;
	struct stat st;
	bool begun;
	int r, a;

	r = lock_and_read(sp, state, name, true, &h->claim, &h->st);
	a = r == SPOOL_OK || r == SPOOL_BAD ?
	    ensure_id_entry(sp, p.s, name->id, &h->st) : r;
	/* it moved since we found it; the next step sees where */
	if (a != SPOOL_OK)
		return a == SPOOL_GONE ? SPOOL_BUSY : a;
	if (r == SPOOL_BAD)
		return move_bad_text(sp, &h->claim, &h->st, now, &h->next);
	if (job_has_run(&h->claim.job) && fstatat(sp->fd,
	    path_log(name->id).s, &st, AT_SYMLINK_NOFOLLOW) == 0)
		end.log = st.st_size;
	/* a cancel that was cut short; to go on with it leaves one end */
	last = h->claim.job.counted < h->claim.job.nattempt ?
	    job_last(&h->claim.job) : NULL;
	begun = last && last->outcome == JOB_CANCELLED;
	if (begun)
		end = *last;
	run.attempt = end.number;
	run.parent[0] = '\0';
	h->to = job_after(&h->claim.job, &run, &end, &sp->config.policy,
	    &h->next);
	if (!begun) {
		job_format_attempt(&line, &end);
		r = append_line(sp, &h->claim, state, &line);
		buf_free(&line);
	}
	if (r == SPOOL_OK)
		r = hook_make(sp, &h->claim.job, &h->next, h->to, &end,
		    &h->claim.hooked);
	return r == SPOOL_GONE ? SPOOL_BUSY : r;
}

/* Asks the worker that runs the job to end it.  If the worker is dead, recovers
 * the job, which obeys the request.  Either way the next step sees the end. */
static int
cancel_running(struct spool *sp, struct spool_cancel *x,
    const struct job_name *name, int64_t now)
{
	struct spool_slot slot;
	struct path p = path_request(name);
	int fd, r;

	if (!x->asked) {
		fd = openat(sp->fd, p.s, O_WRONLY | O_CREAT | O_NOFOLLOW |
		    O_NONBLOCK | O_CLOEXEC, 0600);
		if (fd < 0)
			return spool_fail(sp, p.s);
		close(fd);
		x->asked = true;
		x->run = *name;
	}
	r = recover_one(sp, name, now, recovered_quietly, NULL);
	if (r != SPOOL_BUSY)
		return r == SPOOL_OK || r == SPOOL_GONE ? SPOOL_BUSY : r;
	x->held = !spool_runner(sp, false, name, &slot);
	return SPOOL_BUSY;
}

/* SPOOL_OK: the last attempt of an ended job was cancelled;
 * SPOOL_WRONG_STATE: it was not. */
static int
ended_cancelled(struct spool *sp, enum job_state state,
    const struct job_name *name)
{
	struct job job;
	int r = spool_load(sp, state, name, &job);

	if (r == SPOOL_OK && (!job_last(&job) ||
	    job_last(&job)->outcome != JOB_CANCELLED))
		r = SPOOL_WRONG_STATE;
	job_free(&job);
	return r == SPOOL_GONE || r == SPOOL_BAD ? SPOOL_WRONG_STATE : r;
}

/* One step for a job; SPOOL_OK: h->claim holds it, or it is cancelled. */
static int
step_cancel(struct spool *sp, struct spool_cancel *x, int64_t now,
    struct spool_held *h)
{
	struct job_name name;
	int r = spool_find(sp, x->id, &x->state, &name);

	x->held = false;
	/* an earlier step asked for the end of a run, and that run is over */
	if (x->asked && (r != SPOOL_OK || x->state != JOB_PROCESSING ||
	    job_name_compare(&name, &x->run))) {
		int ended = r == SPOOL_OK && x->state == JOB_DEAD ?
		    ended_cancelled(sp, x->state, &name) : SPOOL_WRONG_STATE;

		if (ended != SPOOL_OK && ended != SPOOL_WRONG_STATE)
			return ended;
		unlinkat(sp->fd, path_request(&x->run).s, 0);
		x->asked = false;
		if (ended == SPOOL_OK)
			return SPOOL_OK;
	}
	if (r != SPOOL_OK)
		return r;
	if (x->state == JOB_DONE || x->state == JOB_DEAD)
		return SPOOL_WRONG_STATE;
	return x->state == JOB_PROCESSING ? cancel_running(sp, x, &name, now) :
	    begin_cancel(sp, x->state, &name, now, h);
}

void
spool_bulk_cancel(struct spool_bulk *b, struct spool_cancel *x, int64_t now)
{
	struct spool_held h = { .job = x };
	int r;

	claim_init(&h.claim, JOB_PENDING, &h.next);
	do
		r = step_cancel(b->spool, x, now, &h);
	while (bulk_made_room(b, &h, r));
	if (r == SPOOL_OK && h.claim.fd < 0)
		b->each(b->arg, r, x);
	else
		bulk_add(b, &h, r);
}
