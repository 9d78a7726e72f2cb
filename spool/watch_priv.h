/*
 * watch_priv.h: what fsck asks about the file system.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WATCH_PRIV_H
#define WATCH_PRIV_H

#include "spool.h"

/* Whether the spool lies on a network file system that we know. */
bool on_network(const struct spool *);

#endif
