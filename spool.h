/*
 * spool.h: the queue on disk, and the interface between the rooms.
 *
 * A spool is a directory; DESIGN of its layout, the table of legal states and
 * the instant of commit of each transition are at the head of spool.c.
 *
 * Functions that return int return SPOOL_OK or one of the results below.
 * SPOOL_ERROR means errno is set and spool->at names what it happened to, as
 * a path below the spool ("" is the spool itself).  A lost race is a normal
 * answer and has a result of its own.  Nothing here prints, and nothing here
 * looks at the clock but where it waits: times are parameters, microseconds
 * since 1970 (see job.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SPOOL_H
#define SPOOL_H

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "job/config.h"
#include "job/job.h"

enum spool_result {
	SPOOL_OK,
	SPOOL_ERROR,      /* errno, spool->at */
	SPOOL_GONE,       /* not there (any more): no such job, or a lost race */
	SPOOL_BUSY,       /* locked by someone */
	SPOOL_EXISTS,     /* the id is another job's */
	SPOOL_QUEUED,     /* so it is, of one that has not ended, and unique */
	SPOOL_FULL,       /* less is free than config.min_free: spool->why */
	SPOOL_LEFTOVER,   /* an ids/ entry without a job is in the way */
	SPOOL_BAD,        /* the text is no job: spool->why, spool->line */
	SPOOL_ALIEN,      /* not ours to run: spool->why */
	SPOOL_AMBIGUOUS,  /* more than one id begins so */
	SPOOL_STATE       /* the job is in another state than asked for */
};

/* The directories: the states, and these. */
enum spool_dir {
	SPOOL_IDS = JOB_STATES, SPOOL_LOG, SPOOL_WORKERS, SPOOL_DIRS,
	SPOOL_ROOT = SPOOL_DIRS  /* the spool itself, to be watched */
};

enum { SPOOL_AT_MAX = 320 };  /* "processing/" and a NAME_MAX name */

struct spool {
	int fd;                  /* the directory; everything is opened by it */
	int ids;                 /* ids/, once it was needed, else -1 */
	uid_t owner;
	const char *path;        /* absolute; as it was opened, and not ours */
	char at[SPOOL_AT_MAX];   /* what the last SPOOL_ERROR happened to */
	const char *why;         /* SPOOL_BAD, ALIEN, FULL; constant text */
	size_t line;             /* SPOOL_BAD: the line, 0: the whole */
	struct config config;
	size_t config_bad;       /* first line of config not understood, or 0 */
	int config_error;        /* errno: it could not be read; or 0 */
	struct { ino_t ino; off_t size; time_t sec; long nsec; } config_id;
};

/*
 * Opens the spool at `path`, which must be absolute and is kept, not copied,
 * and reads its config.  With `create`, makes what is missing (parents too)
 * and tries that hard links and flock work there.  SPOOL_GONE: there is none.
 * SPOOL_ALIEN: there is something else, or it is not safe to use; spool->why
 * says what.
 */
int spool_open(struct spool *, const char *path, bool create);
void spool_close(struct spool *);

/* --- config ------------------------------------------------------------- */

/* Writes a value, or with NULL goes back to the default.  SPOOL_BAD: the
 * value is out of range.  Durable when it returns. */
int spool_config_set(struct spool *, const struct config_key *,
    const char *value);
/* Reads config again if the file is another one than last time; true then.  If
 * it cannot be read, what was in force stays so: config_error. */
bool spool_config_refresh(struct spool *);

/* --- enqueue ------------------------------------------------------------ */

/* A batch: jobs that are written first and published together. */
struct spool_batch {
	struct spool *spool;
	struct job_name *name;   /* the n staged; name[i].id is its id */
	size_t n, cap;
	size_t linked;           /* name[0…linked-1] are in pending/ */
	bool bulk;               /* one sync for all instead of one each */
	bool locked;             /* ids/, shared */
	struct buf text;
};

/*
 * Writes one job to ids/.  One without an id gets a generated one, which
 * batch->name[…].id tells; job->created may be raised by some microseconds for
 * it.  SPOOL_EXISTS: another job (or one of this batch) has the id.
 * SPOOL_LEFTOVER: publish or take back the batch, call spool_reclaim() and
 * stage again.  After any failure this job has left nothing behind and the
 * batch is as before.
 *
 * The first of a batch may be SPOOL_FULL, too.
 *
 * If job->unique, the other job is looked at: of one that has not ended the
 * result is SPOOL_QUEUED, nothing was written, and the other is as safe as if
 * it had been enqueued now; one that has ended is purged, and the new one takes
 * its id.  SPOOL_BUSY: it cannot be purged, a process of it still runs.
 */
int spool_stage(struct spool_batch *, struct job *);
/*
 * Makes the batch durable as config.sync says and links it into pending/: the
 * instant of commit of each job.  On SPOOL_ERROR the batch was taken back,
 * except for jobs that a worker had claimed already.  The batch is kept, for
 * its ids, until spool_batch_clear().
 */
int spool_publish(struct spool_batch *);
/* Removes what was staged and, unless claimed already, what was published. */
void spool_take_back(struct spool_batch *);
void spool_batch_clear(struct spool_batch *);
void spool_batch_free(struct spool_batch *);
/*
 * Waits up to a second until no enqueuer lives and removes the entry `id` if
 * it belongs to no job: it has one link, and no state has the id.  SPOOL_BUSY:
 * they live on; SPOOL_EXISTS: it does, perhaps since a moment; SPOOL_ALIEN: it
 * is none of ours.
 */
int spool_reclaim(struct spool *, const char *id);

/* --- looking ------------------------------------------------------------ */

/* The names in a directory, but for "." and "..". */
struct spool_names {
	int fd;
	DIR *dir;                /* where there is no better way */
	bool regular;            /* a file, or we were not told */
	size_t at, n;            /* of what was read of it: */
	char bytes[32768];
};

/* The names in a state directory, in no order.  What is no name of a job, or
 * no regular file where readdir tells, is counted and passed over. */
struct spool_iter {
	struct spool *spool;
	struct spool_names names;
	enum job_state state;
	const char *file;        /* the name as it is, until the next call */
	size_t strange;          /* files that are no jobs */
	bool each_strange;       /* and they are not passed over: 2 */
	char example[256];       /* the first of them */
};

int spool_iter_open(struct spool *, struct spool_iter *, enum job_state);
/* 1: a name; 0: no more; -1: errno; 2: with each_strange, no job. */
int spool_iter_next(struct spool_iter *, struct job_name *);
void spool_iter_close(struct spool_iter *);

/* An id or an unambiguous prefix of one to the id. */
int spool_resolve(struct spool *, const char *word, char id[JOB_ID_MAX + 1]);
/* Where the job is now. */
int spool_find(struct spool *, const char *id, enum job_state *,
    struct job_name *);
/*
 * Reads and parses the job of that name, wherever it has gone meanwhile.
 * SPOOL_BAD: `job` is valid and empty.  job_free() is due on these two.
 */
int spool_load(struct spool *, enum job_state, const struct job_name *,
    struct job *);
/* Whether the job is still under that name. */
bool spool_there(struct spool *, enum job_state, const struct job_name *);
/* When it got that name, where the file system tells, or INT64_MAX: it has it no
 * more. */
int64_t spool_arrived(struct spool *, enum job_state, const struct job_name *);
/* Whether someone holds the job's lock. */
bool spool_locked(struct spool *, enum job_state, const struct job_name *);
/* A number that changes when a job moves: pending/, failed/ or processing/ is
 * where it comes from or where it goes. */
uint64_t spool_version(struct spool *);
/* --- a job's life ------------------------------------------------------- */

/* A job that this process holds the lock of. */
struct spool_claim {
	int fd;                  /* read-only; the lock is on it */
	int out;                 /* to append to it; -1: only looked at */
	off_t size;              /* of the text that job is of */
	enum job_state from;     /* where it was claimed */
	struct job_name name;    /* in processing/ */
	struct job job;
	bool recorded;           /* its Attempt: line is written */
	bool synced;             /* …and safe, where sync is full */
	bool moved;              /* it has left processing/, for: */
	enum job_state to;
	struct job_name next;
};

/*
 * Takes the job for a run: on SPOOL_OK it is in processing/, locked, with
 * attempt+1.  SPOOL_GONE, SPOOL_BUSY: another worker.  SPOOL_BAD: moved to
 * dead/.  SPOOL_ALIEN: left where it is.
 */
int spool_claim(struct spool *, enum job_state, const struct job_name *,
    int64_t now, struct spool_claim *);
/*
 * Appends the Attempt: line and moves the job on; *to and *next tell where.
 * On SPOOL_OK and SPOOL_GONE (taken away by hand while it ran) the claim is
 * over; on SPOOL_ERROR it is kept and the call may be repeated: no line is
 * appended twice.
 */
int spool_finish(struct spool *, struct spool_claim *,
    const struct job_attempt *, enum job_state *to, struct job_name *next);
/* Lets go of the claim, the job stays where it is. */
void spool_release(struct spool_claim *);

/*
 * Brings home what dead workers left in processing/.  Calls `each` for every
 * job that it moved (SPOOL_OK, `end` says what became of the run; SPOOL_BAD,
 * its text is no job) and for what it cannot move (SPOOL_ALIEN; SPOOL_ERROR);
 * `name` is where the job is now.  *held: the jobs that are locked but run by
 * no worker that is known to live.
 */
typedef void spool_recovered(void *arg, int result,
    const struct job_attempt *end, enum job_state state,
    const struct job_name *name);
int spool_recover(struct spool *, int64_t now, spool_recovered *each,
    void *arg, size_t *held);

/*
 * One step towards the end of a job.  Begin with a struct that is zeroed but
 * for its id, and go on while the answer is SPOOL_BUSY: somebody runs the job
 * (its worker has been asked to end it) or is about to, so look again when
 * processing/ has changed, or in a while.  SPOOL_OK: it is in dead/, cancelled,
 * and that is safe unless config.sync is SYNC_NONE.  SPOOL_STATE: it has
 * ended otherwise, see `state`.  SPOOL_BAD: it was buried, its text is no job.
 */
struct spool_cancel {
	char id[JOB_ID_MAX + 1];
	enum job_state state;    /* where it was seen last */
	bool held;               /* BUSY: its worker is dead, a process of it
	                          * still runs; who recovers it cancels it */
	bool asked;              /* the run of this name was asked to end: */
	struct job_name run;
};

int spool_cancel(struct spool *, struct spool_cancel *, int64_t now);
/* dead/ → pending/, counting from 0 again.  SPOOL_STATE: not in dead/. */
int spool_retry(struct spool *, const char *id, int64_t now);
/* Removes the job, its log and its id, if it is in that state. */
int spool_purge(struct spool *, enum job_state, const char *id);

/* Which jobs of a state are kept no longer: those that got their stamp before
 * `before`, and the oldest beyond `most`. */
struct spool_expiry {
	int64_t before;          /* INT64_MIN: any age is kept */
	bool arrival;            /* `before` counts for the file's arrival in
	                          * the state, too: see spool_arrived() */
	size_t most;             /* 0: any number is kept */
	size_t limit;            /* jobs of one call; 0: all */
	bool dry;                /* remove nothing */
};

/*
 * Purges them, the oldest first, and calls `each` for every one with the result
 * of spool_purge(), until it returns false.  *more: the limit was reached.
 */
typedef bool spool_expired(void *arg, int result, const char *id);
int spool_expire(struct spool *, enum job_state, const struct spool_expiry *,
    spool_expired *each, void *arg, bool *more);

/*
 * Whether nothing is left to do: 1, no job is pending, processing or failed;
 * 0, there is, or all is in motion; -1, errno.  Files that are no jobs do not
 * count.  Takes some milliseconds when the answer is 1.
 */
int spool_drained(struct spool *);

#endif
