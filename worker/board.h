/*
 * worker/board.h: what a pool's dispatcher and its workers share.
 *
 *     dispatcher ── names, pause, stop, "tidy" ──→ the board ──→ a worker takes
 *     dispatcher ←── what became of it ── a worker's seat ←──── the best name
 *
 * The board is memory that the supervisor and its workers have in common.  One
 * mutex guards it, and it is held for a few loads and stores at a time.  A
 * worker that has ended a job takes the best name itself, so that no process
 * needs to wake up for it.  A worker that finds nothing to do says so in its
 * seat, rings the dispatcher's bell and waits to be called.
 *
 * Bells and calls are single bytes in pipes.  They say "look at the board" and
 * nothing else, so that losing one to a full pipe loses nothing.  The end of a
 * call's pipe tells a worker that the supervisor has died.
 *
 * The mutex is robust (POSIX.1-2008): if a worker is killed while it holds it,
 * the next process gets it and closes the board, and the dispatcher fills it
 * anew.  A worker that is stopped (SIGSTOP) at that very moment stops
 * the pool with it until it goes on or is killed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKER_BOARD_H
#define WORKER_BOARD_H

#include <pthread.h>

#include "worker/queue.h"

enum { BOARD_LOCKS = 512 };      /* bytes: locks that a worker let go of */

/* What a worker is to do. */
struct task {
	enum {
		TASK_NONE,       /* wait to be called */
		TASK_RUN,        /* claim and run that job */
		TASK_TIDY,       /* recover jobs of dead workers, and purge */
		TASK_STOP        /* end */
	} what;
	struct candidate job;    /* RUN */
	bool expire;             /* TIDY: purge jobs that are kept no longer; */
	int64_t since;           /* …the clock has been steady since then */
};

/* What became of a task that did not run a job. */
struct report {
	int result;              /* RUN: of spool_claim(), or SPOOL_OK: it was
	                          * not tried; TIDY: of spool_recover() */
	size_t held;             /* TIDY: what spool_recover() says */
	unsigned char busy;      /* RUN, SPOOL_LOCKED: the number of the lock, */
	int64_t began;           /* …and when it was not tried yet (monotonic) */
	bool more;               /* TIDY: there is more to purge */
	int64_t took;            /* TIDY: purging took so many microseconds */
};

/* A worker's place. */
struct seat {
	enum {
		SEAT_EMPTY,
		SEAT_STARTING,
		SEAT_BUSY,       /* with its task */
		SEAT_REPORTS,    /* its report is to be read; it waits */
		SEAT_FREE,       /* it waits to be called */
		SEAT_CALLED      /* it was called and has not come yet */
	} state;
	struct task task;        /* the last */
	struct report report;
	bool cancel;             /* its job may have been cancelled */
	bool used;               /* a worker has been here */
	char locks[BOARD_LOCKS]; /* the worker let go of these, which the
	                          * dispatcher does not know yet */
	int64_t called;          /* when (monotonic) */
};

/* Something that was complained about. */
struct complaint {
	uint32_t subject;        /* a hash */
	int64_t again, wait;     /* the next time (monotonic); the interval */
};

enum { COMPLAINTS = 64 };

struct board {
	pthread_mutex_t lock;
	bool reading;            /* no name can be taken: a pass reads the
	                          * directories, or must begin */
	bool locks_lost;         /* a seat had no room for its locks */
	bool torn;               /* a process died with the lock: a name may be
	                          * missing */
	bool paused;             /* no job is to begin */
	int64_t sweep;           /* before this (monotonic) after/ is not swept */
	_Atomic bool after;      /* the spool has after/, as the dispatcher
	                          * knows; read without the lock */
	bool tidy, expire;       /* the next worker that comes is to tidy; */
	int64_t since;           /* …see struct task */
	int stop;                /* 1: after the jobs; 2: now */
	size_t dead;             /* jobs that the workers moved to dead/ */
	struct queue ready;      /* the jobs that can run, by order */
	void *names;             /* its memory, */
	size_t room;             /* …so many bytes */

	struct complaint complaint[COMPLAINTS];

	int bell[2];             /* a worker writes, the dispatcher polls */
	size_t size;             /* of this memory, with the seats */
	int count;
	struct seat seat[];      /* one for each worker of the pool */
};

/* Makes a board with room for so many ready names; it is `reading`.  NULL:
 * errno. */
struct board *board_open(int count, size_t ready);
void board_close(struct board *);

/* --- the queue ---------------------------------------------------------- */

/* How many names wait to be taken. */
size_t board_waiting(struct board *);
/* Adds a name that can run.  false: it had no room, or another one has none. */
bool board_add(struct board *, const struct candidate *);
/* Takes a name away that is not to be run yet. */
void board_remove(struct board *, const struct candidate *);
/* Takes away the worst name that needs the lock, if it is worse than `better`.
 * false: there is none. */
bool board_displace(struct board *, const char *lock,
    const struct candidate *better, struct candidate *worse);
/* A pass empties the queue.  Until it ends, the queue is a heap and its alone:
 * nobody takes a name. */
void board_begin(struct board *);
void board_end(struct board *);
/* Whether a process has died with the lock since the last call. */
bool board_was_torn(struct board *);

/* --- for worker k (from 0) ---------------------------------------------- */

/* Says that it has no task, and gets the next one. */
struct task board_take(struct board *, int k);
/* Says what became of its task.  board_take() gives it nothing more before the
 * dispatcher has read that. */
void board_report(struct board *, int k, const struct report *);
/* Says that it has no more to do with a job that has locks: it has let go of
 * them, or has not got them. */
void board_let_go(struct board *, int k, const char *locks);
/* Says that it moved a job to dead/: the one that it ran, if it has a task to run
 * one, and that task is done then. */
void board_add_dead(struct board *, int k);
/* Whether it is time to sweep after/ again, and when the next time comes. */
bool board_may_sweep(struct board *, int64_t now);
void board_set_sweep(struct board *, int64_t next);
/* The level of a stop; whether its job may have been cancelled since the last
 * look. */
int board_look(struct board *, int k, bool *cancel);

/* --- for the dispatcher ------------------------------------------------- */

/* A worker is to come to seat k.  Returns whether another one had it before. */
bool board_hire(struct board *, int k);
/* The worker of seat k has died.  Returns what its seat said. */
struct seat board_lose(struct board *, int k);
/* Reads the report of worker k, if there is one, and the task that it is about.
 * Then the worker is free. */
bool board_hear(struct board *, int k, struct task *, struct report *);
/* Reads the locks that worker k has let go of, one after the other.  false: some
 * are lost. */
bool board_freed(struct board *, int k, char locks[BOARD_LOCKS]);
/* How many workers have jobs that need the lock, or try to claim such. */
int board_running(struct board *, const char *lock);
/* How many jobs the workers have moved to dead/. */
size_t board_dead(struct board *);
/* If worker k runs that job, it is to see whether the job is cancelled. */
bool board_cancel(struct board *, int k, const char *id);
/* Picks a free worker to be called if there is something to do for it.  Those
 * that were called since `late` will come; the others are called again when
 * nobody is free.  Returns k; -1: nobody needs to be called. */
int board_call(struct board *, int64_t now, int64_t late);
/* Whether there are workers, and all of them have come to the board; and
 * whether all of them are free, and nothing is to be tidied. */
bool board_is_ready(struct board *);
bool board_is_idle(struct board *);
/* These are for all workers from their next look at the board on. */
void board_set_paused(struct board *, bool paused);
void board_set_tidy(struct board *, bool expire, int64_t since);
void board_set_stop(struct board *, int level);

/*
 * Whether to complain now, in the words `what`, about the thing of that name:
 * at first, then a minute later, two, four… at most a day.  After an hour in
 * which nobody wanted to, it counts as new.  If too much is wrong at once, new
 * complaints are not said.  Keeps errno.
 */
bool board_may_complain(struct board *, const char *what, const char *about);

/* --- bells -------------------------------------------------------------- */

/* Writes a byte; tries for a second if that fails.  Keeps errno. */
void bell_ring(int fd);
/* Takes in the bytes that are there.  false: the other side is dead. */
bool bell_drain(int fd);

#endif
