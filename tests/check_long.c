/*
 * check_long.c: jobs whose history, or header, is very long.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bed.h"
#include "holds.h"
#include "spool/log.h"
#include "suite.h"

enum { KIB = 1 << 10, MIB = 1 << 20 };

static void
append(const char *id, const char *p, size_t n)
{
	char file[200];
	int fd;

	snprintf(file, sizeof file, "%s/ids/%s", path, id);
	fd = open(file, O_WRONLY | O_APPEND);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, p, n), (ssize_t)n);
	close(fd);
}

/* Appends attempts that end so, until they take `bytes`.  Returns how many. */
static size_t
grow(const char *id, size_t bytes, enum job_outcome outcome)
{
	struct job_attempt a = { .number = 1, .outcome = outcome, .value = 1,
		.worker = 42 };
	struct buf b = { 0 };
	size_t n = 0;

	while (b.n < bytes) {
		a.start = now++;
		a.end = now++;
		a.log = (int64_t)n++;
		job_format_attempt(&b, &a);
	}
	append(id, b.p, b.n);
	buf_free(&b);
	return n;
}

static void
enqueue_patient(const char *id, const char *input)
{
	struct spool_batch b = { .spool = &sp };
	struct job job;

	bed_fill(&job, id, "true");
	job.max_retries = JOB_NUMBER_MAX;
	job.backoff_base = 0;
	job.input = input;
	ck_assert_int_eq(spool_stage(&b, &job), SPOOL_OK);
	ck_assert_int_eq(spool_publish(&b), SPOOL_OK);
	spool_batch_free(&b);
}

/* What this process has read so far, in bytes; -1: nobody tells. */
static long
bytes_read(void)
{
	FILE *f = fopen("/proc/self/io", "r");
	long n = -1;

	if (f && fscanf(f, "rchar: %ld", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

START_TEST(claims_at_the_same_cost)
{
	static const size_t sizes[] = { 0, 60 * KIB, MIB, 40 * MIB };
	struct job_attempt end;
	struct spool_claim c;
	struct job_name next, name;
	enum job_state to, state;
	long before, after;

	enqueue_patient("old", NULL);
	grow("old", sizes[_i], JOB_EXIT);
	bed_where("old", &state, &name);
	before = bytes_read();
	ck_assert_int_eq(spool_claim(&sp, state, &name, now++, &c), SPOOL_OK);
	after = bytes_read();
	/* the look at the count is read, too */
	ck_assert_int_le(after - before, 140 * KIB);
	end = bed_attempt(&c, JOB_EXIT, 0);
	ck_assert_int_eq(spool_finish(&sp, &c, &end, &to, &next), SPOOL_OK);
	ck_assert_int_eq(to, JOB_DONE);
	/* which is found at the same cost */
	before = bytes_read();
	ck_assert_int_eq(bed_state_of("old"), JOB_DONE);
	ck_assert_int_le(bytes_read() - before, 140 * KIB);
}
END_TEST

START_TEST(retries_what_was_buried)
{
	enqueue_patient("old", NULL);
	ck_assert_int_eq(bed_run("old", JOB_CANCELLED, 0), JOB_DEAD);
	grow("old", 40 * MIB, JOB_CANCELLED);
	ck_assert_int_eq(spool_retry(&sp, "old", now++), SPOOL_OK);
	ck_assert_int_eq(bed_state_of("old"), JOB_PENDING);
	ck_assert_int_eq(bed_run("old", JOB_EXIT, 0), JOB_DONE);
	ck_assert_int_eq(spool_purge(&sp, JOB_DONE, "old"), SPOOL_OK);
}
END_TEST

struct seen {
	size_t attempts, retried;
	int64_t last;
};

static void
see(void *arg, const struct job_attempt *a)
{
	struct seen *s = arg;

	if (!a) {
		s->retried++;
		return;
	}
	ck_assert_int_gt(a->start, s->last);
	s->last = a->start;
	s->attempts++;
}

/* Every attempt is seen once, in order, wherever the cut is. */
START_TEST(leaves_nothing_out)
{
	struct seen s = { .last = 0 };
	struct job_name name;
	enum job_state state;
	struct job job;
	size_t n;

	enqueue_patient("a", NULL);
	n = grow("a", 64 * KIB - 400 + (size_t)_i * 29, JOB_EXIT);
	append("a", "Retried: 2026-11-24T05:30:15Z\n", 30);
	append("a", "Attempt: 1 start=2026-11-24T", 28); /* torn */
	append("a", " \n", 2);
	n += grow("a", _i % 2 ? 1 : 100 * KIB, JOB_EXIT);
	bed_where("a", &state, &name);
	ck_assert_int_eq(spool_load(&sp, state, &name, &job), SPOOL_OK);
	ck_assert_int_eq(spool_earlier(&sp, state, &name, &job, see, &s),
	    SPOOL_OK);
	ck_assert_uint_eq(s.attempts + job.nattempt, n);
	ck_assert_uint_eq(s.retried + (job.retried >= 0), 1);
	ck_assert_int_gt(job.attempt[0].start, s.last);
	ck_assert_uint_ge(job.nattempt, 300);
	job_free(&job);
}
END_TEST

/* Whether a job that was lost again, after `losses` and a history, is dead. */
static enum job_state
lose(const char *id, int losses, const char *between)
{
	struct spool_claim c;
	size_t held;

	enqueue_patient(id, NULL);
	while (losses--)
		grow(id, 1, JOB_LOST);
	append(id, between, strlen(between));
	grow(id, 300 * KIB, JOB_EXIT);
	ck_assert_int_eq(bed_claim(id, &c), SPOOL_OK);
	spool_release(&c);
	ck_assert_int_eq(spool_recover(&sp, now++, holds_recovered, NULL,
	    &held), SPOOL_OK);
	return bed_state_of(id);
}

START_TEST(counts_every_loss)
{
	ck_assert_int_eq(lose("three", 3, ""), JOB_FAILED);
	ck_assert_int_eq(lose("four", 4, ""), JOB_DEAD);
	ck_assert_int_eq(lose("again", 4, "Retried: 2026-11-24T05:30:15Z\n"),
	    JOB_FAILED);
	ck_assert_int_eq(bed_state_of("three"), JOB_FAILED);
}
END_TEST

/* mv from dead/ is a retry, for a job whose losses are long ago, too. */
START_TEST(begins_again_what_a_hand_revived)
{
	ck_assert_int_eq(lose("four", 4, ""), JOB_DEAD);
	bed_shell("mv dead/*-%s pending/", "four");
	ck_assert_int_eq(bed_run("four", JOB_LOST, 0), JOB_FAILED);
	bed_shell("grep -q '^Retried: ' ids/%s", "four");
}
END_TEST

/* The worker died between the line and the rename. */
START_TEST(does_not_run_again_what_has_ended)
{
	struct job_attempt end;
	struct spool_claim c;
	struct buf line = { 0 };
	size_t held;

	enqueue_patient("a", NULL);
	grow("a", 200 * KIB, JOB_EXIT);
	ck_assert_int_eq(bed_claim("a", &c), SPOOL_OK);
	end = bed_attempt(&c, JOB_EXIT, 0);
	job_format_attempt(&line, &end);
	append("a", line.p, line.n);
	append("a", "Attempt: 2 start=", 17);
	buf_free(&line);
	spool_release(&c);
	ck_assert_int_eq(spool_recover(&sp, now++, holds_recovered, NULL,
	    &held), SPOOL_OK);
	ck_assert_int_eq(bed_state_of("a"), JOB_DONE);
}
END_TEST

/* A line that is longer than what is read: the attempts before it are out of
 * sight, and the job is sound all the same. */
START_TEST(runs_in_spite_of_a_long_line)
{
	struct seen s = { .last = 0 };
	struct spool_claim c;
	struct spool_log log;
	struct job_name name;
	enum job_state state;
	struct job job;
	int64_t offset;
	char *line = malloc(300 * KIB);
	size_t n;

	ck_assert_ptr_nonnull(line);
	memset(line, 'x', 300 * KIB);
	enqueue_patient("a", NULL);
	n = grow("a", 100 * KIB, JOB_EXIT);
	append("a", line, 300 * KIB); /* torn if _i is 0 */
	append("a", "\n", (size_t)_i);
	free(line);
	bed_shell("echo output >log/%s.log", "a");
	ck_assert_int_eq(bed_claim("a", &c), SPOOL_OK);
	ck_assert_int_eq(spool_log_begin(&sp, &c, &log, &offset), SPOOL_OK);
	ck_assert_int_eq(offset, 7); /* it was not begun anew */
	spool_log_end(&log);
	spool_release(&c);
	bed_where("a", &state, &name);
	ck_assert_int_eq(spool_load(&sp, state, &name, &job), SPOOL_OK);
	ck_assert_uint_eq(job.nattempt, 0);
	ck_assert_int_eq(spool_earlier(&sp, state, &name, &job, see, &s),
	    SPOOL_OK);
	ck_assert_uint_eq(s.attempts, n);
	job_free(&job);
	/* the torn line is closed */
	bed_shell("mv processing/*-%s pending/", "a");
	ck_assert_int_eq(bed_run("a", JOB_EXIT, 0), JOB_DONE);
	bed_shell("tail -n 1 ids/%s | grep -q '^Attempt: .*exit=0 '", "a");
}
END_TEST

/* A header as long as one can be, with a history. */
START_TEST(reads_the_longest_header)
{
	size_t n = JOB_TEXT_MAX - 300;
	char *input = malloc(n + 1);

	ck_assert_ptr_nonnull(input);
	memset(input, 'x', n);
	input[n] = '\0';
	memcpy(input + 99, "Created:\nCreated:\n", 18); /* not its end */
	enqueue_patient("big", input);
	free(input);
	ck_assert_int_eq(bed_run("big", JOB_EXIT, 1), JOB_FAILED);
	grow("big", MIB, JOB_EXIT);
	ck_assert_int_eq(bed_run("big", JOB_EXIT, 0), JOB_DONE);
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "long", .setup = bed_set_up, .teardown = bed_tear_down,
		.seconds = 120
	};
	const struct suite_test tests[] = {
		{ claims_at_the_same_cost, 4 },
		{ retries_what_was_buried, 0 },
		{ leaves_nothing_out, 16 },
		{ counts_every_loss, 0 },
		{ begins_again_what_a_hand_revived, 0 },
		{ does_not_run_again_what_has_ended, 0 },
		{ runs_in_spite_of_a_long_line, 2 },
		{ reads_the_longest_header, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
