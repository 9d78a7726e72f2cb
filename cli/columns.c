/*
 * columns.c: a job as fields that tabs separate.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "cli/columns.h"

static const char *const columns[] = { "id", "command", "argv", "state",
	"attempts", "max_retries", "priority", "backoff_base", "backoff_max",
	"run_at", "timeout", "dead_exit", "cwd", "env", "stdin", "unique",
	"after", "after_any", "lock", "hold", "created_at", "updated_at",
	"next_retry_at", "why", "exit_code", "signal", "error", "worker_pid" };

enum { COLUMNS = sizeof columns / sizeof columns[0] };

const char *
columns_name(size_t i)
{
	return i < COLUMNS ? columns[i] : NULL;
}

/* The next name of the list, and whether there was one; *at is where to begin,
 * then where to go on. */
static bool
next_name(const char **at, char name[32])
{
	size_t n;

	if (!*at)
		return false;
	n = strcspn(*at, ",");
	snprintf(name, 32, "%.*s", (int)n, *at);
	*at = (*at)[n] ? *at + n + 1 : NULL;
	return true;
}

static int
complain_column(const char *name)
{
	struct text_guess guess = { .name = NULL };
	struct buf b = { 0 };
	size_t i;

	for (i = 0; i < COLUMNS; i++)
		text_guess(&guess, name, columns[i]);
	complain_unknown("column", name, &guess);
	for (i = 0; i < COLUMNS; i++)
		buf_printf(&b, "%s%s", i % 8 ? " " : i ? "\n  " : "  ",
		    columns[i]);
	fprintf(stderr, "%s\n", buf_text(&b));
	buf_free(&b);
	return USAGE;
}

int
columns_check(const char *names)
{
	char name[32];
	size_t i;

	while (next_name(&names, name)) {
		for (i = 0; i < COLUMNS && strcmp(name, columns[i]) != 0;)
			i++;
		if (i == COLUMNS)
			return complain_column(name);
	}
	return DONE;
}

/* Adds `s`, which it changes, as job_escape() does; backslashes too. */
static void
add_escaped(struct buf *b, char *s)
{
	char *slash;

	while ((slash = strchr(s, '\\'))) {
		*slash = '\0';
		job_escape(b, s, 0);
		buf_puts(b, "\\\\");
		s = slash + 1;
	}
	job_escape(b, s, 0);
}

static void
add_value(struct buf *b, const struct json *v)
{
	/* of argv and env: ids and locks need no quotes */
	char between = v->key[0] == 'a' && v->key[1] == 'r' ? ' ' : ',';
	struct buf text = { 0 };
	const struct json *e;

	if (v->type == JSON_OBJECT)
		between = ' ';
	if (v->type == JSON_TRUE)
		buf_puts(&text, "true");
	else if (v->text)
		buf_puts(&text, v->text);
	for (e = v->child; e; e = e->next) {
		if (e != v->child)
			buf_putc(&text, between);
		if (e->key)
			buf_printf(&text, "%s=", e->key);
		job_quote(&text, e->text);
	}
	if (text.p)
		add_escaped(b, text.p);
	b->failed |= text.failed;
	buf_free(&text);
}

int
columns_print(const struct field_view *v, const char *names)
{
	struct buf text = { 0 }, b = { 0 };
	struct json_error error;
	struct json *object;
	const struct json *e;
	char name[32];

	field_write(&text, v);
	object = text.failed ? NULL : json_parse(text.p, text.n, &error);
	b.failed = !object;
	while (object && next_name(&names, name)) {
		for (e = object->child; e && strcmp(e->key, name) != 0;)
			e = e->next;
		if (e)
			add_value(&b, e);
		buf_putc(&b, names ? '\t' : '\n');
	}
	if (object)
		json_free(object);
	buf_free(&text);
	return print_buf(&b);
}
