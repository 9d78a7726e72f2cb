/*
 * job.c: a job's file name, its text, and what becomes of it.
 *
 * THE NAME of a job in a state directory is
 *
 *	PRIORITY SEP STAMP - ATTEMPT - ID    5-20261124T053012.345678Z-0-job1
 *
 * PRIORITY one digit, 0 runs first; SEP '-' (STAMP only orders) or '@' (not
 * before STAMP); STAMP UTC, YYYYMMDDTHHMMSS.uuuuuuZ; ATTEMPT decimal, from 0
 * to 2147483647, the attempts charged; ID 1-64 of A-Za-z0-9._-, the first a
 * letter, a digit or '_'.  There is one way to write a name: no leading zeros,
 * no second 60.
 *
 * THE TEXT is a header, written once, and lines that are appended to it.  The
 * first line of the header is "Queuectl: 1", its last one begins with
 * "Created:".  Between them stand "Key: value" lines, in any order; one space
 * after the colon is not part of the value.  A newline in a value is stored as
 * newline and space.  A key is printable ASCII without space and colon, and
 * its case matters; unknown keys are ignored.  No key but Arg and Env comes
 * twice, and no byte of the header is NUL.
 *
 *	Id            as in the name
 *	Command       for /bin/sh -c, not empty; or else
 *	Arg           one argument, in order; the first is not empty
 *	Max-Retries   attempts in all
 *	Backoff-Base  seconds after the first failure
 *	Backoff-Max   seconds at most
 *	Priority      0 to 9
 *	Timeout       seconds, perhaps with a fraction of up to six digits
 *	Dead-Exit     exit statuses after which it is dead: 2,65-78
 *	Run-At        a time as RFC 3339 has it
 *	Cwd           a directory
 *	Env           NAME=value, NAME being [A-Za-z_][A-Za-z0-9_]*
 *	Stdin         what the job reads
 *	Unique        yes or no: whether it was enqueued so
 *	Created       a time; never continued, and its newline may be missing
 *
 * Numbers are decimal integers from 0 to 2147483647.  One of Command and Arg
 * must be there; queuectl writes Id and Created too.  After the header count
 * whole lines, each ending with a newline and holding no NUL, of the forms
 *
 *	Attempt: N start=TIME end=TIME OUTCOME log=OFFSET worker=PID
 *	Retried: TIME
 *
 * and everything else is skipped: torn lines, blank ones, whatever.  OUTCOME
 * is exit=N, signal=N, timeout, lost, requeued, cancelled or error=TEXT.  TEXT
 * may hold spaces and what looks like the fields behind it: those are looked
 * for from the right.  Attempts before the last Retried line no longer count.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>

#include "job/job.h"
#include "job/json.h"

enum { SECOND = 1000000, ERROR_MAX = 200 };

/* A file that begins otherwise is not ours to understand. */
static const char magic[] = "Queuectl: 1";

/* In the order in which they are written. */
enum key {
	ID, COMMAND, ARG, MAX_RETRIES, BACKOFF_BASE, BACKOFF_MAX, PRIORITY,
	TIMEOUT, DEAD_EXIT, RUN_AT, CWD, ENV, STDIN, UNIQUE, CREATED, KEYS
};

static const struct {
	const char *name;
	const char *wrong;  /* what is wrong with a value that is refused */
} keys[] = {
	[ID] = { "Id", "Id is no valid job id" },
	[COMMAND] = { "Command", "Command is empty" },
	[ARG] = { "Arg", "the first Arg is empty" },
	[MAX_RETRIES] = { "Max-Retries",
	    "Max-Retries is no number from 0 to 2147483647" },
	[BACKOFF_BASE] = { "Backoff-Base",
	    "Backoff-Base is no number from 0 to 2147483647" },
	[BACKOFF_MAX] = { "Backoff-Max",
	    "Backoff-Max is no number from 0 to 2147483647" },
	[PRIORITY] = { "Priority", "Priority is no number from 0 to 9" },
	[TIMEOUT] = { "Timeout",
	    "Timeout is no number of seconds from 0 to 2147483647" },
	[DEAD_EXIT] = { "Dead-Exit",
	    "Dead-Exit is no list of codes and ranges from 1 to 255" },
	[RUN_AT] = { "Run-At", "Run-At is no RFC 3339 time from 1970 on" },
	[CWD] = { "Cwd", NULL },
	[ENV] = { "Env", "Env is not NAME=value" },
	[STDIN] = { "Stdin", NULL },
	[UNIQUE] = { "Unique", "Unique is neither yes nor no" },
	[CREATED] = { "Created", "Created is no RFC 3339 time from 1970 on" },
};

static const char no_memory[] = "out of memory";

static const struct {
	const char *word;
	bool value;         /* "=N" follows; of ERROR, "=TEXT" */
	const char *people; /* the same in words; the value follows here too */
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

void
job_init(struct job *job)
{
	*job = (struct job){
		.priority = -1, .max_retries = -1,
		.backoff_base = -1, .backoff_max = -1,
		.timeout = -1, .run_at = -1, .created = -1, .retried = -1,
	};
}

void
job_free(struct job *job)
{
	if (job->text) {
		free(job->argv);
		free(job->env);
		free(job->attempt);
		free(job->text);
	}
	job_init(job);
}

/* Numbers and times. */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool
job_number_parse(const char *s, int64_t min, int64_t max, int64_t *n)
{
	int64_t v = 0;
	int d;

	if (!is_digit(*s) || (s[0] == '0' && s[1]))
		return false;
	for (; is_digit(*s); s++) {
		d = *s - '0';
		if (v > (INT64_MAX - d) / 10)
			return false;
		v = v * 10 + d;
	}
	if (*s || v < min || v > max)
		return false;
	*n = v;
	return true;
}

/* Exactly n digits; moves *s past them. */
static bool
read_digits(const char **s, int n, int *value)
{
	const char *p = *s, *end = p + n;
	int v = 0;

	for (; p < end; p++) {
		if (!is_digit(*p))
			return false;
		v = v * 10 + (*p - '0');
	}
	*s = p;
	*value = v;
	return true;
}

static bool
read_char(const char **s, char c)
{
	if (**s != c)
		return false;
	++*s;
	return true;
}

/* At least one digit of a fraction of a second, in microseconds; the count of
 * digits, of which those after the sixth are dropped. */
static int
read_fraction(const char **s, int *us)
{
	int n;

	*us = 0;
	for (n = 0; is_digit(**s); ++*s) {
		if (n < 6)
			*us = *us * 10 + (**s - '0');
		if (n < INT_MAX)
			n++;
	}
	for (int i = n; i < 6; i++)
		*us *= 10;
	return n;
}

static char *
put_digits(char *p, int64_t value, int n)
{
	for (int i = n; i-- > 0; value /= 10)
		p[i] = (char)('0' + value % 10);
	return p + n;
}

struct civil {
	int year, month, day, hour, minute, second, us;
};

/*
 * Days since 1970-01-01, and back, by the arithmetic of Howard Hinnant,
 * "chrono-Compatible Low-Level Date Algorithms" (days_from_civil,
 * civil_from_days): the year begins in March, so that the leap day is its
 * last, and 400 years are one era of 146097 days.  For years after 0 only.
 */
static int64_t
days_from_civil(int y, int m, int d)
{
	int era, yoe, doy;

	y -= m <= 2;
	era = y / 400;
	yoe = y % 400;
	doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	return (int64_t)era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy -
	    719468;
}

static void
civil_from_days(int64_t days, struct civil *c)
{
	int z = (int)days + 719468;
	int era = z / 146097, doe = z % 146097;
	int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int mp = (5 * doy + 2) / 153;

	c->day = doy - (153 * mp + 2) / 5 + 1;
	c->month = mp < 10 ? mp + 3 : mp - 9;
	c->year = era * 400 + yoe + (c->month <= 2);
}

static int64_t
clamp_time(int64_t time)
{
	return time < 0 ? 0 : time > JOB_TIME_MAX ? JOB_TIME_MAX : time;
}

static void
civil_from_time(int64_t time, struct civil *c)
{
	int64_t seconds;
	int rest;

	time = clamp_time(time);
	seconds = time / SECOND;
	rest = (int)(seconds % 86400);
	civil_from_days(seconds / 86400, c);
	c->hour = rest / 3600;
	c->minute = rest / 60 % 60;
	c->second = rest % 60;
	c->us = (int)(time % SECOND);
}

/* `offset` is what local time is ahead of UTC, in minutes. */
static bool
time_from_civil(const struct civil *c, int offset, int64_t *time)
{
	static const char lengths[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
	};
	bool leap = c->year % 4 == 0 && (c->year % 100 || c->year % 400 == 0);
	int64_t t;

	/* A local time of 1969 may be a 1970 in UTC, none of 1968 is. */
	if (c->year < 1969 || c->month < 1 || c->month > 12 || c->day < 1 ||
	    c->day > lengths[c->month - 1] + (leap && c->month == 2) ||
	    c->hour > 23 || c->minute > 59 || c->second > 60)
		return false;
	t = days_from_civil(c->year, c->month, c->day) * 86400 +
	    c->hour * 3600 + c->minute * 60 + c->second - offset * 60;
	t = t * SECOND + c->us;
	if (t < 0 || t > JOB_TIME_MAX)
		return false;
	*time = t;
	return true;
}

void
job_stamp_format(char out[JOB_STAMP_LEN + 1], int64_t time)
{
	struct civil c;
	char *p = out;

	civil_from_time(time, &c);
	p = put_digits(p, c.year, 4);
	p = put_digits(p, c.month, 2);
	p = put_digits(p, c.day, 2);
	*p++ = 'T';
	p = put_digits(p, c.hour, 2);
	p = put_digits(p, c.minute, 2);
	p = put_digits(p, c.second, 2);
	*p++ = '.';
	p = put_digits(p, c.us, 6);
	*p++ = 'Z';
	*p = '\0';
}

static bool
read_stamp(const char **s, int64_t *time)
{
	struct civil c;

	return read_digits(s, 4, &c.year) && read_digits(s, 2, &c.month) &&
	    read_digits(s, 2, &c.day) && read_char(s, 'T') &&
	    read_digits(s, 2, &c.hour) && read_digits(s, 2, &c.minute) &&
	    read_digits(s, 2, &c.second) && read_char(s, '.') &&
	    read_digits(s, 6, &c.us) && read_char(s, 'Z') &&
	    c.second < 60 && time_from_civil(&c, 0, time);
}

void
job_time_format(char out[JOB_TIME_LEN + 1], int64_t time)
{
	char stamp[JOB_STAMP_LEN + 1];

	job_stamp_format(stamp, time);
	memcpy(out, "0000-00-00T00:00:00", 19);
	memcpy(out, stamp, 4);
	memcpy(out + 5, stamp + 4, 2);
	memcpy(out + 8, stamp + 6, 2);
	memcpy(out + 11, stamp + 9, 2);
	memcpy(out + 14, stamp + 11, 2);
	memcpy(out + 17, stamp + 13, 2);
	memcpy(out + 19, stamp + 15, 9);
}

/* "Z" or "+HH:MM", the last of a time. */
static bool
read_offset(const char *s, int *offset)
{
	bool behind = *s == '-';
	int hours, minutes;

	*offset = 0;
	if (*s == 'Z' || *s == 'z')
		return s[1] == '\0';
	if (*s != '+' && *s != '-')
		return false;
	s++;
	if (!read_digits(&s, 2, &hours) || !read_char(&s, ':') ||
	    !read_digits(&s, 2, &minutes) || *s ||
	    hours > 23 || minutes > 59)
		return false;
	*offset = hours * 60 + minutes;
	if (behind)
		*offset = -*offset;
	return true;
}

/* Second 60, a leap second, has no number of its own in the count of seconds
 * since 1970: it is the first of the next minute. */
bool
job_time_parse(const char *s, int64_t *time)
{
	struct civil c;
	int offset;

	if (!read_digits(&s, 4, &c.year) || !read_char(&s, '-') ||
	    !read_digits(&s, 2, &c.month) || !read_char(&s, '-') ||
	    !read_digits(&s, 2, &c.day))
		return false;
	if (*s != 'T' && *s != 't' && *s != ' ')
		return false;
	s++;
	if (!read_digits(&s, 2, &c.hour) || !read_char(&s, ':') ||
	    !read_digits(&s, 2, &c.minute) || !read_char(&s, ':') ||
	    !read_digits(&s, 2, &c.second))
		return false;
	c.us = 0;
	if (read_char(&s, '.') && read_fraction(&s, &c.us) == 0)
		return false;
	return read_offset(s, &offset) && time_from_civil(&c, offset, time);
}

void
job_seconds_format(struct buf *b, int64_t us)
{
	char fraction[7];
	int n = 6;

	if (us < 0)
		us = 0;
	buf_printf(b, "%lld", (long long)(us / SECOND));
	*put_digits(fraction, us % SECOND, 6) = '\0';
	while (n > 0 && fraction[n - 1] == '0')
		n--;
	if (n > 0) {
		buf_putc(b, '.');
		buf_add(b, fraction, (size_t)n);
	}
}

bool
job_seconds_parse(const char *s, int64_t *us)
{
	int64_t t = 0;
	int fraction = 0, n;

	if (!is_digit(*s) || (s[0] == '0' && is_digit(s[1])))
		return false;
	for (; is_digit(*s); s++) {
		t = t * 10 + (*s - '0');
		if (t > JOB_NUMBER_MAX)
			return false;
	}
	if (read_char(&s, '.')) {
		n = read_fraction(&s, &fraction);
		if (n < 1 || n > 6)
			return false;
	}
	t = t * SECOND + fraction;
	if (*s || t > (int64_t)JOB_NUMBER_MAX * SECOND)
		return false;
	*us = t;
	return true;
}

/* Ids and names. */

bool
job_id_valid(const char *id)
{
	size_t n;

	if (*id == '.' || *id == '-')
		return false;
	for (n = 0; id[n]; n++) {
		if (n == JOB_ID_MAX || (!is_letter(id[n]) && !is_digit(id[n]) &&
		    id[n] != '.' && id[n] != '_' && id[n] != '-'))
			return false;
	}
	return n > 0;
}

/* 36^10 microseconds are 115 years and some months. */
void
job_id_make(char id[JOB_ID_MAX + 1], int64_t time)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	int i;

	time = clamp_time(time);
	id[10] = '\0';
	for (i = 10; i-- > 0; time /= 36)
		id[i] = digits[time % 36];
}

/* An attempt beyond what job_name_parse() takes is written as the last that
 * it does: a count that stands still is better than a job nobody can read. */
void
job_name_format(char out[JOB_NAME_MAX + 1], const struct job_name *name)
{
	unsigned attempt = name->attempt, power = 1;
	char *p = out;

	if (attempt > JOB_NUMBER_MAX)
		attempt = JOB_NUMBER_MAX;
	*p++ = (char)('0' + name->priority % 10);
	*p++ = name->timed ? '@' : '-';
	job_stamp_format(p, name->stamp);
	p += JOB_STAMP_LEN;
	*p++ = '-';
	while (attempt / power >= 10)
		power *= 10;
	for (; power; power /= 10)
		*p++ = (char)('0' + attempt / power % 10);
	*p++ = '-';
	strcpy(p, name->id);
}

bool
job_name_parse(struct job_name *name, const char *file)
{
	const char *s = file;
	uint64_t n = 0;
	int priority;

	if (!read_digits(&s, 1, &priority) || (*s != '-' && *s != '@'))
		return false;
	name->priority = (unsigned char)priority;
	name->timed = *s++ == '@';
	if (!read_stamp(&s, &name->stamp) || !read_char(&s, '-'))
		return false;
	if (!is_digit(*s) || (*s == '0' && is_digit(s[1])))
		return false;
	for (; is_digit(*s) && n <= JOB_NUMBER_MAX; s++)
		n = n * 10 + (uint64_t)(*s - '0');
	if (n > JOB_NUMBER_MAX || !read_char(&s, '-') || !job_id_valid(s))
		return false;
	name->attempt = (unsigned)n;
	memcpy(name->id, s, strlen(s) + 1);
	return true;
}

int
job_name_compare(const struct job_name *a, const struct job_name *b)
{
	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	if (a->stamp != b->stamp)
		return a->stamp < b->stamp ? -1 : 1;
	return strcmp(a->id, b->id);
}

/* The text, written. */

static void
put_key(struct buf *b, enum key key)
{
	buf_puts(b, keys[key].name);
	buf_puts(b, ": ");
}

static void
put_value(struct buf *b, enum key key, const char *value)
{
	const char *newline;

	if (!value)
		return;
	put_key(b, key);
	for (; (newline = strchr(value, '\n')); value = newline + 1) {
		buf_add(b, value, (size_t)(newline - value));
		buf_puts(b, "\n ");
	}
	buf_puts(b, value);
	buf_putc(b, '\n');
}

static void
put_number(struct buf *b, enum key key, int value)
{
	if (value < 0)
		return;
	put_key(b, key);
	buf_number(b, value);
	buf_putc(b, '\n');
}

static void
put_time(struct buf *b, enum key key, int64_t time)
{
	char text[JOB_TIME_LEN + 1];

	job_time_format(text, time);
	put_value(b, key, text);
}

void
job_format(struct buf *b, const struct job *job)
{
	size_t i;

	buf_puts(b, magic);
	buf_putc(b, '\n');
	put_value(b, ID, job->id[0] ? job->id : NULL);
	put_value(b, COMMAND, job->command);
	for (i = 0; i < job->argc && !job->command; i++)
		put_value(b, ARG, job->argv[i]);
	put_number(b, MAX_RETRIES, job->max_retries);
	put_number(b, BACKOFF_BASE, job->backoff_base);
	put_number(b, BACKOFF_MAX, job->backoff_max);
	put_number(b, PRIORITY, job->priority);
	if (job->timeout >= 0) {
		put_key(b, TIMEOUT);
		job_seconds_format(b, job->timeout);
		buf_putc(b, '\n');
	}
	put_value(b, DEAD_EXIT, job->dead_exit);
	if (job->run_at >= 0)
		put_time(b, RUN_AT, job->run_at);
	put_value(b, CWD, job->cwd);
	for (i = 0; i < job->nenv; i++)
		put_value(b, ENV, job->env[i]);
	put_value(b, STDIN, job->input);
	put_value(b, UNIQUE, job->unique ? "yes" : NULL);
	put_time(b, CREATED, job->created);
}

/* At most ERROR_MAX bytes, and not the half of a character. */
static void
put_error(struct buf *b, const char *s)
{
	size_t n = strlen(s), cut = n, i;

	if (n > ERROR_MAX) {
		for (cut = ERROR_MAX; cut > ERROR_MAX - 3 &&
		    ((unsigned char)s[cut] & 0xc0) == 0x80;)
			cut--;
	}
	for (i = 0; i < cut; i++)
		buf_putc(b, (unsigned char)s[i] < 0x20 || s[i] == 0x7f ?
		    '?' : s[i]);
}

void
job_format_attempt(struct buf *b, const struct job_attempt *a)
{
	char start[JOB_TIME_LEN + 1], end[JOB_TIME_LEN + 1];

	job_time_format(start, a->start);
	job_time_format(end, a->end);
	buf_puts(b, "Attempt: ");
	buf_number(b, a->number);
	buf_puts(b, " start=");
	buf_puts(b, start);
	buf_puts(b, " end=");
	buf_puts(b, end);
	buf_putc(b, ' ');
	buf_puts(b, outcomes[a->outcome].word);
	if (outcomes[a->outcome].value)
		buf_putc(b, '=');
	if (a->outcome == JOB_ERROR)
		put_error(b, a->error ? a->error : "");
	else if (outcomes[a->outcome].value)
		buf_number(b, a->value);
	buf_puts(b, " log=");
	buf_number(b, a->log > 0 ? a->log : 0);
	buf_puts(b, " worker=");
	buf_number(b, a->worker > 0 ? a->worker : 0);
	buf_putc(b, '\n');
}

void
job_format_retried(struct buf *b, int64_t time)
{
	char text[JOB_TIME_LEN + 1];

	job_time_format(text, time);
	buf_printf(b, "Retried: %s\n", text);
}

/* The text, read. */

struct reader {
	struct job *job;
	char *p, *end;      /* what is still unread */
	size_t line;        /* the number of the line read last */
	unsigned seen;      /* 1 << enum key */
	size_t args, envs, attempts; /* allocated */
};

/* The next line; NUL takes the place of its newline, which *whole says was
 * there. */
static char *
read_line(struct reader *r, size_t *len, bool *whole)
{
	char *line = r->p, *newline;

	newline = memchr(line, '\n', (size_t)(r->end - line));
	*whole = newline != NULL;
	if (!newline)
		newline = r->end;
	*newline = '\0';
	*len = (size_t)(newline - line);
	r->p = newline + *whole;
	r->line++;
	return line;
}

/* Joins the lines that continue the value at `value`, which is the end of a
 * line of `len` bytes, where they stand; false: there is a NUL in one. */
static bool
read_value(struct reader *r, char *value, size_t len)
{
	char *w = value + len, *line;
	size_t n;
	bool whole;

	while (r->p < r->end && *r->p == ' ') {
		line = read_line(r, &n, &whole);
		if (memchr(line, '\0', n))
			return false;
		*w++ = '\n';
		memmove(w, line + 1, n - 1);
		w += n - 1;
	}
	*w = '\0';
	return true;
}

/* Adds to an array that is kept terminated by a NULL. */
static bool
add_string(const char ***array, size_t *n, size_t *cap, const char *s)
{
	const char **p = *array;

	if (*n + 2 > *cap) {
		*cap = *cap ? 2 * *cap : 8;
		p = realloc(p, *cap * sizeof *p);
		if (!p)
			return false;
		*array = p;
	}
	p[(*n)++] = s;
	p[*n] = NULL;
	return true;
}

size_t
job_env_name(const char *s)
{
	size_t n = 0;

	while (is_letter(s[n]) || s[n] == '_' || (n && is_digit(s[n])))
		n++;
	return n;
}

static bool
set_number(int *field, const char *value, int max)
{
	int64_t n;

	if (!job_number_parse(value, 0, max, &n))
		return false;
	*field = (int)n;
	return true;
}

/* All but Arg and Env; false: the value is refused. */
static bool
set_field(struct job *job, enum key key, const char *value)
{
	switch (key) {
	case ID:
		if (!job_id_valid(value))
			return false;
		memcpy(job->id, value, strlen(value) + 1);
		return true;
	case COMMAND:
		job->command = value;
		return *value != '\0';
	case MAX_RETRIES:
		return set_number(&job->max_retries, value, JOB_NUMBER_MAX);
	case BACKOFF_BASE:
		return set_number(&job->backoff_base, value, JOB_NUMBER_MAX);
	case BACKOFF_MAX:
		return set_number(&job->backoff_max, value, JOB_NUMBER_MAX);
	case PRIORITY:
		return set_number(&job->priority, value, JOB_PRIORITY_MAX);
	case TIMEOUT:
		return job_seconds_parse(value, &job->timeout);
	case DEAD_EXIT:
		job->dead_exit = value;
		return job_codes_parse(value, &(struct job_codes){ { 0 } });
	case RUN_AT:
		return job_time_parse(value, &job->run_at);
	case CWD:
		job->cwd = value;
		return true;
	case STDIN:
		job->input = value;
		return true;
	case UNIQUE:
		job->unique = !strcmp(value, "yes");
		return job->unique || !strcmp(value, "no");
	case CREATED:
		return job_time_parse(value, &job->created);
	default:
		return true;
	}
}

static const char *
set_key(struct reader *r, enum key key, const char *value)
{
	struct job *job = r->job;
	unsigned bit = 1U << key;
	unsigned other = key == COMMAND ? 1U << ARG :
	    key == ARG ? 1U << COMMAND : 0;

	if (r->seen & other)
		return "both Command and Arg";
	if ((r->seen & bit) && key != ARG && key != ENV)
		return "a key that was there already";
	r->seen |= bit;
	if ((key == ARG && job->argc == 0 && !*value) ||
	    (key == ENV && (!job_env_name(value) ||
	    value[job_env_name(value)] != '=')) || !set_field(job, key, value))
		return keys[key].wrong;
	if (key == ARG &&
	    !add_string(&job->argv, &job->argc, &r->args, value))
		return no_memory;
	if (key == ENV &&
	    !add_string(&job->env, &job->nenv, &r->envs, value))
		return no_memory;
	return NULL;
}

/* One field of the header.  *at is the line that an error is about. */
static const char *
read_field(struct reader *r, size_t *at)
{
	static const char nul[] = "a NUL byte";
	char *line, *value;
	size_t len, i, n;
	bool whole;

	line = read_line(r, &len, &whole);
	*at = r->line;
	if (memchr(line, '\0', len))
		return nul;
	for (n = 0; line[n] > ' ' && line[n] < 0x7f && line[n] != ':';)
		n++;
	if (n == 0 || line[n] != ':')
		return "neither \"Key: value\" nor the next line of a value";
	line[n] = '\0';
	for (i = 0; i < KEYS && strcmp(line, keys[i].name) != 0;)
		i++;
	value = line + n + 1;
	if (*value == ' ')
		value++;
	if (i != CREATED &&
	    !read_value(r, value, len - (size_t)(value - line))) {
		*at = r->line;
		return nul;
	}
	return i < KEYS ? set_key(r, (enum key)i, value) : NULL;
}

static const char *
read_header(struct reader *r, size_t *at)
{
	const char *line, *wrong = NULL;
	size_t len;
	bool whole;

	line = read_line(r, &len, &whole);
	*at = 1;
	if (len != sizeof magic - 1 || memcmp(line, magic, len) != 0) {
		len = sizeof magic - 2;
		if (strncmp(line, magic, len) == 0 && line[len] &&
		    !line[len + strspn(line + len, "0123456789.")])
			return "written by another version of queuectl";
		return "the first line is not \"Queuectl: 1\"";
	}
	while (!wrong && !(r->seen & 1U << CREATED)) {
		if (r->p == r->end) {
			*at = 0;
			return "the header has no end: no Created line";
		}
		wrong = read_field(r, at);
	}
	if (!wrong && !(r->seen & (1U << COMMAND | 1U << ARG))) {
		*at = 0;
		return "neither Command nor Arg";
	}
	return wrong;
}

/* Finds the last `what` in `s`, ends `s` there, and returns what follows. */
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

/* The time after `label`; *s moves past the space behind it. */
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
	else if (outcomes[i].value)
		return set_number(&a->value, s + n + 1, JOB_NUMBER_MAX);
	return true;
}

/* What follows "Attempt: ". */
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
	    !job_number_parse(log, 0, INT64_MAX, &a->log))
		return false;
	a->number = (unsigned)n;
	a->worker = (long)pid;
	s = space + 1;
	return read_time(&s, "start=", &a->start) &&
	    read_time(&s, "end=", &a->end) && read_outcome(s, a);
}

static bool
add_attempt(struct reader *r, const struct job_attempt *a)
{
	struct job *job = r->job;
	struct job_attempt *p = job->attempt;

	if (job->nattempt == r->attempts) {
		r->attempts = r->attempts ? 2 * r->attempts : 4;
		p = realloc(p, r->attempts * sizeof *p);
		if (!p)
			return false;
		job->attempt = p;
	}
	p[job->nattempt++] = *a;
	return true;
}

static const char *
read_history(struct reader *r)
{
	static const char attempt[] = "Attempt: ", retried[] = "Retried: ";
	const size_t n = sizeof attempt - 1;
	struct job_attempt a;
	char *line;
	size_t len;
	bool whole;

	while (r->p < r->end) {
		line = read_line(r, &len, &whole);
		if (!whole || len < n || memchr(line, '\0', len))
			continue;
		if (memcmp(line, attempt, n) == 0 &&
		    read_attempt(line + n, &a) && !add_attempt(r, &a))
			return no_memory;
		if (memcmp(line, retried, n) == 0 &&
		    job_time_parse(line + n, &r->job->retried))
			r->job->counted = r->job->nattempt;
	}
	return NULL;
}

const char *
job_parse(struct job *job, char *text, size_t len, size_t *line)
{
	struct reader r = { .job = job, .p = text, .end = text + len };
	const char *wrong;

	job_init(job);
	job->text = text;
	job->torn = len && text[len - 1] != '\n';
	text[len] = '\0';
	wrong = read_header(&r, line);
	if (!wrong || wrong == no_memory)
		*line = 0;
	return wrong ? wrong : read_history(&r);
}

/* What becomes of a job. */

int
job_backoff(int base, unsigned n, int max)
{
	int64_t wait = 1;

	if (base <= 0 || max <= 0)
		return 0;
	/* A base of 1 needs no loop; any other gets there in 31 rounds. */
	for (; n > 0 && base > 1 && wait < max; n--)
		wait *= base;
	return wait < max ? (int)wait : max;
}

unsigned
job_allowed(const struct job *job, const struct job_policy *policy)
{
	int n = job->max_retries >= 0 ? job->max_retries : policy->max_retries;

	return n > 0 ? (unsigned)n : 1;
}

/* How often it was lost since it was last enqueued or retried.  `end`, if not
 * NULL, is the latest loss, whether it is in the history yet or not; attempts
 * are told apart by when they started. */
unsigned
job_lost(const struct job *job, const struct job_attempt *end)
{
	unsigned n = end != NULL;
	size_t i;

	for (i = job->counted; i < job->nattempt; i++) {
		const struct job_attempt *a = &job->attempt[i];

		if (a->outcome == JOB_LOST && (!end || a->start != end->start))
			n++;
	}
	return n;
}

enum { CODE_MAX = 255 };

bool
job_codes_have(const struct job_codes *c, int code)
{
	return code > 0 && code <= CODE_MAX &&
	    c->bit[code / 32] >> code % 32 & 1;
}

/* A code at *s, which moves past it; 0: none. */
static int
read_code(const char **s)
{
	int n = 0;

	for (; is_digit(**s) && n <= CODE_MAX; ++*s)
		n = 10 * n + (**s - '0');
	return n <= CODE_MAX ? n : 0;
}

bool
job_codes_parse(const char *s, struct job_codes *c)
{
	int low, high;

	*c = (struct job_codes){ { 0 } };
	if (!*s)
		return true;
	do {
		low = high = read_code(&s);
		if (read_char(&s, '-'))
			high = read_code(&s);
		if (!low || high < low)
			return false;
		for (; low <= high; low++)
			c->bit[low / 32] |= 1U << low % 32;
	} while (read_char(&s, ','));
	return !*s;
}

void
job_codes_format(struct buf *b, const struct job_codes *c)
{
	const char *comma = "";
	int low, high;

	for (low = 1; low <= CODE_MAX; low = high + 1) {
		high = low;
		if (!job_codes_have(c, low))
			continue;
		while (job_codes_have(c, high + 1))
			high++;
		buf_printf(b, "%s%d", comma, low);
		if (high > low)
			buf_printf(b, "-%d", high);
		comma = ",";
	}
}

/* From 0 to 1023, the same for the same end of the same job: by FNV-1a,
 * http://www.isthe.com/chongo/tech/comp/fnv/. */
static int64_t
scatter(const struct job *job, int64_t end)
{
	uint32_t h = 2166136261u;
	const char *p;
	int i;

	for (p = job->id; *p; p++)
		h = (h ^ (unsigned char)*p) * 16777619u;
	for (i = 0; i < 8; i++)
		h = (h ^ (unsigned char)(end >> 8 * i)) * 16777619u;
	return (h ^ h >> 16) & 1023;
}

/* To wait as after n failures. */
static enum job_state
fail_until(const struct job *job, unsigned n, int64_t end,
    const struct job_policy *policy, struct job_name *next)
{
	int base = job->backoff_base >= 0 ? job->backoff_base :
	    policy->backoff_base;
	int max = job->backoff_max >= 0 ? job->backoff_max :
	    policy->backoff_max;

	int64_t wait = (int64_t)job_backoff(base, n, max) * SECOND;

	/* Jobs that failed together need not come again together. */
	wait += wait / 100 * policy->backoff_jitter * scatter(job, end) / 1023;
	next->timed = true;
	next->stamp = clamp_time(clamp_time(end) + wait);
	return JOB_FAILED;
}

enum job_state
job_after(const struct job *job, const struct job_name *run,
    const struct job_attempt *end, const struct job_policy *policy,
    struct job_name *next)
{
	struct job_name name = *run;
	struct job_codes codes = policy->dead_exit;
	unsigned n = name.attempt;
	bool lost = end->outcome == JOB_LOST;
	/* by no fault of the job, so it is not charged */
	bool free_of_charge = lost || end->outcome == JOB_REQUEUED ||
	    end->outcome == JOB_CANCELLED;

	/* `next` may be `run`. */
	name.timed = false;
	name.stamp = clamp_time(end->end);
	if (free_of_charge && name.attempt > 0)
		name.attempt--;
	if (end->outcome == JOB_REQUEUED)
		name.stamp = clamp_time(job->created);
	*next = name;
	if (end->outcome == JOB_REQUEUED)
		return JOB_PENDING;
	if (end->outcome == JOB_EXIT && end->value == 0)
		return JOB_DONE;
	if (end->outcome == JOB_CANCELLED)
		return JOB_DEAD;
	if (job->dead_exit)
		job_codes_parse(job->dead_exit, &codes);
	if (end->outcome == JOB_EXIT && job_codes_have(&codes, end->value))
		return JOB_DEAD;
	if (lost)
		n = job_lost(job, end);
	if (lost ? policy->max_crashes <= 0 ||
	    n >= (unsigned)policy->max_crashes : n >= job_allowed(job, policy))
		return JOB_DEAD;
	return fail_until(job, n, end->end, policy, next);
}

/* For people. */

/* Adds `s`, escaped, until it would be more than `max` bytes. */
void
job_escape(struct buf *b, const char *s, size_t max)
{
	const char *end = s + strlen(s);
	char unit[5];
	size_t n, len, used = 0;
	unsigned char c;

	for (; s < end; s += n, used += len) {
		c = (unsigned char)*s;
		n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		/* C1 controls (0xc2 0x80 to 0x9f) are no text either. */
		if (c < 0x20 || c == 0x7f || n > (size_t)(end - s) ||
		    !json_utf8(s, n) ||
		    (c == 0xc2 && (unsigned char)s[1] < 0xa0)) {
			n = 1;
			if (c == '\n' || c == '\t')
				snprintf(unit, sizeof unit, "\\%c",
				    c == '\n' ? 'n' : 't');
			else
				snprintf(unit, sizeof unit, "\\x%02x", c);
		} else {
			memcpy(unit, s, n);
			unit[n] = '\0';
		}
		len = strlen(unit);
		if (max && used + len > max) {
			buf_puts(b, "…");
			return;
		}
		buf_add(b, unit, len);
	}
}

static void
put_quoted(struct buf *b, const char *s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";
	const char *quote;

	if (*s && !s[strspn(s, plain)]) {
		buf_puts(b, s);
		return;
	}
	buf_putc(b, '\'');
	for (; (quote = strchr(s, '\'')); s = quote + 1) {
		buf_add(b, s, (size_t)(quote - s));
		buf_puts(b, "'\\''");
	}
	buf_puts(b, s);
	buf_putc(b, '\'');
}

void
job_title(struct buf *b, const struct job *job, size_t max)
{
	struct buf words = { 0 };
	size_t i;

	if (job->command) {
		job_escape(b, job->command, max);
		return;
	}
	/* No byte is shorter escaped, so `max` and one more are enough. */
	for (i = 0; i < job->argc && (!max || words.n <= max); i++) {
		if (i > 0)
			buf_putc(&words, ' ');
		put_quoted(&words, job->argv[i]);
	}
	if (words.failed)
		b->failed = true;
	else if (words.p)
		job_escape(b, words.p, max);
	buf_free(&words);
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

static const struct {
	const char *dir, *word;
} states[] = {
	[JOB_PENDING] = { "pending", "pending" },
	[JOB_PROCESSING] = { "processing", "processing" },
	[JOB_DONE] = { "done", "completed" },
	[JOB_FAILED] = { "failed", "failed" },
	[JOB_DEAD] = { "dead", "dead" },
};

const char *
job_state_dir(enum job_state state)
{
	return states[state].dir;
}

const char *
job_state_word(enum job_state state)
{
	return states[state].word;
}

const char *
job_outcome_word(enum job_outcome outcome)
{
	return outcomes[outcome].word;
}
