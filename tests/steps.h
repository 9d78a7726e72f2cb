/*
 * steps.h: every step of a job's life and of a spool's, each as an operation
 * that check_crash.c ends or makes fail at every call.
 *
 * They work on bed.h's spool, mostly on one job, j0.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STEPS_H
#define STEPS_H

#include "spool.h"

/* Traits that the checks after an operation must know. */
enum {
	STEP_LOOKS = 1,      /* it changes nothing */
	STEP_MAKES = 2,      /* it makes a spool */
	STEP_READS = 4,      /* it reads a job's file, so EINTR can hit it */
	STEP_ONCE = 8,       /* a failure may come after it is done, before it
	                      * is safe: then repeating it says SPOOL_WRONG_STATE */
	STEP_ENDS = 16,      /* it records the end of an attempt */
	STEP_PURGES = 32,    /* the job may be gone if the process dies */
	STEP_ADDS = 64       /* it enqueues k */
};

struct operation {
	const char *name;
	void (*setup)(void); /* what must be there before, or NULL */
	int (*act)(void);    /* returns a result of spool.h */
	unsigned traits;
};

extern const struct operation operations[];
extern const int operations_count;

/* The job that the operations have claimed; fd is -1 without one. */
extern struct spool_claim steps_claimed;

/* Claims j0. */
int steps_claim(void);

/* To be called before the first operation of a process.  `acks` is where it
 * writes what its parent must know. */
void steps_begin(int acks);
/* One line: "+ID" it is acknowledged, "=ID" its end was reported, "xID" it
 * was cancelled, "rID" it was retried, "-ID" it may be purged. */
void steps_ack(char what, const char *id);

#endif
