/*
 * hold.h: hold and release.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOLD_H
#define HOLD_H

#include "cli/call.h"

int command_hold(struct call *);
int command_release(struct call *);

#endif
