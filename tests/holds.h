/*
 * holds.h: what must hold for a spool after any crash; and small helpers that
 * all tests of the spool share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOLDS_H
#define HOLDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spool.h"

/*
 * Opens the spool as another process would, recovers at the time `then`, and
 * asserts:
 *
 *   - each job in exactly one state, its text whole, ids/ID the same file;
 *   - what `told` says, lines of "+ID" (was acknowledged: it is there), "=ID"
 *     (its success was reported: it is done, and its file says so), "xID" (it
 *     was cancelled: it is dead), "rID" (it was retried: it is not dead)
 *     and "-ID" (may be purged: what was said of it
 *     before no longer counts);
 *   - every entry of ids/ without a job can be used for a new one;
 *   - everything can be run, and then nothing is left to do.
 *
 * Only j0 may have a text that is not a job's (one test writes such a text).
 */
void holds(const char *spool, int64_t then, const char *when,
    const char *told);

/* What ended before may end again. */
extern bool holds_ends_twice;

/* A plain job: `true`, 2 attempts, no backoff. */
void holds_fill(struct job *, const char *id, int64_t created);
/* A spool_recovered that does nothing. */
void holds_recovered(void *, int, const struct job_attempt *, enum job_state,
    const struct job_name *);
/* The files in a directory of the spool. */
size_t holds_count(const char *spool, const char *sub);

/* Make a directory, in memory where that is possible; remove it. */
char *holds_make_dir(char dir[80]);
void holds_remove_dir(const char *dir);

#endif
