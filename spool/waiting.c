/*
 * spool/waiting.c: after/ and held/.  See waiting.h for what keeps a child from
 * being left behind.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* flock, O_NOFOLLOW */
#include <sys/file.h>
#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "spool/file_priv.h"
#include "spool/life_priv.h"
#include "spool/waiting_priv.h"

enum {
	PATIENCE_MS = 2000,     /* for the lock of ids/, or of a parent that is
	                         * purged */
	AGAIN_MAX = 100         /* times that a directory went away under us */
};

/* --- after/ and held/ --------------------------------------------------- */

bool
spool_has_waiting(struct spool *sp)
{
	struct stat st;

	return fstatat(sp->fd, dir_name(JOB_WAITING), &st,
	    AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

bool
waiting_is_used(struct spool *sp)
{
	return sp->after ? atomic_load(sp->after) : spool_has_waiting(sp);
}

int
waiting_make(struct spool *sp, enum job_state state)
{
	const char *name = dir_name((int)state);
	struct stat st;

	if (dir_make(sp->fd, name, ".") == 0)
		return SPOOL_OK;
	if (errno == EEXIST && fstatat(sp->fd, name, &st,
	    AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISDIR(st.st_mode))
			return SPOOL_OK;
		errno = ENOTDIR;
	}
	return spool_fail(sp, name);
}

int
spool_waiting_open(struct spool *sp)
{
	int64_t deadline = monotonic_ms() + PATIENCE_MS;
	int r;

	/* those that purge share the lock from their look at after/ on */
	while ((r = ids_lock(sp, LOCK_EX | LOCK_NB)) == SPOOL_BUSY &&
	    monotonic_ms() < deadline)
		sleep_ms(1);
	if (r == SPOOL_OK) {
		r = waiting_make(sp, JOB_WAITING);
		ids_unlock(sp);
	}
	if (r != SPOOL_BUSY)
		return r;
	errno = EBUSY;
	return spool_fail(sp, dir_name(SPOOL_IDS));
}

struct path
waiting_path_mark(const char *parent, const char *child)
{
	char file[JOB_ID_MAX + 2];

	snprintf(file, sizeof file, "+%s", child);
	return path_after(parent, file);
}

static void
remove_dir(struct spool *sp, const char *parent)
{
	int e = errno;

	unlinkat(sp->fd, path_after(parent, "").s, AT_REMOVEDIR);
	errno = e;
}

static int
make_dir(struct spool *sp, const char *parent)
{
	struct path p = path_after(parent, "");

	if (mkdirat(sp->fd, p.s, 0700) == 0 || errno == EEXIST)
		return SPOOL_OK;
	/* a hand has removed after/ */
	if (errno == ENOENT && waiting_make(sp, JOB_WAITING) == SPOOL_OK &&
	    (mkdirat(sp->fd, p.s, 0700) == 0 || errno == EEXIST))
		return SPOOL_OK;
	return spool_fail(sp, p.s);
}

/* Whoever finds a directory empty removes it, so it may be gone again before
 * the mark is made. */
static int
make_mark(struct spool *sp, const char *parent, const char *child)
{
	struct path p = waiting_path_mark(parent, child);
	int fd = -1, i, r = SPOOL_OK;

	for (i = 0; i < AGAIN_MAX && r == SPOOL_OK; i++) {
		r = make_dir(sp, parent);
		if (r == SPOOL_OK)
			fd = openat(sp->fd, p.s, O_WRONLY | O_CREAT |
			    O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
		if (fd >= 0 || errno != ENOENT)
			break;
	}
	if (r == SPOOL_OK && fd < 0)
		r = spool_fail(sp, p.s);
	fd_close(fd);
	return r;
}

/* A job with one parent needs no mark where it lies. */
static bool
has_marks(const struct job *job, enum job_state state)
{
	return job_parents(job) > (state != JOB_HELD);
}

/* A job and its spool. */
struct marked {
	struct spool *spool;
	const struct job *job;
};

/* Syncs the directory with the i-th mark. */
static int
sync_mark(void *marked, size_t i)
{
	struct marked *m = marked;
	struct path p = path_after(job_parent(m->job, i), "");

	return dir_sync_at(m->spool->fd, p.s) < 0 ? spool_fail(m->spool, p.s) :
	    SPOOL_OK;
}

int
waiting_prepare(struct spool *sp, const struct job *job, enum job_state state,
    const struct job_name *name)
{
	struct marked m = { sp, job };
	size_t i, n = job_parents(job);
	int r = SPOOL_OK;

	if (state == JOB_WAITING)
		r = make_dir(sp, name->parent);
	if (!has_marks(job, state))
		return r;
	for (i = 0; i < n && r == SPOOL_OK; i++)
		r = make_mark(sp, job_parent(job, i), name->id);
	if (r == SPOOL_OK && sp->config.sync != SYNC_NONE &&
	    (r = sync_many(sp, n, sync_mark, &m)) == SPOOL_OK)
		r = dir_sync(sp, JOB_WAITING);
	return r;
}

void
waiting_forget(struct spool *sp, const struct job *job, const char *id)
{
	size_t i, n = job_parents(job);
	int e = errno;

	for (i = 0; i < n; i++) {
		unlinkat(sp->fd, waiting_path_mark(job_parent(job, i), id).s, 0);
		remove_dir(sp, job_parent(job, i));
	}
	errno = e;
}

/* --- parents ------------------------------------------------------------ */

enum spool_parent
waiting_ended_as(int result, enum job_state state)
{
	return result == SPOOL_GONE ? PARENT_GONE : state == JOB_DONE ?
	    PARENT_DONE : state == JOB_DEAD ? PARENT_DEAD : PARENT_WORKS;
}

int
waiting_look_at(struct spool *sp, const char *id, enum spool_parent *parent)
{
	struct job_name name;
	enum job_state state;
	int r = spool_find(sp, id, &state, &name);

	*parent = waiting_ended_as(r, state);
	return r == SPOOL_GONE ? SPOOL_OK : r;
}

/* Whether the i-th parent of a job has ended as the job asks. */
static bool
is_satisfied(const struct job *job, size_t i, enum spool_parent parent)
{
	return parent == PARENT_DONE ||
	    (parent == PARENT_DEAD && i >= job->after.n);
}

bool
waiting_is_passed(struct spool *sp, const struct job *job, size_t i,
    enum spool_parent parent)
{
	return is_satisfied(job, i, parent) || (parent == PARENT_GONE &&
	    !file_exists(sp, waiting_path_mark(job_parent(job, i),
	    job->id).s));
}

/* Finds the first parent from *i on for which the job must wait; *i is their
 * number if there is none. */
static int
next_parent(struct spool *sp, const struct job *job, size_t *i)
{
	enum spool_parent parent;
	int r = SPOOL_OK;

	for (; *i < job_parents(job) && r == SPOOL_OK; ++*i) {
		r = waiting_look_at(sp, job_parent(job, *i), &parent);
		if (r == SPOOL_OK && !waiting_is_passed(sp, job, *i, parent))
			break;
	}
	return r;
}

static int
no_parent(struct spool *sp, const char *id)
{
	snprintf(sp->at, sizeof sp->at, "%s", id);
	return SPOOL_NO_PARENT;
}

int
waiting_place(struct spool *sp, const struct job *job, waiting_known *known,
    void *arg, enum job_state *state, struct job_name *name)
{
	enum spool_parent parent;
	size_t i, n = job_parents(job), first = n;
	int r;

	for (i = 0; i < n; i++) {
		const char *id = job_parent(job, i);

		parent = PARENT_WORKS;
		if (known && known(arg, id))
			r = SPOOL_OK;
		else
			r = waiting_look_at(sp, id, &parent);
		if (r != SPOOL_OK)
			return r;
		if (known && parent == PARENT_GONE)
			return no_parent(sp, id);
		if (first == n && !waiting_is_passed(sp, job, i, parent))
			first = i;
	}
	*state = first < n ? JOB_WAITING : JOB_PENDING;
	strcpy(name->parent, first < n ? job_parent(job, first) : "");
	return SPOOL_OK;
}

/* Makes sure that no parent is being purged by somebody who has not seen our
 * marks: he holds the parent's lock. */
static int
check_parents(struct spool *sp, const struct job *job)
{
	int64_t deadline = monotonic_ms() + PATIENCE_MS;
	size_t i;

	for (i = 0; i < job_parents(job); i++) {
		const char *id = job_parent(job, i);
		struct path p = path_in(SPOOL_IDS, id);
		struct job_name name;
		enum job_state state;
		struct stat st;
		int fd = -1, r = spool_find(sp, id, &state, &name);

		if (r == SPOOL_OK && state != JOB_DONE && state != JOB_DEAD)
			continue;
		if (r == SPOOL_OK)
			r = job_open(sp, p.s, &fd, &st);
		if (r == SPOOL_GONE)
			return no_parent(sp, id);
		if (r != SPOOL_OK)
			return r;
		while ((r = fd_lock(fd, LOCK_SH | LOCK_NB)) < 0 &&
		    monotonic_ms() < deadline)
			sleep_ms(1);
		fd_close(fd);
		if (r < 0)
			return spool_fail(sp, p.s);
		if (!file_exists(sp, p.s))
			return no_parent(sp, id);
	}
	return SPOOL_OK;
}

int
waiting_check(struct spool *sp, enum job_state state,
    const struct job_name *name)
{
	struct job job;
	int r = spool_load(sp, state, name, &job);

	if (r == SPOOL_OK)
		r = check_parents(sp, &job);
	job_free(&job);
	return r == SPOOL_NO_PARENT || r == SPOOL_ERROR ? r : SPOOL_OK;
}

/* --- moving on ---------------------------------------------------------- */

/* Moves a job from after/ to where it waits next. */
static int
move_on(struct spool *sp, struct job_name *name, enum job_state to,
    const char *parent)
{
	struct job_name next = *name;
	int i, r = SPOOL_ERROR;

	strcpy(next.parent, parent);
	for (i = 0; i < AGAIN_MAX; i++) {
		if (to == JOB_WAITING && (r = make_dir(sp, parent)) != SPOOL_OK)
			return r;
		r = move_job(sp, JOB_WAITING, name, to, &next);
		if (r != SPOOL_ERROR || errno != ENOENT)
			break;
	}
	if (r == SPOOL_OK)
		*name = next;
	return r;
}

size_t
waiting_place_of(const struct job *job, const char *parent)
{
	size_t i = 0;

	while (i < job_parents(job) && strcmp(job_parent(job, i), parent) != 0)
		i++;
	return i;
}

/* Makes the ends of jobs safe, so that no child has run although its parent,
 * after a power cut, has not ended. */
static int
sync_ends(struct spool *sp)
{
	int r = SPOOL_OK;

	if (sp->config.sync != SYNC_NONE &&
	    (r = dir_sync(sp, JOB_DONE)) == SPOOL_OK)
		r = dir_sync(sp, JOB_DEAD);
	return r;
}

/* Goes from parent to parent until one has not ended.  `ended` is what became of
 * the one in whose directory the job lies.  After each move it looks at that
 * parent again.  `safe`: the ends are. */
static int
settle(struct spool *sp, const struct job *job, struct job_name *name,
    enum spool_parent ended, bool safe, size_t *moved)
{
	size_t at = waiting_place_of(job, name->parent), n = job_parents(job), next;
	int r = SPOOL_OK;

	if (at == n ? ended != PARENT_DONE : !is_satisfied(job, at, ended))
		return SPOOL_OK;
	for (next = at == n ? 0 : at + 1;; at = next) {
		r = next_parent(sp, job, &next);
		if (r != SPOOL_OK || (next == at && next < n))
			return r;
		if (!safe && (r = sync_ends(sp)) != SPOOL_OK)
			return r;
		safe = true;
		r = move_on(sp, name, next < n ? JOB_WAITING : JOB_PENDING,
		    next < n ? job_parent(job, next) : "");
		if (r != SPOOL_OK)
			return r;
		++*moved;
		if (next == n)
			break;
	}
	if (n > 1)
		waiting_forget(sp, job, name->id);
	return SPOOL_OK;
}

/*
 * Locks a job of after/, reads it and settles it.  A worker buries what is no
 * job; that has no parents.  Others who move it on hold its lock for a moment
 * only; *patience is how many ms we wait for them in all.  Who cancels or holds
 * it may take longer, but takes it out of after/.
 */
static int
lock_and_settle(struct spool *sp, struct job_name *name,
    enum spool_parent ended, bool safe, int *patience, size_t *moved)
{
	struct spool_claim c;
	struct stat st;
	int r;

	while ((r = lock_and_read(sp, JOB_WAITING, name, false, &c, &st)) ==
	    SPOOL_BUSY && *patience > 0) {
		sleep_ms(1);
		--*patience;
	}
	if (r != SPOOL_OK && r != SPOOL_BAD)
		return r;
	r = settle(sp, &c.job, name, ended, safe, moved);
	spool_release(&c);
	return r;
}

/* The result of settling a job: somebody else may have it or have moved it, and a
 * file that is not ours stays. */
static int
settled(int result)
{
	return result == SPOOL_GONE || result == SPOOL_BUSY ||
	    result == SPOOL_REFUSED ? SPOOL_OK : result;
}

int
waiting_settle(struct spool *sp, const struct job_name *name)
{
	struct job_name now = *name;
	enum spool_parent ended;
	int patience = PATIENCE_MS;
	size_t moved = 0;
	int r = waiting_look_at(sp, name->parent, &ended);

	if (r == SPOOL_OK && ended != PARENT_WORKS)
		r = lock_and_settle(sp, &now, ended, false, &patience, &moved);
	/* who ended the parent may have looked before the child came */
	if (moved)
		remove_dir(sp, name->parent);
	return settled(r);
}

/* --- a parent's directory ----------------------------------------------- */

int
waiting_children(struct spool *sp, const char *id)
{
	return dir_open_path(sp, path_after(id, "").s);
}

bool
waiting_is_mark(const char *file)
{
	return file[0] == '+' && job_id_valid(file + 1);
}

/* Moves on all that can be.  *moved is their number. */
static int
release_once(struct spool *sp, const char *id, enum spool_parent ended, int fd,
    size_t *moved)
{
	struct spool_names names;
	struct job_name name;
	const char *file;
	int r, worst = SPOOL_OK, e = 0, patience = PATIENCE_MS;

	*moved = 0;
	if (names_open(&names, fd) < 0)
		return spool_fail(sp, path_after(id, "").s);
	while ((file = names_next(&names))) {
		if (!names.regular || !job_name_parse(&name, file))
			continue;
		strcpy(name.parent, id);
		r = settled(lock_and_settle(sp, &name, ended, true, &patience,
		    moved));
		if (r != SPOOL_OK) {
			worst = r;
			e = errno;
		}
	}
	if (errno) {
		worst = spool_fail(sp, path_after(id, "").s);
		e = errno;
	}
	names_close(&names);
	errno = e;
	return worst;
}

int
waiting_release(struct spool *sp, const char *id, enum job_state to, int fd,
    size_t *released)
{
	size_t moved;
	int r;

	do {
		r = release_once(sp, id, waiting_ended_as(SPOOL_OK, to), fd, &moved);
		*released += moved;
		remove_dir(sp, id);
		/* a new child may have come, or readdir missed one */
		fd = moved ? waiting_children(sp, id) : -1;
	} while (fd >= 0);
	return r;
}

/* Whether `child` waits and names `parent`; or whether somebody has it and may
 * make it wait, or is just enqueueing it. */
static int
check_mark(struct spool *sp, const char *parent, const char *child,
    bool *holds)
{
	struct job_name name;
	enum job_state state;
	struct job job;
	int r = spool_find(sp, child, &state, &name);

	*holds = r == SPOOL_GONE &&
	    file_exists(sp, path_in(SPOOL_IDS, child).s);
	if (r == SPOOL_OK && state == JOB_DEAD)
		*holds = spool_locked(sp, state, &name);
	if (r != SPOOL_OK || (state != JOB_HELD && state != JOB_WAITING))
		return r == SPOOL_ERROR ? r : SPOOL_OK;
	r = spool_load(sp, state, &name, &job);
	*holds = r == SPOOL_OK &&
	    waiting_place_of(&job, parent) < job_parents(&job);
	job_free(&job);
	return r == SPOOL_ERROR ? r : SPOOL_OK;
}

bool
waiting_is_stale(struct spool *sp, const char *parent, const char *child)
{
	bool holds;

	return check_mark(sp, parent, child, &holds) == SPOOL_OK && !holds;
}

int
waiting_names(struct spool *sp, const char *id, bool *named)
{
	struct spool_names names;
	struct job_name name;
	const char *file;
	int fd = waiting_children(sp, id), r = SPOOL_OK;

	*named = false;
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? SPOOL_OK :
		    spool_fail(sp, path_after(id, "").s);
	if (names_open(&names, fd) < 0)
		return spool_fail(sp, path_after(id, "").s);
	while (r == SPOOL_OK && !*named && (file = names_next(&names))) {
		if (!waiting_is_mark(file)) {
			*named = names.regular && job_name_parse(&name, file);
			continue;
		}
		r = check_mark(sp, id, file + 1, named);
		if (r == SPOOL_OK && !*named)
			unlinkat(sp->fd, path_after(id, file).s, 0);
	}
	if (r == SPOOL_OK && !*named && errno)
		r = spool_fail(sp, path_after(id, "").s);
	names_close(&names);
	if (r == SPOOL_OK && !*named)
		remove_dir(sp, id);
	return r;
}

/* --- the sweep ---------------------------------------------------------- */

int
waiting_each_parent(struct spool *sp, waiting_parent_seen *each, void *arg)
{
	int fd = dir_open(sp, JOB_WAITING), r = SPOOL_OK, error = 0;
	struct dirent *e;
	DIR *dir;

	if (fd < 0)
		return errno == ENOENT ? SPOOL_OK :
		    spool_fail(sp, dir_name(JOB_WAITING));
	dir = fdopendir(fd);
	if (!dir) {
		fd_close(fd);
		return spool_fail(sp, dir_name(JOB_WAITING));
	}
	while (errno = 0, (e = readdir(dir)))
		if (job_id_valid(e->d_name) &&
		    each(sp, e->d_name, arg) == SPOOL_ERROR) {
			r = SPOOL_ERROR;
			error = errno;
		}
	if (errno) {
		r = spool_fail(sp, dir_name(JOB_WAITING));
		error = errno;
	}
	closedir(dir);
	errno = error;
	return r;
}

static int
sweep_parent(struct spool *sp, const char *id, void *released)
{
	enum spool_parent parent;
	int fd, r = waiting_look_at(sp, id, &parent);

	if (r != SPOOL_OK)
		return r;
	fd = parent == PARENT_DONE || parent == PARENT_DEAD ?
	    waiting_children(sp, id) : -1;
	if (fd >= 0 && (r = sync_ends(sp)) != SPOOL_OK)
		fd_close(fd);
	else if (fd >= 0)
		r = waiting_release(sp, id, parent == PARENT_DONE ? JOB_DONE :
		    JOB_DEAD, fd, released);
	else if (parent == PARENT_GONE)
		remove_dir(sp, id); /* if it is empty */
	return r;
}

int
spool_waiting_sweep(struct spool *sp, size_t *released)
{
	*released = 0;
	return waiting_is_used(sp) ?
	    waiting_each_parent(sp, sweep_parent, released) : SPOOL_OK;
}
