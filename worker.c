/*
 * worker.c: the pool, the order of claiming and waking up, running a job,
 * timeouts, signals.
 *
 * One supervisor, `count` workers, a process each.  The supervisor starts
 * them again when they crash, passes on requests to stop, and reaps; it runs
 * no job.  Each worker looks for jobs on its own:
 *
 *     candidates ── claim ── run ── finish ── candidates …
 *
 * The candidates are the best READY_MAX names by run order and the next
 * TIMED_MAX deadlines: a list that the pool shares, filled by one pass over
 * pending/ and failed/ that needs no stat, and what inotify has told a worker
 * since, whose events carry the names.  A candidate is only a hint: the claim
 * decides.  Workers of a pool mark what they try, so that not all of them do.
 * What did not fit is found by the next pass, made when the candidates run
 * dry, when news were lost, and on a slow tick.  Asleep, a worker wakes for
 * news, the next deadline and the tick.
 *
 * Requests reach a worker as signals from its supervisor: SIGTERM, finish the
 * job and end; SIGUSR1, end it now; SIGUSR2, see whether your job is cancelled.
 * A worker whose supervisor died reads that off the lifeline, a pipe whose
 * other end only the supervisor holds, and ends after its job.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* vfork */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The seam: what only Linux has, and vfork.  -DQUEUECTL_PORTABLE builds
 * without. */
#if defined(__linux__) && !defined(QUEUECTL_PORTABLE)
#define ON_LINUX 1
#include <sys/prctl.h>
#else
#define ON_LINUX 0
#endif

#include "spool.h"
#include "spool/log.h"
#include "spool/pool.h"
#include "spool/watch.h"
#include "worker.h"

enum {
	TITLE_MAX = 200,        /* bytes of a command in a log line */
	LINGER_MS = 20,         /* between looks whether a group has ended */
	TIDY_MAX = 1024,        /* jobs purged in one go */
	OUTPUT_ROUNDS = 16,     /* reads of 64 KiB of a job that has ended */
	REFUSED_MAX = 64,       /* names whose refusal was told already */
	MARKS = 256,            /* places for names being claimed, per worker */
	USUAL_ID = 10,          /* bytes, as job_id_make() makes them */
	STOPPED = 3             /* exit status of a worker that was stopped;
	                         * 0: it has nothing left to do */
};

#define SECOND    INT64_C(1000000)
#define TICK      (60 * SECOND)       /* where inotify works */
#define POLL      (SECOND / 4)        /* where it does not */
#define BUSY_MIN  (5 * SECOND / 1000) /* a locked candidate is tried again */
#define BUSY_MAX  SECOND
#define HELD_MIN  (SECOND / 20)       /* so is one left by a dead worker */
#define HELD_MAX  (5 * SECOND)
#define RETRY     SECOND              /* after EIO, ENOSPC… */

/* --- signals ------------------------------------------------------------ */

static int wake[2] = { -1, -1 };            /* the self-pipe */
static volatile sig_atomic_t terminations;  /* SIGTERM, SIGINT, SIGHUP */
static volatile sig_atomic_t stop_now;      /* SIGUSR1 */
static volatile sig_atomic_t some_cancel;   /* SIGUSR2: look for requests */
static volatile sig_atomic_t some_ended;    /* SIGCHLD: a child to wait for */

static const int caught[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2,
	SIGCHLD };

static volatile sig_atomic_t launching;     /* a child may be on its way */
static pid_t self;                          /* whose signals these are */

static void
on_signal(int sig)
{
	int e = errno;
	ssize_t n;

	/* A child that has not come to its exec shares our memory, or has a
	 * copy, and is not us: it dies of it as the job would. */
	if (launching && getpid() != self) {
		signal(sig, SIG_DFL);
		kill(getpid(), sig);
		return;
	}
	if (sig == SIGUSR1)
		stop_now = 1;
	else if (sig == SIGUSR2)
		some_cancel = 1;
	else if (sig == SIGCHLD)
		some_ended = 1;
	else if (sig == SIGHUP && !terminations)
		terminations = 1; /* it comes twice where others come once */
	else if ((sig == SIGTERM || sig == SIGINT) && terminations < 2)
		terminations++;
	n = write(wake[1], "", 1);
	(void)n; /* a full pipe wakes as well */
	errno = e;
}

/* Ignored, it would stay so in the jobs. */
static void
on_broken_pipe(int sig)
{
	(void)sig;
}

static int
make_pipe(int p[2])
{
#if ON_LINUX
	return pipe2(p, O_CLOEXEC);
#else
	if (pipe(p) < 0)
		return -1;
	fcntl(p[0], F_SETFD, FD_CLOEXEC);
	fcntl(p[1], F_SETFD, FD_CLOEXEC);
	return 0;
#endif
}

/* Makes the self-pipe of this process and catches the signals, whatever mask
 * we were started with; what nohup has set to be ignored stays so. */
static int
signals_open(void)
{
	struct sigaction sa = { .sa_handler = on_signal }, old;
	sigset_t ours;
	size_t i;

	if (make_pipe(wake) < 0)
		return -1;
	fcntl(wake[0], F_SETFL, O_NONBLOCK);
	fcntl(wake[1], F_SETFL, O_NONBLOCK);
	self = getpid();
	terminations = 0;
	stop_now = some_cancel = 0;
	sigfillset(&sa.sa_mask);
	sigemptyset(&ours);
	for (i = 0; i < sizeof caught / sizeof caught[0]; i++) {
		sigaddset(&ours, caught[i]);
		if (caught[i] == SIGHUP && sigaction(SIGHUP, NULL, &old) == 0
		    && old.sa_handler == SIG_IGN)
			continue;
		sigaction(caught[i], &sa, NULL);
	}
	sa.sa_handler = on_broken_pipe;
	sigaction(SIGPIPE, &sa, NULL);
	sigprocmask(SIG_UNBLOCK, &ours, NULL);
	return 0;
}

static void
close_quietly(int fd)
{
	int e = errno;

	if (fd >= 0)
		close(fd);
	errno = e;
}

/* One read: what it leaves wakes us once more. */
static void
drain_pipe(int fd)
{
	char bytes[64];

	while (read(fd, bytes, sizeof bytes) < 0 && errno == EINTR)
		;
}

/* --- time --------------------------------------------------------------- */

static int64_t
clock_us(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000;
}

static int64_t
monotonic(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

/* Milliseconds for poll from a span of microseconds, never too short. */
static int
poll_ms(int64_t us)
{
	if (us <= 0)
		return 0;
	return us > 3600 * SECOND ? 3600 * 1000 : (int)((us + 999) / 1000);
}

/* A monotonic time, short, in units of 16 us; it begins anew every 19 hours. */
static uint32_t
instant(int64_t us)
{
	return (uint32_t)(us >> 4);
}

/* --- candidates --------------------------------------------------------- */

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

enum { CELL = 8 }; /* widths of slots are multiples of it */

/* What a candidate with an id of so many bytes takes in a queue. */
static size_t
width_of(size_t len)
{
	return (offsetof(struct candidate, id) + len + CELL) / CELL * CELL;
}

static struct job_name
name_of(const struct candidate *c)
{
	struct job_name name = {
		.stamp = c->stamp, .attempt = c->attempt,
		.priority = c->priority, .timed = c->timed
	};

	strcpy(name.id, c->id);
	return name;
}

static struct candidate
candidate_of(enum job_state state, const struct job_name *name)
{
	struct candidate c = {
		.when = name->stamp, .stamp = name->stamp,
		.attempt = name->attempt, .rank = name->priority,
		.priority = name->priority, .state = (unsigned char)state,
		.timed = name->timed
	};

	strcpy(c.id, name->id);
	return c;
}

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

enum { QUEUE_CAP_MAX = UINT16_MAX - 1 };

static size_t
order_size(size_t cap)
{
	return (cap * sizeof(uint16_t) + CELL - 1) / CELL * CELL;
}

/* The bytes that a queue takes. */
static size_t
queue_size(size_t cap, size_t width)
{
	return order_size(cap) + cap * width;
}

/* A queue in memory that the caller has, empty. */
static void
queue_make(struct queue *q, void *memory, size_t cap, size_t width)
{
	size_t i;

	*q = (struct queue){ .cap = cap, .width = width, .sorted = true };
	q->order = memory;
	q->slots = (char *)memory + order_size(cap);
	for (i = 0; i < cap; i++)
		q->order[i] = (uint16_t)i;
}

/* A queue for any id, in q->order's memory, to be freed. */
static int
queue_init(struct queue *q, size_t cap)
{
	const size_t width = width_of(JOB_ID_MAX);
	void *memory = malloc(queue_size(cap, width));

	if (!memory)
		return -1;
	queue_make(q, memory, cap, width);
	return 0;
}

/* Begins anew, with a directory that will be read: ends with queue_sort(). */
static void
queue_clear(struct queue *q)
{
	q->n = 0;
	q->sorted = q->over = false;
}

/* The one in order[i], of which there are q->width bytes. */
static struct candidate *
queue_at(const struct queue *q, size_t i)
{
	return (void *)(q->slots + q->order[i] * q->width);
}

static struct candidate
queue_get(const struct queue *q, size_t i)
{
	struct candidate c = { .when = 0 };

	memcpy(&c, queue_at(q, i), q->width);
	return c;
}

static int
candidate_compare(const struct candidate *a, const struct candidate *b)
{
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->when != b->when)
		return a->when < b->when ? -1 : 1;
	return strcmp(a->id, b->id);
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

/* Heapsort: the worst goes to the end, again and again; then all around. */
static void
queue_sort(struct queue *q)
{
	size_t n, i;

	for (n = q->n; n > 1; queue_sink(q, 0, n))
		queue_swap(q, 0, --n);
	for (i = 0, n = q->n; i + 1 < n; i++)
		queue_swap(q, i, --n);
	q->sorted = true;
}

static const struct candidate *
queue_best(const struct queue *q)
{
	return q->n ? queue_at(q, q->n - 1) : NULL;
}

static struct candidate
queue_pop(struct queue *q)
{
	return queue_get(q, --q->n);
}

static void
queue_turn_away(struct queue *q, const struct candidate *c)
{
	if (!q->over || candidate_compare(c, &q->horizon) < 0)
		q->horizon = *c;
	q->over = true;
}

/* The worst of a full one makes room. */
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

/* Whether nothing was turned away for it. */
static bool
queue_push(struct queue *q, const struct candidate *c)
{
	size_t i, low = 0, high, width = width_of(strlen(c->id));
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
	if (full)
		queue_drop(q);
	i = high = q->n++;
	slot = q->order[i];
	memcpy(queue_at(q, i), c, q->width);
	if (!q->sorted) {
		for (; i && queue_worse(q, i, (i - 1) / 2); i = (i - 1) / 2)
			queue_swap(q, i, (i - 1) / 2);
		return !full;
	}
	while (low < high) {
		size_t mid = (low + high) / 2;

		if (candidate_compare(c, queue_at(q, mid)) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	memmove(q->order + low + 1, q->order + low, (i - low) *
	    sizeof *q->order);
	q->order[low] = slot;
	return !full;
}

/* --- what the workers of a pool share ----------------------------------- */

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

#define CLOSED UINT16_MAX

/* --- a worker ----------------------------------------------------------- */

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
	bool plain, has_path;      /* its environment is, for plain_words() */

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

/* One line on stderr, in one write, so that lines of workers do not mix. */
#ifdef __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
static void
say(int number, const char *fmt, ...)
{
	char line[1024];
	size_t n, room;
	va_list ap;
	ssize_t w;
	int r;

	n = (size_t)(number ?
	    snprintf(line, sizeof line, "[Worker %d] ", number) :
	    snprintf(line, sizeof line, "[queuectl] "));
	room = sizeof line - n;
	va_start(ap, fmt);
	r = vsnprintf(line + n, room, fmt, ap);
	va_end(ap);
	if (r < 0)
		return;
	n += (size_t)r < room ? (size_t)r : room - 1;
	line[n++] = '\n';
	w = write(STDERR_FILENO, line, n);
	(void)w; /* nowhere left to complain */
}

/* What spool.c says went wrong. */
static void
say_error(int number, const struct spool *sp, const char *what)
{
	say(number, "%s: %s%s%s: %s", what, sp->path, *sp->at ? "/" : "",
	    sp->at, strerror(errno));
}

/* The time of day.  Not made to increase: after the clock was set back, what
 * is counted from a later time would lie ahead of it. */
static int64_t
today(void)
{
	return clock_us(CLOCK_REALTIME);
}

static int
stop_level(const struct worker *w)
{
	if (stop_now)
		return 2;
	return terminations || w->lifeline < 0;
}

/*
 * Sleeps until a signal, the end of the supervisor, `in` can be read or `out`
 * written (-1: neither), or `ms` have passed (-1: for ever).  Whether `in` can
 * be read, or is at its end.
 */
static bool
doze(struct worker *w, int ms, int in, int out)
{
	struct pollfd p[4] = {
		{ .fd = wake[0], .events = POLLIN },
		{ .fd = w->lifeline, .events = POLLIN },
		{ .fd = in, .events = POLLIN },
		{ .fd = out, .events = POLLOUT },
	};

	/* An orphan is stopped by nobody: it looks itself. */
	if (w->lifeline < 0 && (ms < 0 || ms > 1000))
		ms = 1000;
	if (poll(p, 4, ms) < 0)
		return false;
	if (p[0].revents)
		drain_pipe(wake[0]);
	if (p[1].revents) {
		close(w->lifeline);
		w->lifeline = -1;
	}
	if (w->lifeline < 0 && spool_pool_asked(w->spool, w->pool) == 2)
		stop_now = 1;
	if (w->lifeline < 0)
		some_cancel = 1;
	return p[2].revents;
}

/* Whether somebody asked for the end of our job. */
static bool
is_cancelled(struct worker *w, const struct job_name *run)
{
	if (!some_cancel)
		return false;
	some_cancel = 0;
	return spool_cancelled(w->spool, run);
}

static void
note(struct worker *w, const struct spool_claim *c, int64_t log)
{
	struct spool_slot slot = {
		.number = w->number, .pid = (long)w->pid, .since = w->since,
		.tally = w->tally
	};

	if (c) {
		strcpy(slot.job, c->name.id);
		slot.start = c->name.stamp;
		slot.log = log;
	}
	spool_pool_note(w->pool, &slot);
	w->noted = c != NULL;
}

/* --- finding jobs ------------------------------------------------------- */

/* The longest that a job can wait for a retry, in microseconds. */
static int64_t
longest_wait(const struct worker *w, int64_t backoff_max)
{
	const struct job_policy *policy = &w->spool->config.policy;

	if (backoff_max < 0)
		backoff_max = policy->backoff_max;
	return backoff_max * SECOND / 100 * (100 + policy->backoff_jitter);
}

/*
 * Whether a deadline in failed/ is further ahead than a backoff can be: it was
 * set before the clock was set back, and counts as due.  The job may say what
 * its backoff can be, so its file is read.
 */
static bool
is_bogus(struct worker *w, const struct job_name *name, int64_t now)
{
	int64_t max = -1;
	struct job job;

	if (spool_load(w->spool, JOB_FAILED, name, &job) == SPOOL_OK &&
	    job.backoff_max >= 0)
		max = job.backoff_max;
	job_free(&job);
	return name->stamp - now > longest_wait(w, max);
}

/* What is to be known of a name that was seen then.  Whether it is ready, and
 * no deadline. */
static bool
appraise(struct worker *w, enum job_state state, const struct job_name *name,
    int64_t now, int64_t seen, struct candidate *c)
{
	int64_t max = longest_wait(w, -1);

	*c = candidate_of(state, name);
	c->seen = instant(seen);
	if (!name->timed || name->stamp <= now || (state == JOB_FAILED &&
	    name->stamp - now > max && is_bogus(w, name, now)))
		return true;
	c->rank = 0;
	return false;
}

static bool
read_dir(struct worker *w, struct list *l, enum job_state state, int64_t now)
{
	struct spool_iter it;
	struct job_name name;
	struct candidate c;
	int r;

	r = spool_iter_open(w->spool, &it, state) == SPOOL_OK ? 1 : -1;
	while (r > 0 && (r = spool_iter_next(&it, &name)) > 0)
		if (!appraise(w, state, &name, now, l->began, &c))
			queue_push(&l->timed, &c);
		else if (candidate_compare(&c, &l->cursor) > 0)
			queue_push(&l->ready, &c);
	if (r < 0)
		say_error(w->number, w->spool, "cannot look for jobs; trying "
		    "again in a second");
	spool_iter_close(&it);
	return r == 0;
}

/* A job may say that its backoff is shorter than the config's: then appraise()
 * was too patient.  Only the candidates are looked at. */
static void
mend_deadlines(struct worker *w, struct list *l, int64_t now)
{
	size_t i;

	for (i = 0; i < l->timed.n; i++) {
		struct candidate c = queue_get(&l->timed, i);
		struct job_name name = name_of(&c);

		if (c.state == JOB_FAILED && is_bogus(w, &name, now)) {
			c.rank = c.priority;
			if (candidate_compare(&c, &l->cursor) > 0)
				queue_push(&l->ready, &c); /* a double does
				                            * no harm */
		}
	}
}

/* Makes the queues of the list empty, and for ids that need so much. */
static void
lay_out(struct shared *s, size_t width)
{
	size_t cap = s->room / (sizeof(uint16_t) + width);

	queue_make(&s->list.ready, s->ready, cap < QUEUE_CAP_MAX ? cap :
	    QUEUE_CAP_MAX, width);
	queue_make(&s->list.timed, s->timed, s->deadlines,
	    width_of(JOB_ID_MAX));
}

/*
 * Reads the directories into the list, which is closed.  Where the last was
 * used up (`dry`), and half as many refused as it had, it goes on behind it,
 * and so does the next: they must not hide the rest.
 */
static void
read_spool(struct worker *w, struct list *l, bool dry)
{
	const struct candidate start = { .when = INT64_MIN };
	struct shared *s = w->shared;
	size_t refused = atomic_exchange(&s->refused, 0);
	bool behind = dry && l->ready.over && (l->front != l->began ||
	    2 * refused >= l->ready.n);
	int64_t now;

	l->cursor = behind ? l->last : start;
	for (;;) {
		now = today();
		l->began = monotonic();
		queue_clear(&l->ready);
		queue_clear(&l->timed);
		l->whole = read_dir(w, l, JOB_PENDING, now);
		l->whole &= read_dir(w, l, JOB_FAILED, now);
		mend_deadlines(w, l, now);
		if (!l->ready.wider)
			break;
		lay_out(s, l->ready.wider);
	}
	queue_sort(&l->ready);
	queue_sort(&l->timed);
	l->last = l->ready.n ? queue_get(&l->ready, 0) : start;
	if (!behind)
		l->front = l->began;
	l->ended = monotonic();
}

/* Replaces the list, as the reader that we are.  If that dies on the way, it
 * stays closed until the next has made one. */
static void
make_list(struct worker *w, bool dry)
{
	struct shared *s = w->shared;
	unsigned version = atomic_load(&s->version);

	if (version % 2)
		lay_out(s, s->list.ready.width);
	version |= 1;
	atomic_store(&s->version, version);
	atomic_store(&s->taken, CLOSED);
	atomic_thread_fence(memory_order_seq_cst);
	read_spool(w, &s->list, dry);
	version++;
	atomic_store(&s->taken, (version & CLOSED) << 16);
	atomic_store(&s->version, version);
}

/* Forgets what the pass has found for itself. */
static void
outdate(struct queue *q, const struct list *l)
{
	uint32_t began = instant(l->began);
	size_t i, n = 0;

	for (i = 0; i < q->n; i++) {
		struct candidate c = queue_get(q, i);

		c.rank = c.priority;
		c.when = c.stamp;
		if ((int32_t)(c.seen - began) >= 0 ||
		    candidate_compare(&c, &l->cursor) <= 0)
			queue_swap(q, n++, i);
	}
	q->n = n;
}

/* Goes over to the list that there is now, if it is another.  If that is
 * replaced meanwhile, it is not ours; what is then in w->timed does no harm. */
static void
follow(struct worker *w)
{
	struct shared *s = w->shared;
	unsigned version = atomic_load(&s->version);
	size_t i;

	while (version != w->version && version % 2 == 0) {
		struct list l = s->list;

		atomic_thread_fence(memory_order_acquire);
		if (atomic_load(&s->version) == version) {
			if (w->missed < l.front)
				w->timed.over = false;
			if (w->missed < l.began && candidate_compare(
			    &w->news.horizon, &l.cursor) > 0)
				w->news.over = false;
			outdate(&w->news, &l);
			while (w->news.n && l.ready.over && candidate_compare(
			    queue_at(&w->news, 0), &l.ready.horizon) >= 0)
				queue_drop(&w->news);
			outdate(&w->timed, &l);
			if (l.timed.over)
				queue_turn_away(&w->timed, &l.timed.horizon);
			for (i = 0; i < l.timed.n; i++) {
				struct candidate c = queue_get(&l.timed, i);

				queue_push(&w->timed, &c);
			}
			w->list = l;
			w->version = version;
			if (!l.whole)
				w->tick = monotonic() + RETRY;
		}
		version = atomic_load(&s->version);
	}
}

/*
 * Sees to a list of a pass that began at `since` (monotonic) or later; false:
 * there is none, for we are to end.  Only where `dry`, and the one that we have
 * is used up, may it skip what is before its end.
 */
static bool
renew(struct worker *w, int64_t since, bool dry)
{
	struct shared *s = w->shared;
	unsigned used_up = w->version;
	int ms = 1;

	while (follow(w), (dry ? w->list.began : w->list.front) < since) {
		int nobody = 0;

		if (stop_level(w))
			return false;
		if (!atomic_compare_exchange_strong(&s->reader, &nobody,
		    w->number)) {
			doze(w, ms, -1, -1);
			ms = ms < 32 ? 2 * ms : ms;
			continue;
		}
		follow(w);
		if ((dry ? w->list.began : w->list.front) < since)
			make_list(w, dry && w->version == used_up);
		atomic_store(&s->reader, 0);
	}
	return true;
}

/* Keeps a candidate for ourselves, if it does not jump the queue. */
static void
keep(struct worker *w, struct queue *q, const struct candidate *c)
{
	const struct queue *listed = &w->list.ready;
	bool beyond = q == &w->news && listed->over &&
	    candidate_compare(c, &listed->horizon) >= 0;

	if (beyond)
		queue_turn_away(q, c);
	if (beyond || !queue_push(q, c))
		w->missed = monotonic();
}

/* Takes in what inotify has to tell. */
static void
read_news(struct worker *w)
{
	int64_t now = today();
	struct candidate c;
	struct job_name name;
	const char *file;
	int dir, r;

	while ((r = spool_watch_next(&w->watch, &dir, &file)) > 0) {
		w->ticked = false;
		w->reconfigure |= dir == SPOOL_ROOT;
		if ((dir == JOB_PENDING || dir == JOB_FAILED) &&
		    job_name_parse(&name, file))
			keep(w, appraise(w, (enum job_state)dir, &name, now,
			    monotonic(), &c) ? &w->news : &w->timed, &c);
	}
	if (r < 0) {
		w->wanted = monotonic();
		w->reconfigure = true;
	}
}

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint32_t
hash(const char *s)
{
	uint32_t h = 2166136261u;

	while (*s)
		h = (h ^ (unsigned char)*s++) * 16777619u;
	return h;
}

/*
 * News come to all workers, so what one is about to claim, he marks in memory
 * that they share.  They pass over what was marked after they saw it there: it
 * is gone, or soon will be.  Without this, each of many workers tries dozens
 * of names that others have taken before it finds its next.
 *
 * A mark is a hint like the candidates.  Who finds that he cannot claim takes
 * it back, and looks after the name himself; when a worker dies, all go.  Two
 * names that share a place forget one of the marks, and a mark that is read
 * while it is written can at worst hide a name until the next pass.
 */
static struct mark *
mark_of(const struct worker *w, const struct candidate *c, uint32_t *name)
{
	*name = (hash(c->id) ^ (uint32_t)c->stamp) * 16777619u;
	return &w->shared->mark[*name % w->shared->nmarks];
}

static bool
is_marked(const struct worker *w, const struct candidate *c)
{
	uint32_t name, since;
	const struct mark *m;

	if (!w->shared->nmarks)
		return false;
	m = mark_of(w, c, &name);
	if (m->name != name)
		return false;
	/* between then and now: one of yesterday is neither */
	since = m->when - c->seen;
	return since && since <= instant(monotonic()) - c->seen;
}

/* Whether nobody else had marked it. */
static bool
mark(const struct worker *w, const struct candidate *c)
{
	uint32_t name;
	struct mark *m;
	bool first;

	if (!w->shared->nmarks)
		return false;
	m = mark_of(w, c, &name);
	first = m->name != name;
	m->when = instant(monotonic());
	m->name = name;
	return first;
}

static void
unmark(const struct worker *w, const struct candidate *c)
{
	uint32_t name;
	struct mark *m = mark_of(w, c, &name);

	if (m->name == name)
		m->name = 0;
}

/* The next of the list, if it is still ours; *taken is for take_listed().
 * Until that has said so, it may be anything. */
static bool
peek_listed(const struct worker *w, unsigned *taken, struct candidate *c)
{
	const struct queue *q = &w->list.ready;
	size_t i, slot;

	*taken = atomic_load(&w->shared->taken);
	i = *taken & CLOSED;
	if (*taken >> 16 != (w->version & CLOSED) || i >= q->n)
		return false;
	slot = ((const volatile uint16_t *)q->order)[q->n - 1 - i];
	if (slot >= q->cap)
		return false;
	memcpy(c, q->slots + slot * q->width, q->width);
	c->id[JOB_ID_MAX] = '\0';
	return true;
}

/* Whether it was ours, and so nobody has taken it or made a new list. */
static bool
take_listed(const struct worker *w, unsigned taken)
{
	return atomic_compare_exchange_strong(&w->shared->taken, &taken,
	    taken + 1);
}

/* The best that is known of, from the news or the list. */
static bool
take(struct worker *w, struct candidate *c)
{
	const struct candidate *news;
	unsigned taken;

	for (;;) {
		bool listed = peek_listed(w, &taken, c);

		while ((news = queue_best(&w->news)) && is_marked(w, news))
			w->news.n--;
		if (news && (!listed || candidate_compare(news, c) <= 0)) {
			*c = queue_pop(&w->news);
			return true;
		}
		/* not before what was turned away and is better */
		if (!listed || (w->news.over &&
		    candidate_compare(c, &w->news.horizon) >= 0))
			return false;
		if (take_listed(w, taken) && !is_marked(w, c))
			return true;
	}
}

/* Since when a pass would find more than we know of, or 0: we know all.  *dry
 * is for renew(). */
static int64_t
next_pass(const struct worker *w, bool *dry)
{
	const struct list *l = &w->list;

	*dry = true;
	/* another list is there, or being made */
	if (atomic_load(&w->shared->version) != w->version)
		return l->began + 1;
	if (!w->news.over)
		return l->ready.over ? l->began + 1 : 0;
	*dry = candidate_compare(&w->news.horizon, &l->last) > 0;
	return (l->began > w->missed ? l->began : w->missed) + 1;
}

static bool
knows_some(const struct worker *w)
{
	struct candidate c;
	unsigned taken;

	return w->news.n || peek_listed(w, &taken, &c);
}

/* When something will be due that is not yet, or INT64_MAX. */
static int64_t
next_deadline(const struct worker *w)
{
	const struct candidate *due = queue_best(&w->timed);

	return due ? due->when : w->timed.over ? w->timed.horizon.when :
	    INT64_MAX;
}

/* The best candidate that may run now. */
static bool
next_candidate(struct worker *w, struct candidate *c)
{
	int64_t now = today(), since;
	const struct candidate *due;
	bool dry;

	while ((due = queue_best(&w->timed)) && due->when <= now) {
		*c = queue_pop(&w->timed);
		c->rank = c->priority;
		c->when = c->stamp;
		keep(w, &w->news, c);
	}
	if (w->timed.over && next_deadline(w) <= now)
		w->wanted = monotonic();
	/* Not told of news, we look before we take the next: an urgent job may
	 * have come.  A tenth of the time at most. */
	if (!w->told && knows_some(w) && monotonic() - w->list.ended >
	    10 * (w->list.ended - w->list.began))
		w->wanted = monotonic();
	if (!renew(w, w->wanted, false))
		return false;
	while (!take(w, c)) {
		since = next_pass(w, &dry);
		if (!since || !renew(w, since, dry))
			return false;
	}
	return true;
}

/* Has it tried again in a while. */
static void
postpone(struct worker *w, const struct candidate *c, int64_t us)
{
	struct candidate later = *c;

	atomic_fetch_add(&w->shared->refused, 1);
	later.rank = 0;
	later.when = today() + us;
	if (later.tries < 30)
		later.tries++;
	keep(w, &w->timed, &later);
}

/* Tells of a file that is left alone, once. */
static void
say_refused(struct worker *w, enum job_state state,
    const struct job_name *name)
{
	char file[JOB_NAME_MAX + 1];
	uint32_t h;
	size_t i;

	job_name_format(file, name);
	h = hash(file);
	for (i = 0; i < REFUSED_MAX; i++)
		if (w->refused[i] == h)
			return;
	w->refused[w->nrefused++ % REFUSED_MAX] = h;
	say(w->number, "Left alone: %s/%s: %s", job_state_dir(state), file,
	    w->spool->why);
}

static void
say_bad(struct worker *w, const char *id)
{
	say(w->number, "Job moved to the dead letter queue: %s: its text is "
	    "no job: %s", id, w->spool->why);
}

/* --- running a job ------------------------------------------------------ */

/*
 * The system calls of a job's life, from the worker's look at the queue to its
 * next, as `strace -f` shows them for a job that writes nothing.  `make bench`
 * counts them.
 *
 *     read inotify       an urgent job may have come
 *     openat             the file as the job will hold it: read-only, its lock
 *     fstat              a regular file of ours, before anything is done to it
 *     openat             to append to it; on an overlay, this copies it up
 *     flock              nobody else runs it
 *     fstat              the file that was locked, as long as it is now
 *     pread              the job
 *     fstatat ids/ID     the id is its own
 *     renameat2          the claim
 *     fstatat            what was moved is what was locked
 *     write              "Processing job": the log is the user's view of it
 *     fstatat log/ID.log where its output begins
 *     pwrite             the slot: who runs it, for recovery, list and why
 *     pipe2              its output, for log-max
 *     vfork              in the child: setpgid (a group to end), prctl,
 *                        getppid (it dies with us), umask, dup2 twice, fcntl
 *                        (it holds the lock), chdir, execve
 *     close              our copy of its end of the pipe
 *     poll               asleep until it ends, writes, or is to be ended;
 *                        twice where the pipe's end wakes us before SIGCHLD
 *     write, sigreturn   SIGCHLD, into the self-pipe,
 *     wait4, read        and out of it again
 *     poll, read, close  the rest of its output, of which there is none
 *     fstat              the last line is whole
 *     write              Attempt:
 *     renameat2          the end
 *     flock, close twice let go: a process left behind holds the same lock
 *     write              "Job completed"
 */

/* What a child could not do; NONE: it runs its program. */
struct failure {
	enum { STAGE_NONE, STAGE_FDS, STAGE_CHDIR, STAGE_EXEC } stage;
	int error;
};

/* All that the child needs; it allocates nothing. */
struct launch {
	const char *const *argv;
	const char *const *instead; /* …of argv, if that cannot be run */
	char **envp;
	const char *path;          /* PATH, or NULL: argv[0] is a path */
	const char *cwd;
	int in;                    /* -1: our stdin, /dev/null */
	int out, lock;
	pid_t parent;
	mode_t umask;
	bool terminal;             /* we have one, that it is not to have */
	volatile struct failure failure; /* by the child */
};

/* exec along PATH as the job has it.  Returns what went wrong. */
static int
exec_path(const struct launch *l)
{
	char file[PATH_MAX];
	const char *dir = l->path, *end;
	int worst = ENOENT;

	for (; dir; dir = *end ? end + 1 : NULL) {
		int n;

		end = dir + strcspn(dir, ":");
		n = snprintf(file, sizeof file, "%.*s%s%s", (int)(end - dir),
		    dir, end > dir ? "/" : "", l->argv[0]);
		if (n < 0 || (size_t)n >= sizeof file)
			continue;
		execve(file, (char **)(uintptr_t)l->argv, l->envp);
		/* of the file, not of a directory that is closed to us */
		if (errno == EACCES)
			worst = access(file, F_OK) == 0 ? EACCES : worst;
		else if (errno != ENOENT && errno != ENOTDIR)
			return errno;
	}
	return worst;
}

/* The child's way from vfork to exec.  It shares the worker's memory; what of
 * its signals is caught there, exec resets.  Returns what went wrong. */
static struct failure
child(const struct launch *l)
{
	struct failure f = { STAGE_FDS, 0 };

	/* A group of its own, to be ended as one; and no terminal, whose stop
	 * signals would have it hang.  A session takes Linux longer than a
	 * group: it is scheduled as a unit. */
	if (l->terminal)
		setsid();
	else
		setpgid(0, 0);
#if ON_LINUX
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != l->parent)
		_exit(127); /* it died before it could take us along */
#endif
	umask(l->umask);
	if ((l->in >= 0 && dup2(l->in, 0) < 0) || dup2(l->out, 1) < 0 ||
	    dup2(l->out, 2) < 0 || fcntl(l->lock, F_SETFD, 0) < 0) {
		f.error = errno;
	} else if (chdir(l->cwd) < 0) {
		f = (struct failure){ STAGE_CHDIR, errno };
	} else {
		f.stage = STAGE_EXEC;
		if (l->path) {
			f.error = exec_path(l);
		} else {
			execve(l->argv[0], (char **)(uintptr_t)l->argv,
			    l->envp);
			f.error = errno;
		}
		if (l->instead) {
			execve(l->instead[0], (char **)(uintptr_t)l->instead,
			    l->envp);
			f.error = errno;
		}
	}
	return f;
}

/*
 * Starts the child and waits until it runs its program, or has failed, and
 * then l->failure says at what.  Returns its pid, -1 with errno.
 *
 * In a function of its own: what vfork shares must not be in registers.
 */
#if ON_LINUX
static pid_t
launch(struct launch *l)
{
	pid_t pid;

	some_ended = 0;
	launching = 1;
	pid = vfork();
	if (pid == 0) {
		struct failure f = child(l);

		l->failure.error = f.error;
		l->failure.stage = f.stage;
		_exit(127);
	}
	launching = 0;
	return pid;
}
#else
static pid_t
launch(struct launch *l)
{
	struct failure f;
	int report[2];
	pid_t pid;
	ssize_t n;

	if (make_pipe(report) < 0)
		return -1;
	some_ended = 0;
	launching = 1;
	pid = fork();
	if (pid == 0) {
		f = child(l);
		while (write(report[1], &f, sizeof f) < 0 && errno == EINTR)
			;
		_exit(127);
	}
	launching = 0;
	close_quietly(report[1]);
	do
		n = pid < 0 ? 0 : read(report[0], &f, sizeof f);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof f) {
		l->failure.error = f.error;
		l->failure.stage = f.stage;
	}
	close_quietly(report[0]);
	return pid;
}
#endif

static const char *
directory(const struct job *job)
{
	return job->cwd ? job->cwd : "/";
}

static bool
has_name(char *const *env, size_t n, const char *entry)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		for (k = 0; entry[k] && entry[k] != '=' &&
		    entry[k] == env[i][k]; k++)
			;
		if (entry[k] == '=' && env[i][k] == '=')
			return true;
	}
	return false;
}

/* What a job has of us, whatever else.  A worker itself is without. */
static const char *const job_env[] = { "QUEUECTL_ID", "QUEUECTL_ATTEMPT",
	"QUEUECTL_SPOOL", "PWD" };

/* Our variables, the job's, its directory's, the worker's: the first of a name
 * counts.  `own` takes our strings, *before how many are not the worker's. */
static char **
make_env(const struct worker *w, const struct spool_claim *c, struct buf *own,
    size_t *before)
{
	extern char **environ;
	const struct job *job = &c->job;
	size_t at[4], n = 0, i, have, jobs;
	char **env;

	for (i = 0; i < 4; i++) {
		at[i] = own->n;
		buf_puts(own, job_env[i]);
		buf_putc(own, '=');
		if (i == 0)
			buf_puts(own, c->name.id);
		else if (i == 1)
			buf_number(own, c->name.attempt);
		else
			buf_puts(own, i == 2 ? w->spool->path : directory(job));
		buf_putc(own, '\0');
	}
	for (have = 0; environ && environ[have]; have++)
		;
	env = malloc((have + job->nenv + 5) * sizeof *env);
	if (!env || own->failed) {
		free(env);
		return NULL;
	}
	for (i = 0; i < 3; i++)
		env[n++] = own->p + at[i];
	for (i = 0; i < job->nenv; i++)
		if (!has_name(env, 3, job->env[i]))
			env[n++] = (char *)(uintptr_t)job->env[i];
	jobs = n;
	if (!has_name(env, n, "PWD="))
		env[n++] = own->p + at[3];
	*before = n;
	for (i = 0; i < have; i++)
		if (!has_name(env + 3, jobs - 3, environ[i]))
			env[n++] = environ[i];
	env[n] = NULL;
	return env;
}

static const char *
env_path(char *const *env)
{
	for (; *env; env++)
		if (!strncmp(*env, "PATH=", 5))
			return *env + 5;
	return "/usr/local/bin:/usr/bin:/bin";
}

/*
 * A command of plain words is run without a shell, as make does it: to start
 * one would take three times as long.  It must not make a difference, so what
 * means something to some shell, or might, is left to /bin/sh; so is what
 * cannot be run, for the shell's message and status.
 *
 * Names are of POSIX.1-2024 (2.4 Reserved Words, 2.15 Special Built-Ins, 1.6
 * Built-In Utilities) and what dash 0.5.12, bash 5.2 and busybox 1.36 add.
 */
static bool
is_shell_word(const char *word)
{
	static const char *const words[] = {
		/* reserved */
		"case", "coproc", "do", "done", "elif", "else", "esac", "fi",
		"for", "function", "if", "in", "select", "then", "time",
		"until", "while",
		/* built in, but for true and false, which do the same */
		".", ":", "alias", "bg", "bind", "break", "builtin", "caller",
		"cd", "chdir", "command", "compgen", "complete", "compopt",
		"continue", "declare", "dirs", "disown", "echo", "enable",
		"eval", "exec", "exit", "export", "fc", "fg", "getopts",
		"hash", "help", "histcmd", "history", "jobs", "kill", "let",
		"local", "logout", "mapfile", "newgrp", "popd", "printf",
		"pushd", "pwd", "read", "readarray", "readonly", "return",
		"set", "shift", "shopt", "source", "suspend", "test", "times",
		"trap", "type", "typeset", "ulimit", "umask", "unalias",
		"unset", "wait"
	};
	size_t i;

	for (i = 0; i < sizeof words / sizeof words[0]; i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

/* Whether a shell would hand on such variables as they are: a PWD that is
 * right, and nothing that shells drop or heed.  Sets *path if one is PATH. */
static bool
is_plain_env(char *const *env, size_t n, const char *cwd, bool *path)
{
	static const char *const heeded[] = { "BASHOPTS", "IFS", "LINENO",
		"OPTIND", "PPID", "SHELLOPTS" };
	size_t i;

	for (; n--; env++) {
		size_t len = job_env_name(*env);

		if (!len || (*env)[len] != '=')
			return false;
		for (i = 0; i < sizeof heeded / sizeof heeded[0]; i++)
			if (!strncmp(*env, heeded[i], len) && !heeded[i][len])
				return false;
		if (!strncmp(*env, "PWD=", 4) && strcmp(*env + 4, cwd))
			return false;
		*path |= !strncmp(*env, "PATH=", 5);
	}
	return true;
}

/* The words of such a command, in one piece of memory that the caller frees;
 * NULL: it is for the shell.  env has n variables before the worker's own. */
static const char **
plain_words(const struct worker *w, const char *command, char *const *env,
    size_t n, const char *cwd)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./- ";
	size_t len = strspn(command, plain);
	bool path = w->has_path;
	const char **argv;
	char *p;

	/* -c may take what begins with these for options */
	if (command[len] || *command == '-' || *command == '+')
		return NULL;
	if (!w->plain || *cwd != '/' || strstr(cwd, "/.") ||
	    !is_plain_env(env, n, cwd, &path) || !path)
		return NULL;
	argv = malloc((len / 2 + 2) * sizeof *argv + len + 1);
	if (!argv)
		return NULL;
	p = (char *)(argv + len / 2 + 2);
	memcpy(p, command, len + 1);
	n = 0;
	while (*(p += strspn(p, " "))) {
		argv[n++] = p;
		p += strcspn(p, " ");
		if (*p)
			*p++ = '\0';
	}
	argv[n] = NULL;
	if (!n || strchr(argv[0], '=') || is_shell_word(argv[0])) {
		free(argv);
		return NULL;
	}
	return argv;
}

/* Why the job could not be started, for people. */
static void
failure_words(struct buf *b, const struct job *job, const struct failure *f)
{
	const char *program = job->command ? "/bin/sh" : job->argv[0];

	if (f->stage == STAGE_CHDIR)
		buf_printf(b, "cannot enter its directory %s: %s",
		    directory(job), strerror(f->error));
	else if (f->stage == STAGE_FDS)
		buf_printf(b, "cannot set up its files: %s",
		    strerror(f->error));
	else if (f->error == ENOENT)
		buf_printf(b, "no such program: %s", program);
	else if (f->error == EACCES)
		buf_printf(b, "not executable: %s: %s", program,
		    strerror(f->error));
	else
		buf_printf(b, "cannot run %s: %s", program,
		    strerror(f->error));
}

/* A job that runs. */
struct run {
	const struct job_name *name;
	pid_t pid;                 /* and process group */
	int feed;                  /* the pipe to its stdin, -1: none */
	const char *input;         /* what is still to be written there */
	int output;                /* the pipe from its stdout, -1: ended */
	struct spool_log log;
	bool mute;                 /* it cannot be written, and that was said */
	int64_t began;             /* monotonic */
	int64_t deadline;          /* monotonic, 0: none */
	struct job_attempt end;
	struct buf error;
};

/* Makes the job's stdin, a pipe whose other end is run->feed; *in stays as it
 * is for a job that has no input. */
static int
open_input(const struct job *job, struct run *run, int *in)
{
	int p[2];

	if (!job->input)
		return 0;
	if (make_pipe(p) < 0)
		return -1;
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	run->feed = p[1];
	run->input = job->input;
	*in = p[0];
	return 0;
}

/*
 * Starts the job.  1: it runs; 0: it never will, run->error says why; -1: the
 * machine lacks something (errno), it may be tried again.
 */
static int
start(struct worker *w, const struct spool_claim *c, struct run *run)
{
	const struct job *job = &c->job;
	const char *shell[] = { "/bin/sh", "-c", job->command, NULL };
	const char **words = NULL;
	struct launch l = {
		.argv = job->command ? shell : job->argv,
		.cwd = directory(job),
		.in = -1, .lock = c->fd, .parent = w->pid,
		.umask = w->options->umask, .terminal = w->terminal
	};
	struct failure f = { STAGE_NONE, 0 };
	struct buf own = { 0 };
	int out[2] = { -1, -1 }, r = -1;
	size_t n;

	run->feed = run->output = -1;
	errno = ENOMEM;
	l.envp = make_env(w, c, &own, &n);
	if (l.envp && open_input(job, run, &l.in) == 0 &&
	    make_pipe(out) == 0) {
		l.out = out[1];
		if (job->command &&
		    (words = plain_words(w, job->command, l.envp, n,
		    l.cwd))) {
			l.argv = words;
			l.instead = shell;
		}
		if (!strchr(l.argv[0], '/'))
			l.path = env_path(l.envp);
		run->pid = launch(&l);
		f.stage = l.failure.stage;
		f.error = l.failure.error;
		if (run->pid > 0)
			r = f.stage == STAGE_NONE;
	}
	if (r == 0) {
		while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR)
			;
		/* no fault of the job */
		if (f.stage == STAGE_FDS || f.error == ENOMEM ||
		    f.error == EAGAIN || f.error == ENFILE) {
			errno = f.error;
			r = -1;
		} else {
			failure_words(&run->error, job, &f);
		}
	}
	if (r > 0)
		run->output = out[0];
	else
		close_quietly(out[0]);
	close_quietly(out[1]);
	if (r <= 0) {
		close_quietly(run->feed);
		run->feed = -1;
	}
	close_quietly(l.in);
	free(words);
	free(l.envp);
	buf_free(&own);
	return r;
}

/* Puts into the log what the pipe has, which must be something, or its end.
 * What cannot be written is lost: the job must not hang, nor fail, for it. */
static void
read_output(struct worker *w, struct run *run)
{
	char bytes[65536];
	ssize_t n = read(run->output, bytes, sizeof bytes);

	if (n > 0 && spool_log_add(w->spool, run->name->id, &run->log, bytes,
	    (size_t)n) != SPOOL_OK && !run->mute) {
		run->mute = true;
		say_error(w->number, w->spool, "output of a job is lost");
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		close_quietly(run->output);
		run->output = -1;
	}
}

/* The same with what is there when the job has ended: a process that it has
 * left behind may hold the pipe open. */
static void
drain_output(struct worker *w, struct run *run)
{
	struct pollfd p = { .fd = run->output, .events = POLLIN };
	int rounds = OUTPUT_ROUNDS;

	while (rounds-- && run->output >= 0 && poll(&p, 1, 0) > 0)
		read_output(w, run);
}

/* Writes what the pipe takes. */
static void
feed(struct run *run)
{
	ssize_t n;

	while (*run->input) {
		n = write(run->feed, run->input, strlen(run->input) > 65536 ?
		    65536 : strlen(run->input));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			break; /* it reads no more */
		run->input += n;
	}
	close(run->feed);
	run->feed = -1;
}

/* When a stop has waited long enough for the job (monotonic); 0: never. */
static int64_t
stop_deadline(struct worker *w, int64_t now)
{
	if (!stop_level(w))
		return 0;
	if (!w->stopping) {
		w->stopping = now;
		spool_config_refresh(w->spool);
	}
	return w->spool->config.stop_grace < 0 ? 0 :
	    w->stopping + w->spool->config.stop_grace;
}

/* Why the job is to be ended now; JOB_EXIT: it is not. */
static enum job_outcome
why_end(struct worker *w, const struct run *run, int64_t now)
{
	int64_t stop = stop_deadline(w, now);

	if (is_cancelled(w, run->name))
		return JOB_CANCELLED;
	if (stop_level(w) == 2 || (stop && now >= stop))
		return JOB_REQUEUED;
	return run->deadline && now >= run->deadline ? JOB_TIMEOUT : JOB_EXIT;
}

/*
 * Waits for the job, or ends it: at its deadline, when it is cancelled or when
 * we are told to stop now.  Then all of its group gets SIGTERM and, kill-grace
 * later, SIGKILL.
 */
static void
watch_over(struct worker *w, struct run *run)
{
	enum job_outcome why = JOB_EXIT;     /* any other: we end it */
	int64_t kill_at = 0, give_up = 0;
	bool gone = false, killed = false, readable = false;
	int status = 0;

	for (;;) {
		int64_t now = monotonic(), until = run->deadline, stop;

		if (!gone && some_ended) {
			some_ended = 0;
			gone = waitpid(run->pid, &status, WNOHANG) ==
			    run->pid;
			if (gone)
				drain_pipe(wake[0]);
		}
		if (readable)
			read_output(w, run);
		/* after it is gone all that it wrote is in the pipe */
		if (gone)
			drain_output(w, run);
		/* Reaped, its number stays taken while its group has members;
		 * looked at every LINGER_MS it cannot be another's by then. */
		if (gone && (why == JOB_EXIT || kill(-run->pid, 0) < 0 ||
		    (killed && now >= give_up)))
			break;
		if (why == JOB_EXIT &&
		    (why = why_end(w, run, now)) != JOB_EXIT) {
			kill(-run->pid, SIGTERM);
			kill(-run->pid, SIGCONT); /* stopped, it is deaf */
			kill_at = now + w->spool->config.kill_grace;
		}
		if (why != JOB_EXIT && !killed && now >= kill_at) {
			kill(-run->pid, SIGKILL);
			killed = true;
			/* zombies that nobody reaps stay in the group */
			give_up = now + SECOND;
		}
		stop = stop_deadline(w, now);
		if (stop && (!until || stop < until))
			until = stop;
		if (why != JOB_EXIT)
			until = killed ? 0 : kill_at;
		if (gone && (!until || until > now + LINGER_MS * 1000))
			until = now + LINGER_MS * 1000;
		if (run->feed >= 0)
			feed(run);
		readable = doze(w, until ? poll_ms(until - monotonic()) : -1,
		    run->output, run->feed);
	}
	run->end.outcome = why;
	if (why == JOB_EXIT && WIFSIGNALED(status)) {
		run->end.outcome = JOB_SIGNAL;
		run->end.value = WTERMSIG(status);
	} else if (why == JOB_EXIT) {
		run->end.value = WEXITSTATUS(status);
	}
	close_quietly(run->feed);
	close_quietly(run->output);
	spool_log_end(&run->log);
}

/* Tells what became of an attempt. */
static void
say_end(struct worker *w, const struct job *job, const struct job_attempt *end,
    enum job_state to, const struct job_name *next, int64_t took)
{
	struct buf b = { 0 };
	unsigned allowed = job_allowed(job, &w->spool->config.policy);
	const char *words;

	if (to == JOB_DONE) {
		say(w->number, "Job completed successfully: %s (%lld ms)",
		    next->id, (long long)(took / 1000));
		return;
	}
	job_outcome_words(&b, end);
	words = b.p ? b.p : "";
	if (end->outcome == JOB_CANCELLED)
		say(w->number, "Job cancelled: %s", next->id);
	else if (to == JOB_PENDING)
		say(w->number, "Job requeued: %s: %s", next->id, words);
	else if (to == JOB_FAILED)
		say(w->number, "Job failed: %s: %s; attempt %u of %u, "
		    "next in %lld s", next->id, words, end->number, allowed,
		    (long long)((next->stamp - end->end) / SECOND));
	else
		say(w->number, "Job failed: %s: %s; attempt %u of %u, "
		    "moved to the dead letter queue", next->id, words,
		    end->number, allowed);
	buf_free(&b);
}

/* Records the end, and if that cannot be done, holds on to the job. */
static void
finish(struct worker *w, struct spool_claim *c, struct run *run, int64_t took)
{
	const struct job copy = {
		.max_retries = c->job.max_retries,
		.backoff_base = c->job.backoff_base
	};
	struct job_name next = { 0 };
	enum job_state to = JOB_DEAD;
	bool told = false;
	char id[JOB_ID_MAX + 1];
	int r;

	strcpy(id, c->name.id);
	while ((r = spool_finish(w->spool, c, &run->end, &to, &next)) ==
	    SPOOL_ERROR) {
		if (!told)
			say_error(w->number, w->spool, "cannot record the end "
			    "of a job; trying again every second");
		told = true;
		doze(w, poll_ms(RETRY), -1, -1);
	}
	spool_tally_count(&w->tally, &run->end);
	if (r == SPOOL_OK)
		say_end(w, &copy, &run->end, to, &next, took);
	else
		say(w->number, "Job was taken away by hand while it ran: %s",
		    id);
}

/* Begins the log and starts the job, however long that takes; false: we were
 * told to stop instead. */
static bool
begin(struct worker *w, struct spool_claim *c, struct run *run, int *started)
{
	bool told = false;

	for (;;) {
		int r;

		errno = 0;
		r = spool_log_begin(w->spool, c, &run->log, &run->end.log);
		if (r == SPOOL_OK) {
			note(w, c, run->end.log);
			run->began = monotonic();
			*started = start(w, c, run);
			if (*started >= 0)
				return true;
			w->spool->at[0] = '\0'; /* it is not the spool's */
		} else if (r == SPOOL_ALIEN) {
			buf_puts(&run->error, w->spool->why);
			*started = 0;
			run->began = monotonic();
			return true;
		}
		if (!told)
			say_error(w->number, w->spool, "cannot start a job; "
			    "trying again every second");
		told = true;
		if (is_cancelled(w, &c->name))
			run->end.outcome = JOB_CANCELLED;
		if (stop_level(w) || run->end.outcome == JOB_CANCELLED)
			return false;
		doze(w, poll_ms(RETRY), -1, -1);
	}
}

static void
run_job(struct worker *w, struct spool_claim *c)
{
	struct run run = {
		.name = &c->name, .feed = -1, .output = -1,
		.end = {
			.number = c->name.attempt, .start = c->name.stamp,
			.worker = (long)w->pid, .outcome = JOB_REQUEUED
		}
	};
	int64_t timeout = c->job.timeout >= 0 ? c->job.timeout :
	    w->spool->config.timeout;
	struct buf title = { 0 };
	int started = 0;

	job_title(&title, &c->job, TITLE_MAX);
	say(w->number, "Processing job %s: %s", c->name.id,
	    title.p ? title.p : "");
	buf_free(&title);
	if (begin(w, c, &run, &started)) {
		if (timeout)
			run.deadline = run.began + timeout;
		if (started) {
			watch_over(w, &run);
		} else {
			run.end.outcome = JOB_ERROR;
			run.end.error = run.error.p ? run.error.p :
			    "out of memory";
		}
	}
	run.end.end = today();
	finish(w, c, &run, monotonic() - run.began);
	buf_free(&run.error);
}

static void
try_candidate(struct worker *w, const struct candidate *c)
{
	const struct job_name name = name_of(c);
	int64_t busy = BUSY_MIN << (c->tries < 8 ? c->tries : 8);
	struct spool_claim claim;
	bool first = mark(w, c);
	int r;

	r = spool_claim(w->spool, (enum job_state)c->state, &name, today(),
	    &claim);
	if (first && r != SPOOL_OK && r != SPOOL_GONE)
		unmark(w, c);
	switch (r) {
	case SPOOL_OK:
		/* A tick found it: if inotify still does not tell of it, it
		 * is silent here. */
		if (w->ticked && !c->timed) {
			read_news(w);
			if (w->ticked)
				atomic_store(&w->shared->silent, true);
		}
		w->ticked = false;
		run_job(w, &claim);
		break;
	case SPOOL_BUSY:
		postpone(w, c, busy < BUSY_MAX ? busy : BUSY_MAX);
		break;
	case SPOOL_BAD:
		say_bad(w, c->id);
		break;
	case SPOOL_ALIEN:
		atomic_fetch_add(&w->shared->refused, 1);
		say_refused(w, (enum job_state)c->state, &name);
		break;
	case SPOOL_ERROR:
		say_error(w->number, w->spool, "cannot claim a job; "
		    "trying again in a second");
		postpone(w, c, RETRY);
		break;
	default: /* GONE: another worker has it */
		break;
	}
}

/* --- the life of a worker ----------------------------------------------- */

static void
say_recovered(void *arg, int result, const struct job_attempt *end,
    enum job_state state, const struct job_name *name)
{
	struct worker *w = arg;
	struct buf b = { 0 };

	switch (result) {
	case SPOOL_OK:
		/* what was recorded its worker has counted, or not */
		if (end->outcome == JOB_LOST)
			spool_tally_count(&w->tally, end);
		job_outcome_words(&b, end);
		say(w->number, "Recovered job %s: %s; now %s", name->id,
		    b.p ? b.p : "", job_state_word(state));
		buf_free(&b);
		break;
	case SPOOL_BAD:
		say_bad(w, name->id);
		break;
	case SPOOL_ALIEN:
		say_refused(w, state, name);
		break;
	default:
		say_error(w->number, w->spool, "cannot recover a job");
	}
}

static void
recover(struct worker *w)
{
	size_t held;
	int r;

	r = spool_recover(w->spool, today(), say_recovered, w, &held);
	w->recover = 0;
	if (r == SPOOL_ERROR) {
		w->recover = monotonic() + RETRY;
	} else if (held) {
		/* Its worker died and a process of it lives on, or another
		 * worker has just claimed it and not said so yet. */
		w->held_wait = !w->held_wait ? HELD_MIN :
		    2 * w->held_wait < HELD_MAX ? 2 * w->held_wait : HELD_MAX;
		w->recover = monotonic() + w->held_wait;
	} else {
		/* Nobody needs to know any more what dead pools ran. */
		if (w->number == 1 && !w->swept && w->noted_since)
			spool_pool_sweep(w->spool);
		w->swept = w->noted_since;
		w->held_wait = 0;
	}
}

/* Takes the names of a state, the oldest of which are then the best. */
static bool
find_oldest(struct worker *w, enum job_state state, struct queue *q,
    size_t *n)
{
	struct spool_iter it;
	struct job_name name;
	int r;

	*n = 0;
	queue_clear(q);
	r = spool_iter_open(w->spool, &it, state) == SPOOL_OK ? 1 : -1;
	while (r > 0 && (r = spool_iter_next(&it, &name)) > 0) {
		struct candidate c = candidate_of(state, &name);

		c.rank = 0;
		queue_push(q, &c);
		++*n;
	}
	spool_iter_close(&it);
	queue_sort(q);
	return r == 0;
}

/* Removes what ended, and came here, more than `keep` microseconds ago (below
 * 0: nothing), and what is beyond keep-max.  Whether there may be more. */
static bool
tidy_state(struct worker *w, enum job_state state, int64_t keep,
    struct queue *q)
{
	size_t most = (size_t)w->spool->config.keep_max, n, removed = 0;
	int64_t before = keep < 0 ? INT64_MIN : today() - keep;
	const struct candidate *old;

	if ((keep < 0 && !most) || !find_oldest(w, state, q, &n))
		return false;
	while ((old = queue_best(q)) && (old->when < before ||
	    (most && n > most))) {
		struct candidate c = queue_pop(q);
		struct job_name name = name_of(&c);
		int r;

		/* after weeks without power it is still news */
		if ((!most || n <= most) &&
		    spool_arrived(w->spool, state, &name) >= before)
			continue;
		r = spool_purge(w->spool, state, name.id);
		if (r == SPOOL_ERROR) {
			say_error(w->number, w->spool,
			    "cannot purge a job");
			return false;
		}
		removed += r == SPOOL_OK;
		n--;
	}
	if (removed)
		say(w->number, "Purged %zu %s job%s", removed,
		    job_state_word(state), removed == 1 ? "" : "s");
	return removed && q->over && !q->n;
}

/* Keeps the number of jobs that have ended within what config says. */
static void
tidy(struct worker *w)
{
	const struct config *config = &w->spool->config;
	int64_t began = monotonic(), took;
	struct queue q = { .order = NULL };
	bool more = false;

	if (queue_init(&q, TIDY_MAX) == 0) {
		more = tidy_state(w, JOB_DONE, config->keep_done, &q);
		more |= tidy_state(w, JOB_DEAD, config->keep_dead, &q);
	}
	free(q.order);
	took = monotonic() - began;
	w->tidy = began + took;
	if (!more)
		w->tidy += TICK > 100 * took ? TICK : 100 * took;
}

/* How often to look without being told. */
static int64_t
interval(const struct worker *w)
{
	int64_t poll = w->options->drain ? POLL / 4 : POLL;
	int64_t took = w->list.ended - w->list.began;

	if (w->told)
		return TICK;
	return poll > 10 * took ? poll : 10 * took;
}

static void
tick(struct worker *w)
{
	int64_t now = monotonic(), since;
	bool dry;

	if (w->told && atomic_load(&w->shared->silent)) {
		w->told = false;
		w->tick = now;
	}
	/* The supervisor polls, too; until it does, no further job begins. */
	if (!w->told && spool_pool_asked(w->spool, w->pool))
		terminations = 1;
	if (now >= w->tick) {
		recover(w);
		/* though never idle; this often only a little of it */
		if (w->number == 1 && now >= w->tidy + 10 * TICK)
			tidy(w);
		read_news(w);
		w->ticked = w->told && w->list.began >= w->wanted &&
		    w->list.front == w->list.began &&
		    !knows_some(w) && !next_pass(w, &dry) &&
		    !atomic_load(&w->shared->refused);
		/* unless somebody has looked not long ago */
		since = monotonic() - (w->list.whole ? interval(w) / 2 : 0);
		if (since > w->wanted)
			w->wanted = since;
		w->reconfigure = true;
		w->tick = monotonic() + interval(w);
	} else if (w->recover && now >= w->recover) {
		recover(w);
	}
}

/* From now on it is news when others' jobs end or go away. */
static void
watch_departures(struct worker *w)
{
	w->draining = true;
	spool_watch_add(w->spool, &w->watch, JOB_PENDING, true);
	spool_watch_add(w->spool, &w->watch, JOB_FAILED, true);
	spool_watch_add(w->spool, &w->watch, JOB_PROCESSING, true);
}

static bool
is_paused(const struct worker *w)
{
	return w->spool->config.paused;
}

/* Nothing to do.  Sleeps until there may be; true: there never will be. */
static bool
idle(struct worker *w)
{
	int64_t now, until, wait;
	int ms, drained;

	w->ticked = false;
	if (w->noted)
		note(w, NULL, 0);
	if (w->number == 1 && monotonic() >= w->tidy) {
		tidy(w);
		return false;
	}
	/* One finds out for all: while it runs a job, there is one. */
	if (w->options->drain && w->number == 1) {
		if (!w->draining)
			watch_departures(w);
		drained = spool_drained(w->spool);
		if (drained == 1)
			return true;
		if (drained < 0)
			w->tick = monotonic() + RETRY;
	}
	now = monotonic();
	until = w->tick;
	if (w->recover && w->recover < until)
		until = w->recover;
	ms = poll_ms(until - now);
	wait = is_paused(w) ? INT64_MAX : next_deadline(w);
	if (wait != INT64_MAX && poll_ms(wait - today()) < ms)
		ms = poll_ms(wait - today());
	doze(w, ms, w->watch.fd, -1);
	return false;
}

static void
say_config(struct worker *w)
{
	if (w->number == 1 && w->paused != is_paused(w))
		say(w->number, is_paused(w) ? "Paused: no job begins" :
		    "Resumed");
	w->paused = is_paused(w);
	if (w->spool->config_error)
		say(w->number, "config cannot be read: %s",
		    strerror(w->spool->config_error));
	else if (w->spool->config_bad)
		say(w->number, "config: line %zu is not understood and "
		    "passed over", w->spool->config_bad);
}

static void
work(struct worker *w)
{
	struct candidate c;

	while (tick(w), !stop_level(w)) {
		follow(w);
		read_news(w);
		if (w->reconfigure && spool_config_refresh(w->spool))
			say_config(w);
		w->reconfigure = !w->told;
		if (!is_paused(w) && next_candidate(w, &c))
			try_candidate(w, &c);
		else if (!stop_level(w) && idle(w))
			break;
	}
}

static bool
has_terminal(void)
{
	int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return errno != ENXIO;
	close(fd);
	return true;
}

static _Noreturn void
worker_main(struct spool *sp, struct spool_pool *pool,
    const struct worker_options *options, struct shared *shared, int number,
    int lifeline)
{
	struct worker w = {
		.spool = sp, .pool = pool, .options = options,
		.shared = shared,
		.number = number, .pid = getpid(), .lifeline = lifeline,
		.since = today(), .paused = sp->config.paused,
		.terminal = has_terminal()
	};
	extern char **environ;
	struct spool_slot before;
	size_t n;

	for (n = 0; environ && environ[n]; n++)
		;
	w.plain = is_plain_env(environ, n, "", &w.has_path);
	if (queue_init(&w.news, shared->deadlines) < 0 ||
	    queue_init(&w.timed, shared->deadlines) < 0) {
		say(number, "out of memory");
		_exit(1);
	}
	spool_pool_recall(pool, number, &before);
	w.tally = before.tally;
	/* What the worker before us in this slot left behind, while the slot
	 * still tells of it. */
	recover(&w);
	note(&w, NULL, 0);
	w.noted_since = true;
	/* And again: while the slot told of it, a job that is still locked
	 * passed for one that is run. */
	recover(&w);
	spool_watch_open(&w.watch);
	w.told = spool_watch_add(sp, &w.watch, JOB_PENDING, false) &&
	    spool_watch_add(sp, &w.watch, JOB_FAILED, false) &&
	    spool_watch_add(sp, &w.watch, SPOOL_ROOT, true) &&
	    !spool_watch_silent(sp);
	w.wanted = monotonic();
	w.reconfigure = true;
	w.tick = monotonic() + interval(&w);
	work(&w);
	note(&w, NULL, 0); /* with the last tally */
	_exit(stop_level(&w) ? STOPPED : 0);
}

/* --- descriptors -------------------------------------------------------- */

static void
forget_fd(int fd, bool close_it, const int *keep, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (fd == keep[i])
			return;
	if (fd > 2 && close_it)
		close(fd);
	else if (fd > 2)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/*
 * Whatever was open when we were started, jobs do not get it.  A daemon holds
 * none of it open, for whoever waits for its end, nor does a worker, which
 * needs the room: they close all but the n that they keep.
 */
static void
forget_fds(bool close_them, const int *keep, size_t n)
{
	DIR *dir = opendir("/dev/fd");
	struct dirent *e;
	struct rlimit limit;
	int fd, max = 65536;

	if (dir) {
		while ((e = readdir(dir)))
			if ((fd = atoi(e->d_name)) != dirfd(dir))
				forget_fd(fd, close_them, keep, n);
		closedir(dir);
		return;
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    limit.rlim_cur < (rlim_t)max)
		max = (int)limit.rlim_cur;
	for (fd = 3; fd < max; fd++)
		forget_fd(fd, close_them, keep, n);
}

/* --- the service manager ------------------------------------------------ */

/*
 * Tells systemd, or who speaks like it, how we are: a datagram of NAME=VALUE
 * lines to the socket in $NOTIFY_SOCKET, where '@' stands for the NUL of an
 * abstract one (sd_notify(3)).
 */
static void
notify(const char *state)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t n = path ? strlen(path) : 0;
	int fd;

	if (n < 2 || n >= sizeof to.sun_path || (*path != '/' && *path != '@'))
		return;
	memcpy(to.sun_path, path, n);
	if (*path == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd < 0)
		return;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (sendto(fd, state, strlen(state), 0, (void *)&to, (socklen_t)
	    (offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		say(0, "cannot notify %s: %s", path, strerror(errno));
	close(fd);
}

/* --- the supervisor ----------------------------------------------------- */

struct member {
	pid_t pid;                 /* 0: not running */
	int64_t started;           /* monotonic */
	int64_t again;             /* monotonic: start it then; 0: never */
};

struct pool {
	struct spool *spool;
	struct spool_pool file;
	const struct worker_options *options;
	struct shared *shared;     /* the workers' */
	struct spool_watch watch;
	struct member *member;
	int lifeline[2];
	int level;                 /* 1: stopping, 2: now */
	bool drained;              /* stopping, for there is nothing left */
};

/* A worker reads nothing, and its jobs have its stdin where they have no input
 * of their own. */
static int
empty_stdin(void)
{
	int null = open("/dev/null", O_RDONLY);

	if (null < 0 || dup2(null, 0) < 0)
		return -1;
	if (null > 0)
		close(null);
	return 0;
}

/* In one piece, which begins with zeros and is where it is in all workers. */
static int
share(struct pool *p)
{
	const struct worker_options *o = p->options;
	const size_t wide = width_of(JOB_ID_MAX);
	size_t ready = o->ready ? o->ready : READY_MAX;
	size_t deadlines = o->timed ? o->timed : TIMED_MAX;
	size_t nmarks = o->count > 1 ? (size_t)o->count * MARKS : 0;
	size_t room = ready * (sizeof(uint16_t) + width_of(USUAL_ID));
	struct shared *s;

	if (room < sizeof(uint16_t) + wide)
		room = sizeof(uint16_t) + wide;
	s = mmap(NULL, sizeof *s + nmarks * sizeof *s->mark +
	    queue_size(deadlines, wide) + CELL + room, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED)
		return -1;
	p->shared = s;
	s->nmarks = (uint32_t)nmarks;
	s->mark = (void *)(s + 1);
	s->deadlines = deadlines;
	s->timed = s->mark + nmarks;
	s->ready = (char *)s->timed + queue_size(deadlines, wide);
	s->room = room;
	lay_out(s, width_of(USUAL_ID));
	return 0;
}

/* A worker died: what it was about to do is for others.  What it had taken
 * from the list its successor will find, who begins with a pass. */
static void
mourn(struct pool *p, int number)
{
	struct shared *s = p->shared;
	uint32_t i;

	for (i = 0; i < s->nmarks; i++)
		s->mark[i].name = 0;
	atomic_compare_exchange_strong(&s->reader, &number, 0);
}

static void
start_member(struct pool *p, int k)
{
	struct member *m = &p->member[k];
	sigset_t all, old;
	pid_t pid;
	size_t i;

	/* No signal may reach the child's copy of our self-pipe. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0) {
		const int keep[] = { p->spool->fd, p->file.fd,
			p->lifeline[0] };

		forget_fds(true, keep, 3);
		unsetenv("NOTIFY_SOCKET"); /* it is not for jobs */
		for (i = 0; i < sizeof job_env / sizeof job_env[0]; i++)
			unsetenv(job_env[i]);
		if (empty_stdin() < 0 || signals_open() < 0) {
			say(k + 1, "cannot start: %s", strerror(errno));
			_exit(1);
		}
		sigprocmask(SIG_SETMASK, &old, NULL);
		worker_main(p->spool, &p->file, p->options, p->shared, k + 1,
		    p->lifeline[0]);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	m->started = monotonic();
	m->again = 0;
	m->pid = pid;
	if (pid < 0) {
		say(0, "cannot start worker %d: %s; trying again", k + 1,
		    strerror(errno));
		m->pid = 0;
		m->again = m->started + RETRY;
	}
}

static void
signal_members(const struct pool *p, int sig)
{
	int k;

	for (k = 0; k < p->options->count; k++)
		if (p->member[k].pid)
			kill(p->member[k].pid, sig);
}

static void
stop(struct pool *p, int level)
{
	p->level = level;
	signal_members(p, level == 1 ? SIGTERM : SIGUSR1);
}

/* Notices who has ended.  As PID 1 we get everybody's orphans, too. */
static void
reap(struct pool *p)
{
	int status, k;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (k = 0; k < p->options->count; k++)
			if (p->member[k].pid == pid)
				break;
		if (k == p->options->count)
			continue;
		p->member[k].pid = 0;
		if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 ||
		    (p->level && WEXITSTATUS(status) == STOPPED))) {
			struct spool_slot last, gone = { .number = k + 1 };

			spool_pool_recall(&p->file, k + 1, &last);
			gone.tally = last.tally;
			spool_pool_note(&p->file, &gone);
			if (!p->level) {
				p->drained = true;
				stop(p, 1);
			}
			continue;
		}
		if (WIFSIGNALED(status))
			say(0, "worker %d (%ld) was killed by signal %d",
			    k + 1, (long)pid, WTERMSIG(status));
		else
			say(0, "worker %d (%ld) ended with status %d, and "
			    "nobody asked the pool to stop", k + 1,
			    (long)pid, WEXITSTATUS(status));
		mourn(p, k + 1);
		/* At once, but not in a tight loop. */
		p->member[k].again = monotonic();
		if (p->member[k].again - p->member[k].started < SECOND)
			p->member[k].again += SECOND;
	}
}

static void
heed(struct pool *p)
{
	int asked = spool_pool_asked(p->spool, &p->file);
	int level = terminations > asked ? terminations : asked;

	if (level <= p->level)
		return;
	if (level == 1)
		say(0, "stopping when the current jobs have ended");
	else
		say(0, "stopping now, ending the current jobs");
	notify(level == 1 ? "STOPPING=1\nSTATUS=finishing the current jobs" :
	    "STOPPING=1\nSTATUS=ending the current jobs");
	stop(p, level);
}

/* Starts who is to be started.  Returns how long that can wait, in ms (-1:
 * for ever), or -2 when nobody is left. */
static int
tend(struct pool *p)
{
	int64_t now = monotonic(), next = 0;
	bool any = false;
	int k;

	for (k = 0; k < p->options->count; k++) {
		struct member *m = &p->member[k];

		if (p->level)
			m->again = 0;
		if (m->again && m->again <= now)
			start_member(p, k);
		if (m->again && (!next || m->again < next))
			next = m->again;
		any |= m->pid || m->again;
	}
	if (!any)
		return -2;
	return next ? poll_ms(next - now) : -1;
}

static void
supervise(struct pool *p)
{
	struct pollfd fds[2] = { { .fd = wake[0], .events = POLLIN } };
	bool told = spool_watch_add(p->spool, &p->watch, SPOOL_WORKERS,
	    false) &&
	    !spool_watch_silent(p->spool);
	const char *file;
	bool cancels;
	int dir, ms, r;

	fds[1] = (struct pollfd){ .fd = p->watch.fd, .events = POLLIN };
	while ((ms = tend(p)) != -2) {
		if (!told && (ms < 0 || ms > (int)(POLL / 1000)))
			ms = (int)(POLL / 1000);
		if (poll(fds, 2, ms) > 0 && fds[0].revents)
			drain_pipe(wake[0]);
		cancels = !told;
		while ((r = spool_watch_next(&p->watch, &dir, &file)) != 0)
			cancels |= r < 0 || spool_is_request(file);
		if (cancels)
			signal_members(p, SIGUSR2);
		heed(p);
		reap(p);
	}
}

/* The pool in this process.  `ready` (-1: none) is told when it stands. */
static int
run_pool(struct spool *sp, const struct worker_options *options, int ready)
{
	struct pool p = { .spool = sp, .options = options };
	char status[64];
	int k, r = -1;

	p.member = calloc((size_t)options->count, sizeof *p.member);
	if (!p.member || share(&p) < 0 || signals_open() < 0 ||
	    make_pipe(p.lifeline) < 0) {
		say(0, "cannot start a pool: %s", strerror(errno));
	} else if (spool_pool_join(sp, &p.file, options->count,
	    today()) != SPOOL_OK) {
		say_error(0, sp, "cannot start a pool");
	} else {
		spool_watch_open(&p.watch);
		say(0, "%d worker%s on %s", options->count,
		    options->count == 1 ? "" : "s", sp->path);
		if (sp->config.paused)
			say(0, "paused: no job begins before queuectl resume");
		if (ready >= 0) {
			if (write(ready, "", 1) < 0)
				say(0, "nobody waits for us to start");
			close(ready);
		}
		snprintf(status, sizeof status, "READY=1\nSTATUS=%d worker%s",
		    options->count, options->count == 1 ? "" : "s");
		notify(status);
		for (k = 0; k < options->count; k++)
			p.member[k].again = 1;
		supervise(&p);
		if (p.drained)
			notify("STOPPING=1\nSTATUS=nothing left to do");
		spool_watch_close(&p.watch);
		spool_pool_leave(sp, &p.file);
		say(0, "stopped");
		r = 0;
	}
	free(p.member);
	return r;
}

/* In the daemon: away from the terminal, into worker.log. */
static bool
detach(struct spool *sp, int ready)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int log = spool_worker_log(sp);
	const int keep[] = { sp->fd, ready };

	if (null < 0 || log < 0) {
		say_error(0, sp, "cannot write the log");
		return false;
	}
	setsid();
	if (chdir("/") < 0)
		say(0, "cannot leave the directory: %s", strerror(errno));
	dup2(null, 0);
	dup2(log, 1);
	dup2(log, 2);
	forget_fds(true, keep, 2);
	return true;
}

int
worker_pool(struct spool *sp, const struct worker_options *options)
{
	int ready[2];
	char byte;
	ssize_t n;
	pid_t pid;

	forget_fds(false, NULL, 0);
	if (!options->daemon)
		return run_pool(sp, options, -1);
	if (make_pipe(ready) < 0 || (pid = fork()) < 0) {
		say(0, "cannot start a daemon: %s", strerror(errno));
		return -1;
	}
	if (pid == 0) {
		close(ready[0]);
		if (!detach(sp, ready[1]))
			_exit(1);
		_exit(run_pool(sp, options, ready[1]) < 0);
	}
	close(ready[1]);
	do
		n = read(ready[0], &byte, 1);
	while (n < 0 && errno == EINTR);
	close(ready[0]);
	if (n == 1)
		return 0;
	say(0, "the daemon did not start; see %s/worker.log", sp->path);
	return -1;
}
