/*
 * check_gates.c: names that need locks, on their way to the board; on a spool
 * of the test's own and with a clock of the test's own.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bed.h"
#include "spool/lock.h"
#include "suite.h"
#include "texts.h"
#include "worker/backlog.h"

#define SECOND INT64_C(1000000)
#define T INT64_C(1764000000000000)

static int64_t clock_day, clock_mono;

int
clock_gettime(clockid_t id, struct timespec *t)
{
	int64_t us = id == CLOCK_REALTIME ? clock_day : ++clock_mono;

	t->tv_sec = us / SECOND;
	t->tv_nsec = us % SECOND * 1000;
	return 0;
}

static void
pass_time(int64_t us)
{
	clock_day += us;
	clock_mono += us;
}

static struct backlog b;
static struct board *board;
static void *memory;

static void
open_backlog(int workers, size_t ready)
{
	board = board_open(workers, ready);
	ck_assert_ptr_nonnull(board);
	memory = malloc(backlog_size(16));
	backlog_open(&b, &sp, board, memory, 16);
}

static void
set_up(void)
{
	clock_day = T;
	clock_mono = 1000 * SECOND;
	bed_set_up();
	memory = NULL;
}

static void
tear_down(void)
{
	if (memory) {
		backlog_close(&b);
		board_close(board);
	}
	free(memory);
	bed_tear_down();
}

static void
slots(const char *lock, size_t n)
{
	struct spool_lock look;

	ck_assert_int_eq(spool_lock_set(&sp, lock, n, &look), SPOOL_OK);
}

static struct job_name
name_of(int priority, int64_t stamp, const char *id, const char *locks)
{
	struct job_name name = { .stamp = stamp,
		.priority = (unsigned char)priority };

	strcpy(name.id, id);
	strcpy(name.locks, locks);
	return name;
}

/* Makes a file as a hand would, with a text that nobody reads. */
static void
put(int priority, int64_t stamp, const char *id, const char *locks)
{
	const struct job_name name = name_of(priority, stamp, id, locks);
	char file[JOB_NAME_MAX + 1], p[400];
	int fd;

	job_name_format(file, &name);
	snprintf(p, sizeof p, "%s/pending/%s", path, file);
	fd = open(p, O_CREAT | O_WRONLY, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

/* The claim has moved it. */
static void
take_away(const struct candidate *c)
{
	const struct job_name name = candidate_name(c);
	char file[JOB_NAME_MAX + 1], p[400];

	job_name_format(file, &name);
	snprintf(p, sizeof p, "%s/pending/%s", path, file);
	ck_assert_int_eq(unlink(p), 0);
}

static void
step(void)
{
	int n = 0;

	do {
		backlog_step(&b);
		ck_assert_int_lt(++n, 1000);
	} while (b.pass.active);
}

/* Worker k takes the best name; false: there is none. */
static bool
take(int k, struct candidate *c)
{
	struct task t;

	step();
	t = board_take(board, k);
	*c = t.job;
	return t.what == TASK_RUN;
}

static struct candidate
pops(int k, const char *id)
{
	struct candidate c;
	bool any = take(k, &c);

	if (id)
		ck_assert_str_eq(any ? candidate_name(&c).id : "(none)", id);
	else
		ck_assert_msg(!any, "%s", c.id);
	return c;
}

/* Worker k has ended its job. */
static void
ends(int k)
{
	const struct job_name name = candidate_name(&board->seat[k].task.job);
	char locks[BOARD_LOCKS];

	board_let_go(board, k, name.locks);
	ck_assert(board_freed(board, k, locks));
	ck_assert_str_eq(locks, name.locks);
	gates_let_go(&b.gates, locks);
}

/* Worker k found that lock busy, when it had begun to try at that time. */
static void
is_locked_out(int k, unsigned char busy, int64_t began)
{
	const struct report report = { .result = SPOOL_LOCKED, .busy = busy,
		.began = began };
	struct report r;
	struct task t;

	board_report(board, k, &report);
	ck_assert(board_hear(board, k, &t, &r));
	backlog_lock(&b, &t.job, r.busy, r.began);
}

START_TEST(as_many_as_slots)
{
	slots("two", 2);
	put(5, T, "a", "+two");
	put(5, T + 1, "b", "+two");
	put(4, T + 2, "c", "+two");
	put(5, T + 3, "d", "+two");
	put(5, T + 4, "e", "");
	open_backlog(4, 100);
	pops(0, "c");
	pops(1, "a");
	pops(2, "e");
	pops(3, NULL);
	ends(1);
	pops(3, "b");
	pops(1, NULL);
	ends(0);
	ends(3);
	pops(0, "d");
	pops(1, NULL);
}
END_TEST

/* However many wait before a busy lock, those behind them come next, and few
 * tries are wasted. */
START_TEST(a_busy_lock_hides_nobody)
{
	struct candidate c;
	char id[16];
	int i, tried = 0;

	slots("busy", 3);
	slots("free", 1);
	for (i = 0; i < 5000; i++) {
		snprintf(id, sizeof id, "w%04d", i);
		put(0, T + i, id, "+busy");
	}
	for (i = 0; i < 40; i++) {
		snprintf(id, sizeof id, "o%02d", i);
		put(9, T + i, id, i % 2 ? "" : "+free");
	}
	open_backlog(2, 10); /* the board has room for a few only */
	for (i = 0; i < 40;) {
		ck_assert_msg(take(0, &c), "%d", i);
		if (!strcmp(candidate_locks(&c), "+busy")) {
			is_locked_out(0, 0, clock_mono);
			tried++;
			continue;
		}
		snprintf(id, sizeof id, "o%02d", i++);
		ck_assert_str_eq(candidate_name(&c).id, id);
		take_away(&c);
		ends(0);
	}
	ck_assert_int_le(tried, 3 + 2);
	pops(0, NULL);
	ck_assert_int_lt(backlog_due(&b), INT64_MAX);
	/* without news, the best one is tried now and then */
	pass_time(SECOND);
	pops(0, "w0000");
	is_locked_out(0, 0, clock_mono);
	pops(0, NULL);
}
END_TEST

/* More than a gate has room for: all come, in order, one at a time. */
START_TEST(all_come_in_order)
{
	struct candidate c;
	char id[16];
	int i;

	slots("l", 1);
	for (i = 0; i < 4000; i++) {
		snprintf(id, sizeof id, "w%04d", i);
		put(5, T + i, id, "+l");
	}
	open_backlog(2, 100);
	for (i = 0; i < 4000; i++) {
		snprintf(id, sizeof id, "w%04d", i);
		if (!take(0, &c)) { /* a pass waits for its time */
			ck_assert_int_lt(backlog_due(&b), INT64_MAX);
			pass_time(backlog_due(&b) - clock_day);
			ck_assert(take(0, &c));
		}
		ck_assert_str_eq(candidate_name(&c).id, id);
		take_away(&c);
		pops(1, NULL);
		ends(0);
	}
	backlog_refresh(&b);
	pops(0, NULL);
	ck_assert_uint_eq(b.gates.n, 0);
}
END_TEST

/* A better name takes the place of one that nobody has taken yet. */
START_TEST(an_urgent_name_comes_next)
{
	struct job_name urgent = name_of(1, T + 9, "urgent", "+l");
	struct job_name later = name_of(7, T + 9, "later", "+l");

	slots("l", 1);
	put(5, T, "a", "+l");
	put(5, T + 1, "b", "+l");
	open_backlog(2, 100);
	step();
	backlog_add(&b, JOB_PENDING, &later);
	backlog_add(&b, JOB_PENDING, &urgent);
	pops(0, "urgent");
	pops(1, NULL);
	ends(0);
	pops(0, "a");
	ends(0);
	pops(0, "b");
	ends(0);
	pops(0, "later");
	ends(0);
	pops(0, NULL);
}
END_TEST

/* A name that is longer than those for which there is room is not late. */
START_TEST(a_long_name_comes_in_its_turn)
{
	struct job_name name = name_of(5, T + 2, X16 X16 X16 X16, "+l");

	slots("l", 2);
	put(5, T, X16 X16 X16 "x", "+l");
	put(5, T + 1, "b", "");
	put(5, T + 3, "c", "");
	open_backlog(3, 100);
	pops(0, X16 X16 X16 "x");
	take_away(&board->seat[0].task.job);
	pops(1, "b");
	take_away(&board->seat[1].task.job);
	put(5, T + 2, X16 X16 X16 X16, "+l");
	backlog_add(&b, JOB_PENDING, &name);
	pops(1, X16 X16 X16 X16);
	pops(2, "c");
}
END_TEST

START_TEST(several_locks)
{
	slots("x", 1);
	slots("y", 1);
	put(5, T, "a", "+x");
	put(5, T + 1, "b", "+x+y");
	put(5, T + 2, "c", "+y");
	put(5, T + 3, "d", "+y");
	open_backlog(3, 100);
	pops(0, "a");
	pops(1, "c"); /* b waits for x and does not have y meanwhile */
	pops(2, NULL);
	ends(0);
	pops(0, NULL); /* now it waits for y */
	ends(1);
	pops(1, "b");
	pops(0, NULL);
	is_locked_out(1, 0, clock_mono); /* somebody else has x */
	pops(0, "d");
	pops(1, NULL);
	ends(0);
	pass_time(SECOND);
	pops(0, "b");
}
END_TEST

/* A slot that was let go while a worker tried in vain. */
START_TEST(news_that_was_early)
{
	int64_t began;

	slots("l", 2);
	put(5, T, "a", "+l");
	put(5, T + 1, "b", "+l");
	open_backlog(2, 100);
	pops(0, "a");
	pops(1, "b");
	began = clock_mono;
	ends(0);
	is_locked_out(1, 0, began);
	pops(1, "b");
	is_locked_out(1, 0, clock_mono);
	pops(1, NULL);
}
END_TEST

START_TEST(a_closed_lock)
{
	slots("l", 0);
	put(5, T, "a", "+l");
	put(5, T, "b", "+none");
	put(5, T, "c", "");
	open_backlog(2, 100);
	pops(0, "c");
	pops(1, NULL);
	/* it looks now and then */
	pass_time(SECOND);
	pops(0, "a");
	pops(1, "b");
	is_locked_out(0, 0, clock_mono);
	is_locked_out(1, 0, clock_mono);
	pops(0, NULL);
}
END_TEST

/* More locks than gates, and long names: nothing is forgotten. */
START_TEST(more_locks_than_gates)
{
	char id[JOB_ID_MAX + 1], locks[JOB_LOCKS_LEN + 1];
	struct candidate c;
	int i, given = 0;

	for (i = 0; i < 2 * GATES_MAX; i++) {
		snprintf(locks, sizeof locks, "+a%d", i);
		slots(locks + 1, 1);
		if (i % 50 == 0)
			snprintf(locks, sizeof locks, "+a%d+b%031d+c%031d", i,
			    i, i);
		snprintf(id, sizeof id, "%0*d", i % 60 + 4, i);
		put(5, T + i, id, locks);
	}
	open_backlog(4, 1000);
	for (i = 0; i < 20 * GATES_MAX && given < 2 * GATES_MAX; i++) {
		if (!take(0, &c)) {
			ck_assert_int_lt(backlog_due(&b), INT64_MAX);
			pass_time(backlog_due(&b) - clock_day);
			continue;
		}
		take_away(&c);
		given++;
		ends(0);
	}
	ck_assert_int_eq(given, 2 * GATES_MAX);
}
END_TEST

/* A worker was killed with the board's lock, and news was lost. */
START_TEST(all_is_tried_again)
{
	slots("l", 2);
	put(5, T, "a", "+l");
	put(5, T + 1, "b", "+l");
	put(5, T + 2, "c", "+l");
	open_backlog(3, 100);
	pops(0, "a");
	take_away(&board->seat[0].task.job);
	pops(1, "b");
	is_locked_out(1, 0, clock_mono);
	pops(1, NULL);
	gates_try(&b.gates);
	backlog_refresh(&b);
	pops(1, "b");
	pops(2, "c");
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "gates", .setup = set_up, .teardown = tear_down,
		.seconds = 60
	};
	const struct suite_test tests[] = {
		{ as_many_as_slots, 0 },
		{ a_busy_lock_hides_nobody, 0 },
		{ all_come_in_order, 0 },
		{ an_urgent_name_comes_next, 0 },
		{ a_long_name_comes_in_its_turn, 0 },
		{ several_locks, 0 },
		{ news_that_was_early, 0 },
		{ a_closed_lock, 0 },
		{ more_locks_than_gates, 0 },
		{ all_is_tried_again, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
