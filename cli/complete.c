/*
 * complete.c: what may come next on a command line.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "cli/columns.h"
#include "cli/complete.h"
#include "spool/lock.h"

enum { IDS_MAX = 200 };         /* that are printed, and a few more */

/* A command line up to its last word. */
struct line {
	struct call *call;
	const struct command *table; /* n commands */
	int n;
	const struct command *command; /* NULL: it is not there yet, */
	const char *group;      /* …but the first of its two words may be */
	const struct option_def *option; /* its value is to come; or NULL */
	bool dashes;            /* "--" was there */
	int operands;           /* of the command, so far, */
	const char *operand;    /* and the last of them */
	/* the word to complete: */
	const char *prefix;     /* what stays as it is, */
	int kept;               /* its length, */
	const char *word;       /* and what the rest begins with */
	/* ids: */
	size_t ids;             /* how many were printed */
	char first[JOB_ID_MAX + 1];
	size_t common;          /* bytes that all of them begin with */
};

/* Prints a candidate if it begins as the word does. */
static void
offer(const struct line *l, const char *name, const char *note)
{
	if (strncmp(name, l->word, strlen(l->word)))
		return;
	printf("%.*s%s%s%s\n", l->kept, l->prefix, name, note ? "\t" : "",
	    note ? note : "");
}

static void
offer_option(const struct line *l, const char *name, const char *arg,
    const char *help)
{
	char word[32], note[160];

	snprintf(word, sizeof word, "--%s", name);
	snprintf(note, sizeof note, "%s%s%s", arg ? arg : "", arg ? ": " : "",
	    help);
	offer(l, word, note);
}

static void
offer_options(const struct line *l)
{
	const struct option_def *o = l->command ? l->command->options : NULL;

	for (; o && o->name; o++)
		offer_option(l, o->name, o->arg, o->help);
	offer_option(l, spool_option.name, spool_option.arg,
	    spool_option.help);
	offer_option(l, "help", NULL, "explain it");
	if (!l->command)
		offer_option(l, "version", NULL, "print the version");
}

/* The command of one or two words; `second` may be NULL. */
static const struct command *
find_command(const struct line *l, const char *first, const char *second)
{
	size_t len = strlen(first);
	int i;

	for (i = 0; i < l->n; i++) {
		const char *words = l->table[i].words;

		if (!strncmp(words, first, len) && (second ?
		    words[len] == ' ' && !strcmp(words + len + 1, second) :
		    !words[len]))
			return &l->table[i];
	}
	return NULL;
}

/* Offers the first words of the commands, or those that follow `group`. */
static void
offer_commands(const struct line *l, const char *group)
{
	size_t len = group ? strlen(group) : 0, n, last = 0;
	const char *before = "";
	char word[16];
	int i;

	for (i = 0; i < l->n; i++) {
		const char *words = l->table[i].words;

		if (!l->table[i].line || (group &&
		    (strncmp(words, group, len) || words[len] != ' ')))
			continue;
		if (group)
			words += len + 1;
		n = strcspn(words, " ");
		snprintf(word, sizeof word, "%.*s", (int)n, words);
		/* those of a group stand together */
		if (n != last || strncmp(before, words, n) != 0)
			offer(l, word, words[n] ? NULL : l->table[i].line);
		before = words;
		last = n;
	}
}

/* Of many ids the first are enough; but a shell adds what all that it gets begin
 * with, and so that must be what all that there are begin with. */
static bool
offer_id(void *line, const char *id)
{
	struct line *l = line;
	size_t same = 0;

	if (!l->ids) {
		snprintf(l->first, sizeof l->first, "%s", id);
		l->common = strlen(id);
	}
	while (id[same] && id[same] == l->first[same])
		same++;
	if (l->ids < IDS_MAX || same < l->common)
		offer(l, id, NULL);
	if (same < l->common)
		l->common = same;
	return ++l->ids < IDS_MAX || l->common > strlen(l->word);
}

static bool
offer_lock(void *line, const char *lock)
{
	offer(line, lock, NULL);
	return true;
}

static int
offer_of_spool(struct line *l, bool locks)
{
	struct spool *sp = &l->call->spool;
	int r;

	if (call_look_for_spool(l->call) != DONE)
		return FAILED;
	if (sp->fd < 0)
		return DONE;
	r = locks ? spool_locks(sp, offer_lock, l) :
	    spool_ids(sp, l->word, offer_id, l);
	return r == SPOOL_OK ? DONE : complain_spool(sp);
}

/* Offers the values of an option, by what it calls them.  In a list only what
 * follows the last comma is open. */
static int
offer_values(struct line *l, const char *arg)
{
	static const char *const states[] = { "pending", "processing",
		"completed", "failed", "dead", "waiting", "held" };
	const char *comma = strrchr(l->word, ',');
	size_t i;

	if (comma && strchr(arg, ',')) {
		l->kept += (int)(comma + 1 - l->word);
		l->word = comma + 1;
	}
	if (!strncmp(arg, "STATE", 5))
		for (i = 0; i < sizeof states / sizeof states[0]; i++)
			offer(l, states[i], NULL);
	if (!strcmp(arg, "A,B,..."))
		for (i = 0; columns_name(i); i++)
			offer(l, columns_name(i), NULL);
	if (!strncmp(arg, "ID[,", 4))
		return offer_of_spool(l, false);
	return strncmp(arg, "NAME[,", 6) ? DONE : offer_of_spool(l, true);
}

static void
offer_settings(const struct line *l)
{
	const struct config_key *k = l->operands ? config_key(l->operand) : NULL;
	size_t i;

	for (i = 0; k && k->words && k->words[i]; i++)
		offer(l, k->words[i], NULL);
	for (i = 0; !l->operands && config_keys[i].name; i++)
		offer(l, config_keys[i].name, config_keys[i].help);
}

/* Offers what the usage line of the command has there. */
static int
offer_operands(struct line *l)
{
	const char *args = l->command->args;

	if (l->command->most >= 0 && l->operands >= l->command->most)
		return DONE;
	if (strstr(args, "KEY"))
		offer_settings(l);
	else if (strstr(args, "COMMAND") && l->operands < 2)
		offer_commands(l, l->operands ? l->operand : NULL);
	else if (strstr(args, "[NAME") && !l->operands)
		return offer_of_spool(l, true);
	else if (strstr(args, "ID") || strstr(args, "GLOB"))
		return offer_of_spool(l, false);
	return DONE;
}

/* Takes notice of a word before the last one. */
static void
pass_word(struct line *l, char *word)
{
	char *value = NULL;

	if (l->option) {
		if (!strcmp(word, "="))
			return;
		if (l->option == &spool_option)
			l->call->spool_path = word;
		l->option = NULL;
	} else if (!l->dashes && !strcmp(word, "--")) {
		l->dashes = true;
	} else if (!l->dashes && word[0] == '-' && word[1]) {
		l->option = option_find(l->command, word, &value);
		if (value && l->option == &spool_option)
			l->call->spool_path = value;
		if (value || (l->option && !l->option->arg))
			l->option = NULL;
	} else if (l->command) {
		l->operands++;
		l->operand = word;
	} else {
		l->command = find_command(l, l->group ? l->group : word,
		    l->group ? word : NULL);
		l->group = word;
	}
}

int
complete_words(struct call *c, const struct command *table, int n)
{
	struct line l = { .call = c, .table = table, .n = n };
	char none[] = "", *value = NULL;
	char *word = c->n ? c->operand[c->n - 1] : none;
	int i;

	for (i = 0; i + 1 < c->n; i++)
		pass_word(&l, c->operand[i]);
	l.prefix = l.word = l.option && !strcmp(word, "=") ? "" : word;
	if (l.option)
		return offer_values(&l, l.option->arg);
	if (!l.dashes && word[0] == '-') {
		l.option = word[1] ? option_find(l.command, word, &value) :
		    NULL;
		if (!value || !l.option->arg) {
			offer_options(&l);
			return DONE;
		}
		l.kept = (int)(value - word);
		l.word = value;
		return offer_values(&l, l.option->arg);
	}
	if (l.command)
		return offer_operands(&l);
	offer_commands(&l, l.group);
	return DONE;
}
