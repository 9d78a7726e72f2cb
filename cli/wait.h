/*
 * wait.h: the commands wait and cancel, and waiting for jobs to end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WAIT_H
#define WAIT_H

#include "cli/call.h"

extern const struct option_def wait_options[];

int command_wait(struct call *);
int command_cancel(struct call *);

/* Jobs that somebody waits for.  Zeroed, it has none. */
struct waiting {
	bool children;          /* some of the jobs wait for others */
	unsigned walk, first;   /* the number of a way up from a job, and of the
	                         * first one in this round of looks */
	struct awaited *v;      /* n jobs; sorted by id once we wait */
	size_t n, cap;
	size_t ended, failed;
	size_t before;          /* had ended before we waited */
	int status;             /* of the last that failed, as sh has it */
	size_t columns;         /* of the terminal for the bar; 0: none */
	int64_t began, drawn;   /* ms */
};

/* Adds a job.  `waiting` is a struct waiting, so that select_each() can call
 * this.  DONE, or FAILED after a complaint. */
int waiting_add(void *waiting, const char *id);
/* Waits until all have ended, for `timeout` ms at most (-1: for ever).  Returns
 * the exit status. */
int waiting_wait(struct waiting *, struct spool *, int64_t timeout);
void waiting_free(struct waiting *);

#endif
