/*
 * policy.h: what an outcome makes of a job: retries, backoff, dead letters.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POLICY_H
#define POLICY_H

#include "job/job.h"

/* What the spool's config says where the job does not. */
struct job_policy {
	int max_retries;
	int backoff_base, backoff_max; /* seconds */
	int backoff_jitter;      /* percent that a wait may be longer */
	int max_crashes;
	struct job_codes dead_exit; /* a job that exits with one of these is dead */
};

/*
 * Where a job goes whose run under the name `run` ended as `end` says (which
 * may or may not be in the job's history yet), and its next name in *next.
 */
enum job_state job_after(const struct job *, const struct job_name *run,
    const struct job_attempt *end, const struct job_policy *,
    struct job_name *next);

/* The attempts that the job has in all, at least 1. */
unsigned job_allowed(const struct job *, const struct job_policy *);
/* How often the job was lost since it was last enqueued or retried; `end`, if
 * not NULL, is the latest loss and counts, in the history or not. */
unsigned job_lost(const struct job *, const struct job_attempt *end);
/* min(base ^ n, max), in seconds; 0 ^ n is 0. */
int job_backoff(int base, unsigned n, int max);

#endif
