/*
 * spool/look.c: find a job, resolve a prefix, tell whether the queue is
 * drained.
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
#include "spool/lock.h"
#include "spool/waiting.h"

/* The states in which a job has not ended. */
static const enum job_state unfinished[] =
    { JOB_PENDING, JOB_FAILED, JOB_PROCESSING };

uint64_t
spool_version(struct spool *sp)
{
	uint64_t v = 0;
	struct stat st;
	size_t i;

	for (i = 0; i < sizeof unfinished / sizeof unfinished[0]; i++)
		if (fstatat(sp->fd, dir_name((int)unfinished[i]), &st, 0) == 0)
			v = v * 1000003 ^ (uint64_t)st.st_mtim.tv_sec * 1000000007
			    ^ (uint64_t)st.st_mtim.tv_nsec;
	return v;
}

/* Reads the state directories once, for one id. */
static int
scan_for(struct spool *sp, const char *id, enum job_state *state,
    struct job_name *name)
{
	/* in the order of a job's life: a job that moves on while we look is
	 * met again, and not missed */
	static const enum job_state order[] = { JOB_HELD, JOB_WAITING,
		JOB_PENDING, JOB_FAILED, JOB_PROCESSING, JOB_FAILED, JOB_DONE,
		JOB_DEAD };
	struct spool_iter it;
	size_t i;
	int r;

	for (i = 0; i < sizeof order / sizeof order[0]; i++) {
		*state = order[i];
		if (spool_iter_open(sp, &it, order[i]) != SPOOL_OK)
			return SPOOL_ERROR;
		while ((r = spool_iter_next(&it, name)) > 0)
			if (!strcmp(name->id, id))
				break;
		spool_iter_close(&it);
		if (r)
			return r > 0 ? SPOOL_OK : SPOOL_ERROR;
	}
	return SPOOL_GONE;
}

/* Whether a job waits under that name. */
static bool
find_waiting(struct spool *sp, const struct job *job, const struct stat *st,
    enum job_state *state, struct job_name *name)
{
	size_t i;

	*state = JOB_HELD;
	if (is_same_file(sp, path_job(JOB_HELD, name).s, st))
		return true;
	*state = JOB_WAITING;
	for (i = 0; i < job_parents(job); i++) {
		strcpy(name->parent, job_parent(job, i));
		if (is_same_file(sp, path_job(JOB_WAITING, name).s, st))
			return true;
	}
	return false;
}

/* Works out a job's name from its text, which ids/ID leads to, so that no
 * directory must be read.  One stat tells whether the name is right. */
static bool
predict_name(struct spool *sp, const char *id, enum job_state *state,
    struct job_name *name)
{
	struct path p = path_in(SPOOL_IDS, id);
	const struct job_attempt *last;
	struct job job;
	struct stat st;
	bool found;
	int fd;

	if (job_open(sp, p.s, &fd, &st) != SPOOL_OK)
		return false;
	if (job_read(sp, p.s, fd, &st, id, &job) != SPOOL_OK) {
		fd_close(fd);
		return false;
	}
	fd_close(fd);
	*name = (struct job_name){ .priority = (unsigned char)job.priority };
	strcpy(name->id, id);
	job_locks_join(name->locks, job.lock.v, job.lock.n);
	*state = JOB_PENDING;
	if (job.counted < job.nattempt) {
		struct job_name run = *name;

		last = job_last(&job);
		run.attempt = last->number;
		*state = job_after(&job, &run, last, &sp->config.policy, name);
	} else {
		name->timed = job.run_at >= 0 && !job.counted;
		name->stamp = job.counted ? job.retried :
		    name->timed ? job.run_at : job.created;
	}
	found = is_same_file(sp, path_job(*state, name).s, &st) ||
	    ((*state == JOB_PENDING || *state == JOB_FAILED) &&
	    find_waiting(sp, &job, &st, state, name));
	job_free(&job);
	return found;
}

int
spool_find(struct spool *sp, const char *id, enum job_state *state,
    struct job_name *name)
{
	struct path p = path_in(SPOOL_IDS, id);
	struct stat st;
	int pass, r;

	if (!job_id_valid(id))
		return SPOOL_GONE;
	if (predict_name(sp, id, state, name))
		return SPOOL_OK;
	/* readdir is not a snapshot, so we can miss a job that moves.  If the
	 * entry has two links, the job is somewhere; else a second look
	 * decides. */
	for (pass = 0; pass < 10; pass++) {
		uint64_t before = spool_version(sp);

		r = scan_for(sp, id, state, name);
		if (r != SPOOL_GONE)
			return r;
		if (fstatat(sp->fd, p.s, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    st.st_nlink < 2 || spool_version(sp) == before) {
			if (pass)
				return SPOOL_GONE;
		}
	}
	return SPOOL_GONE;
}

/* Reads the state directories once, for ids that begin with `word`. */
static int
scan_prefix(struct spool *sp, const char *word, char *id)
{
	size_t len = strlen(word);
	struct job_name name;
	struct spool_iter it;
	int i, r, found = SPOOL_GONE;

	for (i = 0; i < JOB_STATES; i++) {
		if (spool_iter_open(sp, &it, (enum job_state)i) != SPOOL_OK)
			return SPOOL_ERROR;
		while ((r = spool_iter_next(&it, &name)) > 0) {
			if (strncmp(name.id, word, len))
				continue;
			if (!strcmp(name.id, word)) {
				strcpy(id, word);
				spool_iter_close(&it);
				return SPOOL_OK;
			}
			if (found == SPOOL_OK && strcmp(id, name.id))
				found = SPOOL_AMBIGUOUS;
			else if (found == SPOOL_GONE) {
				strcpy(id, name.id);
				found = SPOOL_OK;
			}
		}
		spool_iter_close(&it);
		if (r < 0)
			return SPOOL_ERROR;
	}
	return found;
}

int
spool_resolve(struct spool *sp, const char *word, char id[JOB_ID_MAX + 1])
{
	struct stat st;
	int r;

	if (!job_id_valid(word))
		return SPOOL_GONE;
	if (fstatat(sp->fd, path_in(SPOOL_IDS, word).s, &st,
	    AT_SYMLINK_NOFOLLOW) == 0 && st.st_nlink > 1) {
		strcpy(id, word);
		return SPOOL_OK;
	}
	r = scan_prefix(sp, word, id);
	return r == SPOOL_GONE ? scan_prefix(sp, word, id) : r;
}

int
spool_ids(struct spool *sp, const char *word, spool_id_seen *each, void *arg)
{
	size_t len = strlen(word);
	struct spool_names names;
	const char *id = NULL;
	int r = SPOOL_OK;

	if (names_open(&names, dir_open(sp, SPOOL_IDS)) < 0)
		return spool_fail(sp, dir_name(SPOOL_IDS));
	while (errno = 0, (id = names_next(&names)))
		if (!strncmp(id, word, len) && job_id_valid(id) &&
		    !each(arg, id))
			break;
	if (!id && errno)
		r = spool_fail(sp, dir_name(SPOOL_IDS));
	names_close(&names);
	return r;
}

/* Opens the job of that name, wherever it has moved meanwhile: *p. */
static int
open_moved(struct spool *sp, enum job_state state, const struct job_name *name,
    struct path *p, int *fd, struct stat *st)
{
	struct job_name now;
	int r;

	*p = path_job(state, name);
	r = job_open(sp, p->s, fd, st);
	if (r == SPOOL_GONE) {
		*p = path_in(SPOOL_IDS, name->id);
		r = job_open(sp, p->s, fd, st);
	}
	if (r == SPOOL_GONE) {
		r = spool_find(sp, name->id, &state, &now);
		if (r != SPOOL_OK)
			return r;
		*p = path_job(state, &now);
		r = job_open(sp, p->s, fd, st);
	}
	return r;
}

int
spool_load(struct spool *sp, enum job_state state, const struct job_name *name,
    struct job *job)
{
	struct path p;
	struct stat st;
	int fd, r;

	job_init(job);
	r = open_moved(sp, state, name, &p, &fd, &st);
	if (r != SPOOL_OK)
		return r;
	r = job_read(sp, p.s, fd, &st, name->id, job);
	fd_close(fd);
	return r;
}

int
spool_earlier(struct spool *sp, enum job_state state,
    const struct job_name *name, const struct job *job,
    spool_earlier_line *each, void *arg)
{
	struct path p;
	struct stat st;
	int fd, r;

	if (job->unread_from == job->unread_to)
		return SPOOL_OK;
	r = open_moved(sp, state, name, &p, &fd, &st);
	if (r != SPOOL_OK)
		return r;
	r = read_unread(sp, p.s, fd, job, each, arg);
	fd_close(fd);
	return r;
}

bool
spool_there(struct spool *sp, enum job_state state,
    const struct job_name *name)
{
	return file_exists(sp, path_job(state, name).s);
}

int64_t
spool_arrived(struct spool *sp, enum job_state state,
    const struct job_name *name)
{
	struct stat st;

	/* rename(2) changes the ctime on all file systems that we know */
	if (fstatat(sp->fd, path_job(state, name).s, &st,
	    AT_SYMLINK_NOFOLLOW) < 0)
		return INT64_MAX;
	return (int64_t)st.st_ctim.tv_sec * 1000000 + st.st_ctim.tv_nsec / 1000;
}

bool
spool_locked(struct spool *sp, enum job_state state,
    const struct job_name *name)
{
	struct stat st;
	bool locked;
	int fd;

	if (job_open(sp, path_job(state, name).s, &fd, &st) != SPOOL_OK)
		return false;
	locked = fd_lock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	close(fd);
	return locked;
}

int
spool_check(struct spool *sp, enum job_state state, const struct job_name *name)
{
	struct path p = path_job(state, name);
	struct stat st;
	struct job job;
	int fd, r;

	r = job_open(sp, p.s, &fd, &st);
	if (r != SPOOL_OK)
		return r;
	r = job_read(sp, p.s, fd, &st, name->id, &job);
	fd_close(fd);
	job_free(&job);
	if (r == SPOOL_BAD)
		r = SPOOL_OK;
	if (r == SPOOL_OK)
		r = check_change(sp, p.s);
	p = path_in(SPOOL_IDS, name->id);
	if (r == SPOOL_OK && !is_same_file(sp, p.s, &st))
		r = check_entry(sp, p.s, name->id);
	return r;
}

/* Of a result of spool_check(): 1: a worker has to do with the file; 0: no;
 * -1: errno. */
static int
is_work(int result)
{
	return result == SPOOL_ERROR ? -1 : result != SPOOL_REFUSED;
}

/* Whether a job needs a lock without slots.  `last` are the locks of the last
 * such job: thousands may need the same ones. */
static bool
is_locked_out(struct spool *sp, enum job_state state,
    const struct job_name *name, char last[JOB_LOCKS_LEN + 1])
{
	char lock[JOB_LOCK_MAX + 1];

	if (!name->locks[0] || state == JOB_PROCESSING)
		return false;
	if (!strcmp(name->locks, last))
		return true;
	if (!spool_lock_closed(sp, name->locks, lock))
		return false;
	strcpy(last, name->locks);
	return true;
}

int
spool_lock_left(struct spool *sp, size_t *n)
{
	char last[JOB_LOCKS_LEN + 1] = "";
	struct spool_iter it;
	struct job_name name;
	size_t i;
	int r = 0;

	*n = 0;
	for (i = 0; i < 2 && r == 0; i++) {
		if (spool_iter_open(sp, &it, unfinished[i]) != SPOOL_OK)
			return SPOOL_ERROR;
		while ((r = spool_iter_next(&it, &name)) > 0)
			*n += is_locked_out(sp, unfinished[i], &name, last);
		spool_iter_close(&it);
	}
	return r < 0 ? SPOOL_ERROR : SPOOL_OK;
}

/* Looks once for a job that has not ended.  1: there is one; 0: there is
 * none; -1: errno. */
static int
any_work(struct spool *sp)
{
	char last[JOB_LOCKS_LEN + 1] = "";
	struct spool_iter it;
	struct job_name name;
	size_t i;
	int r, work = 0;

	for (i = 0; i < 3 && work == 0; i++) {
		if (spool_iter_open(sp, &it, unfinished[i]) != SPOOL_OK)
			return -1;
		while (work == 0 && (r = spool_iter_next(&it, &name)) != 0)
			work = r < 0 ? -1 : is_locked_out(sp, unfinished[i],
			    &name, last) ? 0 : is_work(spool_check(sp,
			    unfinished[i], &name));
		spool_iter_close(&it);
	}
	return work;
}

int
spool_drained(struct spool *sp)
{
	uint64_t before;
	struct stat st;
	size_t released;
	int work, ms = 20; /* two ticks of the coarse clock that stamps mtime */

	work = any_work(sp);
	if (work)
		return work < 0 ? -1 : 0;
	/* We saw nothing, but a job may have moved behind our back.  Every
	 * move leaves a new mtime once its clock has ticked.  So if no mtime
	 * changed from well before a whole look until after it, no job
	 * moved. */
	if (fstatat(sp->fd, dir_name(JOB_PROCESSING), &st, 0) == 0 &&
	    st.st_mtim.tv_nsec == 0)
		ms = 2100; /* a file system of whole seconds, or of two */
	before = spool_version(sp);
	sleep_ms(ms);
	work = any_work(sp);
	if (work)
		return work < 0 ? -1 : 0;
	/* a child whose parent has just ended is not released yet */
	spool_waiting_sweep(sp, &released);
	return !released && spool_version(sp) == before;
}
