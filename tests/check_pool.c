/*
 * check_pool.c: the files of workers/: live pools and dead ones, and the
 * tallies of their attempts.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/file.h>
#include <sys/wait.h>
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bed.h"
#include "spool/pool.h"
#include "suite.h"

static void
count_slot(void *arg, const char *pool, long pid, const struct spool_slot *s)
{
	(void)pool;
	(void)pid;
	(void)s;
	++*(size_t *)arg;
}

START_TEST(knows_live_pools_from_dead)
{
	struct spool_slot slot = { .number = 2, .pid = 77, .start = now };
	struct spool_pool pool;
	size_t n = 0, pools;
	char p[200];
	pid_t pid;
	int fd;

	/* a pool whose process has died */
	pid = fork();
	if (pid == 0) {
		if (spool_pool_join(&sp, &pool, 2, now) != SPOOL_OK)
			_exit(1);
		strcpy(slot.job, "a");
		spool_slot_write(&pool, &slot);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_uint_eq(bed_count("workers"), 1);
	ck_assert_int_eq(spool_slots(&sp, false, count_slot, &n), SPOOL_OK);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(spool_slots(&sp, true, count_slot, &n), SPOOL_OK);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(spool_pools_stop(&sp, false, true, NULL, NULL,
	    &pools), SPOOL_OK);
	ck_assert_uint_eq(pools, 0);
	spool_pool_sweep(&sp);
	ck_assert_uint_eq(bed_count("workers"), 0);

	/* and one that lives */
	ck_assert_int_eq(spool_pool_join(&sp, &pool, 2, now), SPOOL_OK);
	spool_slot_write(&pool, &slot);
	spool_pool_sweep(&sp);
	n = 0;
	ck_assert_int_eq(spool_slots(&sp, false, count_slot, &n), SPOOL_OK);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(spool_pool_asked(&sp, &pool), 0);
	bed_shell("touch workers/%s.stop", pool.name);
	ck_assert_int_eq(spool_pool_asked(&sp, &pool), 1);
	bed_shell("touch workers/%s.now", pool.name);
	ck_assert_int_eq(spool_pool_asked(&sp, &pool), 2);
	/* it cannot be asked to stop, so nobody waits for it */
	bed_shell("rm workers/*.now workers/*.stop && mkdir workers/%s.stop",
	    pool.name);
	ck_assert_int_eq(spool_pools_stop(&sp, false, true, NULL, NULL,
	    &pools), SPOOL_ERROR);
	ck_assert_int_eq(errno, EISDIR);
	ck_assert_str_eq(strchr(sp.at, '.'), ".stop");
	/* somebody wrote into its file; and files that are not a pool's */
	bed_shell("rmdir workers/*.stop && printf '%%500s' >workers/%s",
	    pool.name);
	bed_shell("mkdir workers/0123456789-42 && ln -s %s workers/0123456789-43",
	    "x");
	n = 0;
	ck_assert_int_eq(spool_slots(&sp, false, count_slot, &n), SPOOL_OK);
	ck_assert_uint_eq(n, 0);
	bed_shell("rmdir workers/0123456789-42 && rm workers/%s", "0123456789-43");
	/* its lock is held until the process has ended */
	snprintf(p, sizeof p, "%s/workers/%s", path, pool.name);
	fd = open(p, O_RDONLY);
	spool_pool_leave(&sp, &pool);
	ck_assert_int_lt(flock(fd, LOCK_SH | LOCK_NB), 0);
	close(pool.fd);
	ck_assert_int_eq(flock(fd, LOCK_SH | LOCK_NB), 0);
	close(fd);
	ck_assert_uint_eq(bed_count("workers"), 0);
}
END_TEST

/* The longest line that a worker may have fits its place. */
START_TEST(keeps_to_its_slot)
{
	struct spool_slot slot = { .number = 1000, .pid = JOB_NUMBER_MAX,
		.since = JOB_TIME_MAX, .start = JOB_TIME_MAX, .log = INT64_MAX },
		again;
	struct spool_tally *t = &slot.tally;
	struct spool_pool pool;

	ck_assert_int_eq(spool_pool_join(&sp, &pool, 1000, now++), SPOOL_OK);
	memset(slot.job, 'x', JOB_ID_MAX);
	memset(t->outcome, 0xff, sizeof t->outcome);
	memset(t->took, 0xff, sizeof t->took);
	t->seconds = t->user = t->sys = INT64_MAX;
	t->maxrss = UINT64_MAX;
	spool_slot_write(&pool, &slot);
	spool_slot_read(&pool, 1000, &again);
	ck_assert_str_eq(again.job, slot.job);
	ck_assert_uint_eq(again.tally.took[8], UINT64_C(99999999999));
	ck_assert_uint_eq(again.tally.sys, INT64_MAX);
	ck_assert_uint_eq(again.tally.maxrss, UINT64_C(99999999999));
	spool_slot_read(&pool, 999, &again);
	ck_assert_int_eq(again.number, 999);
	spool_pool_leave(&sp, &pool);
	close(pool.fd);
}
END_TEST

START_TEST(adds_tallies_up)
{
	struct spool_slot slot = { .number = 2, .pid = 7 }, again;
	struct job_attempt a = { .outcome = JOB_SIGNAL, .end = 2000000,
		.measured = true, .user = 3, .sys = 4, .maxrss = 900 };
	struct spool_tally t;
	struct spool_pool pool;

	ck_assert_int_eq(spool_pool_join(&sp, &pool, 2, now++), SPOOL_OK);
	spool_tally_count(&slot.tally, &a);
	slot.tally.outcome[0] = UINT64_MAX; /* more than the file has room for */
	spool_slot_write(&pool, &slot);
	spool_slot_read(&pool, 2, &again);
	ck_assert_uint_eq(again.tally.outcome[JOB_SIGNAL + 1], 1);
	ck_assert_uint_eq(again.tally.outcome[0], UINT64_C(99999999999));
	ck_assert_uint_eq(again.tally.seconds, 2000000);
	ck_assert_uint_eq(again.tally.user, 3);
	ck_assert_uint_eq(again.tally.sys, 4);
	ck_assert_uint_eq(again.tally.maxrss, 900);
	slot.tally.outcome[0] = 5;
	spool_slot_write(&pool, &slot);
	bed_shell("printf '1,2,x' >metrics; touch workers/%s.stop", pool.name);
	ck_assert_int_eq(spool_tally_sum(&sp, &t), SPOOL_OK);
	ck_assert_uint_eq(t.outcome[0], 5);
	ck_assert_uint_eq(t.took[3], 1);
	bed_shell("printf '1,2,%s,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18' "
	    ">metrics", "x");
	ck_assert_int_eq(spool_tally_sum(&sp, &t), SPOOL_OK);
	ck_assert_uint_eq(t.outcome[0], 5);
	/* without the last three numbers, as older versions wrote it */
	bed_shell("echo 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18 >%s",
	    "metrics");
	ck_assert_int_eq(spool_tally_sum(&sp, &t), SPOOL_OK);
	ck_assert_uint_eq(t.outcome[0], 6);
	ck_assert_uint_eq(t.seconds, 2000018);
	ck_assert_uint_eq(t.user, 3);
	/* sums, and the greatest */
	bed_shell("echo 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,%s "
	    ">metrics", "21");
	ck_assert_int_eq(spool_tally_sum(&sp, &t), SPOOL_OK);
	ck_assert_uint_eq(t.outcome[0], 6);
	ck_assert_uint_eq(t.user, 22);
	ck_assert_uint_eq(t.sys, 24);
	ck_assert_uint_eq(t.maxrss, 900);
	bed_shell("rm %s", "metrics");
	spool_pool_leave(&sp, &pool);
	close(pool.fd);
	ck_assert_int_eq(spool_tally_sum(&sp, &t), SPOOL_OK);
	ck_assert_uint_eq(t.outcome[0], 5);
	ck_assert_uint_eq(t.maxrss, 900);
	ck_assert_uint_eq(t.outcome[JOB_SIGNAL + 1], 1);
	ck_assert_uint_eq(bed_count("workers"), 0);
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "pool", .setup = bed_set_up, .teardown = bed_tear_down,
		.seconds = 60
	};
	const struct suite_test tests[] = {
		{ knows_live_pools_from_dead, 0 },
		{ keeps_to_its_slot, 0 },
		{ adds_tallies_up, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
