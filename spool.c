/*
 * spool.c: the queue on disk: directories, names, locks, rename, fsync,
 * recovery.
 *
 *     pending/ processing/ done/ failed/ dead/    a job's name, see job.c
 *     ids/ID        hard link to the job, whatever its state
 *     log/ID.log    its output
 *     workers/POOL  one per pool, flocked by it; POOL.stop, POOL.now: requests
 *     config        "key = value" lines
 *
 * A job is in the state whose directory has its name.  Each change of state
 * is one system call, the instant of commit:
 *
 *     step        commit                          a crash before it leaves
 *     enqueue     link ids/ID → pending/          ids/ entry, link count 1
 *     claim       rename pending|failed →         the job where it was
 *                 processing (locked before)
 *     finish      rename processing →             an Attempt: line in a file
 *                 done|failed|dead                in processing/ (recovery
 *                                                 goes by it)
 *     requeue     rename processing → pending     the same
 *     recover     rename processing →             the same; recovery repeats
 *                 failed|dead|…
 *     retry       rename dead → pending           a Retried: line in dead/
 *     purge       unlink of the state's name      the job whole; after it an
 *                                                 ids/ entry, link count 1
 *
 * Locks, in the order in which they may be taken: the job's own (flock on its
 * file; whoever holds it may move it, and only he), then ids/ (shared: by who
 * adds or removes entries, exclusive: by who must know that no entry is being
 * written).  The spool directory itself is locked for changes of config.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* flock, syncfs, DT_REG */
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The seam: what only Linux has.  -DQUEUECTL_PORTABLE builds without. */
#if defined(__linux__) && !defined(QUEUECTL_PORTABLE)
#define ON_LINUX 1
#include <sys/inotify.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#else
#define ON_LINUX 0
#endif

#include "spool.h"

enum {
	RECLAIM_MS = 1000,     /* how long to wait for enqueuers to end */
	BAD_GRACE_S = 2,       /* a text that is no job may still be growing
	                        * (cp by hand); after this it is bad */
	POOL_NAME = sizeof ((struct spool_pool *)0)->name,
	FEW = 8,               /* up to here fsync each, above syncfs */
	MARK_MAX = 80,         /* bytes of the line for what was dropped */
	NUMBERS = TALLY_OUTCOMES + TALLY_BUCKETS + 1, /* of a tally */
	SLOT_LEN = 480         /* bytes of a worker's line in its pool's file */
};

static const char *const dir_names[SPOOL_DIRS] = {
	"pending", "processing", "done", "failed", "dead",
	"ids", "log", "workers"
};

struct path {
	char s[SPOOL_AT_MAX];
};

static struct path
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

static struct path
path_job(enum job_state state, const struct job_name *name)
{
	char file[JOB_NAME_MAX + 1];

	job_name_format(file, name);
	return path_in((int)state, file);
}

static struct path
path_log(const char *id)
{
	struct path p = path_in(SPOOL_LOG, id);

	strncat(p.s, ".log", sizeof p.s - strlen(p.s) - 1);
	return p;
}

/* The file that asks for the end of a run.  It names that run and no other, so
 * one that is left behind does no harm. */
static const char request_suffix[] = ".cancel";

static struct path
path_request(const struct job_name *run)
{
	char file[JOB_NAME_MAX + sizeof request_suffix];

	job_name_format(file, run);
	strcat(file, request_suffix);
	return path_in(SPOOL_WORKERS, file);
}

/* Every SPOOL_ERROR passes here.  errno stays. */
static int
fail(struct spool *sp, const char *at)
{
	int e = errno;

	snprintf(sp->at, sizeof sp->at, "%s", at);
	errno = e;
	return SPOOL_ERROR;
}

static int
refuse(struct spool *sp, const char *why)
{
	sp->why = why;
	sp->line = 0;
	return SPOOL_ALIEN;
}

static void
close_quietly(int fd)
{
	int e = errno;

	if (fd >= 0)
		close(fd);
	errno = e;
}

static void
pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

static int64_t
monotonic_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int
write_all(int fd, const char *p, size_t n)
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

/* Reads the `size` bytes that fstat promised, fewer if the file is shorter,
 * into `b`, which is empty.  The offset, which the job inherits, stays at 0.
 * False with errno. */
static bool
read_text(int fd, off_t size, struct buf *b)
{
	if (!buf_room(b, (size_t)size)) {
		errno = ENOMEM;
		return false;
	}
	while (b->n < (size_t)size) {
		ssize_t r = pread(fd, b->p + b->n, (size_t)size - b->n,
		    (off_t)b->n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return false;
		if (r == 0)
			break;
		b->n += (size_t)r;
	}
	b->p[b->n] = '\0';
	return true;
}

static int
open_dir(struct spool *sp, int dir)
{
	return openat(sp->fd, dir_names[dir],
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Begins to read the directory that is open as `fd`, and will be closed; -1
 * with errno. */
static int
names_open(struct spool_names *names, int fd)
{
	names->fd = fd;
	names->dir = NULL;
	names->at = names->n = 0;
#if !ON_LINUX
	if (fd >= 0 && !(names->dir = fdopendir(fd))) {
		close_quietly(fd);
		names->fd = -1;
	}
#endif
	return names->fd;
}

/* The next name; NULL with errno, 0 at the end. */
#if ON_LINUX
/* As readdir does it, with more at a time: for a million names that counts. */
static const char *
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
				errno = n < 0 ? errno : 0;
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
static const char *
names_next(struct spool_names *names)
{
	struct dirent *e;

	do
		if (errno = 0, !(e = readdir(names->dir)))
			return NULL;
	while (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."));
	names->regular = true;
#ifdef DT_REG
	names->regular = e->d_type == DT_REG || e->d_type == DT_UNKNOWN;
#endif
	return e->d_name;
}
#endif

static void
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

static int
sync_dir(struct spool *sp, int dir)
{
	int fd = open_dir(sp, dir);

	if (fd < 0 || fsync(fd) < 0) {
		fail(sp, dir_names[dir]);
		close_quietly(fd);
		return SPOOL_ERROR;
	}
	close(fd);
	return SPOOL_OK;
}

/* flock that survives signals. */
static int
lock(int fd, int how)
{
	int r;

	do
		r = flock(fd, how);
	while (r < 0 && errno == EINTR);
	return r;
}

static int
lock_ids(struct spool *sp, int how)
{
	if (sp->ids < 0)
		sp->ids = open_dir(sp, SPOOL_IDS);
	if (sp->ids < 0 || lock(sp->ids, how) < 0) {
		if (errno == EWOULDBLOCK)
			return SPOOL_BUSY;
		return fail(sp, dir_names[SPOOL_IDS]);
	}
	return SPOOL_OK;
}

static void
unlock_ids(struct spool *sp)
{
	int e = errno;

	lock(sp->ids, LOCK_UN);
	errno = e;
}

/* --- opening and making ------------------------------------------------- */

/* fsync of a directory.  One that cannot be synced (on some network and FUSE
 * file systems) is no reason to refuse what is made in it. */
static int
sync_at(int at, const char *dir)
{
	int fd = openat(at, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (fd < 0)
		return -1;
	r = fsync(fd);
	if (r < 0 && (errno == EINVAL || errno == EROFS))
		r = 0;
	close_quietly(fd);
	return r;
}

/* mkdir and fsync of the directory that it is in. */
static int
make_dir(int at, const char *name, const char *parent)
{
	return mkdirat(at, name, 0700) < 0 ? -1 : sync_at(at, parent);
}

/* mkdir -p, but only the last part must not exist. */
static int
make_path(const char *path)
{
	char p[PATH_MAX], parent[PATH_MAX];
	char *s = p;

	snprintf(p, sizeof p, "%s", path);
	snprintf(parent, sizeof parent, "/");
	for (;;) {
		char *slash;

		s += strspn(s, "/");
		slash = strchr(s, '/');
		if (slash && slash[strspn(slash, "/")] != '\0')
			*slash = '\0';
		else
			slash = NULL;
		if (make_dir(AT_FDCWD, p, parent) < 0 &&
		    (errno != EEXIST || !slash))
			return -1;
		if (!slash)
			return 0;
		snprintf(parent, sizeof parent, "%s", p);
		*slash = '/';
		s = slash;
	}
}

/* Refuses a directory that is in use for something else: it has files, and
 * none of them is a spool's. */
static int
foreign(struct spool *sp)
{
	bool ours = false, others = false;
	struct spool_names names;
	const char *name;
	int i;

	if (names_open(&names, openat(sp->fd, ".",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return fail(sp, "");
	while ((name = names_next(&names))) {
		if (!strcmp(name, "lost+found"))
			continue;
		for (i = 0; i < SPOOL_DIRS; i++)
			if (!strcmp(name, dir_names[i]))
				break;
		if (i < SPOOL_DIRS)
			ours = true;
		else
			others = true;
	}
	names_close(&names);
	if (others && !ours)
		return refuse(sp, "not empty and not a spool; "
		    "name a directory of its own");
	return SPOOL_OK;
}

/* Tries what the promises stand on: hard links and locks that exclude. */
static int
probe(struct spool *sp)
{
	struct path a, b;
	char name[32];
	int fd, fd2 = -1, r = SPOOL_OK, e;

	snprintf(name, sizeof name, ".probe-%ld", (long)getpid());
	a = path_in(SPOOL_WORKERS, name);
	b = path_in(SPOOL_IDS, name);
	unlinkat(sp->fd, a.s, 0);
	unlinkat(sp->fd, b.s, 0);
	fd = openat(sp->fd, a.s, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(sp, a.s);
	if (linkat(sp->fd, a.s, sp->fd, b.s, 0) < 0) {
		r = errno == EPERM || errno == EOPNOTSUPP ||
		    errno == ENOSYS || errno == EMLINK ?
		    refuse(sp, "its file system has no hard links") :
		    fail(sp, b.s);
	} else if ((fd2 = openat(sp->fd, b.s, O_RDONLY | O_CLOEXEC)) < 0) {
		r = fail(sp, b.s);
	} else if (lock(fd, LOCK_EX | LOCK_NB) < 0 ||
	    lock(fd2, LOCK_EX | LOCK_NB) == 0) {
		r = refuse(sp, "its file system has no working flock");
	}
	e = errno;
	close_quietly(fd);
	close_quietly(fd2);
	unlinkat(sp->fd, a.s, 0);
	unlinkat(sp->fd, b.s, 0);
	errno = e;
	return r;
}

/* Makes the directories that are missing; pending/ comes last, when the others
 * are safe, so that a spool with it is whole.  What was made is removed again
 * on failure. */
static int
furnish(struct spool *sp)
{
	bool made[SPOOL_DIRS] = { false };
	int i, r, e;

	if ((r = foreign(sp)) != SPOOL_OK)
		return r;
	for (i = SPOOL_DIRS - 1; i >= 0 && r == SPOOL_OK; i--) {
		if (i == JOB_PENDING && (r = probe(sp)) != SPOOL_OK)
			break;
		if (i == JOB_PENDING && sync_at(sp->fd, ".") < 0) {
			r = fail(sp, "");
			break;
		}
		if (mkdirat(sp->fd, dir_names[i], 0700) == 0)
			made[i] = true;
		else if (errno != EEXIST)
			r = fail(sp, dir_names[i]);
	}
	if (r == SPOOL_OK && sync_at(sp->fd, ".") < 0)
		r = fail(sp, "");
	if (r != SPOOL_OK) {
		e = errno;
		for (i = 0; i < SPOOL_DIRS; i++)
			if (made[i])
				unlinkat(sp->fd, dir_names[i], AT_REMOVEDIR);
		errno = e;
	}
	return r;
}

static int
open_checked(struct spool *sp, bool create)
{
	struct stat st;

	if (fstat(sp->fd, &st) < 0)
		return fail(sp, "");
	if (st.st_uid != geteuid()) {
		errno = EPERM;
		return refuse(sp, "it belongs to another user, whose jobs "
		    "would run as you");
	}
	if (st.st_mode & 022)
		return refuse(sp, "others may write to it, and so run "
		    "commands as you; chmod go-w it");
	sp->owner = st.st_uid;
	if (fstatat(sp->fd, dir_names[JOB_PENDING], &st,
	    AT_SYMLINK_NOFOLLOW) == 0) {
		if (!S_ISDIR(st.st_mode))
			return refuse(sp, "its pending/ is no directory");
		return SPOOL_OK;
	}
	if (errno != ENOENT)
		return fail(sp, dir_names[JOB_PENDING]);
	if (!create)
		return refuse(sp, "it is not a spool (it has no pending/)");
	return furnish(sp);
}

static int
open_directory(const char *path)
{
	return openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int
spool_open(struct spool *sp, const char *path, bool create)
{
	bool made = false;
	int r;

	*sp = (struct spool){ .fd = -1, .ids = -1, .path = path };
	/* with room for what is below it */
	if (strlen(path) >= PATH_MAX - SPOOL_AT_MAX) {
		errno = ENAMETOOLONG;
		return fail(sp, "");
	}
	sp->fd = open_directory(path);
	if (sp->fd < 0 && errno == ENOENT) {
		if (!create)
			return SPOOL_GONE;
		made = make_path(path) == 0;
		if (!made && errno != EEXIST)
			return fail(sp, "");
		sp->fd = open_directory(path);
	}
	if (sp->fd < 0 && errno == ENOTDIR)
		return refuse(sp, "not a directory");
	if (sp->fd < 0)
		return fail(sp, "");
	r = open_checked(sp, create);
	if (r != SPOOL_OK) {
		int e = errno;

		spool_close(sp);
		if (made)
			rmdir(path);
		errno = e;
		return r;
	}
	spool_config_refresh(sp);
	return SPOOL_OK;
}

void
spool_close(struct spool *sp)
{
	close_quietly(sp->ids);
	close_quietly(sp->fd);
	sp->ids = sp->fd = -1;
}

/* --- config ------------------------------------------------------------- */

/* Opens and reads config into `b`; false with errno, ENOENT where there is
 * none. */
static bool
config_text(struct spool *sp, struct stat *st, struct buf *b)
{
	int fd = openat(sp->fd, "config",
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool done = false;

	if (fd < 0)
		return false;
	if (fstat(fd, st) == 0) {
		if (!S_ISREG(st->st_mode) || st->st_size > JOB_TEXT_MAX)
			errno = EINVAL;
		else
			done = read_text(fd, st->st_size, b);
	}
	close_quietly(fd);
	return done;
}

/* Whether config is still the file that was read. */
static bool
config_is(const struct spool *sp, const struct stat *st)
{
	return sp->config_id.ino == st->st_ino &&
	    sp->config_id.size == st->st_size &&
	    sp->config_id.sec == st->st_mtim.tv_sec &&
	    sp->config_id.nsec == st->st_mtim.tv_nsec;
}

bool
spool_config_refresh(struct spool *sp)
{
	bool first = !sp->config.policy.max_crashes;
	char room[256];
	struct stat st = { 0 };
	struct buf text;
	int e;

	if (!first) {
		if (fstatat(sp->fd, "config", &st, AT_SYMLINK_NOFOLLOW) < 0)
			st = (struct stat){ 0 };
		if (config_is(sp, &st))
			return false;
	}
	buf_on(&text, room, sizeof room);
	e = config_text(sp, &st, &text) ? 0 : errno;
	if (e && e != ENOENT)
		fstatat(sp->fd, "config", &st, AT_SYMLINK_NOFOLLOW);
	sp->config_id.ino = st.st_ino;
	sp->config_id.size = st.st_size;
	sp->config_id.sec = st.st_mtim.tv_sec;
	sp->config_id.nsec = st.st_mtim.tv_nsec;
	sp->config_error = e == ENOENT ? 0 : e;
	if (!sp->config_error || first)
		sp->config_bad = config_read(&sp->config, e ? NULL : text.p);
	buf_free(&text);
	return true;
}

/* Puts a new config in the old one's place, whole or not at all. */
static int
config_replace(struct spool *sp, const struct buf *b)
{
	int fd, r;

	/* what a crash left; who holds the lock is alone with it */
	unlinkat(sp->fd, "config.new", 0);
	fd = openat(sp->fd, "config.new",
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(sp, "config.new");
	r = write_all(fd, b->p, b->n) < 0 || fsync(fd) < 0 ?
	    fail(sp, "config.new") : SPOOL_OK;
	close_quietly(fd);
	if (r == SPOOL_OK &&
	    renameat(sp->fd, "config.new", sp->fd, "config") < 0)
		r = fail(sp, "config");
	if (r != SPOOL_OK) {
		int e = errno;

		unlinkat(sp->fd, "config.new", 0);
		errno = e;
		return r;
	}
	return fsync(sp->fd) < 0 ? fail(sp, "") : SPOOL_OK;
}

int
spool_config_set(struct spool *sp, const struct config_key *k,
    const char *value)
{
	struct config scratch = sp->config;
	struct buf b = { 0 }, text = { 0 };
	struct stat st;
	int r, e;

	if (value && !config_apply(&scratch, k, value))
		return SPOOL_BAD;
	if (lock(sp->fd, LOCK_EX) < 0)
		return fail(sp, "");
	if (!config_text(sp, &st, &text) && errno != ENOENT) {
		r = fail(sp, "config");
	} else {
		buf_puts(&b, "");
		config_edit(&b, text.p, k, value);
		if (b.failed) {
			errno = ENOMEM;
			r = fail(sp, "config");
		} else {
			r = config_replace(sp, &b);
		}
	}
	e = errno;
	buf_free(&text);
	buf_free(&b);
	lock(sp->fd, LOCK_UN);
	spool_config_refresh(sp);
	errno = e;
	return r;
}

/* --- opening, reading and locking a job --------------------------------- */

/* Opens a job's file and says whether it can be one. */
static int
open_job(struct spool *sp, const char *path, int *fd, struct stat *st)
{
	int r = SPOOL_OK;

	/* O_NONBLOCK: a FIFO that someone put here must not hang us. */
	*fd = openat(sp->fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_NOCTTY | O_CLOEXEC);
	if (*fd < 0) {
		switch (errno) {
		case ENOENT:
			return SPOOL_GONE;
		case ELOOP:
			return refuse(sp, "a symbolic link");
		case ENXIO:
			return refuse(sp, "not a regular file");
		case EACCES:
			return refuse(sp, "it may not be read");
		default:
			return fail(sp, path);
		}
	}
	if (fstat(*fd, st) < 0)
		r = fail(sp, path);
	else if (!S_ISREG(st->st_mode))
		r = refuse(sp, "not a regular file");
	else if (st->st_uid != sp->owner)
		r = refuse(sp, "it does not belong to the spool's owner");
	if (r != SPOOL_OK) {
		close_quietly(*fd);
		*fd = -1;
	}
	return r;
}

/* Reads and parses what open_job() opened. */
static int
read_job(struct spool *sp, const char *path, int fd, const struct stat *st,
    const char *id, struct job *job)
{
	struct buf text = { 0 };
	const char *why;
	int e;

	job_init(job);
	if (st->st_size > 2 * (off_t)JOB_TEXT_MAX) {
		sp->why = "larger than 32 MiB";
		sp->line = 0;
		return SPOOL_BAD;
	}
	if (!read_text(fd, st->st_size, &text)) {
		e = errno;
		buf_free(&text);
		errno = e;
		return fail(sp, path);
	}
	why = job_parse(job, text.p, text.n, &sp->line);
	if (why) {
		job_free(job);
		job_init(job);
		if (!strcmp(why, "out of memory")) {
			errno = ENOMEM;
			return fail(sp, path);
		}
		sp->why = why;
		return SPOOL_BAD;
	}
	if (job->id[0] && strcmp(job->id, id)) {
		job_free(job);
		job_init(job);
		return refuse(sp, "its Id: is not the one in its name");
	}
	strcpy(job->id, id);
	if (job->priority < 0)
		job->priority = JOB_PRIORITY;
	return SPOOL_OK;
}

static bool
exists(struct spool *sp, const char *path)
{
	struct stat st;

	return fstatat(sp->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* Whether `path` is still the file that `st` is of. */
static bool
still(struct spool *sp, const char *path, const struct stat *st)
{
	struct stat now;

	return fstatat(sp->fd, path, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	    same_file(&now, st);
}

static void
claim_init(struct spool_claim *c, enum job_state state,
    const struct job_name *name)
{
	*c = (struct spool_claim){ .fd = -1, .out = -1, .from = state,
		.name = *name };
	job_init(&c->job);
}

void
spool_release(struct spool_claim *c)
{
	int e = errno;

	/* Explicitly: a daemon that the job left behind may hold the same
	 * file description. */
	if (c->fd >= 0) {
		lock(c->fd, LOCK_UN);
		close(c->fd);
	}
	close_quietly(c->out);
	c->fd = c->out = -1;
	job_free(&c->job);
	job_init(&c->job);
	errno = e;
}

/* Opens a job's file that open_job() has opened, to append to it. */
static int
open_append(struct spool *sp, const char *path, int *fd)
{
	*fd = openat(sp->fd, path, O_WRONLY | O_APPEND | O_NOFOLLOW |
	    O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (*fd >= 0)
		return SPOOL_OK;
	return errno == ENOENT ? SPOOL_GONE : errno == EACCES ?
	    refuse(sp, "it may not be written") : fail(sp, path);
}

/*
 * Opens and locks a job's file, `change` if it is to be moved or appended to.
 * On SPOOL_OK, *st is of the file as it is under the lock; otherwise nothing
 * is held.
 *
 * On an overlay the first who opens a file for writing copies it up from a
 * lower layer, which makes it another file than the one opened before, with
 * locks of its own: that one is wanted, and the second time it is found.
 */
static int
hold(struct spool *sp, const char *path, bool change, struct spool_claim *c,
    struct stat *st)
{
	struct stat seen;
	int i, r;

	*st = (struct stat){ 0 };
	for (i = 0; i < 2; i++) {
		r = open_job(sp, path, &c->fd, &seen);
		if (r == SPOOL_OK && change)
			r = open_append(sp, path, &c->out);
		if (r == SPOOL_OK && lock(c->fd, LOCK_EX | LOCK_NB) < 0)
			r = errno == EWOULDBLOCK ? SPOOL_BUSY : fail(sp, path);
		/* The size may have grown between open and lock. */
		if (r == SPOOL_OK && fstat(change ? c->out : c->fd, st) < 0)
			r = fail(sp, path);
		if (r == SPOOL_OK && same_file(&seen, st)) {
			c->size = st->st_size;
			return SPOOL_OK;
		}
		spool_release(c);
		if (r != SPOOL_OK)
			return r;
	}
	return SPOOL_GONE;
}

/*
 * Locks and reads a job where it is, `change` if it is to be moved or appended
 * to.  SPOOL_OK, or SPOOL_BAD with the lock held all the same; otherwise
 * nothing is held.
 */
static int
take(struct spool *sp, enum job_state state, const struct job_name *name,
    bool change, struct spool_claim *c, struct stat *st)
{
	struct path p = path_job(state, name);
	int r;

	claim_init(c, state, name);
	r = hold(sp, p.s, change, c, st);
	if (r == SPOOL_OK && !still(sp, p.s, st))
		r = SPOOL_GONE;
	if (r == SPOOL_OK)
		r = read_job(sp, p.s, c->fd, st, name->id, &c->job);
	if (r != SPOOL_OK && r != SPOOL_BAD)
		spool_release(c);
	return r;
}

/* --- moving ------------------------------------------------------------- */

/*
 * A rename that replaces nothing.  Without RENAME_NOREPLACE, here or in the
 * file system, the target is looked for first: the name holds the job's own
 * id and a fresh stamp, and who moves a job holds its lock, so that only a
 * hand could put the same name there in between.  (link and unlink would
 * close that gap, and open a worse one: the job in two states at once.)
 */
static int
rename_noreplace(int dir, const char *from, const char *to)
{
	struct stat st;

#if ON_LINUX && defined(SYS_renameat2)
	/* 1 is RENAME_NOREPLACE; linux/fs.h is not everywhere */
	if (syscall(SYS_renameat2, dir, from, dir, to, 1u) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
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

/* Moves a job; next->stamp is raised until the name is free. */
static int
move(struct spool *sp, enum job_state from, const struct job_name *name,
    enum job_state to, struct job_name *next)
{
	struct path a = path_job(from, name), b;

	for (;;) {
		b = path_job(to, next);
		if (rename_noreplace(sp->fd, a.s, b.s) == 0)
			return SPOOL_OK;
		if (errno == ENOENT && !exists(sp, a.s))
			return SPOOL_GONE;
		if (errno != EEXIST || next->stamp >= JOB_TIME_MAX)
			return fail(sp, b.s);
		next->stamp++;
	}
}

/* How many names the id has in the states. */
static int
count_names(struct spool *sp, const char *id, size_t *n)
{
	struct job_name name;
	struct spool_iter it;
	int i, r = 0;

	*n = 0;
	for (i = 0; i < JOB_STATES && r == 0; i++) {
		if (spool_iter_open(sp, &it, (enum job_state)i) != SPOOL_OK)
			return SPOOL_ERROR;
		while ((r = spool_iter_next(&it, &name)) > 0)
			*n += !strcmp(name.id, id);
		spool_iter_close(&it);
	}
	return r < 0 ? SPOOL_ERROR : SPOOL_OK;
}

/*
 * ids/ID is not the file that the caller holds.  SPOOL_ALIEN: it is some other
 * job's, one that is in a state.  SPOOL_OK: it is a leftover, or a copy has
 * broken the hard link (cp, or from the lower layer of an overlay).
 */
static int
check_entry(struct spool *sp, const char *entry, const char *id)
{
	struct stat st;
	size_t n = 0;

	if (fstatat(sp->fd, entry, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? SPOOL_OK : fail(sp, entry);
	if (S_ISREG(st.st_mode) && st.st_nlink < 2)
		return SPOOL_OK;
	if (S_ISREG(st.st_mode) && count_names(sp, id, &n) != SPOOL_OK)
		return SPOOL_ERROR;
	return n == 1 ? SPOOL_OK : refuse(sp, "its id is another job's");
}

/*
 * Sees to it that a job has its ids/ entry: one that a hand put into the spool,
 * or whose hard link a copy broke, has none.  The caller holds its lock.
 * SPOOL_ALIEN: the id is another job's.
 */
static int
adopt(struct spool *sp, const char *path, const char *id,
    const struct stat *st)
{
	struct path p = path_in(SPOOL_IDS, id);
	int fd, r;

	if (still(sp, p.s, st) ||
	    linkat(sp->fd, path, sp->fd, p.s, 0) == 0)
		return SPOOL_OK;
	if (errno == ENOENT)
		return SPOOL_GONE;
	if (errno != EEXIST)
		return fail(sp, p.s);
	r = check_entry(sp, p.s, id);
	if (r != SPOOL_OK)
		return r;
	/* Not while it is being enqueued, nor while it moves. */
	r = lock_ids(sp, LOCK_EX | LOCK_NB);
	if (r != SPOOL_OK)
		return r;
	fd = openat(sp->fd, p.s, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_NOCTTY | O_CLOEXEC);
	if (fd >= 0 && lock(fd, LOCK_EX | LOCK_NB) < 0)
		r = SPOOL_BUSY;
	if (r == SPOOL_OK)
		r = check_entry(sp, p.s, id);
	if (r == SPOOL_OK &&
	    ((unlinkat(sp->fd, p.s, 0) < 0 && errno != ENOENT) ||
	    linkat(sp->fd, path, sp->fd, p.s, 0) < 0))
		r = errno == ENOENT ? SPOOL_GONE : fail(sp, p.s);
	close_quietly(fd);
	unlock_ids(sp);
	return r;
}

/*
 * Moves a job that we hold, and sees that it was that one: an editor may have
 * put another file under its name since take(), which is not locked by us, and
 * goes back.
 */
static int
move_held(struct spool *sp, enum job_state from, struct job_name *name,
    enum job_state to, struct job_name *next, const struct stat *st)
{
	int r = move(sp, from, name, to, next);

	if (r != SPOOL_OK || still(sp, path_job(to, next).s, st))
		return r;
	move(sp, to, next, from, name);
	return SPOOL_BUSY;
}

/* Moves a text that is no job to dead/, byte for byte as it is. */
static int
bury(struct spool *sp, struct spool_claim *c, const struct stat *st,
    int64_t now, struct job_name *next)
{
	const char *why = sp->why;
	size_t line = sp->line;
	int r;

	*next = c->name;
	next->timed = false;
	next->stamp = now;
	/* It may still be growing, under somebody's cp. */
	if (now / 1000000 - st->st_mtim.tv_sec < BAD_GRACE_S &&
	    now / 1000000 >= st->st_mtim.tv_sec)
		r = SPOOL_BUSY;
	else
		r = move_held(sp, c->from, &c->name, JOB_DEAD, next, st);
	spool_release(c);
	sp->why = why;
	sp->line = line;
	return r == SPOOL_OK ? SPOOL_BAD : r;
}

static int append(struct spool *, struct spool_claim *, enum job_state,
    struct buf *);

/* Attempts and losses are counted from here on. */
static int
revive(struct spool *sp, struct spool_claim *c, int64_t now)
{
	struct buf line = { 0 };
	int r;

	job_format_retried(&line, now);
	r = append(sp, c, c->from, &line);
	buf_free(&line);
	c->job.counted = c->job.nattempt;
	return r;
}

int
spool_claim(struct spool *sp, enum job_state state,
    const struct job_name *name, int64_t now, struct spool_claim *c)
{
	const struct job_policy *policy = &sp->config.policy;
	struct path p = path_job(state, name);
	struct job_name next = *name, from = *name;
	struct stat st;
	int r, a;

	/* Whether its name is still its own, the move will tell. */
	claim_init(c, state, name);
	r = hold(sp, p.s, true, c, &st);
	if (r != SPOOL_OK)
		return r;
	r = read_job(sp, p.s, c->fd, &st, name->id, &c->job);
	a = r == SPOOL_OK || r == SPOOL_BAD ?
	    adopt(sp, p.s, name->id, &st) : r;
	if (a != SPOOL_OK) {
		spool_release(c);
		return a;
	}
	if (r == SPOOL_BAD)
		return bury(sp, c, &st, now, &next);
	next.timed = false;
	next.stamp = now;
	/* Only a hand puts a job here that has had all its attempts, or was
	 * lost too often: mv from dead/ is a retry. */
	if (state == JOB_PENDING &&
	    (next.attempt >= job_allowed(&c->job, policy) ||
	    job_lost(&c->job, NULL) >= (unsigned)policy->max_crashes)) {
		next.attempt = 0;
		r = still(sp, p.s, &st) ? revive(sp, c, now) : SPOOL_GONE;
	}
	if (next.attempt < JOB_NUMBER_MAX)
		next.attempt++;
	if (r == SPOOL_OK)
		r = move_held(sp, state, &from, JOB_PROCESSING, &next, &st);
	if (r != SPOOL_OK) {
		spool_release(c);
		return r;
	}
	c->name = next;
	return SPOOL_OK;
}

/*
 * Appends a line to a job that we hold, wherever a hand may have put it.  A
 * torn line before it is closed off, with a space, so that it is none even if
 * it was torn within its last number.
 */
static int
append(struct spool *sp, struct spool_claim *c, enum job_state state,
    struct buf *line)
{
	struct path p = path_job(state, &c->name);
	struct stat st;
	char last = '\n';

	if (line->failed) {
		errno = ENOMEM;
		return fail(sp, p.s);
	}
	if (fstat(c->out, &st) < 0)
		return fail(sp, p.s);
	if (!st.st_nlink)
		return SPOOL_GONE;
	/* somebody else has written to it, or we could not write all */
	if (st.st_size != c->size) {
		c->size = st.st_size;
		if (st.st_size && pread(c->fd, &last, 1, st.st_size - 1) < 0)
			return fail(sp, p.s);
		c->job.torn = last != '\n';
	}
	if (c->job.torn) {
		buf_room(line, 2);
		if (!line->failed) {
			memmove(line->p + 2, line->p, line->n + 1);
			memcpy(line->p, " \n", 2);
			line->n += 2;
		}
	}
	if (line->failed)
		errno = ENOMEM;
	if (line->failed || write_all(c->out, line->p, line->n) < 0)
		return fail(sp, p.s);
	c->size += (off_t)line->n;
	c->job.torn = false;
	return SPOOL_OK;
}

/* The same for an Attempt: line, once for a claim. */
static int
record(struct spool *sp, struct spool_claim *c, const struct job_attempt *end)
{
	struct buf line = { 0 };
	int r;

	if (c->recorded)
		return SPOOL_OK;
	job_format_attempt(&line, end);
	r = append(sp, c, JOB_PROCESSING, &line);
	c->recorded = r == SPOOL_OK;
	buf_free(&line);
	return r;
}

int
spool_finish(struct spool *sp, struct spool_claim *c,
    const struct job_attempt *end, enum job_state *to, struct job_name *next)
{
	/* that a job is cancelled was promised to somebody */
	bool sync = sp->config.sync == SYNC_FULL ||
	    (end->outcome == JOB_CANCELLED && sp->config.sync != SYNC_NONE);
	int r = record(sp, c, end);

	if (r == SPOOL_OK && sync && !c->synced) {
		/* the file is safe before its name says what it says */
		if (fsync(c->fd) < 0)
			r = fail(sp, path_job(JOB_PROCESSING, &c->name).s);
		c->synced = r == SPOOL_OK;
	}
	if (r == SPOOL_OK && !c->moved) {
		c->to = job_after(&c->job, &c->name, end, &sp->config.policy,
		    &c->next);
		r = move(sp, JOB_PROCESSING, &c->name, c->to, &c->next);
		c->moved = r == SPOOL_OK;
	}
	if (r == SPOOL_OK && sync)
		if ((r = sync_dir(sp, (int)c->to)) == SPOOL_OK &&
		    (r = sync_dir(sp, JOB_PROCESSING)) == SPOOL_OK)
			r = sync_dir(sp, (int)c->from);
	if (r != SPOOL_ERROR && end->outcome == JOB_CANCELLED)
		unlinkat(sp->fd, path_request(&c->name).s, 0);
	*to = c->to;
	*next = c->next;
	if (r != SPOOL_ERROR)
		spool_release(c);
	return r;
}

/* --- logs --------------------------------------------------------------- */

static const char mark_begin[] = "\n[queuectl: bytes ";

static int64_t
format_mark(const struct spool_gap *gap, char line[MARK_MAX + 1])
{
	return snprintf(line, MARK_MAX + 1, "%s%lld to %lld were dropped]\n",
	    mark_begin, (long long)gap->from, (long long)gap->to - 1);
}

/* Reads the line at `place`, if it is the one. */
static bool
read_mark(int fd, int64_t place, struct spool_gap *gap)
{
	char line[MARK_MAX + 1], again[MARK_MAX + 1];
	ssize_t n = pread(fd, line, MARK_MAX, (off_t)place);
	int64_t last;
	char *p;

	if (n <= 0)
		return false;
	line[n] = '\0';
	p = strstr(line, " to ");
	if (!p)
		return false;
	p += 4;
	p[strspn(p, "0123456789")] = '\0';
	if (!job_number_parse(p, place, INT64_MAX - 1, &last))
		return false;
	*gap = (struct spool_gap){ .from = place, .to = last + 1 };
	gap->mark = format_mark(gap, again);
	return pread(fd, line, MARK_MAX, (off_t)place) >= gap->mark &&
	    !memcmp(line, again, (size_t)gap->mark);
}

int
spool_log_gap(int fd, struct spool_gap *gap)
{
	const size_t len = sizeof mark_begin - 1;
	char bytes[16384];
	int64_t at = 0;
	ssize_t n;

	*gap = (struct spool_gap){ .mark = 0 };
	while ((n = pread(fd, bytes, sizeof bytes, (off_t)at)) >= (ssize_t)len)
	{
		char *p = bytes, *end = bytes + n - len + 1;

		while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
			if (!memcmp(p, mark_begin, len) &&
			    read_mark(fd, at + (p - bytes), gap))
				return 0;
			p++;
		}
		at += n - (ssize_t)len + 1;
	}
	*gap = (struct spool_gap){ .mark = 0 };
	return n < 0 ? -1 : 0;
}

int64_t
spool_log_place(const struct spool_gap *gap, int64_t offset)
{
	if (!gap->mark || offset <= gap->from)
		return offset;
	return offset < gap->to ? gap->from :
	    gap->from + gap->mark + offset - gap->to;
}

int64_t
spool_log_offset(const struct spool_gap *gap, int64_t place)
{
	if (!gap->mark || place <= gap->from)
		return place;
	return place < gap->from + gap->mark ? gap->from :
	    gap->to + place - gap->from - gap->mark;
}

int
spool_log_begin(struct spool *sp, const struct spool_claim *c,
    struct spool_log *log, int64_t *offset)
{
	struct path p = path_log(c->name.id);
	struct stat st;
	int fd, r = SPOOL_OK;

	*log = (struct spool_log){ .fd = -1 };
	*offset = 0;
	if (!c->job.nattempt) {
		if (fstatat(sp->fd, p.s, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return errno == ENOENT ? SPOOL_OK : fail(sp, p.s);
		if (!S_ISREG(st.st_mode))
			return refuse(sp, "its log is no regular file");
		return unlinkat(sp->fd, p.s, 0) < 0 && errno != ENOENT ?
		    fail(sp, p.s) : SPOOL_OK;
	}
	r = spool_log_read(sp, c->name.id, &fd);
	if (r != SPOOL_OK)
		return r == SPOOL_GONE ? SPOOL_OK : r;
	if (fstat(fd, &st) < 0 || spool_log_gap(fd, &log->gap) < 0) {
		r = fail(sp, p.s);
	} else {
		log->size = st.st_size;
		*offset = spool_log_offset(&log->gap, log->size);
	}
	close_quietly(fd);
	return r;
}

static int
log_open(struct spool *sp, const char *id, struct spool_log *log)
{
	struct path p = path_log(id);
	struct stat st;
	int r;

	log->fd = openat(sp->fd, p.s, O_RDWR | O_CREAT | O_NOFOLLOW |
	    O_NONBLOCK | O_CLOEXEC, 0600);
	if (log->fd < 0)
		return errno == ELOOP || errno == ENXIO || errno == EISDIR ?
		    refuse(sp, "its log is no file that can be written") :
		    fail(sp, p.s);
	if (fstat(log->fd, &st) < 0)
		r = fail(sp, p.s);
	else if (!S_ISREG(st.st_mode))
		r = refuse(sp, "its log is no regular file");
	else
		return SPOOL_OK;
	close_quietly(log->fd);
	log->fd = -1;
	return r;
}

static int
write_at(int fd, const char *p, size_t n, int64_t at)
{
	while (n) {
		ssize_t w = pwrite(fd, p, n, (off_t)at);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -1;
		p += w;
		at += w;
		n -= (size_t)w;
	}
	return 0;
}

/*
 * Drops the middle, so that what stays is half of log_max: a quarter of it at
 * the head and a quarter at the tail, which moves up to the line.  Three
 * quarters are full by then, so there is a middle.  What is
 * there after a crash in between is the job's output, with some of it missing
 * or twice.
 */
static int
log_shrink(struct spool_log *log, int64_t max)
{
	int64_t head = log->gap.mark && log->gap.from < max / 4 ?
	    log->gap.from : max / 4;
	int64_t tail = log->size - max / 4, to;
	struct spool_gap gap = { .from = head };
	char line[MARK_MAX + 1], bytes[16384];
	ssize_t n;

	gap.to = spool_log_offset(&log->gap, tail);
	gap.mark = format_mark(&gap, line);
	if (write_at(log->fd, line, (size_t)gap.mark, head) < 0)
		return -1;
	for (to = head + gap.mark; (n = pread(log->fd, bytes, sizeof bytes,
	    (off_t)tail)) > 0; tail += n, to += n)
		if (write_at(log->fd, bytes, (size_t)n, to) < 0)
			return -1;
	if (n < 0 || ftruncate(log->fd, (off_t)to) < 0)
		return -1;
	log->size = to;
	log->gap = gap;
	return 0;
}

int
spool_log_add(struct spool *sp, const char *id, struct spool_log *log,
    const char *p, size_t n)
{
	int64_t max = sp->config.log_max;
	int r;

	if (log->fd < 0 && (r = log_open(sp, id, log)) != SPOOL_OK)
		return r;
	while (n) {
		/* in pieces that are small beside what is kept */
		size_t part = max >= 0 && (int64_t)n > max / 4 ?
		    (size_t)(max / 4) : n;

		if ((max >= 0 && log->size + (int64_t)part > max &&
		    log_shrink(log, max) < 0) ||
		    write_at(log->fd, p, part, log->size) < 0)
			return fail(sp, path_log(id).s);
		log->size += (int64_t)part;
		p += part;
		n -= part;
	}
	return SPOOL_OK;
}

void
spool_log_end(struct spool_log *log)
{
	close_quietly(log->fd);
	log->fd = -1;
}

int
spool_log_read(struct spool *sp, const char *id, int *fd)
{
	struct path p = path_log(id);
	struct stat st;

	int r = SPOOL_OK;

	*fd = openat(sp->fd, p.s,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (*fd < 0 && errno == ELOOP)
		return refuse(sp, "its log is a symbolic link");
	if (*fd < 0)
		return errno == ENOENT ? SPOOL_GONE : fail(sp, p.s);
	if (fstat(*fd, &st) < 0)
		r = fail(sp, p.s);
	else if (!S_ISREG(st.st_mode))
		r = refuse(sp, "its log is no regular file");
	if (r != SPOOL_OK) {
		close_quietly(*fd);
		*fd = -1;
	}
	return r;
}

/* --- looking ------------------------------------------------------------ */

int
spool_iter_open(struct spool *sp, struct spool_iter *it, enum job_state state)
{
	it->spool = sp;
	it->state = state;
	it->file = NULL;
	it->strange = 0;
	it->each_strange = false;
	it->example[0] = '\0';
	return names_open(&it->names, open_dir(sp, (int)state)) < 0 ?
	    fail(sp, dir_names[state]) : SPOOL_OK;
}

int
spool_iter_next(struct spool_iter *it, struct job_name *name)
{
	while ((it->file = names_next(&it->names))) {
		if (it->names.regular && job_name_parse(name, it->file))
			return 1;
		if (!it->strange++)
			snprintf(it->example, sizeof it->example, "%s",
			    it->file);
		if (it->each_strange)
			return 2;
	}
	return errno ? fail(it->spool, dir_names[it->state]), -1 : 0;
}

void
spool_iter_close(struct spool_iter *it)
{
	names_close(&it->names);
}

/* Where a job has not ended. */
static const enum job_state undone[] =
    { JOB_PENDING, JOB_FAILED, JOB_PROCESSING };

uint64_t
spool_version(struct spool *sp)
{
	uint64_t v = 0;
	struct stat st;
	size_t i;

	for (i = 0; i < sizeof undone / sizeof undone[0]; i++)
		if (fstatat(sp->fd, dir_names[undone[i]], &st, 0) == 0)
			v = v * 1000003 ^ (uint64_t)st.st_mtim.tv_sec * 1000000007
			    ^ (uint64_t)st.st_mtim.tv_nsec;
	return v;
}

/* Goes through the states once, for one id. */
static int
scan_for(struct spool *sp, const char *id, enum job_state *state,
    struct job_name *name)
{
	/* in the order of a job's life, so that one that moves on while we
	 * look is met again rather than missed */
	static const enum job_state order[] = { JOB_PENDING, JOB_FAILED,
		JOB_PROCESSING, JOB_FAILED, JOB_DONE, JOB_DEAD };
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

/*
 * Most names follow from the text, which ids/ID has: no directory need be
 * read, however long.  Whether the guess was right one stat tells.
 */
static bool
guess(struct spool *sp, const char *id, enum job_state *state,
    struct job_name *name)
{
	struct path p = path_in(SPOOL_IDS, id);
	struct job_attempt *last;
	struct job job;
	struct stat st;
	int fd;

	if (open_job(sp, p.s, &fd, &st) != SPOOL_OK)
		return false;
	if (read_job(sp, p.s, fd, &st, id, &job) != SPOOL_OK) {
		close_quietly(fd);
		return false;
	}
	close_quietly(fd);
	*name = (struct job_name){ .priority = (unsigned char)job.priority };
	strcpy(name->id, id);
	*state = JOB_PENDING;
	if (job.counted < job.nattempt) {
		struct job_name run = *name;

		last = &job.attempt[job.nattempt - 1];
		run.attempt = last->number;
		*state = job_after(&job, &run, last, &sp->config.policy, name);
	} else {
		name->timed = job.run_at >= 0 && !job.counted;
		name->stamp = job.counted ? job.retried :
		    name->timed ? job.run_at : job.created;
	}
	job_free(&job);
	return still(sp, path_job(*state, name).s, &st);
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
	if (guess(sp, id, state, name))
		return SPOOL_OK;
	/* readdir is no snapshot: a job that moves can be missed.  With two
	 * links it is somewhere; without, a second look decides. */
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

/* One pass for an id that begins with `word`. */
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
spool_load(struct spool *sp, enum job_state state, const struct job_name *name,
    struct job *job)
{
	struct path p = path_job(state, name);
	struct job_name now;
	struct stat st;
	int fd, r;

	job_init(job);
	r = open_job(sp, p.s, &fd, &st);
	if (r == SPOOL_GONE) {
		p = path_in(SPOOL_IDS, name->id);
		r = open_job(sp, p.s, &fd, &st);
	}
	if (r == SPOOL_GONE) {
		r = spool_find(sp, name->id, &state, &now);
		if (r != SPOOL_OK)
			return r;
		p = path_job(state, &now);
		r = open_job(sp, p.s, &fd, &st);
	}
	if (r != SPOOL_OK)
		return r;
	r = read_job(sp, p.s, fd, &st, name->id, job);
	close_quietly(fd);
	return r;
}

bool
spool_there(struct spool *sp, enum job_state state,
    const struct job_name *name)
{
	return exists(sp, path_job(state, name).s);
}

int64_t
spool_arrived(struct spool *sp, enum job_state state,
    const struct job_name *name)
{
	struct stat st;

	/* rename(2) changes the ctime, on all file systems that we know */
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

	if (open_job(sp, path_job(state, name).s, &fd, &st) != SPOOL_OK)
		return false;
	locked = lock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	close(fd);
	return locked;
}

/* --- enqueue ------------------------------------------------------------ */

static bool
in_batch(const struct spool_batch *b, const char *id)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		if (!strcmp(b->name[i].id, id))
			return true;
	return false;
}

static int purge_held(struct spool *, struct spool_claim *,
    const struct stat *);

/* Makes way for a unique job, whose id another one has.  SPOOL_OK: it may be
 * tried again. */
static int
make_way(struct spool *sp, enum job_state state, const struct job_name *name)
{
	bool sync = sp->config.sync != SYNC_NONE;
	int64_t deadline = monotonic_ms() + RECLAIM_MS;
	struct spool_claim c;
	struct stat st;
	int i, r;

	if (state != JOB_DONE && state != JOB_DEAD) {
		/* who enqueued it may not have come to that */
		if (state == JOB_PENDING && sync &&
		    ((r = sync_dir(sp, JOB_PENDING)) != SPOOL_OK ||
		    (r = sync_dir(sp, SPOOL_IDS)) != SPOOL_OK))
			return r;
		return SPOOL_QUEUED;
	}
	/* busy: somebody else makes way for the same, most likely */
	while ((r = take(sp, state, name, false, &c, &st)) == SPOOL_BUSY &&
	    monotonic_ms() < deadline)
		pause_ms(1);
	if (r == SPOOL_GONE)
		return SPOOL_OK;
	if (r != SPOOL_OK && r != SPOOL_BAD)
		return r;
	r = purge_held(sp, &c, &st);
	/* After a power cut it must not come up again, beside the new one, in
	 * any of the states that it has been in. */
	for (i = 0; i < JOB_STATES && r == SPOOL_OK && sync; i++)
		r = sync_dir(sp, i);
	return r;
}

/* Creates ids/ID for a job, making the id where it has none. */
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
			return fail(sp, p.s);
		if (*made) {
			job->created++;
			continue;
		}
		if (in_batch(b, job->id))
			return job->unique ? SPOOL_QUEUED : SPOOL_EXISTS;
		r = spool_find(sp, job->id, &state, &name);
		if (r == SPOOL_OK)
			r = job->unique ? make_way(sp, state, &name) :
			    SPOOL_EXISTS;
		else if (r == SPOOL_GONE)
			r = SPOOL_LEFTOVER;
		if (r != SPOOL_OK)
			return r;
	}
}

static int
stage_locked(struct spool_batch *b, struct job *job)
{
	struct spool *sp = b->spool;
	struct path p;
	bool made;
	int fd, r;

	r = create_id(b, job, &made, &fd);
	if (r != SPOOL_OK)
		goto out;
	p = path_in(SPOOL_IDS, job->id);
	buf_clear(&b->text);
	job_format(&b->text, job);
	if (b->text.failed || b->text.n > JOB_TEXT_MAX) {
		errno = b->text.failed ? ENOMEM : EFBIG;
		r = fail(sp, p.s);
	} else if (write_all(fd, b->text.p, b->text.n) < 0 ||
	    (!b->bulk && sp->config.sync != SYNC_NONE && fsync(fd) < 0)) {
		r = fail(sp, p.s);
	}
	/* close can report what write did not (NFS, quotas) */
	if (close(fd) < 0 && r == SPOOL_OK)
		r = fail(sp, p.s);
	if (r != SPOOL_OK) {
		int e = errno;

		unlinkat(sp->fd, p.s, 0);
		errno = e;
		goto out;
	}
	b->name[b->n] = (struct job_name){
		.stamp = job->run_at >= 0 ? job->run_at : job->created,
		.timed = job->run_at >= 0,
		.priority = (unsigned char)job->priority
	};
	strcpy(b->name[b->n++].id, job->id);
out:
	if (made)
		job->id[0] = '\0';
	return r;
}

/* Results must find room, so jobs leave some. */
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

	if (b->n == b->cap) {
		size_t cap = b->cap ? 2 * b->cap : 1;
		struct job_name *v = realloc(b->name, cap * sizeof *v);

		if (!v)
			return fail(b->spool, "");
		b->name = v;
		b->cap = cap;
	}
	if (!b->locked) {
		r = lock_ids(b->spool, LOCK_SH);
		if (r != SPOOL_OK)
			return r;
		b->locked = true;
	}
	r = stage_locked(b, job);
	if (r != SPOOL_OK && b->n == 0) {
		unlock_ids(b->spool);
		b->locked = false;
	}
	return r;
}

/* fsync of the files of a bulk batch, which were only written. */
static int
sync_batch(struct spool_batch *b)
{
	struct spool *sp = b->spool;
	size_t i;

#if ON_LINUX
	/* It also writes out what others have written to the file system, but
	 * one by one costs a commit of the journal for each job. */
	if (b->n > FEW) {
		if (syncfs(sp->fd) == 0)
			return SPOOL_OK;
		if (errno != ENOSYS)
			return fail(sp, "");
	}
#endif
	for (i = 0; i < b->n; i++) {
		struct path p = path_in(SPOOL_IDS, b->name[i].id);
		int fd = openat(sp->fd, p.s, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0 || fsync(fd) < 0) {
			fail(sp, p.s);
			close_quietly(fd);
			return SPOOL_ERROR;
		}
		close(fd);
	}
	return SPOOL_OK;
}

static int
link_batch(struct spool_batch *b)
{
	struct spool *sp = b->spool;

	while (b->linked < b->n) {
		struct job_name *name = &b->name[b->linked];
		struct path id = path_in(SPOOL_IDS, name->id);
		struct path p = path_job(JOB_PENDING, name);

		if (linkat(sp->fd, id.s, sp->fd, p.s, 0) == 0)
			b->linked++;
		else if (errno == EEXIST && name->stamp < JOB_TIME_MAX)
			name->stamp++;
		else
			return fail(sp, p.s);
	}
	return SPOOL_OK;
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
		r = sync_batch(b);
	if (r == SPOOL_OK)
		r = link_batch(b);
	if (r == SPOOL_OK && sync)
		r = sync_dir(sp, JOB_PENDING);
	if (r == SPOOL_OK && sync && fsync(sp->ids) < 0)
		r = fail(sp, dir_names[SPOOL_IDS]);
	if (r != SPOOL_OK) {
		int e = errno;

		spool_take_back(b);
		errno = e;
		return r;
	}
	unlock_ids(sp);
	b->locked = false;
	return SPOOL_OK;
}

/* Takes a published job out of pending/ again; false: it is claimed. */
static bool
withdraw(struct spool *sp, const struct job_name *name)
{
	struct path p = path_job(JOB_PENDING, name);
	struct stat st;
	bool mine;
	int fd;

	if (open_job(sp, p.s, &fd, &st) != SPOOL_OK)
		return false;
	mine = lock(fd, LOCK_EX | LOCK_NB) == 0 && still(sp, p.s, &st) &&
	    unlinkat(sp->fd, p.s, 0) == 0;
	close(fd);
	return mine;
}

void
spool_take_back(struct spool_batch *b)
{
	struct spool *sp = b->spool;
	size_t i;

	/* the last first: a worker takes the first first */
	for (i = b->n; i-- > 0;)
		if (i >= b->linked || withdraw(sp, &b->name[i]))
			unlinkat(sp->fd, path_in(SPOOL_IDS,
			    b->name[i].id).s, 0);
	if (b->locked)
		unlock_ids(sp);
	b->locked = false;
	spool_batch_clear(b);
}

void
spool_batch_clear(struct spool_batch *b)
{
	b->n = b->linked = 0;
}

void
spool_batch_free(struct spool_batch *b)
{
	free(b->name);
	buf_free(&b->text);
	b->name = NULL;
	b->cap = 0;
	spool_batch_clear(b);
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

	while ((r = lock_ids(sp, LOCK_EX | LOCK_NB)) == SPOOL_BUSY) {
		if (monotonic_ms() >= deadline)
			return SPOOL_BUSY;
		pause_ms(ms);
		ms = ms < 10 ? ms + 1 : ms;
		/* who lives may just have published it */
		if (fstatat(sp->fd, p.s, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && st.st_nlink > 1)
			return SPOOL_EXISTS;
	}
	if (r != SPOOL_OK)
		return r;
	r = spool_find(sp, id, &state, &name);
	if (r == SPOOL_GONE && fstatat(sp->fd, p.s, &st,
	    AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode))
		r = refuse(sp, "its entry in ids/ is no regular file");
	else if (r == SPOOL_OK || (r == SPOOL_GONE && st.st_nlink > 1))
		r = SPOOL_EXISTS; /* or a job that a hand has put aside */
	else if (r == SPOOL_GONE)
		r = unlinkat(sp->fd, p.s, 0) < 0 && errno != ENOENT ?
		    fail(sp, p.s) : SPOOL_OK;
	unlock_ids(sp);
	return r;
}

/* --- recovery, retry, purge --------------------------------------------- */

/* The slots of all pools, to look a job up in. */
struct slots {
	struct spool_slot *v;
	size_t n, cap;
	bool failed;
};

static void
slots_add(void *arg, const char *pool, long pid, const struct spool_slot *s)
{
	struct slots *a = arg;

	(void)pool;
	(void)pid;
	if (!s->job[0])
		return;
	if (a->n == a->cap) {
		size_t cap = a->cap ? 2 * a->cap : 16;
		struct spool_slot *v = realloc(a->v, cap * sizeof *v);

		if (!v) {
			a->failed = true;
			return;
		}
		a->v = v;
		a->cap = cap;
	}
	a->v[a->n++] = *s;
}

static const struct spool_slot *
slots_find(const struct slots *a, const struct job_name *name)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		if (a->v[i].start == name->stamp &&
		    !strcmp(a->v[i].job, name->id))
			return &a->v[i];
	return NULL;
}

/* What is known of a run whose worker died. */
static void
lost_attempt(struct spool *sp, const struct spool_claim *c, int64_t now,
    struct job_attempt *end)
{
	const struct job *job = &c->job;
	struct slots slots = { 0 };
	const struct spool_slot *s;

	*end = (struct job_attempt){
		.number = c->name.attempt, .outcome = JOB_LOST,
		.start = c->name.stamp, .end = now
	};
	/* Where its output begins its worker said; if that is lost too, then
	 * not before the output of the attempt before. */
	if (job->attempt && job->nattempt)
		end->log = job->attempt[job->nattempt - 1].log;
	spool_slots(sp, true, slots_add, &slots);
	s = slots_find(&slots, &c->name);
	if (s) {
		end->worker = s->pid;
		end->log = s->log;
	}
	free(slots.v);
}

static void
recovered_quietly(void *arg, int result, const struct job_attempt *end,
    enum job_state to, const struct job_name *name)
{
	(void)arg;
	(void)result;
	(void)end;
	(void)to;
	(void)name;
}

static int
recover_one(struct spool *sp, const struct job_name *name, int64_t now,
    spool_recovered *each, void *arg)
{
	const struct job_attempt *last = NULL;
	struct spool_claim c;
	struct job_attempt end = { .outcome = JOB_LOST };
	struct job_name next = *name;
	enum job_state to = JOB_PROCESSING;
	struct stat st;
	int r, bad;

	bad = r = take(sp, JOB_PROCESSING, name, true, &c, &st);
	if (r == SPOOL_OK || r == SPOOL_BAD) {
		r = adopt(sp, path_job(JOB_PROCESSING, name).s, name->id,
		    &st);
		if (r != SPOOL_OK)
			spool_release(&c);
	}
	if (r == SPOOL_OK && bad == SPOOL_BAD) {
		r = bury(sp, &c, &st, now, &next);
		to = JOB_DEAD;
	} else if (r == SPOOL_OK) {
		if (c.job.nattempt)
			last = &c.job.attempt[c.job.nattempt - 1];
		c.recorded = last && last->start == name->stamp;
		if (c.recorded)
			end = *last;
		else
			lost_attempt(sp, &c, now, &end);
		if (!c.recorded && spool_cancelled(sp, name))
			end.outcome = JOB_CANCELLED;
		r = spool_finish(sp, &c, &end, &to, &next);
		end.error = NULL; /* it was the job's */
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

int
spool_recover(struct spool *sp, int64_t now, spool_recovered *each, void *arg,
    size_t *held)
{
	struct slots live = { 0 };
	struct spool_iter it;
	struct job_name name;
	bool looked = false;
	int r, e = 0, worst = SPOOL_OK;

	*held = 0;
	if (spool_iter_open(sp, &it, JOB_PROCESSING) != SPOOL_OK)
		return SPOOL_ERROR;
	while ((r = spool_iter_next(&it, &name)) > 0) {
		r = recover_one(sp, &name, now, each, arg);
		if (r == SPOOL_ERROR) {
			worst = r;
			e = errno;
		}
		if (r != SPOOL_BUSY)
			continue;
		if (!looked)
			spool_slots(sp, false, slots_add, &live);
		looked = true;
		if (!slots_find(&live, &name))
			++*held;
	}
	if (r < 0) {
		worst = SPOOL_ERROR;
		e = errno;
	}
	spool_iter_close(&it);
	free(live.v);
	errno = e;
	return worst;
}

int
spool_retry(struct spool *sp, const char *id, int64_t now)
{
	bool sync = sp->config.sync != SYNC_NONE;
	struct spool_claim c;
	struct job_name name, next;
	enum job_state state;
	struct stat st;
	int r;

	r = spool_find(sp, id, &state, &name);
	if (r != SPOOL_OK)
		return r;
	if (state != JOB_DEAD)
		return SPOOL_STATE;
	r = take(sp, JOB_DEAD, &name, true, &c, &st);
	if (r != SPOOL_OK) {
		if (r == SPOOL_BAD)
			spool_release(&c);
		return r;
	}
	r = revive(sp, &c, now);
	if (r == SPOOL_OK && sync && fsync(c.fd) < 0)
		r = fail(sp, path_job(JOB_DEAD, &name).s);
	if (r == SPOOL_OK) {
		next = name;
		next.attempt = 0;
		next.timed = false;
		next.stamp = now;
		r = move_held(sp, JOB_DEAD, &name, JOB_PENDING, &next, &st);
	}
	if (r == SPOOL_OK && sync &&
	    (r = sync_dir(sp, JOB_PENDING)) == SPOOL_OK)
		r = sync_dir(sp, JOB_DEAD);
	spool_release(&c);
	return r;
}

/* Cancels a job that waits: as if it were run, but it is not. */
static int
cancel_waiting(struct spool *sp, struct spool_cancel *x,
    const struct job_name *name, int64_t now)
{
	struct spool_claim c;
	struct job_attempt end = { .outcome = JOB_CANCELLED };
	struct job_name next;
	struct stat st;
	int r;

	r = spool_claim(sp, x->state, name, now, &c);
	if (r != SPOOL_OK)
		return r == SPOOL_GONE ? SPOOL_BUSY : r;
	end.number = c.name.attempt;
	end.start = end.end = c.name.stamp;
	if (c.job.nattempt && fstatat(sp->fd, path_log(name->id).s, &st,
	    AT_SYMLINK_NOFOLLOW) == 0)
		end.log = st.st_size;
	r = spool_finish(sp, &c, &end, &x->state, &next);
	if (r == SPOOL_ERROR)
		spool_release(&c);
	return r;
}

/* Asks whoever runs the job to end it; what nobody runs is recovered. */
static int
cancel_running(struct spool *sp, struct spool_cancel *x,
    const struct job_name *name, int64_t now)
{
	struct slots live = { 0 };
	struct path p = path_request(name);
	int fd, r;

	if (!x->asked) {
		fd = openat(sp->fd, p.s, O_WRONLY | O_CREAT | O_NOFOLLOW |
		    O_NONBLOCK | O_CLOEXEC, 0600);
		if (fd < 0)
			return fail(sp, p.s);
		close(fd);
		x->asked = true;
		x->run = *name;
	}
	r = recover_one(sp, name, now, recovered_quietly, NULL);
	if (r != SPOOL_BUSY)
		return r == SPOOL_OK || r == SPOOL_GONE ? SPOOL_BUSY : r;
	spool_slots(sp, false, slots_add, &live);
	x->held = !slots_find(&live, name);
	free(live.v);
	return SPOOL_BUSY;
}

bool
spool_cancelled(struct spool *sp, const struct job_name *run)
{
	return exists(sp, path_request(run).s);
}

bool
spool_is_request(const char *file)
{
	char name[JOB_NAME_MAX + 1];
	struct job_name run;
	size_t n = strlen(file), k = sizeof request_suffix - 1;

	if (n <= k || n - k > JOB_NAME_MAX ||
	    strcmp(file + n - k, request_suffix))
		return false;
	memcpy(name, file, n - k);
	name[n - k] = '\0';
	return job_name_parse(&run, name);
}

/* SPOOL_OK: the last attempt of an ended job was cancelled; SPOOL_STATE: it
 * was not. */
static int
ended_cancelled(struct spool *sp, enum job_state state,
    const struct job_name *name)
{
	struct job job;
	int r = spool_load(sp, state, name, &job);

	if (r == SPOOL_OK && (!job.nattempt ||
	    job.attempt[job.nattempt - 1].outcome != JOB_CANCELLED))
		r = SPOOL_STATE;
	job_free(&job);
	return r == SPOOL_GONE || r == SPOOL_BAD ? SPOOL_STATE : r;
}

int
spool_cancel(struct spool *sp, struct spool_cancel *x, int64_t now)
{
	struct job_name name;
	int r = spool_find(sp, x->id, &x->state, &name);

	x->held = false;
	if (x->asked && (r != SPOOL_OK || x->state != JOB_PROCESSING ||
	    job_name_compare(&name, &x->run))) {
		int ended = r == SPOOL_OK && x->state == JOB_DEAD ?
		    ended_cancelled(sp, x->state, &name) : SPOOL_STATE;

		if (ended != SPOOL_OK && ended != SPOOL_STATE)
			return ended;
		unlinkat(sp->fd, path_request(&x->run).s, 0);
		x->asked = false;
		if (ended == SPOOL_OK)
			return SPOOL_OK;
	}
	if (r != SPOOL_OK)
		return r;
	if (x->state == JOB_DONE || x->state == JOB_DEAD)
		return SPOOL_STATE;
	return x->state == JOB_PROCESSING ? cancel_running(sp, x, &name, now) :
	    cancel_waiting(sp, x, &name, now);
}

/* Removes a job that we hold, and lets go of it.  The caller has ids/ shared. */
static int
purge_held(struct spool *sp, struct spool_claim *c, const struct stat *st)
{
	struct path entry = path_in(SPOOL_IDS, c->name.id);
	struct path p = path_job(c->from, &c->name), log = path_log(c->name.id);
	/* by hand, the id may have become another job's */
	bool ours = !exists(sp, entry.s) || still(sp, entry.s, st);
	int r = SPOOL_OK;

	if (unlinkat(sp->fd, p.s, 0) < 0)
		r = fail(sp, p.s);
	else if (ours && unlinkat(sp->fd, log.s, 0) < 0 && errno != ENOENT)
		r = fail(sp, log.s);
	else if (ours && unlinkat(sp->fd, entry.s, 0) < 0 && errno != ENOENT)
		r = fail(sp, entry.s);
	spool_release(c);
	return r;
}

int
spool_purge(struct spool *sp, enum job_state wanted, const char *id)
{
	struct spool_claim c;
	struct job_name name;
	enum job_state state;
	struct stat st;
	int r;

	r = spool_find(sp, id, &state, &name);
	if (r != SPOOL_OK)
		return r;
	if (state != wanted)
		return SPOOL_STATE;
	r = take(sp, state, &name, false, &c, &st);
	if (r != SPOOL_OK && r != SPOOL_BAD)
		return r;
	r = lock_ids(sp, LOCK_SH);
	if (r != SPOOL_OK) {
		spool_release(&c);
		return r;
	}
	r = purge_held(sp, &c, &st);
	unlock_ids(sp);
	return r;
}

/* --- drained? ----------------------------------------------------------- */

/* Whether what has the name of a job there is one, or will be dealt with. */
static int
is_work(struct spool *sp, enum job_state state, const struct job_name *name)
{
	struct path p = path_job(state, name);
	struct stat st;
	struct job job;
	int fd, r;

	r = open_job(sp, p.s, &fd, &st);
	if (r == SPOOL_OK) {
		r = read_job(sp, p.s, fd, &st, name->id, &job);
		close_quietly(fd);
		job_free(&job);
	}
	if (r == SPOOL_GONE || r == SPOOL_ALIEN)
		return r == SPOOL_GONE;
	if (r == SPOOL_ERROR)
		return -1;
	/* unless its id is another job's, as who claims it would see it */
	p = path_in(SPOOL_IDS, name->id);
	if (still(sp, p.s, &st))
		return 1;
	r = check_entry(sp, p.s, name->id);
	return r == SPOOL_OK ? 1 : r == SPOOL_ERROR ? -1 : 0;
}

/* One look at the three directories: 1, there is work. */
static int
any_work(struct spool *sp)
{
	struct spool_iter it;
	struct job_name name;
	size_t i;
	int r, work = 0;

	for (i = 0; i < 3 && work == 0; i++) {
		if (spool_iter_open(sp, &it, undone[i]) != SPOOL_OK)
			return -1;
		while (work == 0 && (r = spool_iter_next(&it, &name)) != 0)
			work = r < 0 ? -1 : is_work(sp, undone[i], &name);
		spool_iter_close(&it);
	}
	return work;
}

int
spool_drained(struct spool *sp)
{
	uint64_t before;
	struct stat st;
	int work, ms = 20; /* two ticks of the coarse clock that stamps mtime */

	work = any_work(sp);
	if (work)
		return work < 0 ? -1 : 0;
	/* Nothing seen; but a job may have moved behind our back.  It cannot
	 * have, if no directory changed from well before to well after a whole
	 * look: each move leaves a new mtime, once its clock has ticked. */
	if (fstatat(sp->fd, dir_names[JOB_PROCESSING], &st, 0) == 0 &&
	    st.st_mtim.tv_nsec == 0)
		ms = 2100; /* a file system of whole seconds, or of two */
	before = spool_version(sp);
	pause_ms(ms);
	work = any_work(sp);
	if (work)
		return work < 0 ? -1 : 0;
	return spool_version(sp) == before;
}

/* --- pools -------------------------------------------------------------- */

/* A pool's name has no dot; what is derived from it has. */
static struct path
path_pool(const char *name, const char *suffix)
{
	struct path p;

	snprintf(p.s, sizeof p.s, "%s/%s%s", dir_names[SPOOL_WORKERS], name,
	    suffix);
	return p;
}

/*
 * Locked before it has its name, as a job is before it moves: an unlocked
 * file of that name is a dead pool's.
 */
static int
pool_create(struct spool *sp, struct spool_pool *pool)
{
	struct path tmp = path_pool(pool->name, ".new");
	struct path p = path_pool(pool->name, "");
	struct spool_slot slot = { 0 };

	pool->fd = openat(sp->fd, tmp.s, O_RDWR | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	if (pool->fd < 0)
		return fail(sp, tmp.s);
	for (slot.number = 1; slot.number <= pool->count; slot.number++)
		spool_pool_note(pool, &slot);
	if (lock(pool->fd, LOCK_EX | LOCK_NB) == 0 &&
	    renameat(sp->fd, tmp.s, sp->fd, p.s) == 0)
		return SPOOL_OK;
	fail(sp, p.s);
	unlinkat(sp->fd, tmp.s, 0);
	close_quietly(pool->fd);
	pool->fd = -1;
	return SPOOL_ERROR;
}

int
spool_pool_join(struct spool *sp, struct spool_pool *pool, int count,
    int64_t now)
{
	char id[JOB_ID_MAX + 1];
	int tries, r = SPOOL_ERROR;

	job_id_make(id, now);
	snprintf(pool->name, sizeof pool->name, "%s-%ld", id, (long)getpid());
	pool->count = count;
	/* Another pool's sweep may take ours away before it is locked. */
	for (tries = 0; tries < 5 && r != SPOOL_OK; tries++) {
		r = pool_create(sp, pool);
		if (r != SPOOL_OK && errno != ENOENT && errno != EWOULDBLOCK)
			break;
	}
	return r;
}

static void forget_pool(struct spool *, const char *name, int fd);

void
spool_pool_leave(struct spool *sp, struct spool_pool *pool)
{
	unlinkat(sp->fd, path_pool(pool->name, ".stop").s, 0);
	unlinkat(sp->fd, path_pool(pool->name, ".now").s, 0);
	forget_pool(sp, pool->name, pool->fd);
}

int
spool_worker_log(struct spool *sp)
{
	int fd = openat(sp->fd, "worker.log", O_WRONLY | O_APPEND | O_CREAT |
	    O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail(sp, "worker.log"), -1;
	fcntl(fd, F_SETFL, O_APPEND);
	return fd;
}

const int64_t spool_tally_bounds[TALLY_BUCKETS - 1] = { 10000, 100000, 1000000,
	10000000, 60000000, 600000000, INT64_C(3600000000),
	INT64_C(86400000000) };

void
spool_tally_count(struct spool_tally *t, const struct job_attempt *a)
{
	int64_t took = a->end > a->start ? a->end - a->start : 0;
	int i = 0;

	t->outcome[a->outcome == JOB_EXIT && !a->value ? 0 :
	    a->outcome + 1]++;
	while (i < TALLY_BUCKETS - 1 && took > spool_tally_bounds[i])
		i++;
	t->took[i]++;
	t->seconds += (uint64_t)took;
}

/* Its i-th number, in the order in which they are written. */
static uint64_t *
tally_number(struct spool_tally *t, int i)
{
	return i < TALLY_OUTCOMES ? &t->outcome[i] :
	    i < NUMBERS - 1 ? &t->took[i - TALLY_OUTCOMES] : &t->seconds;
}

/* Numbers between commas, none too long for the line. */
static void
tally_format(struct buf *b, const struct spool_tally *tally)
{
	const uint64_t most = UINT64_C(99999999999);
	struct spool_tally t = *tally;
	int i;

	for (i = 0; i < NUMBERS; i++) {
		uint64_t v = *tally_number(&t, i);

		if (i < NUMBERS - 1 && v > most)
			v = most;
		if (i)
			buf_putc(b, ',');
		buf_number(b, (int64_t)v);
	}
}

/* false: it is none, and all numbers are 0. */
static bool
tally_parse(char *p, struct spool_tally *t)
{
	char *comma;
	int64_t v;
	int i;

	*t = (struct spool_tally){ .seconds = 0 };
	for (i = 0; i < NUMBERS; i++, p = comma + 1) {
		comma = p + strcspn(p, ",");
		if ((*comma == ',') != (i < NUMBERS - 1))
			break;
		*comma = '\0';
		if (!job_number_parse(p, 0, INT64_MAX, &v))
			break;
		*tally_number(t, i) = (uint64_t)v;
	}
	if (i == NUMBERS)
		return true;
	*t = (struct spool_tally){ .seconds = 0 };
	return false;
}

static void
tally_add(struct spool_tally *sum, const struct spool_tally *more)
{
	struct spool_tally t = *more;
	int i;

	for (i = 0; i < NUMBERS; i++)
		*tally_number(sum, i) += *tally_number(&t, i);
}

/*
 * A line of fixed length for each worker, so that each writes its own in
 * place.  A failure is no reason to stop: the line is for people.
 */
void
spool_pool_note(struct spool_pool *pool, const struct spool_slot *s)
{
	char time[JOB_TIME_LEN + 1], line[SLOT_LEN + 1];
	struct buf b;

	buf_on(&b, line, sizeof line);
	buf_puts(&b, "worker=");
	buf_number(&b, s->number);
	buf_puts(&b, " pid=");
	buf_number(&b, s->pid);
	job_time_format(time, s->since);
	buf_puts(&b, " since=");
	buf_puts(&b, time);
	if (s->job[0]) {
		buf_puts(&b, " job=");
		buf_puts(&b, s->job);
		job_time_format(time, s->start);
		buf_puts(&b, " start=");
		buf_puts(&b, time);
		buf_puts(&b, " log=");
		buf_number(&b, s->log);
	}
	buf_puts(&b, " tally=");
	tally_format(&b, &s->tally);
	if (!b.failed) {
		memset(b.p + b.n, ' ', SLOT_LEN - b.n);
		b.p[SLOT_LEN - 1] = '\n';
	}
	while (!b.failed && pwrite(pool->fd, b.p, SLOT_LEN,
	    (off_t)(s->number - 1) * SLOT_LEN) < 0 && errno == EINTR)
		;
	buf_free(&b);
}

/* What follows "key=" in a slot's line; NULL: it is not there. */
static char *
slot_value(char *line, const char *key)
{
	char *p = strstr(line, key);

	return p ? p + strlen(key) : NULL;
}

static bool
slot_parse(char *line, struct spool_slot *s)
{
	static const char *const keys[] = { "worker=", " pid=", " since=",
		" job=", " start=", " log=", " tally=" };
	char *v[7];
	int64_t number, pid;
	int i;

	*s = (struct spool_slot){ 0 };
	for (i = 0; i < 7; i++)
		v[i] = slot_value(line, keys[i]);
	for (i = 0; i < 7; i++)
		if (v[i])
			v[i][strcspn(v[i], " \n")] = '\0';
	if (!v[0] || !v[1] || !v[2] ||
	    !job_number_parse(v[0], 1, JOB_NUMBER_MAX, &number) ||
	    !job_number_parse(v[1], 0, JOB_NUMBER_MAX, &pid) ||
	    !job_time_parse(v[2], &s->since))
		return false;
	s->number = (int)number;
	s->pid = (long)pid;
	if (v[3] && v[4] && v[5] && job_id_valid(v[3]) &&
	    job_time_parse(v[4], &s->start) &&
	    job_number_parse(v[5], 0, INT64_MAX, &s->log))
		strcpy(s->job, v[3]);
	if (v[6])
		tally_parse(v[6], &s->tally);
	return true;
}

/* The slot at `at` of a pool's file; false: there is none. */
static bool
slot_read(int fd, off_t at, struct spool_slot *s)
{
	char line[SLOT_LEN + 1];

	*s = (struct spool_slot){ 0 };
	if (pread(fd, line, SLOT_LEN, at) != SLOT_LEN)
		return false;
	line[SLOT_LEN] = '\0';
	if (!slot_parse(line, s))
		*s = (struct spool_slot){ 0 };
	return true;
}

void
spool_pool_recall(const struct spool_pool *pool, int number,
    struct spool_slot *s)
{
	slot_read(pool->fd, (off_t)(number - 1) * SLOT_LEN, s);
}

static void
tally_pool(int fd, struct spool_tally *sum)
{
	struct spool_slot s;
	off_t at;

	for (at = 0; slot_read(fd, at, &s); at += SLOT_LEN)
		tally_add(sum, &s.tally);
}

int
spool_pool_asked(struct spool *sp, const struct spool_pool *pool)
{
	if (faccessat(sp->fd, path_pool(pool->name, ".now").s, F_OK, 0) == 0)
		return 2;
	return faccessat(sp->fd, path_pool(pool->name, ".stop").s, F_OK,
	    0) == 0;
}

/* Opens a pool's file and says whether the pool lives; -1: an error, ENOENT
 * for all that is no file. */
static int
pool_open(struct spool *sp, const char *name, const char *suffix, bool *live)
{
	int fd = openat(sp->fd, path_pool(name, suffix).s,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0) {
		if (errno == ELOOP)
			errno = ENOENT;
		return -1;
	}
	if (fstat(fd, &st) < 0) {
		close_quietly(fd);
		return -1;
	}
	if (!S_ISREG(st.st_mode)) {
		close(fd);
		errno = ENOENT;
		return -1;
	}
	*live = lock(fd, LOCK_SH | LOCK_NB) < 0;
	if (!*live)
		lock(fd, LOCK_UN);
	return fd;
}

/* A file of workers/ by its name: POOL and what follows its first dot. */
struct pool_file {
	char pool[POOL_NAME];
	char suffix[8];            /* "", ".new", ".stop", ".now" */
	int64_t pid;               /* of the supervisor */
};

/* false: no file of ours, so it is left alone. */
static bool
pool_parse(const char *file, struct pool_file *f)
{
	static const char *const suffixes[] = { "", ".new", ".stop", ".now" };
	size_t len = strcspn(file, "."), id = strcspn(file, "-"), i;

	for (i = 0; i < 4; i++)
		if (!strcmp(file + len, suffixes[i]))
			break;
	/* the id that spool_pool_join() makes is of 10 digits, base 36 */
	if (i == 4 || len >= sizeof f->pool || id < 10 || id > 12 ||
	    strspn(file, "0123456789abcdefghijklmnopqrstuvwxyz") != id)
		return false;
	strcpy(f->suffix, suffixes[i]);
	memcpy(f->pool, file, len);
	f->pool[len] = '\0';
	return id < len &&
	    job_number_parse(f->pool + id + 1, 1, JOB_NUMBER_MAX, &f->pid);
}

typedef void pool_seen(struct spool *, const struct pool_file *, void *arg);

static int
each_pool_file(struct spool *sp, pool_seen *each, void *arg)
{
	struct spool_names names;
	struct pool_file f;
	const char *name;
	int r = SPOOL_OK;

	if (names_open(&names, open_dir(sp, SPOOL_WORKERS)) < 0)
		return fail(sp, dir_names[SPOOL_WORKERS]);
	while ((name = names_next(&names)))
		if (pool_parse(name, &f))
			each(sp, &f, arg);
	if (errno)
		r = fail(sp, dir_names[SPOOL_WORKERS]);
	names_close(&names);
	return r;
}

struct slot_walk {
	spool_slot_seen *each;
	void *arg;
	bool stale;
};

static void
walk_slots(struct spool *sp, const struct pool_file *f, void *arg)
{
	struct slot_walk *w = arg;
	struct spool_slot slot;
	bool live;
	off_t at;
	int fd;

	if (*f->suffix || (fd = pool_open(sp, f->pool, "", &live)) < 0)
		return;
	for (at = 0; (live || w->stale) && slot_read(fd, at, &slot);
	    at += SLOT_LEN)
		if (slot.pid)
			w->each(w->arg, f->pool, (long)f->pid, &slot);
	close(fd);
}

int
spool_slots(struct spool *sp, bool stale, spool_slot_seen *each, void *arg)
{
	struct slot_walk w = { each, arg, stale };

	return each_pool_file(sp, walk_slots, &w);
}

/* The tally of pools that are no more, "NUMBER,NUMBER,…" in a line. */
static void
metrics_read(struct spool *sp, struct spool_tally *t)
{
	int fd = openat(sp->fd, "metrics",
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char line[SLOT_LEN + 1];
	ssize_t n = fd < 0 ? -1 : pread(fd, line, SLOT_LEN, 0);

	close_quietly(fd);
	line[n < 0 ? 0 : n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	tally_parse(line, t);
}

/* A failure is no reason to do anything else: these are for people. */
static void
metrics_write(struct spool *sp, const struct spool_tally *t)
{
	struct buf b = { 0 };
	bool good;
	int fd;

	tally_format(&b, t);
	buf_putc(&b, '\n');
	unlinkat(sp->fd, "metrics.new", 0);
	fd = openat(sp->fd, "metrics.new",
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	good = fd >= 0 && !b.failed && write_all(fd, b.p, b.n) == 0;
	buf_free(&b);
	close_quietly(fd);
	if (!good || renameat(sp->fd, "metrics.new", sp->fd, "metrics") < 0)
		unlinkat(sp->fd, "metrics.new", 0);
}

/* Removes a pool's file, whose tally then goes to metrics: by one only, and
 * nobody sees it in neither place or in both. */
static void
forget_pool(struct spool *sp, const char *name, int fd)
{
	struct spool_tally sum, own = { .seconds = 0 };
	bool locked = lock(sp->fd, LOCK_EX) == 0;
	int i;

	tally_pool(fd, &own);
	if (unlinkat(sp->fd, path_pool(name, "").s, 0) == 0) {
		for (i = 0; i < NUMBERS && !*tally_number(&own, i); i++)
			;
		metrics_read(sp, &sum);
		tally_add(&sum, &own);
		if (i < NUMBERS)
			metrics_write(sp, &sum);
	}
	if (locked)
		lock(sp->fd, LOCK_UN);
}

static void
tally_one(struct spool *sp, const struct pool_file *f, void *arg)
{
	bool live;
	int fd;

	if (*f->suffix || (fd = pool_open(sp, f->pool, "", &live)) < 0)
		return;
	tally_pool(fd, arg);
	close_quietly(fd);
}

int
spool_tally_sum(struct spool *sp, struct spool_tally *t)
{
	int r;

	if (lock(sp->fd, LOCK_SH) < 0)
		return fail(sp, "");
	metrics_read(sp, t);
	r = each_pool_file(sp, tally_one, t);
	lock(sp->fd, LOCK_UN);
	return r;
}

static void
sweep_one(struct spool *sp, const struct pool_file *f, void *arg)
{
	bool born = !strcmp(f->suffix, ".new"), live = false;
	struct path p = path_pool(f->pool, f->suffix);
	struct stat st;
	int fd;

	(void)arg;
	/* a pool that is being born is locked under its first name */
	fd = pool_open(sp, f->pool, born ? f->suffix : "", &live);
	if (!live && !*f->suffix && fd >= 0)
		forget_pool(sp, f->pool, fd);
	else if (!live && fstatat(sp->fd, p.s, &st, AT_SYMLINK_NOFOLLOW) ==
	    0 && S_ISREG(st.st_mode))
		unlinkat(sp->fd, p.s, 0);
	close_quietly(fd);
}

/* The run that a request in workers/ is about, and which is no more. */
static bool
is_stale_request(struct spool *sp, const char *file)
{
	struct path p = path_in(JOB_PROCESSING, file);

	if (!spool_is_request(file))
		return false;
	p.s[strlen(p.s) - (sizeof request_suffix - 1)] = '\0';
	return !exists(sp, p.s);
}

static void
sweep_requests(struct spool *sp)
{
	struct spool_names names;
	const char *name;

	if (names_open(&names, open_dir(sp, SPOOL_WORKERS)) < 0)
		return;
	while ((name = names_next(&names)))
		if (is_stale_request(sp, name))
			unlinkat(sp->fd, path_in(SPOOL_WORKERS, name).s, 0);
	names_close(&names);
}

void
spool_pool_sweep(struct spool *sp)
{
	each_pool_file(sp, sweep_one, NULL);
	sweep_requests(sp);
}

struct asked_pool {
	int fd;
	char name[POOL_NAME];
};

struct stopping {
	const char *suffix;
	size_t n, cap;
	struct asked_pool *pool;
	int error;                 /* errno of a pool that could not be asked */
};

static bool
ask(struct spool *sp, struct stopping *s, const char *name, int pool)
{
	int fd;

	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 4;
		void *v = realloc(s->pool, cap * sizeof *s->pool);

		if (!v)
			return false;
		s->pool = v;
		s->cap = cap;
	}
	fd = openat(sp->fd, path_pool(name, s->suffix).s, O_WRONLY | O_CREAT |
	    O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	close(fd);
	s->pool[s->n].fd = pool;
	strcpy(s->pool[s->n++].name, name);
	return true;
}

static void
ask_one(struct spool *sp, const struct pool_file *f, void *arg)
{
	struct stopping *s = arg;
	bool live = true;
	int fd;

	if (*f->suffix)
		return;
	fd = pool_open(sp, f->pool, "", &live);
	if ((fd < 0 && errno == ENOENT) || !live) {
		close_quietly(fd);
		return;
	}
	if (fd < 0 || !ask(sp, s, f->pool, fd)) {
		fail(sp, path_pool(f->pool, s->suffix).s);
		s->error = errno;
		close_quietly(fd);
	}
}

/* The files stay open: a lock on one is free when the last process of its pool
 * has ended, which is after its name is gone. */
int
spool_pools_stop(struct spool *sp, bool now, size_t *pools)
{
	struct stopping s = { .suffix = now ? ".now" : ".stop" };
	int r = each_pool_file(sp, ask_one, &s);
	int e = errno;
	size_t i;

	if (s.error) {
		e = s.error;
		r = SPOOL_ERROR;
	}
	for (i = 0; i < s.n; i++) {
		lock(s.pool[i].fd, LOCK_SH);
		close_quietly(s.pool[i].fd);
		/* unless the pool ended on its own and did not see it */
		unlinkat(sp->fd, path_pool(s.pool[i].name, s.suffix).s, 0);
	}
	*pools = s.n;
	free(s.pool);
	errno = e;
	return r;
}

static bool on_network(const struct spool *);

/* --- fsck --------------------------------------------------------------- */

struct fsck {
	struct spool *spool;
	bool repair;
	int64_t now;
	spool_problem_seen *each;
	void *arg;
	size_t left;
	bool lost;                 /* processing/ has jobs to recover */
};

/* `repair` is what mends it, NULL: only a person can; `done`, whether it did
 * (only asked with --repair). */
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
		problem(f, path, "it does not belong to the spool's owner",
		    NULL, false);
	else if ((st->st_mode & 07777) != want)
		problem(f, path, "others may get at it, or its owner may not",
		    S_ISDIR(st->st_mode) ? "chmod 700" : "chmod 600",
		    f->repair && fchmodat(f->spool->fd, path, want, 0) == 0);
}

static void
check_dirs(struct fsck *f)
{
	struct spool *sp = f->spool;
	struct stat st;
	int i;

	if (fstat(sp->fd, &st) == 0)
		check_mode(f, ".", &st);
	if (on_network(sp))
		problem(f, ".", "it lies on a network file system, where "
		    "locks and renames promise less", NULL, false);
	for (i = 0; i < SPOOL_DIRS; i++) {
		if (fstatat(sp->fd, dir_names[i], &st,
		    AT_SYMLINK_NOFOLLOW) < 0)
			problem(f, dir_names[i], strerror(errno), "mkdir",
			    f->repair && make_dir(sp->fd, dir_names[i],
			    ".") == 0);
		else if (!S_ISDIR(st.st_mode))
			problem(f, dir_names[i], "not a directory", NULL,
			    false);
		else
			check_mode(f, dir_names[i], &st);
	}
	if (fstatat(sp->fd, "config", &st, AT_SYMLINK_NOFOLLOW) == 0)
		check_mode(f, "config", &st);
	if (sp->config_bad || sp->config_error)
		problem(f, "config", "it is not understood", NULL, false);
}

/* A job that we hold: its links. */
static void
check_links(struct fsck *f, const char *path, const char *id,
    const struct stat *st)
{
	struct spool *sp = f->spool;
	struct path p = path_in(SPOOL_IDS, id);
	size_t n;
	int r;

	if (st->st_nlink > 2 && count_names(sp, id, &n) == SPOOL_OK && n > 1)
		problem(f, path, "the job has another name in a state",
		    NULL, false);
	if (still(sp, p.s, st))
		return;
	r = check_entry(sp, p.s, id);
	if (r != SPOOL_OK)
		problem(f, path, r == SPOOL_ALIEN ? sp->why : strerror(errno),
		    NULL, false);
	else
		problem(f, path, "it has no entry in ids/", "link it",
		    f->repair && adopt(sp, path, id, st) == SPOOL_OK);
}

/* A name in a state directory. */
static void
check_job(struct fsck *f, enum job_state state, const struct job_name *name)
{
	struct spool *sp = f->spool;
	struct path p = path_job(state, name);
	struct job_name next;
	struct spool_claim c;
	struct stat st;
	int r = take(sp, state, name, f->repair, &c, &st);

	switch (r) {
	case SPOOL_ALIEN:
		problem(f, p.s, sp->why, NULL, false);
		return;
	case SPOOL_ERROR:
		problem(f, p.s, strerror(errno), NULL, false);
		return;
	case SPOOL_OK:
	case SPOOL_BAD:
		break;
	default: /* it runs, or has gone on */
		return;
	}
	check_mode(f, p.s, &st);
	check_links(f, p.s, name->id, &st);
	if (state == JOB_PROCESSING) {
		f->lost = true;
		problem(f, p.s, "its worker is gone", "recover it",
		    f->repair);
	} else if (r == SPOOL_BAD) {
		const char *why = sp->why;
		bool moves = state != JOB_DEAD;

		if (moves && f->repair)
			r = bury(sp, &c, &st, f->now, &next);
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
		return; /* told by check_dirs() */
	it.each_strange = true;
	while ((r = spool_iter_next(&it, &name)) > 0)
		if (r == 1)
			check_job(f, state, &name);
		else
			problem(f, path_in((int)state, it.file).s,
			    "it is no job", NULL, false);
	if (r < 0)
		problem(f, dir_names[state], strerror(errno), NULL, false);
	spool_iter_close(&it);
}

/* An entry of ids/, without a job it seems. */
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
		problem(f, p.s, "it is no entry of a job", NULL, false);
		return;
	}
	/* With two links it is a job's, unless a hand has put that aside; to
	 * look for each would take too long where there are many. */
	if (st.st_nlink > 1)
		return;
	r = spool_find(sp, id, &state, &name);
	if (r != SPOOL_GONE)
		return;
	/* It may be being enqueued: only reclaiming knows. */
	if (f->repair)
		r = spool_reclaim(sp, id);
	else if ((r = lock_ids(sp, LOCK_EX | LOCK_NB)) == SPOOL_OK)
		unlock_ids(sp);
	if (r == SPOOL_OK)
		problem(f, p.s, "an enqueue or a removal was cut short",
		    "remove the entry", f->repair);
}

/* What is in log/: ID.log of jobs. */
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
		problem(f, p.s, "it is no log of a job", NULL, false);
		return;
	}
	check_mode(f, p.s, &st);
	if (!exists(sp, path_in(SPOOL_IDS, id).s) &&
	    spool_find(sp, id, &state, &name) == SPOOL_GONE)
		problem(f, p.s, "its job is gone", "remove it",
		    f->repair && unlinkat(sp->fd, p.s, 0) == 0);
}

static void
check_pool(struct fsck *f, const char *file)
{
	struct path p = path_in(SPOOL_WORKERS, file);
	struct pool_file pool;
	bool live = false;

	if (spool_is_request(file)) {
		if (is_stale_request(f->spool, file))
			problem(f, p.s, "the run that it asks to end is over",
			    "remove it", f->repair &&
			    unlinkat(f->spool->fd, p.s, 0) == 0);
		return;
	}
	if (!pool_parse(file, &pool)) {
		problem(f, p.s, "it is no file of a pool", NULL, false);
		return;
	}
	close_quietly(pool_open(f->spool, pool.pool,
	    strcmp(pool.suffix, ".new") ? "" : ".new", &live));
	if (!live)
		problem(f, p.s, "its pool is gone", "remove it", f->repair);
}

/* Calls `check` for every file in ids/, log/ or workers/. */
static void
check_files(struct fsck *f, int dir, void (*check)(struct fsck *,
    const char *))
{
	struct spool_names names;
	const char *name;

	if (names_open(&names, open_dir(f->spool, dir)) < 0)
		return;
	while ((name = names_next(&names)))
		check(f, name);
	names_close(&names);
}

int
spool_fsck(struct spool *sp, bool repair, int64_t now,
    spool_problem_seen *each, void *arg, size_t *left)
{
	struct fsck f = { .spool = sp, .repair = repair, .now = now,
		.each = each, .arg = arg };
	size_t held;
	int i;

	check_dirs(&f);
	for (i = 0; i < JOB_STATES; i++)
		check_state(&f, (enum job_state)i);
	check_files(&f, SPOOL_IDS, check_id);
	check_files(&f, SPOOL_LOG, check_log);
	if (f.lost && repair)
		spool_recover(sp, now, recovered_quietly, NULL, &held);
	check_files(&f, SPOOL_WORKERS, check_pool);
	if (repair)
		spool_pool_sweep(sp);
	*left = f.left;
	return SPOOL_OK;
}

/* --- news --------------------------------------------------------------- */

void
spool_watch_open(struct spool_watch *w)
{
	int i;

	w->at = w->n = 0;
	for (i = 0; i <= SPOOL_ROOT; i++)
		w->wd[i] = -1;
#if ON_LINUX
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
#else
	w->fd = -1;
#endif
}

bool
spool_watch_add(struct spool *sp, struct spool_watch *w, int dir,
    bool departures)
{
#if ON_LINUX
	char path[PATH_MAX];

	if (w->fd < 0)
		return false;
	snprintf(path, sizeof path, "%.*s/%s",
	    (int)(sizeof path - SPOOL_AT_MAX), sp->path,
	    dir == SPOOL_ROOT ? "" : dir_names[dir]);
	w->wd[dir] = inotify_add_watch(w->fd, path, IN_ONLYDIR | IN_CREATE |
	    IN_MOVED_TO | (dir == SPOOL_ROOT ? IN_CLOSE_WRITE : 0) |
	    (departures ? IN_MOVED_FROM | IN_DELETE : 0));
	return w->wd[dir] >= 0;
#else
	(void)sp;
	(void)w;
	(void)dir;
	(void)departures;
	return false;
#endif
}

int
spool_watch_next(struct spool_watch *w, int *dir, const char **file)
{
#if ON_LINUX
	struct inotify_event *e;
	ssize_t n;
	int i;

	if (w->fd < 0)
		return 0;
	for (;;) {
		if (w->at == w->n) {
			n = read(w->fd, w->buf.bytes, sizeof w->buf.bytes);
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return 0;
			w->at = 0;
			w->n = (size_t)n;
		}
		e = (void *)(w->buf.bytes + w->at);
		w->at += sizeof *e + e->len;
		if (e->mask & (IN_Q_OVERFLOW | IN_IGNORED | IN_UNMOUNT))
			return -1;
		for (i = 0; i <= SPOOL_ROOT; i++)
			if (w->wd[i] == e->wd && e->len) {
				*dir = i;
				*file = e->name;
				return 1;
			}
	}
#else
	(void)w;
	(void)dir;
	(void)file;
	return 0;
#endif
}

void
spool_watch_close(struct spool_watch *w)
{
	close_quietly(w->fd);
	w->fd = -1;
}

#if ON_LINUX
static bool
file_system_is(const struct spool *sp, const unsigned long *types, size_t n)
{
	struct statfs st;
	size_t i;

	if (fstatfs(sp->fd, &st) < 0)
		return false;
	for (i = 0; i < n; i++)
		if (((unsigned long)st.f_type & 0xffffffff) == types[i])
			return true;
	return false;
}
#endif

static bool
on_network(const struct spool *sp)
{
#if ON_LINUX
	/* statfs(2): NFS, CIFS, SMB2, Ceph, AFS */
	static const unsigned long types[] = { 0x6969, 0xff534d42, 0xfe534d42,
		0x00c36400, 0x5346414f };

	return file_system_is(sp, types, sizeof types / sizeof types[0]);
#else
	(void)sp;
	return false;
#endif
}

bool
spool_watch_silent(const struct spool *sp)
{
#if ON_LINUX
	/* statfs(2): overlay, 9p, FUSE, NFS, CIFS, SMB2, vboxsf, Ceph */
	static const unsigned long types[] = { 0x794c7630, 0x01021997,
		0x65735546, 0x6969, 0xff534d42, 0xfe534d42, 0x786f4256,
		0x00c36400 };

	return file_system_is(sp, types, sizeof types / sizeof types[0]);
#else
	(void)sp;
	return true;
#endif
}
