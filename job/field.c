/*
 * field.c: a job as JSON.  One table has the fields that are read and the names
 * that are only printed, so that printed objects can be read again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "job/field.h"

struct reader {
	struct job *job;
	const struct field *field; /* the one being read */
	int64_t now;
	struct buf *why;           /* what is wrong, */
	const struct json *at;     /* and where */
	size_t cap;                /* of the list that is filled */
};

struct field {
	const char *name;
	/* Stores the value, which has the right type; NULL: the field is only
	 * printed, and ignored here. */
	bool (*set)(struct reader *, const struct json *);
	enum json_type type;       /* FALSE: or TRUE */
	enum job_key key;          /* its key in the job's text, if it has one
	                            * value; else JOB_KEYS */
	const char *want;          /* what the value must be, for people */
};

static bool
refuse(struct reader *r, const struct json *at, const char *what)
{
	r->at = at;
	buf_puts(r->why, what);
	return false;
}

/* Quotes the value as it was written, unless it is long. */
static bool
refuse_value(struct reader *r, const struct json *v, const char *want)
{
	r->at = v;
	buf_printf(r->why, "\"%s\" must be %s, not ", v->key, want);
	if (v->type == JSON_STRING)
		buf_putc(r->why, '"');
	job_escape(r->why, v->text, 60);
	if (v->type == JSON_STRING)
		buf_putc(r->why, '"');
	return false;
}

/* Most values are in JSON what they are in the job's text. */
static bool
set_value(struct reader *r, const struct json *v)
{
	const char *text = v->type == JSON_TRUE ? "yes" :
	    v->type == JSON_FALSE ? "no" : v->text;

	return job_set(r->job, r->field->key, text) ||
	    refuse_value(r, v, r->field->want);
}

static bool
set_id(struct reader *r, const struct json *v)
{
	return job_set(r->job, JOB_KEY_ID, v->text) ||
	    refuse_value(r, v, "1 to 64 of A-Z a-z 0-9 . _ - that begin with "
	    "a letter, a digit or _");
}

static bool
set_cwd(struct reader *r, const struct json *v)
{
	return *v->text ? set_value(r, v) : refuse(r, v, "\"cwd\" is empty");
}

static bool
set_delay(struct reader *r, const struct json *v)
{
	int64_t delay;

	if (!job_span_parse(v->text, &delay))
		return refuse_value(r, v, r->field->want);
	if (delay)
		r->job->run_at = r->now + delay;
	return true;
}

/* A whole number of seconds, or a span that is one. */
static bool
set_backoff_max(struct reader *r, const struct json *v)
{
	int64_t max;

	if (v->type == JSON_NUMBER)
		return set_value(r, v);
	if (!job_span_parse(v->text, &max) || max % 1000000)
		return refuse_value(r, v, r->field->want);
	r->job->backoff_max = (int)(max / 1000000);
	return true;
}

static bool
set_command(struct reader *r, const struct json *v)
{
	if (v->text[strspn(v->text, " \t\r\n")] == '\0')
		return refuse(r, v, "\"command\" is empty");
	if (strlen(v->text) > JOB_ARG_MAX)
		return refuse(r, v, "\"command\" is longer than 131071 bytes, "
		    "the longest argument that a program can be given; "
		    "put it into a file");
	return set_value(r, v);
}

static bool
set_argv(struct reader *r, const struct json *v)
{
	const struct json *e;
	size_t n = 0;

	for (e = v->child; e; e = e->next, n++) {
		r->at = e;
		if (e->type != JSON_STRING) {
			buf_printf(r->why, "\"argv\" must be %s, and one is "
			    "%s", r->field->want, json_type_name(e->type));
			return false;
		}
		if (strlen(e->text) > JOB_ARG_MAX)
			return refuse(r, e, "one of \"argv\" is longer than "
			    "131071 bytes, the longest argument that a "
			    "program can be given; put it into a file");
	}
	if (!v->child || !v->child->text[0])
		return refuse(r, v, "\"argv\" names no program");
	r->job->argv = malloc((n + 1) * sizeof *r->job->argv);
	if (!r->job->argv)
		return refuse(r, v, "out of memory");
	for (e = v->child; e; e = e->next)
		r->job->argv[r->job->argc++] = e->text;
	r->job->argv[r->job->argc] = NULL;
	return true;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp((*(const struct json *const *)a)->key,
	    (*(const struct json *const *)b)->key);
}

/* Finds a key of the object that is there twice; *twice is the second, or NULL.
 * false: out of memory. */
static bool
find_duplicate(const struct json *v, size_t n, const struct json **twice)
{
	const struct json **all = malloc((n + 1) * sizeof *all), *e;
	size_t i = 0;

	*twice = NULL;
	if (!all)
		return false;
	for (e = v->child; e; e = e->next)
		all[i++] = e;
	qsort(all, n, sizeof *all, compare_names);
	for (i = 1; i < n; i++)
		if (!strcmp(all[i - 1]->key, all[i]->key))
			*twice = all[i];
	free(all);
	return true;
}

/* Checks a member of "env". */
static bool
check_env(struct reader *r, const struct json *e)
{
	bool string = e->type == JSON_STRING;

	r->at = e;
	if (string && *e->key && !e->key[job_env_name(e->key)])
		return true;
	buf_puts(r->why, string ? "a name in \"env\" must be letters, digits "
	    "and _, no digit first, not \"" :
	    "\"env\" must be an object of strings, and \"");
	job_escape(r->why, e->key, 60);
	if (string)
		buf_putc(r->why, '"');
	else
		buf_printf(r->why, "\" is %s", json_type_name(e->type));
	return false;
}

static bool
set_env(struct reader *r, const struct json *v)
{
	struct job *job = r->job;
	struct buf b = { 0 };
	const struct json *e;
	size_t n = 0, at;

	/* Makes room for them all, so that none moves. */
	for (e = v->child, at = 1; e; e = e->next, n++) {
		if (!check_env(r, e))
			return false;
		at += strlen(e->key) + strlen(e->text) + 2;
	}
	if (!find_duplicate(v, n, &e))
		return refuse(r, v, "out of memory");
	if (e) {
		r->at = e;
		buf_printf(r->why, "\"env\" has \"%s\" twice", e->key);
		return false;
	}
	job->env = malloc((n + 1) * sizeof *job->env);
	if (!job->env || !buf_room(&b, at))
		return refuse(r, v, "out of memory");
	free(job->text);
	job->text = b.p;
	for (e = v->child; e; e = e->next) {
		job->env[job->nenv++] = b.p + b.n;
		buf_printf(&b, "%s=%s", e->key, e->text);
		b.n++; /* its NUL */
	}
	return true;
}

/* Adds a name to a list.  A name that is there already is not added again. */
static bool
add_name(struct reader *r, const struct json *v, const char *name)
{
	struct job_list *l = job_names(r->job, r->field->key);
	const char **p;
	size_t i;

	r->at = v;
	if (!job_names_valid(r->field->key, name)) {
		buf_printf(r->why, "\"%s\" must be %s, not \"",
		    r->field->name, r->field->want);
		job_escape(r->why, name, 60);
		buf_putc(r->why, '"');
		return false;
	}
	for (i = 0; i < l->n; i++)
		if (!strcmp(l->v[i], name))
			return true;
	p = array_room(l->v, &r->cap, l->n + 1, sizeof *p);
	if (!p)
		return refuse(r, v, "out of memory");
	l->v = p;
	p[l->n++] = name;
	return true;
}

/* Adds the names of a string, between its commas, which become NULs. */
static bool
add_names(struct reader *r, const struct json *v)
{
	char *name = v->text, *comma;

	while ((comma = strchr(name, ','))) {
		*comma = '\0';
		if (!add_name(r, v, name))
			return false;
		name = comma + 1;
	}
	return add_name(r, v, name);
}

/* A string or an array of strings. */
static bool
set_names(struct reader *r, const struct json *v)
{
	const struct json *e;

	r->cap = 0;
	if (v->type == JSON_STRING)
		return add_names(r, v);
	for (e = v->child; e; e = e->next) {
		r->at = e;
		if (e->type != JSON_STRING) {
			buf_printf(r->why, "\"%s\" must be %s, and one is %s",
			    r->field->name, r->field->want,
			    json_type_name(e->type));
			return false;
		}
		if (!add_names(r, e))
			return false;
	}
	return true;
}

static bool
set_hold(struct reader *r, const struct json *v)
{
	r->job->hold = v->type == JSON_TRUE;
	return true;
}

#define STRING "a string"
#define WHOLE "a whole number from 0 to 2147483647"
#define SECONDS "a number of seconds from 0 to 2147483647, such as 1.5, or a " \
	"span with a unit, such as \"15m\", \"12h\", \"7d\""

/* In the order in which they are printed. */
static const struct field fields[] = {
	{ "id", set_id, JSON_STRING, JOB_KEY_ID, STRING },
	{ "command", set_command, JSON_STRING, JOB_KEY_COMMAND, STRING },
	{ "argv", set_argv, JSON_ARRAY, JOB_KEYS,
	  "an array of strings, the program first" },
	{ "max_retries", set_value, JSON_NUMBER, JOB_KEY_MAX_RETRIES, WHOLE },
	{ "backoff_base", set_value, JSON_NUMBER, JOB_KEY_BACKOFF_BASE, WHOLE },
	{ "backoff_max", set_backoff_max, JSON_NUMBER, JOB_KEY_BACKOFF_MAX,
	  WHOLE ", or a span with a unit, such as \"15m\"" },
	{ "priority", set_value, JSON_NUMBER, JOB_KEY_PRIORITY,
	  "a whole number from 0 (first) to 9" },
	{ "delay", set_delay, JSON_NUMBER, JOB_KEYS, SECONDS },
	{ "run_at", set_value, JSON_STRING, JOB_KEY_RUN_AT,
	  "an RFC 3339 time such as 2026-11-24T05:30:00Z" },
	{ "timeout", set_value, JSON_NUMBER, JOB_KEY_TIMEOUT, SECONDS },
	{ "dead_exit", set_value, JSON_STRING, JOB_KEY_DEAD_EXIT,
	  "a string of exit statuses and "
	  "ranges from 1 to 255, such as \"2,65-78\"" },
	{ "cwd", set_cwd, JSON_STRING, JOB_KEY_CWD, STRING },
	{ "env", set_env, JSON_OBJECT, JOB_KEYS, "an object of strings" },
	{ "stdin", set_value, JSON_STRING, JOB_KEY_STDIN, STRING },
	{ "unique", set_value, JSON_FALSE, JOB_KEY_UNIQUE, "true or false" },
	{ "after", set_names, JSON_ARRAY, JOB_KEY_AFTER,
	  "the id of a job, or an array of ids" },
	{ "after_any", set_names, JSON_ARRAY, JOB_KEY_AFTER_ANY,
	  "the id of a job, or an array of ids" },
	{ "lock", set_names, JSON_ARRAY, JOB_KEY_LOCK, "1 to 32 of A-Z a-z 0-9 "
	  ". _ - that begin with a letter, a digit or _, or an array of such "
	  "names" },
	{ "hold", set_hold, JSON_FALSE, JOB_KEYS, "true or false" },
	{ .name = "state" }, { .name = "attempts" }, { .name = "created_at" },
	{ .name = "updated_at" }, { .name = "next_retry_at" },
	{ .name = "exit_code" }, { .name = "signal" }, { .name = "error" },
	{ .name = "worker_pid" }, { .name = "earlier_attempts" },
	{ .name = "history" }, { .name = "why" },
};

enum { FIELDS = sizeof fields / sizeof fields[0] };

const char *
field_of_option(const char *option, enum json_type *type)
{
	size_t i;

	for (i = 0; i < FIELDS && fields[i].set; i++) {
		*type = fields[i].type;
		if (text_same_key(fields[i].name, option))
			return fields[i].name;
	}
	return NULL;
}

static bool
refuse_unknown(struct reader *r, const struct json *v)
{
	struct text_guess guess = { .name = NULL };
	const struct field *f;

	for (f = fields; f->set; f++)
		text_guess(&guess, v->key, f->name);
	if (!strcmp(v->key, "cmd"))
		guess.name = "command";
	r->at = v;
	buf_puts(r->why, "unknown field \"");
	job_escape(r->why, v->key, 60);
	if (guess.name)
		buf_printf(r->why, "\"; did you mean \"%s\"?", guess.name);
	else
		buf_puts(r->why, "\"; see queuectl help enqueue");
	return false;
}

/* A span is a number, or a string that ends in a unit. */
static bool
is_span(const struct json *v, const struct field *f)
{
	return (f->set == set_delay || f->set == set_backoff_max ||
	    f->key == JOB_KEY_TIMEOUT) &&
	    v->type == JSON_STRING && *v->text &&
	    text_is_letter(v->text[strlen(v->text) - 1]);
}

static bool
set_field(struct reader *r, const struct json *v, const struct field *f)
{
	r->field = f;
	if (!f->set)
		return true;
	if (v->type == f->type || is_span(v, f) ||
	    (v->type == JSON_STRING && f->set == set_names) ||
	    (v->type == JSON_TRUE && f->type == JSON_FALSE))
		return f->set(r, v);
	r->at = v;
	buf_printf(r->why, "\"%s\" must be %s, not %s", v->key, f->want,
	    json_type_name(v->type));
	return false;
}

static bool
read_fields(struct reader *r, const struct json *object)
{
	bool seen[FIELDS] = { false };
	const struct json *v;
	size_t i;

	for (v = object->child; v; v = v->next) {
		for (i = 0; i < FIELDS; i++)
			if (!strcmp(v->key, fields[i].name))
				break;
		if (i == FIELDS)
			return refuse_unknown(r, v);
		if (seen[i]) {
			r->at = v;
			buf_printf(r->why, "\"%s\" is there twice", v->key);
			return false;
		}
		seen[i] = true;
		if (!set_field(r, v, &fields[i]))
			return false;
	}
	return true;
}

static const struct json *
find_member(const struct json *object, const char *key)
{
	const struct json *v = object->child;

	while (v && strcmp(v->key, key) != 0)
		v = v->next;
	return v;
}

/* Refuses fields that do not go together. */
static bool
check_fields(struct reader *r, const struct json *object)
{
	const struct job *job = r->job;
	char locks[JOB_LOCKS_LEN + 1];
	const char *wrong = job_locks_join(locks, job->lock.v, job->lock.n);

	if (wrong)
		return refuse(r, find_member(object, "lock"), wrong);
	if (!job->command && !job->argv)
		return refuse(r, object, "neither \"command\" nor \"argv\" "
		    "is there");
	if (job->command && job->argv)
		return refuse(r, object, "\"command\" and \"argv\" are both "
		    "there; one of them must go");
	if (find_member(object, "delay") && find_member(object, "run_at"))
		return refuse(r, object, "\"delay\" and \"run_at\" are both "
		    "there; one of them must go");
	if (job->unique && !job->id[0])
		return refuse(r, find_member(object, "unique"), "\"unique\" "
		    "needs an \"id\" of the job's own");
	return true;
}

bool
field_read(struct job *job, const struct json *object, int64_t now,
    struct buf *why, const struct json **at)
{
	struct reader r = { .job = job, .now = now, .why = why };
	bool good;

	job_init(job);
	job->text = malloc(1); /* tells job_free() that the arrays are its */
	if (!job->text)
		good = refuse(&r, object, "out of memory");
	else if (object->type != JSON_OBJECT)
		good = refuse(&r, object, "a job must be an object");
	else
		good = read_fields(&r, object) && check_fields(&r, object);
	*at = r.at;
	return good;
}

static void
put_time(struct buf *b, const char *key, int64_t time)
{
	char s[JOB_TIME_LEN + 1];

	job_time_format(s, time);
	json_member_string(b, key, s);
}

static void
put_strings(struct buf *b, const char *key, const char **v, size_t n)
{
	size_t i;

	json_member(b, key);
	for (i = 0; i < n; i++) {
		buf_putc(b, i ? ',' : '[');
		json_quote(b, v[i]);
	}
	buf_putc(b, ']');
}

/* A name in `env` needs no escapes. */
static void
put_env(struct buf *b, const struct job *job)
{
	size_t i, n;

	json_member(b, "env");
	for (i = 0; i < job->nenv; i++) {
		n = job_env_name(job->env[i]);
		buf_putc(b, i ? ',' : '{');
		buf_putc(b, '"');
		buf_add(b, job->env[i], n);
		buf_puts(b, "\":");
		json_quote(b, job->env[i] + n + 1);
	}
	buf_putc(b, '}');
}

static void
put_outcome(struct buf *b, const struct job_attempt *a)
{
	struct buf words = { 0 };

	if (a->outcome == JOB_EXIT) {
		json_member_number(b, "exit_code", a->value);
	} else if (a->outcome == JOB_SIGNAL) {
		json_member_number(b, "signal", a->value);
	} else {
		job_outcome_words(&words, a);
		json_member_string(b, "error", buf_text(&words));
		b->failed |= words.failed;
		buf_free(&words);
	}
}

static void
put_seconds(struct buf *b, const char *key, int64_t us)
{
	json_member(b, key);
	job_seconds_format(b, us); /* 0 if the clock was set back in between */
}

static void
put_history(struct buf *b, const struct field_view *v)
{
	const struct job *job = v->job;
	int64_t ready = v->earlier ? v->earlier_end :
	    job->run_at > job->created ? job->run_at : job->created;
	size_t i;

	if (v->earlier)
		json_member_number(b, "earlier_attempts", (int64_t)v->earlier);
	json_member(b, "history");
	buf_putc(b, '[');
	for (i = 0; i < job->nattempt; i++) {
		const struct job_attempt *a = &job->attempt[i];

		if (i)
			buf_putc(b, ',');
		buf_putc(b, '{');
		json_member_number(b, "attempt", a->number);
		put_time(b, "started_at", a->start);
		put_time(b, "ended_at", a->end);
		put_seconds(b, "queue_time", a->start - ready);
		put_seconds(b, "duration", a->end - a->start);
		ready = a->end;
		json_member_string(b, "outcome", job_outcome_word(a->outcome));
		put_outcome(b, a);
		json_member_number(b, "log_offset", a->log);
		if (a->measured) {
			put_seconds(b, "user", a->user);
			put_seconds(b, "sys", a->sys);
			json_member_number(b, "maxrss", a->maxrss);
		}
		if (a->worker)
			json_member_number(b, "worker_pid", a->worker);
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
}

/* What else the producer gave, so that the object can be enqueued again. */
static void
put_given(struct buf *b, const struct job *job)
{
	char room[JOB_VALUE_ROOM];
	const struct field *f;
	const char *value;

	for (f = fields; f->set; f++) {
		if (f->set == set_env && job->nenv)
			put_env(b, job);
		if (f->key < JOB_KEY_BACKOFF_BASE || f->set == set_names ||
		    f->key == JOB_KEY_PRIORITY || f->key == JOB_KEYS)
			continue;
		value = job_value(job, f->key, room);
		if (!value)
			continue;
		json_member(b, f->name);
		if (f->type == JSON_STRING)
			json_quote(b, value);
		else
			buf_puts(b, f->type == JSON_NUMBER ? value : "true");
	}
}

/* What holds the job back.  Once it waits no more, its parents may have been
 * purged, and a copy of the job could not name them. */
static void
put_waiting(struct buf *b, const struct field_view *v)
{
	const struct job *job = v->job;

	if (v->state != JOB_HELD && v->state != JOB_WAITING)
		return;
	if (job->after.n)
		put_strings(b, "after", job->after.v, job->after.n);
	if (job->after_any.n)
		put_strings(b, "after_any", job->after_any.v,
		    job->after_any.n);
	if (v->state == JOB_HELD)
		json_member_bool(b, "hold", true);
}

int64_t
field_updated(const struct field_view *v)
{
	const struct job *job = v->job;
	int64_t t = job->created;

	if (job->retried > t)
		t = job->retried;
	if (job_last(job) && job_last(job)->end > t)
		t = job_last(job)->end;
	if (v->state == JOB_PROCESSING || v->bad)
		t = v->name->stamp;
	return t;
}

static void
put_bad(struct buf *b, const struct field_view *v)
{
	struct buf words = { 0 };

	if (v->line)
		buf_printf(&words, "line %zu: ", v->line);
	buf_puts(&words, v->bad);
	json_member_string(b, "error", words.p ? words.p : v->bad);
	b->failed |= words.failed;
	buf_free(&words);
}

void
field_write(struct buf *b, const struct field_view *v)
{
	const struct job *job = v->job;
	const struct job_attempt *last = job_last(job);

	buf_putc(b, '{');
	json_member_string(b, "id", v->name->id);
	if (job->command)
		json_member_string(b, "command", job->command);
	else if (job->argc)
		put_strings(b, "argv", job->argv, job->argc);
	json_member_string(b, "state", job_state_word(v->state));
	json_member_number(b, "attempts", v->name->attempt);
	json_member_number(b, "max_retries", job->max_retries >= 0 ?
	    job->max_retries : v->policy->max_retries);
	json_member_number(b, "priority", v->name->priority);
	put_given(b, job);
	if (*v->name->locks)
		json_member_list(b, "lock", v->name->locks);
	put_waiting(b, v);
	if (job->created >= 0)
		put_time(b, "created_at", job->created);
	put_time(b, "updated_at", field_updated(v));
	if (v->state == JOB_FAILED)
		put_time(b, "next_retry_at", v->name->stamp);
	if (v->why)
		json_member_string(b, "why", v->why);
	if (v->bad)
		put_bad(b, v);
	else if (last && v->state != JOB_PROCESSING)
		put_outcome(b, last);
	if (v->worker)
		json_member_number(b, "worker_pid", v->worker);
	else if (last && last->worker && v->state != JOB_PROCESSING)
		json_member_number(b, "worker_pid", last->worker);
	if (v->history)
		put_history(b, v);
	buf_putc(b, '}');
}
