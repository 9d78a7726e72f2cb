/*
 * name.h: a job's id, its file name and its state.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NAME_H
#define NAME_H

#include "job/text.h"

enum {
	JOB_ID_MAX = 64,
	JOB_LOCK_MAX = 32,        /* bytes of the name of a lock */
	JOB_LOCKS = 4,            /* that one job can have */
	JOB_LOCKS_LEN = JOB_LOCKS * (1 + JOB_LOCK_MAX),
	JOB_NAME_MAX = 1 + 1 + JOB_STAMP_LEN + 1 + 10 + 1 + JOB_ID_MAX +
	    JOB_LOCKS_LEN,
	JOB_PRIORITY = 5,         /* default */
	JOB_PRIORITY_MAX = 9
};

/*
 * The states; each is a directory of the spool.  JOB_HELD and JOB_WAITING are
 * one state for people, "waiting": a person holds the job back, or it waits for
 * its parent and lies in after/PARENT/.  A spool has these directories only once
 * a job needed them.
 */
enum job_state {
	JOB_PENDING, JOB_PROCESSING, JOB_DONE, JOB_FAILED, JOB_DEAD,
	JOB_HELD, JOB_WAITING, JOB_STATES
};

/* Directory and word of a state: "done" and "completed". */
const char *job_state_dir(enum job_state);
const char *job_state_word(enum job_state);

/* A job's file name. */
struct job_name {
	int64_t stamp;
	unsigned attempt;           /* attempts charged, the running included */
	unsigned char priority;     /* 0 first … 9 last */
	bool timed;                 /* '@': not before stamp; '-': it orders */
	char id[JOB_ID_MAX + 1];
	char parent[JOB_ID_MAX + 1]; /* in JOB_WAITING: whose directory in
	                            * after/ it lies in; else "" */
	char locks[JOB_LOCKS_LEN + 1]; /* what it needs to run, sorted:
	                            * "+db+gpu"; else "" */
};

/* Whether `id` is 1-64 of A-Za-z0-9._- and begins with none of . and -. */
bool job_id_valid(const char *id);
/* The same with 1-32 characters: the name of a lock. */
bool job_lock_valid(const char *lock);
/* Whether an id matches a pattern of *, ? and sets such as [a-f] and [!0-9], as
 * fnmatch(3) has it.  musl's fnmatch would be 19 KiB of the static program. */
bool job_id_matches(const char *pattern, const char *id);
/*
 * Takes the next name off the locks of a job, and moves *locks on to the others.
 * false: there are no more.
 */
bool job_lock_next(const char **locks, char lock[JOB_LOCK_MAX + 1]);
/* Whether the locks of a job have that one among them. */
bool job_lock_among(const char *locks, const char *lock);
/* Writes QUEUECTL_LOCK_NAME, with '_' for what cannot be in the name of a
 * variable. */
void job_lock_variable(struct buf *, const char *lock);
/*
 * Sorts n different names of locks, and writes them as they stand in a job's file
 * name.  Returns NULL, or says in constant words what is wrong.
 */
const char *job_locks_join(char out[JOB_LOCKS_LEN + 1], const char **lock,
    size_t n);
/* Writes the 10-character id that belongs to a time: base 36, so that ids
 * sort by time until the year 2085. */
void job_id_make(char id[JOB_ID_MAX + 1], int64_t time);

/* Writes the file name and a NUL.  An attempt beyond JOB_NUMBER_MAX is written
 * as JOB_NUMBER_MAX: a count that stands still is better than a name that
 * job_name_parse() refuses. */
void job_name_format(char out[JOB_NAME_MAX + 1], const struct job_name *);
/* Reads all but `parent`, which becomes "".  false: not the name of a job. */
bool job_name_parse(struct job_name *, const char *file);
/* Run order: by priority, stamp, then id. */
int job_name_compare(const struct job_name *, const struct job_name *);

#endif
