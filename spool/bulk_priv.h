/*
 * bulk_priv.h: a change of a job that is made together with those of others.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BULK_PRIV_H
#define BULK_PRIV_H

#include "spool/spool_priv.h"

/* A locked job whose line is written, and where it is to go. */
struct spool_held {
	struct spool_claim claim;
	struct stat st;          /* of its file */
	enum job_state to;
	struct job_name next;
	void *job;               /* the caller's word for it */
};

/*
 * Takes over a job and its lock if `result` is SPOOL_OK: its line is appended,
 * and it moves when the bulk is full or ends.  Any other result is told at
 * once, and nothing is held.
 */
void bulk_add(struct spool_bulk *, struct spool_held *, int result);
/* Whether `result` says that our jobs take up the descriptors, and there is room
 * now: the job, of which nothing is held any more, can be tried again. */
bool bulk_made_room(struct spool_bulk *, struct spool_held *, int result);

#endif
