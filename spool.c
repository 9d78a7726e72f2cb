/*
 * spool.c: the place itself: paths, results, descriptors, locks, and the names
 * in a directory.
 *
 *     pending/ processing/ done/ failed/ dead/    a job's name, see job/name.h
 *     held/ after/PARENT/    the same, of a job that waits; see spool/waiting.h
 *     ids/ID        hard link to the job, whatever its state
 *     log/ID.log    its output
 *     locks/NAME/SLOT    a slot of a lock; see spool/lock.h
 *     workers/POOL  one per pool, flocked by it; POOL.stop, POOL.now: requests
 *     workers/NAME.cancel    a request to end that run, by its name in
 *                            processing/
 *     config        "key = value" lines
 *     metrics       the tally of all pools that have ended
 *     worker.log    what daemons say
 *
 * A job is in the state whose directory has its name.  Each change of state is
 * one system call; spool/life.c has the table of them.
 *
 * Locks, in the order in which one process may take them:
 *
 *     1. the job's own, an flock on its file: only its holder may move the job.
 *        The job's process inherits it from the worker, so a job in processing/
 *        is free only when both have ended
 *        The slots of named locks come after it, without waiting
 *     2. ids/: shared by every process that adds or removes entries, exclusive
 *        for one that must know that no entry is being written
 *     3. the spool's directory: for a change of config or metrics
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* flock, DT_REG */
#include <sys/file.h>
#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "spool/spool_priv.h"
#include "spool/waiting_priv.h"

#if ON_LINUX
#include <sys/syscall.h>
#endif

enum { FEW = 8 };              /* up to so many files are synced one by one */

static const char *const dir_names[SPOOL_DIRS] = {
	"pending", "processing", "done", "failed", "dead", "held", "after",
	"ids", "log", "workers", "locks"
};

const char *
dir_name(int dir)
{
	return dir_names[dir];
}

struct path
path_in(int dir, const char *file)
{
	struct path p;
	char *end = stpcpy(p.s, dir_names[dir]);
	size_t n = strnlen(file, (size_t)(p.s + sizeof p.s - end) - 2);

	*end++ = '/';
	memcpy(end, file, n);
	end[n] = '\0';
	return p;
}

bool
dir_is_needed(int dir)
{
	return dir < SPOOL_DIRS && dir != JOB_HELD && dir != JOB_WAITING &&
	    dir != SPOOL_LOCKS;
}

struct path
path_below(int dir, const char *name, const char *file)
{
	struct path p = path_in(dir, name);
	size_t n = strlen(p.s);

	if (*file)
		snprintf(p.s + n, sizeof p.s - n, "/%s", file);
	return p;
}

struct path
path_after(const char *parent, const char *file)
{
	return path_below(JOB_WAITING, parent, file);
}

struct path
path_job(enum job_state state, const struct job_name *name)
{
	char file[JOB_NAME_MAX + 1];

	job_name_format(file, name);
	return state == JOB_WAITING ? path_after(name->parent, file) :
	    path_in((int)state, file);
}

struct path
path_log(const char *id)
{
	struct path p = path_in(SPOOL_LOG, id);

	strncat(p.s, ".log", sizeof p.s - strlen(p.s) - 1);
	return p;
}

int
spool_fail(struct spool *sp, const char *at)
{
	int e = errno;

	snprintf(sp->at, sizeof sp->at, "%s", at);
	errno = e;
	return SPOOL_ERROR;
}

const char *
spool_remedy(int error)
{
	static const struct {
		int error;
		const char *remedy;
	} remedies[] = {
		{ ENOSPC, "; make room, for example with queuectl "
		    "purge --state completed" },
		{ EDQUOT, "; make room, for example with queuectl "
		    "purge --state completed" },
		{ EROFS, "; mount its file system for writing" },
		{ EACCES, "; queuectl fsck --repair mends modes" },
		{ EPERM, "; lsattr shows whether it may be changed" },
		{ ENOENT, "; queuectl fsck --repair makes directories" },
		{ EIO, "; the kernel's log (dmesg) says more" },
		{ EFBIG, "; raise ulimit -f" },
		{ EMFILE, "; raise ulimit -n" },
		/* of fork: a busy lock has a result of its own */
		{ EAGAIN, "; raise ulimit -u or pids.max" },
	};
	size_t i;

	for (i = 0; i < sizeof remedies / sizeof *remedies; i++)
		if (remedies[i].error == error)
			return remedies[i].remedy;
	return "";
}

int
spool_refuse(struct spool *sp, const char *why)
{
	sp->why = why;
	sp->line = 0;
	return SPOOL_REFUSED;
}

void
fd_close(int fd)
{
	int e = errno;

	if (fd >= 0)
		close(fd);
	errno = e;
}

void
sleep_ms(int ms)
{
	poll(NULL, 0, ms);
}

int64_t
monotonic_ms(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) < 0)
		return 0; /* no system lacks it */
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int
file_open(struct spool *sp, const char *path, int flags, int *fd,
    struct stat *st)
{
	int r = SPOOL_OK;

	*fd = openat(sp->fd, path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
	    O_CLOEXEC, 0600);
	if (*fd < 0) {
		switch (errno) {
		case ENOENT:
			return SPOOL_GONE;
		case ELOOP:
			return spool_refuse(sp, "a symbolic link; put the file "
			    "itself there");
		case ENXIO:
		case EISDIR:
			return spool_refuse(sp, "not a regular file");
		case EACCES:
			return spool_refuse(sp, "it may not be read; see "
			    "ls -l");
		default:
			return spool_fail(sp, path);
		}
	}
	if (fstat(*fd, st) < 0)
		r = spool_fail(sp, path);
	else if (!S_ISREG(st->st_mode))
		r = spool_refuse(sp, "not a regular file");
	if (r != SPOOL_OK) {
		fd_close(*fd);
		*fd = -1;
	}
	return r;
}

bool
file_exists(struct spool *sp, const char *path)
{
	struct stat st;

	return fstatat(sp->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int
file_replace(struct spool *sp, const char *name, const struct buf *b,
    bool sync)
{
	char fresh[32];
	int fd, r = SPOOL_OK;

	snprintf(fresh, sizeof fresh, "%s.new", name);
	unlinkat(sp->fd, fresh, 0); /* a crash may have left it */
	fd = openat(sp->fd, fresh,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return spool_fail(sp, fresh);
	if (fd_write(fd, b->p, b->n) < 0 || (sync && fsync(fd) < 0))
		r = spool_fail(sp, fresh);
	fd_close(fd);
	if (r == SPOOL_OK && renameat(sp->fd, fresh, sp->fd, name) < 0)
		r = spool_fail(sp, name);
	if (r != SPOOL_OK) {
		int e = errno;

		unlinkat(sp->fd, fresh, 0);
		errno = e;
		return r;
	}
	return sync && fsync(sp->fd) < 0 ? spool_fail(sp, "") : SPOOL_OK;
}

int
fd_write(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -1;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

bool
fd_read(int fd, off_t at, off_t size, struct buf *b)
{
	size_t n = (size_t)size;

	if (!buf_room(b, n)) {
		errno = ENOMEM;
		return false;
	}
	while (n) {
		ssize_t r = pread(fd, b->p + b->n, n, at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return false;
		if (r == 0)
			break;
		b->n += (size_t)r;
		n -= (size_t)r;
		at += r;
	}
	b->p[b->n] = '\0';
	return true;
}

int
fd_lock(int fd, int how)
{
	int r;

	do
		r = flock(fd, how);
	while (r < 0 && errno == EINTR);
	return r;
}

int
ids_lock(struct spool *sp, int how)
{
	if (sp->ids < 0)
		sp->ids = dir_open(sp, SPOOL_IDS);
	if (sp->ids < 0 || fd_lock(sp->ids, how) < 0) {
		if (errno == EWOULDBLOCK)
			return SPOOL_BUSY;
		return spool_fail(sp, dir_names[SPOOL_IDS]);
	}
	return SPOOL_OK;
}

void
ids_unlock(struct spool *sp)
{
	int e = errno;

	fd_lock(sp->ids, LOCK_UN);
	errno = e;
}

int
dir_open_path(struct spool *sp, const char *path)
{
	return openat(sp->fd, path,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int
dir_open(struct spool *sp, int dir)
{
	return dir_open_path(sp, dir_names[dir]);
}

int
dir_sync(struct spool *sp, int dir)
{
	int fd = dir_open(sp, dir);

	if (fd < 0 || fsync(fd) < 0) {
		spool_fail(sp, dir_names[dir]);
		fd_close(fd);
		return SPOOL_ERROR;
	}
	close(fd);
	return SPOOL_OK;
}

int
dir_sync_of(struct spool *sp, enum job_state state, const struct job_name *name)
{
	struct path p;

	if (state != JOB_WAITING)
		return dir_sync(sp, (int)state);
	p = path_after(name->parent, "");
	return dir_sync_at(sp->fd, p.s) == 0 || errno == ENOENT ? SPOOL_OK :
	    spool_fail(sp, p.s);
}

int
sync_many(struct spool *sp, size_t n, sync_one *one, void *arg)
{
	size_t i;
	int r = SPOOL_OK;

#if ON_LINUX
	/* syncfs also writes out what others wrote to the file system, but
	 * fsync costs a commit of the journal for each file. */
	if (n > FEW) {
		if (syncfs(sp->fd) == 0)
			return SPOOL_OK;
		if (errno != ENOSYS && errno != EPERM) /* a seccomp filter */
			return spool_fail(sp, "");
	}
#else
	(void)sp;
#endif
	for (i = 0; i < n && r == SPOOL_OK; i++)
		r = one(arg, i);
	return r;
}

int
dir_sync_at(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (fd < 0)
		return -1;
	r = fsync(fd);
	if (r < 0 && (errno == EINVAL || errno == EROFS))
		r = 0;
	fd_close(fd);
	return r;
}

int
dir_make(int at, const char *name, const char *parent)
{
	return mkdirat(at, name, 0700) < 0 ? -1 : dir_sync_at(at, parent);
}

int
names_open(struct spool_names *names, int fd)
{
	names->fd = fd;
	names->dir = NULL;
	names->at = names->n = 0;
#if !ON_LINUX
	if (fd >= 0 && !(names->dir = fdopendir(fd))) {
		fd_close(fd);
		names->fd = -1;
	}
#endif
	return names->fd;
}

#if ON_LINUX
/* As readdir does it, with more at a time: for a million names that counts. */
const char *
names_next(struct spool_names *names)
{
	struct { /* struct linux_dirent64, see getdents64(2) */
		uint64_t ino;
		int64_t off;
		uint16_t len;
		uint8_t type;
		char name[5];
	} e;
	const size_t head = (size_t)(e.name - (char *)&e);
	const char *name;

	do {
		if (names->at == names->n) {
			long n = syscall(SYS_getdents64, names->fd,
			    names->bytes, (unsigned)sizeof names->bytes);

			if (n <= 0) {
				/* ENOENT: the directory was removed */
				errno = n < 0 && errno != ENOENT ? errno : 0;
				return NULL;
			}
			names->at = 0;
			names->n = (size_t)n;
		}
		memcpy(&e, names->bytes + names->at, head);
		name = names->bytes + names->at + head;
		names->at += e.len;
	} while (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])));
	names->regular = e.type == DT_REG || e.type == DT_UNKNOWN;
	return name;
}
#else
const char *
names_next(struct spool_names *names)
{
	struct dirent *e;

	do
		if (errno = 0, !(e = readdir(names->dir))) {
			if (errno == ENOENT) /* the directory was removed */
				errno = 0;
			return NULL;
		}
	while (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."));
	names->regular = true;
#ifdef DT_REG
	names->regular = e->d_type == DT_REG || e->d_type == DT_UNKNOWN;
#endif
	return e->d_name;
}
#endif

void
names_close(struct spool_names *names)
{
	int e = errno;

	if (names->dir)
		closedir(names->dir);
	else if (names->fd >= 0)
		close(names->fd);
	names->dir = NULL;
	names->fd = -1;
	errno = e;
}

/* Goes on with the next directory of after/.  false: there is none, or errno. */
static bool
next_parent(struct spool_iter *it)
{
	struct dirent *e;
	int fd;

	names_close(&it->names);
	while (errno = 0, (e = readdir(it->parents))) {
		if (!job_id_valid(e->d_name))
			continue;
		fd = dir_open_path(it->spool, path_after(e->d_name, "").s);
		if (fd < 0 && (errno == ENOENT || errno == ENOTDIR ||
		    errno == ELOOP))
			continue;
		strcpy(it->parent, e->d_name);
		return names_open(&it->names, fd) >= 0;
	}
	return false;
}

int
spool_iter_open(struct spool *sp, struct spool_iter *it, enum job_state state)
{
	int fd = dir_open(sp, (int)state);

	it->spool = sp;
	it->state = state;
	it->file = NULL;
	it->strange = 0;
	it->each_strange = false;
	it->example[0] = it->parent[0] = '\0';
	it->parents = NULL;
	if (fd < 0 && errno == ENOENT && !dir_is_needed((int)state)) {
		names_open(&it->names, -1);
		return SPOOL_OK;
	}
	if (state == JOB_WAITING && fd >= 0) {
		names_open(&it->names, -1);
		it->parents = fdopendir(fd);
		if (it->parents)
			return SPOOL_OK;
		fd_close(fd);
	} else if (names_open(&it->names, fd) >= 0) {
		return SPOOL_OK;
	}
	return spool_fail(sp, dir_names[state]);
}

/* The next name in the directories that are to be read. */
static const char *
next_file(struct spool_iter *it)
{
	const char *file;

	for (;;) {
		file = it->names.fd < 0 ? NULL : names_next(&it->names);
		if (file || (it->names.fd >= 0 && errno))
			return file;
		if (!it->parents) {
			errno = 0;
			return NULL;
		}
		if (!next_parent(it))
			return NULL;
	}
}

int
spool_iter_next(struct spool_iter *it, struct job_name *name)
{
	while ((it->file = next_file(it))) {
		if (it->state == JOB_WAITING && waiting_is_mark(it->file))
			continue;
		if (it->names.regular && job_name_parse(name, it->file)) {
			strcpy(name->parent, it->parent);
			return 1;
		}
		if (!it->strange++)
			snprintf(it->example, sizeof it->example, "%s",
			    it->file);
		if (it->each_strange)
			return 2;
	}
	return errno ? spool_fail(it->spool, dir_names[it->state]), -1 : 0;
}

void
spool_iter_close(struct spool_iter *it)
{
	int e = errno;

	names_close(&it->names);
	if (it->parents)
		closedir(it->parents);
	it->parents = NULL;
	errno = e;
}
