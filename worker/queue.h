/*
 * worker/queue.h: the best candidates by order: a bounded heap.  Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKER_QUEUE_H
#define WORKER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job/job.h"

struct candidate {
	int64_t when;              /* ready: stamp; timed: when to look */
	int64_t stamp;             /* and other parts of its name */
	uint32_t attempt;
	uint32_t seen;             /* when it was there, in instant()s */
	unsigned char rank;        /* ready: priority; timed: 0 */
	unsigned char priority;
	unsigned char state;       /* JOB_PENDING or JOB_FAILED */
	unsigned char tries;       /* times that it was busy */
	bool timed;
	char id[JOB_ID_MAX + 1];   /* a queue keeps as much as it needs */
};

/*
 * The best `cap` candidates by (rank, when).  order[0…n-1] are the slots in
 * use, order[n…cap-1] the free ones.  What was turned away is not below
 * `horizon`, so nothing from there on may be taken in until the directory has
 * been read again: it would jump the queue.
 *
 * While a directory is read the order is a heap, the worst first, so that a
 * name costs log(n); then it is sorted, the best last, and news are inserted.
 *
 * A slot is as wide as the longest id needs it: most are short, and more of
 * them find room.
 */
struct queue {
	uint16_t *order;
	char *slots;
	size_t width, n, cap;
	size_t wider;              /* an id needs so much, and was turned away */
	bool sorted;               /* what takes from it needs that */
	bool over;                 /* something was turned away: */
	struct candidate horizon;  /* the best of it */
};

enum { CELL = 8 }; /* widths of slots are multiples of it */

/* What a candidate with an id of so many bytes takes in a queue. */
size_t width_of(size_t len);
struct job_name name_of(const struct candidate *c);
struct candidate candidate_of(enum job_state state, const struct job_name *name);

enum { QUEUE_CAP_MAX = UINT16_MAX - 1 };

/* The bytes that a queue takes. */
size_t queue_size(size_t cap, size_t width);

/* A queue in memory that the caller has, empty. */
void queue_make(struct queue *q, void *memory, size_t cap, size_t width);

/* A queue for any id, in q->order's memory, to be freed. */
int queue_init(struct queue *q, size_t cap);

/* Begins anew, with a directory that will be read: ends with queue_sort(). */
void queue_clear(struct queue *q);

/* The one in order[i], of which there are q->width bytes. */
struct candidate * queue_at(const struct queue *q, size_t i);
struct candidate queue_get(const struct queue *q, size_t i);
int candidate_compare(const struct candidate *a, const struct candidate *b);
void queue_swap(struct queue *q, size_t i, size_t j);

/* Heapsort: the worst goes to the end, again and again; then all around. */
void queue_sort(struct queue *q);
const struct candidate * queue_best(const struct queue *q);
struct candidate queue_pop(struct queue *q);
void queue_turn_away(struct queue *q, const struct candidate *c);

/* The worst of a full one makes room. */
void queue_drop(struct queue *q);

/* Whether nothing was turned away for it. */
bool queue_push(struct queue *q, const struct candidate *c);

#endif
