/*
 * tally_priv.h: a tally as text, and the file that keeps the sum of all pools
 * that have ended.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TALLY_PRIV_H
#define TALLY_PRIV_H

#include "spool/spool_priv.h"
#include "spool/tally.h"

/* Adds "NUMBER,NUMBER,…"; no number is longer than a slot has room for. */
void tally_format(struct buf *, const struct spool_tally *);
/* Reads it and cuts it up.  false: it is not a tally, and all numbers are
 * 0. */
bool tally_parse(char *text, struct spool_tally *);
void tally_add(struct spool_tally *sum, const struct spool_tally *more);
bool tally_is_zero(const struct spool_tally *);

/* The file `metrics`.  A failure to read or write it is no reason to stop
 * anything: its numbers are for people. */
void metrics_read(struct spool *, struct spool_tally *);
void metrics_write(struct spool *, const struct spool_tally *);

#endif
