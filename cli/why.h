/*
 * why.h: why jobs are not running.
 *
 * Functions that return int return an exit status, after a complaint if it is
 * not DONE.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_WHY_H
#define CLI_WHY_H

#include "cli/lock.h"

struct ready;

/* What a job may be waiting for, apart from its time. */
struct outlook {
	struct spool *spool;
	struct crew crew;
	bool deep;              /* find out what its parents wait for */
	struct ready *ready;    /* n jobs in their order, if all workers are
	                         * busy */
	size_t n;
	struct lock_view locks;
	struct buf words;
};

/* Looks at the workers and, if all of these are busy, at what runs ahead of the
 * `n` jobs that are to be shown.  outlook_free() it in any case. */
int outlook_open(struct outlook *, struct spool *, const struct entry *v,
    size_t n);
/* One phrase that says why a job is not running; NULL: it runs, or has ended.
 * The next call overwrites it. */
const char *outlook_why(struct outlook *, const struct field_view *);
void outlook_free(struct outlook *);

#endif
