/*
 * select.h: which jobs a command is about: their states, patterns on their ids,
 * and when they last changed.
 *
 * Functions that return int return an exit status, after a complaint if it is
 * not DONE.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SELECT_H
#define SELECT_H

#include "cli/listing.h"

/* Sets of states have a bit for each, 1 << state. */
enum {
	STATES_ALL = (1 << JOB_STATES) - 1,
	STATES_ENDED = 1 << JOB_DONE | 1 << JOB_DEAD,
	STATES_OPEN = STATES_ALL & ~STATES_ENDED  /* not ended yet */
};

struct selection {
	unsigned states;
	char *const *glob;      /* n patterns; the id must match one of them */
	int n;                  /* 0: any id will do */
	int64_t since;          /* those that changed then or later; 0: all */
	size_t limit;           /* the first ones only; SIZE_MAX: all */
	bool reverse;           /* from the end */
};

/* Adds the states of a list with commas to a set.  NULL, or the word in the list
 * that is not a state. */
const char *states_add(const char *list, unsigned *states);
/* Reads the options --state.  Each may name several states, and *states becomes
 * the set of them all.  Without such an option *states stays as it is. */
int states_read(const struct call *, unsigned *states);
/* Whether a word is a pattern and not an id. */
bool select_is_pattern(const char *word);
/* Whether an id matches one of n patterns; true if there are none. */
bool select_matches(char *const *glob, int n, const char *id);

/*
 * Fills an empty listing: each job once; those that run first, then those that
 * will, then the ended.  With a limit, memory holds at most twice as many as the
 * limit and a thousand, however many jobs there are.
 *
 * The time of the last change is the stamp in the name: when the job was
 * enqueued or retried, when its attempt began, or when it ended.  A name with
 * '@' has a time to come, so there the file says when it got that name.
 */
int select_jobs(struct spool *, const struct selection *, struct listing *);
/* Counts them, by their names: no memory, and no look at files but as above. */
int select_count(struct spool *, const struct selection *, size_t *n);

/*
 * Passes the id of the job that each operand stands for to `each`, which
 * returns an exit status.  A pattern stands for the jobs in one of `states`.
 * Complains of operands that stand for none, and goes on; `none` is what it says
 * of a pattern.  Returns the last exit status that is not DONE.
 */
int select_each(struct call *, unsigned states, const char *none,
    int (*each)(void *arg, const char *id), void *arg);
/* Reads the jobs for the patterns among the operands, and complains likewise. */
int select_patterns(struct call *, unsigned states, const char *none,
    struct listing *);

#endif
