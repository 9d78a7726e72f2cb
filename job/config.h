/*
 * config.h: the spool's settings and their text.  Pure: memory in, memory out.
 *
 * The text is lines of "key = value"; blank lines and lines that begin with
 * '#' are comments.  In a key `_` is taken for `-`.  A key that is missing has
 * its default; of two lines for one key the last counts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job/policy.h"

enum config_sync { SYNC_NONE, SYNC_ENQUEUE, SYNC_FULL };

struct config {
	struct job_policy policy;
	int64_t timeout;         /* microseconds; 0: none */
	int64_t kill_grace;      /* microseconds */
	int64_t stop_grace;      /* microseconds; -1: as long as it takes */
	int sync;                /* enum config_sync */
	int paused;              /* no job is begun */
	int64_t log_max;         /* bytes; -1: any number */
	int64_t keep_done, keep_dead; /* microseconds; -1: for ever */
	int keep_max;            /* jobs; 0: any number */
	int min_free;            /* percent */
};

/* The first two are numbers, the others words. */
enum config_kind { CONFIG_INT, CONFIG_SECONDS, CONFIG_WORD, CONFIG_PERCENT,
	CONFIG_SPAN, CONFIG_SIZE, CONFIG_CODES };

struct config_key {
	const char *name;
	const char *value;       /* default */
	const char *range;       /* what is allowed, for people */
	const char *help;
	enum config_kind kind;
	int64_t min;             /* INT, SIZE; the maximum of INT is
	                          * JOB_NUMBER_MAX */
	const char *const *words;/* WORD: for 0, 1, …; SPAN, SIZE: one, for -1;
	                          * and a NULL */
	size_t at;               /* its field's place in struct config */
};

extern const struct config_key config_keys[]; /* ends with a NULL name */

/* The key of that name, NULL: there is none. */
const struct config_key *config_key(const char *name);
/* "90", "1.5", "30s", "15m", "12h" and "7d" in microseconds; false: it is none
 * of these, or more than JOB_NUMBER_MAX seconds. */
bool config_span_parse(const char *s, int64_t *us);
/* false: the value is out of range, nothing is changed. */
bool config_apply(struct config *, const struct config_key *,
    const char *value);
/* Adds the value in force. */
void config_value(const struct config *, const struct config_key *,
    struct buf *);
/*
 * Sets all defaults, then what `text` says, which is cut up on the way and may
 * be NULL.  Returns the number of the first line that is not understood, or 0;
 * such lines are passed over.
 */
size_t config_read(struct config *, char *text);
/*
 * Adds the old text, cut up on the way, NULL for none, with the key's line
 * replaced in its place, or appended; `set` NULL removes it.
 */
void config_edit(struct buf *, char *text, const struct config_key *,
    const char *set);

#endif
