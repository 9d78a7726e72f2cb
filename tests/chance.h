/*
 * chance.h: random numbers with a seed that a failure can print.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHANCE_H
#define CHANCE_H

#include <stdint.h>

#include "job/job.h"

void chance_seed(uint64_t seed);
/* A number from 0 to n - 1. */
unsigned chance_below(unsigned n);
/* A time from 0 to JOB_TIME_MAX: any, or one near our own. */
int64_t chance_time(void);
/* A valid id. */
void chance_id(char id[JOB_ID_MAX + 1]);

#endif
