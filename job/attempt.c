/*
 * attempt.c: the lines that are appended to a job's text.  job.c specifies them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <string.h>

#include "job/attempt.h"

#define SECOND INT64_C(1000000)
#define USED_MAX (SECOND * JOB_NUMBER_MAX) /* as a span is read */

enum { ERROR_MAX = 200 };

static const struct {
	const char *word;
	bool value;         /* "=N" follows; after "error", "=TEXT" */
	const char *people; /* the same in words, before the same value */
} outcomes[] = {
	[JOB_EXIT] = { "exit", true, "exit " },
	[JOB_SIGNAL] = { "signal", true, "killed by signal " },
	[JOB_TIMEOUT] = { "timeout", false, "timed out" },
	[JOB_LOST] = { "lost", false,
	    "lost (its worker or the machine died)" },
	[JOB_REQUEUED] = { "requeued", false, "stopped and requeued" },
	[JOB_ERROR] = { "error", true, "could not be started: " },
	[JOB_CANCELLED] = { "cancelled", false, "cancelled" },
};

/* At most ERROR_MAX bytes, and no half of a character. */
static void
put_error(struct buf *b, const char *s)
{
	size_t n = strlen(s), i;

	if (n > ERROR_MAX) {
		for (n = ERROR_MAX; n > ERROR_MAX - 3 &&
		    ((unsigned char)s[n] & 0xc0) == 0x80;)
			n--;
	}
	buf_putc(b, '=');
	for (i = 0; i < n; i++)
		buf_putc(b, (unsigned char)s[i] < 0x20 || s[i] == 0x7f ?
		    '?' : s[i]);
}

static void
put_used(struct buf *b, const struct job_attempt *a)
{
	buf_puts(b, " user=");
	job_seconds_format(b, a->user < USED_MAX ? a->user : USED_MAX);
	buf_puts(b, " sys=");
	job_seconds_format(b, a->sys < USED_MAX ? a->sys : USED_MAX);
	buf_puts(b, " maxrss=");
	buf_number(b, a->maxrss > 0 ? a->maxrss : 0);
}

void
job_format_attempt(struct buf *b, const struct job_attempt *a)
{
	char start[JOB_TIME_LEN + 1], end[JOB_TIME_LEN + 1];

	job_time_format(start, a->start);
	job_time_format(end, a->end);
	buf_printf(b, "Attempt: %u start=%s end=%s %s", a->number, start, end,
	    outcomes[a->outcome].word);
	if (a->outcome == JOB_ERROR)
		put_error(b, a->error ? a->error : "");
	else if (outcomes[a->outcome].value)
		buf_printf(b, "=%d", a->value);
	buf_printf(b, " log=%lld", (long long)(a->log > 0 ? a->log : 0));
	if (a->measured)
		put_used(b, a);
	buf_printf(b, " worker=%ld\n", a->worker > 0 ? a->worker : 0);
}

void
job_format_retried(struct buf *b, int64_t time)
{
	char text[JOB_TIME_LEN + 1];

	job_time_format(text, time);
	buf_printf(b, "Retried: %s\n", text);
}

/* Ends `s` at the last `what` in it and returns what follows that, or NULL. */
static char *
split_last(char *s, const char *what)
{
	size_t n = strlen(what), i = strlen(s);

	while (i-- > 0) {
		if (strncmp(s + i, what, n) == 0) {
			s[i] = '\0';
			return s + i + n;
		}
	}
	return NULL;
}

/* Reads the time after `label`; *s moves past the space behind it. */
static bool
read_time(char **s, const char *label, int64_t *time)
{
	size_t n = strlen(label);
	char *p = *s, *space;

	space = strchr(p, ' ');
	if (strncmp(p, label, n) != 0 || !space)
		return false;
	*space = '\0';
	*s = space + 1;
	return job_time_parse(p + n, time);
}

static bool
read_outcome(const char *s, struct job_attempt *a)
{
	int64_t value;
	size_t i, n;

	for (i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
		n = strlen(outcomes[i].word);
		if (strncmp(s, outcomes[i].word, n) == 0 &&
		    s[n] == (outcomes[i].value ? '=' : '\0'))
			break;
	}
	if (i == sizeof outcomes / sizeof *outcomes)
		return false;
	a->outcome = (enum job_outcome)i;
	if (a->outcome == JOB_ERROR)
		a->error = s + n + 1;
	if (outcomes[i].value && a->outcome != JOB_ERROR) {
		if (!job_number_parse(s + n + 1, 0, JOB_NUMBER_MAX, &value))
			return false;
		a->value = (int)value;
	}
	return true;
}

/* `s` is what follows " log=", and ends behind the offset then. */
static bool
read_used(char *s, struct job_attempt *a)
{
	char *maxrss = split_last(s, " maxrss=");
	char *sys = maxrss ? split_last(s, " sys=") : NULL;
	char *user = sys ? split_last(s, " user=") : NULL;

	a->measured = maxrss != NULL;
	return !maxrss || (user && job_span_parse(user, &a->user) &&
	    job_span_parse(sys, &a->sys) &&
	    job_number_parse(maxrss, 0, INT64_MAX, &a->maxrss));
}

/* `s` is what follows "Attempt: ". */
static bool
read_attempt(char *s, struct job_attempt *a)
{
	char *worker, *log, *space;
	int64_t n, pid;

	*a = (struct job_attempt){ 0 };
	worker = split_last(s, " worker=");
	log = worker ? split_last(s, " log=") : NULL;
	space = log ? strchr(s, ' ') : NULL;
	if (!space)
		return false;
	*space = '\0';
	if (!job_number_parse(s, 0, UINT_MAX, &n) ||
	    !job_number_parse(worker, 0, LONG_MAX, &pid) ||
	    !read_used(log, a) ||
	    !job_number_parse(log, 0, INT64_MAX, &a->log))
		return false;
	a->number = (unsigned)n;
	a->worker = (long)pid;
	s = space + 1;
	return read_time(&s, "start=", &a->start) &&
	    read_time(&s, "end=", &a->end) && read_outcome(s, a);
}

enum job_line
job_line_read(char *line, size_t len, struct job_attempt *a, int64_t *retried)
{
	static const char attempt[] = "Attempt: ", again[] = "Retried: ";
	const size_t n = sizeof attempt - 1;
	struct job_attempt found;

	if (strlen(line) < len)
		return JOB_LINE_OTHER;
	if (strncmp(line, attempt, n) == 0 && read_attempt(line + n, &found)) {
		*a = found;
		return JOB_LINE_ATTEMPT;
	}
	return strncmp(line, again, n) == 0 &&
	    job_time_parse(line + n, retried) ? JOB_LINE_RETRIED :
	    JOB_LINE_OTHER;
}

void
job_outcome_words(struct buf *b, const struct job_attempt *a)
{
	buf_puts(b, outcomes[a->outcome].people);
	if (a->outcome == JOB_ERROR)
		job_escape(b, a->error ? a->error : "", 0);
	else if (outcomes[a->outcome].value)
		buf_printf(b, "%d", a->value);
}

const char *
job_outcome_word(enum job_outcome outcome)
{
	return outcomes[outcome].word;
}

void
job_used_words(struct buf *b, const struct job_attempt *a)
{
	const char *unit = "KMGTPEZ";
	int64_t n = a->maxrss, rest = 0;

	for (; n >= 1024; n /= 1024, unit++)
		rest = n % 1024;
	buf_printf(b, "%lld.%03lld s user, %lld.%03lld s system, "
	    "%lld.%lld %ciB", (long long)(a->user / SECOND),
	    (long long)(a->user % SECOND / 1000),
	    (long long)(a->sys / SECOND),
	    (long long)(a->sys % SECOND / 1000),
	    (long long)n, (long long)(rest * 10 / 1024), *unit);
}
