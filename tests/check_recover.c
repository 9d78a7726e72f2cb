/*
 * check_recover.c: jobs whose worker died, and jobs that are cancelled.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/wait.h>
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bed.h"
#include "spool/pool.h"
#include "suite.h"

struct recovered {
	size_t n;
	enum job_state to;
	struct job_attempt end;
};

static void
note_recovered(void *arg, int result, const struct job_attempt *end,
    enum job_state to, const struct job_name *next)
{
	struct recovered *r = arg;

	ck_assert_int_eq(result, SPOOL_OK);
	(void)next;
	r->n++;
	r->to = to;
	r->end = *end;
}

/* Does what a worker does that is killed: another process claims the job,
 * appends this text if it is not NULL, and dies. */
static void
claim_and_die(const char *id, const char *append)
{
	struct spool_claim c;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int r = bed_claim(id, &c);

		if (r == SPOOL_OK && append) {
			char file[JOB_NAME_MAX + 1], p[400];
			int fd;

			job_name_format(file, &c.name);
			snprintf(p, sizeof p, "%s/processing/%s", path, file);
			fd = open(p, O_WRONLY | O_APPEND);
			if (write(fd, append, strlen(append)) < 0)
				r = SPOOL_ERROR;
		}
		_exit(r);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

START_TEST(recovers_a_lost_job)
{
	struct recovered r = { 0 };
	struct job_name name;
	enum job_state state;
	size_t held;

	bed_enqueue("a");
	claim_and_die("a", NULL);
	now += 1000;
	ck_assert_int_eq(spool_recover(&sp, now++, note_recovered, &r, &held),
	    SPOOL_OK);
	ck_assert_uint_eq(r.n, 1);
	ck_assert_uint_eq(held, 0);
	ck_assert_int_eq(r.end.outcome, JOB_LOST);
	bed_where("a", &state, &name);
	ck_assert_int_eq(state, JOB_FAILED);
	ck_assert_uint_eq(name.attempt, 0);
}
END_TEST

START_TEST(buries_what_is_lost_too_often)
{
	struct recovered r = { 0 };
	size_t held, i;

	bed_enqueue("a");
	for (i = 1; i <= 5; i++) {
		claim_and_die("a", NULL);
		now += 1000;
		spool_recover(&sp, now++, note_recovered, &r, &held);
		ck_assert_uint_eq(r.n, i);
		ck_assert_int_eq(r.to, i < 5 ? JOB_FAILED : JOB_DEAD);
	}
	/* after a retry losses are counted from 0 */
	ck_assert_int_eq(spool_retry(&sp, "a", now++), SPOOL_OK);
	claim_and_die("a", NULL);
	now += 1000;
	spool_recover(&sp, now++, note_recovered, &r, &held);
	ck_assert_int_eq(r.to, JOB_FAILED);
}
END_TEST

START_TEST(revives_what_was_lost_too_often)
{
	struct recovered r = { 0 };
	size_t held, i;

	bed_enqueue("a");
	for (i = 0; i < 5; i++) {
		claim_and_die("a", NULL);
		now += 1000;
		spool_recover(&sp, now++, note_recovered, &r, &held);
	}
	ck_assert_int_eq(bed_state_of("a"), JOB_DEAD);
	bed_shell("mv dead/*-%s pending/", "a");
	claim_and_die("a", NULL);
	now += 1000;
	spool_recover(&sp, now++, note_recovered, &r, &held);
	ck_assert_int_eq(r.to, JOB_FAILED);
}
END_TEST

START_TEST(completes_what_was_recorded)
{
	struct recovered r = { 0 };
	struct job_name name;
	enum job_state state;
	char line[300], start[JOB_TIME_LEN + 1];
	int64_t claimed;
	size_t held;

	bed_enqueue("a");
	claimed = now; /* bed_claim() will take it as the start */
	job_time_format(start, claimed);
	snprintf(line, sizeof line, "Attempt: 1 start=%s end=%s exit=0 log=0 "
	    "worker=7\n", start, start);
	claim_and_die("a", line);
	now = claimed + 1000;
	ck_assert_int_eq(spool_recover(&sp, now++, note_recovered, &r, &held),
	    SPOOL_OK);
	ck_assert_uint_eq(r.n, 1);
	bed_where("a", &state, &name);
	ck_assert_int_eq(state, JOB_DONE);
	bed_shell("test $(grep -c Attempt: ids/%s) = 1", "a");
}
END_TEST

START_TEST(closes_off_a_torn_line)
{
	struct recovered r = { 0 };
	size_t held;

	bed_enqueue("a");
	claim_and_die("a", "Attempt: 1 start=2026-01");
	now += 1000;
	spool_recover(&sp, now++, note_recovered, &r, &held);
	ck_assert_int_eq(r.end.outcome, JOB_LOST);
	ck_assert_int_eq(bed_run("a", JOB_EXIT, 0), JOB_DONE);
	bed_shell("test $(grep -c '^Attempt: .* worker=' ids/%s) = 2", "a");

	/* torn within its last number: it looks whole, but must not count */
	bed_enqueue("b");
	claim_and_die("b", "Attempt: 1 start=2026-01-01T00:00:00.000000Z "
	    "end=2026-01-01T00:00:00.000000Z exit=0 log=0 worker=13");
	now += 1000;
	spool_recover(&sp, now++, note_recovered, &r, &held);
	ck_assert_int_eq(r.end.outcome, JOB_LOST);
	bed_shell("grep -q 'worker=13 $' ids/%s", "b");
}
END_TEST

START_TEST(waits_for_who_holds_the_lock)
{
	struct recovered r = { 0 };
	struct spool_claim c;
	size_t held;

	bed_enqueue("a");
	ck_assert_int_eq(bed_claim("a", &c), SPOOL_OK);
	ck_assert_int_eq(spool_recover(&sp, now++, note_recovered, &r, &held),
	    SPOOL_OK);
	ck_assert_uint_eq(r.n, 0);
	ck_assert_uint_eq(held, 1);
	ck_assert_int_eq(spool_drained(&sp), 0);
	spool_release(&c);
}
END_TEST

static void
note_left(void *arg, int result, const struct job_attempt *end,
    enum job_state to, const struct job_name *next)
{
	(void)end;
	(void)to;
	(void)next;
	ck_assert_int_eq(result, SPOOL_REFUSED);
	++*(size_t *)arg;
}

/* Somebody copied a job to processing/: its id belongs to the job that is
 * still pending. */
START_TEST(recovers_not_what_is_another_jobs)
{
	size_t held, left = 0;

	bed_enqueue("a");
	bed_shell("cp pending/* processing/5-20200101T000000.000000Z-1-%s", "a");
	ck_assert_int_eq(spool_recover(&sp, now++, note_left, &left, &held),
	    SPOOL_OK);
	ck_assert_uint_eq(left, 1);
	ck_assert_uint_eq(bed_count("pending"), 1);
	ck_assert_uint_eq(bed_count("processing"), 1);
}
END_TEST

START_TEST(cancels_not_what_ended_otherwise)
{
	struct spool_cancel x = { .id = "a" };
	struct job_attempt end;
	struct spool_claim c;
	struct job_name next;
	enum job_state to;

	bed_enqueue("a");
	ck_assert_int_eq(bed_claim("a", &c), SPOOL_OK);
	ck_assert_int_eq(bed_cancel(&x), SPOOL_BUSY);
	ck_assert(x.held);
	ck_assert(spool_cancelled(&sp, &c.name));
	ck_assert_uint_eq(bed_count("workers"), 1);
	c.job.max_retries = 1;
	end = bed_attempt(&c, JOB_EXIT, 1);
	ck_assert_int_eq(spool_finish(&sp, &c, &end, &to, &next), SPOOL_OK);
	ck_assert_int_eq(to, JOB_DEAD);
	ck_assert_int_eq(bed_cancel(&x), SPOOL_WRONG_STATE);
	ck_assert_uint_eq(bed_count("workers"), 0);
	ck_assert_int_eq(spool_arrived(&sp, JOB_DONE, &next), INT64_MAX);
	ck_assert_int_lt(spool_arrived(&sp, JOB_DEAD, &next), INT64_MAX);
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "recover", .setup = bed_set_up, .teardown = bed_tear_down,
		.seconds = 60
	};
	const struct suite_test tests[] = {
		{ recovers_a_lost_job, 0 },
		{ buries_what_is_lost_too_often, 0 },
		{ revives_what_was_lost_too_often, 0 },
		{ completes_what_was_recorded, 0 },
		{ closes_off_a_torn_line, 0 },
		{ waits_for_who_holds_the_lock, 0 },
		{ recovers_not_what_is_another_jobs, 0 },
		{ cancels_not_what_ended_otherwise, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
