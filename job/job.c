/*
 * job.c: a job's text.
 *
 * The text is a header, written once, and lines that are appended to it.  The
 * first line of the header is "Queuectl: 1", its last one begins with
 * "Created:".  Between them stand "Key: value" lines, in any order; one space
 * after the colon is not part of the value.  A newline in a value is stored as
 * newline and space.  A key is printable ASCII without space and colon; its
 * case matters, and a reader ignores unknown keys.  Only Arg and Env may come
 * more than once, and no byte of the header is NUL.
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
 * Numbers are decimal integers from 0 to 2147483647.  Either Command or Arg
 * must be there; queuectl always writes Id and Created, too.  After the header
 * a reader looks at whole lines without NUL of two forms
 *
 *	Attempt: N start=TIME end=TIME OUTCOME log=OFFSET worker=PID
 *	Retried: TIME
 *
 * and skips everything else, such as torn and blank lines.  OUTCOME is exit=N,
 * signal=N, timeout, lost, requeued, cancelled or error=TEXT.  TEXT may hold
 * spaces and even look like the fields behind it; a reader therefore looks for
 * those from the right.  Attempts before the last Retried line do not count.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>

#include "job/job.h"

enum { ERROR_MAX = 200 };

/* A file with another first line is not ours. */
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

/* At most ERROR_MAX bytes, and no half of a character. */
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

struct reader {
	struct job *job;
	char *p, *end;      /* what is still unread */
	size_t line;        /* the number of the line read last */
	unsigned seen;      /* 1 << enum key */
	size_t args, envs, attempts; /* allocated */
};

/* The next line, its newline replaced by NUL; *whole: it had a newline. */
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

/* Joins a value of `len` bytes in place with the lines that continue it.
 * false: there is a NUL byte in one. */
static bool
join_value(struct reader *r, char *value, size_t len)
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

/* Adds to an array that ends with a NULL. */
static bool
add_string(const char ***array, size_t *n, size_t *cap, const char *s)
{
	const char **p = array_room(*array, cap, *n + 2, sizeof *p);

	if (!p)
		return false;
	*array = p;
	p[(*n)++] = s;
	p[*n] = NULL;
	return true;
}

size_t
job_env_name(const char *s)
{
	size_t n = 0;

	while (text_is_letter(s[n]) || s[n] == '_' || (n && text_is_digit(s[n])))
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

/* Stores any value but an Arg or Env; false: it is refused. */
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

/* Reads one field of the header; *at is the line of an error. */
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
	    !join_value(r, value, len - (size_t)(value - line))) {
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
	struct job_attempt *p = array_room(job->attempt, &r->attempts,
	    job->nattempt + 1, sizeof *p);

	if (!p)
		return false;
	job->attempt = p;
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
	/* Escapes never shorten, so `max` bytes and one more are enough. */
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

const char *
job_outcome_word(enum job_outcome outcome)
{
	return outcomes[outcome].word;
}
