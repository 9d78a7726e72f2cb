/*
 * check_text.c: numbers, times, spans, exit codes, UTF-8 and escapes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "job/json.h"
#include "suite.h"
#include "texts.h"

static const struct {
	const char *text;
	int64_t time;       /* in microseconds; -1: no time */
} times[] = {
	{ "1970-01-01T00:00:00Z", 0 },
	{ "1970-01-01T00:00:00.000001Z", 1 },
	{ "1970-01-01t00:00:00z", 0 }, { "1970-01-01 00:00:00Z", 0 },
	{ "1970-01-01T01:00:00+01:00", 0 }, { "1969-12-31T23:00:00-01:00", 0 },
	{ "1970-01-02T00:00:00-00:00", 86400 * SECOND },
	{ "1970-01-01T23:59:00+23:59", 0 },
	{ "1969-12-31T00:01:00-23:59", 0 },
	{ "1970-01-01T05:30:00.5+05:30", 500000 },
	{ "2000-02-29T00:00:00Z", 951782400 * SECOND },
	{ "2000-03-01T00:00:00Z", 951868800 * SECOND },
	{ "2001-09-09T01:46:40Z", 1000000000 * SECOND },
	{ "2009-02-13T23:31:30Z", 1234567890 * SECOND },
	{ "2038-01-19T03:14:08Z", INT64_C(2147483648) * SECOND },
	{ "2024-02-29T12:00:00Z", 1709208000 * SECOND },
	{ "2026-11-24T05:30:12.345678Z", 1795498212345678 },
	{ "2026-11-24T05:30:12.3456789999999999999999999Z", 1795498212345678 },
	{ "2026-11-24T05:30:12.3Z", 1795498212300000 },
	{ "2026-11-24T05:30:12.000Z", 1795498212000000 },
	{ "2100-02-28T23:59:59Z", INT64_C(4107542399) * SECOND },
	{ "2016-12-31T23:59:60Z", 1483228800 * SECOND },
	{ "2016-12-31T15:59:60.25-08:00", 1483228800 * SECOND + 250000 },
	{ "9999-12-31T23:59:59.999999Z", JOB_TIME_MAX },
	{ "9999-12-31T23:59:59.9999999Z", JOB_TIME_MAX },
	{ "9999-12-31T23:59:60Z", -1 }, { "9999-12-31T23:59:59-00:01", -1 },
	{ "1969-12-31T23:59:59Z", -1 }, { "1969-12-31T23:59:59.999999Z", -1 },
	{ "1970-01-01T00:00:00+00:01", -1 }, { "0000-01-01T00:00:00Z", -1 },
	{ "1900-02-28T00:00:00Z", -1 }, { "2100-02-29T00:00:00Z", -1 },
	{ "2026-02-29T00:00:00Z", -1 }, { "2024-02-30T00:00:00Z", -1 },
	{ "2026-00-01T00:00:00Z", -1 }, { "2026-13-01T00:00:00Z", -1 },
	{ "2026-01-00T00:00:00Z", -1 }, { "2026-01-32T00:00:00Z", -1 },
	{ "2026-04-31T00:00:00Z", -1 }, { "2026-06-31T00:00:00Z", -1 },
	{ "2026-09-31T00:00:00Z", -1 }, { "2026-11-31T00:00:00Z", -1 },
	{ "2026-01-01T24:00:00Z", -1 }, { "2026-01-01T00:60:00Z", -1 },
	{ "2026-01-01T00:00:61Z", -1 }, { "2026-01-01T00:00:00", -1 },
	{ "2026-01-01T00:00:00.Z", -1 }, { "2026-01-01T00:00:00,5Z", -1 },
	{ "2026-01-01T00:00:00+0100", -1 }, { "2026-01-01T00:00:00+01", -1 },
	{ "2026-01-01T00:00:00+24:00", -1 }, { "2026-01-01T00:00:00+01:60", -1 },
	{ "2026-01-01T00:00:00Z ", -1 }, { " 2026-01-01T00:00:00Z", -1 },
	{ "2026-01-01  00:00:00Z", -1 }, { "2026-01-01T00:00Z", -1 },
	{ "2026-01-01", -1 }, { "", -1 }, { "2026-1-01T00:00:00Z", -1 },
	{ "20260101T000000Z", -1 }, { "02026-01-01T00:00:00Z", -1 },
	{ "2026-01-01T00:00:00+01:00x", -1 }, { "2026-01-01_00:00:00Z", -1 },
	{ "-026-01-01T00:00:00Z", -1 }, { "2026-01-01T00:00:00ZZ", -1 },
};

START_TEST(time_parse)
{
	int64_t t = -7;
	bool good = job_time_parse(times[_i].text, &t);

	ck_assert_msg(good == (times[_i].time >= 0), "%s", times[_i].text);
	if (good)
		ck_assert_msg(t == times[_i].time, "%s: %lld", times[_i].text,
		    (long long)t);
	else
		ck_assert_int_eq(t, -7);
}
END_TEST

/* Every day from 1970 to 9999, counted one by one. */
START_TEST(calendar)
{
	static const int lengths[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
	};
	char out[JOB_TIME_LEN + 1];
	struct buf b = { 0 };
	int64_t day = 0, t, last;
	int y, m, d, length;

	for (y = 1970; y <= 9999; y++) {
		for (m = 1; m <= 12; m++) {
			length = lengths[m - 1];
			if (m == 2 && (y % 400 == 0 || (y % 4 == 0 && y % 100)))
				length++;
			for (d = 1; d <= length; d++, day++) {
				buf_clear(&b);
				buf_printf(&b, "%04d-%02d-%02dT23:59:59.999999Z",
				    y, m, d);
				last = (day + 1) * 86400 * SECOND - 1;
				job_time_format(out, last);
				if (strcmp(out, b.p) != 0 ||
				    !job_time_parse(out, &t) || t != last)
					ck_abort_msg("%s: %s", b.p, out);
			}
		}
	}
	ck_assert_int_eq(day * 86400 * SECOND - 1, JOB_TIME_MAX);
	buf_free(&b);
}
END_TEST

START_TEST(time_format)
{
	char time[JOB_TIME_LEN + 1], stamp[JOB_STAMP_LEN + 1];

	job_time_format(time, 1795498212345678);
	job_stamp_format(stamp, 1795498212345678);
	ck_assert_str_eq(time, "2026-11-24T05:30:12.345678Z");
	ck_assert_str_eq(stamp, STAMP);
	job_time_format(time, -1);
	job_stamp_format(stamp, INT64_MIN);
	ck_assert_str_eq(time, "1970-01-01T00:00:00.000000Z");
	ck_assert_str_eq(stamp, "19700101T000000.000000Z");
	job_time_format(time, JOB_TIME_MAX + 1);
	job_stamp_format(stamp, INT64_MAX);
	ck_assert_str_eq(time, "9999-12-31T23:59:59.999999Z");
	ck_assert_str_eq(stamp, "99991231T235959.999999Z");
}
END_TEST

static const struct {
	const char *text;
	int64_t us;           /* -1: refused */
	const char *same;     /* NULL: text */
} spans[] = {
	{ "0", 0, NULL }, { "1", SECOND, NULL }, { "1.5", 1500000, NULL },
	{ "0.000001", 1, NULL }, { "10.000010", 10000010, "10.00001" },
	{ "1.500000", 1500000, "1.5" }, { "3.0", 3000000, "3" },
	{ "2147483647", 2147483647 * SECOND, NULL },
	{ "2147483647.000", 2147483647 * SECOND, "2147483647" },
	{ "2147483646.999999", 2147483646 * SECOND + 999999, NULL },
	{ "2147483647.000001", -1, NULL }, { "2147483648", -1, NULL },
	{ "99999999999999999999", -1, NULL }, { "", -1, NULL },
	{ "-1", -1, NULL }, { "+1", -1, NULL }, { "-0", -1, NULL },
	{ ".5", -1, NULL }, { "1.", -1, NULL }, { "01", -1, NULL },
	{ "00", -1, NULL }, { "1e3", -1, NULL }, { "1.0000000", -1, NULL },
	{ " 1", -1, NULL }, { "1 ", -1, NULL },
	{ "1.5.5", -1, NULL }, { "1,5", -1, NULL }, { "0x1", -1, NULL },
	{ "nan", -1, NULL }, { ".", -1, NULL },
	{ "0s", 0, "0" }, { "0d", 0, "0" }, { "90s", 90 * SECOND, "90" },
	{ "1.5s", 1500000, "1.5" }, { "15m", 900 * SECOND, "900" },
	{ "1.5m", 90 * SECOND, "90" }, { "12h", 43200 * SECOND, "43200" },
	{ "0.000001d", 86400, "0.0864" }, { "7d", 604800 * SECOND, "604800" },
	{ "24855d", 2147472000 * SECOND, "2147472000" },
	{ "24856d", -1, NULL }, { "24855.5d", -1, NULL },
	{ "596523h", 2147482800 * SECOND, "2147482800" },
	{ "596524h", -1, NULL }, { "2147483647d", -1, NULL },
	{ "2147483647s", 2147483647 * SECOND, "2147483647" },
	{ "1.0000001s", -1, NULL }, { "s", -1, NULL }, { "1S", -1, NULL },
	{ "1 s", -1, NULL }, { "1sm", -1, NULL }, { "1ss", -1, NULL },
	{ "1ms", -1, NULL }, { "1h30m", -1, NULL }, { "-1s", -1, NULL },
	{ "1.s", -1, NULL }, { "1w", -1, NULL },
};

START_TEST(spans_both_ways)
{
	const char *text = spans[_i].text;
	struct buf b = { 0 };
	int64_t us = -7, again;
	bool good = job_span_parse(text, &us);

	ck_assert_msg(good == (spans[_i].us >= 0), "%s", text);
	if (good) {
		ck_assert_int_eq(us, spans[_i].us);
		job_seconds_format(&b, us);
		ck_assert_str_eq(b.p, spans[_i].same ? spans[_i].same : text);
		buf_clear(&b);
		job_span_format(&b, us);
		ck_assert_msg(job_span_parse(b.p, &again), "%s", b.p);
		ck_assert_int_eq(again, us);
	} else {
		ck_assert_int_eq(us, -7);
	}
	buf_free(&b);
}
END_TEST

START_TEST(spans_with_units)
{
	static const struct {
		int64_t us;
		const char *text;
	} want[] = {
		{ -1, "0" }, { 0, "0" }, { 1, "0.000001s" },
		{ 90 * SECOND, "90s" }, { 120 * SECOND, "2m" },
		{ 5400 * SECOND, "90m" }, { 129600 * SECOND, "36h" },
		{ 604800 * SECOND, "7d" }, { 60 * SECOND + 1, "60.000001s" },
	};
	struct buf b = { 0 };
	size_t i;

	for (i = 0; i < COUNT(want); i++) {
		buf_clear(&b);
		job_span_format(&b, want[i].us);
		ck_assert_str_eq(b.p, want[i].text);
	}
	buf_free(&b);
}
END_TEST

START_TEST(no_time_is_negative)
{
	struct buf b = { 0 };

	job_seconds_format(&b, -1);
	ck_assert_str_eq(b.p, "0");
	buf_free(&b);
}
END_TEST

START_TEST(number_parse)
{
	static const struct {
		const char *text;
		int64_t min, max, n;  /* n -1: refused */
	} cases[] = {
		{ "0", 0, 9, 0 }, { "9", 0, 9, 9 }, { "10", 0, 9, -1 },
		{ "3", 4, 9, -1 }, { "4", 4, 9, 4 },
		{ "9223372036854775807", 0, INT64_MAX, INT64_MAX },
		{ "9223372036854775808", 0, INT64_MAX, -1 },
		{ "18446744073709551616", 0, INT64_MAX, -1 },
		{ "99999999999999999999999999", 0, INT64_MAX, -1 },
		{ "", 0, 9, -1 }, { "-0", 0, 9, -1 }, { "-1", -5, 9, -1 },
		{ "+1", 0, 9, -1 }, { "00", 0, 9, -1 }, { "01", 0, 9, -1 },
		{ "1 ", 0, 9, -1 }, { " 1", 0, 9, -1 }, { "1.0", 0, 9, -1 },
		{ "1e0", 0, 9, -1 }, { "0x1", 0, 9, -1 }, { "a", 0, 9, -1 },
		{ "\xd9\xa1", 0, 9, -1 },
	};
	int64_t n;
	bool good;
	int i;

	for (i = 0; i < COUNT(cases); i++) {
		n = -7;
		good = job_number_parse(cases[i].text, cases[i].min,
		    cases[i].max, &n);
		ck_assert_msg(good == (cases[i].n >= 0), "%s", cases[i].text);
		ck_assert_int_eq(n, good ? cases[i].n : -7);
	}
}
END_TEST

static const struct {
	const char *text, *again; /* NULL: refused */
} codes[] = {
	{ "", "" }, { "1", "1" }, { "255", "255" }, { "1-255", "1-255" },
	{ "65-78,2", "2,65-78" }, { "3,2,1", "1-3" }, { "1,3,5", "1,3,5" },
	{ "5-5", "5" }, { "1-4,3-9", "1-9" }, { "007", "7" },
	{ "0", NULL }, { "256", NULL }, { "1-256", NULL }, { "2-1", NULL },
	{ "-1", NULL }, { "1-", NULL }, { "-", NULL }, { ",", NULL },
	{ "1,", NULL }, { ",1", NULL }, { "1,,2", NULL }, { "1 2", NULL },
	{ "1, 2", NULL }, { "a", NULL }, { "1-2-3", NULL }, { "0-5", NULL },
	{ "99999999999999999999", NULL }
};

START_TEST(codes_both_ways)
{
	struct job_codes c;
	struct buf b = { 0 };

	ck_assert_int_eq(job_codes_parse(codes[_i].text, &c),
	    codes[_i].again != NULL);
	if (!codes[_i].again)
		return;
	buf_puts(&b, "");
	job_codes_format(&b, &c);
	ck_assert_str_eq(b.p, codes[_i].again);
	buf_free(&b);
}
END_TEST

static const struct {
	const char *s;
	size_t max;
	const char *escaped;
} escapes[] = {
	{ "", 0, "" }, { "", 1, "" }, { "plain words", 0, "plain words" },
	{ "a\nb\tc\rd", 0, "a\\nb\\tc\\x0dd" },
	{ "\x1b[31m\x7f\x01", 0, "\\x1b[31m\\x7f\\x01" },
	{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 0,
	    "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
	{ "\xff\xc3(\xed\xa0\x80", 0, "\\xff\\xc3(\\xed\\xa0\\x80" },
	{ "\xc2\x9b" "1m", 0, "\\xc2\\x9b1m" }, { "\xc2\xa0", 0, "\xc2\xa0" },
	{ "\xf0\x9f\x98", 0, "\\xf0\\x9f\\x98" }, { "a\\nb", 0, "a\\nb" },
	{ "abc", 3, "abc" }, { "abcd", 3, "abc…" }, { "abc", 1, "a…" },
	{ "a\n", 3, "a\\n" }, { "a\n", 2, "a…" }, { "\x1b", 3, "…" },
	{ "\x1b", 4, "\\x1b" }, { "a\xc3\xa9", 2, "a…" },
	{ "a\xc3\xa9", 3, "a\xc3\xa9" }, { "\xf0\x9f\x98\x80", 3, "…" },
	{ "\xf0\x9f\x98\x80x", 4, "\xf0\x9f\x98\x80…" },
};

START_TEST(escape)
{
	struct buf b = { 0 };
	struct job job;

	buf_puts(&b, ">");
	job_escape(&b, escapes[_i].s, escapes[_i].max);
	ck_assert_str_eq(b.p + 1, escapes[_i].escaped);
	buf_clear(&b);
	buf_puts(&b, ">");
	job_init(&job);
	job.command = escapes[_i].s;
	job_title(&b, &job, escapes[_i].max);
	ck_assert_str_eq(b.p + 1, escapes[_i].escaped);
	buf_free(&b);
}
END_TEST

START_TEST(utf8)
{
	ck_assert(text_is_utf8("", 0));
	ck_assert(text_is_utf8("a\0b", 3));
	ck_assert(text_is_utf8("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9));
	ck_assert(!text_is_utf8("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 8));
	ck_assert(!text_is_utf8("a\xc3\xa9", 2));
	ck_assert(!text_is_utf8("\xc1\xbf", 2));
	ck_assert(!text_is_utf8("\xed\xbf\xbf", 3));
	ck_assert(text_is_utf8("\xef\xbf\xbf", 3));
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "text", .in_one_process = true, .seconds = 60
	};
	const struct suite_test tests[] = {
		{ time_parse, COUNT(times) },
		{ calendar, 0 },
		{ time_format, 0 },
		{ spans_both_ways, COUNT(spans) },
		{ spans_with_units, 1 },
		{ no_time_is_negative, 0 },
		{ number_parse, 0 },
		{ codes_both_ways, COUNT(codes) },
		{ escape, COUNT(escapes) },
		{ utf8, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
