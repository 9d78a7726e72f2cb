/*
 * policy.c: what an outcome makes of a job.
 *
 * SPDX-License-Identifier: MIT
 */
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
	unsigned n = end != NULL;
	size_t i;

	for (i = job->counted; i < job->nattempt; i++) {
		const struct job_attempt *a = &job->attempt[i];

		if (a->outcome == JOB_LOST && (!end || a->start != end->start))
			n++;
	}
	return n;
}

/* From 0 to 1023, the same for the same end of the same job: by FNV-1a,
 * http://www.isthe.com/chongo/tech/comp/fnv/. */
static int64_t
scatter(const struct job *job, int64_t end)
{
	uint32_t h = 2166136261u;
	const char *p;
	int i;

	for (p = job->id; *p; p++)
		h = (h ^ (unsigned char)*p) * 16777619u;
	for (i = 0; i < 8; i++)
		h = (h ^ (unsigned char)(end >> 8 * i)) * 16777619u;
	return (h ^ h >> 16) & 1023;
}

/* To wait as after n failures. */
static enum job_state
fail_until(const struct job *job, unsigned n, int64_t end,
    const struct job_policy *policy, struct job_name *next)
{
	int base = job->backoff_base >= 0 ? job->backoff_base :
	    policy->backoff_base;
	int max = job->backoff_max >= 0 ? job->backoff_max :
	    policy->backoff_max;

	int64_t wait = (int64_t)job_backoff(base, n, max) * SECOND;

	/* Jobs that failed together need not come again together. */
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
	/* by no fault of the job, so it is not charged */
	bool free_of_charge = lost || end->outcome == JOB_REQUEUED ||
	    end->outcome == JOB_CANCELLED;

	/* `next` may be `run`. */
	name.timed = false;
	name.stamp = text_clamp_time(end->end);
	if (free_of_charge && name.attempt > 0)
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
	return fail_until(job, n, end->end, policy, next);
}
