/*
 * policy.c: what an outcome makes of a job.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "job/policy.h"

enum { SECOND = 1000000 };

int
job_backoff(int base, unsigned n, int max)
{
	int64_t wait = 1;

	if (base <= 0 || max <= 0)
		return 0;
	/* A base of 1 needs no loop; any other gets there in 31 rounds. */
	for (; n > 0 && base > 1 && wait < max; n--)
		wait *= base;
	return wait < max ? (int)wait : max;
}

unsigned
job_allowed(const struct job *job, const struct job_policy *policy)
{
	int n = job->max_retries >= 0 ? job->max_retries : policy->max_retries;

	return n > 0 ? (unsigned)n : 1;
}

/* Attempts are told apart by when they started. */
unsigned
job_lost(const struct job *job, const struct job_attempt *end)
{
	unsigned n = job->lost + (end != NULL);
	size_t i;

	for (i = job->counted; i < job->nattempt; i++) {
		const struct job_attempt *a = &job->attempt[i];

		if (a->outcome == JOB_LOST && (!end || a->start != end->start))
			n++;
	}
	return n;
}

/* A number from 0 to 1023, always the same for one end of one job. */
static int64_t
scatter(const struct job *job, int64_t end)
{
	unsigned char time[8];
	uint32_t h;
	int i;

	for (i = 0; i < 8; i++)
		time[i] = (unsigned char)(end >> 8 * i);
	h = text_hash(TEXT_HASH, job->id, strlen(job->id));
	h = text_hash(h, time, sizeof time);
	return (h ^ h >> 16) & 1023;
}

/* The job failed, for the n-th time in a row, and waits for its retry. */
static enum job_state
wait_for_retry(const struct job *job, unsigned n, int64_t end,
    const struct job_policy *policy, struct job_name *next)
{
	int base = job->backoff_base >= 0 ? job->backoff_base :
	    policy->backoff_base;
	int max = job->backoff_max >= 0 ? job->backoff_max :
	    policy->backoff_max;
	int64_t wait = (int64_t)job_backoff(base, n, max) * SECOND;

	/* Jobs that failed together should not all come back together. */
	wait += wait / 100 * policy->backoff_jitter * scatter(job, end) / 1023;
	next->timed = true;
	next->stamp = text_clamp_time(text_clamp_time(end) + wait);
	return JOB_FAILED;
}

enum job_state
job_after(const struct job *job, const struct job_name *run,
    const struct job_attempt *end, const struct job_policy *policy,
    struct job_name *next)
{
	struct job_name name = *run;
	struct job_codes codes = policy->dead_exit;
	unsigned n = name.attempt;
	bool lost = end->outcome == JOB_LOST;
	bool blameless = lost || end->outcome == JOB_REQUEUED ||
	    end->outcome == JOB_CANCELLED;

	/* `next` may be `run`. */
	name.timed = false;
	name.stamp = text_clamp_time(end->end);
	if (blameless && name.attempt > 0)
		name.attempt--;
	if (end->outcome == JOB_REQUEUED)
		name.stamp = text_clamp_time(job->created);
	*next = name;
	if (end->outcome == JOB_REQUEUED)
		return JOB_PENDING;
	if (end->outcome == JOB_EXIT && end->value == 0)
		return JOB_DONE;
	if (end->outcome == JOB_CANCELLED)
		return JOB_DEAD;
	if (job->dead_exit)
		job_codes_parse(job->dead_exit, &codes);
	if (end->outcome == JOB_EXIT && job_codes_have(&codes, end->value))
		return JOB_DEAD;
	if (lost)
		n = job_lost(job, end);
	if (lost ? policy->max_crashes <= 0 ||
	    n >= (unsigned)policy->max_crashes : n >= job_allowed(job, policy))
		return JOB_DEAD;
	return wait_for_retry(job, n, end->end, policy, next);
}
