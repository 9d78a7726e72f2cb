/*
 * worker/pool.h: a pool of worker processes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKER_POOL_H
#define WORKER_POOL_H

#include <stdbool.h>
#include <sys/types.h>

#include "spool.h"

enum {
	WORKER_COUNT_MAX = 1000,
	READY_MAX = 34000, /* so that a pool's supervisor stays below 2 MiB */
	TIMED_MAX = 1024
};

struct worker_options {
	int count;      /* workers, from 1 */
	bool daemon;    /* detach, write to worker.log in the spool */
	bool drain;     /* end when nothing is pending, processing or failed */
	bool check;     /* fail if the pool has moved a job to dead/ */
	mode_t umask;   /* the jobs' */
	const char *launcher; /* the program that is run with each job's words,
	                       * an absolute path; NULL: none */
	/* How many ready names the pool remembers, and how many deadlines and
	 * locked names.  0: READY_MAX, TIMED_MAX */
	size_t ready, timed;
};

/*
 * Finds a launcher: along PATH or, if it has a slash, where it says.  Returns
 * its absolute path, for the caller to free.  NULL: it is not there or cannot
 * be executed (errno).
 */
char *worker_launcher(const char *program);

/*
 * Runs a pool until it is told to stop or, with `drain`, has nothing left to
 * do.  With `daemon` it returns when the pool has started, in the process
 * that called; the pool's own process never returns.
 *
 * What happens to jobs is told on stderr as it happens.  Set-up can fail, the
 * spool can go away, and with `check` a job can die: -1, and it was said why.
 */
int worker_pool(struct spool *, const struct worker_options *);

#endif
