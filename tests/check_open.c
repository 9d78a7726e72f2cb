/*
 * check_open.c: making, checking and opening a spool; its config file.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bed.h"
#include "suite.h"

START_TEST(makes_a_private_spool)
{
	static const char *const dirs[] = { "", "/pending", "/processing",
		"/done", "/failed", "/dead", "/ids", "/log", "/workers" };
	struct stat st;
	char p[120];
	size_t i;

	for (i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
		snprintf(p, sizeof p, "%s%s", path, dirs[i]);
		ck_assert_int_eq(stat(p, &st), 0);
		ck_assert_uint_eq(st.st_mode & 07777, 0700);
	}
	ck_assert_uint_eq(bed_count("ids"), 0);
	ck_assert_uint_eq(bed_count("workers"), 0);
}
END_TEST

START_TEST(refuses_what_is_no_spool)
{
	struct spool other;
	char p[120];

	snprintf(p, sizeof p, "%s/nothing", dir);
	ck_assert_int_eq(spool_open(&other, p, false), SPOOL_GONE);
	bed_shell("mkdir -m 700 ../mine && touch ../mine/%s", "letter");
	snprintf(p, sizeof p, "%s/mine", dir);
	ck_assert_int_eq(spool_open(&other, p, false), SPOOL_REFUSED);
	ck_assert_int_eq(spool_open(&other, p, true), SPOOL_REFUSED);
	bed_shell("test ! -e ../mine/%s", "pending");
	snprintf(p, sizeof p, "%s/mine/letter", dir);
	ck_assert_int_eq(spool_open(&other, p, true), SPOOL_REFUSED);
	bed_shell("mkdir ../open && chmod %s ../open", "770");
	snprintf(p, sizeof p, "%s/open", dir);
	ck_assert_int_eq(spool_open(&other, p, true), SPOOL_REFUSED);
}
END_TEST

START_TEST(takes_an_empty_directory)
{
	struct spool other;
	char p[120];

	bed_shell("mkdir -m 700 -p ../fs/%s", "lost+found");
	snprintf(p, sizeof p, "%s/fs", dir);
	ck_assert_int_eq(spool_open(&other, p, true), SPOOL_OK);
	spool_close(&other);
}
END_TEST

START_TEST(refuses_a_path_that_is_too_long)
{
	char p[5000];
	struct spool other;

	memset(p, 'x', sizeof p - 1);
	p[0] = '/';
	p[sizeof p - 1] = '\0';
	ck_assert_int_eq(spool_open(&other, p, true), SPOOL_ERROR);
	ck_assert_int_eq(errno, ENAMETOOLONG);
}
END_TEST

START_TEST(keeps_what_it_does_not_understand)
{
	ck_assert_int_eq(spool_config_set(&sp, config_key("max_retries"),
	    "7"), SPOOL_OK);
	ck_assert_int_eq(sp.config.policy.max_retries, 7);
	bed_shell("printf '# mine\\nnonsense = 1\\n' >>%s", "config");
	ck_assert(spool_config_refresh(&sp));
	ck_assert_uint_eq(sp.config_bad, 3);
	ck_assert_int_eq(spool_config_set(&sp, config_key("sync"), "none"),
	    SPOOL_OK);
	ck_assert_int_eq(spool_config_set(&sp, config_key("max-retries"),
	    "-1"), SPOOL_BAD);
	ck_assert_int_eq(spool_config_set(&sp, config_key("max-retries"),
	    NULL), SPOOL_OK);
	ck_assert_int_eq(sp.config.policy.max_retries, 3);
	bed_shell("printf '# mine\\nnonsense = 1\\nsync = none\\n' | cmp - %s",
	    "config");
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "open", .setup = bed_set_up, .teardown = bed_tear_down,
		.seconds = 60
	};
	const struct suite_test tests[] = {
		{ makes_a_private_spool, 0 },
		{ refuses_what_is_no_spool, 0 },
		{ takes_an_empty_directory, 0 },
		{ refuses_a_path_that_is_too_long, 0 },
		{ keeps_what_it_does_not_understand, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
