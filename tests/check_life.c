/*
 * check_life.c: claim, finish, retry and purge: where a job is after each.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bed.h"
#include "suite.h"

START_TEST(claims_once)
{
	struct spool_claim c, d;
	struct job_name name;
	enum job_state state;

	bed_enqueue("a");
	bed_where("a", &state, &name);
	ck_assert_int_eq(spool_claim(&sp, state, &name, now++, &c), SPOOL_OK);
	ck_assert_uint_eq(c.name.attempt, 1);
	ck_assert_int_eq(spool_claim(&sp, state, &name, now++, &d),
	    SPOOL_GONE);
	ck_assert_int_eq(spool_claim(&sp, JOB_PROCESSING, &c.name, now++, &d),
	    SPOOL_BUSY);
	ck_assert(spool_locked(&sp, JOB_PROCESSING, &c.name));
	spool_release(&c);
}
END_TEST

START_TEST(goes_where_the_outcome_says)
{
	struct job_name name;
	enum job_state state;

	bed_enqueue("a");
	ck_assert_int_eq(bed_run("a", JOB_EXIT, 1), JOB_FAILED);
	bed_where("a", &state, &name);
	ck_assert_int_eq(state, JOB_FAILED);
	ck_assert(name.timed);
	ck_assert_uint_eq(name.attempt, 1);
	ck_assert_int_eq(bed_run("a", JOB_REQUEUED, 0), JOB_PENDING);
	bed_where("a", &state, &name);
	ck_assert_uint_eq(name.attempt, 1);
	ck_assert_int_eq(bed_run("a", JOB_TIMEOUT, 0), JOB_FAILED);
	ck_assert_int_eq(bed_run("a", JOB_SIGNAL, 9), JOB_DEAD);
	ck_assert_int_eq(spool_retry(&sp, "a", now++), SPOOL_OK);
	bed_where("a", &state, &name);
	ck_assert_int_eq(state, JOB_PENDING);
	ck_assert_uint_eq(name.attempt, 0);
	ck_assert_int_eq(bed_run("a", JOB_EXIT, 0), JOB_DONE);
	ck_assert_uint_eq(bed_links("a"), 2);
	ck_assert_int_eq(spool_retry(&sp, "a", now++), SPOOL_WRONG_STATE);
	ck_assert_int_eq(spool_purge(&sp, JOB_DEAD, "a"), SPOOL_WRONG_STATE);
	ck_assert_int_eq(spool_purge(&sp, JOB_DONE, "a"), SPOOL_OK);
	ck_assert_uint_eq(bed_count("ids") + bed_count("done") + bed_count("log"), 0);
}
END_TEST

START_TEST(replaces_no_file)
{
	struct job_attempt end;
	struct spool_claim c;
	struct job_name name, next;
	enum job_state state, to;
	char file[JOB_NAME_MAX + 1], command[300];

	bed_enqueue("a");
	ck_assert_int_eq(bed_claim("a", &c), SPOOL_OK);
	end = bed_attempt(&c, JOB_EXIT, 0);
	name = c.name;
	name.stamp = end.end;
	job_name_format(file, &name);
	snprintf(command, sizeof command, "echo mine >done/%s", file);
	bed_shell("%s", command);
	ck_assert_int_eq(spool_finish(&sp, &c, &end, &to, &next), SPOOL_OK);
	ck_assert_int_eq(next.stamp, end.end + 1);
	ck_assert_uint_eq(bed_count("done"), 2);
	snprintf(command, sizeof command, "grep -q mine done/%s", file);
	bed_shell("%s", command);
	(void)state;
}
END_TEST

START_TEST(finishes_what_was_taken_away)
{
	struct job_attempt end;
	struct spool_claim c;
	struct job_name next;
	enum job_state to;

	/* somebody moved it to pending/ while it ran: it runs again, and the
	 * attempt is on record */
	bed_enqueue("a");
	ck_assert_int_eq(bed_claim("a", &c), SPOOL_OK);
	bed_shell("mv processing/*-%s pending/", "a");
	end = bed_attempt(&c, JOB_EXIT, 0);
	ck_assert_int_eq(spool_finish(&sp, &c, &end, &to, &next), SPOOL_GONE);
	bed_shell("grep -q 'exit=0' ids/%s", "a");
	ck_assert_int_eq(bed_run("a", JOB_EXIT, 0), JOB_DONE);

	/* somebody removed it and its id: nothing comes back */
	bed_enqueue("b");
	ck_assert_int_eq(bed_claim("b", &c), SPOOL_OK);
	bed_shell("rm processing/*-%s ids/b", "b");
	end = bed_attempt(&c, JOB_EXIT, 0);
	ck_assert_int_eq(spool_finish(&sp, &c, &end, &to, &next), SPOOL_GONE);
	ck_assert_uint_eq(bed_count("processing"), 0);
	ck_assert_uint_eq(bed_count("ids"), 1);
}
END_TEST

START_TEST(says_when_a_directory_is_missing)
{
	struct job_attempt end;
	struct spool_claim c;
	struct job_name next;
	enum job_state to;

	bed_enqueue("a");
	ck_assert_int_eq(bed_claim("a", &c), SPOOL_OK);
	bed_shell("rmdir %s", "done");
	end = bed_attempt(&c, JOB_EXIT, 0);
	ck_assert_int_eq(spool_finish(&sp, &c, &end, &to, &next),
	    SPOOL_ERROR);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(strncmp(sp.at, "done/", 5), 0);
	bed_shell("mkdir %s", "done");
	ck_assert_int_eq(spool_finish(&sp, &c, &end, &to, &next), SPOOL_OK);
	bed_shell("test $(grep -c Attempt: ids/%s) = 1", "a");
}
END_TEST

START_TEST(ends_at_the_end_of_time)
{
	struct job_attempt end;
	struct spool_claim c;
	struct job_name next;
	enum job_state to;

	bed_enqueue("a");
	ck_assert_int_eq(bed_claim("a", &c), SPOOL_OK);
	bed_shell("touch done/5-99991231T235959.999999Z-1-%s", "a");
	end = bed_attempt(&c, JOB_EXIT, 0);
	end.end = JOB_TIME_MAX;
	ck_assert_int_eq(spool_finish(&sp, &c, &end, &to, &next),
	    SPOOL_ERROR);
	ck_assert_int_eq(errno, EEXIST);
	spool_release(&c);
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "life", .setup = bed_set_up, .teardown = bed_tear_down,
		.seconds = 60
	};
	const struct suite_test tests[] = {
		{ claims_once, 0 },
		{ goes_where_the_outcome_says, 0 },
		{ replaces_no_file, 0 },
		{ finishes_what_was_taken_away, 0 },
		{ says_when_a_directory_is_missing, 0 },
		{ ends_at_the_end_of_time, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
