/*
 * life_priv.h: steps of a job's life that other rooms of the spool take, too.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LIFE_PRIV_H
#define LIFE_PRIV_H

#include "spool/spool_priv.h"

/*
 * Moves a locked file whose text is bad to dead/, byte for byte as it is, and
 * lets go of it.  SPOOL_BAD: it is there, as *next.  SPOOL_BUSY: it is too
 * young; somebody's cp may still be writing it.
 */
int move_bad_text(struct spool *, struct spool_claim *, const struct stat *,
    int64_t now, struct job_name *next);
/* Removes a locked job, its log and its id, and lets go of it.  The caller
 * shares the lock of ids/. */
int purge_locked(struct spool *, struct spool_claim *, const struct stat *);

#endif
