/*
 * check_name.c: the id, the file name and the state of a job.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chance.h"
#include "suite.h"
#include "texts.h"

#define Y31 "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"

START_TEST(name_format)
{
	struct job_name name = {
		.stamp = texts_time("2026-11-24T05:30:12.345678Z"),
		.priority = 5, .id = "job1",
	};
	char out[JOB_NAME_MAX + 1];

	job_name_format(out, &name);
	ck_assert_str_eq(out, "5-" STAMP "-0-job1");
	name.timed = true;
	name.priority = 9;
	name.attempt = JOB_NUMBER_MAX;
	memset(name.id, 'x', JOB_ID_MAX);
	job_name_format(out, &name);
	ck_assert_str_eq(out, "9@" STAMP "-2147483647-" X16 X16 X16 X16);
	strcpy(name.locks, "+a" Y31 "+b" Y31 "+c" Y31 "+d" Y31);
	job_name_format(out, &name);
	ck_assert_uint_eq(strlen(out), JOB_NAME_MAX);
	ck_assert_uint_le(JOB_NAME_MAX, 255); /* NAME_MAX */
	ck_assert(job_name_parse(&name, out));
	ck_assert_str_eq(name.locks, "+a" Y31 "+b" Y31 "+c" Y31 "+d" Y31);
	/* One attempt more is written as the same number. */
	name.attempt++;
	job_name_format(out, &name);
	ck_assert(job_name_parse(&name, out));
	ck_assert_uint_eq(name.attempt, JOB_NUMBER_MAX);
}
END_TEST

START_TEST(name_round_trip)
{
	struct job_name name, back;
	char out[JOB_NAME_MAX + 1];
	unsigned n;
	int i;

	chance_seed(42);
	for (i = 0; i < 20000; i++) {
		memset(&name, 0, sizeof name);
		memset(&back, 0xff, sizeof back);
		name.stamp = chance_time();
		name.attempt = chance_below(2) ? chance_below(20) : chance_below(1U << 31);
		name.priority = (unsigned char)chance_below(10);
		name.timed = chance_below(2);
		chance_id(name.id);
		for (n = chance_below(5); n > 0; n--)
			sprintf(name.locks + strlen(name.locks), "+%c%u",
			    (char)('e' - n), chance_below(1000));
		job_name_format(out, &name);
		if (!job_name_parse(&back, out) || name.stamp != back.stamp ||
		    name.attempt != back.attempt ||
		    name.priority != back.priority ||
		    name.timed != back.timed ||
		    strcmp(name.locks, back.locks) != 0 || strcmp(name.id, back.id) != 0)
			ck_abort_msg("round %d: %s", i, out);
	}
}
END_TEST

/* What the names of locks become for the name of a job and its variables. */
START_TEST(locks_join)
{
	const char *three[] = { "gpu", "db.2", "a" };
	const char *same[] = { "a-b", "b", "a.0", "a.b" };
	const char *five[] = { "a", "b", "c", "d", "e" };
	const char *locks = "+a+db.2+gpu";
	char out[JOB_LOCKS_LEN + 1], lock[JOB_LOCK_MAX + 1];
	struct buf b = { 0 };

	ck_assert_ptr_null(job_locks_join(out, three, 3));
	ck_assert_str_eq(out, "+a+db.2+gpu");
	ck_assert_ptr_null(job_locks_join(out, NULL, 0));
	ck_assert_str_eq(out, "");
	ck_assert_ptr_nonnull(job_locks_join(out, same, 4));
	ck_assert_ptr_nonnull(job_locks_join(out, five, 5));
	ck_assert(job_lock_among(locks, "db.2"));
	ck_assert(!job_lock_among(locks, "db"));
	ck_assert(!job_lock_among(locks, ""));
	ck_assert(job_lock_next(&locks, lock));
	ck_assert(job_lock_next(&locks, lock));
	ck_assert_str_eq(lock, "db.2");
	job_lock_variable(&b, lock);
	ck_assert_str_eq(b.p, "QUEUECTL_LOCK_db_2");
	buf_free(&b);
	ck_assert(job_lock_next(&locks, lock));
	ck_assert(!job_lock_next(&locks, lock));
	ck_assert(job_lock_valid("_" Y31));
	ck_assert(!job_lock_valid("__" Y31));
	ck_assert(!job_lock_valid("a+b"));
	ck_assert(!job_lock_valid("a/b"));
}
END_TEST

static const char *const hostile[] = {
	"", "5", "5-", ".", "..", ".nfs0001", "job1", "5-" STAMP, "5-" STAMP "-",
	"5-" STAMP "-0", "5-" STAMP "-0-", "5-" STAMP "--job1",
	"-" STAMP "-0-job1", "55-" STAMP "-0-job1", "a-" STAMP "-0-job1",
	" 5-" STAMP "-0-job1", "5-" STAMP "-0-job1 ", "5-" STAMP "-0-job1\n",
	"5+" STAMP "-0-job1", "5_" STAMP "-0-job1", "5" STAMP "-0-job1",
	"5-" STAMP "-00-job1", "5-" STAMP "-01-job1", "5-" STAMP "-+1-job1",
	"5-" STAMP "- 1-job1", "5-" STAMP "--1-job1", "5-" STAMP "-1a-job1",
	"5-" STAMP "-2147483648-job1", "5-" STAMP "-4294967296-job1",
	"5-" STAMP "-99999999999999999999999999-job1",
	"5-" STAMP "-0-.job1", "5-" STAMP "-0--job1", "5-" STAMP "-0-a/b",
	"5-" STAMP "-0-..", "5-" STAMP "-0-a b", "5-" STAMP "-0-\xc3\xa9",
	"5-" STAMP "-0-" X16 X16 X16 X16 "x", "5-" STAMP "@0-job1",
	"5-" STAMP "-0-a+", "5-" STAMP "-0-a++b", "5-" STAMP "-0-a+b+",
	"5-" STAMP "-0-+b", "5-" STAMP "-0-a+b+a", "5-" STAMP "-0-a+b+b",
	"5-" STAMP "-0-a+b+c+d+e+f", "5-" STAMP "-0-a+.b", "5-" STAMP "-0-a+-b",
	"5-" STAMP "-0-a+b c", "5-" STAMP "-0-a+x" Y31 "y",
	"5-20261124T053012.345678-0-job1", "5-20261124T053012Z-0-job1",
	"5-20261124T053012.34567Z-0-job1", "5-20261124T053012.3456789Z-0-job1",
	"5-20261124t053012.345678Z-0-job1", "5-20261124T053012.345678z-0-job1",
	"5-20261124T053012,345678Z-0-job1", "5-20261324T053012.345678Z-0-job1",
	"5-20261100T053012.345678Z-0-job1", "5-20261131T053012.345678Z-0-job1",
	"5-20260229T053012.345678Z-0-job1", "5-20261124T243012.345678Z-0-job1",
	"5-20261124T056012.345678Z-0-job1", "5-20261124T053060.345678Z-0-job1",
	"5-19691231T235959.999999Z-0-job1", "5-00000000T000000.000000Z-0-job1",
	"5-2026112-T053012.345678Z-0-job1", "5-+2026112T053012.345678Z-0-job1",
};

START_TEST(name_hostile)
{
	struct job_name name;

	ck_assert_msg(!job_name_parse(&name, hostile[_i]), "%s", hostile[_i]);
}
END_TEST

/* Names compare as `ls` in the C locale sorts them, if the separator is the
 * same. */
START_TEST(name_order)
{
	static const char *const files[] = {
		"0-99991231T235959.999999Z-9-z", "1-20261124T053012.345677Z-0-b",
		"1-" STAMP "-5-A", "1-" STAMP "-0-a", "1-" STAMP "-0-a.b",
		"1-20261124T053012.345679Z-0-a", "9-19700101T000000.000000Z-0-a",
	};
	struct job_name a, b;
	int i, j, c;

	for (i = 0; i < COUNT(files); i++) {
		for (j = 0; j < COUNT(files); j++) {
			ck_assert(job_name_parse(&a, files[i]));
			ck_assert(job_name_parse(&b, files[j]));
			c = job_name_compare(&a, &b);
			ck_assert_msg((c > 0) - (c < 0) == (i > j) - (i < j),
			    "%s %s", files[i], files[j]);
		}
	}
}
END_TEST

START_TEST(id_valid)
{
	static const char *const good[] = {
		"a", "Z", "0", "_", "a.b-c_D9", "a..", "0123456789",
		X16 X16 X16 X16,
	};
	static const char *const wrong[] = {
		"", ".", "..", "-", ".a", "-a", "a b", "a/b", "/", "a\n", "\xff",
		"\xc3\xa9", "a:b", "a@b", "a\x7f", X16 X16 X16 X16 "x",
	};
	int i;

	for (i = 0; i < COUNT(good); i++)
		ck_assert_msg(job_id_valid(good[i]), "%s", good[i]);
	for (i = 0; i < COUNT(wrong); i++)
		ck_assert_msg(!job_id_valid(wrong[i]), "%s", wrong[i]);
}
END_TEST

START_TEST(id_make)
{
	char id[JOB_ID_MAX + 1], last[JOB_ID_MAX + 1] = "";
	int64_t t, limit = texts_time("2085-01-01T00:00:00Z");

	job_id_make(id, 0);
	ck_assert_str_eq(id, "0000000000");
	job_id_make(id, 35);
	ck_assert_str_eq(id, "000000000z");
	job_id_make(id, 36);
	ck_assert_str_eq(id, "0000000010");
	job_id_make(id, texts_time("2026-11-24T05:30:12.345678Z"));
	ck_assert_str_eq(id, "hog8hp8nri");
	for (t = 0; t < limit; t += 123456789012345) {
		job_id_make(id, t);
		ck_assert(job_id_valid(id) && strlen(id) == 10);
		ck_assert_msg(strcmp(last, id) < 0, "%s %s", last, id);
		memcpy(last, id, sizeof last);
	}
	job_id_make(id, JOB_TIME_MAX);
	ck_assert(job_id_valid(id) && strlen(id) == 10);
	job_id_make(id, INT64_MIN);
	ck_assert_str_eq(id, "0000000000");
}
END_TEST

START_TEST(states)
{
	static const char *const dirs[] = {
		"pending", "processing", "done", "failed", "dead", "held", "after"
	};
	int i;

	for (i = 0; i < JOB_STATES; i++) {
		ck_assert_str_eq(job_state_dir((enum job_state)i), dirs[i]);
		ck_assert_str_eq(job_state_word((enum job_state)i),
		    i == JOB_DONE ? "completed" : i < JOB_HELD ? dirs[i] :
		    "waiting");
	}
}
END_TEST

/* Adds one of the characters of `from`, n times. */
static void
put_chars(struct buf *b, const char *from, unsigned n)
{
	buf_clear(b);
	while (n--)
		buf_putc(b, from[chance_below((unsigned)strlen(from))]);
}

START_TEST(id_matches)
{
	struct buf pattern = { 0 }, id = { 0 };
	unsigned matches = 0;
	int i, want;

	ck_assert(job_id_matches("*", "a"));
	ck_assert(job_id_matches("a*c*e", "abcde"));
	ck_assert(!job_id_matches("a*c*e", "abcdef"));
	ck_assert(job_id_matches("job[0-9]", "job7"));
	ck_assert(!job_id_matches("job[!0-9]", "job7"));
	ck_assert(!job_id_matches("job", "job1"));
	ck_assert(!job_id_matches("", "a"));
	chance_seed(7);
	for (i = 0; i < 300000; i++) {
		put_chars(&pattern, "ab-*?[]!a*", chance_below(9));
		put_chars(&id, "ab-a", 1 + chance_below(5));
		want = !fnmatch(buf_text(&pattern), id.p, 0);
		matches += (unsigned)want;
		ck_assert_msg(job_id_matches(buf_text(&pattern), id.p) == want,
		    "%s %s %s", buf_text(&pattern), want ? "matches" :
		    "does not match", id.p);
	}
	ck_assert_uint_gt(matches, 10000);
	buf_free(&pattern);
	buf_free(&id);
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "name", .in_one_process = true, .seconds = 60
	};
	const struct suite_test tests[] = {
		{ name_format, 0 },
		{ name_round_trip, 0 },
		{ name_order, 0 },
		{ locks_join, 0 },
		{ name_hostile, COUNT(hostile) },
		{ id_valid, 0 },
		{ id_matches, 0 },
		{ id_make, 0 },
		{ states, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
