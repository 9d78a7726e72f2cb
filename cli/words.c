/*
 * words.c: a job from words.
 *
 * The options of enqueue are fields of a job under the names of options.  They
 * become members of a JSON object, so that field.c checks them like those of
 * any other job.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "cli/words.h"

const struct option_def enqueue_options[] = {
	{ "command", 0, "LINE", "a line for /bin/sh, instead of -- CMD" },
	{ "id", 0, "ID", "name it, instead of getting a generated id" },
	{ "priority", 0, "N", "0 first … 9 last; default 5" },
	{ "max-retries", 0, "N", "attempts in all; default: config" },
	{ "backoff-base", 0, "N", "seconds, to the power of the attempt" },
	{ "delay", 0, "SPAN", "not before SPAN from now: 90, 1.5s, 15m, 12h, "
	    "7d" },
	{ "run-at", 0, "TIME", "not before TIME (2026-11-24T05:30:00Z)" },
	{ "timeout", 0, "SPAN", "end an attempt after SPAN" },
	{ "dead-exit", 0, "LIST", "no other attempt after these exit statuses: "
	    "2,65-78" },
	{ "cwd", 0, "DIR", "run it there; default: the current directory" },
	{ "env", 0, "NAME[=VALUE]", "add to its environment; NAME alone: "
	    "as it is here" },
	{ "after", 0, "ID[,ID...]", "when these jobs are completed" },
	{ "after-any", 0, "ID[,ID...]", "when these jobs have ended, completed "
	    "or dead" },
	{ "lock", 0, "NAME[,NAME...]", "while it has a slot of each of these "
	    "locks" },
	{ "hold", 0, NULL, "not before it is released" },
	{ "unique", 0, NULL, "unless a job of that id waits or runs; then print "
	    "that id" },
	{ "wait", 0, NULL, "return when the jobs have ended, as wait does; also "
	    "with JSON" },
	{ NULL, 0, NULL, NULL }
};

bool
words_have_fields(const struct call *c)
{
	enum json_type type;
	size_t i;

	for (i = 0; i < c->ngiven; i++)
		if (field_of_option(c->given[i].option->name, &type))
			return true;
	return false;
}

/* Makes the next node; **tail is where its sibling is to be linked. */
static void
add_node(struct words *w, struct json ***tail, enum json_type type,
    const char *key, char *text)
{
	struct json *v = &w->node[w->n++];

	*v = (struct json){ .type = type, .text = text, .line = 1,
		.key = (char *)(uintptr_t)key };
	**tail = v;
	*tail = &v->next;
}

/* The value of NAME=VALUE, whose `=` becomes a NUL, or else of our variable
 * NAME; NULL after a complaint.  Bad names are left to field.c. */
static char *
env_value(char *name)
{
	char *value = strchr(name, '=');

	if (value) {
		*value = '\0';
		return value + 1;
	}
	if (!*name || name[job_env_name(name)])
		return name + strlen(name);
	value = getenv(name);
	if (!value)
		complain("--env %s: the variable is not set; %s=VALUE would "
		    "set it for the job", name, name);
	else if (!text_is_utf8(value, strlen(value)))
		complain("--env %s: its value is not UTF-8", name);
	else
		return value;
	return NULL;
}

/* The array of an option that may come more than once. */
static struct json *
find_list(struct words *w, const char *key)
{
	struct json *l = w->list;

	while (l->key && strcmp(l->key, key) != 0)
		l++;
	l->type = JSON_ARRAY;
	l->key = (char *)(uintptr_t)key;
	return l;
}

static void
add_to_list(struct words *w, const char *key, char *text)
{
	struct json **tail = &find_list(w, key)->child;

	while (*tail)
		tail = &(*tail)->next;
	add_node(w, &tail, JSON_STRING, NULL, text);
}

static int
read_options(struct words *w, const struct call *c, struct json ***tail)
{
	struct json **env = &w->env.child;
	size_t i;

	for (i = 0; i < c->ngiven; i++) {
		const struct option_def *o = c->given[i].option;
		char *v = c->given[i].value, *value;
		enum json_type type;
		const char *key = field_of_option(o->name, &type);

		if (!text_is_utf8(v, strlen(v)))
			return complain_usage("--%s is not UTF-8", o->name);
		if (!key) {
			w->n++; /* its node stays unused */
		} else if (type == JSON_ARRAY) {
			add_to_list(w, key, v);
		} else if (type != JSON_OBJECT) {
			add_node(w, tail, o->arg ? type : JSON_TRUE, key, v);
		} else if (!(value = env_value(v))) {
			return USAGE;
		} else {
			add_node(w, &env, JSON_STRING, v, value);
		}
	}
	return DONE;
}

static int
read_command(struct words *w, const struct call *c)
{
	struct json **args = &w->argv.child;
	int i;

	for (i = 0; i < c->n; i++) {
		if (!text_is_utf8(c->operand[i], strlen(c->operand[i])))
			return complain_usage("argument %d of the command is "
			    "not UTF-8; sh -c 'printf ...' can make such "
			    "bytes", i);
		add_node(w, &args, JSON_STRING, NULL, c->operand[i]);
	}
	return DONE;
}

/* Says what is wrong, and with which option. */
static void
complain_field(const struct words *w, const struct call *c,
    const struct json *at, const struct buf *why)
{
	const char *option = at >= w->node && at < w->node + c->ngiven ?
	    c->given[at - w->node].option->name : NULL;

	complain("%s%s%s%s", option ? "--" : "", option ? option : "",
	    option ? ": " : "", why->p ? why->p : "out of memory");
}

int
words_read(struct words *w, const struct call *c, int64_t now, struct job *job)
{
	static char argv[] = "argv", env[] = "env";
	struct json **tail, *list;
	const struct json *at;
	struct buf why = { 0 };
	int r;

	*w = (struct words){ .object.type = JSON_OBJECT,
		.argv = { .type = JSON_ARRAY, .key = argv },
		.env = { .type = JSON_OBJECT, .key = env } };
	tail = &w->object.child;
	job_init(job);
	w->node = calloc(c->ngiven + (size_t)c->n + 1, sizeof *w->node);
	if (!w->node)
		return complain_memory();
	r = read_options(w, c, &tail);
	if (r == DONE)
		r = read_command(w, c);
	if (r != DONE)
		return r;
	if (c->dashes) {
		*tail = &w->argv;
		tail = &w->argv.next;
	}
	for (list = w->list; list->key; list++) {
		*tail = list;
		tail = &list->next;
	}
	if (w->env.child)
		*tail = &w->env;
	if (!field_read(job, &w->object, now, &why, &at)) {
		complain_field(w, c, at, &why);
		r = USAGE;
	}
	job->created = now;
	buf_free(&why);
	return r;
}

void
words_free(struct words *w)
{
	free(w->node);
}
