/*
 * check_history.c: the lines that are appended to the text of a job, one for
 * each attempt and each retry; torn and damaged ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "texts.h"

static const struct {
	const char *words, *line;
	struct job_attempt a;
} outcomes[] = {
	{ "exit 1", "exit=1 log=0 worker=4242",
	    { .outcome = JOB_EXIT, .value = 1, .worker = 4242 } },
	{ "exit 0", "exit=0 log=9223372036854775807 worker=0",
	    { .outcome = JOB_EXIT, .log = INT64_MAX } },
	{ "killed by signal 9", "signal=9 log=5 worker=1",
	    { .outcome = JOB_SIGNAL, .value = 9, .log = 5, .worker = 1 } },
	{ "timed out", "timeout log=1 worker=2",
	    { .outcome = JOB_TIMEOUT, .log = 1, .worker = 2 } },
	{ "lost (its worker or the machine died)", "lost log=0 worker=0",
	    { .outcome = JOB_LOST } },
	{ "stopped and requeued", "requeued log=0 worker=7",
	    { .outcome = JOB_REQUEUED, .worker = 7 } },
	{ "could not be started: no such file", "error=no such file log=0 "
	    "worker=7", { .outcome = JOB_ERROR, .worker = 7,
	    .error = "no such file" } },
	{ "could not be started:  log=9 worker=8", "error= log=9 worker=8 log=0 "
	    "worker=7", { .outcome = JOB_ERROR, .worker = 7,
	    .error = " log=9 worker=8" } },
	{ "could not be started: ", "error= log=0 worker=7",
	    { .outcome = JOB_ERROR, .worker = 7, .error = "" } },
	{ "cancelled", "cancelled log=0 worker=7",
	    { .outcome = JOB_CANCELLED, .worker = 7 } },
	{ "timed out", "timeout log=3 user=61.000001 sys=0.5 maxrss=2048 "
	    "worker=7", { .outcome = JOB_TIMEOUT, .worker = 7, .log = 3,
	    .measured = true, .user = 61000001, .sys = 500000,
	    .maxrss = 2048 } },
	{ "exit 0", "exit=0 log=0 user=0 sys=0 maxrss=0 worker=7",
	    { .outcome = JOB_EXIT, .worker = 7, .measured = true } },
	{ "could not be started: x log=1 user=1 sys=2 maxrss=3",
	    "error=x log=1 user=1 sys=2 maxrss=3 log=0 worker=7",
	    { .outcome = JOB_ERROR, .worker = 7,
	    .error = "x log=1 user=1 sys=2 maxrss=3" } },
};

START_TEST(outcome)
{
	struct job_attempt a = outcomes[_i].a;
	struct buf b = { 0 }, text = { 0 };
	struct job job;

	a.number = (unsigned)_i;
	a.start = texts_time("2026-11-24T05:30:13.000123Z");
	a.end = JOB_TIME_MAX;
	buf_printf(&b, "Attempt: %d start=2026-11-24T05:30:13.000123Z "
	    "end=9999-12-31T23:59:59.999999Z %s\n", _i, outcomes[_i].line);
	job_format_attempt(&text, &a);
	ck_assert_str_eq(text.p, b.p);
	buf_clear(&text);
	buf_puts(&text, BEGIN CMD CREATED);
	buf_puts(&text, b.p);
	texts_read(&job, text.p, text.n);
	ck_assert_uint_eq(job.nattempt, 1);
	texts_same_attempt(&a, job.attempt, 0);
	buf_clear(&b);
	job_outcome_words(&b, job.attempt);
	ck_assert_str_eq(b.p, outcomes[_i].words);
	job_free(&job);
	buf_free(&b);
	buf_free(&text);
}
END_TEST

static const struct {
	const char *text;
	size_t len, attempts, counted;
} histories[] = {
	{ S(""), 0, 0 }, { S(GOOD), 1, 0 }, { S(GOOD GOOD), 2, 0 },
	{ S("\n\n" GOOD " x\n" GOOD "y"), 2, 0 },
	/* torn, and closed off before the next line */
	{ S("Attempt: 1 " TIMES "exit=1 log=0 worker=4242"), 0, 0 },
	{ S("Attempt: 1 " TIMES "exit=1 log=0 worker=\n" GOOD), 1, 0 },
	{ S("Attempt: 1 " TIMES "exit=1 log=0\n" GOOD), 1, 0 },
	{ S("Attempt: 1 " TIMES "exit=1\n" GOOD), 1, 0 },
	{ S("Attempt: 1 start=20\n" GOOD), 1, 0 }, { S("A\n" GOOD), 1, 0 },
	{ S("Attempt: \n" GOOD), 1, 0 }, { S("Attempt: 1\n" GOOD), 1, 0 },
	/* torn, and not closed off: one line, and a bad one */
	{ S("Attempt: 1 start=20" GOOD), 0, 0 },
	/* blocks of NULs, as a power cut leaves them */
	{ S("\0\0\0\0" GOOD), 0, 0 }, { S("\0\0\n" GOOD "\0\0"), 1, 0 },
	{ S("Attempt: 1 " TIMES "exit=1 log=0 worker=42\0\0\n" GOOD), 1, 0 },
	{ S("Attempt: 1 " TIMES "error=a\0b log=0 worker=42\n" GOOD), 1, 0 },
	/* malformed fields */
	{ S("Attempt:1 " TIMES "exit=1 log=0 worker=1\n"), 0, 0 },
	{ S(" " GOOD), 0, 0 },
	{ S("attempt: 1 " TIMES "exit=1 log=0 worker=1\n"), 0, 0 },
	{ S("Attempt: x " TIMES "exit=1 log=0 worker=1\n"), 0, 0 },
	{ S("Attempt: -1 " TIMES "exit=1 log=0 worker=1\n"), 0, 0 },
	{ S("Attempt: 1  " TIMES "exit=1 log=0 worker=1\n"), 0, 0 },
	{ S("Attempt: 1 " TIMES "exit=1 log=0 worker=1 \n"), 0, 0 },
	{ S("Attempt: 1 " TIMES "exit=1 log=0 worker=1\r\n"), 0, 0 },
	{ S("Attempt: 1 " TIMES "exit=1 log=0 worker=-1\n"), 0, 0 },
	{ S("Attempt: 1 " TIMES "exit=1 log=0 worker=99999999999999999999\n"), 0, 0 },
	{ S("Attempt: 1 " TIMES "exit=1 log=-1 worker=1\n"), 0, 0 },
	{ S("Attempt: 1 " TIMES "exit=1 log=9223372036854775808 worker=1\n"), 0, 0 },
	{ S("Attempt: 1 " TIMES "exit= log=0 worker=1\n"), 0, 0 },
	{ S("Attempt: 1 " TIMES "exit log=0 worker=1\n"), 0, 0 },
	{ S("Attempt: 1 " TIMES "exit=x log=0 worker=1\n"), 0, 0 },
	{ S("Attempt: 1 " TIMES "exit=2147483648 log=0 worker=1\n"), 0, 0 },
	{ S("Attempt: 1 " TIMES "exit=1 x log=0 worker=1\n"), 0, 0 },
	{ S("Attempt: 1 " TIMES "timeout=1 log=0 worker=1\n"), 0, 0 },
	{ S("Attempt: 1 " TIMES "lost x log=0 worker=1\n"), 0, 0 },
	{ S("Attempt: 1 " TIMES "vanished log=0 worker=1\n"), 0, 0 },
	{ S("Attempt: 1 " TIMES "exit=1 worker=1 log=0\n"), 0, 0 },
	{ S("Attempt: 1 " TIMES "exit=1 log=0 user=1 sys=1 maxrss=1\n"), 0, 0 },
	{ S("Attempt: 1 " TIMES "exit=1 log=0 user=1 sys=1 worker=1\n"), 0, 0 },
	{ S("Attempt: 1 " TIMES "exit=1 log=0 maxrss=1 worker=1\n"), 0, 0 },
	{ S("Attempt: 1 " TIMES "exit=1 log=0 sys=1 user=1 maxrss=1 worker=1\n"),
	    0, 0 },
	{ S("Attempt: 1 " TIMES "exit=1 log=0 user=-1 sys=1 maxrss=1 worker=1\n"),
	    0, 0 },
	{ S("Attempt: 1 " TIMES "exit=1 log=0 user=1 sys=x maxrss=1 worker=1\n"),
	    0, 0 },
	{ S("Attempt: 1 " TIMES "exit=1 log=0 user=1 sys=1 maxrss= worker=1\n"),
	    0, 0 },
	{ S("Attempt: 1 " TIMES "exit=1 user=1 sys=1 maxrss=1 log=0 worker=1\n"),
	    0, 0 },
	{ S("Attempt: 1 " TIMES "log=0 worker=1\n"), 0, 0 },
	{ S("Attempt: 1 start=2026-11-24T05:30:13Z exit=1 log=0 worker=1\n"), 0, 0 },
	{ S("Attempt: 1 end=2026-11-24T05:30:13Z start=2026-11-24T05:30:13Z "
	    "exit=1 log=0 worker=1\n"), 0, 0 },
	{ S("Attempt: 1 start=2026-13-24T05:30:13Z end=2026-11-24T05:30:13Z "
	    "exit=1 log=0 worker=1\n"), 0, 0 },
	{ S("Retried: 2026-11-24T05:30:15Z\n"), 0, 0 },
	{ S(GOOD "Retried: 2026-11-24T05:30:15Z\n" GOOD GOOD), 3, 1 },
	{ S(GOOD "Retried: 2026-11-24T05:30:15Z\n" GOOD
	    "Retried: 2026-11-24T05:30:15Z\n"), 2, 2 },
	{ S(GOOD "Retried: 2026-11-24T05:30:15Z"), 1, 0 },
	{ S(GOOD "Retried: 2026-11-24T05:30:15\n" GOOD), 2, 0 },
	{ S(GOOD "Retried: 2026-11-24T05:30:15Z x\n" GOOD), 2, 0 },
	{ S(GOOD "Retried: 2026-11-24T05:30:15Z\0\n" GOOD), 2, 0 },
	{ S("Command: other\nArg: x\nId: y\n" BEGIN GOOD), 1, 0 },
};

START_TEST(history)
{
	struct buf b = { 0 };
	struct job job;

	buf_puts(&b, BEGIN CMD CREATED);
	buf_add(&b, histories[_i].text, histories[_i].len);
	texts_read(&job, b.p, b.n);
	ck_assert_msg(job.nattempt == histories[_i].attempts &&
	    job.counted == histories[_i].counted, "%zu attempts, %zu of them "
	    "old:\n%s", job.nattempt, job.counted, histories[_i].text);
	ck_assert_str_eq(job.id, "");
	ck_assert_str_eq(job.command, "echo");
	if (job.counted)
		ck_assert_int_eq(job.retried, texts_time("2026-11-24T05:30:15Z"));
	job_free(&job);
	buf_free(&b);
}
END_TEST

/* An error is written as one line, and a short one. */
START_TEST(error_text)
{
	struct job_attempt a = { .outcome = JOB_ERROR };
	struct buf b = { 0 }, long_error = { 0 };
	char *error;
	size_t i, shift;

	a.error = "a\nb\tc\x1b\x7f\xc3\xa9";
	job_format_attempt(&b, &a);
	ck_assert_ptr_nonnull(strstr(b.p, " error=a?b?c??\xc3\xa9 log=0 "));
	for (shift = 0; shift < 4; shift++) {
		buf_clear(&long_error);
		buf_clear(&b);
		for (i = 0; i < shift; i++)
			buf_putc(&long_error, 'x');
		for (i = 0; i < 100; i++)
			buf_puts(&long_error, "\xf0\x9f\x98\x80");
		a.error = long_error.p;
		job_format_attempt(&b, &a);
		error = strstr(b.p, "error=") + 6;
		ck_assert_uint_eq(strcspn(error, " "),
		    shift ? 196 + shift : 200);
	}
	buf_clear(&long_error);
	buf_clear(&b);
	for (i = 0; i < 1000; i++)
		buf_putc(&long_error, '\x80');
	a.error = long_error.p;
	job_format_attempt(&b, &a);
	ck_assert_uint_le(strcspn(strstr(b.p, "error=") + 6, " "), 200);
	buf_free(&b);
	buf_free(&long_error);
}
END_TEST

/* What is more than a reader takes is written as the most that it takes. */
START_TEST(used_beyond_bounds)
{
	struct job_attempt a = { .measured = true, .user = INT64_MAX,
		.sys = -1, .maxrss = -1 };
	struct buf b = { 0 };
	struct job job;

	buf_puts(&b, BEGIN CMD CREATED);
	job_format_attempt(&b, &a);
	texts_read(&job, b.p, b.n);
	ck_assert_uint_eq(job.nattempt, 1);
	ck_assert_int_eq(job.attempt->user, JOB_NUMBER_MAX * SECOND);
	ck_assert_int_eq(job.attempt->sys, 0);
	ck_assert_int_eq(job.attempt->maxrss, 0);
	job_free(&job);
	buf_free(&b);
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "history", .in_one_process = true, .seconds = 60
	};
	const struct suite_test tests[] = {
		{ outcome, COUNT(outcomes) },
		{ history, COUNT(histories) },
		{ error_text, 0 },
		{ used_beyond_bounds, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
