/*
 * worker/gates.h: names that need locks, and wait until a slot may be free.
 *
 *     names with locks ─→ a gate for each lock ─→ the board ─→ workers
 *                              ↑ a slot was let go; time has passed
 *
 * A gate lets as many names onto the board as the lock has slots.  When a worker
 * finds the lock busy, because others have slots, too, the gate shuts: then it
 * lets a name through for each job of this pool that ends, and when inotify
 * tells that somebody else has let go of a slot.  So a busy lock costs the
 * others nothing, however many names wait behind it.
 *
 * A name that needs several locks waits at the first gate that is shut.  A gate
 * keeps the best names in bounded memory.  When it has let those through and
 * has turned others away, it wants a pass over the directories.
 *
 * A gate is only a hint, like the names: the claim decides.  If there are too
 * many locks for all to have gates, the names of the others are tried again
 * and again, as locked names are.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKER_GATES_H
#define WORKER_GATES_H

#include "spool/watch.h"
#include "worker/board.h"

enum { GATES_MAX = 256, GATE_TABLE = 512 };

struct gate;

struct gates {
	struct board *board;
	struct spool *spool;
	struct spool_watch *watch; /* NULL: nobody tells us anything */
	int most;                  /* names that a gate lets through, however
	                            * many slots there are */
	struct gate *table[GATE_TABLE]; /* by the hash of their names; n */
	size_t n;
	bool passing;              /* a pass lasts */
	bool wants;                /* a pass */
	bool wider;                /* at once: a name was too long */
};

void gates_open(struct gates *, struct spool *, struct board *);
void gates_close(struct gates *);

/* Takes in a name that has locks.  false: none of them has a gate. */
bool gates_add(struct gates *, const struct candidate *);
/* A worker is done with a job that had these locks, or with trying it. */
void gates_let_go(struct gates *, const char *locks);
/* A worker began a claim then (monotonic), and the lock of that number was busy:
 * takes the name in again.  false: it has no gate. */
bool gates_shut(struct gates *, const struct candidate *, unsigned char busy,
    int64_t began);
/* News of that watch: a slot may be free.  With `gone`, there will be no more. */
void gates_news(struct gates *, int watch, bool gone);
/* All locks are to be tried. */
void gates_try(struct gates *);

/* A pass begins, and ends.  In between gates_add() only keeps names.  If `wider`
 * is set then, it is to begin once more instead. */
void gates_begin(struct gates *);
void gates_end(struct gates *);
/* Lets names through.  Not during a pass. */
void gates_step(struct gates *);
/* When to call that without news (monotonic); INT64_MAX: not needed. */
int64_t gates_due(const struct gates *);

#endif
