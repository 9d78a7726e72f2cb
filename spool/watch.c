/*
 * spool/watch.c: inotify, and the places where it is silent.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "spool/lock_priv.h"
#include "spool/watch.h"
#include "spool/watch_priv.h"

#if ON_LINUX
#include <sys/inotify.h>
#include <sys/statfs.h>
#endif

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
	    dir == SPOOL_ROOT ? "" : dir_name(dir));
	w->wd[dir] = inotify_add_watch(w->fd, path, IN_ONLYDIR | IN_CREATE |
	    IN_MOVED_TO | (dir == SPOOL_ROOT ? IN_CLOSE_WRITE |
	    IN_MOVE_SELF | IN_DELETE_SELF : 0) |
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
spool_watch_lock(struct spool *sp, struct spool_watch *w, const char *lock)
{
#if ON_LINUX
	char path[PATH_MAX];

	if (w->fd < 0)
		return -1;
	snprintf(path, sizeof path, "%.*s/%s",
	    (int)(sizeof path - SPOOL_AT_MAX - 1), sp->path,
	    path_slot(lock, "").s);
	return inotify_add_watch(w->fd, path, IN_ONLYDIR | IN_CREATE |
	    IN_MOVED_TO | IN_CLOSE_NOWRITE);
#else
	(void)sp;
	(void)w;
	(void)lock;
	return -1;
#endif
}

void
spool_watch_forget(struct spool_watch *w, int lock)
{
#if ON_LINUX
	inotify_rm_watch(w->fd, lock);
#else
	(void)w;
	(void)lock;
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
		for (i = 0; i <= SPOOL_ROOT && w->wd[i] != e->wd;)
			i++;
		if (e->mask & (IN_Q_OVERFLOW | IN_UNMOUNT) ||
		    (i <= SPOOL_ROOT && e->mask & (IN_IGNORED | IN_MOVE_SELF |
		    IN_DELETE_SELF)))
			return -1;
		/* of locks/NAME itself, a close is one of its files */
		if (i <= SPOOL_ROOT ? !e->len : e->mask & IN_ISDIR)
			continue;
		*dir = i;
		*file = e->len ? e->name : "";
		w->lock = e->wd;
		return 1;
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
	fd_close(w->fd);
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

bool
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
