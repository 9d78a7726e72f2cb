/*
 * spool/waiting.h: jobs that wait for other jobs, or for a person.  A door of
 * the spool.
 *
 *     held/NAME            a person holds it back
 *     after/PARENT/NAME    it waits for the job PARENT, its parent
 *     after/PARENT/+CHILD  a mark: CHILD names PARENT, too, and waits elsewhere
 *
 * A job that names several parents waits for the first of them that has not
 * ended as it asks.  The marks keep the others from being purged meanwhile.
 *
 * Whoever puts a child into after/PARENT/ looks at the parent again afterwards,
 * and moves the child on if it has ended.  Whoever ends a parent renames it
 * first, and then looks into after/PARENT/.  So one of the two sees the other,
 * and no child is left behind.  If that one dies, the sweep does its work.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WAITING_H
#define WAITING_H

#include "spool.h"

/* What has become of a parent. */
enum spool_parent {
	PARENT_WORKS,      /* it has not ended */
	PARENT_DONE,
	PARENT_DEAD,       /* cancelled jobs, too */
	PARENT_GONE        /* somebody removed it */
};

/*
 * Makes after/, and returns when no process believes any more that there is
 * none.  No job may be staged meanwhile.
 */
int spool_waiting_open(struct spool *);

/* Whether there is an after/. */
bool spool_has_waiting(struct spool *);

/* Moves the children on whose parents have ended; *released is their number. */
int spool_waiting_sweep(struct spool *, size_t *released);

/* Why a job of JOB_WAITING waits. */
struct spool_reason {
	char id[JOB_ID_MAX + 1];   /* its parent */
	enum spool_parent parent;  /* what has become of it */
	bool held;                 /* it is held, */
	bool waits;                /* …or waits for another one; */
	struct job_name name;      /* …then this is its name */
	bool blocked;              /* the wait will not end by itself */
};

int spool_waiting_reason(struct spool *, const struct job_name *,
    struct spool_reason *);
/*
 * Goes up from parent to parent.  Tells of the first one that does not wait for
 * another, as the child has it that waits for that one; of a ring, that it is
 * blocked and waits.  `known`, if not NULL, is asked of each parent that waits;
 * the way ends there if it returns true.
 */
typedef bool spool_parent_known(void *arg, const char *id);
int spool_waiting_root(struct spool *, const struct job_name *,
    spool_parent_known *known, void *arg, struct spool_reason *);

/* How many jobs wait. */
struct spool_waiting {
	size_t waiting, held, blocked;
	char example[JOB_ID_MAX + 1]; /* a parent that blocks others */
	size_t parents;               /* the number of those */
};

int spool_waiting_count(struct spool *, struct spool_waiting *);

/*
 * Holds a job back: SPOOL_WRONG_STATE unless it is pending, failed or waiting.
 * Lets a held job go, to its parent or to pending/: SPOOL_WRONG_STATE unless it
 * is held.  SPOOL_GONE: there is no such job, or it has just moved, and the call
 * can be repeated.
 */
void spool_bulk_hold(struct spool_bulk *, const char *id, void *job);
void spool_bulk_let_go(struct spool_bulk *, const char *id, void *job);

#endif
