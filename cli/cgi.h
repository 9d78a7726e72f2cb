/*
 * cgi.h: the command cgi, which answers a request of an HTTP server.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CGI_H
#define CGI_H

#include "cli/call.h"

int command_cgi(struct call *);

#endif
