/*
 * check_policy.c: what an outcome makes of a job.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "job/policy.h"
#include "suite.h"
#include "texts.h"

START_TEST(backoff)
{
	static const struct {
		int base;
		unsigned n;
		int max, wait;
	} cases[] = {
		{ 2, 1, 3600, 2 }, { 2, 2, 3600, 4 }, { 2, 3, 3600, 8 },
		{ 2, 11, 3600, 2048 }, { 2, 12, 3600, 3600 },
		{ 2, 4294967295U, 3600, 3600 }, { 1, 1, 3600, 1 },
		{ 1, 4294967295U, 3600, 1 }, { 0, 1, 3600, 0 },
		{ 0, 0, 3600, 0 }, { 0, 4294967295U, 3600, 0 },
		{ 2, 0, 3600, 1 }, { 5, 1, 3, 3 }, { 2, 5, 0, 0 },
		{ 3, 3, 27, 27 }, { 3, 3, 26, 26 }, { 3, 3, 28, 27 },
		{ 2, 30, 2147483647, 1073741824 },
		{ 2, 31, 2147483647, 2147483647 },
		{ 2147483647, 1, 2147483647, 2147483647 },
		{ 2147483647, 2, 2147483647, 2147483647 },
		{ 46341, 2, 2147483647, 2147483647 },
		{ 46340, 2, 2147483647, 2147395600 },
		{ 2, 2147483648U, 2147483647, 2147483647 },
	};
	int i, wait;

	for (i = 0; i < COUNT(cases); i++) {
		wait = job_backoff(cases[i].base, cases[i].n, cases[i].max);
		ck_assert_msg(wait == cases[i].wait, "min(%d ^ %u, %d) = %d",
		    cases[i].base, cases[i].n, cases[i].max, wait);
	}
}
END_TEST

static const struct job_policy policy = {
	.max_retries = 3, .backoff_base = 2, .backoff_max = 3600,
	.max_crashes = 5,
};

START_TEST(allowed)
{
	struct job_policy none = policy;
	struct job job;

	none.max_retries = 0;
	job_init(&job);
	ck_assert_uint_eq(job_allowed(&job, &policy), 3);
	ck_assert_uint_eq(job_allowed(&job, &none), 1);
	job.max_retries = 0;
	ck_assert_uint_eq(job_allowed(&job, &policy), 1);
	job.max_retries = 1;
	ck_assert_uint_eq(job_allowed(&job, &policy), 1);
	job.max_retries = JOB_NUMBER_MAX;
	ck_assert_uint_eq(job_allowed(&job, &policy), JOB_NUMBER_MAX);
}
END_TEST

enum { CREATED_AT = 1000, ENDED_AT = 2000 };

static const struct {
	enum job_outcome outcome;
	int value;
	unsigned attempt;          /* in the name while it ran */
	int retries, base, max;    /* the job's; -1: not given */
	enum job_state state;
	unsigned next;             /* the attempt in the next name */
	int64_t wait;              /* seconds after the end */
} after[] = {
	{ JOB_EXIT, 0, 1, -1, -1, -1, JOB_DONE, 1, 0 },
	{ JOB_EXIT, 0, 9, -1, -1, -1, JOB_DONE, 9, 0 },
	{ JOB_EXIT, 1, 1, -1, -1, -1, JOB_FAILED, 1, 2 },
	{ JOB_EXIT, 1, 2, -1, -1, -1, JOB_FAILED, 2, 4 },
	{ JOB_EXIT, 1, 3, -1, -1, -1, JOB_DEAD, 3, 0 },
	{ JOB_EXIT, 255, 4, -1, -1, -1, JOB_DEAD, 4, 0 },
	{ JOB_SIGNAL, 9, 2, -1, -1, -1, JOB_FAILED, 2, 4 },
	{ JOB_SIGNAL, 9, 3, -1, -1, -1, JOB_DEAD, 3, 0 },
	{ JOB_SIGNAL, 0, 1, -1, -1, -1, JOB_FAILED, 1, 2 },
	{ JOB_TIMEOUT, 0, 1, -1, -1, -1, JOB_FAILED, 1, 2 },
	{ JOB_TIMEOUT, 0, 3, -1, -1, -1, JOB_DEAD, 3, 0 },
	{ JOB_ERROR, 0, 1, -1, -1, -1, JOB_FAILED, 1, 2 },
	{ JOB_ERROR, 0, 3, -1, -1, -1, JOB_DEAD, 3, 0 },
	{ JOB_EXIT, 1, 1, 1, -1, -1, JOB_DEAD, 1, 0 },
	{ JOB_EXIT, 1, 1, 0, -1, -1, JOB_DEAD, 1, 0 },
	{ JOB_EXIT, 1, 3, 4, -1, -1, JOB_FAILED, 3, 8 },
	{ JOB_EXIT, 1, 3, 4, 3, -1, JOB_FAILED, 3, 27 },
	{ JOB_EXIT, 1, 3, 4, 3, 10, JOB_FAILED, 3, 10 },
	{ JOB_EXIT, 1, 3, 4, 0, -1, JOB_FAILED, 3, 0 },
	{ JOB_EXIT, 1, 3, 4, -1, 0, JOB_FAILED, 3, 0 },
	{ JOB_EXIT, 1, 20, JOB_NUMBER_MAX, -1, -1, JOB_FAILED, 20, 3600 },
	{ JOB_EXIT, 1, 2147483646, JOB_NUMBER_MAX, 2, JOB_NUMBER_MAX,
	    JOB_FAILED, 2147483646, 2147483647 },
	{ JOB_LOST, 0, 1, -1, -1, -1, JOB_FAILED, 0, 2 },
	{ JOB_LOST, 0, 3, -1, -1, -1, JOB_FAILED, 2, 2 },
	{ JOB_LOST, 0, 0, -1, -1, -1, JOB_FAILED, 0, 2 },
	{ JOB_LOST, 0, 1, 0, 7, 5, JOB_FAILED, 0, 5 },
	{ JOB_REQUEUED, 0, 2, -1, -1, -1, JOB_PENDING, 1, 0 },
	{ JOB_REQUEUED, 0, 3, 1, -1, -1, JOB_PENDING, 2, 0 },
	{ JOB_REQUEUED, 0, 0, -1, -1, -1, JOB_PENDING, 0, 0 },
	{ JOB_CANCELLED, 0, 1, -1, -1, -1, JOB_DEAD, 0, 0 },
};

START_TEST(dies_of_some_exits)
{
	struct job_policy strict = policy;
	struct job_name run = { .attempt = 1, .id = "a" }, next;
	struct job_attempt end = { .outcome = JOB_EXIT, .value = 65 };
	struct job job;

	job_init(&job);
	job.max_retries = 3;
	ck_assert(job_codes_parse("2,65-78", &strict.dead_exit));
	ck_assert_int_eq(job_after(&job, &run, &end, &policy, &next),
	    JOB_FAILED);
	ck_assert_int_eq(job_after(&job, &run, &end, &strict, &next),
	    JOB_DEAD);
	ck_assert_uint_eq(next.attempt, 1);
	end.value = 64;
	ck_assert_int_eq(job_after(&job, &run, &end, &strict, &next),
	    JOB_FAILED);
	/* the job's own list replaces that of config; "" is an empty list */
	job.dead_exit = "64";
	ck_assert_int_eq(job_after(&job, &run, &end, &strict, &next),
	    JOB_DEAD);
	end.value = 65;
	job.dead_exit = "";
	ck_assert_int_eq(job_after(&job, &run, &end, &strict, &next),
	    JOB_FAILED);
	job.dead_exit = "1-255";
	end.value = 0;
	ck_assert_int_eq(job_after(&job, &run, &end, &strict, &next),
	    JOB_DONE);
	end = (struct job_attempt){ .outcome = JOB_SIGNAL, .value = 9 };
	ck_assert_int_eq(job_after(&job, &run, &end, &strict, &next),
	    JOB_FAILED);
}
END_TEST

/* A retry comes between the backoff and the backoff plus the jitter, spread
 * over all of that time, and at the same time for the same end. */
START_TEST(scatters_retries)
{
	struct job_policy p = policy;
	struct job_name run = { .attempt = 1, .id = "job1" }, next, again;
	struct job_attempt end = { .outcome = JOB_EXIT, .value = 1 };
	struct job job;
	int i, early = 0, late = 0;

	job_init(&job);
	strcpy(job.id, "job1");
	job.max_retries = 3;
	job.backoff_base = 100;
	p.backoff_jitter = 50;
	for (i = 0; i < 1000; i++) {
		int64_t wait;

		end.end = ENDED_AT * SECOND + i * 1009;
		ck_assert_int_eq(job_after(&job, &run, &end, &p, &next),
		    JOB_FAILED);
		job_after(&job, &run, &end, &p, &again);
		ck_assert_int_eq(next.stamp, again.stamp);
		wait = next.stamp - end.end;
		ck_assert_int_ge(wait, 100 * SECOND);
		ck_assert_int_le(wait, 150 * SECOND);
		early += wait < 105 * SECOND;
		late += wait > 145 * SECOND;
	}
	ck_assert_int_gt(early, 50);
	ck_assert_int_lt(early, 200);
	ck_assert_int_gt(late, 50);
	ck_assert_int_lt(late, 200);
}
END_TEST

START_TEST(after_attempt)
{
	struct job_name run = {
		.stamp = 1500 * SECOND, .attempt = after[_i].attempt,
		.priority = 7, .timed = _i % 2, .id = "job1",
	};
	struct job_attempt end = {
		.number = run.attempt, .outcome = after[_i].outcome,
		.value = after[_i].value, .start = run.stamp,
		.end = ENDED_AT * SECOND,
	};
	bool again = after[_i].state == JOB_PENDING;
	struct job_name next;
	struct job job;

	job_init(&job);
	job.created = CREATED_AT * SECOND;
	job.max_retries = after[_i].retries;
	job.backoff_base = after[_i].base;
	job.backoff_max = after[_i].max;
	memset(&next, 0xff, sizeof next);
	ck_assert_int_eq(job_after(&job, &run, &end, &policy, &next),
	    after[_i].state);
	ck_assert_uint_eq(next.attempt, after[_i].next);
	ck_assert_int_eq(next.timed, after[_i].state == JOB_FAILED);
	ck_assert_int_eq(next.stamp,
	    ((again ? CREATED_AT : ENDED_AT) + after[_i].wait) * SECOND);
	ck_assert_uint_eq(next.priority, 7);
	ck_assert_str_eq(next.id, "job1");
	/* The next name may take the place of the last one. */
	ck_assert_int_eq(job_after(&job, &run, &end, &policy, &run),
	    after[_i].state);
	ck_assert(run.stamp == next.stamp && run.attempt == next.attempt);
}
END_TEST

/* A job that is lost again and again.  The last loss counts whether it is in
 * the history yet or not; losses before a retry and other outcomes do not. */
START_TEST(after_losses)
{
	static const int64_t waits[] = { 2, 4, 8, 16 };
	struct job_name run = { .attempt = 2, .id = "a" }, next;
	struct job_attempt past[12], lost = { .outcome = JOB_LOST };
	enum job_state state_in, state_out;
	struct job job;
	size_t i;

	for (i = 0; i < 12; i++) {
		past[i] = lost;
		past[i].start = (int64_t)i + 1; /* tells them apart */
	}
	past[3].outcome = JOB_EXIT;  /* old: 0, 1, 2; then exit, requeued */
	past[4].outcome = JOB_REQUEUED;
	job_init(&job);
	job.attempt = past;
	job.counted = 3;
	for (i = 0; i < 6; i++) {
		job.nattempt = 5 + i;
		state_out = job_after(&job, &run, &lost, &policy, &next);
		ck_assert_int_eq(state_out, i < 4 ? JOB_FAILED : JOB_DEAD);
		ck_assert_int_eq(next.timed, i < 4);
		ck_assert_int_eq(next.stamp, i < 4 ? waits[i] * SECOND : 0);
		ck_assert_uint_eq(next.attempt, 1);
		job.nattempt++;
		state_in = job_after(&job, &run, &past[5 + i], &policy,
		    &next);
		ck_assert_int_eq(state_in, state_out);
		ck_assert_int_eq(next.stamp, i < 4 ? waits[i] * SECOND : 0);
	}
	job.counted = job.nattempt;
	ck_assert_int_eq(job_after(&job, &run, &lost, &policy, &next),
	    JOB_FAILED);
	ck_assert_int_eq(next.stamp, 2 * SECOND);
}
END_TEST

START_TEST(after_extremes)
{
	struct job_name run = { .attempt = 1, .id = "a" }, next;
	struct job_attempt end = {
		.outcome = JOB_EXIT, .value = 1, .end = INT64_MAX,
	};
	struct job_policy once = policy;
	struct job job;

	job_init(&job);
	ck_assert_int_eq(job_after(&job, &run, &end, &policy, &next),
	    JOB_FAILED);
	ck_assert_int_eq(next.stamp, JOB_TIME_MAX);
	end.end = JOB_TIME_MAX;
	ck_assert_int_eq(job_after(&job, &run, &end, &policy, &next),
	    JOB_FAILED);
	ck_assert_int_eq(next.stamp, JOB_TIME_MAX);
	end.end = INT64_MIN;
	end.value = 0;
	ck_assert_int_eq(job_after(&job, &run, &end, &policy, &next), JOB_DONE);
	ck_assert_int_eq(next.stamp, 0);
	end.outcome = JOB_REQUEUED;
	ck_assert_int_eq(job_after(&job, &run, &end, &policy, &next),
	    JOB_PENDING);
	ck_assert_int_eq(next.stamp, 0);
	end.outcome = JOB_LOST;
	once.max_crashes = 1;
	ck_assert_int_eq(job_after(&job, &run, &end, &once, &next), JOB_DEAD);
	once.max_crashes = 0;
	ck_assert_int_eq(job_after(&job, &run, &end, &once, &next), JOB_DEAD);
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "policy", .in_one_process = true, .seconds = 60
	};
	const struct suite_test tests[] = {
		{ backoff, 0 },
		{ allowed, 0 },
		{ after_attempt, COUNT(after) },
		{ after_losses, 0 },
		{ after_extremes, 0 },
		{ dies_of_some_exits, 0 },
		{ scatters_retries, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
