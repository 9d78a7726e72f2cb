/*
 * status.h: the command status, and what it prints for machines.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STATUS_H
#define STATUS_H

#include "cli/survey.h"
#include "spool/tally.h"

extern const struct option_def status_options[];

int command_status(struct call *);

/* Prints an object.  DONE, or FAILED after a complaint. */
int status_print_json(struct spool *, const struct survey *);
/* Prints metrics in the text format of Prometheus, 0.0.4. */
void status_print_metrics(struct spool *, const struct survey *,
    const struct spool_tally *);

#endif
