/*
 * spool/log.h: log/ID.log, what a job wrote.  A door of the spool.
 *
 * The file holds what the job wrote, byte for byte.  Of more than
 * config.log_max bytes only the head and the tail are kept, with a line
 * between them that says what is missing:
 *
 *	[queuectl: bytes 2621440 to 9437183 were dropped]
 *
 * A newline stands before the line.  The line begins where the first of these
 * bytes would be: a reader knows it by that.  Offsets are always counted in
 * bytes that the job wrote.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SPOOL_LOG_H
#define SPOOL_LOG_H

#include "spool.h"

struct spool_gap {
	int64_t from, to;        /* these bytes are missing: [from, to) */
	int64_t mark;            /* bytes of the line, at `from`; 0: no gap */
};

/* Opens a log for reading.  SPOOL_GONE: the job wrote nothing yet;
 * SPOOL_REFUSED: it is not a regular file. */
int spool_log_read(struct spool *, const char *id, int *fd);
/* Looks for the gap.  -1: the log cannot be read, errno. */
int spool_log_gap(int fd, struct spool_gap *);
/* The place in the file of the byte that the job wrote at `offset`; of a
 * missing byte, the place of the line. */
int64_t spool_log_place(const struct spool_gap *, int64_t offset);
/* The offset of the byte at a place in the file. */
int64_t spool_log_offset(const struct spool_gap *, int64_t place);

/* A log that is written to.  The file is made with its first byte. */
struct spool_log {
	int fd;                  /* -1: not open */
	int64_t size;            /* of the file */
	struct spool_gap gap;
};

/* Begins the log of a run; *offset is where its output will begin.  The log of
 * a job that has not run yet belongs to an earlier job of that id: it is
 * removed.  SPOOL_REFUSED: the log is not a regular file. */
int spool_log_begin(struct spool *, const struct spool_claim *,
    struct spool_log *, int64_t *offset);
/* Adds what the job wrote.  On SPOOL_ERROR or SPOOL_REFUSED it is lost. */
int spool_log_add(struct spool *, const char *id, struct spool_log *,
    const char *p, size_t n);
void spool_log_end(struct spool_log *);

#endif
