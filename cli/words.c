/*
 * words.c: a job from the words of the command line.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "cli/words.h"

const struct option_def enqueue_options[] = {
	{ "id", 0, "ID", "name it, instead of getting a generated id" },
	{ "priority", 0, "N", "0 first … 9 last; default 5" },
	{ "max-retries", 0, "N", "attempts in all; default: config" },
	{ "backoff-base", 0, "N", "seconds, to the power of the attempt" },
	{ "delay", 0, "S", "not before S seconds from now" },
	{ "run-at", 0, "TIME", "not before TIME (2026-11-24T05:30:00Z)" },
	{ "timeout", 0, "S", "end an attempt after S seconds" },
	{ "dead-exit", 0, "LIST", "no other attempt after these exit statuses: "
	    "2,65-78" },
	{ "cwd", 0, "DIR", "run it there; default: the current directory" },
	{ "env", 0, "NAME=VALUE", "add to its environment (repeatable)" },
	{ "unique", 0, NULL, "not while a job of that id waits or runs; then "
	    "print it" },
	{ "wait", 0, NULL, "return when the jobs have ended, as wait does; also "
	    "with JSON" },
	{ NULL, 0, NULL, NULL }
};

/* enqueue_options[] are fields of a job under other names: they take the same
 * way as a JSON object, and the same checks. */
static const struct {
	char key[16];
	enum json_type type;
} option_fields[] = {
	{ "id", JSON_STRING }, { "priority", JSON_NUMBER },
	{ "max_retries", JSON_NUMBER }, { "backoff_base", JSON_NUMBER },
	{ "delay", JSON_NUMBER }, { "run_at", JSON_STRING },
	{ "timeout", JSON_NUMBER }, { "dead_exit", JSON_STRING },
	{ "cwd", JSON_STRING }, { "env", JSON_OBJECT },
	{ "unique", JSON_TRUE }
};

static struct json *
add_node(struct words_tree *t, struct json **tail, enum json_type type,
    const char *key, char *text)
{
	struct json *v = &t->node[t->n++];

	*v = (struct json){ .type = type, .text = text, .line = 1,
		.key = (char *)(uintptr_t)key };
	*tail = v;
	return v;
}

/* Cuts NAME=VALUE in two; a name that is none, field_read() will refuse. */
static bool
add_env(struct words_tree *t, struct json ***tail, char *entry)
{
	char *eq = strchr(entry, '=');

	if (!eq) {
		complain("--env must be NAME=VALUE, not %s", entry);
		return false;
	}
	*eq = '\0';
	*tail = &add_node(t, *tail, JSON_STRING, entry, eq + 1)->next;
	return true;
}

bool
words_to_tree(const struct call *c, struct words_tree *t)
{
	struct json **tail = &t->object.child, **env = &t->env.child;
	struct json **args = &t->argv.child;
	size_t i;
	int k;

	for (i = 0; i < c->ngiven; i++) {
		int o = c->given[i].option;
		char *v = c->given[i].value;

		if (!text_is_utf8(v, strlen(v))) {
			complain("--%s is not UTF-8",
			    enqueue_options[o].name);
			return false;
		}
		if (o == WAIT_OPTION)
			t->n++; /* no field; its node stays unused */
		else if (o != ENV_OPTION)
			tail = &add_node(t, tail, option_fields[o].type,
			    option_fields[o].key, v)->next;
		else if (!add_env(t, &env, v))
			return false;
	}
	for (k = 0; k < c->n; k++) {
		if (!text_is_utf8(c->operand[k], strlen(c->operand[k]))) {
			complain("argument %d of the command is not UTF-8; "
			    "sh -c 'printf ...' can make such bytes", k);
			return false;
		}
		args = &add_node(t, args, JSON_STRING, NULL,
		    c->operand[k])->next;
	}
	t->argv = (struct json){ .type = JSON_ARRAY, .child = t->argv.child,
		.key = (char *)(uintptr_t)"argv" };
	*tail = &t->argv;
	if (t->env.child) {
		t->env = (struct json){ .type = JSON_OBJECT,
			.child = t->env.child,
			.key = (char *)(uintptr_t)"env" };
		t->argv.next = &t->env;
	}
	return true;
}
