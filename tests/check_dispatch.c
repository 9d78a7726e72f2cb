/*
 * check_dispatch.c: what goes onto the board, and when.  The test plays the
 * workers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/wait.h>
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bed.h"
#include "suite.h"
#include "worker/dispatch.h"

enum { WORKERS = 3 };

#define SECOND INT64_C(1000000)

static struct worker_options options;
static struct dispatch *d;
static struct board *board;
static int call[WORKERS];       /* where they hear that they are called */
static struct task last[WORKERS];

/* libc's clock, or later than it; and the time of day may be set. */
static int64_t later, leap;

int
clock_gettime(clockid_t id, struct timespec *t)
{
	struct timespec real;

	timespec_get(&real, TIME_UTC);
	t->tv_sec = real.tv_sec + (time_t)(later / SECOND);
	if (id == CLOCK_REALTIME)
		t->tv_sec += (time_t)(leap / SECOND);
	t->tv_nsec = real.tv_nsec;
	return 0;
}

static void
set_up(void)
{
	int k;

	bed_set_up();
	later = leap = 0;
	options = (struct worker_options){ .count = WORKERS };
	d = dispatch_open(&sp, &options);
	ck_assert_ptr_nonnull(d);
	board = dispatch_board(d);
	for (k = 0; k < WORKERS; k++)
		call[k] = -1;
}

static void
tear_down(void)
{
	int k;

	dispatch_close(d);
	for (k = 0; k < WORKERS; k++)
		if (call[k] >= 0)
			close(call[k]);
	bed_tear_down();
}

/* Takes in all that there is, and calls workers. */
static int
step(void)
{
	int n, ms = 0;

	for (n = 0; n < 4; n++) {
		dispatch_news(d);
		dispatch_hear(d);
		ms = dispatch_step(d);
	}
	return ms;
}

static void
reports(int k, int result)
{
	const struct report r = { .result = result };

	board_report(board, k, &r);
}

/* The next task of worker k but to tidy, which it does at once.  false: there
 * is none. */
static bool
gets(int k)
{
	step();
	for (;;) {
		last[k] = board_take(board, k);
		if (last[k].what == TASK_TIDY)
			reports(k, SPOOL_OK);
		else if (last[k].what != TASK_NONE)
			return true;
		if (board->seat[k].state == SEAT_FREE)
			return false;
		step();
	}
}

static void
gets_job(int k, const char *id)
{
	ck_assert(gets(k));
	ck_assert_int_eq(last[k].what, TASK_RUN);
	ck_assert_str_eq(last[k].job.id, id);
}

/* Whether it was called since the last look. */
static bool
is_called(int k)
{
	char byte[8];

	return read(call[k], byte, sizeof byte) > 0;
}

static int
called(void)
{
	int k, n = 0;

	for (k = 0; k < WORKERS; k++)
		n += call[k] >= 0 && is_called(k);
	return n;
}

static void
hire(int k)
{
	call[k] = dispatch_hire(d, k);
	ck_assert_int_ge(call[k], 0);
	ck_assert(!dispatch_is_ready(d)); /* it has not started yet */
}

/* …and while nothing is to be run. */
static void
hire_idle(int k)
{
	hire(k);
	ck_assert(!gets(k));
	step();
	called();
}

static void
dies(int k)
{
	close(call[k]);
	call[k] = -1;
	dispatch_lose(d, k);
}

static void
enqueue(const char *ids)
{
	char id[2] = "";

	for (; (*id = *ids); ids++)
		ck_assert_int_eq(bed_enqueue(id), SPOOL_OK);
}

START_TEST(the_best_name_comes_first)
{
	struct job urgent;

	hire_idle(0);
	hire_idle(1);
	enqueue("abc");
	gets_job(1, "a");
	gets_job(0, "b");
	/* whatever is on the board already */
	bed_fill(&urgent, "urgent", "true");
	urgent.priority = 0;
	{
		struct spool_batch b = { .spool = &sp };

		ck_assert_int_eq(spool_stage(&b, &urgent), SPOOL_OK);
		ck_assert_int_eq(spool_publish(&b), SPOOL_OK);
		spool_batch_free(&b);
	}
	gets_job(0, "urgent");
	gets_job(0, "c");
	ck_assert(!gets(0) && !gets(1));
}
END_TEST

START_TEST(calls_as_many_as_there_are_jobs)
{
	hire_idle(0);
	hire_idle(1);
	hire_idle(2);
	ck_assert(dispatch_is_ready(d));
	enqueue("a");
	step();
	ck_assert_int_eq(called(), 1);
	enqueue("b");
	step();
	ck_assert_int_eq(called(), 1);
	gets_job(0, "a");
	gets_job(1, "b");
	step();
	ck_assert_int_eq(called(), 0);
	/* who is busy is not called, and comes all the same */
	enqueue("cde");
	step();
	ck_assert_int_eq(called(), 1);
	gets_job(2, "c");
	gets_job(2, "d");
	gets_job(0, "e");
	ck_assert(!gets(0) && !gets(1) && !gets(2));
}
END_TEST

/* A worker that was called and is stopped keeps nobody waiting. */
START_TEST(calls_another_one)
{
	int first;

	hire_idle(0);
	hire_idle(1);
	enqueue("a");
	ck_assert_int_le(step(), 1000);
	first = is_called(0) ? 0 : 1;
	step();
	ck_assert(!is_called(!first));
	later += 2 * SECOND;
	step();
	ck_assert(is_called(!first));
	gets_job(!first, "a");
	ck_assert(!gets(first));
}
END_TEST

/* The byte that called it may be lost. */
START_TEST(calls_the_only_one_again)
{
	hire_idle(2);
	enqueue("a");
	step();
	ck_assert(is_called(2));
	ck_assert_int_le(step(), 1000);
	ck_assert(!is_called(2));
	later += 2 * SECOND;
	step();
	ck_assert(is_called(2));
	gets_job(2, "a");
	later += 2 * SECOND;
	step();
	ck_assert(!is_called(2)); /* it is busy */
}
END_TEST

START_TEST(takes_back_what_a_dead_worker_had)
{
	enqueue("ab");
	hire(0);
	gets_job(0, "a");
	dies(0);
	hire(1);
	gets_job(1, "a");
	hire(2);
	gets_job(2, "b");
	/* one that has ended its job gives nothing back, nor does one that has
	 * not come yet */
	ck_assert(!gets(2));
	dies(2);
	hire(2);
	dies(2);
	hire_idle(0);
	ck_assert(!gets(1));
	/* one that did not wait for the answer to its report */
	enqueue("c");
	gets_job(0, "c");
	reports(0, SPOOL_ERROR);
	dies(0);
	gets_job(1, "c");
	dies(1);
	hire(2);
	gets_job(2, "c");
	/* no worker could be started */
	dispatch_lose(d, 1);
	ck_assert(!gets(2));
}
END_TEST

/* A worker that was killed before it could tell. */
START_TEST(sees_that_a_job_died)
{
	options.check = true;
	enqueue("abc");
	hire(0);
	hire(1);
	gets_job(0, "a");
	gets_job(1, "b");
	bed_run("a", JOB_EXIT, 1);
	dies(0); /* the job has attempts left */
	ck_assert_uint_eq(dispatch_dead(d), 0);
	bed_shell("mv failed/* %s/", "dead");
	bed_run("b", JOB_CANCELLED, 0);
	dies(1);
	ck_assert_uint_eq(dispatch_dead(d), 1);
	hire(2);
	gets_job(2, "a");
	gets_job(2, "b");
	gets_job(2, "c");
	bed_run("c", JOB_CANCELLED, 0);
	board_add_dead(board, 2);
	ck_assert_uint_eq(dispatch_dead(d), 2);
	dies(2); /* it had told */
	ck_assert_uint_eq(dispatch_dead(d), 2);
}
END_TEST

/* It took the last names of a board that was too small, and says nothing. */
START_TEST(takes_back_what_died_with_the_lock)
{
	const char *ids[] = { "a", "b", "c", "d", "e", "f" };
	bool seen[6] = { false };
	int i, n = 0;
	pid_t pid;

	dispatch_close(d);
	options.ready = 2;
	d = dispatch_open(&sp, &options);
	board = dispatch_board(d);
	enqueue("abcdef");
	hire(0);
	hire(1);
	gets_job(0, "a");
	ck_assert_uint_lt(board_waiting(board), 5);
	pid = fork();
	if (!pid) { /* worker 1 */
		pthread_mutex_lock(&board->lock);
		while (board->ready.n)
			queue_pop(&board->ready);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	step(); /* the dispatcher meets the board before it hears of the death */
	dies(1);
	for (n = 0; n < 20 && gets(0); n++)
		for (i = 0; i < 6; i++) {
			if (strcmp(last[0].job.id, ids[i]) || seen[i])
				continue;
			seen[i] = true;
			bed_run(ids[i], JOB_EXIT, 0);
		}
	for (i = 1; i < 6; i++)
		ck_assert_msg(seen[i], "%s", ids[i]);
}
END_TEST

START_TEST(a_cancel_finds_its_worker)
{
	struct job_name name;
	char file[JOB_NAME_MAX + 1];
	bool cancel;

	hire_idle(0);
	hire_idle(1);
	enqueue("ab");
	gets_job(0, "a");
	gets_job(1, "b");
	called();
	name = candidate_name(&last[1].job);
	job_name_format(file, &name);
	bed_shell(": >workers/%s.cancel", file);
	step();
	ck_assert(!is_called(0) && is_called(1));
	ck_assert_int_eq(board_look(board, 1, &cancel), 0);
	ck_assert(cancel);
	board_look(board, 1, &cancel);
	ck_assert(!cancel);
	/* a job that it has ended is not its job */
	ck_assert(!gets(1));
	bed_shell("touch workers/%s.cancel", file);
	bed_shell("rm workers/%s.cancel", file);
	bed_shell(": >workers/%s.cancel", file);
	step();
	board_look(board, 1, &cancel);
	ck_assert(!cancel);
}
END_TEST

/* Purges, and returns since when the clock is steady. */
static int64_t
purges(int k)
{
	later += 100 * SECOND;
	step();
	last[k] = board_take(board, k);
	ck_assert_int_eq(last[k].what, TASK_TIDY);
	ck_assert(last[k].expire);
	reports(k, SPOOL_OK);
	step();
	return last[k].since;
}

START_TEST(sees_that_the_clock_was_set)
{
	int64_t since;

	hire_idle(0);
	ck_assert_int_eq(purges(0), 0);
	leap += 600 * SECOND; /* this may happen */
	ck_assert_int_eq(purges(0), 0);
	leap += 7200 * SECOND;
	since = purges(0);
	ck_assert_int_gt(since, 0);
	ck_assert_int_eq(purges(0), since);
	leap -= 86400 * SECOND; /* nothing grows old by that */
	ck_assert_int_eq(purges(0), since);
	leap += 40 * 86400 * SECOND;
	ck_assert_int_gt(purges(0), since + 30 * 86400 * SECOND);
}
END_TEST

START_TEST(a_locked_name_waits)
{
	int ms;

	hire_idle(0);
	enqueue("ab");
	gets_job(0, "a");
	reports(0, SPOOL_BUSY);
	ck_assert_int_eq(board_take(board, 0).what, TASK_NONE);
	gets_job(0, "b");
	/* unlike b, which waits for a second, a is due in some ms */
	reports(0, SPOOL_ERROR);
	ms = step();
	if (ms > 5) /* so much time has passed already, under valgrind */
		gets_job(0, "a");
	later += 2 * SECOND;
	gets_job(0, ms > 5 ? "b" : "a");
}
END_TEST

START_TEST(heeds_pause)
{
	hire_idle(0);
	ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
	bed_shell("echo paused = %s >new && mv new config", "yes");
	enqueue("a");
	ck_assert(!gets(0));
	ck_assert_int_gt(step(), 1000);
	ck_assert(!is_called(0));
	bed_shell("rm %s && touch config", "config");
	step();
	ck_assert(is_called(0));
	gets_job(0, "a");
}
END_TEST

START_TEST(knows_when_all_is_done)
{
	hire_idle(0);
	hire_idle(1);
	enqueue("a");
	gets_job(0, "a");
	options.drain = true;
	step();
	ck_assert(!dispatch_drained(d));
	dies(1);
	ck_assert_int_eq(bed_run("a", JOB_EXIT, 0), JOB_DONE);
	step();
	ck_assert(!dispatch_drained(d)); /* it may not have said all */
	ck_assert(!gets(0));
	step();
	ck_assert(dispatch_drained(d));
}
END_TEST

/* Whatever a worker has not read yet. */
START_TEST(a_stop_is_not_lost)
{
	int level, k;
	bool cancel;

	hire_idle(0);
	hire_idle(1);
	for (k = 0; k < 100000; k++) /* more than a pipe takes */
		dispatch_stop(d, 1);
	for (level = 1; level <= 2; level++) {
		dispatch_stop(d, level);
		for (k = 0; k < 2; k++) {
			ck_assert(is_called(k));
			ck_assert_int_eq(board_look(board, k, &cancel), level);
		}
	}
	/* and nothing more is given */
	enqueue("a");
	for (k = 0; k < 2; k++) {
		ck_assert(gets(k));
		ck_assert_int_eq(last[k].what, TASK_STOP);
	}
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "dispatch", .setup = set_up, .teardown = tear_down,
		.seconds = 30
	};
	const struct suite_test tests[] = {
		{ the_best_name_comes_first, 0 },
		{ calls_as_many_as_there_are_jobs, 0 },
		{ calls_another_one, 0 },
		{ calls_the_only_one_again, 0 },
		{ takes_back_what_a_dead_worker_had, 0 },
		{ sees_that_a_job_died, 0 },
		{ takes_back_what_died_with_the_lock, 0 },
		{ a_cancel_finds_its_worker, 0 },
		{ sees_that_the_clock_was_set, 0 },
		{ a_locked_name_waits, 0 },
		{ heeds_pause, 0 },
		{ knows_when_all_is_done, 0 },
		{ a_stop_is_not_lost, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
