/*
 * worker/board.c: what a pool's dispatcher and its workers share.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include <sys/mman.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "job/text.h"
#include "worker/board.h"
#include "worker/self.h"

enum {
	USUAL_ID = 10,          /* bytes, as job_id_make() makes them */
	RING_TRIES = 1000       /* a millisecond apart */
};

#define COMPLAIN_MIN (60 * SECOND) /* between two complaints about a thing */
#define COMPLAIN_MAX (86400 * SECOND)
#define FORGOTTEN    (3600 * SECOND)

/* --- opening ------------------------------------------------------------ */

/* There is room for `ready` names with a usual id; a longer one makes the slots
 * wider, and needs room for one at least. */
static size_t
queue_room(size_t ready)
{
	size_t size = queue_size(ready, queue_width(USUAL_ID));
	size_t least = queue_size(1, queue_width(QUEUE_ID_MAX));

	return size > least ? size : least;
}

static int
lock_open(pthread_mutex_t *lock)
{
	pthread_mutexattr_t kind;

	errno = pthread_mutexattr_init(&kind);
	if (errno)
		return -1;
	pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
	errno = pthread_mutex_init(lock, &kind);
	pthread_mutexattr_destroy(&kind);
	return errno ? -1 : 0;
}

/* Memory that processes to come share.  Pages that are not touched cost
 * nothing. */
static void *
share(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED |
	    MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

struct board *
board_open(int count, size_t ready)
{
	size_t size = sizeof(struct board) +
	    (size_t)count * sizeof(struct seat);
	size_t room = queue_room(ready);
	/* apart: the kernel maps what is near a page that is touched, and an
	 * idle worker touches no name */
	void *names = share(room);
	struct board *b = names ? share(size) : NULL;

	if (!b || lock_open(&b->lock) < 0 || make_pipe(b->bell) < 0) {
		if (b)
			munmap(b, size);
		if (names)
			munmap(names, room);
		return NULL;
	}
	b->size = size;
	b->count = count;
	b->names = names;
	b->room = room;
	b->reading = true;
	fcntl(b->bell[0], F_SETFL, O_NONBLOCK);
	fcntl(b->bell[1], F_SETFL, O_NONBLOCK);
	queue_lay_out(&b->ready, names, room, queue_width(USUAL_ID));
	return b;
}

void
board_close(struct board *b)
{
	close(b->bell[0]);
	close(b->bell[1]);
	munmap(b->names, b->room);
	munmap(b, b->size);
}

/* Nobody waits or makes a system call while he has the lock. */
static void
board_lock(struct board *b)
{
	if (pthread_mutex_lock(&b->lock) != EOWNERDEAD)
		return;
	b->torn = b->reading = true; /* who knows what is in the queue */
	pthread_mutex_consistent(&b->lock);
}

static void
board_unlock(struct board *b)
{
	pthread_mutex_unlock(&b->lock);
}

/* --- the queue ---------------------------------------------------------- */

size_t
board_waiting(struct board *b)
{
	size_t n;

	board_lock(b);
	n = b->ready.n;
	board_unlock(b);
	return n;
}

bool
board_add(struct board *b, const struct candidate *c)
{
	bool kept;

	board_lock(b);
	kept = queue_push(&b->ready, c);
	board_unlock(b);
	return kept;
}

void
board_remove(struct board *b, const struct candidate *c)
{
	board_lock(b);
	if (b->ready.sorted)
		queue_remove(&b->ready, c);
	board_unlock(b);
}

bool
board_displace(struct board *b, const char *lock,
    const struct candidate *better, struct candidate *worse)
{
	bool found;

	board_lock(b);
	found = b->ready.sorted && queue_displace(&b->ready, lock, better, worse);
	board_unlock(b);
	return found;
}

void
board_begin(struct board *b)
{
	board_lock(b);
	b->reading = true;
	if (b->ready.wider)
		queue_lay_out(&b->ready, b->names, b->room, b->ready.wider);
	queue_clear(&b->ready);
	board_unlock(b);
}

void
board_end(struct board *b)
{
	board_lock(b);
	b->reading = false;
	board_unlock(b);
}

bool
board_was_torn(struct board *b)
{
	bool torn;

	board_lock(b);
	torn = b->torn;
	b->torn = false;
	board_unlock(b);
	return torn;
}

/* --- for a worker ------------------------------------------------------- */

/* What is to be done, most urgent first. */
static void
choose(struct board *b, struct task *t)
{
	if (b->stop) {
		t->what = TASK_STOP;
	} else if (b->tidy) {
		t->what = TASK_TIDY;
		t->expire = b->expire;
		t->since = b->since;
		b->tidy = b->expire = false;
	} else if (!b->reading && !b->paused && b->ready.n) {
		t->what = TASK_RUN;
		t->job = queue_pop(&b->ready);
	}
}

struct task
board_take(struct board *b, int k)
{
	struct seat *s = &b->seat[k];
	struct task t = { .what = TASK_NONE };

	board_lock(b);
	if (s->state != SEAT_REPORTS) {
		choose(b, &t);
		s->task = t;
		s->cancel = false;
		s->used = true;
		s->state = t.what == TASK_NONE ? SEAT_FREE : SEAT_BUSY;
	}
	board_unlock(b);
	if (t.what == TASK_NONE)
		bell_ring(b->bell[1]);
	return t;
}

void
board_report(struct board *b, int k, const struct report *r)
{
	board_lock(b);
	b->seat[k].report = *r;
	b->seat[k].state = SEAT_REPORTS;
	board_unlock(b);
}

void
board_let_go(struct board *b, int k, const char *locks)
{
	struct seat *s = &b->seat[k];

	board_lock(b);
	if (strlen(s->locks) + strlen(locks) < sizeof s->locks)
		strcat(s->locks, locks);
	else
		b->locks_lost = true;
	s->task.what = TASK_NONE;
	board_unlock(b);
	bell_ring(b->bell[1]);
}

void
board_add_dead(struct board *b, int k)
{
	struct task *t = &b->seat[k].task;

	board_lock(b);
	b->dead++;
	if (t->what == TASK_RUN)
		t->what = TASK_NONE;
	board_unlock(b);
}

bool
board_may_sweep(struct board *b, int64_t now)
{
	bool may;

	board_lock(b);
	may = now >= b->sweep;
	board_unlock(b);
	return may;
}

void
board_set_sweep(struct board *b, int64_t next)
{
	board_lock(b);
	b->sweep = next;
	board_unlock(b);
}

int
board_look(struct board *b, int k, bool *cancel)
{
	int stop;

	board_lock(b);
	stop = b->stop;
	*cancel = b->seat[k].cancel;
	b->seat[k].cancel = false;
	board_unlock(b);
	return stop;
}

/* --- for the dispatcher ------------------------------------------------- */

bool
board_hire(struct board *b, int k)
{
	bool used;

	board_lock(b);
	used = b->seat[k].used;
	b->seat[k].state = SEAT_STARTING;
	board_unlock(b);
	return used;
}

struct seat
board_lose(struct board *b, int k)
{
	struct seat was;

	board_lock(b);
	was = b->seat[k];
	b->seat[k] = (struct seat){ .state = SEAT_EMPTY, .used = was.used };
	board_unlock(b);
	return was;
}

bool
board_hear(struct board *b, int k, struct task *t, struct report *r)
{
	struct seat *s = &b->seat[k];
	bool reports;

	board_lock(b);
	reports = s->state == SEAT_REPORTS;
	if (reports) {
		*t = s->task;
		*r = s->report;
		s->task.what = TASK_NONE;
		s->state = SEAT_FREE;
	}
	board_unlock(b);
	return reports;
}

bool
board_freed(struct board *b, int k, char locks[BOARD_LOCKS])
{
	bool lost;

	board_lock(b);
	strcpy(locks, b->seat[k].locks);
	b->seat[k].locks[0] = '\0';
	lost = b->locks_lost;
	b->locks_lost = false;
	board_unlock(b);
	return !lost;
}

int
board_running(struct board *b, const char *lock)
{
	int k, n = 0;

	board_lock(b);
	for (k = 0; k < b->count; k++)
		n += b->seat[k].task.what == TASK_RUN && job_lock_among(
		    candidate_locks(&b->seat[k].task.job), lock);
	board_unlock(b);
	return n;
}

size_t
board_dead(struct board *b)
{
	size_t n;

	board_lock(b);
	n = b->dead;
	board_unlock(b);
	return n;
}

bool
board_cancel(struct board *b, int k, const char *id)
{
	struct seat *s = &b->seat[k];
	bool runs;

	board_lock(b);
	runs = s->task.what == TASK_RUN &&
	    !strcmp(candidate_name(&s->task.job).id, id);
	s->cancel |= runs;
	board_unlock(b);
	return runs;
}

/* How many workers are to come. */
static size_t
wanted(const struct board *b)
{
	return b->tidy + (b->reading || b->paused ? 0 : b->ready.n);
}

int
board_call(struct board *b, int64_t now, int64_t late)
{
	size_t coming = 0;
	int k, call = -1, again = -1;

	board_lock(b);
	for (k = b->count; k--;)
		if (b->seat[k].state == SEAT_FREE)
			call = k;
		else if (b->seat[k].state == SEAT_CALLED &&
		    b->seat[k].called > late)
			coming++;
		else if (b->seat[k].state == SEAT_CALLED)
			again = k;
	if (call < 0)
		call = again;
	if (coming >= wanted(b))
		call = -1;
	if (call >= 0) {
		b->seat[call].state = SEAT_CALLED;
		b->seat[call].called = now;
	}
	board_unlock(b);
	return call;
}

bool
board_is_ready(struct board *b)
{
	bool starting = false, any = false;
	int k;

	board_lock(b);
	for (k = 0; k < b->count; k++) {
		starting |= b->seat[k].state == SEAT_STARTING;
		any |= b->seat[k].state != SEAT_EMPTY;
	}
	board_unlock(b);
	return any && !starting;
}

bool
board_is_idle(struct board *b)
{
	bool busy, any = false;
	int k;

	board_lock(b);
	busy = b->tidy;
	for (k = 0; k < b->count; k++) {
		any |= b->seat[k].state == SEAT_FREE;
		busy |= b->seat[k].state != SEAT_FREE &&
		    b->seat[k].state != SEAT_EMPTY;
	}
	board_unlock(b);
	return any && !busy;
}

void
board_set_paused(struct board *b, bool paused)
{
	board_lock(b);
	b->paused = paused;
	board_unlock(b);
}

void
board_set_tidy(struct board *b, bool expire, int64_t since)
{
	board_lock(b);
	b->tidy = true;
	b->expire |= expire;
	b->since = since;
	board_unlock(b);
}

void
board_set_stop(struct board *b, int level)
{
	board_lock(b);
	b->stop = level;
	board_unlock(b);
}

/* --- complaints --------------------------------------------------------- */

/* The complaint about a subject, or a place for it; NULL: there is none. */
static struct complaint *
complaint_find(struct board *b, uint32_t subject, int64_t now)
{
	struct complaint *c, *room = NULL;

	for (c = b->complaint; c < b->complaint + COMPLAINTS; c++) {
		if (c->wait && now - c->again > FORGOTTEN)
			c->wait = 0;
		if (c->wait && c->subject == subject)
			return c;
		if (!c->wait)
			room = c;
	}
	return room;
}

bool
board_may_complain(struct board *b, const char *what, const char *about)
{
	uint32_t subject = text_hash(text_hash(TEXT_HASH, what, strlen(what)),
	    about, strlen(about));
	int64_t now = monotonic();
	struct complaint *c;
	bool may;

	board_lock(b);
	c = complaint_find(b, subject, now);
	may = c && (!c->wait || now >= c->again);
	if (may) {
		c->wait = !c->wait ? COMPLAIN_MIN :
		    2 * c->wait < COMPLAIN_MAX ? 2 * c->wait : COMPLAIN_MAX;
		c->again = now + c->wait;
		c->subject = subject;
	}
	board_unlock(b);
	return may;
}

/* --- bells -------------------------------------------------------------- */

void
bell_ring(int fd)
{
	int e = errno, tries = 0;

	/* A full pipe rings already, and a closed one has nobody to hear it.  The
	 * kernel may have no memory for a moment. */
	while (write(fd, "", 1) < 0 && errno != EAGAIN && errno != EPIPE &&
	    tries++ < RING_TRIES)
		if (errno != EINTR)
			poll(NULL, 0, 1);
	errno = e;
}

bool
bell_drain(int fd)
{
	char bytes[64];
	ssize_t n;

	do
		n = read(fd, bytes, sizeof bytes);
	while (n < 0 && errno == EINTR);
	return n != 0;
}
