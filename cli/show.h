/*
 * show.h: list, show, logs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SHOW_H
#define SHOW_H

#include "cli/call.h"

extern const struct option_def list_options[], show_options[], logs_options[];

int command_list(struct call *c);
int command_show(struct call *c);
int command_logs(struct call *c);

#endif
