/*
 * spool/watch.h: news of the spool's directories, by inotify.  A door of the
 * spool.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SPOOL_WATCH_H
#define SPOOL_WATCH_H

#include "spool.h"

/* fd is -1 where there is no inotify: then the caller looks for itself, now
 * and then. */
struct spool_watch {
	int fd;                  /* poll it for reading */
	int wd[SPOOL_ROOT + 1];
	int lock;                /* SPOOL_SLOTS: of which spool_watch_lock() */
	size_t at, n;
	union {
		char bytes[4096];
		uint32_t aligned;
	} buf;
};

/* Begins without any directory. */
void spool_watch_open(struct spool_watch *);
/* What spool_watch_next() calls the slots of a lock. */
enum { SPOOL_SLOTS = SPOOL_ROOT + 1 };

/* Adds a directory, or changes what is asked of it: news of files that come,
 * and with `departures` of files that go; for SPOOL_ROOT also of writes to
 * config.  false: it cannot be watched. */
bool spool_watch_add(struct spool *, struct spool_watch *, int dir,
    bool departures);
/* Adds a lock: news of slots that come, or may have been let go.  Returns its
 * number; -1: it cannot be watched. */
int spool_watch_lock(struct spool *, struct spool_watch *, const char *lock);
void spool_watch_forget(struct spool_watch *, int lock);
/* 1: *dir got or lost `file` (valid until the next call; "" if a lock is watched
 * no more); 0: there is no more news; -1: news was lost. */
int spool_watch_next(struct spool_watch *, int *dir, const char **file);
void spool_watch_close(struct spool_watch *);
/* Whether the file system is known for changes that inotify does not tell. */
bool spool_watch_silent(const struct spool *);

#endif
