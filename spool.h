/*
 * spool.h: the queue on disk, and the interface between the rooms.
 *
 * A spool is a directory.  Its layout is at the head of spool.c, the table of
 * the changes of state at the head of spool/life.c.
 *
 * A function that returns int returns one of the results below, unless it says
 * otherwise.  SPOOL_ERROR means that errno is set and spool->at names the file
 * that it happened to, as a path below the spool ("" is the spool itself).  A
 * lost race is a normal answer and has a result of its own.  Nothing here
 * prints.  Nothing here looks at the clock, except to bound its own waiting:
 * times are parameters, in microseconds since 1970.
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

/* Histories and logs may have more than 2 GiB. */
_Static_assert(sizeof(off_t) >= 8, "use the flags of `make language`");

enum spool_result {
	SPOOL_OK,
	SPOOL_ERROR,       /* errno, spool->at */
	SPOOL_GONE,        /* not there (any more): no such job, or a lost race */
	SPOOL_BUSY,        /* locked by somebody */
	SPOOL_EXISTS,      /* the id belongs to another job */
	SPOOL_DUPLICATE,   /* a unique job: that one has not ended yet */
	SPOOL_FULL,        /* less is free than config.min_free: spool->why */
	SPOOL_STALE_ID,    /* an ids/ entry without a job is in the way */
	SPOOL_BAD,         /* the text is not a job: spool->why, spool->line */
	SPOOL_REFUSED,     /* not ours to run: spool->why */
	SPOOL_AMBIGUOUS,   /* more than one id begins like that */
	SPOOL_WRONG_STATE, /* the job is in another state than asked for */
	SPOOL_NO_PARENT,   /* a job that this one is to wait for is not there:
	                    * spool->at is its id */
	SPOOL_NO_AFTER,    /* the spool has no after/ yet */
	SPOOL_NEEDED,      /* a waiting job names it as a parent */
	SPOOL_LOCKED       /* no slot is free of a lock that it needs */
};

/* The directories: the states, and these. */
enum spool_dir {
	SPOOL_IDS = JOB_STATES, SPOOL_LOG, SPOOL_WORKERS, SPOOL_LOCKS,
	SPOOL_DIRS,
	SPOOL_ROOT = SPOOL_DIRS  /* the spool itself, to be watched */
};

enum { SPOOL_AT_MAX = 320 };  /* "processing/" and a NAME_MAX name */

struct spool {
	int fd;                  /* the directory; everything is opened by it */
	int ids;                 /* ids/, once it was needed, else -1 */
	uid_t owner;
	const char *path;        /* absolute; as it was opened, and not ours */
	char at[SPOOL_AT_MAX];   /* what the last SPOOL_ERROR happened to */
	const char *why;         /* SPOOL_BAD, REFUSED, FULL; constant text,
	                          * perhaps with "; " and what to do */
	const char *repair;      /* what a shell is to do with the path of a spool
	                          * that was REFUSED; NULL: nothing helps */
	size_t line;             /* SPOOL_BAD: the line, 0: the whole */
	const _Atomic bool *after; /* somebody tells whether after/ is there; NULL:
	                          * nobody does */
	bool no_after;           /* there is none, while `purging` */
	bool purging;            /* spool_purges_begin() */
	struct config config;
	size_t config_bad;       /* first line of config not understood, or 0 */
	int config_error;        /* errno: it could not be read; or 0 */
	struct { ino_t ino; off_t size; time_t sec; long nsec; } config_id;
};

/*
 * Opens the spool at an absolute path, which is kept and not copied, and reads
 * its config.  With `create`, makes what is missing, parents too, and tries
 * whether hard links and flock work there.  SPOOL_GONE: there is none.
 * SPOOL_REFUSED: there is something else, or it is not safe to use.
 */
int spool_open(struct spool *, const char *path, bool create);
void spool_close(struct spool *);
/* What a person can do about an error in an open spool: constant words that
 * begin with "; ", or "". */
const char *spool_remedy(int error);
/* Whether the path still leads to the directory that was opened. */
bool spool_is_there(const struct spool *);

/* --- config ------------------------------------------------------------- */

/* Writes a value; NULL goes back to the default.  The change is durable when
 * it returns.  SPOOL_BAD: the value is out of range. */
int spool_config_set(struct spool *, const struct config_key *,
    const char *value);
/* Reads config again if the file has changed; true then.  If it cannot be
 * read, the old settings stay in force: config_error. */
bool spool_config_refresh(struct spool *);

/* web.token, the secret of the page's forms: printable bytes without a newline.
 * If there is none, `fresh` becomes it; NULL: SPOOL_GONE then.  SPOOL_REFUSED:
 * others may read the file, or it is damaged; see spool->why. */
enum { SPOOL_TOKEN = 32 };
int spool_token(struct spool *, const char *fresh,
    char token[SPOOL_TOKEN + 1]);

/* --- enqueue ------------------------------------------------------------ */

/* A job that is written, and where it is to go. */
struct spool_staged {
	struct job_name name;
	enum job_state to;       /* JOB_PENDING, JOB_HELD or JOB_WAITING */
	bool parents;            /* it has some, and has not passed them */
};

/* Jobs that are written first and published together. */
struct spool_batch {
	struct spool *spool;
	struct spool_staged *v;  /* the n staged jobs */
	size_t n, cap;
	size_t linked;           /* v[0…linked-1] are in their directories */
	uint32_t *table;         /* finds them by their ids: numbers from 1, */
	size_t slots;            /* in a hash table of so many */
	bool bulk;               /* one sync for all instead of one each */
	bool locked;             /* we share the lock of ids/ */
	bool after;              /* there is an after/ */
	int again;               /* times that a directory went away under us */
	struct buf text;
};

/*
 * Writes one job to ids/.  A job without an id gets a generated one, which the
 * last one of batch->v tells; job->created may be raised by some microseconds for
 * it.  After any failure this job has left nothing behind and the batch is as
 * before.
 *
 * SPOOL_EXISTS: another job, or one of this batch, has the id.
 * SPOOL_NO_PARENT: neither the spool nor this batch has a parent of it.
 * SPOOL_NO_AFTER: it is the first one that waits; publish or take back the
 * batch, call spool_waiting_open() and stage again.
 * SPOOL_STALE_ID: publish or take back the batch, call spool_reclaim() and
 * stage again.  SPOOL_FULL: only for the first job of a batch.
 * SPOOL_BAD: the job is too large; see spool->why.
 *
 * For a unique job whose id another job has: if the other one has not ended,
 * SPOOL_DUPLICATE, nothing was written, and the other is as safe as if it had
 * been enqueued now.  If it has ended, it is purged and the new job takes its
 * id; SPOOL_BUSY: it cannot be purged, because a process of it still runs.
 */
int spool_stage(struct spool_batch *, struct job *);
/*
 * Makes the batch durable as config.sync says and links each job to where it
 * belongs: the instant of commit.  On SPOOL_ERROR and SPOOL_NO_PARENT (a parent
 * was removed meanwhile) the batch was taken back, except for jobs that a worker
 * had claimed already.  The batch is kept, for its ids, until
 * spool_batch_clear().
 */
int spool_publish(struct spool_batch *);
/* Removes the jobs that were staged and, unless a worker has claimed them,
 * those that were published. */
void spool_take_back(struct spool_batch *);
void spool_batch_clear(struct spool_batch *);
void spool_batch_free(struct spool_batch *);
/*
 * Waits for up to a second until no enqueuer lives, and removes the entry of
 * ids/ if it belongs to no job: it has one link, and no state has the id.
 * SPOOL_BUSY: an enqueuer lives on.  SPOOL_EXISTS: it belongs to a job, which
 * may be a moment old.  SPOOL_REFUSED: it is not a regular file.
 */
int spool_reclaim(struct spool *, const char *id);

/* --- looking ------------------------------------------------------------ */

/* The names in a directory, without "." and "..". */
struct spool_names {
	int fd;
	DIR *dir;                /* where there is no getdents64 */
	bool regular;            /* the name is a file's, or nobody told us */
	size_t at, n;            /* the place in `bytes`, and their number */
	char bytes[4096];
};

/* The names in a state directory, in no order.  A file that cannot be a job, by
 * its name or its type, is counted and passed over.  Of JOB_WAITING these are
 * the names in all directories of after/. */
struct spool_iter {
	struct spool *spool;
	struct spool_names names;
	DIR *parents;            /* after/, or NULL */
	char parent[JOB_ID_MAX + 1]; /* the directory in it that is read */
	enum job_state state;
	const char *file;        /* the name as it is, until the next call */
	size_t strange;          /* files that cannot be jobs */
	bool each_strange;       /* stop at each of them, too: 2 */
	char example[256];       /* the first of them */
};

int spool_iter_open(struct spool *, struct spool_iter *, enum job_state);
/* 1: a name; 0: there are no more; -1: errno; 2: a file that cannot be a job,
 * with each_strange. */
int spool_iter_next(struct spool_iter *, struct job_name *);
void spool_iter_close(struct spool_iter *);

/* Completes an id or an unambiguous prefix of one. */
int spool_resolve(struct spool *, const char *word, char id[JOB_ID_MAX + 1]);
/* Calls `each` for the ids that begin with `word`, in no order, until it returns
 * false.  It reads ids/ alone, so a job that is being enqueued may be among
 * them. */
typedef bool spool_id_seen(void *arg, const char *id);
int spool_ids(struct spool *, const char *word, spool_id_seen *each, void *arg);
/* Finds the state and the name of a job. */
int spool_find(struct spool *, const char *id, enum job_state *,
    struct job_name *);
/* Reads and parses the job of that name, wherever it has moved meanwhile.
 * `job` is valid in any case, and empty unless the result is SPOOL_OK. */
int spool_load(struct spool *, enum job_state, const struct job_name *,
    struct job *);
/*
 * Of a history longer than 64 KiB, spool_load() and spool_claim() read the end:
 * job->unread_from, unread_to.  This reads the rest, and calls `each` for every
 * attempt in it, the oldest first, and with NULL for a Retried: line.
 */
typedef void spool_earlier_line(void *arg, const struct job_attempt *);
int spool_earlier(struct spool *, enum job_state, const struct job_name *,
    const struct job *, spool_earlier_line *each, void *arg);
/*
 * Whether a worker could claim the job of that name, or move it to dead/.
 * SPOOL_REFUSED: it leaves the file alone, or cannot change it; see spool->why.
 * SPOOL_GONE, SPOOL_ERROR.
 */
int spool_check(struct spool *, enum job_state, const struct job_name *);
/* Whether the job still has that name. */
bool spool_there(struct spool *, enum job_state, const struct job_name *);
/* When it got that name, if the file system tells; INT64_MAX: it has it no
 * more. */
int64_t spool_arrived(struct spool *, enum job_state, const struct job_name *);
/* Whether somebody holds the job's lock. */
bool spool_locked(struct spool *, enum job_state, const struct job_name *);
/* A number that changes whenever a job moves from or to pending/, failed/ or
 * processing/. */
uint64_t spool_version(struct spool *);
/*
 * Whether nothing is left to do.  1: no job is pending, processing or failed;
 * 0: there is one, or everything is in motion; -1: errno.  Files that cannot be
 * run do not count, nor do jobs that need a lock without slots.  Takes 20 ms when
 * the answer is 1 (2 s on a file system whose times are whole seconds).
 */
int spool_drained(struct spool *);

/* --- a job's life ------------------------------------------------------- */

/* A slot of a named lock. */
struct spool_taken {
	int fd;                  /* for writing; it holds the flock */
	int end;                 /* its last close tells that the slot is free */
	char slot[JOB_ID_MAX + 1];
};

/* A job whose lock this process holds. */
struct spool_claim {
	int fd;                  /* read-only; it holds the lock */
	int out;                 /* for appending; -1: only looked at */
	off_t size;              /* of the text that was read */
	enum job_state from;     /* where it was claimed */
	struct job_name name;    /* in processing/ */
	struct job job;
	struct spool_taken lock[JOB_LOCKS]; /* nlock slots, in the order of */
	size_t nlock;            /* name.locks */
	unsigned char busy;      /* SPOOL_LOCKED: the number of that lock, from
	                          * 0 */
	struct spool *spool;     /* if there are locks */
	bool recorded;           /* its Attempt: line is written */
	bool hooked;             /* it has a hook, which waits for it */
	bool synced;             /* …and safe, where sync is full */
	bool moved;              /* it has left processing/, for: */
	enum job_state to;
	struct job_name next;
};

/*
 * Claims a job for a run.  On SPOOL_OK it is in processing/, locked, with
 * attempt+1.  SPOOL_GONE, SPOOL_BUSY: another worker has it.  SPOOL_BAD: it was
 * moved to dead/.  SPOOL_REFUSED: it was left where it is; SPOOL_LOCKED: also,
 * because lock number claim->busy of its name has no free slot.
 */
int spool_claim(struct spool *, enum job_state, const struct job_name *,
    int64_t now, struct spool_claim *);
/*
 * Appends the Attempt: line and moves the job on; *to and *next tell where.  On
 * SPOOL_OK and SPOOL_GONE (a hand took it away while it ran) the claim is over.
 * On SPOOL_ERROR it is kept and the call may be repeated: no line is appended
 * twice.
 */
int spool_finish(struct spool *, struct spool_claim *,
    const struct job_attempt *, enum job_state *to, struct job_name *next);
/* Lets go of a claim; the job stays where it is. */
void spool_release(struct spool_claim *);

/*
 * Recovers the jobs that dead workers left in processing/.  Calls `each` for
 * every job that it moved (SPOOL_OK: `end` says what became of the run;
 * SPOOL_BAD: its text is bad) and for every one that it cannot move
 * (SPOOL_REFUSED, SPOOL_ERROR); `name` is where the job is now.  *held counts
 * the jobs that are locked although no worker that lives says that it runs
 * them.
 */
typedef void spool_recovered(void *arg, int result,
    const struct job_attempt *end, enum job_state state,
    const struct job_name *name);
int spool_recover(struct spool *, int64_t now, spool_recovered *each,
    void *arg, size_t *held);

/* One job on its way to be cancelled, from step to step.  At the start all is
 * zero but the id. */
struct spool_cancel {
	char id[JOB_ID_MAX + 1];
	enum job_state state;    /* where it was seen last */
	bool held;               /* BUSY: its worker is dead, but a process of it
	                          * still runs; its recovery will cancel it */
	bool asked;              /* we asked for the end of the run: */
	struct job_name run;
};

/* Moves a job from dead/ to pending/, counting from 0 again. */
int spool_retry(struct spool *, const char *id, int64_t now);

/*
 * Changes to many jobs, with one sync for a thousand of them.  `each` gets the
 * result for each job, an error at once and SPOOL_OK when it is safe, and the
 * caller's word for the job: the last argument of spool_bulk_retry(), the
 * struct spool_cancel.  spool_bulk_end() completes the last ones.  At the start
 * a bulk has `spool`, `each` and `arg`; its functions have the rest.
 */
typedef void spool_changed(void *arg, int result, void *job);
struct spool_bulk {
	struct spool *spool;
	spool_changed *each;
	void *arg;
	struct spool_held *v;    /* n jobs that are locked, and still to move */
	size_t n, cap;
	int waited;              /* for locked jobs, in ms */
};
/* `name` is one in dead/.  If it is locked, waits for up to two seconds in all:
 * another bulk may have it. */
void spool_bulk_retry(struct spool_bulk *, const struct job_name *name,
    int64_t now, void *job);
/*
 * One step towards the end of a job.  SPOOL_BUSY: a worker runs the job and was
 * asked to end it, or is about to run it; call again when processing/ has
 * changed, or in a while.  SPOOL_OK: it is in dead/, cancelled, and that is
 * safe unless config.sync is SYNC_NONE.  SPOOL_WRONG_STATE: it has ended
 * otherwise, see `state`.  SPOOL_BAD: its text is bad, and it was moved to
 * dead/.
 */
void spool_bulk_cancel(struct spool_bulk *, struct spool_cancel *, int64_t now);
void spool_bulk_end(struct spool_bulk *);

/* Removes a job, its log and its id, if it is in that state.  SPOOL_NEEDED: a
 * waiting job names it as a parent. */
int spool_purge(struct spool *, enum job_state, const char *id);
/* Between these two, many are purged for less.  Nobody can enqueue the first
 * job that waits in between, so a hundred purges or so are enough. */
int spool_purges_begin(struct spool *);
void spool_purges_end(struct spool *);

/*
 * Which jobs of a state are kept no longer: those whose stamp is older than
 * `keep`, and the oldest beyond `most`.
 *
 * If a stamp lies before JOB_TIME_KNOWN, but `now` does not, the clock was wrong
 * when the job ended, and nobody knows its age.  Such a job gets the stamp `now`
 * and is kept from now on.
 */
struct spool_expiry {
	int64_t now;
	int64_t keep;            /* microseconds; 0: none; below 0: any age */
	bool arrival;            /* …and has been there for so long:
	                          * spool_arrived() */
	size_t most;             /* 0: any number is kept */
	size_t limit;            /* jobs of one call; 0: all */
	bool dry;                /* remove nothing */
	/* Whether an id may go; others stay although it is their turn.  NULL:
	 * all may. */
	bool (*match)(void *arg, const char *id);
};

/*
 * Purges them, the oldest first, and calls `each` with the result of each
 * spool_purge(), until it returns false.  *more: the limit was reached.  `arg`
 * is for `each` and `match`.
 */
typedef bool spool_expired(void *arg, int result, const char *id);
int spool_expire(struct spool *, enum job_state, const struct spool_expiry *,
    spool_expired *each, void *arg, bool *more);

#endif
