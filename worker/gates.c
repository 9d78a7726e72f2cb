/*
 * worker/gates.c: names that need locks, and wait until a slot may be free.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, MADV_DONTFORK */
#include <sys/mman.h>
#include <string.h>

#include "job/text.h"
#include "spool/lock.h"
#include "worker/gates.h"
#include "worker/self.h"

enum {
	GATE_BYTES = 65536,     /* of a gate and its names: a thousand or more */
	USUAL_ID = 32,          /* bytes, with the locks */
	SPARE = 2               /* names that stand ready behind the running */
};

#define SOON  (SECOND / 1000)   /* from news to a try: our own workers say more */
#define ECHO  (SECOND / 20)     /* to another: the kernel tells of a close before
                                 * it unlocks the file */
#define BLIND (SECOND / 4)      /* between tries where nobody tells us */

struct gate {
	char lock[JOB_LOCK_MAX + 1];
	int limit;                 /* names that may be out at a time */
	int out;                   /* those on the board, and those that workers
	                            * have, as far as we know */
	int watch;                 /* -1: none */
	int64_t news;              /* when a slot was let go (monotonic) */
	int hints;                 /* how many may be free, to be tried… */
	int64_t again;             /* …then (monotonic); 0: no more */
	bool echo;                 /* and once more */
	struct candidate worst;    /* none on the board is worse; its rank is
	                            * below that of any: there is none */
	struct queue kept;
};

static const struct candidate nothing = { .when = INT64_MIN };

/* --- gates -------------------------------------------------------------- */

void
gates_open(struct gates *g, struct spool *sp, struct board *board)
{
	*g = (struct gates){ .board = board, .spool = sp,
		.most = board->count + SPARE };
}

static void
gate_close(struct gates *g, struct gate *gate)
{
	if (gate->watch >= 0)
		spool_watch_forget(g->watch, gate->watch);
	munmap(gate, GATE_BYTES);
}

void
gates_close(struct gates *g)
{
	size_t i;

	for (i = 0; i < GATE_TABLE; i++)
		if (g->table[i])
			gate_close(g, g->table[i]);
	*g = (struct gates){ .n = 0 };
}

static struct gate **
find_slot(struct gates *g, const char *lock)
{
	size_t i = text_hash(TEXT_HASH, lock, strlen(lock));

	for (;; i++) {
		struct gate **slot = &g->table[i % GATE_TABLE];

		if (!*slot || !strcmp((*slot)->lock, lock))
			return slot;
	}
}

/* Makes a gate for names of that length, in memory that workers do not
 * inherit. */
static struct gate *
gate_open(struct gates *g, const char *lock, size_t len)
{
	struct gate *gate = mmap(NULL, GATE_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (gate == MAP_FAILED)
		return NULL;
#ifdef MADV_DONTFORK
	madvise(gate, GATE_BYTES, MADV_DONTFORK);
#endif
	strcpy(gate->lock, lock);
	gate->limit = spool_lock_count(g->spool, lock, g->most);
	gate->watch = -1;
	gate->worst = nothing;
	queue_lay_out(&gate->kept, gate + 1, GATE_BYTES - sizeof *gate,
	    queue_width(len > USUAL_ID ? len : USUAL_ID));
	gate->kept.sorted = !g->passing;
	g->n++;
	return gate;
}

/* The gates of a candidate's locks.  Returns their number: it may have more
 * locks than that. */
static size_t
find_gates(struct gates *g, const struct candidate *c, bool make,
    struct gate *v[JOB_LOCKS])
{
	const char *locks = candidate_locks(c);
	char lock[JOB_LOCK_MAX + 1];
	size_t n = 0;

	while (job_lock_next(&locks, lock)) {
		struct gate **slot = find_slot(g, lock);

		if (!*slot && make && g->n < GATES_MAX)
			*slot = gate_open(g, lock, strlen(c->id));
		if (*slot)
			v[n++] = *slot;
	}
	return n;
}

/* --- names -------------------------------------------------------------- */

static void
keep(struct gates *g, struct gate *gate, const struct candidate *c)
{
	struct queue *ready = &g->board->ready;
	size_t width = queue_width(strlen(c->id));

	if (!queue_push(&gate->kept, c) && gate->kept.wider)
		g->wider = true;
	/* it is to stand on the board, too, which is ours during a pass */
	if (g->passing && width > ready->width && width > ready->wider)
		ready->wider = width;
}

/* Whether a candidate must wait at a gate.  If better ones than this had to be
 * turned away, a pass must find those before. */
static bool
must_wait(const struct gate *gate, const struct candidate *c)
{
	return gate->out >= gate->limit || (gate->kept.over &&
	    candidate_compare(c, &gate->kept.horizon) >= 0);
}

/* A worse candidate may stand on the board, in the way of this one: takes it
 * back. */
static bool
displace(struct gates *g, struct gate *gate, const struct candidate *c,
    struct candidate *worse)
{
	struct gate *v[JOB_LOCKS];
	size_t i, n;

	if (candidate_compare(c, &gate->worst) >= 0)
		return false;
	if (!board_displace(g->board, gate->lock, c, worse)) {
		gate->worst = nothing;
		return false;
	}
	n = find_gates(g, worse, false, v);
	for (i = 0; i < n; i++)
		v[i]->out -= v[i]->out > 0;
	return true;
}

static void
let_through(struct gates *g, struct gate *const *v, size_t n,
    const struct candidate *c)
{
	size_t i;

	for (i = 0; i < n; i++) {
		v[i]->out++;
		if (candidate_compare(&v[i]->worst, c) < 0)
			v[i]->worst = *c;
	}
	/* what the board turns away, a pass finds; it counts again, too */
	if (!board_add(g->board, c) && g->board->ready.wider)
		g->wider = true;
}

bool
gates_add(struct gates *g, const struct candidate *c)
{
	struct gate *v[JOB_LOCKS];
	struct candidate worse = { .when = 0 };
	size_t i, n = find_gates(g, c, true, v);

	if (!n)
		return false;
	for (i = 0; i < n && !must_wait(v[i], c);)
		i++;
	if (g->passing || (i < n && !displace(g, v[i], c, &worse))) {
		keep(g, v[i < n ? i : 0], c);
		return true;
	}
	if (i == n) {
		let_through(g, v, n, c);
		return true;
	}
	/* there is room for it now, unless it waits for another lock */
	gates_add(g, c);
	gates_add(g, &worse);
	return true;
}

/* --- what becomes of them ----------------------------------------------- */

void
gates_let_go(struct gates *g, const char *locks)
{
	char lock[JOB_LOCK_MAX + 1];
	int64_t now = monotonic();

	while (g->n && job_lock_next(&locks, lock)) {
		struct gate *gate = *find_slot(g, lock);

		if (!gate)
			continue;
		gate->out -= gate->out > 0;
		gate->news = now;
		/* this is what the news was about, most likely */
		if (gate->again && gate->again <= now + SOON) {
			gate->again = now + ECHO;
			gate->echo = false;
		}
	}
}

/* Begins to wait for news. */
static void
await_news(struct gates *g, struct gate *gate)
{
	if (gate->watch >= 0 || gate->again)
		return;
	if (g->watch)
		gate->watch = spool_watch_lock(g->spool, g->watch, gate->lock);
	/* a slot may have been let go, or made, before we watched */
	gate->again = monotonic() + (gate->watch >= 0 ? ECHO : BLIND);
	gate->hints = 1;
	gate->echo = false;
}

bool
gates_shut(struct gates *g, const struct candidate *c, unsigned char busy,
    int64_t began)
{
	const char *locks = candidate_locks(c);
	char lock[JOB_LOCK_MAX + 1] = "";
	struct gate *v[JOB_LOCKS], *gate;
	size_t i, n = find_gates(g, c, true, v);

	for (i = 0; i <= busy && job_lock_next(&locks, lock);)
		i++;
	gate = *find_slot(g, lock);
	for (i = 0; i < n; i++)
		v[i]->out -= v[i]->out > 0;
	if (!gate)
		return false;
	/* a slot that was let go since then may be free by now */
	if (gate->news < began)
		gate->limit = gate->out;
	return gates_add(g, c);
}

void
gates_news(struct gates *g, int watch, bool gone)
{
	int64_t now = monotonic();
	size_t i;

	for (i = 0; i < GATE_TABLE; i++) {
		struct gate *gate = g->table[i];

		if (!gate || gate->watch != watch)
			continue;
		if (gone)
			gate->watch = -1;
		gate->news = now;
		gate->hints++;
		gate->echo = true;
		if (!gate->again)
			gate->again = now + SOON;
	}
}

void
gates_try(struct gates *g)
{
	int64_t now = g->n ? monotonic() : 0;
	size_t i;

	for (i = 0; g->n && i < GATE_TABLE; i++)
		if (g->table[i]) {
			g->table[i]->hints = g->most;
			g->table[i]->again = now;
		}
}

/* --- passes ------------------------------------------------------------- */

void
gates_begin(struct gates *g)
{
	size_t i;

	g->passing = true;
	g->wants = g->wider = false;
	for (i = 0; g->n && i < GATE_TABLE; i++) {
		struct gate *gate = g->table[i];

		if (!gate)
			continue;
		if (gate->kept.wider)
			queue_lay_out(&gate->kept, gate + 1, GATE_BYTES -
			    sizeof *gate, gate->kept.wider);
		queue_clear(&gate->kept);
		/* the board is empty now */
		gate->out = board_running(g->board, gate->lock);
		gate->worst = nothing;
	}
}

/* Closes the gates that nobody waits at. */
static void
drop_unused(struct gates *g)
{
	struct gate *all[GATES_MAX];
	size_t i, n = 0;

	for (i = 0; i < GATE_TABLE; i++) {
		struct gate *gate = g->table[i];

		g->table[i] = NULL;
		if (gate && !gate->kept.n && !gate->kept.over && !gate->out)
			gate_close(g, gate);
		else if (gate)
			all[n++] = gate;
	}
	for (i = 0; i < n; i++)
		*find_slot(g, all[i]->lock) = all[i];
	g->n = n;
}

void
gates_end(struct gates *g)
{
	size_t i;

	g->passing = false;
	if (!g->n)
		return;
	drop_unused(g);
	for (i = 0; i < GATE_TABLE; i++)
		if (g->table[i])
			queue_sort(&g->table[i]->kept);
	gates_step(g);
}

/* --- time --------------------------------------------------------------- */

/* Whether somebody waits at the gate. */
static bool
is_waited_at(const struct gate *gate)
{
	return gate->kept.n || gate->kept.over;
}

/* Opens a gate for those that may be let through, without news of a job of ours,
 * since the last time. */
static void
open_again(struct gate *gate, int most, int64_t now)
{
	int hints = gate->hints < most ? gate->hints : most;

	if (gate->limit < gate->out + hints)
		gate->limit = gate->out + hints;
	gate->hints = gate->echo;
	gate->again = gate->echo ? now + ECHO : 0;
	gate->echo = false;
}

void
gates_step(struct gates *g)
{
	int64_t now = g->n ? monotonic() : 0;
	size_t i;

	for (i = 0; g->n && i < GATE_TABLE; i++) {
		struct gate *gate = g->table[i];

		if (!gate)
			continue;
		if (gate->again && gate->again <= now)
			open_again(gate, g->most, now);
		while (gate->kept.n && gate->out < gate->limit) {
			const struct candidate best = queue_pop(&gate->kept);

			gates_add(g, &best);
		}
		if (!is_waited_at(gate))
			continue;
		if (gate->out < gate->limit)
			g->wants = true;
		else
			await_news(g, gate);
	}
}

int64_t
gates_due(const struct gates *g)
{
	int64_t due = INT64_MAX;
	size_t i;

	for (i = 0; g->n && i < GATE_TABLE; i++) {
		const struct gate *gate = g->table[i];

		if (gate && gate->again && gate->again < due &&
		    is_waited_at(gate))
			due = gate->again;
	}
	return due;
}
