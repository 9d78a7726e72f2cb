/*
 * enqueue.h: the command enqueue; words.h has its options.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ENQUEUE_H
#define ENQUEUE_H

#include "cli/call.h"

int command_enqueue(struct call *);

#endif
