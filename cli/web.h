/*
 * web.h: the command web, which starts an HTTP server with the page.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WEB_H
#define WEB_H

#include "cli/call.h"

extern const struct option_def web_options[];

int command_web(struct call *);

#endif
