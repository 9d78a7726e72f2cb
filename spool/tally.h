/*
 * spool/tally.h: counts of attempts.  A door of the spool.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TALLY_H
#define TALLY_H

#include "spool.h"

enum {
	TALLY_OUTCOMES = JOB_CANCELLED + 2, /* 0: success; enum job_outcome + 1 */
	TALLY_BUCKETS = 9                   /* see spool_tally_bounds[] */
};

/* What attempts came to since the spool was made.  No number ever falls. */
struct spool_tally {
	uint64_t outcome[TALLY_OUTCOMES];
	uint64_t took[TALLY_BUCKETS]; /* by duration; the last: any longer */
	uint64_t seconds;             /* the sum of durations, in microseconds */
	uint64_t user, sys;           /* the sums of CPU time, likewise */
	uint64_t maxrss;              /* the greatest of all, in KiB */
};

/* The most microseconds that an attempt in the bucket took. */
extern const int64_t spool_tally_bounds[TALLY_BUCKETS - 1];

void spool_tally_count(struct spool_tally *, const struct job_attempt *);
/* Adds up those of all pools, living and dead.  They are not synced: a power
 * cut may lose the latest. */
int spool_tally_sum(struct spool *, struct spool_tally *);

#endif
