/*
 * worker/worker.h: a worker process, and what its rooms know about it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "spool/pool.h"
#include "worker/board.h"
#include "worker/pool.h"
#include "worker/words.h"

struct worker {
	struct spool *spool;
	struct spool_pool *pool;   /* its file; we write our slot */
	const struct worker_options *options;
	int number;                /* from 1 */
	pid_t pid;
	int64_t since;
	bool terminal;             /* there is one, or may be */
	struct own_env env;
	bool by_vfork;             /* how jobs are started */

	struct board *board;
	int call;                  /* what calls us to it; -1: the supervisor
	                            * has died */
	struct task task;          /* the one that we do, or did last */
	int stop;                  /* 1: after the job, 2: now */
	bool cancel;               /* our job may have been cancelled */
	int64_t stopping;          /* since when (monotonic), 0: not */

	struct spool_tally tally;  /* of this slot */
	bool slot_names_job;
};

/* Runs a worker until it is told to stop; never returns.  `call`: see struct
 * worker.  With `restarted`, a worker that had the slot before has died: its job
 * is recovered first. */
_Noreturn void worker_main(struct spool *, struct spool_pool *,
    const struct worker_options *, int number, struct board *, int call,
    bool restarted);

/* 0: no stop; 1: after the job; 2: now. */
int worker_stop_level(const struct worker *);
/*
 * Sleeps until a signal or a call comes, `in` can be read or `out` written (-1:
 * neither), or `ms` have passed (-1: for ever).  When it is called, it looks at
 * the board.  Returns whether `in` can be read, or is at its end.
 */
bool worker_doze(struct worker *, int ms, int in, int out);
/* Whether somebody asked for the end of that run.  Looks only if the dispatcher
 * told us to since the last call, so that it costs nothing; true at most once
 * for each time. */
bool worker_is_cancelled(struct worker *, const struct job_name *run);
/* Writes our slot: the job that we run and where its output begins, or NULL. */
void worker_write_slot(struct worker *, const struct spool_claim *,
    int64_t log);

#endif
