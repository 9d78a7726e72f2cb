/*
 * late.h: what keeps a command waiting, and what a person can do about it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LATE_H
#define LATE_H

#include "cli/call.h"

/* Zeroed, it names nothing.  late_say() frees it. */
struct late {
	struct buf jobs;        /* "a, b": the first of njobs */
	size_t njobs;
	struct buf stopped;     /* pids, " 12 13 " */
};

/* What to do where processes are not stopped. */
#define LATE_KILLED "SIGKILL comes kill-grace after SIGTERM; a container " \
	"that is paused must go on first"
#define LATE_PAUSED "if its container is paused, let that go on"

/* Notes the process if a signal has stopped it, as far as this machine tells. */
void late_add_process(struct late *, long pid);
/* Notes a job that has not ended. */
void late_add_job(struct late *, const char *id);
/* Says that we wait for `who`, or, if that is NULL, for the jobs to end; and how
 * stopped processes go on, or else `remedy`. */
void late_say(struct late *, const char *who, const char *remedy);

#endif
