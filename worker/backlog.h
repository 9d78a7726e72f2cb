/*
 * worker/backlog.h: the names that wait for a worker.
 *
 *     a pass over pending/ and failed/ ┐
 *     names that inotify tells         ├─→ timed, busy ─→ the board ─→ workers
 *     a name that was locked           ┘
 *
 * Names that are ready stand on the board, where workers take them.  Those that
 * are not are kept here until they are.
 *
 * One pass over the directories fills the queues; it needs no stat.  While it
 * lasts the board is closed.  Between passes the owner adds the names that it
 * is told.  The next pass begins
 *
 *     behind the last name that was taken, when the board has run dry after
 *     names were turned away, so that jobs that are refused cannot hide the
 *     rest; or
 *
 *     from the front, when the owner asks for it, or when a deadline or locked
 *     names are due that found no room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKER_BACKLOG_H
#define WORKER_BACKLOG_H

#include "spool.h"
#include "worker/board.h"
#include "worker/gates.h"

/* A pass over pending/ and failed/. */
struct pass {
	bool active;
	enum job_state state;      /* the directory that is being read */
	struct spool_iter it;
	struct candidate from;     /* names before it were taken already */
	int64_t began, ended;      /* monotonic */
	int64_t front;             /* when the last one from the front began */
	bool whole;                /* both directories could be read */
};

struct backlog {
	struct spool *spool;
	struct board *board;
	struct queue timed;        /* deadlines that lie ahead */
	struct queue busy;         /* locked; to be tried again (monotonic) */
	struct gates gates;        /* names that need locks */
	struct pass pass;
	int64_t wanted;            /* a pass from the front must have begun then
	                            * or later (monotonic) */
};

/* The bytes that the queues need for so many deadlines and locked names. */
size_t backlog_size(size_t timed);
/* Begins empty, in so many bytes that the caller owns; wants a pass. */
void backlog_open(struct backlog *, struct spool *, struct board *,
    void *memory, size_t timed);
void backlog_close(struct backlog *);

/* Takes in a name of pending/ or failed/. */
void backlog_add(struct backlog *, enum job_state, const struct job_name *);
/* Takes in a name that could not be claimed; it is tried again in `us`
 * microseconds.  `tries`: how often that has happened before. */
void backlog_postpone(struct backlog *, enum job_state,
    const struct job_name *, unsigned tries, int64_t us);
/* Takes in a name that could not be claimed, because the lock of that number was
 * busy; a worker began to try it then (monotonic). */
void backlog_lock(struct backlog *, const struct candidate *,
    unsigned char busy, int64_t began);
/* Asks for a pass from the front. */
void backlog_refresh(struct backlog *);

/* Makes ready what is due, begins a pass if one is due, and reads a part of
 * it, so that the caller never waits long. */
void backlog_step(struct backlog *);
/* Whether the board has no name that is ready, and there is no pass. */
bool backlog_is_dry(const struct backlog *);
/* When something is due that is not ready yet: the time of day, or
 * INT64_MAX. */
int64_t backlog_due(const struct backlog *);

#endif
