/*
 * spool/lock.c: named locks and their slots.  See lock.h for who opens a slot
 * how.
 *
 * A slot is an flock on its file.  The job inherits the descriptor, so the slot
 * stays taken until the worker unlocks it or, if that was killed, until the
 * last process of the job has ended.  No file says who has a slot, so none can
 * be wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* flock, O_NOFOLLOW */
#include <sys/file.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "spool/life_priv.h"
#include "spool/lock_priv.h"

static const char first_slot[] = "1";

struct path
path_slot(const char *lock, const char *slot)
{
	return path_below(SPOOL_LOCKS, lock, slot);
}

/* Opens a file that is a slot. */
static int
open_slot(struct spool *sp, const char *path, int flags, int *fd,
    struct stat *st)
{
	int r = file_open(sp, path, flags, fd, st);

	if (r == SPOOL_OK && st->st_uid != sp->owner) {
		r = spool_refuse(sp, "it does not belong to the spool's owner; "
		    "chown it");
		fd_close(*fd);
		*fd = -1;
	}
	return r;
}

/* --- taking ------------------------------------------------------------- */

/* SPOOL_BUSY, SPOOL_GONE, SPOOL_REFUSED: try another one. */
static int
try_slot(struct spool *sp, const char *lock, const char *slot,
    struct spool_taken *t)
{
	struct path p = path_slot(lock, slot);
	struct stat st, now;
	int r = open_slot(sp, p.s, O_WRONLY, &t->fd, &st);

	if (r != SPOOL_OK)
		return r;
	if (fd_lock(t->fd, LOCK_EX | LOCK_NB) < 0)
		r = errno == EWOULDBLOCK ? SPOOL_BUSY : spool_fail(sp, p.s);
	/* a hand may have removed it, or put another file in its place */
	else if (fstatat(sp->fd, p.s, &now, AT_SYMLINK_NOFOLLOW) < 0 ||
	    now.st_ino != st.st_ino || now.st_dev != st.st_dev)
		r = SPOOL_GONE;
	if (r == SPOOL_OK) {
		/* its end is the IN_CLOSE_NOWRITE of a job without a worker */
		t->end = openat(sp->fd, p.s, O_RDONLY | O_NOFOLLOW |
		    O_NONBLOCK | O_CLOEXEC);
		if (t->end < 0)
			r = spool_fail(sp, p.s);
	}
	if (r != SPOOL_OK) {
		fd_close(t->fd);
		t->fd = -1;
		return r;
	}
	strcpy(t->slot, slot);
	return SPOOL_OK;
}

/* Reads the names of a lock's slots, each with its NUL.  *n is their number. */
static int
read_slots(struct spool *sp, const char *lock, struct buf *b, size_t *n)
{
	struct path p = path_slot(lock, "");
	struct spool_names names;
	const char *file;
	int fd = dir_open_path(sp, p.s);

	*n = 0;
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ?
		    SPOOL_GONE : spool_fail(sp, p.s);
	if (names_open(&names, fd) < 0)
		return spool_fail(sp, p.s);
	while ((file = names_next(&names)))
		if (names.regular && job_id_valid(file)) {
			buf_add(b, file, strlen(file) + 1);
			++*n;
		}
	if (b->failed)
		errno = ENOMEM;
	names_close(&names);
	return errno ? spool_fail(sp, p.s) : SPOOL_OK;
}

/* Tries all slots, from another one for each job, so that the workers do not
 * all try the same ones. */
static int
try_slots(struct spool *sp, const char *lock, const char *id,
    struct spool_taken *t)
{
	struct buf b = { 0 };
	size_t n, i, skip;
	const char *slot;
	int r = read_slots(sp, lock, &b, &n);

	if (r == SPOOL_OK)
		r = SPOOL_BUSY;
	if (r == SPOOL_BUSY && n) {
		skip = text_hash(TEXT_HASH, id, strlen(id)) % n;
		for (slot = b.p, i = 0; i < skip; i++)
			slot += strlen(slot) + 1;
		for (i = 0; i < n && r != SPOOL_OK && r != SPOOL_ERROR; i++) {
			if (slot == b.p + b.n)
				slot = b.p;
			if (strcmp(slot, first_slot) != 0)
				r = try_slot(sp, lock, slot, t);
			slot += strlen(slot) + 1;
		}
	}
	buf_free(&b);
	return r;
}

int
locks_take(struct spool *sp, struct spool_claim *c)
{
	const char *locks = c->name.locks;
	char lock[JOB_LOCK_MAX + 1];
	int r = SPOOL_OK;

	c->spool = sp;
	while (r == SPOOL_OK && job_lock_next(&locks, lock)) {
		struct spool_taken *t = &c->lock[c->nlock];

		/* most locks have just this one */
		r = try_slot(sp, lock, first_slot, t);
		if (r != SPOOL_OK && r != SPOOL_ERROR)
			r = try_slots(sp, lock, c->name.id, t);
		if (r != SPOOL_OK && r != SPOOL_ERROR)
			r = SPOOL_LOCKED;
		c->busy = (unsigned char)c->nlock;
		c->nlock += r == SPOOL_OK;
	}
	return r;
}

void
locks_let_go(struct spool_claim *c)
{
	const char *locks = c->name.locks;
	char lock[JOB_LOCK_MAX + 1];
	int e = errno;
	size_t i;

	for (i = 0; i < c->nlock && job_lock_next(&locks, lock); i++) {
		struct spool_taken *t = &c->lock[i];

		/* a daemon that the job left behind may hold it, too; then only
		 * another end wakes the others */
		fd_lock(t->fd, LOCK_UN);
		close(t->fd);
		close(t->end);
		fd_close(openat(c->spool->fd, path_slot(lock, t->slot).s,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
	}
	c->nlock = 0;
	errno = e;
}

/* --- making ------------------------------------------------------------- */

/* A lock in the making: a name that no lock can have. */
static struct path
path_unmade(const char *lock)
{
	char file[JOB_LOCK_MAX + 32];

	snprintf(file, sizeof file, ".%s+%ld", lock, (long)getpid());
	return path_in(SPOOL_LOCKS, file);
}

bool
lock_is_unmade(const char *file)
{
	return file[0] == '.' && strchr(file, '+');
}

bool
lock_unmake(struct spool *sp, const char *file)
{
	unlinkat(sp->fd, path_slot(file, first_slot).s, 0);
	return unlinkat(sp->fd, path_slot(file, "").s, AT_REMOVEDIR) == 0;
}

static int
make_slot(struct spool *sp, const char *path)
{
	int fd = openat(sp->fd, path, O_WRONLY | O_CREAT | O_NOFOLLOW |
	    O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd < 0)
		return spool_fail(sp, path);
	close(fd);
	return SPOOL_OK;
}

static int
sync_locks(struct spool *sp, const char *path)
{
	if (sp->config.sync == SYNC_NONE)
		return SPOOL_OK;
	if (*path && dir_sync_at(sp->fd, path) < 0)
		return spool_fail(sp, path);
	if (dir_sync_at(sp->fd, dir_name(SPOOL_LOCKS)) < 0)
		return spool_fail(sp, dir_name(SPOOL_LOCKS));
	return dir_sync_at(sp->fd, ".") < 0 ? spool_fail(sp, "") : SPOOL_OK;
}

static int
make_dir(struct spool *sp, const char *path)
{
	return mkdirat(sp->fd, path, 0700) == 0 || errno == EEXIST ? SPOOL_OK :
	    spool_fail(sp, path);
}

/* Makes a lock with its first slot, at once: nobody sees it closed. */
static int
make_lock(struct spool *sp, const char *lock)
{
	struct path p = path_slot(lock, ""), unmade = path_unmade(lock);
	const char *file = strchr(unmade.s, '/') + 1;
	int e, r;

	if (file_exists(sp, p.s))
		return SPOOL_OK;
	r = make_dir(sp, dir_name(SPOOL_LOCKS));
	if (r == SPOOL_OK)
		r = make_dir(sp, unmade.s);
	if (r == SPOOL_OK)
		r = make_slot(sp, path_slot(file, first_slot).s);
	if (r == SPOOL_OK)
		r = sync_locks(sp, unmade.s);
	if (r == SPOOL_OK && rename_noreplace(sp->fd, unmade.s, p.s) == 0)
		return sync_locks(sp, "");
	if (r == SPOOL_OK && errno != EEXIST)
		r = spool_fail(sp, p.s);
	e = errno;
	lock_unmake(sp, file);
	errno = e;
	return r;
}

int
locks_make(struct spool *sp, const char *locks)
{
	char lock[JOB_LOCK_MAX + 1];
	int r = SPOOL_OK;

	while (r == SPOOL_OK && job_lock_next(&locks, lock))
		r = make_lock(sp, lock);
	return r;
}

/* The number that a slot's name is, from 1; 0: it is another name. */
static size_t
slot_number(const char *slot)
{
	int64_t n;

	return *slot != '0' && job_number_parse(slot, 1, SPOOL_SLOTS_MAX, &n) ?
	    (size_t)n : 0;
}

/* Removes the slots whose numbers are above `most`. */
static int
remove_slots(struct spool *sp, const char *lock, size_t most)
{
	struct buf b = { 0 };
	size_t n, i;
	const char *slot;
	int r = read_slots(sp, lock, &b, &n);

	for (slot = buf_text(&b), i = 0; i < n && r == SPOOL_OK; i++) {
		struct path p = path_slot(lock, slot);

		if (slot_number(slot) > most &&
		    unlinkat(sp->fd, p.s, 0) < 0 && errno != ENOENT)
			r = spool_fail(sp, p.s);
		slot += strlen(slot) + 1;
	}
	buf_free(&b);
	return r;
}

int
spool_lock_set(struct spool *sp, const char *lock, size_t slots,
    struct spool_lock *look)
{
	struct path p = path_slot(lock, "");
	char slot[24];
	size_t i;
	int r = spool_lock_look(sp, lock, look);

	if (r != SPOOL_OK && r != SPOOL_GONE)
		return r;
	if (look->named > slots)
		return SPOOL_WRONG_STATE;
	slots -= look->named;
	if ((r = make_dir(sp, dir_name(SPOOL_LOCKS))) != SPOOL_OK ||
	    (r = make_dir(sp, p.s)) != SPOOL_OK)
		return r;
	for (i = 1; i <= slots && r == SPOOL_OK; i++) {
		snprintf(slot, sizeof slot, "%zu", i);
		r = make_slot(sp, path_slot(lock, slot).s);
	}
	if (r == SPOOL_OK)
		r = remove_slots(sp, lock, slots);
	return r == SPOOL_OK ? sync_locks(sp, p.s) : r;
}

/* --- looking ------------------------------------------------------------ */

/* Tells why a file of a lock cannot be a slot; NULL: it is one or, if st->st_nlink
 * is 0, it is not there. */
static const char *
check_slot(struct spool *sp, const char *lock, const char *slot,
    struct stat *st)
{
	struct path p = path_slot(lock, slot);

	/* to open it would wake those that wait for it */
	if (fstatat(sp->fd, p.s, st, AT_SYMLINK_NOFOLLOW) < 0) {
		st->st_nlink = 0;
		return errno == ENOENT ? NULL : strerror(errno);
	}
	return !job_id_valid(slot) ? "its name cannot be that of a slot; "
	    "rename it" :
	    !S_ISREG(st->st_mode) ? "it is not a regular file" :
	    st->st_uid != sp->owner ?
	    "it does not belong to the spool's owner; chown it" :
	    faccessat(sp->fd, p.s, W_OK, 0) < 0 ?
	    "it may not be written to; chmod 600 it" :
	    NULL;
}

void
lock_check(struct spool *sp, const char *lock, lock_bad_slot *each, void *arg)
{
	struct spool_names names;
	const char *file, *why;
	struct stat st;

	if (names_open(&names, dir_open_path(sp, path_slot(lock, "").s)) < 0)
		return;
	while ((file = names_next(&names)))
		if ((why = check_slot(sp, lock, file, &st)))
			each(arg, path_slot(lock, file).s, why);
	names_close(&names);
}

static int
look_at(struct spool *sp, const char *lock, const char *slot,
    struct spool_lock *look)
{
	struct path p = path_slot(lock, slot);
	struct stat st;
	int fd, r;

	if (!job_id_valid(slot)) {
		look->alien++;
		return SPOOL_OK;
	}
	r = open_slot(sp, p.s, O_RDONLY, &fd, &st);
	if (r == SPOOL_REFUSED)
		look->alien++;
	if (r != SPOOL_OK)
		return r == SPOOL_ERROR ? r : SPOOL_OK;
	look->slots++;
	look->named += !slot_number(slot);
	look->taken += fd_lock(fd, LOCK_SH | LOCK_NB) < 0 &&
	    errno == EWOULDBLOCK;
	fd_close(fd);
	return SPOOL_OK;
}

int
spool_lock_look(struct spool *sp, const char *lock, struct spool_lock *look)
{
	struct path p = path_slot(lock, "");
	struct spool_names names;
	const char *file;
	int e, r = SPOOL_OK, fd = dir_open_path(sp, p.s);

	*look = (struct spool_lock){ .slots = 0 };
	if (fd < 0)
		return errno == ENOENT ? SPOOL_GONE : spool_fail(sp, p.s);
	if (names_open(&names, fd) < 0)
		return spool_fail(sp, p.s);
	while (r == SPOOL_OK && (file = names_next(&names)))
		r = look_at(sp, lock, file, look);
	e = errno;
	names_close(&names);
	errno = e;
	return r == SPOOL_OK && e ? spool_fail(sp, p.s) : r;
}

int
spool_lock_count(struct spool *sp, const char *lock, int most)
{
	struct spool_names names;
	const char *file;
	int n = 0;

	if (names_open(&names, dir_open_path(sp, path_slot(lock, "").s)) < 0)
		return 0;
	while (n < most && (file = names_next(&names)))
		n += names.regular && job_id_valid(file);
	names_close(&names);
	return n;
}

/* Whether a lock has a slot. */
static bool
is_open(struct spool *sp, const char *lock)
{
	struct spool_names names;
	const char *file;
	struct stat st;
	bool found = false;

	if (!check_slot(sp, lock, first_slot, &st) && st.st_nlink)
		return true;
	if (names_open(&names, dir_open_path(sp, path_slot(lock, "").s)) < 0)
		return false;
	while (!found && (file = names_next(&names)))
		found = !check_slot(sp, lock, file, &st) && st.st_nlink;
	names_close(&names);
	return found;
}

bool
spool_lock_closed(struct spool *sp, const char *locks,
    char lock[JOB_LOCK_MAX + 1])
{
	while (job_lock_next(&locks, lock))
		if (!is_open(sp, lock))
			return true;
	return false;
}

int
spool_locks(struct spool *sp, spool_lock_seen *each, void *arg)
{
	int fd = dir_open(sp, SPOOL_LOCKS), e;
	struct spool_names names;
	const char *file;

	if (fd < 0 && errno == ENOENT)
		return SPOOL_OK;
	if (names_open(&names, fd) < 0)
		return spool_fail(sp, dir_name(SPOOL_LOCKS));
	while ((file = names_next(&names)))
		if (job_lock_valid(file) && !each(arg, file))
			break;
	e = file ? 0 : errno;
	names_close(&names);
	errno = e;
	return e ? spool_fail(sp, dir_name(SPOOL_LOCKS)) : SPOOL_OK;
}
