/*
 * life_priv.h: steps of a job's life that other rooms of the spool take, too.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LIFE_PRIV_H
#define LIFE_PRIV_H

#include "spool/spool_priv.h"

/* A rename that replaces nothing; both names are below the directory `dir`.  0,
 * or -1 with errno. */
int rename_noreplace(int dir, const char *from, const char *to);

/*
 * Moves a locked file whose text is bad to dead/, byte for byte as it is, and
 * lets go of it.  SPOOL_BAD: it is there, as *next.  SPOOL_BUSY: it is too
 * young; somebody's cp may still be writing it.
 */
int move_bad_text(struct spool *, struct spool_claim *, const struct stat *,
    int64_t now, struct job_name *next);
/* Moves a job, and raises next->stamp until that name is free. */
int move_job(struct spool *, enum job_state from, const struct job_name *,
    enum job_state to, struct job_name *next);
/* Moves a locked job, and raises next->stamp until that name is free.
 * SPOOL_BUSY: the name led to another file than *st. */
int move_locked(struct spool *, enum job_state from, struct job_name *,
    enum job_state to, struct job_name *next, const struct stat *);
/* Appends a Retried: line: from now on, attempts and losses count anew. */
int append_retried(struct spool *, struct spool_claim *, int64_t now);
/* Removes a locked job, its log and its id, and lets go of it.  The caller
 * shares the lock of ids/. */
int purge_locked(struct spool *, struct spool_claim *, const struct stat *);

#endif
