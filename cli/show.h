/*
 * show.h: the commands list, show and logs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SHOW_H
#define SHOW_H

#include "cli/call.h"

extern const struct option_def list_options[], show_options[], logs_options[];

int command_list(struct call *);
int command_show(struct call *);
int command_logs(struct call *);

/* Prints a log, opened by spool_log_read(), as far as it goes. */
int log_print(struct call *, const char *id, int fd);

#endif
