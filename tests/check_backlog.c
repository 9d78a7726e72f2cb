/*
 * check_backlog.c: the names that wait to be given to a worker, on a spool of
 * the test's own and with a clock of the test's own.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/file.h>
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bed.h"
#include "chance.h"
#include "suite.h"
#include "texts.h"
#include "worker/backlog.h"

#define SECOND INT64_C(1000000)
#define T INT64_C(1764000000000000)

/* The clocks, which only tests move; libc's own is not asked.  No two looks at
 * the one that never falls are alike. */
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
open_backlog(size_t ready, size_t timed)
{
	board = board_open(1, ready);
	ck_assert_ptr_nonnull(board);
	memory = malloc(backlog_size(timed));
	backlog_open(&b, &sp, board, memory, timed);
}

/* Takes the best name off the board, as a worker does. */
static bool
take(struct candidate *c)
{
	struct task t = board_take(board, 0);

	*c = t.job;
	return t.what == TASK_RUN;
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

/* Makes a file as a hand would, with a text that nobody reads. */
static struct job_name
put(enum job_state state, int priority, int64_t stamp, bool timed,
    const char *id)
{
	struct job_name name = { .stamp = stamp, .timed = timed,
		.priority = (unsigned char)priority };
	char file[JOB_NAME_MAX + 1], p[400];
	int fd;

	strcpy(name.id, id);
	job_name_format(file, &name);
	snprintf(p, sizeof p, "%s/%s/%s", path, job_state_dir(state), file);
	fd = open(p, O_CREAT | O_WRONLY, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	return name;
}

static void
take_away(enum job_state state, const struct job_name *name)
{
	char file[JOB_NAME_MAX + 1], p[400];

	job_name_format(file, name);
	snprintf(p, sizeof p, "%s/%s/%s", path, job_state_dir(state), file);
	ck_assert_int_eq(unlink(p), 0);
}

/* Steps until no pass is left.  Returns how many steps that took. */
static int
step(void)
{
	int n = 0;

	do {
		backlog_step(&b);
		ck_assert_int_lt(++n, 1000);
	} while (b.pass.active);
	return n;
}

/* Takes out the best name and asserts that it is this one; NULL: none is
 * ready. */
static struct candidate
pops(const char *id)
{
	struct candidate c = { .when = 0 };
	bool any;

	step();
	any = take(&c);
	if (!id)
		ck_assert_msg(!any, "%s", c.id);
	else
		ck_assert_str_eq(any ? c.id : "(none)", id);
	if (!id)
		ck_assert(backlog_is_dry(&b));
	return c;
}

START_TEST(one_pass_finds_all_in_order)
{
	int64_t front;

	put(JOB_PENDING, 5, T - 2, false, "c");
	put(JOB_PENDING, 5, T - 3, false, "b");
	put(JOB_PENDING, 9, T - 9, false, "e");
	put(JOB_PENDING, 5, T - 1, true, "d"); /* it was due */
	put(JOB_FAILED, 0, T, true, "a");
	put(JOB_DONE, 0, T - 9, false, "x");
	bed_shell("touch pending/strange failed/%s", "stranger");
	bed_shell("mkdir pending/5-20261124T053012.345678Z-0-%s", "dir");
	open_backlog(100, 10);
	ck_assert(!backlog_is_dry(&b) || b.wanted > 0);
	ck_assert_int_eq(step(), 2);
	ck_assert(b.pass.whole);
	ck_assert_int_eq(pops("a").state, JOB_FAILED);
	pops("b");
	front = b.pass.front;
	pops("c");
	ck_assert(pops("d").timed);
	pops("e");
	pops(NULL);
	ck_assert_int_eq(b.pass.front, front); /* there was no other pass */
	ck_assert_int_eq(backlog_due(&b), INT64_MAX);
}
END_TEST

START_TEST(what_it_is_told_needs_no_pass)
{
	struct job_name name;
	int64_t front;

	open_backlog(100, 10);
	pops(NULL);
	front = b.pass.front;
	pass_time(SECOND);
	name = put(JOB_PENDING, 5, T, false, "b");
	backlog_add(&b, JOB_PENDING, &name);
	backlog_add(&b, JOB_PENDING, &name);
	name = put(JOB_PENDING, 0, T, false, "a");
	backlog_add(&b, JOB_PENDING, &name);
	pops("a");
	pops("b");
	pops(NULL);
	ck_assert_int_eq(b.pass.front, front);
	/* an owner that was told nothing asks for one */
	backlog_refresh(&b);
	pops("a");
	ck_assert_int_gt(b.pass.front, front);
	pops("b");
	pops(NULL);
}
END_TEST

START_TEST(a_name_told_during_a_pass_is_kept)
{
	struct job_name name;
	char id[8];
	int i;

	/* more than one step reads */
	for (i = 0; i < 5000; i++) {
		snprintf(id, sizeof id, "j%04d", i);
		put(JOB_PENDING, 5, T + i, false, id);
	}
	open_backlog(100, 10);
	backlog_step(&b);
	ck_assert(b.pass.active);
	ck_assert(!backlog_is_dry(&b));
	ck_assert(!take(&(struct candidate){ .when = 0 }));
	name = (struct job_name){ .stamp = T, .priority = 1, .id = "new" };
	backlog_add(&b, JOB_PENDING, &name);
	ck_assert_int_ge(step(), 2);
	pops("new");
	pops("j0000");
}
END_TEST

/* Many more names than there is room for: each comes once, in order, with a
 * pass behind the last for each roomful. */
START_TEST(passes_go_on_behind_the_last)
{
	struct candidate c;
	char id[8];
	int i;

	for (i = 0; i < 200; i++) {
		snprintf(id, sizeof id, "j%03d", i);
		put(i % 3 ? JOB_PENDING : JOB_FAILED, 5, T - 300 + i, i % 3 == 0,
		    id);
	}
	open_backlog(10, 4);
	for (i = 0; i < 200; i++) {
		snprintf(id, sizeof id, "j%03d", i);
		c = pops(id);
		ck_assert_int_eq(c.state, i % 3 ? JOB_PENDING : JOB_FAILED);
	}
	/* nobody took them away, but they are not given again… */
	pops(NULL);
	ck_assert_int_lt(b.pass.front, 1000 * SECOND + 10);
	/* …before the next pass from the front */
	pass_time(1);
	backlog_refresh(&b);
	pops("j000");
}
END_TEST

START_TEST(an_urgent_name_comes_next)
{
	struct job_name name;
	char id[8];
	int i;

	for (i = 0; i < 50; i++) {
		snprintf(id, sizeof id, "j%03d", i);
		put(JOB_PENDING, 5, T + i, false, id);
	}
	open_backlog(10, 4);
	pops("j000");
	/* it is full, so the last makes room */
	name = put(JOB_PENDING, 0, T + 99, false, "urgent");
	backlog_add(&b, JOB_PENDING, &name);
	name = put(JOB_PENDING, 5, T + 99, false, "later");
	backlog_add(&b, JOB_PENDING, &name);
	pops("urgent");
	for (i = 1; i < 50; i++) {
		snprintf(id, sizeof id, "j%03d", i);
		pops(id);
		if (i == 20) {
			/* before the place where the pass began */
			name = put(JOB_PENDING, 0, T, false, "urgent2");
			backlog_add(&b, JOB_PENDING, &name);
			pops("urgent2");
		}
	}
	pops("later");
	pops(NULL);
}
END_TEST

START_TEST(deadlines_become_ready)
{
	struct job_name name;

	put(JOB_PENDING, 5, T + 3 * SECOND, true, "c");
	put(JOB_FAILED, 5, T + 2 * SECOND, true, "b");
	put(JOB_PENDING, 9, T + SECOND, true, "a");
	open_backlog(10, 4);
	pops(NULL);
	ck_assert_int_eq(backlog_due(&b), T + SECOND);
	pass_time(SECOND - 1);
	pops(NULL);
	pass_time(1);
	ck_assert(pops("a").priority == 9);
	ck_assert_int_eq(backlog_due(&b), T + 2 * SECOND);
	name = put(JOB_FAILED, 5, T + 3 * SECOND / 2, true, "x");
	backlog_add(&b, JOB_FAILED, &name);
	ck_assert_int_eq(backlog_due(&b), T + 3 * SECOND / 2);
	/* of those that are due at once the priority decides */
	name = put(JOB_FAILED, 0, T + 3 * SECOND, true, "d");
	backlog_add(&b, JOB_FAILED, &name);
	pass_time(5 * SECOND);
	pops("d");
	pops("x");
	pops("b");
	ck_assert_int_eq(pops("c").when, T + 3 * SECOND);
	ck_assert_int_eq(backlog_due(&b), INT64_MAX);
	pops(NULL);
}
END_TEST

START_TEST(more_deadlines_than_room)
{
	char id[8];
	int i;

	for (i = 0; i < 50; i++) {
		snprintf(id, sizeof id, "j%03d", i);
		put(JOB_PENDING, 5, T + (i + 1) * SECOND, true, id);
	}
	open_backlog(100, 4);
	for (i = 0; i < 50; i++) {
		struct job_name name;
		struct candidate c;

		pops(NULL);
		ck_assert_int_eq(backlog_due(&b), T + (i + 1) * SECOND);
		pass_time(SECOND);
		snprintf(id, sizeof id, "j%03d", i);
		c = pops(id);
		name = candidate_name(&c);
		take_away(JOB_PENDING, &name);
	}
	pops(NULL);
	ck_assert_int_eq(backlog_due(&b), INT64_MAX);
}
END_TEST

/* An id that is too long for the slots makes them wider, wherever it comes
 * from. */
START_TEST(a_long_id_waits_for_nothing)
{
	struct job_name name;
	char id[JOB_ID_MAX + 1];
	int i;

	open_backlog(20, 4);
	memset(id, 'x', JOB_ID_MAX);
	id[_i < 4 ? JOB_ID_MAX : 20] = '\0';
	switch (_i % 4) {
	case 0: /* a pass meets it */
		put(JOB_PENDING, 5, T, false, id);
		break;
	case 1: /* it is told */
		pops(NULL);
		name = put(JOB_PENDING, 5, T, false, id);
		backlog_add(&b, JOB_PENDING, &name);
		break;
	case 2: /* a deadline that a pass met */
		put(JOB_PENDING, 5, T + SECOND, true, id);
		pops(NULL);
		break;
	case 3: /* a deadline that was told */
		pops(NULL);
		name = put(JOB_FAILED, 5, T + SECOND, true, id);
		backlog_add(&b, JOB_FAILED, &name);
		pops(NULL);
		break;
	}
	for (i = 0; i < 3; i++) {
		char short_id[8];

		snprintf(short_id, sizeof short_id, "s%d", i);
		name = put(JOB_PENDING, 9, T + i, false, short_id);
		backlog_add(&b, JOB_PENDING, &name);
	}
	pass_time(SECOND);
	pops(id);
	pops("s0");
	pops("s1");
	pops("s2");
	pops(NULL);
}
END_TEST

START_TEST(longer_and_longer_ids)
{
	char id[JOB_ID_MAX + 1];
	int i;

	for (i = 1; i <= JOB_ID_MAX; i++) {
		memset(id, 'x', sizeof id);
		id[i] = '\0';
		put(JOB_PENDING, 5, T - i, false, id);
	}
	open_backlog(_i ? 1 : 1000, 4);
	for (i = JOB_ID_MAX; i; i--) {
		id[i] = '\0';
		pops(id);
	}
	pops(NULL);
}
END_TEST

START_TEST(a_locked_name_holds_up_nothing)
{
	struct job_name locked, name;
	struct candidate c;
	char id[8];
	int i;

	locked = put(JOB_PENDING, 0, T, false, "locked");
	for (i = 0; i < 100; i++) {
		snprintf(id, sizeof id, "j%03d", i);
		put(JOB_PENDING, 5, T + i, false, id);
	}
	open_backlog(10, 4);
	c = pops("locked");
	ck_assert_int_eq(c.tries, 0);
	backlog_postpone(&b, JOB_PENDING, &locked, c.tries, SECOND);
	/* every pass from the front meets it, and passes it over */
	for (i = 0; i < 100; i++) {
		pass_time(1);
		if (i % 7 == 0)
			backlog_refresh(&b);
		snprintf(id, sizeof id, "j%03d", i);
		c = pops(id);
		name = candidate_name(&c);
		take_away(JOB_PENDING, &name);
	}
	pops(NULL);
	ck_assert_int_lt(clock_day + 999000, backlog_due(&b));
	/* …until it is due; and being told of it does not change that */
	backlog_add(&b, JOB_PENDING, &locked);
	pops(NULL);
	pass_time(SECOND);
	c = pops("locked");
	ck_assert_int_eq(c.tries, 1);
	ck_assert_int_eq(c.stamp, T);
	ck_assert_int_eq(c.priority, 0);
	backlog_postpone(&b, JOB_PENDING, &locked, 200, SECOND);
	backlog_refresh(&b);
	pops(NULL);
	pass_time(SECOND);
	pops("locked");
	pops(NULL);
}
END_TEST

START_TEST(more_locked_names_than_room)
{
	struct candidate c;
	struct job_name name;
	char id[8];
	int i, round, seen[50];

	for (i = 0; i < 50; i++) {
		snprintf(id, sizeof id, "j%03d", i);
		put(JOB_PENDING, 5, T - 100 + i, false, id);
	}
	open_backlog(100, 4);
	memset(seen, 0, sizeof seen);
	for (round = 0; round < 5; round++) {
		while (step(), take(&c)) {
			name = candidate_name(&c);
			backlog_postpone(&b, JOB_PENDING, &name, c.tries,
			    SECOND / 100);
			seen[atoi(c.id + 1)]++;
		}
		/* it is known when to look again: in a second at most */
		ck_assert_int_le(backlog_due(&b), clock_day + SECOND);
		pass_time(SECOND);
	}
	for (i = 0; i < 50; i++) {
		ck_assert_int_ge(seen[i], 4);
		ck_assert_int_le(seen[i], 10);
	}
	/* and when they are gone nothing is left to look for */
	bed_shell("rm pending/%s", "*");
	for (i = 0; i < 3; i++) {
		while (step(), take(&c))
			;
		pass_time(SECOND);
	}
	ck_assert_int_eq(backlog_due(&b), INT64_MAX);
}
END_TEST

/* After the clock was set back, what was to be tried again in a second is
 * tried again in a second. */
START_TEST(the_clock_is_set_back)
{
	struct job_name name = put(JOB_PENDING, 5, T - 1, false, "a");
	int64_t due;

	open_backlog(10, 4);
	pops("a");
	backlog_postpone(&b, JOB_PENDING, &name, 0, SECOND);
	clock_day -= 3600 * SECOND;
	due = backlog_due(&b) - clock_day;
	ck_assert_int_gt(due, 0);
	ck_assert_int_le(due, SECOND);
	pops(NULL);
	pass_time(SECOND);
	pops("a");
	pops(NULL);
}
END_TEST

START_TEST(a_deadline_beyond_any_backoff_is_due)
{
	struct job_name name;

	ck_assert_int_eq(sp.config.policy.backoff_max, 3600);
	put(JOB_FAILED, 5, T + 3600 * SECOND, true, "can-be");
	put(JOB_FAILED, 4, T + 3600 * SECOND + 1, true, "wrong");
	put(JOB_PENDING, 5, T + 9999 * SECOND, true, "run-at");
	open_backlog(10, 4);
	pops("wrong");
	pops(NULL);
	ck_assert_int_eq(backlog_due(&b), T + 3600 * SECOND);
	name = put(JOB_FAILED, 5, T + 3600 * SECOND + 2, true, "told");
	backlog_add(&b, JOB_FAILED, &name);
	pops("told");
	/* a backoff may be longer by the jitter */
	sp.config.policy.backoff_jitter = 50;
	name.stamp = T + 5400 * SECOND;
	backlog_add(&b, JOB_FAILED, &name);
	pops(NULL);
	name.stamp++;
	backlog_add(&b, JOB_FAILED, &name);
	pops("told");
	sp.config.policy.backoff_jitter = 0;
	/* the clock is set back by an hour: a pass sees it */
	pass_time(1);
	clock_day -= 3600 * SECOND;
	backlog_refresh(&b);
	pops("wrong");
	pops("can-be");
	pops("told");
	pops(NULL);
}
END_TEST

/* The job may know better than the config what its backoff can be. */
START_TEST(the_jobs_own_backoff_counts)
{
	static const char text[] = "printf 'Queuectl: 1\\nId: %s\\nCommand: "
	    "true\\nBackoff-Max: ";
	struct job_name name[2];
	char command[300], file[JOB_NAME_MAX + 1], *end;
	int i;

	for (i = 0; i < 2; i++) {
		name[i] = put(JOB_FAILED, 5, T + (i ? 7200 : 30) * SECOND, true,
		    i ? "long" : "short");
		job_name_format(file, &name[i]);
		end = command + snprintf(command, sizeof command, "%s", text);
		snprintf(end, sizeof command - (size_t)(end - command),
		    "%d\\nCreated: 2025-01-01T00:00:00Z\\n' >failed/%s",
		    i ? 7200 : 29, file);
		bed_shell(command, name[i].id);
	}
	open_backlog(10, 4);
	pops("short");
	pops(NULL);
	take_away(JOB_FAILED, &name[0]);
	backlog_refresh(&b);
	pops(NULL);
	ck_assert_int_eq(backlog_due(&b), T + 7200 * SECOND);
}
END_TEST

START_TEST(a_directory_that_cannot_be_read)
{
	int null = open("/dev/null", O_WRONLY), err = dup(2);

	put(JOB_FAILED, 5, T - 1, true, "a");
	bed_shell("mv pending %s", "away");
	open_backlog(10, 4);
	dup2(null, 2); /* it says so */
	pops("a");
	dup2(err, 2);
	close(null);
	close(err);
	ck_assert(!b.pass.whole);
	bed_shell("mv %s pending", "away");
	put(JOB_PENDING, 5, T - 1, true, "b");
	pass_time(1);
	backlog_refresh(&b);
	pops("a");
	pops("b");
	ck_assert(b.pass.whole);
}
END_TEST

/* Names come and are taken at random, with too little room for them: every
 * name is given, and one at a time the best of all. */
START_TEST(gives_all_at_random)
{
	struct job_name name;
	struct candidate c;
	int made = 0, given = 0, i, k;
	enum job_state state;
	char id[JOB_ID_MAX + 16];

	chance_seed((uint64_t)_i + 77);
	open_backlog(1 + chance_below(20), 1 + chance_below(5));
	for (i = 0; i < 600; i++) {
		for (k = (int)chance_below(i < 300 ? 4 : 2); k--;) {
			bool timed = chance_below(3) == 0;

			snprintf(id, sizeof id, "%.*s%d",
			    chance_below(9) ? 0 : (int)chance_below(50),
			    X16 X16 X16 X16, made++);
			state = timed && chance_below(2) ? JOB_FAILED :
			    JOB_PENDING;
			name = put(state, (int)chance_below(3), clock_day +
			    (timed ? chance_below(20) * SECOND : 0), timed, id);
			backlog_add(&b, state, &name);
		}
		for (k = (int)chance_below(4); k--;) {
			step();
			if (!take(&c))
				break;
			name = candidate_name(&c);
			if (chance_below(5) == 0)
				backlog_postpone(&b, (enum job_state)c.state,
				    &name, c.tries, SECOND / 2);
			else if (spool_there(&sp, (enum job_state)c.state,
			    &name)) {
				take_away((enum job_state)c.state, &name);
				given++;
			}
		}
		pass_time(SECOND / 8);
	}
	/* from now on it waits for what is due, and for nothing else */
	for (i = 0; i < 600 && given < made; i++) {
		step();
		while (take(&c)) {
			name = candidate_name(&c);
			if (spool_there(&sp, (enum job_state)c.state, &name)) {
				take_away((enum job_state)c.state, &name);
				given++;
			}
			step();
		}
		if (backlog_due(&b) == INT64_MAX)
			break;
		if (backlog_due(&b) > clock_day)
			pass_time(backlog_due(&b) - clock_day);
	}
	ck_assert_int_eq(given, made);
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "backlog", .setup = set_up, .teardown = tear_down,
		.seconds = 60
	};
	const struct suite_test tests[] = {
		{ one_pass_finds_all_in_order, 0 },
		{ what_it_is_told_needs_no_pass, 0 },
		{ a_name_told_during_a_pass_is_kept, 0 },
		{ passes_go_on_behind_the_last, 0 },
		{ an_urgent_name_comes_next, 0 },
		{ deadlines_become_ready, 0 },
		{ more_deadlines_than_room, 0 },
		{ a_long_id_waits_for_nothing, 8 },
		{ longer_and_longer_ids, 2 },
		{ a_locked_name_holds_up_nothing, 0 },
		{ more_locked_names_than_room, 0 },
		{ the_clock_is_set_back, 0 },
		{ a_deadline_beyond_any_backoff_is_due, 0 },
		{ the_jobs_own_backoff_counts, 0 },
		{ a_directory_that_cannot_be_read, 0 },
		{ gives_all_at_random, 20 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
