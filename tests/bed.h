/*
 * bed.h: the test bed: a spool of the test's own, and short words for what
 * most tests do with it.
 *
 * Those that return an int return a result of spool.h; the others fail the
 * test when a call does not succeed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BED_H
#define BED_H

#include <sys/types.h>
#include <stddef.h>
#include <stdint.h>

#include "spool.h"

extern char dir[80], path[100]; /* the test's directory; dir/spool */
extern struct spool sp;
extern int64_t now;             /* the clock: only tests move it */

/* Make the directory and an open spool in it; remove both. */
void bed_set_up(void);
void bed_tear_down(void);

/* A job with 3 attempts, created now. */
void bed_fill(struct job *, const char *id, const char *command);
int bed_enqueue(const char *id);
/* Claims the job wherever it is. */
int bed_claim(const char *id, struct spool_claim *);
/* An attempt at the claimed job that ends so, after 1 ms. */
struct job_attempt bed_attempt(const struct spool_claim *, enum job_outcome,
    int value);
/* Claims and finishes it.  Returns where it went. */
enum job_state bed_run(const char *id, enum job_outcome, int value);

/* A step of a cancel. */
int bed_cancel(struct spool_cancel *);

void bed_where(const char *id, enum job_state *, struct job_name *);
enum job_state bed_state_of(const char *id);
/* How many files are in a directory of the spool, without dot files. */
size_t bed_count(const char *sub);
/* The links of ids/ID; 0: it is not there. */
nlink_t bed_links(const char *id);

/* A shell command in the spool's directory, with `arg` in the place of %s. */
void bed_shell(const char *fmt, const char *arg);

#endif
