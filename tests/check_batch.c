/*
 * check_batch.c: enqueue: staged, published, taken back; ids that are unique.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/file.h>
#include <sys/wait.h>
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bed.h"
#include "suite.h"

START_TEST(enqueues_with_two_links)
{
	struct job_name name;
	enum job_state state;
	struct job job;

	ck_assert_int_eq(bed_enqueue("a"), SPOOL_OK);
	ck_assert_uint_eq(bed_links("a"), 2);
	bed_where("a", &state, &name);
	ck_assert_int_eq(state, JOB_PENDING);
	ck_assert_uint_eq(name.attempt, 0);
	ck_assert(!name.timed);
	ck_assert_int_eq(spool_load(&sp, state, &name, &job), SPOOL_OK);
	ck_assert_str_eq(job.command, "true");
	ck_assert_int_eq(job.created, name.stamp);
	job_free(&job);
	ck_assert_int_eq(bed_enqueue("a"), SPOOL_EXISTS);
	ck_assert_uint_eq(bed_count("pending"), 1);
}
END_TEST

START_TEST(makes_ids_that_are_new_and_in_order)
{
	struct spool_batch b = { .spool = &sp, .bulk = true };
	char last[JOB_ID_MAX + 1] = "";
	struct job job;
	size_t i;

	for (i = 0; i < 100; i++) {
		bed_fill(&job, "", "true");
		job.created = now; /* the same for all: they must be bumped */
		ck_assert_int_eq(spool_stage(&b, &job), SPOOL_OK);
		ck_assert_str_eq(job.id, "");
		ck_assert_int_gt(strcmp(b.v[i].name.id, last), 0);
		ck_assert_uint_le(strlen(b.v[i].name.id), 12);
		strcpy(last, b.v[i].name.id);
	}
	ck_assert_uint_eq(bed_count("pending"), 0);
	ck_assert_int_eq(spool_publish(&b), SPOOL_OK);
	ck_assert_uint_eq(bed_count("pending"), 100);
	spool_batch_free(&b);
}
END_TEST

START_TEST(takes_a_batch_back_whole)
{
	struct spool_batch b = { .spool = &sp, .bulk = true };
	struct spool_claim c;
	struct job job;
	size_t i;

	for (i = 0; i < 3; i++) {
		bed_fill(&job, i == 0 ? "x" : i == 1 ? "y" : "z", "true");
		ck_assert_int_eq(spool_stage(&b, &job), SPOOL_OK);
	}
	bed_fill(&job, "y", "true");
	ck_assert_int_eq(spool_stage(&b, &job), SPOOL_EXISTS);
	spool_take_back(&b);
	ck_assert_uint_eq(bed_count("ids"), 0);

	/* a job that is claimed after it was published stays */
	for (i = 0; i < 3; i++) {
		bed_fill(&job, i == 0 ? "x" : i == 1 ? "y" : "z", "true");
		ck_assert_int_eq(spool_stage(&b, &job), SPOOL_OK);
	}
	ck_assert_int_eq(spool_publish(&b), SPOOL_OK);
	ck_assert_int_eq(bed_claim("y", &c), SPOOL_OK);
	spool_take_back(&b);
	ck_assert_uint_eq(bed_count("ids"), 1);
	ck_assert_uint_eq(bed_count("pending"), 0);
	ck_assert_int_eq(bed_state_of("y"), JOB_PROCESSING);
	spool_release(&c);
	spool_batch_free(&b);
}
END_TEST

/* Two jobs of the same microsecond; and a file name that is taken already. */
START_TEST(makes_names_that_are_not_taken)
{
	struct spool_batch b = { .spool = &sp };
	char command[200], stamp[JOB_STAMP_LEN + 1];
	struct job_name name;
	enum job_state state;
	struct job job;
	int i;

	for (i = 0; i < 2; i++) {
		bed_fill(&job, "", "true");
		job.created = now;
		ck_assert_int_eq(spool_stage(&b, &job), SPOOL_OK);
		ck_assert_int_eq(spool_publish(&b), SPOOL_OK);
		spool_batch_free(&b);
		b = (struct spool_batch){ .spool = &sp };
	}
	ck_assert_uint_eq(bed_count("pending"), 2);
	ck_assert_uint_eq(bed_count("ids"), 2);

	bed_fill(&job, "a", "true");
	job_stamp_format(stamp, job.created);
	snprintf(command, sizeof command, ": >pending/5-%s-0-%%s", stamp);
	bed_shell(command, "a");
	ck_assert_int_eq(spool_stage(&b, &job), SPOOL_OK);
	ck_assert_int_eq(spool_publish(&b), SPOOL_OK);
	/* publishing again does nothing */
	ck_assert_int_eq(spool_publish(&b), SPOOL_OK);
	spool_batch_free(&b);
	bed_where("a", &state, &name);
	ck_assert_uint_eq(bed_count("pending"), 4);
}
END_TEST

START_TEST(reuses_an_entry_that_was_left_behind)
{
	struct spool_batch b = { .spool = &sp };
	struct job job;

	bed_shell("echo torn >ids/%s", "a");
	bed_fill(&job, "a", "true");
	ck_assert_int_eq(spool_stage(&b, &job), SPOOL_STALE_ID);
	ck_assert_int_eq(spool_reclaim(&sp, "a"), SPOOL_OK);
	ck_assert_uint_eq(bed_count("ids"), 0);
	ck_assert_int_eq(bed_enqueue("a"), SPOOL_OK);
	ck_assert_int_eq(spool_reclaim(&sp, "a"), SPOOL_EXISTS);
	spool_batch_free(&b);
}
END_TEST

START_TEST(leaves_an_entry_that_is_being_written)
{
	char p[120];
	int fd;

	snprintf(p, sizeof p, "%s/ids", path);
	fd = open(p, O_RDONLY);
	ck_assert_int_eq(flock(fd, LOCK_SH), 0); /* as an enqueuer does */
	bed_shell("echo torn >ids/%s", "a");
	ck_assert_int_eq(spool_reclaim(&sp, "a"), SPOOL_BUSY);
	ck_assert_uint_eq(bed_links("a"), 1);
	close(fd);
	ck_assert_int_eq(spool_reclaim(&sp, "a"), SPOOL_OK);
}
END_TEST

static int
enqueue_unique(struct spool *spool, const char *id)
{
	struct spool_batch b = { .spool = spool };
	struct job job;
	int r;

	bed_fill(&job, id, "true");
	job.unique = true;
	while ((r = spool_stage(&b, &job)) == SPOOL_STALE_ID) {
		r = spool_reclaim(spool, id);
		if (r != SPOOL_OK && r != SPOOL_EXISTS)
			break;
	}
	if (r == SPOOL_OK)
		r = spool_publish(&b);
	spool_batch_free(&b);
	return r;
}

START_TEST(is_unique_while_it_has_not_ended)
{
	struct spool_claim c;
	struct job_attempt end;
	struct job_name next;
	enum job_state to;
	struct job job;
	char p[200];

	ck_assert_int_eq(enqueue_unique(&sp, "u"), SPOOL_OK);
	ck_assert_int_eq(enqueue_unique(&sp, "u"), SPOOL_DUPLICATE);
	ck_assert_int_eq(bed_claim("u", &c), SPOOL_OK);
	ck_assert(c.job.unique);
	ck_assert_int_eq(enqueue_unique(&sp, "u"), SPOOL_DUPLICATE);
	end = bed_attempt(&c, JOB_EXIT, 1);
	ck_assert_int_eq(spool_finish(&sp, &c, &end, &to, &next), SPOOL_OK);
	ck_assert_int_eq(to, JOB_FAILED);
	ck_assert_int_eq(enqueue_unique(&sp, "u"), SPOOL_DUPLICATE);
	ck_assert_uint_eq(bed_count("ids"), 1);
	ck_assert_uint_eq(bed_count("failed"), 1);

	/* it has ended, and has a log */
	ck_assert_int_eq(bed_run("u", JOB_EXIT, 0), JOB_DONE);
	snprintf(p, sizeof p, "%s/log/u.log", path);
	fclose(fopen(p, "w"));
	ck_assert_int_eq(enqueue_unique(&sp, "u"), SPOOL_OK);
	ck_assert_uint_eq(bed_count("done"), 0);
	ck_assert_uint_eq(bed_count("log"), 0);
	ck_assert_uint_eq(bed_count("pending"), 1);
	ck_assert_uint_eq(bed_links("u"), 2);
	bed_where("u", &to, &next);
	ck_assert_int_eq(spool_load(&sp, to, &next, &job), SPOOL_OK);
	ck_assert_uint_eq(job.nattempt, 0);
	job_free(&job);
}
END_TEST

START_TEST(replaces_not_what_is_held)
{
	struct job_name name;
	enum job_state state;
	char file[JOB_NAME_MAX + 1], p[400];
	int fd;

	ck_assert_int_eq(enqueue_unique(&sp, "u"), SPOOL_OK);
	ck_assert_int_eq(bed_run("u", JOB_EXIT, 0), JOB_DONE);
	bed_where("u", &state, &name);
	job_name_format(file, &name);
	snprintf(p, sizeof p, "%s/done/%s", path, file);
	fd = open(p, O_RDONLY);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	ck_assert_int_eq(enqueue_unique(&sp, "u"), SPOOL_BUSY);
	ck_assert_uint_eq(bed_count("done"), 1);
	ck_assert_uint_eq(bed_links("u"), 2);
	close(fd);
	ck_assert_int_eq(enqueue_unique(&sp, "u"), SPOOL_OK);
}
END_TEST

enum { ENQUEUERS = 8 };

/* Enqueues once for each byte that it reads, and writes the result. */
static _Noreturn void
enqueuer(int in, int out)
{
	struct spool own;
	char c;

	ck_assert_int_eq(spool_open(&own, path, false), SPOOL_OK);
	while (read(in, &c, 1) == 1) {
		c = (char)enqueue_unique(&own, "cron");
		ck_assert_int_eq(write(out, &c, 1), 1);
	}
	_exit(0);
}

START_TEST(enqueues_one_of_eight)
{
	/* without forks, which is how valgrind runs, fewer rounds */
	const char *fork_mode = getenv("CK_FORK");
	int rounds = fork_mode && !strcmp(fork_mode, "no") ? 30 : 1000;
	int in[2], out[2], i, k, status;
	char bytes[ENQUEUERS] = { 0 };

	ck_assert_int_eq(pipe(in), 0);
	ck_assert_int_eq(pipe(out), 0);
	for (k = 0; k < ENQUEUERS; k++)
		if (fork() == 0) {
			close(in[1]);
			enqueuer(in[0], out[1]);
		}
	close(in[0]);
	close(out[1]);
	for (i = 0; i < rounds; i++) {
		int ok = 0, queued = 0;

		ck_assert_int_eq(write(in[1], bytes, ENQUEUERS), ENQUEUERS);
		for (k = 0; k < ENQUEUERS; k++) {
			char c;

			ck_assert_int_eq(read(out[0], &c, 1), 1);
			ok += c == SPOOL_OK;
			queued += c == SPOOL_DUPLICATE;
			ck_assert_msg(c == SPOOL_OK || c == SPOOL_DUPLICATE,
			    "round %d: result %d", i, c);
		}
		ck_assert_msg(ok == 1 && queued == ENQUEUERS - 1,
		    "round %d: %d enqueued, %d queued", i, ok, queued);
		ck_assert_uint_eq(bed_count("pending"), 1);
		ck_assert_uint_eq(bed_count("done") + bed_count("dead"), 0);
		ck_assert_uint_eq(bed_count("ids"), 1);
		ck_assert_uint_eq(bed_links("cron"), 2);
		bed_run("cron", i % 2 ? JOB_CANCELLED : JOB_EXIT, 0);
	}
	close(in[1]);
	for (k = 0; k < ENQUEUERS; k++) {
		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
	close(out[0]);
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "batch", .setup = bed_set_up, .teardown = bed_tear_down,
		.seconds = 60
	};
	const struct suite_test tests[] = {
		{ enqueues_with_two_links, 0 },
		{ makes_ids_that_are_new_and_in_order, 0 },
		{ takes_a_batch_back_whole, 0 },
		{ makes_names_that_are_not_taken, 0 },
		{ reuses_an_entry_that_was_left_behind, 0 },
		{ leaves_an_entry_that_is_being_written, 0 },
		{ is_unique_while_it_has_not_ended, 0 },
		{ replaces_not_what_is_held, 0 },
		{ enqueues_one_of_eight, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
