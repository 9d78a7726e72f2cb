/*
 * lock.h: named locks, and the jobs that wait for them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_LOCK_H
#define CLI_LOCK_H

#include "cli/listing.h"

extern const struct option_def lock_options[];

int command_lock(struct call *);

/* What lock_why() knows already; zeroed, it is nothing. */
struct lock_view {
	bool looked;
	struct listing running;
	struct lock_words *v;
	size_t n, cap;
};

/* Says which of its locks a job waits for, and which jobs hold that lock.  NULL:
 * the job waits for none. */
const char *lock_why(struct spool *, struct lock_view *, const char *locks);
void lock_view_free(struct lock_view *);

#endif
