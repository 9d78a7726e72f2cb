/*
 * job.c: a job's text.
 *
 * The text is a header, written once, and lines that are appended to it.  The
 * first line of the header is "Queuectl: 1", its last one begins with
 * "Created:".  Between them stand "Key: value" lines, in any order; one space
 * after the colon is not part of the value.  A newline in a value is stored as
 * newline and space.  A key is printable ASCII without space and colon; its
 * case matters, and a reader ignores unknown keys.  Only Arg, Env, After,
 * After-Any and Lock may come more than once, and no byte of the header is NUL.
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
 *	After         the id of a job that must be completed before
 *	After-Any     the id of a job that must have ended before
 *	Lock          a lock that it needs; its name says so, too, and counts
 *	Created       a time; never continued, and its newline may be missing
 *
 * Numbers are decimal integers from 0 to 2147483647.  Either Command or Arg
 * must be there; queuectl always writes Id and Created, too.  After the header
 * a reader looks at whole lines without NUL of two forms
 *
 *	Attempt: N start=TIME end=TIME OUTCOME log=OFFSET USED worker=PID
 *	Retried: TIME
 *
 * and skips everything else, such as torn and blank lines.  OUTCOME is exit=N,
 * signal=N, timeout, lost, requeued, cancelled or error=TEXT.  TEXT may hold
 * spaces and even look like the fields behind it; a reader therefore looks for
 * those from the right.  USED is user=SECONDS sys=SECONDS maxrss=KIB, where that
 * was measured.  Attempts before the last Retried line do not count.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "job/job.h"

/* A file with another first line is not ours. */
static const char magic[] = "Queuectl: 1";

#define AT(field) offsetof(struct job, field)

/* What a key's value is, and its field in struct job. */
enum kind {
	IDENTIFIER, TEXT, NUMBER, SECONDS, CODES, TIME, SWITCH,
	NAMES,              /* one id of several */
	LIST                /* one string of several */
};

static const struct {
	const char *name;
	enum kind kind;
	size_t at;          /* its field's place in struct job */
	const char *wrong;  /* what is wrong with a value that is refused */
} keys[] = {
	[JOB_KEY_ID] = { "Id", IDENTIFIER, AT(id), "Id is no valid job id" },
	[JOB_KEY_COMMAND] = { "Command", TEXT, AT(command),
	    "Command is empty" },
	[JOB_KEY_ARG] = { "Arg", LIST, AT(argv), "the first Arg is empty" },
	[JOB_KEY_MAX_RETRIES] = { "Max-Retries", NUMBER, AT(max_retries),
	    "Max-Retries is no number from 0 to 2147483647" },
	[JOB_KEY_BACKOFF_BASE] = { "Backoff-Base", NUMBER, AT(backoff_base),
	    "Backoff-Base is no number from 0 to 2147483647" },
	[JOB_KEY_BACKOFF_MAX] = { "Backoff-Max", NUMBER, AT(backoff_max),
	    "Backoff-Max is no number from 0 to 2147483647" },
	[JOB_KEY_PRIORITY] = { "Priority", NUMBER, AT(priority),
	    "Priority is no number from 0 to 9" },
	[JOB_KEY_TIMEOUT] = { "Timeout", SECONDS, AT(timeout),
	    "Timeout is no number of seconds from 0 to 2147483647" },
	[JOB_KEY_DEAD_EXIT] = { "Dead-Exit", CODES, AT(dead_exit),
	    "Dead-Exit is no list of codes and ranges from 1 to 255" },
	[JOB_KEY_RUN_AT] = { "Run-At", TIME, AT(run_at),
	    "Run-At is no RFC 3339 time from 1970 on" },
	[JOB_KEY_CWD] = { "Cwd", TEXT, AT(cwd), NULL },
	[JOB_KEY_ENV] = { "Env", LIST, AT(env), "Env is not NAME=value" },
	[JOB_KEY_STDIN] = { "Stdin", TEXT, AT(input), NULL },
	[JOB_KEY_UNIQUE] = { "Unique", SWITCH, AT(unique),
	    "Unique is neither yes nor no" },
	[JOB_KEY_AFTER] = { "After", NAMES, AT(after), "After is no job id" },
	[JOB_KEY_AFTER_ANY] = { "After-Any", NAMES, AT(after_any),
	    "After-Any is no job id" },
	[JOB_KEY_LOCK] = { "Lock", NAMES, AT(lock),
	    "Lock is no name of a lock" },
	[JOB_KEY_CREATED] = { "Created", TIME, AT(created),
	    "Created is no RFC 3339 time from 1970 on" },
};

static const char no_memory[] = "out of memory", nul_byte[] = "a NUL byte";
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
		free(job->after.v);
		free(job->after_any.v);
		free(job->lock.v);
		free(job->text);
	}
	job_init(job);
}

const char *
job_value(const struct job *job, enum job_key key, char room[JOB_VALUE_ROOM])
{
	const void *field = (const char *)job + keys[key].at;
	enum kind kind = keys[key].kind;
	struct buf b;
	int64_t n;

	if (kind == IDENTIFIER)
		return *(const char *)field ? field : NULL;
	if (kind == TEXT || kind == CODES)
		return *(const char *const *)field;
	if (kind == SWITCH)
		return *(const bool *)field ? "yes" : NULL;
	n = kind == NUMBER ? *(const int *)field : *(const int64_t *)field;
	if (n < 0)
		return NULL;
	buf_on(&b, room, JOB_VALUE_ROOM);
	if (kind == NUMBER)
		buf_number(&b, n);
	else if (kind == SECONDS)
		job_seconds_format(&b, n);
	else
		job_time_format(room, n);
	return room;
}

struct job_list *
job_names(struct job *job, enum job_key key)
{
	return keys[key].kind != NAMES ? NULL :
	    (struct job_list *)(void *)((char *)job + keys[key].at);
}

bool
job_names_valid(enum job_key key, const char *value)
{
	return key == JOB_KEY_LOCK ? job_lock_valid(value) :
	    job_id_valid(value);
}

size_t
job_parents(const struct job *job)
{
	return job->after.n + job->after_any.n;
}

const char *
job_parent(const struct job *job, size_t i)
{
	return i < job->after.n ? job->after.v[i] :
	    job->after_any.v[i - job->after.n];
}

static void
put_value(struct buf *b, enum job_key key, const char *value)
{
	const char *newline;

	if (!value)
		return;
	buf_puts(b, keys[key].name);
	buf_puts(b, ": ");
	for (; (newline = strchr(value, '\n')); value = newline + 1) {
		buf_add(b, value, (size_t)(newline - value));
		buf_puts(b, "\n ");
	}
	buf_puts(b, value);
	buf_putc(b, '\n');
}

void
job_format(struct buf *b, const struct job *job)
{
	char room[JOB_VALUE_ROOM];
	const struct job_list *names;
	enum job_key key;
	size_t i;

	buf_puts(b, magic);
	buf_putc(b, '\n');
	for (key = JOB_KEY_ID; key < JOB_KEYS; key++) {
		if (keys[key].kind < NAMES)
			put_value(b, key, job_value(job, key, room));
		for (i = 0; key == JOB_KEY_ARG && i < job->argc; i++)
			put_value(b, key, job->argv[i]);
		for (i = 0; key == JOB_KEY_ENV && i < job->nenv; i++)
			put_value(b, key, job->env[i]);
		names = (const void *)((const char *)job + keys[key].at);
		for (i = 0; keys[key].kind == NAMES && i < names->n; i++)
			put_value(b, key, names->v[i]);
	}
}

struct reader {
	struct job *job;
	char *p, *end;      /* what is still unread */
	size_t line;        /* the number of the line read last */
	bool whole;         /* it had a newline */
	bool nul;           /* it holds a NUL byte */
	size_t at;          /* the line of an error; 0: the whole text */
	unsigned seen;      /* 1 << enum job_key */
	size_t args, envs, attempts; /* allocated */
	size_t names[JOB_KEYS];
};

/* The next line, its newline replaced by NUL. */
static char *
read_line(struct reader *r)
{
	char *line = r->p;
	char *newline = memchr(line, '\n', (size_t)(r->end - line));

	r->whole = newline != NULL;
	if (!newline)
		newline = r->end;
	*newline = '\0';
	r->nul = line + strlen(line) < newline;
	r->p = newline + r->whole;
	r->line++;
	return line;
}

/* Joins a value in place with the lines that continue it.  false: there is a
 * NUL byte in one. */
static bool
join_value(struct reader *r, char *value)
{
	char *w = value + strlen(value), *line;
	size_t n;

	while (r->p < r->end && *r->p == ' ') {
		line = read_line(r);
		if (r->nul)
			return false;
		n = strlen(line + 1);
		*w++ = '\n';
		memmove(w, line + 1, n);
		w += n;
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
read_int(int *field, const char *value, int max)
{
	int64_t n;

	if (!job_number_parse(value, 0, max, &n))
		return false;
	*field = (int)n;
	return true;
}

bool
job_set(struct job *job, enum job_key key, const char *value)
{
	void *field = (char *)job + keys[key].at;

	switch (keys[key].kind) {
	case IDENTIFIER:
		if (!job_id_valid(value))
			return false;
		strcpy(field, value);
		return true;
	case NUMBER:
		return read_int(field, value, key == JOB_KEY_PRIORITY ?
		    JOB_PRIORITY_MAX : JOB_NUMBER_MAX);
	case SECONDS:
		return job_span_parse(value, field);
	case TIME:
		return job_time_parse(value, field);
	case SWITCH:
		job->unique = !strcmp(value, "yes");
		return job->unique || !strcmp(value, "no");
	case CODES:
		job->dead_exit = value;
		return job_codes_parse(value, &(struct job_codes){ { 0 } });
	default:
		*(const char **)field = value;
		return *value || key != JOB_KEY_COMMAND;
	}
}

/* Adds one value of a key that may come more than once. */
static const char *
add_value(struct reader *r, enum job_key key, const char *value)
{
	struct job *job = r->job;
	struct job_list *names = job_names(job, key);
	size_t n = job_env_name(value);
	bool arg = key == JOB_KEY_ARG;

	if (names ? !job_names_valid(key, value) :
	    arg ? !job->argc && !*value : !n || value[n] != '=')
		return keys[key].wrong;
	if (names ?
	    add_string(&names->v, &names->n, &r->names[key], value) : arg ? add_string(&job->argv, &job->argc, &r->args, value) :
	    add_string(&job->env, &job->nenv, &r->envs, value))
		return NULL;
	return no_memory;
}

static const char *
set_key(struct reader *r, enum job_key key, const char *value)
{
	const unsigned both = 1U << JOB_KEY_COMMAND | 1U << JOB_KEY_ARG;
	bool again = r->seen & 1U << key;

	r->seen |= 1U << key;
	if ((r->seen & both) == both)
		return "both Command and Arg";
	if (keys[key].kind >= NAMES)
		return add_value(r, key, value);
	if (again)
		return "a key that was there already";
	return job_set(r->job, key, value) ? NULL : keys[key].wrong;
}

static const char *
read_field(struct reader *r)
{
	char *line = read_line(r), *value;
	size_t i, n;

	r->at = r->line;
	if (r->nul)
		return nul_byte;
	for (n = 0; line[n] > ' ' && line[n] < 0x7f && line[n] != ':';)
		n++;
	if (n == 0 || line[n] != ':')
		return "neither \"Key: value\" nor the next line of a value";
	line[n] = '\0';
	for (i = 0; i < JOB_KEYS && strcmp(line, keys[i].name) != 0;)
		i++;
	value = line + n + 1;
	if (*value == ' ')
		value++;
	if (i != JOB_KEY_CREATED && !join_value(r, value)) {
		r->at = r->line;
		return nul_byte;
	}
	return i < JOB_KEYS ? set_key(r, (enum job_key)i, value) : NULL;
}

static const char *
read_header(struct reader *r)
{
	const char *line = read_line(r), *wrong;
	const size_t n = sizeof magic - 2;

	r->at = 1;
	if (r->nul || strcmp(line, magic) != 0) {
		if (strncmp(line, magic, n) == 0 && line[n] &&
		    !line[n + strspn(line + n, "0123456789.")])
			return "written by another version of queuectl";
		return "the first line is not \"Queuectl: 1\"";
	}
	while (r->p < r->end && !(r->seen & 1U << JOB_KEY_CREATED))
		if ((wrong = read_field(r)))
			return wrong;
	r->at = 0;
	if (!(r->seen & 1U << JOB_KEY_CREATED))
		return "the header has no end: no Created line";
	if (!(r->seen & (1U << JOB_KEY_COMMAND | 1U << JOB_KEY_ARG)))
		return "neither Command nor Arg";
	return NULL;
}

static const char *
read_history(struct reader *r)
{
	struct job *job = r->job;
	struct job_attempt *p;
	enum job_line what;
	char *line;

	while (r->p < r->end) {
		p = array_room(job->attempt, &r->attempts, job->nattempt + 1,
		    sizeof *p);
		if (!p)
			return no_memory;
		job->attempt = p;
		line = read_line(r);
		what = !r->whole ? JOB_LINE_OTHER : job_line_read(line,
		    (size_t)(r->p - line) - 1, &p[job->nattempt],
		    &job->retried);
		if (what == JOB_LINE_ATTEMPT)
			job->nattempt++;
		else if (what == JOB_LINE_RETRIED)
			job->counted = job->nattempt;
	}
	return NULL;
}

size_t
job_header_size(const char *text, size_t len)
{
	static const char last[] = "\nCreated:";
	const size_t n = sizeof last - 1;
	const char *p, *end = text + len;

	for (p = text; (p = memchr(p, '\n', (size_t)(end - p))); p++) {
		if ((size_t)(end - p) < n || memcmp(p, last, n) != 0)
			continue;
		p = memchr(p + n, '\n', (size_t)(end - p) - n);
		return p ? (size_t)(p + 1 - text) : 0;
	}
	return 0;
}

const struct job_attempt *
job_last(const struct job *job)
{
	return job->nattempt ? &job->attempt[job->nattempt - 1] : NULL;
}

bool
job_has_run(const struct job *job)
{
	return job->nattempt || job->unread_to > job->unread_from;
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
	wrong = read_header(&r);
	if (!wrong)
		wrong = read_history(&r);
	*line = wrong == no_memory ? 0 : r.at;
	return wrong;
}

void
job_quote(struct buf *b, const char *s)
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
		job_quote(&words, job->argv[i]);
	}
	if (words.failed)
		b->failed = true;
	else if (words.p)
		job_escape(b, words.p, max);
	buf_free(&words);
}
