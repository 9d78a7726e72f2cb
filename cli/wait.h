/*
 * wait.h: wait, cancel; waiting for jobs to end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WAIT_H
#define WAIT_H

#include "cli/call.h"

extern const struct option_def wait_options[];

struct awaited {
	char id[JOB_ID_MAX + 1];
	bool ended;
};

/* Jobs whose end somebody waits for.  Zeroed, it has none. */
struct waiting {
	struct awaited *v;      /* n jobs, sorted by id once we wait */
	size_t n, cap;
	size_t ended, failed;
	size_t before;          /* had ended when we came */
	int status;             /* of the last that failed, as sh has it */
	size_t columns;         /* of the terminal for the bar; 0: none */
	int64_t began, drawn;   /* ms */
};

bool waiting_add(struct waiting *w, const char *id);

/* Waits for them all, for `timeout` ms at most (-1: for ever).  Returns the
 * exit status. */
int wait_for(struct spool *sp, struct waiting *w, int64_t timeout);
int command_wait(struct call *c);
int command_cancel(struct call *c);

#endif
