/*
 * pool_priv.h: what the files of workers/ tell the other rooms of the spool.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POOL_PRIV_H
#define POOL_PRIV_H

#include "spool/pool.h"
#include "spool/spool_priv.h"

/* The file that asks for the end of a run.  It names that run and no other, so
 * one that is left behind does no harm. */
struct path path_request(const struct job_name *run);
/* A file of workers/, by its name: POOL and what follows its first dot. */
struct pool_file {
	char pool[SPOOL_POOL_NAME];
	char suffix[8];            /* "", ".new", ".stop", ".now" */
	int64_t pid;               /* of the supervisor */
};

/* false: the name is not one that a pool makes; the file is left alone. */
bool pool_parse(const char *file, struct pool_file *);
/* Opens a pool's file and tells in *live whether the pool lives.  -1 with
 * errno, ENOENT for all that is not a regular file. */
int pool_open(struct spool *, const char *name, const char *suffix,
    bool *live);

#endif
