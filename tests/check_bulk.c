/*
 * check_bulk.c: changes of many jobs for the price of one sync.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/file.h>
#include <sys/resource.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bed.h"
#include "fault.h"
#include "suite.h"

enum { JOBS = 300 };

static struct job_name names[JOBS];
static struct spool_cancel cancels[JOBS];

/* What was seen: the calls that make safe, and the results. */
static int syncs, fsyncs, unsafe, told, refused, error;

static void
see_call(const char *call, int fd, const char *a, const char *b)
{
	(void)fd;
	(void)a;
	(void)b;
	syncs += !strcmp(call, "syncfs");
	fsyncs += !strcmp(call, "fsync");
	if (!strcmp(call, "rename") || !strcmp(call, "write"))
		unsafe++;
	else if (!strcmp(call, "fsync") || !strcmp(call, "syncfs"))
		unsafe = 0;
}

static void
see_result(void *arg, int result, void *job)
{
	(void)arg;
	(void)job;
	if (result == SPOOL_OK) {
		/* nothing is told before it is safe */
		ck_assert(unsafe == 0 || sp.config.sync == SYNC_NONE);
		told++;
	} else {
		refused++;
		error = result == SPOOL_ERROR ? errno : -result;
	}
}

static void
enqueue_all(void)
{
	struct spool_batch b = { .spool = &sp, .bulk = true };
	struct job job;
	int i;

	for (i = 0; i < JOBS; i++) {
		bed_fill(&job, "", "true");
		ck_assert_int_eq(spool_stage(&b, &job), SPOOL_OK);
		strcpy(cancels[i].id, b.v[i].name.id);
	}
	ck_assert_int_eq(spool_publish(&b), SPOOL_OK);
	spool_batch_free(&b);
}

static void
watch(void)
{
	syncs = fsyncs = unsafe = told = refused = error = 0;
	fault = (struct fault){ .armed = true, .mode = FAULT_COUNT,
		.seen = see_call };
}

static void
cancel_all(void)
{
	struct spool_bulk b = { .spool = &sp, .each = see_result };
	int i;

	watch();
	for (i = 0; i < JOBS; i++)
		spool_bulk_cancel(&b, &cancels[i], now++);
	spool_bulk_end(&b);
	fault.armed = false;
}

static void
retry_all(void)
{
	struct spool_bulk b = { .spool = &sp, .each = see_result };
	struct spool_iter it;
	int i, n = 0;

	ck_assert_int_eq(spool_iter_open(&sp, &it, JOB_DEAD), SPOOL_OK);
	while (n < JOBS && spool_iter_next(&it, &names[n]) > 0)
		n++;
	spool_iter_close(&it);
	watch();
	for (i = 0; i < n; i++)
		spool_bulk_retry(&b, &names[i], now++, NULL);
	spool_bulk_end(&b);
	fault.armed = false;
}

START_TEST(syncs_once)
{
	enqueue_all();
	cancel_all();
	ck_assert_int_eq(told, JOBS);
	ck_assert_int_eq(syncs, 1);
	ck_assert_int_eq(fsyncs, 2); /* dead/, pending/ */
	ck_assert_uint_eq(bed_count("dead"), JOBS);
	retry_all();
	ck_assert_int_eq(told, JOBS);
	ck_assert_int_eq(syncs, 1);
	ck_assert_int_eq(fsyncs, 2); /* pending/, dead/ */
	ck_assert_uint_eq(bed_count("pending"), JOBS);
	bed_shell("test $(cat pending/* | grep -c '^%s: ') = 300", "Retried");
}
END_TEST

START_TEST(syncs_not_at_all)
{
	enqueue_all();
	sp.config.sync = SYNC_NONE;
	cancel_all();
	ck_assert_int_eq(syncs + fsyncs, 0);
	ck_assert_uint_eq(bed_count("dead"), JOBS);
	sp.config.sync = SYNC_ENQUEUE;
	retry_all();
	ck_assert_int_eq(told, JOBS);
}
END_TEST

/* The jobs of a bulk are held by descriptors. */
START_TEST(lives_with_few_descriptors)
{
	struct rlimit old, few = { .rlim_cur = 60 };

	enqueue_all();
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	few.rlim_max = old.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	cancel_all();
	ck_assert_int_eq(told, JOBS);
	ck_assert_int_eq(refused, 0);
	ck_assert_int_le(syncs, 8);
	retry_all();
	ck_assert_int_eq(told, JOBS);
	ck_assert_int_le(syncs, 8);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
}
END_TEST

/* What is in use, gone or damaged does not keep the others. */
START_TEST(leaves_out_what_cannot_be_moved)
{
	char p[300];
	int fd;

	enqueue_all();
	cancel_all();
	bed_shell("rm $(ls -d dead/* | sed -n %s)", "7p");
	snprintf(p, sizeof p, "%s/ids/%s", path, cancels[20].id);
	fd = open(p, O_RDONLY);
	ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
	bed_shell("echo broken >ids/%s", cancels[30].id);
	retry_all();
	ck_assert_int_eq(told, JOBS - 3);
	ck_assert_int_eq(refused, 2); /* one was not in the list any more */
	ck_assert_uint_eq(bed_count("dead"), 2);
	ck_assert_uint_eq(bed_count("pending"), JOBS - 3);
	close(fd);
}
END_TEST

/* After a failed sync nothing has moved, and every job can be tried again. */
START_TEST(tells_of_a_failed_sync)
{
	enqueue_all();
	cancel_all();
	watch();
	fault.armed = false;
	{
		struct spool_bulk b = { .spool = &sp, .each = see_result };
		struct spool_iter it;
		int i, n = 0;

		ck_assert_int_eq(spool_iter_open(&sp, &it, JOB_DEAD), SPOOL_OK);
		while (n < JOBS && spool_iter_next(&it, &names[n]) > 0)
			n++;
		spool_iter_close(&it);
		for (i = 0; i < n; i++)
			spool_bulk_retry(&b, &names[i], now++, NULL);
		fault = (struct fault){ .armed = true, .mode = FAULT_ERROR,
			.at = 1, .error = EIO };
		spool_bulk_end(&b);
		fault.armed = false;
	}
	ck_assert_str_eq(fault.hit, "syncfs");
	ck_assert_int_eq(told, 0);
	ck_assert_int_eq(refused, JOBS);
	ck_assert_int_eq(error, EIO);
	ck_assert_uint_eq(bed_count("dead"), JOBS);
	retry_all();
	ck_assert_int_eq(told, JOBS);
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "bulk", .setup = bed_set_up, .teardown = bed_tear_down,
		.seconds = 120
	};
	const struct suite_test tests[] = {
		{ syncs_once, 0 },
		{ syncs_not_at_all, 0 },
		{ lives_with_few_descriptors, 0 },
		{ leaves_out_what_cannot_be_moved, 0 },
		{ tells_of_a_failed_sync, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
