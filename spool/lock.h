/*
 * spool/lock.h: named locks, of which a job needs slots to run.  A door of the
 * spool.
 *
 *     locks/NAME/SLOT    one slot; whoever holds an flock on the file has it
 *
 * A slot is a regular file of the spool's owner whose name could be a job's id.
 * Its name is the job's to know: it may be a number, or that of a device.
 *
 * To take a slot, open it for writing; to look at it, open it for reading.  A
 * worker that tries a slot in vain then makes no IN_CLOSE_NOWRITE.  Everything
 * else that may have let go of a slot does: the end of a job, of flock(1), of a
 * look.  So a pool that waits for that event wakes up when a slot may be free,
 * and not because another pool, which waits as well, has tried it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LOCK_H
#define LOCK_H

#include "spool.h"

enum { SPOOL_SLOTS_MAX = 100000 }; /* that spool_lock_set() makes */

/* What there is of a lock. */
struct spool_lock {
	size_t slots, taken;
	size_t named;            /* slots whose names are not numbers from 1 */
	size_t alien;            /* files that cannot be slots */
};

/* Looks at a lock.  SPOOL_GONE: it is not there, so it has no slots. */
int spool_lock_look(struct spool *, const char *lock, struct spool_lock *);
/* The number of its slots, `most` at most, by their names. */
int spool_lock_count(struct spool *, const char *lock, int most);
/* Whether one of these locks, as a job's name has them, has no slots; `lock`
 * tells which. */
bool spool_lock_closed(struct spool *, const char *locks,
    char lock[JOB_LOCK_MAX + 1]);
/* How many jobs that are pending or failed need such a lock. */
int spool_lock_left(struct spool *, size_t *n);
/*
 * Gives a lock that many slots: those with other names, and as many as are
 * missing with numbers from 1.  The others are removed, even if a job holds
 * them.  *look is what there was.  SPOOL_WRONG_STATE: there are more slots than
 * that with other names.
 */
int spool_lock_set(struct spool *, const char *lock, size_t slots,
    struct spool_lock *look);
/* Calls `each` for every lock of the spool, in no order, until it returns
 * false. */
typedef bool spool_lock_seen(void *arg, const char *lock);
int spool_locks(struct spool *, spool_lock_seen *each, void *arg);

#endif
