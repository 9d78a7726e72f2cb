/*
 * check_job.c: the text of a job, both ways.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "chance.h"
#include "suite.h"
#include "texts.h"

/* The strings of a random job, until arena_free(). */
static char *arena[4096];
static size_t arenas;

static char *
random_string(size_t least, size_t most)
{
	static const char *const pieces[] = {
		"\n", "\n\n", " ", "\n ", ":", "Created: ", "Attempt: 1 ", "\r",
		"\t", "a", "Arg", "=", "\xc3\xa9", "\xff", "\x01", "'", "\\",
		" worker=1", "\x1b[1m", "x y", "$HOME", "\"", "0",
	};
	size_t n = least + chance_below((unsigned)(most - least) + 1), len = 0, add;
	char *s = malloc(n + 1);
	const char *piece;

	if (!s || arenas == sizeof arena / sizeof *arena)
		ck_abort_msg("out of memory");
	arena[arenas++] = s;
	while (len < n) {
		piece = pieces[chance_below((unsigned)COUNT(pieces))];
		add = strlen(piece) < n - len ? strlen(piece) : n - len;
		memcpy(s + len, piece, add);
		len += add;
	}
	s[n] = '\0';
	return s;
}

static void
arena_free(void)
{
	while (arenas > 0)
		free(arena[--arenas]);
}

static int
random_number(int max)
{
	switch (chance_below(4)) {
	case 0:
		return -1;
	case 1:
		return max;
	default:
		return (int)chance_below((unsigned)max + 1U);
	}
}

static void
random_job(struct job *job, const char **argv, const char **env)
{
	size_t i;
	char *s;

	job_init(job);
	chance_id(job->id);
	if (chance_below(2)) {
		job->command = random_string(1, 60);
	} else {
		job->argc = 1 + chance_below(9);
		for (i = 0; i < job->argc; i++)
			argv[i] = random_string(i == 0, 30);
		argv[i] = NULL;
		job->argv = argv;
	}
	job->priority = random_number(JOB_PRIORITY_MAX);
	job->max_retries = random_number(JOB_NUMBER_MAX);
	job->backoff_base = random_number(JOB_NUMBER_MAX);
	job->backoff_max = random_number(JOB_NUMBER_MAX);
	if (chance_below(2))
		job->timeout = chance_below(2) ? (int64_t)chance_below(1U << 31) :
		    (int64_t)chance_below(JOB_NUMBER_MAX) * SECOND;
	if (chance_below(2))
		job->run_at = chance_time();
	if (chance_below(2))
		job->cwd = random_string(0, 40);
	job->nenv = chance_below(12);
	for (i = 0; i < job->nenv; i++) {
		s = random_string(4, 30);
		memcpy(s, i % 2 ? "_a9=" : "Z_=\n", 4);
		env[i] = s;
	}
	job->env = env;
	if (chance_below(2))
		job->input = random_string(0, 200);
	job->created = chance_time();
}

static void
same_job(const struct job *a, const struct job *b, unsigned round)
{
	size_t i;

	texts_same(a->id, b->id, round, "id");
	texts_same(a->command, b->command, round, "command");
	texts_same(a->cwd, b->cwd, round, "cwd");
	texts_same(a->input, b->input, round, "stdin");
	ck_assert_msg(a->argc == b->argc && a->nenv == b->nenv &&
	    (a->argc == 0 || !b->argv[b->argc]) &&
	    (a->argc != 0 || !b->argv), "round %u: counts", round);
	for (i = 0; i < a->argc; i++)
		texts_same(a->argv[i], b->argv[i], round, "arg");
	for (i = 0; i < a->nenv; i++)
		texts_same(a->env[i], b->env[i], round, "env");
	ck_assert_msg(a->priority == b->priority &&
	    a->max_retries == b->max_retries &&
	    a->backoff_base == b->backoff_base &&
	    a->backoff_max == b->backoff_max && a->timeout == b->timeout &&
	    a->run_at == b->run_at && a->created == b->created,
	    "round %u: numbers", round);
}

static void
random_attempt(struct job_attempt *a)
{
	*a = (struct job_attempt){
		.number = chance_below(JOB_NUMBER_MAX),
		.outcome = (enum job_outcome)chance_below(7),
		.start = chance_time(), .end = chance_time(),
		.log = chance_below(2) ? INT64_MAX : chance_below(1000),
		.worker = (long)chance_below(4194304),
	};
	if (a->outcome == JOB_EXIT || a->outcome == JOB_SIGNAL)
		a->value = (int)chance_below(256);
	if (a->outcome == JOB_ERROR)
		a->error = chance_below(2) ? " log=1 worker=2" :
		    "no such file: x worker=3 y log=4 user=1 sys=1 maxrss=1";
	a->measured = chance_below(2);
	if (!a->measured)
		return;
	a->user = chance_below(2) ? chance_below(100) * SECOND :
	    chance_below(JOB_NUMBER_MAX);
	a->sys = chance_below(JOB_NUMBER_MAX);
	a->maxrss = chance_below(2) ? INT64_MAX : chance_below(100000);
}

static void
add_junk(struct buf *b)
{
	static const struct {
		const char *p;
		size_t n;
	} junk[] = {
		{ S("\n") }, { S("junk\n") }, { S(" continued\n") },
		{ S("Attempt: 1 start=2026-11-24T05:30:13.000123Z\n") },
		{ S("Retried: \n") }, { S("\0\0\0\0\n") }, { S("\xff\xfe\n") },
		{ S("Created: 2026-11-24T05:30:12.345678Z\n") },
		{ S("Id: other\n") }, { S("\0Retried: 2026-11-24T05:30:12Z\n") },
	};
	unsigned i = chance_below(2U * (unsigned)COUNT(junk));

	if (i < (unsigned)COUNT(junk))
		buf_add(b, junk[i].p, junk[i].n);
}

START_TEST(round_trip)
{
	const char *argv[10], *env[12];
	struct job_attempt attempt[9];
	struct job job, back;
	struct buf b = { 0 };
	size_t n, i, counted;
	int64_t retried;
	unsigned round;

	chance_seed(20261124);
	for (round = 0; round < 5000; round++) {
		random_job(&job, argv, env);
		buf_clear(&b);
		job_format(&b, &job);
		n = chance_below(10);
		counted = 0;
		retried = -1;
		for (i = 0; i < n; i++) {
			random_attempt(&attempt[i]);
			add_junk(&b);
			job_format_attempt(&b, &attempt[i]);
			add_junk(&b);
			if (chance_below(4))
				continue;
			counted = i + 1;
			retried = chance_time();
			job_format_retried(&b, retried);
		}
		ck_assert(!b.failed);
		texts_read(&back, b.p, b.n);
		same_job(&job, &back, round);
		ck_assert_msg(back.nattempt == n && back.counted == counted &&
		    back.retried == retried, "round %u: history", round);
		for (i = 0; i < n; i++)
			texts_same_attempt(&attempt[i], &back.attempt[i], round);
		job_free(&back);
		arena_free();
	}
	buf_free(&b);
}
END_TEST

/* Every byte of the text, as queuectl(5) specifies it. */
START_TEST(written)
{
	static const char *argv[] = { "echo", "", "a\nb", NULL };
	static const char *env[] = { "A=1", "B=\n" };
	struct job job;
	struct buf b = { 0 };

	job_init(&job);
	memcpy(job.id, "job1", 5);
	job.command = "echo Hello";
	job.max_retries = 3;
	job.backoff_base = 2;
	job.priority = 5;
	job.cwd = "/home/me";
	job.created = texts_time("2026-11-24T05:30:12.345678Z");
	job_format(&b, &job);
	ck_assert_str_eq(b.p, BEGIN "Id: job1\nCommand: echo Hello\n"
	    "Max-Retries: 3\nBackoff-Base: 2\nPriority: 5\nCwd: /home/me\n"
	    CREATED);
	buf_clear(&b);
	job.command = NULL;
	job.argv = argv;
	job.argc = 3;
	job.max_retries = 0;
	job.backoff_max = 9;
	job.timeout = 1500000;
	job.run_at = 0;
	job.env = env;
	job.nenv = 2;
	job.input = "in\n\n";
	job.unique = true;
	job.dead_exit = "2,65-78";
	job_format(&b, &job);
	ck_assert_str_eq(b.p, BEGIN "Id: job1\nArg: echo\nArg: \nArg: a\n b\n"
	    "Max-Retries: 0\nBackoff-Base: 2\nBackoff-Max: 9\nPriority: 5\n"
	    "Timeout: 1.5\nDead-Exit: 2,65-78\n"
	    "Run-At: 1970-01-01T00:00:00.000000Z\n"
	    "Cwd: /home/me\nEnv: A=1\nEnv: B=\n \nStdin: in\n \n \n"
	    "Unique: yes\n" CREATED);
	buf_free(&b);
}
END_TEST

START_TEST(read_all_keys)
{
	struct job job;

	texts_read(&job, S(BEGIN "Dead-Exit: 9\nUnique: yes\nStdin: a\n b\n"
	    "  c\n \nEnv: A=\nEnv: B=x=y\n"
	    "X-New:whatever\n goes on\n" "Cwd:/x\nRun-At: 2027-01-01T00:00:00"
	    "+01:00\nTimeout: 0.25\nPriority: 9\nBackoff-Max: 7\n"
	    "Backoff-Base: 0\nMax-Retries: 2147483647\nArg:  a\nArg:\nArg: \n"
	    "Id: _x.-9\ncommand: in the wrong case\n"
	    "Created: 1970-01-01T00:00:00Z"));
	ck_assert_str_eq(job.input, "a\nb\n c\n");
	ck_assert(job.unique);
	ck_assert_str_eq(job.dead_exit, "9");
	ck_assert_uint_eq(job.nenv, 2);
	ck_assert_str_eq(job.env[0], "A=");
	ck_assert_str_eq(job.env[1], "B=x=y");
	ck_assert_str_eq(job.cwd, "/x");
	ck_assert_int_eq(job.run_at, texts_time("2026-12-31T23:00:00Z"));
	ck_assert_int_eq(job.timeout, 250000);
	ck_assert_int_eq(job.priority, 9);
	ck_assert_int_eq(job.backoff_max, 7);
	ck_assert_int_eq(job.backoff_base, 0);
	ck_assert_int_eq(job.max_retries, 2147483647);
	ck_assert_ptr_null(job.command);
	ck_assert_uint_eq(job.argc, 3);
	ck_assert_str_eq(job.argv[0], " a");
	ck_assert_str_eq(job.argv[1], "");
	ck_assert_str_eq(job.argv[2], "");
	ck_assert_ptr_null(job.argv[3]);
	ck_assert_str_eq(job.id, "_x.-9");
	ck_assert_int_eq(job.created, 0);
	job_free(&job);
}
END_TEST

START_TEST(read_least)
{
	struct job job;

	texts_read(&job, S(BEGIN CMD "Created:2026-11-24T05:30:12.345678Z"));
	ck_assert_str_eq(job.id, "");
	ck_assert_str_eq(job.command, "echo");
	ck_assert(!job.argv && !job.env && !job.cwd && !job.input &&
	    !job.attempt && job.argc == 0 && job.nenv == 0);
	ck_assert(job.priority == -1 && job.max_retries == -1 &&
	    job.backoff_base == -1 && job.backoff_max == -1 &&
	    job.timeout == -1 && job.run_at == -1 && job.nattempt == 0 &&
	    job.counted == 0 && job.retried == -1);
	ck_assert_int_eq(job.created, texts_time("2026-11-24T05:30:12.345678Z"));
	job_free(&job);
	job_free(&job);
}
END_TEST

#define VERSION "written by another version of queuectl"
#define NOT_OURS "the first line is not \"Queuectl: 1\""
#define NO_END "the header has no end: no Created line"
#define NO_KEY "neither \"Key: value\" nor the next line of a value"
#define TWICE "a key that was there already"
#define BOTH "both Command and Arg"
#define NUL "a NUL byte"
#define RETRIES "Max-Retries is no number from 0 to 2147483647"
#define BASE "Backoff-Base is no number from 0 to 2147483647"
#define MOST "Backoff-Max is no number from 0 to 2147483647"
#define DEADLY "Dead-Exit is no list of codes and ranges from 1 to 255"
#define URGENCY "Priority is no number from 0 to 9"
#define LIMIT "Timeout is no number of seconds from 0 to 2147483647"
#define RUN_AT "Run-At is no RFC 3339 time from 1970 on"
#define BORN "Created is no RFC 3339 time from 1970 on"
#define BAD_ID "Id is no valid job id"
#define BAD_ENV "Env is not NAME=value"
#define END CMD CREATED

static const struct {
	const char *text;
	size_t len, line;
	const char *what;
} bad[] = {
	{ S(""), 1, NOT_OURS }, { S("\n" BEGIN END), 1, NOT_OURS },
	{ S("\0"), 1, NOT_OURS }, { S("Id: a\n" END), 1, NOT_OURS },
	{ S("queuectl: 1\n" END), 1, NOT_OURS },
	{ S("Queuectl:1\n" END), 1, NOT_OURS },
	{ S("Queuectl: 1 \n" END), 1, NOT_OURS },
	{ S("Queuectl: 1\r\n" END), 1, NOT_OURS },
	{ S("Queuectl: \n" END), 1, NOT_OURS },
	{ S("Queuectl: 2\n" END), 1, VERSION },
	{ S("Queuectl: 10\n" END), 1, VERSION },
	{ S("Queuectl: 1"), 0, NO_END }, { S(BEGIN), 0, NO_END },
	{ S(BEGIN CMD), 0, NO_END }, { S(BEGIN "Command: echo"), 0, NO_END },
	{ S(BEGIN "Stdin: x\n Created: 1970-01-01T00:00:00Z\n"), 0, NO_END },
	{ S(BEGIN CMD "created: 1970-01-01T00:00:00Z\n"), 0, NO_END },
	{ S(BEGIN CREATED), 0, "neither Command nor Arg" },
	{ S(BEGIN CREATED CMD), 0, "neither Command nor Arg" },
	{ S(BEGIN " a\n" END), 2, NO_KEY }, { S(BEGIN "\n" END), 2, NO_KEY },
	{ S(BEGIN ": x\n" END), 2, NO_KEY }, { S(BEGIN CMD "Id\n"), 3, NO_KEY },
	{ S(BEGIN "My Key: x\n" END), 2, NO_KEY },
	{ S(BEGIN "\tId: x\n" END), 2, NO_KEY },
	{ S(BEGIN "Id : x\n" END), 2, NO_KEY },
	{ S(BEGIN "\xff: x\n" END), 2, NO_KEY },
	{ S(BEGIN "Stdin: a\n b\n c\nd\n" END), 5, NO_KEY },
	{ S(BEGIN "Id: a\nId: a\n" END), 3, TWICE },
	{ S(BEGIN "Stdin: a\n\x20\nStdin: b\n" END), 4, TWICE },
	{ S(BEGIN "Cwd: a\nCwd: b\n" END), 3, TWICE },
	{ S(BEGIN CMD "Command: b\n" CREATED), 3, TWICE },
	{ S(BEGIN CMD "Arg: b\n" CREATED), 3, BOTH },
	{ S(BEGIN "Arg: b\nArg: c\n" CMD CREATED), 4, BOTH },
	{ S(BEGIN "Command:\n" CREATED), 2, "Command is empty" },
	{ S(BEGIN "Command: \n" CREATED), 2, "Command is empty" },
	{ S(BEGIN "Arg: \nArg: b\n" CREATED), 2, "the first Arg is empty" },
	{ S(BEGIN "Id: \0a\n" END), 2, NUL },
	{ S(BEGIN "X: a\n b\n \0\n" END), 4, NUL },
	{ S(BEGIN "\0\n" END), 2, NUL }, { S(BEGIN "Command: a\0"), 2, NUL },
	{ S(BEGIN CMD "Created: 1970-01-01T00:00:00Z\0\n"), 3, NUL },
	{ S(BEGIN "Id:\n" END), 2, BAD_ID }, { S(BEGIN "Id: .a\n" END), 2, BAD_ID },
	{ S(BEGIN "Id: -a\n" END), 2, BAD_ID },
	{ S(BEGIN "Id: a/b\n" END), 2, BAD_ID },
	{ S(BEGIN "Id:  a\n" END), 2, BAD_ID },
	{ S(BEGIN "Id: a\n b\n" END), 2, BAD_ID },
	{ S(BEGIN "Id: " X16 X16 X16 X16 "x\n" END), 2, BAD_ID },
	{ S(BEGIN "Max-Retries: 2147483648\n" END), 2, RETRIES },
	{ S(BEGIN "Max-Retries: -1\n" END), 2, RETRIES },
	{ S(BEGIN "Max-Retries: 03\n" END), 2, RETRIES },
	{ S(BEGIN "Max-Retries: 3 \n" END), 2, RETRIES },
	{ S(BEGIN "Max-Retries:\n" END), 2, RETRIES },
	{ S(BEGIN "Max-Retries: 1\n 2\n" END), 2, RETRIES },
	{ S(BEGIN "Backoff-Base: 1.5\n" END), 2, BASE },
	{ S(BEGIN "Backoff-Base: 99999999999999999999\n" END), 2, BASE },
	{ S(BEGIN "Backoff-Max: x\n" END), 2, MOST },
	{ S(BEGIN "Priority: 10\n" END), 2, URGENCY },
	{ S(BEGIN "Dead-Exit: 0\n" END), 2, DEADLY },
	{ S(BEGIN "Dead-Exit: x\n" END), 2, DEADLY },
	{ S(BEGIN "Unique: true\n" END), 2, "Unique is neither yes nor no" },
	{ S(BEGIN "Unique:\n" END), 2, "Unique is neither yes nor no" },
	{ S(BEGIN "Priority: +1\n" END), 2, URGENCY },
	{ S(BEGIN "Timeout: 1e3\n" END), 2, LIMIT },
	{ S(BEGIN "Timeout: 1.0000001\n" END), 2, LIMIT },
	{ S(BEGIN "Run-At: tomorrow\n" END), 2, RUN_AT },
	{ S(BEGIN "Run-At: 1969-12-31T23:59:59Z\n" END), 2, RUN_AT },
	{ S(BEGIN "Env: A\n" END), 2, BAD_ENV },
	{ S(BEGIN "Env: =x\n" END), 2, BAD_ENV },
	{ S(BEGIN "Env: 1A=x\n" END), 2, BAD_ENV },
	{ S(BEGIN "Env: A-B=x\n" END), 2, BAD_ENV },
	{ S(BEGIN "Env:\n" END), 2, BAD_ENV },
	{ S(BEGIN "Env: A\n =x\n" END), 2, BAD_ENV },
	{ S(BEGIN CMD "Created:\n"), 3, BORN },
	{ S(BEGIN CMD "Created: 2026-11-24T05:30\n"), 3, BORN },
	{ S(BEGIN CMD "Created: 2026-11-24T05:30:12Z \n"), 3, BORN },
	{ S(BEGIN "Stdin: a\n b\nPriority: x\n" END), 4, URGENCY },
};

START_TEST(bad_text)
{
	struct job job;
	size_t line;
	const char *what = texts_parse(&job, bad[_i].text, bad[_i].len, &line);

	ck_assert_msg(what != NULL, "accepted:\n%s", bad[_i].text);
	ck_assert_msg(strcmp(what, bad[_i].what) == 0,
	    "says \"%s\", not \"%s\":\n%s", what, bad[_i].what, bad[_i].text);
	ck_assert_msg(line == bad[_i].line, "line %zu, not %zu: %s:\n%s", line,
	    bad[_i].line, what, bad[_i].text);
	job_free(&job);
	ck_assert_ptr_null(job.text);
}
END_TEST

/* A text that is cut off is good if its Created line is whole, with or without
 * the newline, and only then. */
START_TEST(cut_text)
{
	static const char text[] = BEGIN "Id: a\nArg: b\nArg: c\nEnv: A=b\n"
	    "Stdin: x\n y\n" CREATED
	    "Attempt: 1 start=2026-11-24T05:30:13Z end=2026-11-24T05:30:14Z "
	    "exit=1 log=0 worker=4242\n"
	    "Retried: 2026-11-24T05:30:14Z\n";
	const char *created = strstr(text, "Created");
	size_t whole = (size_t)(created - text) + sizeof CREATED - 2;
	size_t history = whole + 1, n, line;
	struct job job;
	const char *wrong;

	for (n = 0; n < sizeof text; n++) {
		wrong = texts_parse(&job, text, n, &line);
		ck_assert_msg((wrong == NULL) == (n >= whole), "%zu bytes: %s",
		    n, wrong);
		if (!wrong) {
			ck_assert_uint_eq(job.nattempt,
			    n >= history + strcspn(text + history, "\n") + 1);
			ck_assert_uint_eq(job.counted, n == sizeof text - 1);
		}
		job_free(&job);
	}
}
END_TEST

/* Sixteen megabytes each: a parser that is not linear runs out of time. */
START_TEST(large)
{
	static const char *const pieces[][2] = {
		{ "Stdin: ", "\n\x20" }, { "X: ", "\n\x20" }, { "", "Arg: x\n" },
		{ "", "Env: A=b\n" }, { "", "X: y\n" },
		{ CMD CREATED, GOOD }, { CMD CREATED, "\n" },
		{ CMD CREATED "Attempt: 1 ", " log= worker=" },
	};
	struct buf b = { 0 };
	struct job job;
	size_t n = 0;

	buf_puts(&b, BEGIN);
	buf_puts(&b, pieces[_i][0]);
	for (; b.n < JOB_TEXT_MAX; n++)
		buf_puts(&b, pieces[_i][1]);
	/* No blank line in a header. */
	if (b.p[b.n - 1] != '\n')
		buf_putc(&b, '\n');
	buf_puts(&b, _i == 2 ? CREATED : END);
	texts_read(&job, b.p, b.n);
	if (_i == 0)
		ck_assert_uint_eq(strlen(job.input), n);
	ck_assert_uint_eq(job.argc, _i == 2 ? n : 0);
	ck_assert_uint_eq(job.nenv, _i == 3 ? n : 0);
	ck_assert_uint_eq(job.nattempt, _i == 5 ? n : 0);
	job_free(&job);
	buf_free(&b);
}
END_TEST

/* Whatever the bytes are, parsing ends with a job or an error. */
START_TEST(damaged)
{
	static const char text[] = BEGIN "Id: a\nArg: b\nEnv: A=b\nStdin: x\n"
	    " y\nTimeout: 1.5\n" CREATED GOOD
	    "Retried: 2026-11-24T05:30:14Z\n" GOOD;
	static const char bytes[] = "\0\n :=A1-.TZ\xff\x80";
	char copy[sizeof text];
	struct job job;
	size_t line, good = 0;
	int i, j;

	chance_seed(4711);
	for (i = 0; i < 50000; i++) {
		memcpy(copy, text, sizeof text);
		for (j = 0; j < 1 + i % 3; j++)
			copy[chance_below(sizeof text - 1)] =
			    bytes[chance_below(sizeof bytes - 1)];
		if (!texts_parse(&job, copy, sizeof text - 1, &line)) {
			good++;
			if ((!job.command && !job.argc) || job.created < 0 ||
			    job.nattempt > 2 || job.counted > job.nattempt)
				ck_abort_msg("round %d", i);
		} else if (line > 20) {
			ck_abort_msg("round %d: line %zu", i, line);
		}
		job_free(&job);
	}
	ck_assert(good > 1000 && good < 49000);
}
END_TEST

static const struct {
	const char *argv[4];
	size_t max;
	const char *title;
} titles[] = {
	{ { "echo", "a_@%+=:,./-9" }, 0, "echo a_@%+=:,./-9" },
	{ { "echo", "a b", "" }, 0, "echo 'a b' ''" },
	{ { "it's", "'", "~" }, 0, "'it'\\''s' ''\\''' '~'" },
	{ { "$x", "a;b", "*" }, 0, "'$x' 'a;b' '*'" },
	{ { "a\nb", "\xc3\xa9", "\xff" }, 0, "'a\\nb' '\xc3\xa9' '\\xff'" },
	{ { "echo", "a b" }, 10, "echo 'a b'" },
	{ { "echo", "a b" }, 9, "echo 'a b…" },
	{ { "echo", "b" }, 4, "echo…" }, { { "echo", "b" }, 5, "echo …" },
	{ { "echo", "a\nb" }, 7, "echo 'a…" },
	{ { "echo", "a\nb" }, 9, "echo 'a\\n…" },
	{ { "echo" }, 4, "echo" },
};

START_TEST(title)
{
	struct buf b = { 0 };
	struct job job;
	const char *argv[4];

	memcpy(argv, titles[_i].argv, sizeof argv);
	job_init(&job);
	job.argv = argv;
	while (job.argc < 4 && argv[job.argc])
		job.argc++;
	job_title(&b, &job, titles[_i].max);
	ck_assert_str_eq(b.p, titles[_i].title);
	buf_free(&b);
}
END_TEST

/* job_free() does not free the strings that the caller filled in. */
START_TEST(free_borrowed)
{
	static const char *argv[] = { "a", NULL };
	struct job job;

	job_init(&job);
	job_free(&job);
	job.argv = argv;
	job.argc = 1;
	job.cwd = "/";
	job_free(&job);
	ck_assert(!job.argv && !job.cwd && job.argc == 0);
	ck_assert(job.priority == -1 && job.created == -1);
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "job", .in_one_process = true, .seconds = 60
	};
	const struct suite_test tests[] = {
		{ round_trip, 0 },
		{ written, 0 },
		{ read_all_keys, 0 },
		{ read_least, 0 },
		{ bad_text, COUNT(bad) },
		{ cut_text, 0 },
		{ large, 8 },
		{ damaged, 0 },
		{ title, COUNT(titles) },
		{ free_borrowed, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
