/*
 * worker/worker.h: a worker, and what it says.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "worker/pool.h"
#include "worker/queue.h"
#include "worker/words.h"
#include "spool/pool.h"
#include "spool/watch.h"

#include <stdatomic.h>

enum { REFUSED_MAX = 64 }; /* names whose refusal was told already */
enum { STOPPED = 3 };
enum { MARKS = 256, USUAL_ID = 10 };
#define CLOSED UINT16_MAX

/*
 * One pass over pending/ and failed/ serves the pool: the list of what it
 * found is in memory that the workers share.  Who needs a newer one reads the
 * directories, and the others wait for it.  From `ready` each takes the next
 * for himself; of `timed` each has a copy, for it is not known who will be
 * free.
 */
struct list {
	int64_t began, ended;      /* of the pass, monotonic; 0: there was none */
	int64_t front;             /* began of the last that skipped nothing */
	bool whole;                /* no directory that could not be read */
	struct candidate cursor;   /* what was ready and up to it, was skipped */
	struct candidate last;     /* the worst of: */
	struct queue ready, timed; /* sorted */
};

/* A name that is being claimed. */
struct mark {
	volatile uint32_t name;    /* its hash */
	volatile uint32_t when;    /* an instant() */
};

/*
 * A list that is replaced while somebody reads it he must not use: `version`
 * is odd meanwhile and another afterwards, `taken` is the lower half of
 * version in its upper half, and how many of list.ready were taken, or CLOSED,
 * in the lower one.
 */
struct shared {
	atomic_int reader;         /* the number of who makes a list, 0: nobody */
	atomic_uint version;
	atomic_uint taken;
	atomic_uint refused;       /* claims that were, since the list was made */
	atomic_bool silent;        /* inotify is, here */
	struct list list;
	void *ready, *timed;       /* memory of its queues, … */
	size_t room;               /* …how much that is, of ready, and… */
	size_t deadlines;          /* …how many fit into timed */
	uint32_t nmarks;           /* 0: a worker alone needs none */
	struct mark *mark;
};

struct worker {
	struct spool *spool;
	struct spool_pool *pool;
	struct shared *shared;
	const struct worker_options *options;
	int number;                /* from 1 */
	pid_t pid;
	int64_t since;
	int lifeline;              /* ends when the supervisor does; -1: ended */
	bool terminal;             /* there is one, or may be */
	struct own_env env;

	struct list list;          /* a copy, but for what `ready` has */
	unsigned version;          /* of it */
	int64_t wanted;            /* a list of an earlier pass will not do */
	struct queue news, timed;  /* ready and not, for ourselves */
	int64_t missed;            /* when they last turned something away */
	struct spool_watch watch;
	bool told;                 /* inotify tells us; else we poll */
	bool reconfigure;          /* config may have changed */
	bool ticked;               /* …for no news, while we were idle */
	bool draining;             /* idle, and waiting for others */
	int64_t stopping;          /* since when (monotonic), 0: not */
	int64_t tick, recover;     /* when due (monotonic), recover 0: never */
	int64_t held_wait;
	struct spool_tally tally;  /* of this slot */
	bool paused;               /* and it was said */
	bool noted;                /* our slot names a job */
	bool noted_since;          /* it is ours, not our predecessor's */
	bool swept;                /* workers/ was, once */
	int64_t tidy;              /* when to purge again (monotonic) */
	uint32_t refused[REFUSED_MAX];
	size_t nrefused;
};

int stop_level(const struct worker *w);

/*
 * Sleeps until a signal, the end of the supervisor, `in` can be read or `out`
 * written (-1: neither), or `ms` have passed (-1: for ever).  Whether `in` can
 * be read, or is at its end.
 */
bool doze(struct worker *w, int ms, int in, int out);

/* Whether somebody asked for the end of our job. */
bool is_cancelled(struct worker *w, const struct job_name *run);
void write_slot(struct worker *w, const struct spool_claim *c, int64_t log);

/* Makes the queues of the list empty, and for ids that need so much. */
void lay_out(struct shared *s, size_t width);
_Noreturn void worker_main(struct spool *sp, struct spool_pool *pool,
    const struct worker_options *options, struct shared *shared, int number,
    int lifeline);

#endif
