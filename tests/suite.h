/*
 * suite.h: the main() of every check_*.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SUITE_H
#define SUITE_H

#include <check.h>
#include <stdbool.h>

/* One test.  A loop test runs `rounds` times, with _i from 0; other tests
 * have 0 rounds.  NULL ends a list of tests. */
struct suite_test {
	const TTest *test;
	int rounds;
};

struct suite {
	const char *name;
	void (*setup)(void);     /* before and after each test, or NULL */
	void (*teardown)(void);
	bool in_one_process;     /* no test leaves anything to the next one */
	int seconds;             /* that one round of a test may take */
};

/* Runs the tests and prints what failed.  Returns the exit status. */
int suite_run(const struct suite *, const struct suite_test *tests);

/* Two lists of tests, the cases `one` and `two`: CK_RUN_CASE selects one of
 * them, so that tests/unit can run each in a lane of its own. */
int suite_run_two(const struct suite *, const char *one,
    const struct suite_test *tests, const char *two,
    const struct suite_test *others);

#endif
