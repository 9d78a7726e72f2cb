/*
 * check_job.c: what job.h promises.
 *
 * Texts are parsed from memory of exactly their size and a NUL, so that a
 * sanitizer sees a parser that reads on.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "job/policy.h"

#define SECOND INT64_C(1000000)
#define COUNT(a) ((int)(sizeof (a) / sizeof *(a)))

/* A text and its length: some hold NULs. */
#define S(s) s, sizeof s - 1

static const char *
parse(struct job *job, const char *text, size_t len, size_t *line)
{
	char *own = malloc(len + 1);

	if (!own)
		ck_abort_msg("out of memory");
	memcpy(own, text, len);
	memset(job, 0x5a, sizeof *job);
	*line = 77;
	return job_parse(job, own, len, line);
}

/* A job whose text is good.  (What runs often asserts by itself: libcheck
 * notes each assertion in a file, the good ones too.) */
static void
read_job(struct job *job, const char *text, size_t len)
{
	size_t line;
	const char *wrong = parse(job, text, len, &line);

	if (wrong || line != 0)
		ck_abort_msg("line %zu: %s in:\n%s", line, wrong, text);
}

static int64_t
time_of(const char *s)
{
	int64_t t;

	ck_assert_msg(job_time_parse(s, &t), "%s", s);
	return t;
}

/* Chance with a seed that a failure can print. */

static uint64_t state;

static unsigned
below(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 20) % n;
}

static int64_t
random_time(void)
{
	int64_t t = (int64_t)below(1U << 30) << 20 | below(1U << 20);

	return below(2) ? t * 200 % (JOB_TIME_MAX + 1) : t;
}

/* Lives until arena_free(). */
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
	size_t n = least + below((unsigned)(most - least) + 1), len = 0, add;
	char *s = malloc(n + 1);
	const char *piece;

	if (!s || arenas == sizeof arena / sizeof *arena)
		ck_abort_msg("out of memory");
	arena[arenas++] = s;
	while (len < n) {
		piece = pieces[below((unsigned)COUNT(pieces))];
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
	switch (below(4)) {
	case 0:
		return -1;
	case 1:
		return max;
	default:
		return (int)below((unsigned)max + 1U);
	}
}

static void
random_id(char id[JOB_ID_MAX + 1])
{
	static const char chars[] = "ABCXYZabcxyz0123456789_.-";
	size_t n = 1 + below(JOB_ID_MAX), i;

	for (i = 0; i < n; i++)
		id[i] = chars[below(COUNT(chars) - (i == 0 ? 3 : 1))];
	id[n] = '\0';
}

static void
random_job(struct job *job, const char **argv, const char **env)
{
	size_t i;
	char *s;

	job_init(job);
	random_id(job->id);
	if (below(2)) {
		job->command = random_string(1, 60);
	} else {
		job->argc = 1 + below(9);
		for (i = 0; i < job->argc; i++)
			argv[i] = random_string(i == 0, 30);
		argv[i] = NULL;
		job->argv = argv;
	}
	job->priority = random_number(JOB_PRIORITY_MAX);
	job->max_retries = random_number(JOB_NUMBER_MAX);
	job->backoff_base = random_number(JOB_NUMBER_MAX);
	job->backoff_max = random_number(JOB_NUMBER_MAX);
	if (below(2))
		job->timeout = below(2) ? (int64_t)below(1U << 31) :
		    (int64_t)below(JOB_NUMBER_MAX) * SECOND;
	if (below(2))
		job->run_at = random_time();
	if (below(2))
		job->cwd = random_string(0, 40);
	job->nenv = below(12);
	for (i = 0; i < job->nenv; i++) {
		s = random_string(4, 30);
		memcpy(s, i % 2 ? "_a9=" : "Z_=\n", 4);
		env[i] = s;
	}
	job->env = env;
	if (below(2))
		job->input = random_string(0, 200);
	job->created = random_time();
}

static void
same_string(const char *a, const char *b, unsigned round, const char *what)
{
	if ((a == NULL) != (b == NULL) || (a && strcmp(a, b) != 0))
		ck_abort_msg("round %u: %s: \"%s\" became \"%s\"", round,
		    what, a ? a : "(none)", b ? b : "(none)");
}

static void
same_job(const struct job *a, const struct job *b, unsigned round)
{
	size_t i;

	same_string(a->id, b->id, round, "id");
	same_string(a->command, b->command, round, "command");
	same_string(a->cwd, b->cwd, round, "cwd");
	same_string(a->input, b->input, round, "stdin");
	ck_assert_msg(a->argc == b->argc && a->nenv == b->nenv &&
	    (a->argc == 0 || !b->argv[b->argc]) &&
	    (a->argc != 0 || !b->argv), "round %u: counts", round);
	for (i = 0; i < a->argc; i++)
		same_string(a->argv[i], b->argv[i], round, "arg");
	for (i = 0; i < a->nenv; i++)
		same_string(a->env[i], b->env[i], round, "env");
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
		.number = below(JOB_NUMBER_MAX),
		.outcome = (enum job_outcome)below(7),
		.start = random_time(), .end = random_time(),
		.log = below(2) ? INT64_MAX : below(1000),
		.worker = (long)below(4194304),
	};
	if (a->outcome == JOB_EXIT || a->outcome == JOB_SIGNAL)
		a->value = (int)below(256);
	if (a->outcome == JOB_ERROR)
		a->error = below(2) ? " log=1 worker=2" :
		    "no such file: x worker=3 y log=4 ";
}

static void
same_attempt(const struct job_attempt *a, const struct job_attempt *b,
    unsigned round)
{
	ck_assert_msg(a->number == b->number && a->outcome == b->outcome &&
	    a->value == b->value && a->start == b->start && a->end == b->end &&
	    a->log == b->log && a->worker == b->worker, "round %u: attempt",
	    round);
	same_string(a->error, b->error, round, "error");
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
	unsigned i = below(2U * (unsigned)COUNT(junk));

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

	state = 20261124;
	for (round = 0; round < 5000; round++) {
		random_job(&job, argv, env);
		buf_clear(&b);
		job_format(&b, &job);
		n = below(10);
		counted = 0;
		retried = -1;
		for (i = 0; i < n; i++) {
			random_attempt(&attempt[i]);
			add_junk(&b);
			job_format_attempt(&b, &attempt[i]);
			add_junk(&b);
			if (below(4))
				continue;
			counted = i + 1;
			retried = random_time();
			job_format_retried(&b, retried);
		}
		ck_assert(!b.failed);
		read_job(&back, b.p, b.n);
		same_job(&job, &back, round);
		ck_assert_msg(back.nattempt == n && back.counted == counted &&
		    back.retried == retried, "round %u: history", round);
		for (i = 0; i < n; i++)
			same_attempt(&attempt[i], &back.attempt[i], round);
		job_free(&back);
		arena_free();
	}
	buf_free(&b);
}
END_TEST

#define BEGIN "Queuectl: 1\n"
#define CREATED "Created: 2026-11-24T05:30:12.345678Z\n"
#define CMD "Command: echo\n"

/* Every byte of the text, as the man page and DESIGN have it. */
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
	job.created = time_of("2026-11-24T05:30:12.345678Z");
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

	read_job(&job, S(BEGIN "Dead-Exit: 9\nUnique: yes\nStdin: a\n b\n  c\n \n" "Env: A=\nEnv: B=x=y\n"
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
	ck_assert_int_eq(job.run_at, time_of("2026-12-31T23:00:00Z"));
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

	read_job(&job, S(BEGIN CMD "Created:2026-11-24T05:30:12.345678Z"));
	ck_assert_str_eq(job.id, "");
	ck_assert_str_eq(job.command, "echo");
	ck_assert(!job.argv && !job.env && !job.cwd && !job.input &&
	    !job.attempt && job.argc == 0 && job.nenv == 0);
	ck_assert(job.priority == -1 && job.max_retries == -1 &&
	    job.backoff_base == -1 && job.backoff_max == -1 &&
	    job.timeout == -1 && job.run_at == -1 && job.nattempt == 0 &&
	    job.counted == 0 && job.retried == -1);
	ck_assert_int_eq(job.created, time_of("2026-11-24T05:30:12.345678Z"));
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
#define X16 "xxxxxxxxxxxxxxxx"

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
	{ S(BEGIN "Id: -a\n" END), 2, BAD_ID }, { S(BEGIN "Id: a/b\n" END), 2, BAD_ID },
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
	const char *what = parse(&job, bad[_i].text, bad[_i].len, &line);

	ck_assert_msg(what != NULL, "accepted:\n%s", bad[_i].text);
	ck_assert_msg(strcmp(what, bad[_i].what) == 0,
	    "says \"%s\", not \"%s\":\n%s", what, bad[_i].what, bad[_i].text);
	ck_assert_msg(line == bad[_i].line, "line %zu, not %zu: %s:\n%s", line,
	    bad[_i].line, what, bad[_i].text);
	job_free(&job);
	ck_assert_ptr_null(job.text);
}
END_TEST

/* No prefix of a text is good before its Created line is nearly whole, and
 * from there on all are. */
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
		wrong = parse(&job, text, n, &line);
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
};

START_TEST(outcome)
{
	struct job_attempt a = outcomes[_i].a;
	struct buf b = { 0 }, text = { 0 };
	struct job job;

	a.number = (unsigned)_i;
	a.start = time_of("2026-11-24T05:30:13.000123Z");
	a.end = JOB_TIME_MAX;
	buf_printf(&b, "Attempt: %d start=2026-11-24T05:30:13.000123Z "
	    "end=9999-12-31T23:59:59.999999Z %s\n", _i, outcomes[_i].line);
	job_format_attempt(&text, &a);
	ck_assert_str_eq(text.p, b.p);
	buf_clear(&text);
	buf_puts(&text, BEGIN CMD CREATED);
	buf_puts(&text, b.p);
	read_job(&job, text.p, text.n);
	ck_assert_uint_eq(job.nattempt, 1);
	same_attempt(&a, job.attempt, 0);
	buf_clear(&b);
	job_outcome_words(&b, job.attempt);
	ck_assert_str_eq(b.p, outcomes[_i].words);
	job_free(&job);
	buf_free(&b);
	buf_free(&text);
}
END_TEST

#define TIMES "start=2026-11-24T05:30:13Z end=2026-11-24T05:30:14Z "
#define GOOD "Attempt: 1 " TIMES "exit=1 log=0 worker=4242\n"

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
	read_job(&job, b.p, b.n);
	ck_assert_msg(job.nattempt == histories[_i].attempts &&
	    job.counted == histories[_i].counted, "%zu attempts, %zu of them "
	    "old:\n%s", job.nattempt, job.counted, histories[_i].text);
	ck_assert_str_eq(job.id, "");
	ck_assert_str_eq(job.command, "echo");
	if (job.counted)
		ck_assert_int_eq(job.retried, time_of("2026-11-24T05:30:15Z"));
	job_free(&job);
	buf_free(&b);
}
END_TEST

/* What stands in a line of its own is one line, and short. */
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

/* Sixteen megabytes each; what is not linear in them runs out of time. */
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
	read_job(&job, b.p, b.n);
	if (_i == 0)
		ck_assert_uint_eq(strlen(job.input), n);
	ck_assert_uint_eq(job.argc, _i == 2 ? n : 0);
	ck_assert_uint_eq(job.nenv, _i == 3 ? n : 0);
	ck_assert_uint_eq(job.nattempt, _i == 5 ? n : 0);
	job_free(&job);
	buf_free(&b);
}
END_TEST

/* Any bytes: a verdict, and no more. */
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

	state = 4711;
	for (i = 0; i < 50000; i++) {
		memcpy(copy, text, sizeof text);
		for (j = 0; j < 1 + i % 3; j++)
			copy[below(sizeof text - 1)] =
			    bytes[below(sizeof bytes - 1)];
		if (!parse(&job, copy, sizeof text - 1, &line)) {
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

#define STAMP "20261124T053012.345678Z"

START_TEST(name_format)
{
	struct job_name name = {
		.stamp = time_of("2026-11-24T05:30:12.345678Z"),
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
	ck_assert_uint_eq(strlen(out), JOB_NAME_MAX);
	/* One more is a name still. */
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
	int i;

	state = 42;
	for (i = 0; i < 20000; i++) {
		memset(&name, 0, sizeof name);
		memset(&back, 0xff, sizeof back);
		name.stamp = random_time();
		name.attempt = below(2) ? below(20) : below(1U << 31);
		name.priority = (unsigned char)below(10);
		name.timed = below(2);
		random_id(name.id);
		job_name_format(out, &name);
		if (!job_name_parse(&back, out) || name.stamp != back.stamp ||
		    name.attempt != back.attempt ||
		    name.priority != back.priority ||
		    name.timed != back.timed || strcmp(name.id, back.id) != 0)
			ck_abort_msg("round %d: %s", i, out);
	}
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

/* In the order of a C locale's `ls`, within one separator. */
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
	int64_t t, limit = time_of("2085-01-01T00:00:00Z");

	job_id_make(id, 0);
	ck_assert_str_eq(id, "0000000000");
	job_id_make(id, 35);
	ck_assert_str_eq(id, "000000000z");
	job_id_make(id, 36);
	ck_assert_str_eq(id, "0000000010");
	job_id_make(id, time_of("2026-11-24T05:30:12.345678Z"));
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

/* Every day from 1970 to 9999, counted by hand. */
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
} seconds[] = {
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
	{ "1.5s", -1, NULL }, { " 1", -1, NULL }, { "1 ", -1, NULL },
	{ "1.5.5", -1, NULL }, { "1,5", -1, NULL }, { "0x1", -1, NULL },
	{ "nan", -1, NULL }, { ".", -1, NULL },
};

START_TEST(seconds_both_ways)
{
	const char *text = seconds[_i].text;
	struct buf b = { 0 };
	int64_t us = -7;
	bool good = job_seconds_parse(text, &us);

	ck_assert_msg(good == (seconds[_i].us >= 0), "%s", text);
	if (good) {
		ck_assert_int_eq(us, seconds[_i].us);
		job_seconds_format(&b, us);
		ck_assert_str_eq(b.p, seconds[_i].same ? seconds[_i].same : text);
	} else {
		ck_assert_int_eq(us, -7);
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

START_TEST(backoff)
{
	static const struct {
		int base;
		unsigned n;
		int max, wait;
	} cases[] = {
		{ 2, 1, 3600, 2 }, { 2, 2, 3600, 4 }, { 2, 3, 3600, 8 },
		{ 2, 11, 3600, 2048 }, { 2, 12, 3600, 3600 },
		{ 2, 4294967295U, 3600, 3600 }, { 1, 1, 3600, 1 },
		{ 1, 4294967295U, 3600, 1 }, { 0, 1, 3600, 0 },
		{ 0, 0, 3600, 0 }, { 0, 4294967295U, 3600, 0 },
		{ 2, 0, 3600, 1 }, { 5, 1, 3, 3 }, { 2, 5, 0, 0 },
		{ 3, 3, 27, 27 }, { 3, 3, 26, 26 }, { 3, 3, 28, 27 },
		{ 2, 30, 2147483647, 1073741824 },
		{ 2, 31, 2147483647, 2147483647 },
		{ 2147483647, 1, 2147483647, 2147483647 },
		{ 2147483647, 2, 2147483647, 2147483647 },
		{ 46341, 2, 2147483647, 2147483647 },
		{ 46340, 2, 2147483647, 2147395600 },
		{ 2, 2147483648U, 2147483647, 2147483647 },
	};
	int i, wait;

	for (i = 0; i < COUNT(cases); i++) {
		wait = job_backoff(cases[i].base, cases[i].n, cases[i].max);
		ck_assert_msg(wait == cases[i].wait, "min(%d ^ %u, %d) = %d",
		    cases[i].base, cases[i].n, cases[i].max, wait);
	}
}
END_TEST

static const struct job_policy policy = {
	.max_retries = 3, .backoff_base = 2, .backoff_max = 3600,
	.max_crashes = 5,
};

START_TEST(allowed)
{
	struct job_policy none = policy;
	struct job job;

	none.max_retries = 0;
	job_init(&job);
	ck_assert_uint_eq(job_allowed(&job, &policy), 3);
	ck_assert_uint_eq(job_allowed(&job, &none), 1);
	job.max_retries = 0;
	ck_assert_uint_eq(job_allowed(&job, &policy), 1);
	job.max_retries = 1;
	ck_assert_uint_eq(job_allowed(&job, &policy), 1);
	job.max_retries = JOB_NUMBER_MAX;
	ck_assert_uint_eq(job_allowed(&job, &policy), JOB_NUMBER_MAX);
}
END_TEST

enum { CREATED_AT = 1000, ENDED_AT = 2000 };

static const struct {
	enum job_outcome outcome;
	int value;
	unsigned attempt;          /* in the name while it ran */
	int retries, base, max;    /* of the job, -1: not given */
	enum job_state state;
	unsigned next;             /* attempt in the next name */
	int64_t wait;              /* seconds after the end */
} after[] = {
	{ JOB_EXIT, 0, 1, -1, -1, -1, JOB_DONE, 1, 0 },
	{ JOB_EXIT, 0, 9, -1, -1, -1, JOB_DONE, 9, 0 },
	{ JOB_EXIT, 1, 1, -1, -1, -1, JOB_FAILED, 1, 2 },
	{ JOB_EXIT, 1, 2, -1, -1, -1, JOB_FAILED, 2, 4 },
	{ JOB_EXIT, 1, 3, -1, -1, -1, JOB_DEAD, 3, 0 },
	{ JOB_EXIT, 255, 4, -1, -1, -1, JOB_DEAD, 4, 0 },
	{ JOB_SIGNAL, 9, 2, -1, -1, -1, JOB_FAILED, 2, 4 },
	{ JOB_SIGNAL, 9, 3, -1, -1, -1, JOB_DEAD, 3, 0 },
	{ JOB_SIGNAL, 0, 1, -1, -1, -1, JOB_FAILED, 1, 2 },
	{ JOB_TIMEOUT, 0, 1, -1, -1, -1, JOB_FAILED, 1, 2 },
	{ JOB_TIMEOUT, 0, 3, -1, -1, -1, JOB_DEAD, 3, 0 },
	{ JOB_ERROR, 0, 1, -1, -1, -1, JOB_FAILED, 1, 2 },
	{ JOB_ERROR, 0, 3, -1, -1, -1, JOB_DEAD, 3, 0 },
	{ JOB_EXIT, 1, 1, 1, -1, -1, JOB_DEAD, 1, 0 },
	{ JOB_EXIT, 1, 1, 0, -1, -1, JOB_DEAD, 1, 0 },
	{ JOB_EXIT, 1, 3, 4, -1, -1, JOB_FAILED, 3, 8 },
	{ JOB_EXIT, 1, 3, 4, 3, -1, JOB_FAILED, 3, 27 },
	{ JOB_EXIT, 1, 3, 4, 3, 10, JOB_FAILED, 3, 10 },
	{ JOB_EXIT, 1, 3, 4, 0, -1, JOB_FAILED, 3, 0 },
	{ JOB_EXIT, 1, 3, 4, -1, 0, JOB_FAILED, 3, 0 },
	{ JOB_EXIT, 1, 20, JOB_NUMBER_MAX, -1, -1, JOB_FAILED, 20, 3600 },
	{ JOB_EXIT, 1, 2147483646, JOB_NUMBER_MAX, 2, JOB_NUMBER_MAX,
	    JOB_FAILED, 2147483646, 2147483647 },
	{ JOB_LOST, 0, 1, -1, -1, -1, JOB_FAILED, 0, 2 },
	{ JOB_LOST, 0, 3, -1, -1, -1, JOB_FAILED, 2, 2 },
	{ JOB_LOST, 0, 0, -1, -1, -1, JOB_FAILED, 0, 2 },
	{ JOB_LOST, 0, 1, 0, 7, 5, JOB_FAILED, 0, 5 },
	{ JOB_REQUEUED, 0, 2, -1, -1, -1, JOB_PENDING, 1, 0 },
	{ JOB_REQUEUED, 0, 3, 1, -1, -1, JOB_PENDING, 2, 0 },
	{ JOB_REQUEUED, 0, 0, -1, -1, -1, JOB_PENDING, 0, 0 },
	{ JOB_CANCELLED, 0, 1, -1, -1, -1, JOB_DEAD, 0, 0 },
};

START_TEST(dies_of_some_exits)
{
	struct job_policy strict = policy;
	struct job_name run = { .attempt = 1, .id = "a" }, next;
	struct job_attempt end = { .outcome = JOB_EXIT, .value = 65 };
	struct job job;

	job_init(&job);
	job.max_retries = 3;
	ck_assert(job_codes_parse("2,65-78", &strict.dead_exit));
	ck_assert_int_eq(job_after(&job, &run, &end, &policy, &next),
	    JOB_FAILED);
	ck_assert_int_eq(job_after(&job, &run, &end, &strict, &next),
	    JOB_DEAD);
	ck_assert_uint_eq(next.attempt, 1);
	end.value = 64;
	ck_assert_int_eq(job_after(&job, &run, &end, &strict, &next),
	    JOB_FAILED);
	/* what the job says goes before config; "" is none */
	job.dead_exit = "64";
	ck_assert_int_eq(job_after(&job, &run, &end, &strict, &next),
	    JOB_DEAD);
	end.value = 65;
	job.dead_exit = "";
	ck_assert_int_eq(job_after(&job, &run, &end, &strict, &next),
	    JOB_FAILED);
	job.dead_exit = "1-255";
	end.value = 0;
	ck_assert_int_eq(job_after(&job, &run, &end, &strict, &next),
	    JOB_DONE);
	end = (struct job_attempt){ .outcome = JOB_SIGNAL, .value = 9 };
	ck_assert_int_eq(job_after(&job, &run, &end, &strict, &next),
	    JOB_FAILED);
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

/* Never before the backoff, never later than it and the jitter, at all times
 * between, and the same for the same end. */
START_TEST(scatters_retries)
{
	struct job_policy p = policy;
	struct job_name run = { .attempt = 1, .id = "job1" }, next, again;
	struct job_attempt end = { .outcome = JOB_EXIT, .value = 1 };
	struct job job;
	int i, early = 0, late = 0;

	job_init(&job);
	strcpy(job.id, "job1");
	job.max_retries = 3;
	job.backoff_base = 100;
	p.backoff_jitter = 50;
	for (i = 0; i < 1000; i++) {
		int64_t wait;

		end.end = ENDED_AT * SECOND + i * 1009;
		ck_assert_int_eq(job_after(&job, &run, &end, &p, &next),
		    JOB_FAILED);
		job_after(&job, &run, &end, &p, &again);
		ck_assert_int_eq(next.stamp, again.stamp);
		wait = next.stamp - end.end;
		ck_assert_int_ge(wait, 100 * SECOND);
		ck_assert_int_le(wait, 150 * SECOND);
		early += wait < 105 * SECOND;
		late += wait > 145 * SECOND;
	}
	ck_assert_int_gt(early, 50);
	ck_assert_int_lt(early, 200);
	ck_assert_int_gt(late, 50);
	ck_assert_int_lt(late, 200);
}
END_TEST

START_TEST(after_attempt)
{
	struct job_name run = {
		.stamp = 1500 * SECOND, .attempt = after[_i].attempt,
		.priority = 7, .timed = _i % 2, .id = "job1",
	};
	struct job_attempt end = {
		.number = run.attempt, .outcome = after[_i].outcome,
		.value = after[_i].value, .start = run.stamp,
		.end = ENDED_AT * SECOND,
	};
	bool again = after[_i].state == JOB_PENDING;
	struct job_name next;
	struct job job;

	job_init(&job);
	job.created = CREATED_AT * SECOND;
	job.max_retries = after[_i].retries;
	job.backoff_base = after[_i].base;
	job.backoff_max = after[_i].max;
	memset(&next, 0xff, sizeof next);
	ck_assert_int_eq(job_after(&job, &run, &end, &policy, &next),
	    after[_i].state);
	ck_assert_uint_eq(next.attempt, after[_i].next);
	ck_assert_int_eq(next.timed, after[_i].state == JOB_FAILED);
	ck_assert_int_eq(next.stamp,
	    ((again ? CREATED_AT : ENDED_AT) + after[_i].wait) * SECOND);
	ck_assert_uint_eq(next.priority, 7);
	ck_assert_str_eq(next.id, "job1");
	/* The next name may take the place of the last one. */
	ck_assert_int_eq(job_after(&job, &run, &end, &policy, &run),
	    after[_i].state);
	ck_assert(run.stamp == next.stamp && run.attempt == next.attempt);
}
END_TEST

/* Lost again and again: in the history already or not, the losses count
 * alike; those before a retry and other outcomes do not. */
START_TEST(after_losses)
{
	static const int64_t waits[] = { 2, 4, 8, 16 };
	struct job_name run = { .attempt = 2, .id = "a" }, next;
	struct job_attempt past[12], lost = { .outcome = JOB_LOST };
	enum job_state state_in, state_out;
	struct job job;
	size_t i;

	for (i = 0; i < 12; i++) {
		past[i] = lost;
		past[i].start = (int64_t)i + 1; /* what tells them apart */
	}
	past[3].outcome = JOB_EXIT;  /* old: 0, 1, 2; then exit, requeued */
	past[4].outcome = JOB_REQUEUED;
	job_init(&job);
	job.attempt = past;
	job.counted = 3;
	for (i = 0; i < 6; i++) {
		job.nattempt = 5 + i;
		state_out = job_after(&job, &run, &lost, &policy, &next);
		ck_assert_int_eq(state_out, i < 4 ? JOB_FAILED : JOB_DEAD);
		ck_assert_int_eq(next.timed, i < 4);
		ck_assert_int_eq(next.stamp, i < 4 ? waits[i] * SECOND : 0);
		ck_assert_uint_eq(next.attempt, 1);
		job.nattempt++;
		state_in = job_after(&job, &run, &past[5 + i], &policy,
		    &next);
		ck_assert_int_eq(state_in, state_out);
		ck_assert_int_eq(next.stamp, i < 4 ? waits[i] * SECOND : 0);
	}
	job.counted = job.nattempt;
	ck_assert_int_eq(job_after(&job, &run, &lost, &policy, &next),
	    JOB_FAILED);
	ck_assert_int_eq(next.stamp, 2 * SECOND);
}
END_TEST

START_TEST(after_extremes)
{
	struct job_name run = { .attempt = 1, .id = "a" }, next;
	struct job_attempt end = {
		.outcome = JOB_EXIT, .value = 1, .end = INT64_MAX,
	};
	struct job_policy once = policy;
	struct job job;

	job_init(&job);
	ck_assert_int_eq(job_after(&job, &run, &end, &policy, &next),
	    JOB_FAILED);
	ck_assert_int_eq(next.stamp, JOB_TIME_MAX);
	end.end = JOB_TIME_MAX;
	ck_assert_int_eq(job_after(&job, &run, &end, &policy, &next),
	    JOB_FAILED);
	ck_assert_int_eq(next.stamp, JOB_TIME_MAX);
	end.end = INT64_MIN;
	end.value = 0;
	ck_assert_int_eq(job_after(&job, &run, &end, &policy, &next), JOB_DONE);
	ck_assert_int_eq(next.stamp, 0);
	end.outcome = JOB_REQUEUED;
	ck_assert_int_eq(job_after(&job, &run, &end, &policy, &next),
	    JOB_PENDING);
	ck_assert_int_eq(next.stamp, 0);
	end.outcome = JOB_LOST;
	once.max_crashes = 1;
	ck_assert_int_eq(job_after(&job, &run, &end, &once, &next), JOB_DEAD);
	once.max_crashes = 0;
	ck_assert_int_eq(job_after(&job, &run, &end, &once, &next), JOB_DEAD);
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

START_TEST(states)
{
	static const char *const dirs[] = {
		"pending", "processing", "done", "failed", "dead"
	};
	int i;

	for (i = 0; i < JOB_STATES; i++) {
		ck_assert_str_eq(job_state_dir((enum job_state)i), dirs[i]);
		ck_assert_str_eq(job_state_word((enum job_state)i),
		    i == JOB_DONE ? "completed" : dirs[i]);
	}
}
END_TEST

/* job_free() leaves what the caller filled in. */
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

static void
add_loops(TCase *t)
{
	tcase_add_loop_test(t, bad_text, 0, COUNT(bad));
	tcase_add_loop_test(t, outcome, 0, COUNT(outcomes));
	tcase_add_loop_test(t, history, 0, COUNT(histories));
	tcase_add_loop_test(t, large, 0, 8);
	tcase_add_loop_test(t, name_hostile, 0, COUNT(hostile));
	tcase_add_loop_test(t, time_parse, 0, COUNT(times));
	tcase_add_loop_test(t, seconds_both_ways, 0, COUNT(seconds));
	tcase_add_test(t, no_time_is_negative);
	tcase_add_loop_test(t, after_attempt, 0, COUNT(after));
	tcase_add_loop_test(t, codes_both_ways, 0, COUNT(codes));
	tcase_add_test(t, dies_of_some_exits);
	tcase_add_test(t, scatters_retries);
	tcase_add_loop_test(t, escape, 0, COUNT(escapes));
	tcase_add_loop_test(t, title, 0, COUNT(titles));
}

static void
add_tests(TCase *t)
{
	tcase_add_test(t, round_trip);
	tcase_add_test(t, written);
	tcase_add_test(t, read_all_keys);
	tcase_add_test(t, read_least);
	tcase_add_test(t, cut_text);
	tcase_add_test(t, error_text);
	tcase_add_test(t, damaged);
	tcase_add_test(t, name_format);
	tcase_add_test(t, name_round_trip);
	tcase_add_test(t, name_order);
	tcase_add_test(t, id_valid);
	tcase_add_test(t, id_make);
	tcase_add_test(t, calendar);
	tcase_add_test(t, time_format);
	tcase_add_test(t, number_parse);
	tcase_add_test(t, backoff);
	tcase_add_test(t, allowed);
	tcase_add_test(t, after_losses);
	tcase_add_test(t, after_extremes);
	tcase_add_test(t, states);
	tcase_add_test(t, free_borrowed);
}

int
main(void)
{
	Suite *suite = suite_create("job");
	TCase *t = tcase_create("job");
	SRunner *runner;
	int failed;

	tcase_set_timeout(t, 60);
	add_loops(t);
	add_tests(t);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	/* pure: nothing that one leaves behind can reach the next */
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
