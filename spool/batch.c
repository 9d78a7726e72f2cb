/*
 * spool/batch.c: enqueue: stage, publish, take back.
 *
 *     spool_stage    write ids/ID, for each job
 *     spool_publish  sync the files; link each into pending/, held/ or
 *                    after/PARENT/, the instant of commit; sync these and ids/;
 *                    look at the parents again
 *
 * The lock of ids/ is shared from the first job staged to the end of
 * spool_publish().
 * An entry without a job is therefore left over if the lock can be had
 * exclusively: spool_reclaim().
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spool/file_priv.h"
#include "spool/life_priv.h"
#include "spool/lock_priv.h"
#include "spool/waiting_priv.h"

enum { RECLAIM_MS = 1000 };    /* how long we wait for other enqueuers */

/* The place of an id in the table: of the job, or an empty one. */
static uint32_t *
find_slot(const struct spool_batch *b, const char *id)
{
	size_t i = text_hash(TEXT_HASH, id, strlen(id));

	for (;; i++) {
		uint32_t *slot = &b->table[i & (b->slots - 1)];

		if (!*slot || !strcmp(b->v[*slot - 1].name.id, id))
			return slot;
	}
}

static bool
in_batch(const struct spool_batch *b, const char *id)
{
	return b->n && *find_slot(b, id);
}

/* Makes room for one more job.  The table is at most half full. */
static bool
make_room(struct spool_batch *b)
{
	struct spool_staged *v = array_room(b->v, &b->cap, b->n + 1, sizeof *v);
	size_t slots = b->slots ? b->slots : 16, i;
	uint32_t *table;

	if (!v)
		return false;
	b->v = v;
	while (slots < 2 * (b->n + 1))
		slots *= 2;
	if (slots == b->slots)
		return true;
	table = calloc(slots, sizeof *table);
	if (!table)
		return false;
	free(b->table);
	b->table = table;
	b->slots = slots;
	for (i = 0; i < b->n; i++)
		*find_slot(b, v[i].name.id) = (uint32_t)i + 1;
	return true;
}

/* Makes way for a unique job whose id another job has.  SPOOL_OK: the id may be
 * free now. */
static int
make_way(struct spool *sp, enum job_state state, const struct job_name *name)
{
	bool sync = sp->config.sync != SYNC_NONE;
	int64_t deadline = monotonic_ms() + RECLAIM_MS;
	struct spool_claim c;
	struct stat st;
	int i, r;

	if (state != JOB_DONE && state != JOB_DEAD) {
		/* its enqueuer may not have synced it yet */
		if ((state == JOB_PENDING || state == JOB_HELD ||
		    state == JOB_WAITING) && sync &&
		    ((r = dir_sync_of(sp, state, name)) != SPOOL_OK ||
		    (r = dir_sync(sp, SPOOL_IDS)) != SPOOL_OK))
			return r;
		return SPOOL_DUPLICATE;
	}
	/* if it is locked, somebody else makes way for the same id */
	while ((r = lock_and_read(sp, state, name, false, &c, &st)) == SPOOL_BUSY &&
	    monotonic_ms() < deadline)
		sleep_ms(1);
	if (r == SPOOL_GONE)
		return SPOOL_OK;
	if (r != SPOOL_OK && r != SPOOL_BAD)
		return r;
	r = purge_locked(sp, &c, &st);
	/* After a power cut the old job must not come back beside the new
	 * one, in any of the states that it has been in. */
	for (i = 0; i < JOB_HELD && r == SPOOL_OK && sync; i++)
		r = dir_sync(sp, i);
	return r;
}

/* Creates ids/ID for a job, and makes the id if it has none. */
static int
create_id(struct spool_batch *b, struct job *job, bool *made, int *fd)
{
	struct spool *sp = b->spool;
	enum job_state state;
	struct job_name name;
	struct path p;
	int r;

	*made = job->id[0] == '\0';
	for (;;) {
		if (*made)
			job_id_make(job->id, job->created);
		p = path_in(SPOOL_IDS, job->id);
		*fd = openat(sp->fd, p.s, O_WRONLY | O_CREAT | O_EXCL |
		    O_NOFOLLOW | O_CLOEXEC, 0600);
		if (*fd >= 0)
			return SPOOL_OK;
		if (errno != EEXIST)
			return spool_fail(sp, p.s);
		if (*made) {
			job->created++;
			continue;
		}
		if (in_batch(b, job->id))
			return job->unique ? SPOOL_DUPLICATE : SPOOL_EXISTS;
		r = spool_find(sp, job->id, &state, &name);
		if (r == SPOOL_OK)
			r = job->unique ? make_way(sp, state, &name) :
			    SPOOL_EXISTS;
		else if (r == SPOOL_GONE)
			r = SPOOL_STALE_ID;
		if (r != SPOOL_OK)
			return r;
	}
}

static bool
is_known(void *batch, const char *id)
{
	return in_batch(batch, id);
}

/* A unique job takes over the children of the job whose place it takes.  So its
 * parents must not wait for it. */
static int
check_ring(struct spool *sp, const struct job *job)
{
	struct spool_reason why;
	enum job_state state;
	struct job_name name;
	size_t i;
	int r;

	for (i = 0; i < job_parents(job); i++) {
		r = spool_find(sp, job_parent(job, i), &state, &name);
		if (r != SPOOL_OK || state != JOB_WAITING)
			continue;
		r = spool_waiting_root(sp, &name, NULL, NULL, &why);
		if (r != SPOOL_OK)
			return r;
		if (!strcmp(why.id, job->id))
			return spool_refuse(sp, "it would wait for itself");
	}
	return SPOOL_OK;
}

/* Finds out where the job is to go. */
static int
place_job(struct spool_batch *b, const struct job *job, struct spool_staged *s)
{
	size_t i;
	int r;

	*s = (struct spool_staged){ .to = JOB_PENDING };
	for (i = 0; i < job_parents(job); i++)
		if (!strcmp(job_parent(job, i), job->id))
			return spool_refuse(b->spool, "it would wait for itself");
	r = job->unique ? check_ring(b->spool, job) : SPOOL_OK;
	if (r != SPOOL_OK)
		return r;
	r = waiting_place(b->spool, job, is_known, b, &s->to, &s->name);
	s->parents = job_parents(job) && (job->hold || s->to == JOB_WAITING);
	if (job->hold) {
		s->to = JOB_HELD;
		s->name.parent[0] = '\0';
	}
	if (r == SPOOL_OK && s->parents && !b->after) {
		b->after = spool_has_waiting(b->spool);
		r = b->after ? SPOOL_OK : SPOOL_NO_AFTER;
	}
	return r == SPOOL_OK && job->hold ? waiting_make(b->spool, JOB_HELD) : r;
}

static int
stage_locked(struct spool_batch *b, struct job *job)
{
	struct spool *sp = b->spool;
	struct spool_staged *s = &b->v[b->n];
	struct path p;
	bool made;
	int fd, r;

	r = place_job(b, job, s);
	if (r != SPOOL_OK)
		return r;
	r = create_id(b, job, &made, &fd);
	if (r != SPOOL_OK)
		goto out;
	p = path_in(SPOOL_IDS, job->id);
	buf_clear(&b->text);
	job_format(&b->text, job);
	if (b->text.failed) {
		errno = ENOMEM;
		r = spool_fail(sp, p.s);
	} else if (b->text.n > JOB_TEXT_MAX) {
		sp->why = "the job is larger than 16 MiB; let it read a file";
		sp->line = 0;
		r = SPOOL_BAD;
	} else if (fd_write(fd, b->text.p, b->text.n) < 0 ||
	    (!b->bulk && sp->config.sync != SYNC_NONE && fsync(fd) < 0)) {
		r = spool_fail(sp, p.s);
	}
	/* close can report an error that write did not (NFS, quotas) */
	if (close(fd) < 0 && r == SPOOL_OK)
		r = spool_fail(sp, p.s);
	if (r != SPOOL_OK) {
		int e = errno;

		unlinkat(sp->fd, p.s, 0);
		errno = e;
		goto out;
	}
	s->name.stamp = job->run_at >= 0 ? job->run_at : job->created;
	s->name.timed = job->run_at >= 0;
	s->name.priority = (unsigned char)job->priority;
	strcpy(s->name.id, job->id);
	job_locks_join(s->name.locks, job->lock.v, job->lock.n);
	*find_slot(b, job->id) = (uint32_t)++b->n;
out:
	if (made)
		job->id[0] = '\0';
	return r;
}

/* Refuses jobs while there is room left for the results of others. */
static int
check_room(struct spool *sp)
{
	uint64_t percent = (uint64_t)sp->config.min_free;
	struct statvfs st;

	if (!percent || fstatvfs(sp->fd, &st) < 0)
		return SPOOL_OK;
	sp->line = 0;
	sp->why = st.f_bavail * 100 < st.f_blocks * percent ?
	    "no space left: fewer blocks of its file system are free than "
	    "min-free says" :
	    st.f_favail * 100 < st.f_files * percent ?
	    "no space left: fewer inodes of its file system are free than "
	    "min-free says" :
	    NULL;
	return sp->why ? SPOOL_FULL : SPOOL_OK;
}

int
spool_stage(struct spool_batch *b, struct job *job)
{
	int r;

	if (!b->n && (r = check_room(b->spool)) != SPOOL_OK)
		return r;
	if (!make_room(b))
		return spool_fail(b->spool, "");
	if (!b->locked) {
		r = ids_lock(b->spool, LOCK_SH);
		if (r != SPOOL_OK)
			return r;
		b->locked = true;
	}
	r = stage_locked(b, job);
	if (r != SPOOL_OK && b->n == 0) {
		ids_unlock(b->spool);
		b->locked = false;
	}
	return r;
}

/* Makes the i-th file of a bulk batch safe, which was only written. */
static int
sync_staged(void *batch, size_t i)
{
	struct spool_batch *b = batch;
	struct spool *sp = b->spool;
	struct path p = path_in(SPOOL_IDS, b->v[i].name.id);
	int fd = openat(sp->fd, p.s, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int r = fd < 0 || fsync(fd) < 0 ? spool_fail(sp, p.s) : SPOOL_OK;

	fd_close(fd);
	return r;
}

/* Makes the directories that the i-th job needs to wait, and its marks. */
static int
prepare(struct spool_batch *b, size_t i)
{
	const struct spool_staged *s = &b->v[i];
	struct spool *sp = b->spool;
	struct job job;
	int r = spool_load(sp, s->to, &s->name, &job);

	if (r == SPOOL_OK)
		r = waiting_prepare(sp, &job, s->to, &s->name);
	job_free(&job);
	return r == SPOOL_OK || r == SPOOL_ERROR ? r :
	    spool_fail(sp, path_in(SPOOL_IDS, s->name.id).s);
}

/* Makes the locks that the jobs need and nobody needed before. */
static int
make_locks(struct spool_batch *b)
{
	const char *before = "";
	size_t i;
	int r = SPOOL_OK;

	for (i = 0; i < b->n && r == SPOOL_OK; i++) {
		const char *locks = b->v[i].name.locks;

		if (strcmp(locks, before) != 0)
			r = locks_make(b->spool, locks);
		before = locks;
	}
	return r;
}

static int
link_batch(struct spool_batch *b)
{
	struct spool *sp = b->spool;
	int r;

	while (b->linked < b->n) {
		struct spool_staged *s = &b->v[b->linked];
		struct path id = path_in(SPOOL_IDS, s->name.id);
		struct path p = path_job(s->to, &s->name);

		if (s->parents && (r = prepare(b, b->linked)) != SPOOL_OK)
			return r;
		if (linkat(sp->fd, id.s, sp->fd, p.s, 0) == 0)
			b->linked++;
		else if (errno == EEXIST && s->name.stamp < JOB_TIME_MAX)
			s->name.stamp++;
		else if (errno != ENOENT || !s->parents || b->again++ > 100)
			return spool_fail(sp, p.s);
		/* else somebody found the directory empty, and removed it */
	}
	return SPOOL_OK;
}

/* Syncs the directory that the i-th job waits in. */
static int
sync_parent(void *batch, size_t i)
{
	struct spool_batch *b = batch;
	const struct spool_staged *s = &b->v[i];

	return s->to != JOB_WAITING || (i && b->v[i - 1].to == JOB_WAITING &&
	    !strcmp(b->v[i - 1].name.parent, s->name.parent)) ? SPOOL_OK :
	    dir_sync_of(b->spool, s->to, &s->name);
}

/* Syncs the directories that the jobs are in. */
static int
sync_batch(struct spool_batch *b)
{
	struct spool *sp = b->spool;
	bool used[JOB_STATES] = { false };
	size_t i;
	int r = SPOOL_OK, dir;

	for (i = 0; i < b->n; i++)
		used[b->v[i].to] = true;
	if (used[JOB_WAITING])
		r = sync_many(sp, b->n, sync_parent, b);
	for (dir = JOB_STATES; dir-- > 0 && r == SPOOL_OK;)
		if (used[dir])
			r = dir_sync(sp, dir);
	if (r == SPOOL_OK && fsync(sp->ids) < 0)
		r = spool_fail(sp, dir_name(SPOOL_IDS));
	return r;
}

/* Looks at the parents again. */
static int
settle_batch(struct spool_batch *b)
{
	size_t i;
	int r = SPOOL_OK;

	for (i = 0; i < b->n && r == SPOOL_OK; i++)
		if (b->v[i].parents)
			r = waiting_check(b->spool, b->v[i].to, &b->v[i].name);
	for (i = 0; i < b->n && r == SPOOL_OK; i++)
		if (b->v[i].to == JOB_WAITING)
			r = waiting_settle(b->spool, &b->v[i].name);
	return r;
}

int
spool_publish(struct spool_batch *b)
{
	struct spool *sp = b->spool;
	bool sync = sp->config.sync != SYNC_NONE;
	int r = SPOOL_OK;

	if (b->linked == b->n)
		return SPOOL_OK;
	if (sync && b->bulk)
		r = sync_many(sp, b->n, sync_staged, b);
	if (r == SPOOL_OK)
		r = make_locks(b);
	if (r == SPOOL_OK)
		r = link_batch(b);
	if (r == SPOOL_OK && sync)
		r = sync_batch(b);
	if (r == SPOOL_OK)
		r = settle_batch(b);
	if (r != SPOOL_OK) {
		int e = errno;

		spool_take_back(b);
		errno = e;
		return r;
	}
	ids_unlock(sp);
	b->locked = false;
	return SPOOL_OK;
}

/* Takes a published job out of its directory.  false: a worker has claimed
 * it. */
static bool
withdraw(struct spool *sp, const struct spool_staged *s)
{
	struct job_name name = s->name;
	enum job_state state = s->to;
	struct path p;
	struct stat st;
	bool mine;
	int fd;

	/* a parent may have ended and moved it on */
	if (state == JOB_WAITING && !spool_there(sp, state, &name) &&
	    (spool_find(sp, s->name.id, &state, &name) != SPOOL_OK ||
	    (state != JOB_PENDING && state != JOB_WAITING)))
		return false;
	p = path_job(state, &name);
	if (job_open(sp, p.s, &fd, &st) != SPOOL_OK)
		return false;
	mine = fd_lock(fd, LOCK_EX | LOCK_NB) == 0 && is_same_file(sp, p.s, &st) &&
	    unlinkat(sp->fd, p.s, 0) == 0;
	close(fd);
	return mine;
}

/* Removes the entry of a job that has no other name, and its marks. */
static void
remove_staged(struct spool *sp, const struct spool_staged *s)
{
	struct job job;

	if (s->parents && spool_load(sp, s->to, &s->name, &job) == SPOOL_OK) {
		waiting_forget(sp, &job, s->name.id);
		job_free(&job);
	}
	unlinkat(sp->fd, path_in(SPOOL_IDS, s->name.id).s, 0);
}

void
spool_take_back(struct spool_batch *b)
{
	struct spool *sp = b->spool;
	size_t i;

	/* backwards, because workers claim the first jobs first */
	for (i = b->n; i-- > 0;)
		if (i >= b->linked || withdraw(sp, &b->v[i]))
			remove_staged(sp, &b->v[i]);
	if (b->locked)
		ids_unlock(sp);
	b->locked = false;
	spool_batch_clear(b);
}

void
spool_batch_clear(struct spool_batch *b)
{
	if (b->table)
		memset(b->table, 0, b->slots * sizeof *b->table);
	b->n = b->linked = 0;
}

void
spool_batch_free(struct spool_batch *b)
{
	spool_batch_clear(b);
	free(b->v);
	free(b->table);
	buf_free(&b->text);
	b->v = NULL;
	b->table = NULL;
	b->cap = b->slots = 0;
}

int
spool_reclaim(struct spool *sp, const char *id)
{
	int64_t deadline = monotonic_ms() + RECLAIM_MS;
	struct path p = path_in(SPOOL_IDS, id);
	enum job_state state;
	struct job_name name;
	struct stat st = { 0 };
	int r, ms = 1;

	while ((r = ids_lock(sp, LOCK_EX | LOCK_NB)) == SPOOL_BUSY) {
		if (monotonic_ms() >= deadline)
			return SPOOL_BUSY;
		sleep_ms(ms);
		ms = ms < 10 ? ms + 1 : ms;
		/* another enqueuer may just have published it */
		if (fstatat(sp->fd, p.s, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && st.st_nlink > 1)
			return SPOOL_EXISTS;
	}
	if (r != SPOOL_OK)
		return r;
	r = spool_find(sp, id, &state, &name);
	if (r == SPOOL_GONE && fstatat(sp->fd, p.s, &st,
	    AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode))
		r = spool_refuse(sp, "its entry in ids/ is not a regular file");
	else if (r == SPOOL_OK || (r == SPOOL_GONE && st.st_nlink > 1))
		r = SPOOL_EXISTS; /* perhaps a hand has put the job aside */
	else if (r == SPOOL_GONE)
		r = unlinkat(sp->fd, p.s, 0) < 0 && errno != ENOENT ?
		    spool_fail(sp, p.s) : SPOOL_OK;
	ids_unlock(sp);
	return r;
}
