/*
 * file_priv.h: one job's file: open, read and lock it, append to it, and its
 * entry in ids/.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef FILE_PRIV_H
#define FILE_PRIV_H

#include "spool/spool_priv.h"

/* Opens a job's file for reading, if it can be one: SPOOL_REFUSED where it is
 * not a regular file of the spool's owner. */
int job_open(struct spool *, const char *path, int *fd, struct stat *);
enum {
	JOB_HEADER_MAX = 32 << 20, /* bytes */
	JOB_TAIL_MAX = 64 << 10    /* bytes of the history that are read */
};

/*
 * Reads and parses what job_open() opened: the header and the last
 * JOB_TAIL_MAX bytes, so that the cost does not depend on how often the job
 * ran.  job->unread_from and unread_to tell what was left out.  `job` is valid
 * in any case, and empty unless the result is SPOOL_OK.  SPOOL_BAD: spool->why
 * and line tell what is wrong with the text; SPOOL_REFUSED: it is another job's
 * text.
 */
int job_read(struct spool *, const char *path, int fd, const struct stat *,
    const char *id, struct job *);

/* Reads what job_read() left out, as spool_earlier() does. */
int read_unread(struct spool *, const char *path, int fd, const struct job *,
    spool_earlier_line *each, void *arg);
/*
 * Sets job->lost: the losses in what job_read() left out, since the job was
 * last retried.  This is the only part of the old history on which a job's life
 * depends, and it matters only when the job is lost again.
 */
int count_losses(struct spool *, const char *path, int fd, struct job *);

/* Whether `path` still leads to the file that *st describes. */
bool is_same_file(struct spool *, const char *path, const struct stat *);

/* A claim that holds nothing yet. */
void claim_init(struct spool_claim *, enum job_state, const struct job_name *);
/*
 * Opens and locks a job's file; with `change`, also for appending.  On
 * SPOOL_OK, *st describes the file as it is under the lock.  Otherwise nothing
 * is held.
 */
int lock_job(struct spool *, const char *path, bool change,
    struct spool_claim *, struct stat *);
/*
 * Locks a job where it is and reads it.  On SPOOL_OK and SPOOL_BAD the lock is
 * held; otherwise nothing is.
 */
int lock_and_read(struct spool *, enum job_state, const struct job_name *,
    bool change, struct spool_claim *, struct stat *);
/*
 * Appends a line to a locked job, wherever a hand may have put its file.  If
 * the text ends within a line, closes that line first, with a space, so that
 * it is not whole even if it was torn within its last number.  SPOOL_GONE: the
 * file has no name any more.
 */
int append_line(struct spool *, struct spool_claim *, enum job_state,
    struct buf *line);

/* Counts the names that the id has in the state directories. */
int count_names(struct spool *, const char *id, size_t *n);
/*
 * `entry`, ids/ID, is not the file that the caller holds.  SPOOL_REFUSED: it
 * belongs to another job, which is in a state.  SPOOL_OK: it is left over, or
 * a copy has broken the hard link (cp, or the lower layer of an overlay).
 */
int check_entry(struct spool *, const char *entry, const char *id);
/* Whether the file can be written to.  SPOOL_REFUSED: its mode forbids it, or it
 * is immutable. */
int check_change(struct spool *, const char *path);
/*
 * Makes sure that a job has its ids/ entry.  A job that a hand put into the
 * spool, or whose hard link a copy broke, has none.  The caller holds the
 * job's lock.  SPOOL_REFUSED: the id belongs to another job.
 */
int ensure_id_entry(struct spool *, const char *path, const char *id,
    const struct stat *);

#endif
