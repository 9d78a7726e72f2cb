/*
 * worker/dispatch.h: what goes onto the board, and when.
 *
 * The dispatcher is a part of the pool's supervisor.  It alone watches the
 * spool.  It puts names on the board, where workers take them, and calls
 * workers that wait.  It runs nothing and moves nothing: the worker claims the
 * job, because workers of other pools compete for it.  What may take long,
 * recovery and purging, is a task for a worker, too.
 *
 * Its owner, worker/pool.c, polls the descriptors and calls these functions.
 * None of them waits, but dispatch_step() may pause for 20 ms when the queue
 * seems to be drained.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKER_DISPATCH_H
#define WORKER_DISPATCH_H

#include "spool/pool.h"
#include "worker/board.h"
#include "worker/pool.h"

struct dispatch;

/* Makes a dispatcher without workers.  Its memory is not the children's, but
 * its board is.  NULL: errno. */
struct dispatch *dispatch_open(struct spool *, const struct worker_options *);
void dispatch_close(struct dispatch *);
struct board *dispatch_board(const struct dispatch *);

/* Prepares the seat of worker k (from 0), which is to be started.  Returns where
 * it hears that it is called; the caller closes it.  -1: errno. */
int dispatch_hire(struct dispatch *, int k);
/* Worker k has died, or could not be started.  Another one gets the job that it
 * had: if it was claimed already, that claim finds no such name, and recovery
 * has the job. */
void dispatch_lose(struct dispatch *, int k);

/* Descriptors to be polled for reading, -1: none; and what to do then. */
int dispatch_watch_fd(const struct dispatch *);
int dispatch_bell(const struct dispatch *);
void dispatch_news(struct dispatch *);
void dispatch_hear(struct dispatch *);

/* Brings the board up to date and calls workers.  Returns how long the next call
 * can wait without an event, in ms. */
int dispatch_step(struct dispatch *);
/* Whether there are workers, and all of them have come to the board once. */
bool dispatch_is_ready(const struct dispatch *);
/* With `drain`: whether nothing is left to do. */
bool dispatch_drained(const struct dispatch *);
/* With `check`: how many jobs this pool has moved to dead/. */
size_t dispatch_dead(const struct dispatch *);
/* Whether the spool was removed, or another directory is in its place. */
bool dispatch_is_lost(const struct dispatch *);
/* Whether somebody may have asked the pool to stop since the last call. */
bool dispatch_asked(struct dispatch *);
/* Tells all workers to stop (1) or to stop now (2). */
void dispatch_stop(struct dispatch *, int level);

#endif
