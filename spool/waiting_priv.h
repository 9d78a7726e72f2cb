/*
 * waiting_priv.h: what the other rooms of the spool do for waiting jobs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WAITING_PRIV_H
#define WAITING_PRIV_H

#include "spool/spool_priv.h"
#include "spool/waiting.h"

/* Makes held/ or after/ where it is missing. */
int waiting_make(struct spool *, enum job_state);
/* after/PARENT/+CHILD. */
struct path waiting_path_mark(const char *parent, const char *child);
/* Whether a file in after/PARENT/ is a mark. */
bool waiting_is_mark(const char *file);
/* Whether there may be children.  While there is no after/, this costs a
 * worker no system call. */
bool waiting_is_used(struct spool *);

/*
 * Finds out where a job belongs that nobody holds: JOB_PENDING, or JOB_WAITING
 * with name->parent.  SPOOL_NO_PARENT: one of its parents, sp->at, does not
 * exist.  `known` tells of parents that do not exist yet, but will in a moment.
 * NULL: the job is not new.  Then a parent that is gone counts as ended, because
 * it could be purged; unless there is a mark, which says that it is waited for.
 */
typedef bool waiting_known(void *arg, const char *id);
int waiting_place(struct spool *, const struct job *, waiting_known *known,
    void *arg, enum job_state *, struct job_name *);
/* Makes the directories that a job needs to wait, and its marks. */
int waiting_prepare(struct spool *, const struct job *, enum job_state,
    const struct job_name *);
/* Removes its marks, and the directories that are empty then. */
void waiting_forget(struct spool *, const struct job *, const char *id);
/* A new job has its marks, or lies in its parent's directory.  SPOOL_NO_PARENT:
 * a parent that has ended was removed meanwhile. */
int waiting_check(struct spool *, enum job_state, const struct job_name *);
/* A job has come to JOB_WAITING, as *name: moves it on if its parents have ended
 * meanwhile. */
int waiting_settle(struct spool *, const struct job_name *name);

/* What has become of a parent; and the same by what spool_find() has said. */
int waiting_look_at(struct spool *, const char *id, enum spool_parent *);
enum spool_parent waiting_ended_as(int result, enum job_state);
/* Whether a job need not wait for its i-th parent any more.  One that is gone
 * could be purged, because the job had passed it, unless there is a mark. */
bool waiting_is_passed(struct spool *, const struct job *, size_t i,
    enum spool_parent);
/* Where the directory that a job lies in stands among its parents.  Their number
 * means that a hand has put it there. */
size_t waiting_place_of(const struct job *, const char *parent);
/* Calls `each` for every directory of after/.  An error is told at the end. */
typedef int waiting_parent_seen(struct spool *, const char *id, void *arg);
int waiting_each_parent(struct spool *, waiting_parent_seen *each, void *arg);

/* Opens the directory of the job's children; -1: it has none. */
int waiting_children(struct spool *, const char *id);
/* The job has ended as `to` says, JOB_DONE or JOB_DEAD, and that is safe: releases
 * its children in the directory that waiting_children() opened, and closes
 * it. */
int waiting_release(struct spool *, const char *id, enum job_state to, int fd,
    size_t *released);
/* Whether a mark belongs to no job that waits for the parent. */
bool waiting_is_stale(struct spool *, const char *parent, const char *child);
/* Whether a waiting job names the job, whose lock the caller has. */
int waiting_names(struct spool *, const char *id, bool *named);

#endif
