/*
 * worker/queue.c: the best candidates by order, in bounded memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>
#include <string.h>

#include "worker/queue.h"

enum {
	CELL = 8,                        /* widths of slots are multiples of it */
	CAP_MAX = UINT16_MAX - 1
};

struct candidate
candidate_of(enum job_state state, const struct job_name *name)
{
	struct candidate c = {
		.when = name->stamp, .stamp = name->stamp,
		.attempt = name->attempt, .rank = name->priority,
		.priority = name->priority, .state = (unsigned char)state,
		.timed = name->timed
	};

	strcat(strcpy(c.id, name->id), name->locks);
	return c;
}

struct job_name
candidate_name(const struct candidate *c)
{
	struct job_name name = {
		.stamp = c->stamp, .attempt = c->attempt,
		.priority = c->priority, .timed = c->timed
	};

	size_t n = strcspn(c->id, "+");

	memcpy(name.id, c->id, n);
	strcpy(name.locks, c->id + n);
	return name;
}

const char *
candidate_locks(const struct candidate *c)
{
	return c->id + strcspn(c->id, "+");
}

int
candidate_compare(const struct candidate *a, const struct candidate *b)
{
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->when != b->when)
		return a->when < b->when ? -1 : 1;
	return strcmp(a->id, b->id);
}

size_t
queue_width(size_t len)
{
	return (offsetof(struct candidate, id) + len + CELL) / CELL * CELL;
}

static size_t
order_size(size_t cap)
{
	return (cap * sizeof(uint16_t) + CELL - 1) / CELL * CELL;
}

size_t
queue_size(size_t cap, size_t width)
{
	return order_size(cap) + cap * width;
}

void
queue_lay_out(struct queue *q, void *memory, size_t bytes, size_t width)
{
	size_t cap = bytes / (sizeof(uint16_t) + width);

	while (cap && queue_size(cap, width) > bytes)
		cap--;
	if (cap > CAP_MAX)
		cap = CAP_MAX;
	*q = (struct queue){ .cap = cap, .width = width, .sorted = true };
	q->order = memory;
	q->slots = (char *)memory + order_size(cap);
}

void
queue_clear(struct queue *q)
{
	q->n = 0;
	q->sorted = q->over = false;
}

/* The candidate in order[i], of which q->width bytes are valid. */
static struct candidate *
queue_at(const struct queue *q, size_t i)
{
	return (void *)(q->slots + q->order[i] * q->width);
}

struct candidate
queue_get(const struct queue *q, size_t i)
{
	struct candidate c = { .when = 0 };

	memcpy(&c, queue_at(q, i), q->width);
	return c;
}

static bool
queue_worse(const struct queue *q, size_t i, size_t j)
{
	return candidate_compare(queue_at(q, i), queue_at(q, j)) > 0;
}

static void
queue_swap(struct queue *q, size_t i, size_t j)
{
	uint16_t slot = q->order[i];

	q->order[i] = q->order[j];
	q->order[j] = slot;
}

/* Lets order[i] sink to its place in a heap of n. */
static void
queue_sink(struct queue *q, size_t i, size_t n)
{
	size_t child;

	while ((child = 2 * i + 1) < n) {
		if (child + 1 < n && queue_worse(q, child + 1, child))
			child++;
		if (!queue_worse(q, child, i))
			return;
		queue_swap(q, i, child);
		i = child;
	}
}

/* Heapsort moves the worst to the end, again and again; then it turns the order
 * around. */
void
queue_sort(struct queue *q)
{
	size_t n, i;

	for (n = q->n; n > 1; queue_sink(q, 0, n))
		queue_swap(q, 0, --n);
	for (i = 0, n = q->n; i + 1 < n; i++)
		queue_swap(q, i, --n);
	q->sorted = true;
}

const struct candidate *
queue_best(const struct queue *q)
{
	return q->n ? queue_at(q, q->n - 1) : NULL;
}

struct candidate
queue_pop(struct queue *q)
{
	struct candidate c = queue_get(q, --q->n);

	/* a name that was met twice while the queue was a heap */
	while (q->n && candidate_compare(queue_at(q, q->n - 1), &c) == 0)
		q->n--;
	return c;
}

static void
queue_turn_away(struct queue *q, const struct candidate *c)
{
	if (!q->over || candidate_compare(c, &q->horizon) < 0)
		q->horizon = *c;
	q->over = true;
}

/* The worst of a full queue makes room. */
static void
queue_drop(struct queue *q)
{
	struct candidate worst = queue_get(q, 0);
	uint16_t slot = q->order[0];

	queue_turn_away(q, &worst);
	q->n--;
	if (q->sorted) {
		memmove(q->order, q->order + 1, q->n * sizeof *q->order);
		q->order[q->n] = slot;
	} else {
		queue_swap(q, 0, q->n);
		queue_sink(q, 0, q->n);
	}
}

/* Where it belongs in a sorted queue, and whether it is there already. */
static bool
find_place(const struct queue *q, const struct candidate *c, size_t *place)
{
	size_t low = 0, high = q->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (candidate_compare(c, queue_at(q, mid)) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*place = low;
	return low < q->n && candidate_compare(c, queue_at(q, low)) == 0;
}

void
queue_remove(struct queue *q, const struct candidate *c)
{
	size_t place;
	uint16_t slot;

	while (find_place(q, c, &place)) {
		slot = q->order[place];
		q->n--;
		memmove(q->order + place, q->order + place + 1,
		    (q->n - place) * sizeof *q->order);
		q->order[q->n] = slot;
	}
}

bool
queue_displace(struct queue *q, const char *lock,
    const struct candidate *better, struct candidate *worse)
{
	size_t i;

	for (i = 0; i < q->n; i++) {
		const struct candidate *c = queue_at(q, i);

		if (candidate_compare(c, better) <= 0)
			return false;
		if (!job_lock_among(candidate_locks(c), lock))
			continue;
		*worse = queue_get(q, i);
		queue_remove(q, worse);
		return true;
	}
	return false;
}

bool
queue_push(struct queue *q, const struct candidate *c)
{
	size_t i, low = 0, width = queue_width(strlen(c->id));
	bool full = q->n == q->cap;
	uint16_t slot;

	if (width > q->width) {
		q->wider = q->wider > width ? q->wider : width;
		return false;
	}
	if ((q->over && candidate_compare(c, &q->horizon) >= 0) ||
	    (full && candidate_compare(c, queue_at(q, 0)) >= 0)) {
		queue_turn_away(q, c);
		return false;
	}
	if (q->sorted && find_place(q, c, &low))
		return true;
	if (full) {
		queue_drop(q);
		low -= low > 0;
	}
	i = q->n++;
	if (i == q->used)
		q->order[q->used++] = (uint16_t)i;
	slot = q->order[i];
	memcpy(queue_at(q, i), c, q->width);
	if (!q->sorted) {
		for (; i && queue_worse(q, i, (i - 1) / 2); i = (i - 1) / 2)
			queue_swap(q, i, (i - 1) / 2);
		return !full;
	}
	memmove(q->order + low + 1, q->order + low, (i - low) *
	    sizeof *q->order);
	q->order[low] = slot;
	return !full;
}

