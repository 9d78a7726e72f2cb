/*
 * config.c: the spool's settings and their text.  config.h has the format.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>
#include <string.h>

#include "job/config.h"

#define AT(field) offsetof(struct config, field)

static const char *const sync_words[] = { "none", "enqueue", "full", NULL };
static const char *const switch_words[] = { "no", "yes", NULL };
static const char *const none[] = { "none", NULL };
static const char *const forever[] = { "forever", NULL };

#define WHOLE(min) "a whole number from " #min " to 2147483647"

#define A_PERCENT "a whole number from 0 to 100, such as 5 or 5%"

#define A_LINE "a line for /bin/sh of at most 1023 bytes, or nothing"

const struct config_key config_keys[] = {
	{ "max-retries", "3", WHOLE(0),
	  "attempts that a job has in all (0 counts as 1)",
	  CONFIG_INT, 0, NULL, AT(policy.max_retries) },
	{ "backoff-base", "2", WHOLE(0),
	  "a job waits this ^ n seconds after its n-th failure",
	  CONFIG_INT, 0, NULL, AT(policy.backoff_base) },
	{ "backoff-max", "3600", TEXT_SPAN ", in whole seconds",
	  "but at most this long",
	  CONFIG_WAIT, 0, NULL, AT(policy.backoff_max) },
	{ "backoff-jitter", "0%", A_PERCENT,
	  "and up to this much longer, so that retries spread out",
	  CONFIG_PERCENT, 0, NULL, AT(policy.backoff_jitter) },
	{ "dead-exit", "", "exit statuses and ranges from 1 to 255, such as "
	  "2,65-78",
	  "a job that exits with one of these is dead at once",
	  CONFIG_CODES, 0, NULL, AT(policy.dead_exit) },
	{ "max-crashes", "5", WHOLE(1),
	  "times that a job may be lost with its worker before it is dead",
	  CONFIG_INT, 1, NULL, AT(policy.max_crashes) },
	{ "timeout", "0", TEXT_SPAN,
	  "how long an attempt may take (0: no limit)",
	  CONFIG_SECONDS, 0, NULL, AT(timeout) },
	{ "kill-grace", "5", TEXT_SPAN,
	  "the time between SIGTERM and SIGKILL",
	  CONFIG_SECONDS, 0, NULL, AT(kill_grace) },
	{ "stop-grace", "none", "none or " TEXT_SPAN,
	  "how long a stop waits for jobs before it ends and requeues them",
	  CONFIG_SPAN, 0, none, AT(stop_grace) },
	{ "sync", "enqueue", "full, enqueue or none",
	  "what is safe from a power cut: enqueued jobs, results too, nothing",
	  CONFIG_WORD, 0, sync_words, AT(sync) },
	{ "paused", "no", "yes or no",
	  "while it is yes, workers begin no job; see queuectl pause",
	  CONFIG_WORD, 0, switch_words, AT(paused) },
	{ "log-max", "10M", "none or a whole number of bytes from 4096, such "
	  "as 64K, 10M or 1G",
	  "bytes of a job's log; beyond that the middle is dropped",
	  CONFIG_SIZE, 4096, none, AT(log_max) },
	{ "keep-done", "7d", "forever or " TEXT_SPAN,
	  "how long completed jobs are kept with their logs",
	  CONFIG_SPAN, 0, forever, AT(keep_done) },
	{ "keep-dead", "forever", "forever or " TEXT_SPAN,
	  "how long dead jobs are kept",
	  CONFIG_SPAN, 0, forever, AT(keep_dead) },
	{ "keep-max", "0", WHOLE(0),
	  "how many completed and how many dead jobs are kept (0: all)",
	  CONFIG_INT, 0, NULL, AT(keep_max) },
	{ "min-free", "1%", A_PERCENT,
	  "enqueue refuses jobs if less of the file system is free",
	  CONFIG_PERCENT, 0, NULL, AT(min_free) },
	{ "on-done", "", A_LINE,
	  "what is to run when a job is completed",
	  CONFIG_LINE, 0, NULL, AT(on_done) },
	{ "on-dead", "", A_LINE,
	  "what is to run when a job is dead",
	  CONFIG_LINE, 0, NULL, AT(on_dead) },
	{ "web-hosts", "", "names and addresses with spaces between them, or "
	  "nothing",
	  "hosts that the web page answers for; default: localhost, loopback "
	  "addresses, this host's name",
	  CONFIG_LINE, 0, NULL, AT(web_hosts) },
	{ "web-actions", "no", "yes or no",
	  "whether users with a password may change jobs by the web page",
	  CONFIG_WORD, 0, switch_words, AT(web_actions) },
	{ NULL, NULL, NULL, NULL, CONFIG_INT, 0, NULL, 0 }
};

const struct config_key *
config_key(const char *name)
{
	const struct config_key *k;

	for (k = config_keys; k->name; k++)
		if (text_same_key(k->name, name))
			return k;
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

/* Units, the largest last; a value is written with the largest that fits. */
struct unit {
	char letter;            /* 0: the end */
	int64_t factor;
};

static const struct unit percent[] = { { '%', 1 }, { 0, 0 } },
    sizes[] = { { 'K', 1 << 10 }, { 'M', 1 << 20 }, { 'G', 1 << 30 },
	{ 0, 0 } };

/* A whole number and perhaps a unit. */
static bool
parse_units(const char *s, const struct unit *unit, int64_t max,
    int64_t *value)
{
	if (!text_read_number(&s, max, value))
		return false;
	while (unit->letter && unit->letter != *s)
		unit++;
	if (unit->letter) {
		if (*value > max / unit->factor)
			return false;
		*value *= unit->factor;
		s++;
	}
	return *s == '\0';
}

static void
put_units(struct buf *b, int64_t value, const struct unit *unit)
{
	const struct unit *best = NULL;

	for (; value && unit->letter; unit++)
		if (value % unit->factor == 0)
			best = unit;
	buf_number(b, best ? value / best->factor : value);
	if (best)
		buf_putc(b, best->letter);
}

/* A number with a unit, or the word for -1. */
static bool
apply_units(int64_t *field, const struct config_key *k, const char *value)
{
	int64_t n;

	if (!strcmp(value, k->words[0]))
		n = -1;
	else if (k->kind == CONFIG_SPAN ? !job_span_parse(value, &n) :
	    !parse_units(value, sizes, INT64_C(1) << 50, &n) ||
	    n < k->min)
		return false;
	*field = n;
	return true;
}

/* One line, which does not begin or end with a space: those would not survive
 * in the file. */
static bool
apply_line(char *field, const char *value)
{
	size_t i, n = strlen(value);

	if (n > CONFIG_LINE_MAX || !text_is_utf8(value, n) ||
	    (n && (strchr(" \t", value[0]) || strchr(" \t", value[n - 1]))))
		return false;
	for (i = 0; i < n; i++)
		if ((unsigned char)value[i] < 0x20 && value[i] != '\t')
			return false;
	memcpy(field, value, n + 1);
	return true;
}

bool
config_apply(struct config *c, const struct config_key *k, const char *value)
{
	void *field = (char *)c + k->at;
	struct job_codes codes;
	int64_t n;

	switch (k->kind) {
	case CONFIG_INT:
		if (!job_number_parse(value, k->min, JOB_NUMBER_MAX, &n))
			return false;
		*(int *)field = (int)n;
		return true;
	case CONFIG_SECONDS:
		return job_span_parse(value, field);
	case CONFIG_WAIT:
		if (!job_span_parse(value, &n) || n % 1000000)
			return false;
		*(int *)field = (int)(n / 1000000);
		return true;
	case CONFIG_PERCENT:
		if (!parse_units(value, percent, 100, &n))
			return false;
		*(int *)field = (int)n;
		return true;
	case CONFIG_CODES:
		if (!job_codes_parse(value, &codes))
			return false;
		*(struct job_codes *)field = codes;
		return true;
	case CONFIG_LINE:
		return apply_line(field, value);
	case CONFIG_SPAN:
	case CONFIG_SIZE:
		return apply_units(field, k, value);
	default:
		return apply_word(field, k->words, value);
	}
}

void
config_value(const struct config *c, const struct config_key *k,
    struct buf *b)
{
	const void *field = (const char *)c + k->at;
	bool units = k->kind == CONFIG_SPAN || k->kind == CONFIG_SIZE;
	int64_t n = units ? *(const int64_t *)field : 0;

	if (n < 0) {
		buf_puts(b, k->words[0]);
		return;
	}
	switch (k->kind) {
	case CONFIG_INT:
	case CONFIG_WAIT:
		buf_printf(b, "%d", *(const int *)field);
		break;
	case CONFIG_SECONDS:
		job_seconds_format(b, *(const int64_t *)field);
		break;
	case CONFIG_PERCENT:
		buf_printf(b, "%d%%", *(const int *)field);
		break;
	case CONFIG_CODES:
		job_codes_format(b, field);
		break;
	case CONFIG_LINE:
		buf_puts(b, field);
		break;
	case CONFIG_SPAN:
		job_span_format(b, n);
		break;
	case CONFIG_SIZE:
		put_units(b, n, sizes);
		break;
	default:
		buf_puts(b, k->words[*(const int *)field]);
	}
}

/* Splits a "key = value" line in place.  Returns the key, or NULL for a blank
 * line or a comment; *value is NULL if there is no '='. */
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

