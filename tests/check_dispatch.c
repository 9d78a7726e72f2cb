/*
 * check_dispatch.c: which name goes to which worker.  The test is the workers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bed.h"
#include "suite.h"
#include "worker/dispatch.h"
#include "worker/order.h"

enum { WORKERS = 3 };

static struct worker_options options;
static struct dispatch *d;
static int theirs[WORKERS];
static struct order last[WORKERS];

static void
set_up(void)
{
	int k;

	bed_set_up();
	options = (struct worker_options){ .count = WORKERS };
	d = dispatch_open(&sp, &options);
	ck_assert_ptr_nonnull(d);
	for (k = 0; k < WORKERS; k++)
		theirs[k] = -1;
}

static void
tear_down(void)
{
	int k;

	dispatch_close(d);
	for (k = 0; k < WORKERS; k++)
		if (theirs[k] >= 0)
			close(theirs[k]);
	bed_tear_down();
}

/* Takes in all that there is, and gives orders. */
static int
step(void)
{
	int k, n, ms = 0;

	for (n = 0; n < 4; n++) {
		dispatch_news(d);
		for (k = 0; k < WORKERS; k++)
			if (dispatch_channel(d, k) >= 0 && theirs[k] >= 0)
				dispatch_hear(d, k);
		ms = dispatch_step(d);
	}
	return ms;
}

static void
reports(int k, int what, uint32_t number, int result)
{
	struct report r = { .number = number, .result = result,
		.before = number - 1 };

	r.what = (unsigned)what;
	ck_assert(channel_send(theirs[k], &r, sizeof r));
}

/* The next order of worker k but to tidy, which it does at once.  false: there
 * is none. */
static bool
gets(int k)
{
	step();
	while (channel_receive(theirs[k], &last[k], sizeof last[k], 1) == 1) {
		if (last[k].what != ORDER_TIDY)
			return true;
		reports(k, REPORT_TIDIED, last[k].number, SPOOL_OK);
		step();
	}
	return false;
}

static void
gets_job(int k, const char *id)
{
	ck_assert(gets(k));
	ck_assert_int_eq(last[k].what, ORDER_RUN);
	ck_assert_str_eq(last[k].name.id, id);
}

static void
ends(int k, int result)
{
	reports(k, REPORT_ENDED, last[k].number, result);
}

static void
hire(int k)
{
	int ours;

	ck_assert_int_eq(channel_open(&ours, &theirs[k]), 0);
	dispatch_hire(d, k, ours);
	ck_assert(!gets(k)); /* it has not started yet */
	reports(k, REPORT_READY, 0, SPOOL_OK);
}

/* …and while nothing is to be run. */
static void
hire_idle(int k)
{
	hire(k);
	ck_assert(!gets(k));
}

static void
dies(int k)
{
	close(theirs[k]);
	theirs[k] = -1;
	dispatch_hear(d, k);
	ck_assert_int_lt(dispatch_channel(d, k), 0);
}

static void
enqueue(const char *ids)
{
	char id[2] = "";

	for (; (*id = *ids); ids++)
		ck_assert_int_eq(bed_enqueue(id), SPOOL_OK);
}

START_TEST(gives_one_name_at_a_time)
{
	hire_idle(0);
	hire_idle(1);
	enqueue("abcde");
	gets_job(0, "a");
	gets_job(1, "b");
	ck_assert(!gets(0) && !gets(1));
	ends(1, SPOOL_OK);
	gets_job(1, "c");
	ck_assert(!gets(0) && !gets(1));
	ends(0, SPOOL_GONE);
	ends(1, SPOOL_BAD);
	step();
	gets_job(0, "d");
	gets_job(1, "e");
	ends(0, SPOOL_OK);
	/* a report that comes twice, or of an order that it has not, is none */
	ends(0, SPOOL_OK);
	reports(1, REPORT_ENDED, last[1].number + 7, SPOOL_OK);
	step();
	enqueue("fgh");
	gets_job(0, "f");
	ck_assert(!gets(0) && !gets(1));
	ends(1, SPOOL_OK);
	gets_job(1, "g");
	ck_assert(!gets(0) && !gets(1));
}
END_TEST

START_TEST(takes_back_what_a_dead_worker_had)
{
	int ours;

	enqueue("ab");
	hire(0);
	gets_job(0, "a");
	dies(0);
	dispatch_lose(d, 0); /* its owner says so as well */
	hire(1);
	gets_job(1, "a");
	hire(2);
	gets_job(2, "b");
	/* free when it dies: it gets nothing more */
	ends(2, SPOOL_OK);
	ck_assert(!gets(2));
	dies(2);
	hire_idle(0);
	enqueue("c");
	gets_job(0, "c");
	ends(1, SPOOL_OK);
	hire_idle(2);
	ck_assert(!gets(2) && !gets(1));
	/* one that dies before it was ready had nothing */
	dies(0);
	gets_job(1, "c");
	ck_assert_int_eq(channel_open(&ours, &theirs[0]), 0);
	dispatch_hire(d, 0, ours);
	dies(0);
	ck_assert(!gets(2) && !gets(1));
}
END_TEST

START_TEST(an_order_comes_back)
{
	uint32_t a;

	hire_idle(0);
	enqueue("abc");
	gets_job(0, "a");
	a = last[0].number;
	ends(0, SPOOL_OK);
	gets_job(0, "b");
	/* it cannot record the end of a */
	reports(0, REPORT_RETURNED, last[0].number, SPOOL_OK);
	hire(1);
	gets_job(1, "b");
	ck_assert(!gets(0));
	ends(1, SPOOL_OK);
	gets_job(1, "c");
	/* now it can; and it is free once, not twice */
	reports(0, REPORT_ENDED, a, SPOOL_OK);
	reports(0, REPORT_ENDED, a, SPOOL_OK);
	enqueue("de");
	gets_job(0, "d");
	ck_assert(!gets(0));
	/* if it dies instead, nothing comes back twice */
	a = last[0].number;
	ends(0, SPOOL_OK);
	gets_job(0, "e");
	reports(0, REPORT_RETURNED, last[0].number, SPOOL_OK);
	ends(1, SPOOL_OK);
	gets_job(1, "e");
	dies(0);
	hire_idle(2);
	ck_assert(!gets(2) && !gets(1));
}
END_TEST

START_TEST(a_locked_name_waits)
{
	int ms;

	hire_idle(0);
	enqueue("ab");
	gets_job(0, "a");
	ends(0, SPOOL_BUSY);
	gets_job(0, "b");
	/* unlike b, which waits for a second, a is due in some ms */
	ends(0, SPOOL_ERROR);
	ms = step();
	if (ms > 5) /* so much time has passed already, under valgrind */
		gets_job(0, "a");
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
	bed_shell("rm %s && touch config", "config");
	gets_job(0, "a");
	ck_assert_uint_ne(last[0].config, 0);
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
	dispatch_lose(d, 1);
	ck_assert_int_eq(bed_run("a", JOB_EXIT, 0), JOB_DONE);
	step();
	ck_assert(!dispatch_drained(d)); /* it may not have said all */
	ends(0, SPOOL_OK);
	ck_assert(!gets(0));
	ck_assert(dispatch_drained(d));
}
END_TEST

/* Whatever a worker has not read yet. */
START_TEST(a_stop_is_not_lost)
{
	const struct order cancel = { .what = ORDER_CANCEL };
	int n = 0, level;

	hire_idle(0);
	hire_idle(1);
	while (channel_send(dispatch_channel(d, 0), &cancel, sizeof cancel))
		n++;
	for (level = 1; level <= 2; level++) {
		dispatch_stop(d, level);
		ck_assert_int_le(step(), 250); /* it will try again */
		ck_assert(gets(1));
		ck_assert_int_eq(last[1].what, level == 1 ? ORDER_STOP :
		    ORDER_NOW);
		ck_assert(!gets(1)); /* once */
	}
	while (n--) {
		ck_assert_int_eq(channel_receive(theirs[0], &last[0],
		    sizeof last[0], 1), 1);
		ck_assert_int_eq(last[0].what, ORDER_CANCEL);
	}
	ck_assert(gets(0));
	ck_assert_int_eq(last[0].what, ORDER_NOW);
	ck_assert(!gets(0));
	ck_assert_int_gt(step(), 1000);
	/* and nothing more is given */
	enqueue("a");
	ck_assert(!gets(0) && !gets(1));
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
		{ gives_one_name_at_a_time, 0 },
		{ takes_back_what_a_dead_worker_had, 0 },
		{ an_order_comes_back, 0 },
		{ a_locked_name_waits, 0 },
		{ heeds_pause, 0 },
		{ knows_when_all_is_done, 0 },
		{ a_stop_is_not_lost, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
