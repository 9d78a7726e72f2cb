/*
 * spool/fsck.c: find faults and repair them.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/file.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "spool/file_priv.h"
#include "spool/fsck.h"
#include "spool/life_priv.h"
#include "spool/lock_priv.h"
#include "spool/pool_priv.h"
#include "spool/recover_priv.h"
#include "spool/waiting_priv.h"
#include "spool/watch_priv.h"

struct fsck {
	struct spool *spool;
	bool repair;
	int64_t now;
	spool_problem_seen *each;
	void *arg;
	size_t left;
	bool lost;                 /* processing/ has jobs to recover */
};

/* Tells about a problem.  `repair` says what mends it, NULL: only a person can;
 * `done`: it was mended. */
static void
problem(struct fsck *f, const char *path, const char *what,
    const char *repair, bool done)
{
	struct spool_problem p = { path, what, repair, done };

	f->left += !done;
	f->each(f->arg, &p);
}

static void
check_mode(struct fsck *f, const char *path, const struct stat *st)
{
	mode_t want = S_ISDIR(st->st_mode) ? 0700 : 0600;

	if (st->st_uid != f->spool->owner)
		problem(f, path, "it does not belong to the spool's owner; "
		    "chown it", NULL, false);
	else if ((st->st_mode & 07777) != want)
		problem(f, path, "others may get at it, or its owner may not",
		    S_ISDIR(st->st_mode) ? "chmod 700" : "chmod 600",
		    f->repair && fchmodat(f->spool->fd, path, want, 0) == 0);
}

static void
check_dirs(struct fsck *f)
{
	static const char *const files[] = { "config", "web.token" };
	struct spool *sp = f->spool;
	struct stat st;
	int i;

	if (fstat(sp->fd, &st) == 0)
		check_mode(f, ".", &st);
	if (on_network(sp))
		problem(f, ".", "it lies on a network file system, where "
		    "locks and renames promise less; move it to a local one",
		    NULL, false);
	for (i = 0; i < SPOOL_DIRS; i++) {
		if (fstatat(sp->fd, dir_name(i), &st,
		    AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT &&
		    !dir_is_needed(i))
			continue;
		if (fstatat(sp->fd, dir_name(i), &st,
		    AT_SYMLINK_NOFOLLOW) < 0)
			problem(f, dir_name(i), strerror(errno), "mkdir",
			    f->repair && dir_make(sp->fd, dir_name(i),
			    ".") == 0);
		else if (!S_ISDIR(st.st_mode))
			problem(f, dir_name(i), "not a directory; move it away "
			    "and repair again", NULL, false);
		else
			check_mode(f, dir_name(i), &st);
	}
	for (i = 0; i < 2; i++)
		if (fstatat(sp->fd, files[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
			check_mode(f, files[i], &st);
	if (sp->config_bad || sp->config_error)
		problem(f, "config", "it is not understood; correct it", NULL,
		    false);
}

/* Checks the links of a job that we have locked. */
static void
check_links(struct fsck *f, const char *path, const char *id,
    const struct stat *st)
{
	struct spool *sp = f->spool;
	struct path p = path_in(SPOOL_IDS, id);
	size_t n;
	int r;

	if (st->st_nlink > 2 && count_names(sp, id, &n) == SPOOL_OK && n > 1)
		problem(f, path, "the job has another name in a state; "
		    "remove one of them", NULL, false);
	if (is_same_file(sp, p.s, st))
		return;
	r = check_entry(sp, p.s, id);
	if (r != SPOOL_OK)
		problem(f, path, r == SPOOL_REFUSED ? sp->why : strerror(errno),
		    NULL, false);
	else
		problem(f, path, "it has no entry in ids/", "link it",
		    f->repair && ensure_id_entry(sp, path, id, st) == SPOOL_OK);
}

/* Checks the job behind a name in a state directory. */
static void
check_job(struct fsck *f, enum job_state state, const struct job_name *name)
{
	struct spool *sp = f->spool;
	struct path p = path_job(state, name);
	struct job_name next;
	struct spool_claim c;
	struct stat st;
	int r = lock_and_read(sp, state, name, f->repair, &c, &st);

	switch (r) {
	case SPOOL_REFUSED:
		problem(f, p.s, sp->why, NULL, false);
		return;
	case SPOOL_ERROR:
		problem(f, p.s, strerror(errno), NULL, false);
		return;
	case SPOOL_OK:
	case SPOOL_BAD:
		break;
	default: /* it runs, or has moved on */
		return;
	}
	check_mode(f, p.s, &st);
	check_links(f, p.s, name->id, &st);
	if (check_change(sp, p.s) == SPOOL_REFUSED)
		problem(f, p.s, sp->why, NULL, false);
	if (state == JOB_PROCESSING) {
		f->lost = true;
		problem(f, p.s, "its worker is gone", "recover it",
		    f->repair);
	} else if (r == SPOOL_BAD) {
		const char *why = sp->why;
		bool moves = state != JOB_DEAD;

		if (moves && f->repair)
			r = move_bad_text(sp, &c, &st, f->now, &next);
		problem(f, p.s, why, moves ? "move it to dead/" : NULL,
		    moves && f->repair && r == SPOOL_BAD && c.fd < 0);
	}
	spool_release(&c);
}

static void
check_state(struct fsck *f, enum job_state state)
{
	struct spool_iter it;
	struct job_name name;
	int r;

	if (spool_iter_open(f->spool, &it, state) != SPOOL_OK)
		return; /* check_dirs() has told */
	it.each_strange = true;
	while ((r = spool_iter_next(&it, &name)) > 0)
		if (r == 1)
			check_job(f, state, &name);
		else
			problem(f, state == JOB_WAITING ?
			    path_after(it.parent, it.file).s :
			    path_in((int)state, it.file).s,
			    "it is not a job; move it away", NULL, false);
	if (r < 0)
		problem(f, dir_name((int)state), strerror(errno), NULL, false);
	spool_iter_close(&it);
}

/* Checks an entry of after/, which is a parent's directory. */
static void
check_parent(struct fsck *f, const char *parent)
{
	struct spool *sp = f->spool;
	struct path p = path_after(parent, "");
	struct spool_names names;
	const char *file;
	struct stat st;

	if (fstatat(sp->fd, p.s, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (!job_id_valid(parent) || !S_ISDIR(st.st_mode)) {
		problem(f, p.s, "it is not a directory of a job's children; "
		    "move it away", NULL, false);
		return;
	}
	check_mode(f, p.s, &st);
	if (names_open(&names, dir_open_path(sp, p.s)) < 0)
		return;
	while ((file = names_next(&names)))
		if (waiting_is_mark(file) &&
		    waiting_is_stale(sp, parent, file + 1))
			problem(f, path_after(parent, file).s, "its job does "
			    "not wait for this one", "remove it", f->repair &&
			    unlinkat(sp->fd, path_after(parent, file).s,
			    0) == 0);
	names_close(&names);
}

static void
bad_slot(void *fsck, const char *path, const char *why)
{
	problem(fsck, path, why, NULL, false);
}

/* Checks an entry of locks/, which is a lock's directory. */
static void
check_lock(struct fsck *f, const char *lock)
{
	struct spool *sp = f->spool;
	struct path p = path_slot(lock, "");
	struct stat st;

	if (fstatat(sp->fd, p.s, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (lock_is_unmade(lock)) {
		/* an enqueuer that lives shares the lock of ids/ */
		if (ids_lock(sp, LOCK_EX | LOCK_NB) != SPOOL_OK)
			return;
		problem(f, p.s, "an enqueue was cut short", "remove it",
		    f->repair && lock_unmake(sp, lock));
		ids_unlock(sp);
		return;
	}
	if (!job_lock_valid(lock) || !S_ISDIR(st.st_mode)) {
		problem(f, p.s, "it is not a directory of a lock's slots; "
		    "move it away", NULL, false);
		return;
	}
	check_mode(f, p.s, &st);
	lock_check(sp, lock, bad_slot, f);
}

/* Checks an entry of ids/. */
static void
check_id(struct fsck *f, const char *id)
{
	struct spool *sp = f->spool;
	struct path p = path_in(SPOOL_IDS, id);
	enum job_state state;
	struct job_name name;
	struct stat st;
	int r;

	if (fstatat(sp->fd, p.s, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (!job_id_valid(id) || !S_ISREG(st.st_mode)) {
		problem(f, p.s, "it is not an entry of a job; move it away",
		    NULL, false);
		return;
	}
	/* An entry with two links belongs to a job, unless a hand has put the
	 * job aside.  To look for each job would take too long. */
	if (st.st_nlink > 1)
		return;
	r = spool_find(sp, id, &state, &name);
	if (r != SPOOL_GONE)
		return;
	/* Somebody may be enqueueing it: only reclaiming knows. */
	if (f->repair)
		r = spool_reclaim(sp, id);
	else if ((r = ids_lock(sp, LOCK_EX | LOCK_NB)) == SPOOL_OK)
		ids_unlock(sp);
	if (r == SPOOL_OK)
		problem(f, p.s, "an enqueue or a removal was cut short",
		    "remove the entry", f->repair);
}

/* Checks a file in log/, which must be the log of a job. */
static void
check_log(struct fsck *f, const char *file)
{
	struct spool *sp = f->spool;
	struct path p = path_in(SPOOL_LOG, file);
	size_t len = strlen(file);
	char id[JOB_ID_MAX + 1] = "";
	enum job_state state;
	struct job_name name;
	struct stat st;

	if (fstatat(sp->fd, p.s, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (len > 4 && len <= JOB_ID_MAX + 4 && !strcmp(file + len - 4,
	    ".log"))
		memcpy(id, file, len - 4);
	if (!job_id_valid(id) || !S_ISREG(st.st_mode)) {
		problem(f, p.s, "it is not a log of a job; move it away", NULL,
		    false);
		return;
	}
	check_mode(f, p.s, &st);
	if (!file_exists(sp, path_in(SPOOL_IDS, id).s) &&
	    spool_find(sp, id, &state, &name) == SPOOL_GONE)
		problem(f, p.s, "its job is gone", "remove it",
		    f->repair && unlinkat(sp->fd, p.s, 0) == 0);
}

static void
check_pool(struct fsck *f, const char *file)
{
	struct path p = path_in(SPOOL_WORKERS, file);
	struct pool_file pool;
	struct job_name run;
	bool live = false;

	if (spool_is_request(file, &run)) {
		if (!file_exists(f->spool, path_job(JOB_PROCESSING, &run).s))
			problem(f, p.s, "the run that it asks to end is over",
			    "remove it", f->repair &&
			    unlinkat(f->spool->fd, p.s, 0) == 0);
		return;
	}
	if (!pool_parse(file, &pool)) {
		problem(f, p.s, "it is not a file of a pool; move it away",
		    NULL, false);
		return;
	}
	fd_close(pool_open(f->spool, pool.pool,
	    strcmp(pool.suffix, ".new") ? "" : ".new", &live));
	if (!live)
		problem(f, p.s, "its pool is gone", "remove it", f->repair);
}

/* Calls `check` for every file in a directory that is not a state's. */
static void
check_files(struct fsck *f, int dir, void (*check)(struct fsck *,
    const char *))
{
	struct spool_names names;
	const char *name;

	if (names_open(&names, dir_open(f->spool, dir)) < 0)
		return;
	while ((name = names_next(&names)))
		check(f, name);
	names_close(&names);
}

int
spool_fsck(struct spool *sp, bool repair, int64_t now,
    spool_problem_seen *each, void *arg, size_t *left)
{
	static const struct {
		int dir;
		void (*check)(struct fsck *, const char *);
	} walks[] = { { JOB_WAITING, check_parent }, { SPOOL_LOCKS, check_lock },
		{ SPOOL_IDS, check_id }, { SPOOL_LOG, check_log } };
	struct fsck f = { .spool = sp, .repair = repair, .now = now,
		.each = each, .arg = arg };
	size_t held, released;
	int i;

	check_dirs(&f);
	for (i = 0; i < JOB_STATES; i++)
		check_state(&f, (enum job_state)i);
	for (i = 0; i < 4; i++)
		check_files(&f, walks[i].dir, walks[i].check);
	if (f.lost && repair)
		spool_recover(sp, now, recovered_quietly, NULL, &held);
	check_files(&f, SPOOL_WORKERS, check_pool);
	if (repair) {
		spool_pool_sweep(sp);
		spool_waiting_sweep(sp, &released);
	}
	*left = f.left;
	return SPOOL_OK;
}
