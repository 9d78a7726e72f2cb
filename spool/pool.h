/*
 * spool/pool.h: workers/, which says who runs what, and where requests to
 * stop and to cancel are left.  A door of the spool.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SPOOL_POOL_H
#define SPOOL_POOL_H

#include "spool.h"
#include "spool/tally.h"

enum { SPOOL_POOL_NAME = JOB_ID_MAX + 24 };

/* A pool's file in workers/.  It is locked as long as a process of the pool
 * lives. */
struct spool_pool {
	int fd;
	int count;                    /* of its slots */
	char name[SPOOL_POOL_NAME];
};

/* What the file says about one worker. */
struct spool_slot {
	int number;                   /* from 1 */
	long pid;                     /* 0: not running */
	int64_t since;
	char job[JOB_ID_MAX + 1];     /* "": idle */
	int64_t start;                /* the stamp of its name in processing/ */
	int64_t log;                  /* offset where its output begins */
	struct spool_tally tally;     /* of all workers that had this slot */
};

int spool_pool_join(struct spool *, struct spool_pool *, int count,
    int64_t now);
/* Takes away the pool's names and keeps its tally.  The lock stays until the
 * process ends: spool_pools_stop() waits for that. */
void spool_pool_leave(struct spool *, struct spool_pool *);
/* Writes what a worker says about itself.  A failure is no reason to stop: the
 * line is for people. */
void spool_slot_write(struct spool_pool *, const struct spool_slot *);
/* Reads what was written last; all zero where nothing was. */
void spool_slot_read(const struct spool_pool *, int number,
    struct spool_slot *);
/* What was asked of the pool: 0 nothing, 1 stop, 2 stop now. */
int spool_pool_asked(struct spool *, const struct spool_pool *);
/* Removes the files of pools that have ended.  Their slots tell about the jobs
 * that they ran, so recover those first. */
void spool_pool_sweep(struct spool *);

/* Calls `each` for every slot with a pid of every living pool and, with `dead`,
 * of every dead one; `pid` is that of the pool's supervisor. */
typedef void spool_slot_seen(void *arg, const char *pool, long pid,
    const struct spool_slot *);
int spool_slots(struct spool *, bool dead, spool_slot_seen *each, void *arg);
/* Finds the living worker that says that it runs the job under that name; with
 * `dead`, also one that has died.  false: there is none, and *slot is zero. */
bool spool_runner(struct spool *, bool dead, const struct job_name *run,
    struct spool_slot *);
/* After so long a command that waits for a pool says why. */
enum { SPOOL_LATE_MS = 3000 };
/* Asks all living pools to stop.  With `wait` it returns when they have ended,
 * and after SPOOL_LATE_MS calls `late` once for each that has not; `pid` is that
 * of its supervisor.  *pools is their number. */
typedef void spool_pool_late(void *arg, const char *pool, long pid);
int spool_pools_stop(struct spool *, bool now, bool wait,
    spool_pool_late *late, void *arg, size_t *pools);

/* Whether somebody wants that run to end. */
bool spool_cancelled(struct spool *, const struct job_name *run);
/* Whether such a file in workers/ asks for the end of a run; *run is its name
 * in processing/. */
bool spool_is_request(const char *file, struct job_name *run);
/* Calls `each` for every such file. */
typedef void spool_request_seen(void *arg, const struct job_name *run);
int spool_requests(struct spool *, spool_request_seen *each, void *arg);

/* Opens worker.log for appending; -1: errno, spool->at. */
int spool_worker_log(struct spool *);

#endif
