/*
 * check_board.c: what a pool's processes share, with processes that take from it
 * at once and are killed.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include <sys/mman.h>
#include <sys/wait.h>
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "chance.h"
#include "fault.h"
#include "suite.h"
#include "worker/board.h"

enum { WORKERS = 4, NAMES = 20000 };

#define SECOND INT64_C(1000000)

/* The clock, which only tests move. */
static int64_t later;

int
clock_gettime(clockid_t id, struct timespec *t)
{
	(void)id;
	t->tv_sec = 1000000 + later / SECOND;
	t->tv_nsec = 0;
	return 0;
}

static struct board *board;
/* How often each name was taken, shared as the board is. */
static volatile unsigned char *taken;

static void
set_up(void)
{
	board = board_open(WORKERS, NAMES);
	ck_assert_ptr_nonnull(board);
	taken = mmap(NULL, NAMES, PROT_READ | PROT_WRITE, MAP_SHARED |
	    MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne((void *)taken, MAP_FAILED);
	later = 0;
	alarm(60); /* a lock that nobody gives back ends the test */
}

static void
tear_down(void)
{
	munmap((void *)taken, NAMES);
	board_close(board);
}

static struct candidate
candidate(int i)
{
	struct job_name name = { .stamp = i + 1, .priority = 5 };

	snprintf(name.id, sizeof name.id, "j%d", i);
	return candidate_of(JOB_PENDING, &name);
}

static void
add(int from, int n)
{
	struct candidate c;

	for (; n--; from++) {
		c = candidate(from);
		ck_assert(board_add(board, &c));
	}
}

static void
begin_and_end(void)
{
	board_begin(board);
	queue_sort(&board->ready);
	board_end(board);
}

/* In a process of its own: takes names until there are none, which must come in
 * their order.  Leaves an exit status of 0. */
static pid_t
start_worker(int k)
{
	pid_t pid = fork();
	int last = -1, i;

	ck_assert_int_ge(pid, 0);
	if (pid)
		return pid;
	for (;;) {
		struct task t = board_take(board, k);

		if (t.what == TASK_STOP)
			_exit(0);
		if (t.what == TASK_NONE)
			continue;
		i = atoi(t.job.id + 1);
		if (i <= last || taken[i])
			_exit(1);
		taken[i]++;
		last = i;
	}
}

static int
status_of(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

START_TEST(each_name_is_taken_once)
{
	pid_t pid[WORKERS];
	int k;

	begin_and_end();
	for (k = 0; k < WORKERS; k++)
		pid[k] = start_worker(k);
	for (k = 0; k < NAMES; k += 100)
		add(k, 100);
	while (board_waiting(board))
		;
	board_set_stop(board, 1);
	for (k = 0; k < WORKERS; k++)
		ck_assert_int_eq(status_of(pid[k]), 0);
	for (k = 0; k < NAMES; k++)
		ck_assert_int_eq(taken[k], 1);
}
END_TEST

/* Whoever is killed, at whatever moment, takes at most one name along, and the
 * others go on. */
START_TEST(workers_are_killed)
{
	int k, n, killed = 0, missing = 0;
	pid_t pid[WORKERS];

	chance_seed((uint64_t)_i + 1);
	begin_and_end();
	for (k = 0; k < WORKERS; k++)
		pid[k] = start_worker(k);
	for (n = 0; n < NAMES; n += 50) {
		if (board->reading) /* one died with the lock: begin anew */
			board_end(board);
		add(n, 50);
		k = (int)chance_below(WORKERS);
		kill(pid[k], SIGKILL);
		ck_assert(WIFSIGNALED(status_of(pid[k])));
		killed++;
		board_lose(board, k);
		board_hire(board, k);
		pid[k] = start_worker(k);
	}
	if (board->reading)
		board_end(board);
	while (board_waiting(board))
		;
	board_set_stop(board, 1);
	for (k = 0; k < WORKERS; k++)
		ck_assert_int_eq(status_of(pid[k]), 0);
	for (n = 0; n < NAMES; n++) {
		ck_assert_int_le(taken[n], 1);
		missing += !taken[n];
	}
	ck_assert_int_le(missing, killed);
}
END_TEST

/* One that is killed while it has the lock closes the board. */
START_TEST(a_worker_dies_with_the_lock)
{
	pid_t pid;

	begin_and_end();
	add(0, 2);
	ck_assert_int_eq(board_take(board, 0).what, TASK_RUN);
	pid = fork();
	if (!pid) {
		pthread_mutex_lock(&board->lock);
		_exit(0);
	}
	ck_assert_int_eq(status_of(pid), 0);
	ck_assert_int_eq(board_take(board, 0).what, TASK_NONE);
	ck_assert(board->reading);
	begin_and_end();
	add(7, 1);
	ck_assert_str_eq(board_take(board, 1).job.id, "j7");
	ck_assert_int_eq(board_take(board, 0).what, TASK_NONE);
}
END_TEST

START_TEST(a_report_is_heard_before_more_is_given)
{
	struct report r = { .result = 3, .held = 4 }, heard;
	struct task t;

	begin_and_end();
	add(0, 3);
	ck_assert_int_eq(board_take(board, 1).what, TASK_RUN);
	ck_assert(!board_hear(board, 1, &t, &heard));
	board_report(board, 1, &r);
	ck_assert_int_eq(board_take(board, 1).what, TASK_NONE);
	ck_assert_int_eq(board_take(board, 0).what, TASK_RUN);
	ck_assert(!board_hear(board, 0, &t, &heard));
	ck_assert(board_hear(board, 1, &t, &heard));
	ck_assert_str_eq(t.job.id, "j0");
	ck_assert_int_eq(heard.result, 3);
	ck_assert_uint_eq(heard.held, 4);
	ck_assert(!board_hear(board, 1, &t, &heard)); /* once */
	ck_assert_str_eq(board_take(board, 1).job.id, "j2");
}
END_TEST

START_TEST(the_dead_are_counted)
{
	begin_and_end();
	add(0, 3);
	board_set_tidy(board, false, 5);
	ck_assert_int_eq(board_take(board, 0).what, TASK_TIDY);
	ck_assert_int_eq(board_take(board, 1).what, TASK_RUN);
	ck_assert_uint_eq(board_dead(board), 0);
	board_add_dead(board, 0);
	board_add_dead(board, 0);
	board_add_dead(board, 1);
	ck_assert_uint_eq(board_dead(board), 3);
	/* a job that is dead is given back no more; tidying is */
	ck_assert_int_eq(board_lose(board, 0).task.what, TASK_TIDY);
	ck_assert_int_eq(board_lose(board, 1).task.what, TASK_NONE);
	ck_assert_uint_eq(board_dead(board), 3);
}
END_TEST

/* What one worker does not need to be told, the next one must be. */
START_TEST(tidying_is_for_one)
{
	begin_and_end();
	add(0, 2);
	board_set_tidy(board, true, 5);
	board_set_tidy(board, false, 6);
	ck_assert_int_eq(board_take(board, 0).what, TASK_TIDY);
	ck_assert(board->seat[0].task.expire);
	ck_assert_int_eq(board_take(board, 1).what, TASK_RUN);
	ck_assert_int_eq(board_take(board, 0).what, TASK_RUN);
	board_set_tidy(board, false, 6);
	board_set_paused(board, true);
	ck_assert(!board_is_idle(board));
	ck_assert_int_eq(board_take(board, 0).what, TASK_TIDY);
	ck_assert(!board->seat[0].task.expire);
	ck_assert_int_eq(board_take(board, 0).what, TASK_NONE);
	ck_assert(!board_is_idle(board));
	ck_assert_int_eq(board_take(board, 1).what, TASK_NONE);
	ck_assert(board_is_idle(board));
}
END_TEST

/* At first, and then at growing intervals; each thing for itself. */
START_TEST(complaints_become_rare)
{
	int64_t day = 86400 * SECOND, wait = 60 * SECOND, last = later;
	int n = 0;

	ck_assert(board_may_complain(board, "what", "x"));
	ck_assert(board_may_complain(board, "what", "y"));
	while (later < 9 * day) {
		later += SECOND;
		if (!board_may_complain(board, "what", "x"))
			continue;
		ck_assert_int_ge(later - last, wait);
		ck_assert_int_le(later - last, wait + 2 * SECOND);
		wait = 2 * wait < day ? 2 * wait : day;
		last = later;
		n++;
	}
	ck_assert_int_ge(n, 11 + 7);
	/* it was all right for hours */
	later += 2 * day;
	ck_assert(board_may_complain(board, "what", "x"));
	ck_assert(!board_may_complain(board, "what", "x"));
	later += 61 * SECOND;
	ck_assert(board_may_complain(board, "what", "x"));
}
END_TEST

START_TEST(too_many_complaints)
{
	char about[16];
	int i, n = 0;

	for (i = 0; i < 3 * COMPLAINTS; i++) {
		snprintf(about, sizeof about, "%d", i);
		n += board_may_complain(board, "what", about);
	}
	ck_assert_int_eq(n, COMPLAINTS);
	for (i = 0; i < 3 * COMPLAINTS; i++) {
		snprintf(about, sizeof about, "%d", i);
		ck_assert(!board_may_complain(board, "what", about));
	}
}
END_TEST

START_TEST(a_bell_is_heard)
{
	int i;

	for (i = 0; i < 100000; i++) /* more than a pipe takes */
		bell_ring(board->bell[1]);
	while (bell_drain(board->bell[0]) && i--)
		;
	close(board->bell[1]);
	ck_assert(!bell_drain(board->bell[0])); /* the other side is dead */
	board->bell[1] = dup(board->bell[0]);
}
END_TEST

/* The kernel has no memory for the byte, once or for a while. */
START_TEST(a_bell_rings_after_all)
{
	static const int errors[] = { ENOMEM, EINTR, EIO };
	char byte;
	size_t i;

	for (i = 0; i < sizeof errors / sizeof *errors; i++) {
		fault = (struct fault){ .armed = true, .mode = FAULT_ERROR,
			.kind = FAULT_FILES, .at = 1, .error = errors[i] };
		errno = EDOM;
		bell_ring(board->bell[1]);
		fault.armed = false;
		ck_assert_int_eq(errno, EDOM);
		ck_assert_str_eq(fault.hit, "write");
		ck_assert_int_eq(read(board->bell[0], &byte, 1), 1);
	}
	bell_ring(-1); /* gives up */
	ck_assert_int_eq(errno, EDOM);
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "board", .setup = set_up, .teardown = tear_down,
		.seconds = 60
	};
	const struct suite_test tests[] = {
		{ each_name_is_taken_once, 0 },
		{ workers_are_killed, 3 },
		{ a_worker_dies_with_the_lock, 0 },
		{ a_report_is_heard_before_more_is_given, 0 },
		{ the_dead_are_counted, 0 },
		{ tidying_is_for_one, 0 },
		{ complaints_become_rare, 0 },
		{ too_many_complaints, 0 },
		{ a_bell_is_heard, 0 },
		{ a_bell_rings_after_all, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
