/*
 * spool/fsck.h: find faults in a spool and repair them.  A door of the spool.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SPOOL_FSCK_H
#define SPOOL_FSCK_H

#include "spool.h"

struct spool_problem {
	const char *path;        /* below the spool */
	const char *what;        /* if only a person can mend it, perhaps with
	                          * "; " and how */
	const char *repair;      /* what would mend it; NULL: only a person */
	bool repaired;
};

/*
 * Calls `each` for everything that is not as it should be, also while workers
 * run.  With `repair`, mends it where that removes no job.  *left counts the
 * problems that remain.
 */
typedef void spool_problem_seen(void *arg, const struct spool_problem *);
int spool_fsck(struct spool *, bool repair, int64_t now,
    spool_problem_seen *each, void *arg, size_t *left);

#endif
