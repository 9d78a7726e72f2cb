/*
 * spool/life.c: every rename of a job's normal life: claim, finish, purge.
 *
 * Each change of state is one system call, the instant of commit.  This is the
 * whole table; enqueue is in spool/batch.c, recovery and cancel in
 * spool/recover.c, retry and hold in spool/bulk.c, release in spool/waiting.c.
 *
 *     step        commit                          a crash before it leaves
 *     enqueue     link ids/ID → pending/          ids/ entry, link count 1
 *     claim       rename pending|failed →         the job where it was
 *                 processing (locked before, and
 *                 its named locks, too)
 *     finish      rename processing →             an Attempt: line in a file
 *                 done|failed|dead                in processing/ (recovery
 *                                                 goes by it)
 *     requeue     rename processing → pending     the same
 *     recover     rename processing →             the same; recovery repeats
 *                 failed|dead|…
 *     retry       rename dead → pending           a Retried: line in dead/
 *     cancel      rename pending|failed → dead    a cancelled Attempt: line in
 *                                                 the job where it was
 *     wait        link ids/ID → after/PARENT/     as enqueue
 *     release     rename after/PARENT →           the child where it was; the
 *                 pending|after/NEXT              sweep completes the release
 *     hold        rename pending|failed|after/… → the job where it was
 *                 held; back: held → pending|after/…
 *     hook        link → after/ID/HOOK, before    a mark in after/ID/; or a
 *                 the rename to done|dead         hook without ids/ entry
 *     purge       unlink of the state's name      the job whole; after it an
 *                                                 ids/ entry, link count 1
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/file.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "spool/file_priv.h"
#include "spool/hook_priv.h"
#include "spool/life_priv.h"
#include "spool/lock_priv.h"
#include "spool/pool_priv.h"
#include "spool/waiting_priv.h"

#if ON_LINUX
#include <sys/syscall.h>
#endif

enum { BAD_GRACE_S = 2 }; /* after its last change a text may still grow */

/*
 * Where there is no RENAME_NOREPLACE, we look
 * for the target first.  That leaves a small gap: the name holds the job's own
 * id and a fresh stamp, and we hold the job's lock, so only a hand could put
 * the same name there in between.  link and unlink would close the gap and open
 * a worse one, the job in two states at once.
 */
int
rename_noreplace(int dir, const char *from, const char *to)
{
	struct stat st;

#if ON_LINUX && defined(SYS_renameat2)
	/* 1 is RENAME_NOREPLACE; linux/fs.h is not everywhere */
	if (syscall(SYS_renameat2, dir, from, dir, to, 1u) == 0)
		return 0;
	/* EPERM: an old seccomp filter */
	if (errno != EINVAL && errno != ENOSYS && errno != EPERM)
		return -1;
#endif
	if (fstatat(dir, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	if (errno != ENOENT)
		return -1;
	return renameat(dir, from, dir, to);
}

int
move_job(struct spool *sp, enum job_state from, const struct job_name *name,
    enum job_state to, struct job_name *next)
{
	struct path a = path_job(from, name), b;

	for (;;) {
		b = path_job(to, next);
		if (rename_noreplace(sp->fd, a.s, b.s) == 0)
			return SPOOL_OK;
		if (errno == ENOENT && !file_exists(sp, a.s))
			return SPOOL_GONE;
		if (errno != EEXIST || next->stamp >= JOB_TIME_MAX)
			return spool_fail(sp, b.s);
		next->stamp++;
	}
}

/* An editor may have put another file under the job's name meanwhile; we do not
 * hold that one's lock, so it goes back. */
int
move_locked(struct spool *sp, enum job_state from, struct job_name *name,
    enum job_state to, struct job_name *next, const struct stat *st)
{
	int r = move_job(sp, from, name, to, next);

	if (r != SPOOL_OK || is_same_file(sp, path_job(to, next).s, st))
		return r;
	move_job(sp, to, next, from, name);
	return SPOOL_BUSY;
}

/* Moves a file whose text is bad to dead/.  Its end is when it was last changed,
 * for the id of the hook: that stays the same if we crash. */
static int
bury(struct spool *sp, struct spool_claim *c, const struct stat *st,
    struct job_name *next)
{
	struct job_attempt end = { .outcome = JOB_ERROR, .end = next->stamp,
		.start = (int64_t)st->st_mtim.tv_sec * 1000000 +
		    st->st_mtim.tv_nsec / 1000 };
	size_t released = 0;
	int fd, r = hook_make(sp, &c->job, next, JOB_DEAD, &end, &c->hooked);

	if (r == SPOOL_OK)
		r = move_locked(sp, c->from, &c->name, JOB_DEAD, next, st);
	if (r == SPOOL_OK && (c->hooked || waiting_is_used(sp)) &&
	    (fd = waiting_children(sp, next->id)) >= 0)
		waiting_release(sp, next->id, JOB_DEAD, fd, &released);
	return r;
}

int
move_bad_text(struct spool *sp, struct spool_claim *c, const struct stat *st,
    int64_t now, struct job_name *next)
{
	const char *why = sp->why;
	size_t line = sp->line;
	int r;

	*next = c->name;
	next->timed = false;
	next->stamp = now;
	/* somebody's cp may still be writing it */
	if (now / 1000000 - st->st_mtim.tv_sec < BAD_GRACE_S &&
	    now / 1000000 >= st->st_mtim.tv_sec)
		r = SPOOL_BUSY;
	else
		r = bury(sp, c, st, next);
	spool_release(c);
	sp->why = why;
	sp->line = line;
	return r == SPOOL_OK ? SPOOL_BAD : r;
}

int
append_retried(struct spool *sp, struct spool_claim *c, int64_t now)
{
	struct buf line = { 0 };
	int r;

	job_format_retried(&line, now);
	r = append_line(sp, c, c->from, &line);
	buf_free(&line);
	c->job.counted = c->job.nattempt;
	c->job.retried = now;
	return r;
}

/* Whether a job that was to be delayed is due only because the clock was wrong
 * when it was enqueued. */
static bool
is_unknown_delay(const struct job_name *name, const struct job *job,
    int64_t now)
{
	return name->timed && name->stamp < JOB_TIME_KNOWN &&
	    job->created < JOB_TIME_KNOWN && job->run_at > job->created &&
	    now >= JOB_TIME_KNOWN;
}

/* Nobody knows how much of the delay has passed: it begins anew.  Returns what
 * spool_claim() does. */
static int
delay_anew(struct spool *sp, struct spool_claim *c, const struct stat *st,
    int64_t now)
{
	struct job_name next = c->name, from = c->name;
	int r;

	next.stamp = now + c->job.run_at - c->job.created;
	r = move_locked(sp, c->from, &from, c->from, &next, st);
	spool_release(c);
	return r == SPOOL_OK ? SPOOL_GONE : r;
}

/* Lock, read, check ids/, then move.  A process that loses the race for the
 * name learns it at the lock or at the rename. */
int
spool_claim(struct spool *sp, enum job_state state,
    const struct job_name *name, int64_t now, struct spool_claim *c)
{
	const struct job_policy *policy = &sp->config.policy;
	struct path p = path_job(state, name);
	struct job_name next = *name, from = *name;
	struct stat st;
	int r, a;

	/* Whether the name still leads to the file that we lock, move_locked()
	 * finds out. */
	claim_init(c, state, name);
	r = lock_job(sp, p.s, true, c, &st);
	if (r != SPOOL_OK)
		return r;
	r = job_read(sp, p.s, c->fd, &st, name->id, &c->job);
	a = r == SPOOL_OK || r == SPOOL_BAD ?
	    ensure_id_entry(sp, p.s, name->id, &st) : r;
	if (a != SPOOL_OK) {
		spool_release(c);
		return a;
	}
	if (r == SPOOL_BAD)
		return move_bad_text(sp, c, &st, now, &next);
	if (state == JOB_PENDING && is_unknown_delay(name, &c->job, now))
		return delay_anew(sp, c, &st, now);
	r = locks_take(sp, c);
	if (r != SPOOL_OK) {
		spool_release(c);
		return r;
	}
	next.timed = false;
	next.stamp = now;
	/* A pending job that has had all its attempts, or was lost too often,
	 * was put there by a hand: mv from dead/ is a retry.  The other ways to
	 * pending/ leave another line than a loss. */
	if (state == JOB_PENDING && job_last(&c->job) &&
	    job_last(&c->job)->outcome == JOB_LOST)
		r = count_losses(sp, p.s, c->fd, &c->job);
	if (r == SPOOL_OK && state == JOB_PENDING &&
	    (next.attempt >= job_allowed(&c->job, policy) ||
	    job_lost(&c->job, NULL) >= (unsigned)policy->max_crashes)) {
		next.attempt = 0;
		r = is_same_file(sp, p.s, &st) ? append_retried(sp, c, now) :
		    SPOOL_GONE;
	}
	if (next.attempt < JOB_NUMBER_MAX)
		next.attempt++;
	if (r == SPOOL_OK)
		r = move_locked(sp, state, &from, JOB_PROCESSING, &next, &st);
	if (r != SPOOL_OK) {
		spool_release(c);
		return r;
	}
	c->name = next;
	return SPOOL_OK;
}

/* Appends the Attempt: line, once for a claim. */
static int
record_attempt(struct spool *sp, struct spool_claim *c,
    const struct job_attempt *end)
{
	struct buf line = { 0 };
	int r;

	if (c->recorded)
		return SPOOL_OK;
	job_format_attempt(&line, end);
	r = append_line(sp, c, JOB_PROCESSING, &line);
	c->recorded = r == SPOOL_OK;
	buf_free(&line);
	return r;
}

/* Makes an end safe: the line, and the names in the directories.  The claim did
 * not sync the directory that the job came from. */
static int
sync_end(struct spool *sp, const struct spool_claim *c)
{
	int r = SPOOL_OK;

	if (!c->synced && fsync(c->fd) < 0)
		return spool_fail(sp, path_job(c->to, &c->next).s);
	if ((r = dir_sync(sp, (int)c->to)) == SPOOL_OK &&
	    (r = dir_sync(sp, JOB_PROCESSING)) == SPOOL_OK)
		r = dir_sync(sp, (int)c->from);
	return r;
}

/* Releases the children of a job that has ended.  They may run at once, so the
 * end must be safe before.  If that fails, the sweep does it. */
static void
release_children(struct spool *sp, const struct spool_claim *c, bool safe)
{
	size_t released = 0;
	int fd, r = SPOOL_OK, e = errno;

	if ((c->to != JOB_DONE && c->to != JOB_DEAD) ||
	    !(c->hooked || waiting_is_used(sp)))
		return;
	fd = waiting_children(sp, c->next.id);
	if (fd >= 0 && !safe && sp->config.sync != SYNC_NONE)
		r = sync_end(sp, c);
	if (fd >= 0 && r == SPOOL_OK)
		waiting_release(sp, c->next.id, c->to, fd, &released);
	else
		fd_close(fd);
	errno = e;
}

int
spool_finish(struct spool *sp, struct spool_claim *c,
    const struct job_attempt *end, enum job_state *to, struct job_name *next)
{
	/* cancel promises its caller that the end is safe */
	bool sync = sp->config.sync == SYNC_FULL ||
	    (end->outcome == JOB_CANCELLED && sp->config.sync != SYNC_NONE);
	int r = record_attempt(sp, c, end);

	if (r == SPOOL_OK && sync && !c->synced) {
		/* the line must be safe before the new name is */
		if (fsync(c->fd) < 0)
			r = spool_fail(sp,
			    path_job(JOB_PROCESSING, &c->name).s);
		c->synced = r == SPOOL_OK;
	}
	if (r == SPOOL_OK && !c->moved && end->outcome == JOB_LOST)
		r = count_losses(sp, path_job(JOB_PROCESSING, &c->name).s,
		    c->fd, &c->job);
	if (r == SPOOL_OK && !c->moved) {
		c->to = job_after(&c->job, &c->name, end, &sp->config.policy,
		    &c->next);
		r = hook_make(sp, &c->job, &c->next, c->to, end, &c->hooked);
		if (r == SPOOL_OK)
			r = move_job(sp, JOB_PROCESSING, &c->name, c->to,
			    &c->next);
		c->moved = r == SPOOL_OK;
	}
	if (r == SPOOL_OK && sync)
		r = sync_end(sp, c);
	if (r == SPOOL_OK)
		release_children(sp, c, sync);
	if (r != SPOOL_ERROR && end->outcome == JOB_CANCELLED)
		unlinkat(sp->fd, path_request(&c->name).s, 0);
	*to = c->to;
	*next = c->next;
	if (r != SPOOL_ERROR)
		spool_release(c);
	return r;
}

int
purge_locked(struct spool *sp, struct spool_claim *c, const struct stat *st)
{
	struct path entry = path_in(SPOOL_IDS, c->name.id);
	struct path p = path_job(c->from, &c->name), log = path_log(c->name.id);
	/* a hand may have given the id to another job */
	bool ours = !file_exists(sp, entry.s) || is_same_file(sp, entry.s, st);
	int r = SPOOL_OK;

	if (unlinkat(sp->fd, p.s, 0) < 0)
		r = spool_fail(sp, p.s);
	else if (ours && unlinkat(sp->fd, log.s, 0) < 0 && errno != ENOENT)
		r = spool_fail(sp, log.s);
	else if (ours && unlinkat(sp->fd, entry.s, 0) < 0 && errno != ENOENT)
		r = spool_fail(sp, entry.s);
	spool_release(c);
	return r;
}

int
spool_purges_begin(struct spool *sp)
{
	struct stat st;
	int r = ids_lock(sp, LOCK_SH);

	if (r != SPOOL_OK)
		return r;
	sp->no_after = fstatat(sp->fd, dir_name(JOB_WAITING), &st, 0) < 0;
	if (sp->no_after && errno != ENOENT) {
		r = spool_fail(sp, dir_name(JOB_WAITING));
		ids_unlock(sp);
		return r;
	}
	sp->purging = true;
	return SPOOL_OK;
}

void
spool_purges_end(struct spool *sp)
{
	sp->purging = false;
	ids_unlock(sp);
}

/* The lock of the job comes first: an enqueuer that makes its marks afterwards
 * waits for it, and sees that the job is gone. */
static int
purge_unless_named(struct spool *sp, struct spool_claim *c,
    const struct stat *st)
{
	bool named = false;
	int r = sp->no_after ? SPOOL_OK :
	    waiting_names(sp, c->name.id, &named);

	return r != SPOOL_OK ? r : named ? SPOOL_NEEDED :
	    purge_locked(sp, c, st);
}

int
spool_purge(struct spool *sp, enum job_state wanted, const char *id)
{
	bool one = !sp->purging;
	struct spool_claim c;
	struct job_name name;
	enum job_state state;
	struct stat st;
	int r;

	r = spool_find(sp, id, &state, &name);
	if (r != SPOOL_OK)
		return r;
	if (state != wanted)
		return SPOOL_WRONG_STATE;
	r = lock_and_read(sp, state, &name, false, &c, &st);
	if (r != SPOOL_OK && r != SPOOL_BAD)
		return r;
	if (!one)
		r = purge_unless_named(sp, &c, &st);
	else if ((r = spool_purges_begin(sp)) == SPOOL_OK) {
		r = purge_unless_named(sp, &c, &st);
		spool_purges_end(sp);
	}
	spool_release(&c);
	return r;
}
