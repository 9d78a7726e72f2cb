/*
 * recover_priv.h: for callers of spool_recover() that have nothing to say.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RECOVER_PRIV_H
#define RECOVER_PRIV_H

#include "spool.h"

/* A spool_recovered that does nothing. */
void recovered_quietly(void *arg, int result, const struct job_attempt *end,
    enum job_state, const struct job_name *);

#endif
