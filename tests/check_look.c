/*
 * check_look.c: finding a job by its id or a prefix, and loading it.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <check.h>

#include "bed.h"
#include "suite.h"

START_TEST(says_no_such_job)
{
	struct job_name name;
	enum job_state state;

	ck_assert_int_eq(spool_find(&sp, "../x", &state, &name), SPOOL_GONE);
	ck_assert_int_eq(spool_find(&sp, "none", &state, &name), SPOOL_GONE);
	ck_assert_int_eq(spool_retry(&sp, "none", now), SPOOL_GONE);
	ck_assert_int_eq(spool_purge(&sp, JOB_DEAD, "none"), SPOOL_GONE);
}
END_TEST

START_TEST(resolves_prefixes)
{
	char id[JOB_ID_MAX + 1];

	bed_enqueue("job");
	bed_enqueue("job-1");
	bed_enqueue("other");
	ck_assert_int_eq(spool_resolve(&sp, "job", id), SPOOL_OK);
	ck_assert_str_eq(id, "job");
	ck_assert_int_eq(spool_resolve(&sp, "jo", id), SPOOL_AMBIGUOUS);
	ck_assert_int_eq(spool_resolve(&sp, "o", id), SPOOL_OK);
	ck_assert_str_eq(id, "other");
	ck_assert_int_eq(spool_resolve(&sp, "x", id), SPOOL_GONE);
	ck_assert_int_eq(spool_resolve(&sp, "../ids", id), SPOOL_GONE);
	bed_shell("echo torn >ids/%s", "xtorn");
	ck_assert_int_eq(spool_resolve(&sp, "xtorn", id), SPOOL_GONE);
}
END_TEST

/* The job has moved between the listing and the look. */
START_TEST(loads_what_has_moved)
{
	enum job_state state;
	struct job_name name;
	struct job job;

	bed_enqueue("a");
	bed_where("a", &state, &name);
	ck_assert_int_eq(bed_run("a", JOB_EXIT, 0), JOB_DONE);
	ck_assert_int_eq(spool_load(&sp, state, &name, &job), SPOOL_OK);
	ck_assert_uint_eq(job.nattempt, 1);
	job_free(&job);
	/* without an entry in ids/ the directories are searched */
	bed_shell("rm ids/%s", "a");
	ck_assert_int_eq(spool_load(&sp, state, &name, &job), SPOOL_OK);
	ck_assert_uint_eq(job.nattempt, 1);
	job_free(&job);
	bed_shell("rm done/*-%s", "a");
	ck_assert_int_eq(spool_load(&sp, state, &name, &job), SPOOL_GONE);
	job_free(&job);
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "look", .setup = bed_set_up, .teardown = bed_tear_down,
		.seconds = 60
	};
	const struct suite_test tests[] = {
		{ says_no_such_job, 0 },
		{ resolves_prefixes, 0 },
		{ loads_what_has_moved, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
