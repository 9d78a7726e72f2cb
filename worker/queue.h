/*
 * worker/queue.h: the best candidates by order, in bounded memory.  Pure:
 * memory in, memory out.
 *
 * A candidate is a name that was seen in pending/ or failed/.  It is only a
 * hint: the claim decides.
 *
 * A queue keeps the best `cap` candidates by (rank, when) that it was given.
 * The best one that it had to turn away is its horizon.  A candidate beyond
 * the horizon is turned away, too, even if there is room by then: it would
 * jump the queue.
 *
 * While a directory is read, the queue is a heap with the worst candidate at
 * the top, so that a name costs log(n).  queue_sort() puts the best one last;
 * from then on candidates are inserted where they belong.
 *
 * A slot is as wide as the longest id, with its locks, that it must hold.  Most
 * ids are short, so more of them find room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKER_QUEUE_H
#define WORKER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job/job.h"

enum { QUEUE_ID_MAX = JOB_ID_MAX + JOB_LOCKS_LEN };

struct candidate {
	int64_t when;              /* ready: its stamp; else: when to look */
	int64_t stamp;             /* this and the rest are its name */
	uint32_t attempt;
	unsigned char rank;        /* ready: its priority; else 0 */
	unsigned char priority;
	unsigned char state;       /* JOB_PENDING or JOB_FAILED */
	unsigned char tries;       /* how often it was locked */
	bool timed;
	char id[QUEUE_ID_MAX + 1]; /* with its locks; a slot holds as much as it
	                            * has room for */
};

struct queue {
	uint16_t *order;           /* [0…n-1]: slots in use; […used-1]: free
	                            * ones; those behind were never used */
	char *slots;
	size_t width, n, used, cap;
	size_t wider;              /* the width that a longer id would need */
	bool sorted;
	bool over;                 /* something was turned away; the best is: */
	struct candidate horizon;
};

struct candidate candidate_of(enum job_state, const struct job_name *);
struct job_name candidate_name(const struct candidate *);
/* Its locks, as its name has them. */
const char *candidate_locks(const struct candidate *);
/* By rank, when, then id: below 0 if the first is better. */
int candidate_compare(const struct candidate *, const struct candidate *);

/* The width of a slot for ids of `len` bytes. */
size_t queue_width(size_t len);
/* The bytes that a queue of so many slots takes. */
size_t queue_size(size_t cap, size_t width);
/* Makes an empty, sorted queue of as many slots as fit into memory that the
 * caller owns, aligned for any type. */
void queue_lay_out(struct queue *, void *memory, size_t bytes, size_t width);
/* Empties it and forgets the horizon; it is a heap until queue_sort(). */
void queue_clear(struct queue *);
void queue_sort(struct queue *);
/* false: something was turned away for it, or it was itself.  A sorted queue
 * keeps a candidate once. */
bool queue_push(struct queue *, const struct candidate *);

/* Of a sorted queue: the best candidate, of which q->width bytes are valid, or
 * NULL; and the same one, taken out together with its doubles. */
const struct candidate *queue_best(const struct queue *);
struct candidate queue_pop(struct queue *);
/* Takes out those that are equal to it, if there are any. */
void queue_remove(struct queue *, const struct candidate *);
/* Takes out the worst one that needs the lock, if it is worse than `better`.
 * false: there is none. */
bool queue_displace(struct queue *, const char *lock,
    const struct candidate *better, struct candidate *worse);
/* The one in order[i]. */
struct candidate queue_get(const struct queue *, size_t i);

#endif
