/*
 * suite.c: see suite.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "suite.h"

static void
add_case(Suite *suite, const struct suite *s, const char *name,
    const struct suite_test *test)
{
	TCase *t = tcase_create(name);

	tcase_set_timeout(t, s->seconds);
	tcase_add_checked_fixture(t, s->setup, s->teardown);
	for (; test->test; test++) {
		if (test->rounds)
			tcase_add_loop_test(t, test->test, 0, test->rounds);
		else
			tcase_add_test(t, test->test);
	}
	suite_add_tcase(suite, t);
}

int
suite_run_two(const struct suite *s, const char *one,
    const struct suite_test *tests, const char *two,
    const struct suite_test *others)
{
	Suite *suite = suite_create(s->name);
	SRunner *runner;
	int failed;

	add_case(suite, s, one, tests);
	if (others)
		add_case(suite, s, two, others);
	runner = srunner_create(suite);
	if (s->in_one_process)
		srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int
suite_run(const struct suite *s, const struct suite_test *tests)
{
	return suite_run_two(s, s->name, tests, NULL, NULL);
}
