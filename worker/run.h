/*
 * worker/run.h: one attempt.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKER_RUN_H
#define WORKER_RUN_H

#include "worker/worker.h"

void run_job(struct worker *w, struct spool_claim *c);

#endif
