/*
 * spool/open.c: make, check and open a spool; its config file, its token.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* flock */
#include <sys/file.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "spool/spool_priv.h"

enum { NEEDED = SPOOL_DIRS - 3 }; /* dir_is_needed(): all but three */

/* Makes a directory and its parents, as mkdir -p does, but the last part must
 * not exist yet.  0, or -1 with errno. */
static int
make_path(const char *path)
{
	char p[PATH_MAX], first, after;
	char *name = p, *end;
	bool last;

	snprintf(p, sizeof p, "%s", path);
	do {
		name += strspn(name, "/");
		end = name + strcspn(name, "/");
		last = end[strspn(end, "/")] == '\0';
		after = *end;
		*end = '\0';
		if (mkdirat(AT_FDCWD, p, 0700) == 0) {
			first = *name;
			*name = '\0'; /* the parent, and a slash */
			if (dir_sync_at(AT_FDCWD, p) < 0)
				return -1;
			*name = first;
		} else if (errno != EEXIST || last) {
			return -1;
		}
		*end = after;
		name = end;
	} while (!last);
	return 0;
}

/* A file that is there while a spool is made.  By it we know a directory that a
 * crash has left half made. */
static const char being_made[] = "queuectl.new";

/*
 * Refuses a directory that is in use for something else.  A spool is made only
 * where there is nothing but lost+found, is completed where a crash cut us
 * short, and gets its pending/ again if that alone was removed.
 */
static int
check_unused(struct spool *sp)
{
	struct spool_names names;
	const char *name;
	int ours = 0, others = 0, i;
	bool begun = false;

	if (names_open(&names, openat(sp->fd, ".",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return spool_fail(sp, "");
	while ((name = names_next(&names))) {
		for (i = 0; i < SPOOL_DIRS; i++)
			if (!strcmp(name, dir_name(i)))
				break;
		/* pending/: somebody else has just made it a spool */
		begun |= i == JOB_PENDING || !strcmp(name, being_made);
		ours += dir_is_needed(i);
		others += i == SPOOL_DIRS && strcmp(name, "lost+found");
	}
	names_close(&names);
	if (begun || ours + others == 0 || ours == NEEDED - 1)
		return SPOOL_OK;
	return spool_refuse(sp, "it is not empty and not a spool; name a "
	    "directory that is empty or does not exist");
}

/* Tries what our promises rest on: hard links, and locks that exclude. */
static int
check_file_system(struct spool *sp)
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
		return spool_fail(sp, a.s);
	if (linkat(sp->fd, a.s, sp->fd, b.s, 0) < 0) {
		r = errno == EPERM || errno == EOPNOTSUPP ||
		    errno == ENOSYS || errno == EMLINK ?
		    spool_refuse(sp, "its file system has no hard links") :
		    spool_fail(sp, b.s);
	} else if ((fd2 = openat(sp->fd, b.s, O_RDONLY | O_CLOEXEC)) < 0) {
		r = spool_fail(sp, b.s);
	} else if (fd_lock(fd, LOCK_EX | LOCK_NB) < 0 ||
	    fd_lock(fd2, LOCK_EX | LOCK_NB) == 0) {
		r = spool_refuse(sp, "its file system has no working flock");
	}
	e = errno;
	fd_close(fd);
	fd_close(fd2);
	unlinkat(sp->fd, a.s, 0);
	unlinkat(sp->fd, b.s, 0);
	errno = e;
	return r;
}

/* Makes the directories that are missing.  pending/ comes last, when the others
 * are safe: a spool that has it is whole.  On failure, removes what it made. */
static int
make_dirs(struct spool *sp)
{
	bool made[SPOOL_DIRS] = { false };
	int i, r = check_unused(sp), e, fd;

	if (r != SPOOL_OK)
		return r;
	fd = openat(sp->fd, being_made, O_WRONLY | O_CREAT | O_NOFOLLOW |
	    O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0 || dir_sync_at(sp->fd, ".") < 0)
		r = spool_fail(sp, being_made);
	fd_close(fd);
	for (i = SPOOL_DIRS - 1; i >= 0 && r == SPOOL_OK; i--) {
		if (!dir_is_needed(i))
			continue;
		if (i == JOB_PENDING && (r = check_file_system(sp)) != SPOOL_OK)
			break;
		if (i == JOB_PENDING && dir_sync_at(sp->fd, ".") < 0) {
			r = spool_fail(sp, "");
			break;
		}
		if (mkdirat(sp->fd, dir_name(i), 0700) == 0)
			made[i] = true;
		else if (errno != EEXIST)
			r = spool_fail(sp, dir_name(i));
	}
	if (r == SPOOL_OK && dir_sync_at(sp->fd, ".") < 0)
		r = spool_fail(sp, "");
	e = errno;
	for (i = 0; i < SPOOL_DIRS && r != SPOOL_OK; i++)
		if (made[i])
			unlinkat(sp->fd, dir_name(i), AT_REMOVEDIR);
	unlinkat(sp->fd, being_made, 0);
	errno = e;
	return r;
}

/* Whether others may write to the spool, or enter it and write to a directory
 * in it. */
static bool
is_open_to_others(struct spool *sp, const struct stat *spool)
{
	bool open = spool->st_mode & 022;
	struct stat st;
	int i;

	for (i = 0; i < SPOOL_DIRS && spool->st_mode & 011; i++)
		open |= fstatat(sp->fd, dir_name(i), &st,
		    AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
		    st.st_mode & 022;
	return open;
}

static int
open_checked(struct spool *sp, bool create)
{
	struct stat st;

	if (fstat(sp->fd, &st) < 0)
		return spool_fail(sp, "");
	if (st.st_uid != geteuid()) {
		errno = EPERM;
		return spool_refuse(sp, "it belongs to another user, whose jobs "
		    "would run as you");
	}
	if (is_open_to_others(sp, &st)) {
		sp->repair = "chmod -R go-rwxs";
		return spool_refuse(sp, "others may write to it, and so run "
		    "commands as you");
	}
	sp->owner = st.st_uid;
	if (fstatat(sp->fd, dir_name(JOB_PENDING), &st,
	    AT_SYMLINK_NOFOLLOW) == 0) {
		if (!S_ISDIR(st.st_mode))
			return spool_refuse(sp, "its pending/ is not a "
			    "directory");
		return SPOOL_OK;
	}
	if (errno != ENOENT)
		return spool_fail(sp, dir_name(JOB_PENDING));
	if (!create)
		return spool_refuse(sp, "it is not a spool (it has no "
		    "pending/); queuectl enqueue makes one of an empty "
		    "directory");
	return make_dirs(sp);
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
	/* leave room for the names below it */
	if (strlen(path) >= PATH_MAX - SPOOL_AT_MAX) {
		errno = ENAMETOOLONG;
		return spool_fail(sp, "");
	}
	sp->fd = open_directory(path);
	if (sp->fd < 0 && errno == ENOENT) {
		if (!create)
			return SPOOL_GONE;
		made = make_path(path) == 0;
		if (!made && errno != EEXIST)
			return spool_fail(sp, "");
		sp->fd = open_directory(path);
	}
	if (sp->fd < 0 && errno == ENOTDIR)
		return spool_refuse(sp, "not a directory");
	if (sp->fd < 0)
		return spool_fail(sp, "");
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

bool
spool_is_there(const struct spool *sp)
{
	struct stat now, then;

	if (fstatat(AT_FDCWD, sp->path, &now, 0) < 0 ||
	    fstat(sp->fd, &then) < 0)
		return errno != ENOENT && errno != ENOTDIR;
	return now.st_ino == then.st_ino && now.st_dev == then.st_dev;
}

void
spool_close(struct spool *sp)
{
	fd_close(sp->ids);
	fd_close(sp->fd);
	sp->ids = sp->fd = -1;
}

/* Reads config into `b`.  false: errno, ENOENT where there is none. */
static bool
config_text(struct spool *sp, struct stat *st, struct buf *b)
{
	int fd, r = file_open(sp, "config", O_RDONLY, &fd, st);
	bool done = false;

	if (r == SPOOL_REFUSED && errno != EACCES)
		errno = EINVAL;
	if (r != SPOOL_OK)
		return false;
	if (st->st_size > JOB_TEXT_MAX)
		errno = EINVAL;
	else
		done = fd_read(fd, 0, st->st_size, b);
	fd_close(fd);
	return done;
}

/* Whether *st describes the config that was read last. */
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
	if (fd_lock(sp->fd, LOCK_EX) < 0)
		return spool_fail(sp, "");
	if (!config_text(sp, &st, &text) && errno != ENOENT) {
		r = spool_fail(sp, "config");
	} else {
		buf_puts(&b, "");
		config_edit(&b, text.p, k, value);
		if (b.failed) {
			errno = ENOMEM;
			r = spool_fail(sp, "config");
		} else {
			r = file_replace(sp, "config", &b, true);
		}
	}
	e = errno;
	buf_free(&text);
	buf_free(&b);
	fd_lock(sp->fd, LOCK_UN);
	spool_config_refresh(sp);
	errno = e;
	return r;
}

static int
token_read(struct spool *sp, char token[SPOOL_TOKEN + 1])
{
	char room[SPOOL_TOKEN + 1];
	struct stat st;
	struct buf b;
	int fd, r = file_open(sp, "web.token", O_RDONLY, &fd, &st);
	bool whole;

	if (r != SPOOL_OK)
		return r;
	buf_on(&b, room, sizeof room);
	whole = st.st_size == SPOOL_TOKEN && fd_read(fd, 0, SPOOL_TOKEN, &b) &&
	    b.n == SPOOL_TOKEN && strlen(b.p) == SPOOL_TOKEN;
	fd_close(fd);
	if (st.st_uid != sp->owner || st.st_mode & 077)
		return spool_refuse(sp, "others may read it or have written "
		    "it; remove it, and a new one is made");
	if (!whole)
		return spool_refuse(sp, "it is damaged; remove it, and a new "
		    "one is made");
	strcpy(token, b.p);
	return SPOOL_OK;
}

int
spool_token(struct spool *sp, const char *fresh, char token[SPOOL_TOKEN + 1])
{
	char room[SPOOL_TOKEN + 1];
	struct buf b;
	int r = token_read(sp, token), e;

	if (r != SPOOL_GONE || !fresh)
		return r;
	buf_on(&b, room, sizeof room);
	buf_add(&b, fresh, SPOOL_TOKEN);
	if (fd_lock(sp->fd, LOCK_EX) < 0)
		return spool_fail(sp, "");
	/* somebody may have made it before we had the lock */
	r = token_read(sp, token);
	if (r == SPOOL_GONE)
		r = file_replace(sp, "web.token", &b, true);
	e = errno;
	fd_lock(sp->fd, LOCK_UN);
	errno = e;
	return r == SPOOL_OK ? token_read(sp, token) : r;
}
