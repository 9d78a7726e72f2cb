/*
 * hook_priv.h: the jobs that run when others end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOOK_PRIV_H
#define HOOK_PRIV_H

#include "spool/spool_priv.h"

/*
 * A job, which the caller has locked and whose Attempt: line is written, is
 * about to go to `to`, JOB_DONE or JOB_DEAD, under the name *next: makes its
 * hook, as the settings on-done and on-dead say.  The hook waits for the job in
 * after/, so *made tells that there is a child now.  If it was made before, as
 * by a process that crashed before the rename, it is not made again.  Other
 * states, and jobs that are hooks themselves, have no hook.
 */
int hook_make(struct spool *, const struct job *, const struct job_name *next,
    enum job_state to, const struct job_attempt *end, bool *made);

#endif
