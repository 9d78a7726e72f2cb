/*
 * lock_priv.h: what the other rooms of the spool do with named locks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LOCK_PRIV_H
#define LOCK_PRIV_H

#include "spool/lock.h"
#include "spool/spool_priv.h"

/* locks/LOCK/SLOT, and locks/LOCK if `slot` is "". */
struct path path_slot(const char *lock, const char *slot);

/* Makes those of a job's locks that are not there yet, with one slot each. */
int locks_make(struct spool *, const char *locks);
/* Takes a slot of each lock in the claim's name, or none.  SPOOL_LOCKED: one of
 * them has no free slot: claim->busy is its number. */
int locks_take(struct spool *, struct spool_claim *);
/* Lets go of the slots, and wakes those that wait for them. */
void locks_let_go(struct spool_claim *);

/* Whether an entry of locks/ is what a crash left of a lock in the making. */
bool lock_is_unmade(const char *file);
/* Removes it. */
bool lock_unmake(struct spool *, const char *file);
/* Calls `each` for every file of a lock that cannot be a slot. */
typedef void lock_bad_slot(void *arg, const char *path, const char *why);
void lock_check(struct spool *, const char *lock, lock_bad_slot *each,
    void *arg);

#endif
