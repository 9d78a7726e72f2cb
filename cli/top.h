/*
 * top.h: top.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TOP_H
#define TOP_H

#include "cli/call.h"

extern const struct option_def top_options[];

int command_top(struct call *);

#endif
