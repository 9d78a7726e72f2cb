/*
 * status.h: the command status.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STATUS_H
#define STATUS_H

#include "cli/call.h"

extern const struct option_def status_options[];

int command_status(struct call *);

#endif
