/*
 * worker/run.h: one attempt of a job, from its claim to its record.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKER_RUN_H
#define WORKER_RUN_H

#include "worker/worker.h"

/*
 * Runs a claimed job, watches over it and records its end.  The claim is over
 * when it returns.
 */
void run_job(struct worker *, struct spool_claim *);

#endif
