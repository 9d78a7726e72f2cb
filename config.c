/*
 * config.c: the spool's settings and their text.  The format is described in
 * config.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>
#include <string.h>

#include "config.h"

#define AT(field) offsetof(struct config, field)

static const char *const sync_words[] = { "none", "enqueue", "full", NULL };
static const char *const switch_words[] = { "no", "yes", NULL };

const struct config_key config_keys[] = {
	{ "max-retries", "3", "0 to 2147483647",
	  "attempts that a job has in all (0 counts as 1)",
	  CONFIG_INT, 0, NULL, AT(policy.max_retries) },
	{ "backoff-base", "2", "0 to 2147483647",
	  "after failure n a job waits this to the power of n seconds",
	  CONFIG_INT, 0, NULL, AT(policy.backoff_base) },
	{ "backoff-max", "3600", "0 to 2147483647",
	  "but never more seconds than this",
	  CONFIG_INT, 0, NULL, AT(policy.backoff_max) },
	{ "max-crashes", "5", "1 to 2147483647",
	  "times that a job may be lost with its worker before it is dead",
	  CONFIG_INT, 1, NULL, AT(policy.max_crashes) },
	{ "timeout", "0", "0 to 2147483647 seconds, fractions allowed",
	  "seconds that an attempt may take (0: any time)",
	  CONFIG_SECONDS, 0, NULL, AT(timeout) },
	{ "kill-grace", "5", "0 to 2147483647 seconds, fractions allowed",
	  "seconds between SIGTERM and SIGKILL",
	  CONFIG_SECONDS, 0, NULL, AT(kill_grace) },
	{ "sync", "enqueue", "full, enqueue or none",
	  "what is safe from a power cut: enqueued jobs, results too, nothing",
	  CONFIG_WORD, 0, sync_words, AT(sync) },
	{ "paused", "no", "yes or no",
	  "whether workers begin no job; see queuectl pause",
	  CONFIG_WORD, 0, switch_words, AT(paused) },
	{ NULL, NULL, NULL, NULL, CONFIG_INT, 0, NULL, 0 }
};

const struct config_key *
config_key(const char *name)
{
	const struct config_key *k;
	size_t i;

	for (k = config_keys; k->name; k++) {
		for (i = 0; name[i]; i++)
			if (k->name[i] != (name[i] == '_' ? '-' : name[i]))
				break;
		if (!name[i] && !k->name[i])
			return k;
	}
	return NULL;
}

static bool
apply_word(int *field, const char *const *words, const char *value)
{
	int i;

	for (i = 0; words[i]; i++)
		if (!strcmp(value, words[i])) {
			*field = i;
			return true;
		}
	return false;
}

bool
config_apply(struct config *c, const struct config_key *k, const char *value)
{
	void *field = (char *)c + k->at;
	int64_t n;

	switch (k->kind) {
	case CONFIG_INT:
		if (!job_number_parse(value, k->min, JOB_NUMBER_MAX, &n))
			return false;
		*(int *)field = (int)n;
		return true;
	case CONFIG_SECONDS:
		return job_seconds_parse(value, field);
	default:
		return apply_word(field, k->words, value);
	}
}

void
config_value(const struct config *c, const struct config_key *k,
    struct buf *b)
{
	const void *field = (const char *)c + k->at;

	switch (k->kind) {
	case CONFIG_INT:
		buf_printf(b, "%d", *(const int *)field);
		break;
	case CONFIG_SECONDS:
		job_seconds_format(b, *(const int64_t *)field);
		break;
	default:
		buf_puts(b, k->words[*(const int *)field]);
	}
}

/*
 * Splits a "key = value" line in place.  Returns the key, or NULL for a blank
 * line or a comment; *value is NULL where there is no '='.
 */
static char *
config_split(char *line, char **value)
{
	char *end, *eq;

	line += strspn(line, " \t");
	*value = NULL;
	if (*line == '\0' || *line == '#')
		return NULL;
	end = line + strlen(line);
	while (end > line && strchr(" \t\r", end[-1]))
		*--end = '\0';
	eq = strchr(line, '=');
	if (!eq)
		return line;
	*value = eq + 1 + strspn(eq + 1, " \t");
	while (eq > line && strchr(" \t", eq[-1]))
		eq--;
	*eq = '\0';
	return line;
}

size_t
config_read(struct config *c, char *text)
{
	const struct config_key *k;
	char *line, *next, *key, *value;
	size_t n = 0, bad = 0;

	for (k = config_keys; k->name; k++)
		config_apply(c, k, k->value);
	for (line = text; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		n++;
		key = config_split(line, &value);
		if (!key)
			continue;
		k = config_key(key);
		if ((!k || !value || !config_apply(c, k, value)) && !bad)
			bad = n;
	}
	return bad;
}

void
config_edit(struct buf *b, char *text, const struct config_key *k,
    const char *set)
{
	char *line, *next, *key, *value;
	bool done = !set;

	for (line = text; line && *line; line = next) {
		size_t n = strcspn(line, "\n");
		size_t before = b->n;

		next = line[n] ? line + n + 1 : NULL;
		line[n] = '\0';
		buf_add(b, line, n);
		buf_putc(b, '\n');
		key = config_split(line, &value);
		if (!key || config_key(key) != k || b->failed)
			continue;
		b->n = before;
		if (!done)
			buf_printf(b, "%s = %s\n", k->name, set);
		done = true;
	}
	if (!done)
		buf_printf(b, "%s = %s\n", k->name, set);
}

