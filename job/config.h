/*
 * config.h: the spool's settings and their text.  Pure: memory in, memory out.
 *
 * The text is lines of "key = value"; blank lines and lines that begin with
 * '#' are comments.  In a key `_` means `-`.  A key that is missing has its
 * default; of two lines for one key the last counts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job/policy.h"

enum { CONFIG_LINE_MAX = 1023 }; /* bytes */

enum config_sync { SYNC_NONE, SYNC_ENQUEUE, SYNC_FULL };

struct config {
	struct job_policy policy;
	int64_t timeout;         /* microseconds; 0: none */
	int64_t kill_grace;      /* microseconds */
	int64_t stop_grace;      /* microseconds; -1: no limit */
	int sync;                /* enum config_sync */
	int paused;              /* workers begin no job */
	int64_t log_max;         /* bytes; -1: no limit */
	int64_t keep_done, keep_dead; /* microseconds; -1: for ever */
	int keep_max;            /* jobs; 0: no limit */
	int min_free;            /* percent */
	char on_done[CONFIG_LINE_MAX + 1]; /* lines for /bin/sh; "": none */
	char on_dead[CONFIG_LINE_MAX + 1];
	char web_hosts[CONFIG_LINE_MAX + 1]; /* "": the default ones */
	int web_actions;         /* the page may change the queue */
};

/* The first three are numbers, the others words.  A WAIT is an int of seconds,
 * a SPAN may be without end, a LINE is any text. */
enum config_kind { CONFIG_INT, CONFIG_WAIT, CONFIG_SECONDS, CONFIG_WORD,
	CONFIG_PERCENT, CONFIG_SPAN, CONFIG_SIZE, CONFIG_CODES, CONFIG_LINE };

struct config_key {
	const char *name;
	const char *value;       /* default */
	const char *range;       /* what is allowed, for people */
	const char *help;
	enum config_kind kind;
	int64_t min;             /* INT, SIZE; the maximum of INT is
	                          * JOB_NUMBER_MAX */
	const char *const *words;/* ends with a NULL.  WORD: for 0, 1, …;
	                          * SPAN, SIZE: one word, for -1 */
	size_t at;               /* its field's place in struct config */
};

extern const struct config_key config_keys[]; /* ends with a NULL name */

/* The key of that name, or NULL. */
const struct config_key *config_key(const char *name);
/* Sets the key; false: the value is out of range and nothing is changed. */
bool config_apply(struct config *, const struct config_key *,
    const char *value);
/* Adds the key's value in `config`, as config_apply() reads it. */
void config_value(const struct config *, const struct config_key *,
    struct buf *);
/*
 * Sets all defaults, then the settings in `text`, which it cuts up (NULL: there
 * are none).  It skips lines that it does not understand and returns the number
 * of the first of them, or 0.
 */
size_t config_read(struct config *, char *text);
/*
 * Adds a new text: `text`, which it cuts up and which may be NULL, with the
 * key's line replaced, or appended; `set` NULL removes it.
 */
void config_edit(struct buf *, char *text, const struct config_key *,
    const char *set);

#endif
