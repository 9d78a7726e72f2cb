/*
 * queuectl.c: options, the command table, printing, exit codes.
 *
 * The map of the source:
 *
 *     queuectl.c   words in, words out; every message and every exit status
 *     field.c      a job as JSON, both ways
 *     json.c       strict JSON, both ways
 *     job.c        a job as text and as file name, both ways; what an outcome
 *                  makes of it
 *     config.c     the settings and their text
 *     spool.c      the queue on disk: names, locks, rename, fsync, recovery
 *     worker.c     the pool: order of claiming, running, timeouts, signals
 *     buf.h        a growing string
 *
 * Words → queuectl.c → struct job → spool.c → a file; a file → spool.c →
 * worker.c → a process → an outcome → spool.c.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* wcwidth */
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "job/field.h"
#include "job/job.h"
#include "job/json.h"
#include "spool.h"
#include "spool/fsck.h"
#include "spool/log.h"
#include "spool/pool.h"
#include "spool/watch.h"
#include "worker/pool.h"

#define VERSION "0.1.0"
#define SECOND INT64_C(1000000)

/* queuectl(1), EXIT STATUS */
enum { DONE, FAILED, USAGE, TIMED_OUT = 124 };

enum {
	OPTIONS_MAX = 12,       /* of one command */
	COUNT_AGAIN = 10000,    /* status: so many are counted once */
	BATCH_JOBS = 1000,      /* of enqueue -, between two syncs */
	LINE_LEN_MAX = 2 * JOB_TEXT_MAX,
	FOLLOW_MS = 100,        /* between looks of logs -f */
	LOOK_MS = 250,          /* and of wait and cancel, where there is no */
	TICK_MS = 60000,        /* inotify, and where there is */
	BAR_MS = 100,           /* between two progress lines, */
	BAR_MIN_MS = 1000,      /* and not longer than this */
	AGAIN_MAX = 50,         /* times that a unique job is staged again */
	HELD_MS = 2000          /* so long a job may seem to have no worker */
};

struct option_def {
	const char *name;
	char letter;            /* 0: none */
	const char *arg;        /* NULL: it takes none */
	const char *help;
};

struct call;

struct command {
	const char *words;      /* "worker start" */
	const char *args;       /* for the usage line */
	const char *line;       /* what it does, in one */
	const char *text;       /* what else there is to say, or NULL */
	const struct option_def *options; /* ends with a NULL name; or NULL */
	int least, most;        /* operands; most -1: any number */
	int (*run)(struct call *);
};

/* A command as it was given. */
struct call {
	const struct command *command;
	const char *value[OPTIONS_MAX]; /* as options[]; "": a flag is set */
	struct given {
		int option;
		char *value;
	} *given;               /* the ngiven options, as they came */
	size_t ngiven;
	char **operand;
	int n;
	bool dashes;            /* "--" was there */
	const char *spool_path; /* of --spool, or NULL */
	struct buf path;        /* the spool's, where it had to be put together */
	struct buf cwd;         /* empty: not asked for yet */
	struct spool spool;     /* fd -1: not open */
	mode_t umask;
};

/* --- messages ----------------------------------------------------------- */

#ifdef __GNUC__
__attribute__((format(printf, 1, 2)))
#endif
static void
complain(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout); /* what was said before stands before it */
	fputs("queuectl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	putc('\n', stderr);
}

static int
no_memory(void)
{
	complain("out of memory");
	return FAILED;
}

/* Says what spool.c could not do. */
static int
complain_spool(const struct spool *sp)
{
	complain("%s%s%s: %s", sp->path, *sp->at ? "/" : "", sp->at,
	    strerror(errno));
	return FAILED;
}

/* The same for what happened to one job. */
static int
complain_job(const struct spool *sp, int result, const char *id)
{
	switch (result) {
	case SPOOL_GONE:
		complain("%s: no such job", id);
		break;
	case SPOOL_AMBIGUOUS:
		complain("%s: more than one job's id begins so", id);
		break;
	case SPOOL_BUSY:
		complain("%s: the job is in use: a process of it still runs",
		    id);
		break;
	case SPOOL_BAD:
		if (sp->line)
			complain("%s: its text is damaged: line %zu: %s", id,
			    sp->line, sp->why);
		else
			complain("%s: its text is damaged: %s", id, sp->why);
		break;
	case SPOOL_ALIEN:
		complain("%s: left alone: %s", id, sp->why);
		break;
	default:
		return complain_spool(sp);
	}
	return FAILED;
}

/* --- the spool ---------------------------------------------------------- */

/* Adds the current directory; NULL with errno. */
static char *
add_cwd(struct buf *b)
{
	char *cwd = NULL;
	size_t room;

	for (room = 128; !cwd && buf_room(b, room); room *= 2) {
		cwd = getcwd(b->p + b->n, room);
		if (!cwd && errno != ERANGE)
			return NULL;
	}
	if (cwd)
		b->n += strlen(cwd);
	else
		errno = ENOMEM;
	return cwd;
}

/* The path of the spool that is meant; NULL: none, and it was said why. */
static const char *
spool_path(struct call *c)
{
	const char *path = c->spool_path, *state, *home;
	struct buf *b = &c->path;

	if (!path)
		path = getenv("QUEUECTL_SPOOL");
	if (path && *path == '/')
		return path;
	if (path && *path) {
		if (!add_cwd(b)) {
			complain("the current directory: %s", strerror(errno));
			return NULL;
		}
		buf_putc(b, '/');
		buf_puts(b, path);
	} else if (geteuid() == 0) {
		return "/var/spool/queuectl";
	} else if ((state = getenv("XDG_STATE_HOME")) && *state == '/') {
		buf_printf(b, "%s/queuectl", state);
	} else if ((home = getenv("HOME")) && *home == '/') {
		buf_printf(b, "%s/.local/state/queuectl", home);
	} else {
		complain("no spool: HOME is not set; use --spool DIR or set "
		    "QUEUECTL_SPOOL");
		return NULL;
	}
	if (b->failed)
		no_memory();
	return b->failed ? NULL : b->p;
}

/* Opens the call's spool, once. */
static int
open_spool(struct call *c, bool create)
{
	const char *path;
	int r = DONE;

	if (c->spool.fd >= 0)
		return DONE;
	path = spool_path(c);
	if (!path)
		return FAILED;
	switch (spool_open(&c->spool, path, create)) {
	case SPOOL_OK:
		break;
	case SPOOL_GONE:
		complain("%s: there is no spool; queuectl enqueue makes one",
		    path);
		r = FAILED;
		break;
	case SPOOL_ALIEN:
		complain("%s: not used as a spool: %s", path, c->spool.why);
		r = FAILED;
		break;
	default:
		r = complain_spool(&c->spool);
	}
	if (r == DONE && c->spool.config_error)
		complain("%s/config: %s; the defaults are in force", path,
		    strerror(c->spool.config_error));
	else if (r == DONE && c->spool.config_bad)
		complain("%s/config: line %zu is not understood and passed "
		    "over", path, c->spool.config_bad);
	return r;
}

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000;
}

/* --- tables ------------------------------------------------------------- */

/* Columns of the terminal on `fd`, or 0: it is none, and nothing is cut. */
static size_t
terminal_width(int fd)
{
	const char *columns = getenv("COLUMNS");
	struct winsize ws;
	int64_t n;

	if (!isatty(fd))
		return 0;
	setlocale(LC_CTYPE, ""); /* for wcwidth */
	if (ioctl(fd, TIOCGWINSZ, &ws) == 0 && ws.ws_col)
		return ws.ws_col;
	if (columns && job_number_parse(columns, 1, 10000, &n))
		return (size_t)n;
	return 80;
}

/* Bytes of `s` that fit into `width` columns, and how many columns they
 * take. */
static size_t
fit(const char *s, size_t width, size_t *columns)
{
	size_t at = 0, used = 0, n;

	for (; s[at]; at += n) {
		wchar_t wc;
		int w = 1;

		n = mbtowc(&wc, s + at, MB_CUR_MAX) > 0 ?
		    (size_t)mbtowc(&wc, s + at, MB_CUR_MAX) : 1;
		if (n > 1 || (unsigned char)s[at] < 0x80)
			w = wcwidth(wc);
		if (w < 0)
			w = 1;
		if (used + (size_t)w > width)
			break;
		used += (size_t)w;
	}
	*columns = used;
	return at;
}

/* Prints the last cell of a row and what follows it.  If the terminal (`width`,
 * 0: none) has only what `used` leaves, the cell is cut, what follows if there
 * is room for it. */
static void
put_last(const char *s, const char *after, size_t width, size_t used)
{
	size_t columns, n, more;

	fit(after, SIZE_MAX, &more);
	if (width && width < used + more + 1) {
		after = "";
		more = 0;
	}
	if (width && width <= used) {
		putchar('\n');
		return;
	}
	n = width ? fit(s, width - used - more, &columns) : strlen(s);
	if (!s[n]) {
		printf("%s%s\n", s, after);
		return;
	}
	n = fit(s, width - used - more - 1, &columns);
	printf("%.*s…%s\n", (int)n, s, after);
}

/* A time to the second, for tables. */
static void
short_time(char out[JOB_TIME_LEN + 1], int64_t time)
{
	if (time < 0) {
		strcpy(out, "-");
		return;
	}
	job_time_format(out, time);
	strcpy(out + 19, "Z");
}

/* "43 s", "2 min 5 s", "3 h 20 min", "5 d 2 h". */
static void
span_words(struct buf *b, int64_t us)
{
	int64_t s = us > 0 ? (us + SECOND - 1) / SECOND : 0;

	if (s < 60)
		buf_printf(b, "%lld s", (long long)s);
	else if (s < 3600)
		buf_printf(b, "%lld min %lld s", (long long)(s / 60),
		    (long long)(s % 60));
	else if (s < 86400)
		buf_printf(b, "%lld h %lld min", (long long)(s / 3600),
		    (long long)(s / 60 % 60));
	else
		buf_printf(b, "%lld d %lld h", (long long)(s / 86400),
		    (long long)(s / 3600 % 24));
}

/* --- looking at jobs ---------------------------------------------------- */

struct entry {
	enum job_state state;
	size_t seen;            /* when, to tell two sights of a job apart */
	struct job_name name;
};

struct listing {
	struct entry *v;
	size_t n, cap;
};

static bool
listing_add(struct listing *l, enum job_state state,
    const struct job_name *name)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		struct entry *v = realloc(l->v, cap * sizeof *v);

		if (!v)
			return false;
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n] = (struct entry){ state, l->n, *name };
	l->n++;
	return true;
}

/* In the order in which a person looks: what runs, what will, what failed. */
static int
compare_shown(const void *pa, const void *pb)
{
	static const int rank[] = { [JOB_PROCESSING] = 0, [JOB_PENDING] = 1,
		[JOB_FAILED] = 2, [JOB_DONE] = 3, [JOB_DEAD] = 4 };
	const struct entry *a = pa, *b = pb;

	if (a->state != b->state)
		return rank[a->state] - rank[b->state];
	if (a->state != JOB_PENDING && a->name.stamp != b->name.stamp)
		return a->name.stamp < b->name.stamp ? -1 : 1;
	return job_name_compare(&a->name, &b->name);
}

static int
compare_sights(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	int c = strcmp(a->name.id, b->name.id);

	return c ? c : a->seen < b->seen ? -1 : 1;
}

static int
collect_state(struct spool *sp, struct listing *l, enum job_state state)
{
	struct job_name name;
	struct spool_iter it;
	int r;

	if (spool_iter_open(sp, &it, state) != SPOOL_OK)
		return complain_spool(sp);
	while ((r = spool_iter_next(&it, &name)) > 0)
		if (!listing_add(l, state, &name)) {
			spool_iter_close(&it);
			return no_memory();
		}
	spool_iter_close(&it);
	return r < 0 ? complain_spool(sp) : DONE;
}

/*
 * All jobs, or those of one state (JOB_STATES: all), each id once, sorted.  A
 * job that moves while we read can be seen twice or missed: then we read
 * again, and what was seen last counts.
 */
static int
collect(struct spool *sp, struct listing *l, enum job_state only)
{
	static const enum job_state order[] = { JOB_PENDING, JOB_FAILED,
		JOB_PROCESSING, JOB_DONE, JOB_DEAD };
	uint64_t before = spool_version(sp);
	size_t i, n = 0, pass;
	int r;

	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < JOB_STATES; i++)
			if ((only == JOB_STATES || only == order[i]) &&
			    (r = collect_state(sp, l, order[i])) != DONE)
				return r;
		if (spool_version(sp) == before)
			break;
	}
	if (l->n) {
		qsort(l->v, l->n, sizeof *l->v, compare_sights);
		for (i = 1; i < l->n; i++)
			if (strcmp(l->v[n].name.id, l->v[i].name.id))
				l->v[++n] = l->v[i];
			else
				l->v[n] = l->v[i];
		l->n = n + 1;
	}
	if (l->n)
		qsort(l->v, l->n, sizeof *l->v, compare_shown);
	return DONE;
}

static int
parse_state(const char *word, enum job_state *state)
{
	int i;

	for (i = 0; i < JOB_STATES; i++) {
		*state = (enum job_state)i;
		if (!strcasecmp(word, job_state_dir(*state)) ||
		    !strcasecmp(word, job_state_word(*state)))
			return DONE;
	}
	complain("no such state: %s; the states are pending, processing, "
	    "completed, failed, dead", word);
	return USAGE;
}

/* What runs a job, from the pools' files. */
struct runner {
	const struct job_name *name;
	struct spool_slot slot; /* pid 0: not found */
};

static void
find_runner(void *arg, const char *pool, long pid, const struct spool_slot *s)
{
	struct runner *r = arg;

	(void)pool;
	(void)pid;
	if (s->start == r->name->stamp && !strcmp(s->job, r->name->id))
		r->slot = *s;
}

/* The job as it is shown: SPOOL_OK; what is wrong with it is shown, too, also
 * that it is none of ours.  SPOOL_GONE, SPOOL_ERROR: there is nothing to show. */
static int
view_job(struct spool *sp, enum job_state state, const struct job_name *name,
    struct job *job, struct field_view *v)
{
	struct runner runner = { .name = name };
	int r = spool_load(sp, state, name, job);

	if (r == SPOOL_GONE || r == SPOOL_ERROR)
		return r;
	*v = (struct field_view){ .state = state, .name = name, .job = job,
		.policy = &sp->config.policy };
	if (r != SPOOL_OK) {
		v->bad = sp->why;
		v->line = sp->line;
		v->alien = r == SPOOL_ALIEN;
	}
	if (state == JOB_PROCESSING) {
		spool_slots(sp, false, find_runner, &runner);
		v->worker = runner.slot.pid;
	}
	return SPOOL_OK;
}

/* The command for a table; of a text that is no job, what is wrong. */
static void
title_words(struct buf *b, const struct field_view *v)
{
	if (!v->bad)
		job_title(b, v->job, 0);
	else if (v->alien)
		buf_printf(b, "(left alone: %s)", v->bad);
	else if (v->line)
		buf_printf(b, "(damaged: line %zu: %s)", v->line, v->bad);
	else
		buf_printf(b, "(damaged: %s)", v->bad);
}

/* Whether a job in that state has ended. */
static bool
ends(int state)
{
	return state == JOB_DONE || state == JOB_DEAD;
}

/* --- why ---------------------------------------------------------------- */

/* The workers that live. */
struct crew {
	size_t workers, busy;
};

static void
see_worker(void *arg, const char *pool, long pid, const struct spool_slot *s)
{
	struct crew *crew = arg;

	(void)pool;
	(void)pid;
	crew->workers++;
	crew->busy += s->job[0] != '\0';
}

/* What a job waits for that is not its own time. */
struct queue_view {
	struct crew crew;
	struct listing ready;   /* what may run now, in order; if all are busy */
	struct buf words;
};

static int
compare_ready(const void *a, const void *b)
{
	return job_name_compare(&((const struct entry *)a)->name,
	    &((const struct entry *)b)->name);
}

static bool
is_ready(const struct job_name *name, int64_t now)
{
	return !name->timed || name->stamp <= now;
}

/* Looks at the workers and, with `all`, at what they will do next. */
static int
look_at_queue(struct spool *sp, struct queue_view *q, bool all)
{
	static const enum job_state states[] = { JOB_PENDING, JOB_FAILED };
	int64_t now = now_us();
	size_t i, n = 0;
	int r;

	*q = (struct queue_view){ .crew = { 0, 0 } };
	if (spool_slots(sp, false, see_worker, &q->crew) != SPOOL_OK)
		return complain_spool(sp);
	if (!all || q->crew.workers > q->crew.busy || !q->crew.workers || sp->config.paused)
		return DONE;
	for (i = 0; i < 2; i++)
		if ((r = collect_state(sp, &q->ready, states[i])) != DONE)
			return r;
	for (i = 0; i < q->ready.n; i++)
		if (is_ready(&q->ready.v[i].name, now))
			q->ready.v[n++] = q->ready.v[i];
	q->ready.n = n;
	if (n)
		qsort(q->ready.v, n, sizeof *q->ready.v, compare_ready);
	return DONE;
}

static void
queue_view_free(struct queue_view *q)
{
	free(q->ready.v);
	buf_free(&q->words);
}

static size_t
count_ahead(const struct queue_view *q, const struct job_name *name)
{
	size_t low = 0, high = q->ready.n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (job_name_compare(&q->ready.v[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* In one phrase why a job is not running; NULL: it runs, or has ended.  The
 * words are good until the next call. */
static const char *
why_not(const struct spool *sp, struct queue_view *q,
    const struct field_view *v)
{
	const struct job_name *name = v->name;
	struct buf *b = &q->words;
	int64_t now = now_us();
	bool waits = !is_ready(name, now);

	if (v->state != JOB_PENDING && v->state != JOB_FAILED)
		return NULL;
	buf_clear(b);
	if (v->bad)
		buf_printf(b, "unreadable file: %s", v->bad);
	else if (v->state == JOB_FAILED && waits)
		buf_printf(b, "waits for its retry (attempt %u of %u), due in ",
		    name->attempt + 1, job_allowed(v->job,
		    &sp->config.policy));
	else if (waits)
		buf_puts(b, "due in ");
	else if (sp->config.paused)
		buf_puts(b, "paused");
	else if (!q->crew.workers)
		buf_puts(b, "no worker");
	else if (q->crew.workers > q->crew.busy)
		buf_puts(b, "about to run");
	else
		buf_printf(b, "all workers busy (%zu ahead of it)",
		    count_ahead(q, name));
	if (waits && !v->bad)
		span_words(b, name->stamp - now);
	return b->p;
}

static int
print_json(const struct field_view *v)
{
	struct buf b = { 0 };
	int r = DONE;

	field_write(&b, v);
	if (b.failed)
		r = no_memory();
	else
		puts(b.p);
	buf_free(&b);
	return r;
}

static size_t
id_width(const struct listing *l, size_t n)
{
	size_t i, width = 2;

	for (i = 0; i < n; i++)
		if (strlen(l->v[i].name.id) > width)
			width = strlen(l->v[i].name.id);
	return width;
}

enum { L_STATE, L_LIMIT, L_JSON };

static const struct option_def list_options[] = {
	{ "state", 's', "STATE", "only pending, processing, completed, "
	    "failed or dead jobs" },
	{ "limit", 'n', "N", "the first N jobs only" },
	{ "json", 0, NULL, "one JSON object per line" },
	{ NULL, 0, NULL, NULL }
};

static void
print_row(const struct field_view *v, size_t ids, size_t width)
{
	struct buf title = { 0 }, why = { 0 };
	char created[JOB_TIME_LEN + 1];
	int used;

	title_words(&title, v);
	if (v->why && !v->bad)
		buf_printf(&why, "  [%s]", v->why);
	short_time(created, v->job->created);
	used = printf("%-*s  %-10s  %8u  %8d  %-20s  ", (int)ids, v->name->id,
	    job_state_word(v->state), v->name->attempt, v->name->priority,
	    created);
	put_last(title.p ? title.p : "", why.p ? why.p : "", width,
	    (size_t)used);
	buf_free(&title);
	buf_free(&why);
}

static int
list(struct call *c)
{
	enum job_state only = JOB_STATES;
	struct listing l = { 0 };
	struct queue_view q = { .crew = { 0, 0 } };
	size_t ids, width, i, n;
	int64_t limit = JOB_NUMBER_MAX;
	int r, worst = DONE;

	if (c->value[L_STATE] &&
	    parse_state(c->value[L_STATE], &only) != DONE)
		return USAGE;
	if (c->value[L_LIMIT] && !job_number_parse(c->value[L_LIMIT], 0,
	    JOB_NUMBER_MAX, &limit)) {
		complain("--limit must be a whole number, not %s",
		    c->value[L_LIMIT]);
		return USAGE;
	}
	if (open_spool(c, false) != DONE)
		return FAILED;
	r = collect(&c->spool, &l, only);
	n = l.n < (size_t)limit ? l.n : (size_t)limit;
	for (i = 0; i < n && ends((int)l.v[i].state); i++)
		;
	if (r == DONE)
		r = look_at_queue(&c->spool, &q, i < n);
	ids = id_width(&l, n);
	width = terminal_width(STDOUT_FILENO);
	if (r == DONE && !c->value[L_JSON])
		printf("%-*s  %-10s  %8s  %8s  %-20s  %s\n", (int)ids, "ID",
		    "STATE", "ATTEMPTS", "PRIORITY", "CREATED", "COMMAND");
	for (i = 0; i < n && r == DONE && !ferror(stdout); i++) {
		struct field_view v;
		struct job job;

		int s = view_job(&c->spool, l.v[i].state, &l.v[i].name, &job,
		    &v);

		if (s == SPOOL_ERROR)
			worst = complain_spool(&c->spool);
		if (s != SPOOL_OK)
			continue;
		v.why = why_not(&c->spool, &q, &v);
		if (c->value[L_JSON])
			r = print_json(&v);
		else
			print_row(&v, ids, width);
		job_free(&job);
	}
	queue_view_free(&q);
	free(l.v);
	return r == DONE ? worst : r;
}

/* From a word of the command line to a job that is there. */
static int
look_up(struct call *c, const char *word, enum job_state *state,
    struct job_name *name)
{
	char id[JOB_ID_MAX + 1];
	int r = spool_resolve(&c->spool, word, id);

	if (r == SPOOL_OK)
		r = spool_find(&c->spool, id, state, name);
	return r == SPOOL_OK ? DONE : complain_job(&c->spool, r, word);
}

static void
show_state(const struct field_view *v, const struct spool *sp)
{
	const struct job_attempt *last = v->job->nattempt ?
	    &v->job->attempt[v->job->nattempt - 1] : NULL;
	char time[JOB_TIME_LEN + 1];
	struct buf b = { 0 };

	job_time_format(time, v->name->stamp);
	if (v->state == JOB_PROCESSING && v->worker)
		buf_printf(&b, ", by worker process %ld since %s", v->worker,
		    time);
	else if (v->state == JOB_PROCESSING)
		buf_printf(&b, ", by no worker that lives, since %s", time);
	else if (v->name->timed) {
		buf_printf(&b, ", not before %s (in ", time);
		span_words(&b, v->name->stamp - now_us());
		buf_putc(&b, ')');
	} else if (last && v->state != JOB_PENDING) {
		buf_puts(&b, ": ");
		job_outcome_words(&b, last);
	}
	printf("State:      %s%s\n", job_state_word(v->state),
	    b.p ? b.p : "");
	printf("Attempts:   %u of %u\n", v->name->attempt,
	    job_allowed(v->job, &sp->config.policy));
	buf_free(&b);
}

static void
show_given(const struct job *job)
{
	struct buf b = { 0 };
	size_t i;

	if (job->timeout >= 0) {
		job_seconds_format(&b, job->timeout);
		printf("Timeout:    %s s\n", b.p ? b.p : "");
		buf_clear(&b);
	}
	if (job->dead_exit)
		printf("Dead exit:  %s\n", job->dead_exit);
	if (job->cwd) {
		job_escape(&b, job->cwd, 0);
		printf("Directory:  %s\n", b.p ? b.p : "");
	}
	for (i = 0; i < job->nenv; i++) {
		buf_clear(&b);
		job_escape(&b, job->env[i], 0);
		printf("Env:        %s\n", b.p ? b.p : "");
	}
	if (job->input)
		printf("Stdin:      %zu bytes\n", strlen(job->input));
	buf_free(&b);
}

static void
show_history(const struct job *job)
{
	size_t i;

	if (!job->nattempt)
		return;
	printf("\n%-7s  %-20s  %13s  %7s  %s\n", "ATTEMPT", "START", "TOOK",
	    "WORKER", "OUTCOME");
	for (i = 0; i < job->nattempt; i++) {
		const struct job_attempt *a = &job->attempt[i];
		char start[JOB_TIME_LEN + 1];
		/* below 0 where the clock was set back meanwhile */
		int64_t took = a->end > a->start ? a->end - a->start : 0;
		struct buf b = { 0 };

		short_time(start, a->start);
		job_outcome_words(&b, a);
		printf("%-7u  %-20s  %7lld.%03lld s  %7ld  %s\n", a->number,
		    start, (long long)(took / SECOND),
		    (long long)(took % SECOND / 1000), a->worker,
		    b.p ? b.p : "");
		buf_free(&b);
	}
}

static const struct option_def show_options[] = {
	{ "json", 0, NULL, "one JSON object, with the attempts as history" },
	{ NULL, 0, NULL, NULL }
};

static int
show(struct call *c)
{
	struct field_view v;
	struct job_name name;
	enum job_state state;
	struct job job;
	struct queue_view q;
	struct buf title = { 0 };
	char time[JOB_TIME_LEN + 1];
	int r = DONE;

	if (open_spool(c, false) != DONE ||
	    look_up(c, c->operand[0], &state, &name) != DONE)
		return FAILED;
	r = view_job(&c->spool, state, &name, &job, &v);
	if (r != SPOOL_OK)
		return complain_job(&c->spool, r, name.id);
	v.history = true;
	if (look_at_queue(&c->spool, &q, !ends((int)state) &&
	    is_ready(&name, now_us())) == DONE)
		v.why = why_not(&c->spool, &q, &v);
	if (c->value[0]) {
		r = print_json(&v);
		queue_view_free(&q);
		job_free(&job);
		return r;
	}
	title_words(&title, &v);
	printf("Id:         %s\n", name.id);
	printf("Command:    %s\n", title.p ? title.p : "");
	show_state(&v, &c->spool);
	if (v.why)
		printf("Why:        %s\n", v.why);
	printf("Priority:   %d\n", name.priority);
	if (job.created >= 0) {
		job_time_format(time, job.created);
		printf("Created:    %s\n", time);
	}
	job_time_format(time, field_updated(&v));
	printf("Updated:    %s\n", time);
	show_given(&job);
	show_history(&job);
	queue_view_free(&q);
	buf_free(&title);
	job_free(&job);
	return r;
}

/* --- logs --------------------------------------------------------------- */

enum { LOGS_FOLLOW, LOGS_ATTEMPT };

static const struct option_def logs_options[] = {
	{ "follow", 'f', NULL, "go on until the job has ended for good" },
	{ "attempt", 'a', "N", "only what attempt N wrote (the latest N)" },
	{ NULL, 0, NULL, NULL }
};

/* Copies from *at up to `end` (-1: as far as it goes) to stdout. */
static int
copy_log(struct call *c, const char *id, int fd, int64_t *at, int64_t end)
{
	char bytes[65536];

	while (end < 0 || *at < end) {
		size_t want = end >= 0 && end - *at < (int64_t)sizeof bytes ?
		    (size_t)(end - *at) : sizeof bytes;
		ssize_t n = pread(fd, bytes, want, (off_t)*at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			complain("%s/log/%s.log: %s", c->spool.path, id,
			    strerror(errno));
			return FAILED;
		}
		if (n == 0)
			break;
		if (fwrite(bytes, 1, (size_t)n, stdout) != (size_t)n)
			return FAILED;
		*at += n;
	}
	return fflush(stdout) ? FAILED : DONE;
}

/* Where the latest attempt of that number begins and ends in the log, in bytes
 * that the job wrote. */
static int
find_attempt(struct call *c, const char *word, enum job_state state,
    const struct job_name *name, int64_t *begin, int64_t *end)
{
	struct runner runner = { .name = name };
	struct job job;
	int64_t n;
	size_t i;
	bool found = false;
	int r;

	if (!job_number_parse(word, 1, JOB_NUMBER_MAX, &n)) {
		complain("--attempt must be a whole number from 1, not %s",
		    word);
		return USAGE;
	}
	*end = -1;
	r = spool_load(&c->spool, state, name, &job);
	if (r != SPOOL_OK && r != SPOOL_BAD)
		return complain_job(&c->spool, r, name->id);
	for (i = 0; i < job.nattempt; i++) {
		if (found && *end < 0)
			*end = job.attempt[i].log;
		if (job.attempt[i].number == n) {
			*begin = job.attempt[i].log;
			*end = -1;
			found = true;
		}
	}
	if (state == JOB_PROCESSING)
		spool_slots(&c->spool, false, find_runner, &runner);
	if (runner.slot.pid && name->attempt == n) {
		*begin = runner.slot.log;
		*end = -1;
		found = true;
	} else if (runner.slot.pid && found && *end < 0) {
		*end = runner.slot.log;
	}
	job_free(&job);
	if (found)
		return DONE;
	complain("%s: there was no attempt %lld", name->id, (long long)n);
	return FAILED;
}

/* Whether the log is not as it was when it was `at` bytes long. */
static bool
log_is_news(int fd, int64_t at)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size != at;
}

/* Copies as the log grows, until the job is completed, dead or gone. */
static int
follow_log(struct call *c, enum job_state state, struct job_name *name)
{
	char id[JOB_ID_MAX + 1];
	struct spool_gap gap = { .mark = 0 }, then;
	int64_t at = 0;
	int fd = -1, r = DONE, s;
	bool ended = false;

	strcpy(id, name->id);
	while (r == DONE) {
		/* Whether it has ended is asked first, so that the last copy
		 * comes after the last byte. */
		s = spool_there(&c->spool, state, name) ? SPOOL_OK :
		    spool_find(&c->spool, id, &state, name);
		if (s == SPOOL_ERROR)
			r = complain_spool(&c->spool);
		ended = s == SPOOL_GONE;
		ended |= state == JOB_DONE || state == JOB_DEAD;
		s = fd < 0 ? spool_log_read(&c->spool, id, &fd) : SPOOL_OK;
		if (s != SPOOL_OK && s != SPOOL_GONE)
			r = complain_job(&c->spool, s, id);
		if (fd >= 0 && r == DONE && log_is_news(fd, at)) {
			/* the middle may have been dropped meanwhile */
			then = gap;
			if (spool_log_gap(fd, &gap) == 0 && gap.to != then.to)
				at = spool_log_place(&gap,
				    spool_log_offset(&then, at));
			r = copy_log(c, id, fd, &at, -1);
		}
		if (ended)
			break;
		poll(NULL, 0, FOLLOW_MS);
	}
	if (fd >= 0)
		close(fd);
	return r;
}

static int
logs(struct call *c)
{
	struct job_name name;
	enum job_state state;
	struct spool_gap gap;
	int64_t begin = 0, end = -1;
	int fd, r;

	if (c->value[LOGS_FOLLOW] && c->value[LOGS_ATTEMPT]) {
		complain("--follow and --attempt do not go together");
		return USAGE;
	}
	if (open_spool(c, false) != DONE ||
	    look_up(c, c->operand[0], &state, &name) != DONE)
		return FAILED;
	if (c->value[LOGS_FOLLOW])
		return follow_log(c, state, &name);
	if (c->value[LOGS_ATTEMPT] && (r = find_attempt(c,
	    c->value[LOGS_ATTEMPT], state, &name, &begin, &end)) != DONE)
		return r;
	r = spool_log_read(&c->spool, name.id, &fd);
	if (r == SPOOL_GONE)
		return DONE; /* it wrote nothing yet */
	if (r != SPOOL_OK)
		return complain_job(&c->spool, r, name.id);
	if (c->value[LOGS_ATTEMPT] && spool_log_gap(fd, &gap) == 0) {
		begin = spool_log_place(&gap, begin);
		if (end >= 0)
			end = spool_log_place(&gap, end);
	}
	r = copy_log(c, name.id, fd, &begin, end);
	close(fd);
	return r;
}

/* --- waiting ------------------------------------------------------------ */

static int64_t
monotonic_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* What happens to jobs. */
struct news {
	struct spool_watch watch;
	bool told;              /* by inotify; else we must look */
};

static void
news_open(struct news *n, struct spool *sp)
{
	int i;

	spool_watch_open(&n->watch);
	n->told = !spool_watch_silent(sp);
	/* what leaves other states may be gone for good */
	for (i = 0; i < JOB_STATES; i++)
		n->told &= spool_watch_add(sp, &n->watch, i, !ends(i));
}

/* Sleeps until there are any, for `ms` at most. */
static void
news_wait(struct news *n, int64_t ms)
{
	struct pollfd p = { .fd = n->watch.fd, .events = POLLIN };

	if (!n->told && ms > LOOK_MS)
		ms = LOOK_MS;
	poll(&p, 1, ms > 0 ? (int)ms : 0);
}

/* For who looks at everything again. */
static void
news_skip(struct news *n)
{
	const char *file;
	int dir;

	while (spool_watch_next(&n->watch, &dir, &file))
		;
}

static void
news_close(struct news *n)
{
	spool_watch_close(&n->watch);
}

/* --- wait --------------------------------------------------------------- */

struct awaited {
	char id[JOB_ID_MAX + 1];
	bool ended;
};

/* Jobs whose end somebody waits for.  Zeroed, it has none. */
struct waiting {
	struct awaited *v;      /* n jobs, sorted by id once we wait */
	size_t n, cap;
	size_t ended, failed;
	size_t before;          /* had ended when we came */
	int status;             /* of the last that failed, as sh has it */
	size_t columns;         /* of the terminal for the bar; 0: none */
	int64_t began, drawn;   /* ms */
};

static bool
waiting_add(struct waiting *w, const char *id)
{
	if (w->n == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 16;
		struct awaited *v = realloc(w->v, cap * sizeof *v);

		if (!v)
			return false;
		w->v = v;
		w->cap = cap;
	}
	w->v[w->n] = (struct awaited){ .ended = false };
	strcpy(w->v[w->n++].id, id);
	return true;
}

static int
compare_awaited(const void *a, const void *b)
{
	return strcmp(((const struct awaited *)a)->id,
	    ((const struct awaited *)b)->id);
}

/* Sorts them, each once. */
static void
waiting_sort(struct waiting *w)
{
	size_t i, n = 0;

	if (w->n)
		qsort(w->v, w->n, sizeof *w->v, compare_awaited);
	for (i = 0; i < w->n; i++)
		if (!n || strcmp(w->v[n - 1].id, w->v[i].id))
			w->v[n++] = w->v[i];
	w->n = n;
}

/* How a dead job ended, for a person and as an exit status. */
static void
tell_failure(struct spool *sp, const struct job_name *name, int *status,
    bool only)
{
	const struct job_attempt *last = NULL;
	struct buf b = { 0 };
	struct job job;

	*status = FAILED;
	if (spool_load(sp, JOB_DEAD, name, &job) == SPOOL_OK && job.nattempt)
		last = &job.attempt[job.nattempt - 1];
	if (last && last->outcome == JOB_EXIT && last->value)
		*status = last->value;
	else if (last && last->outcome == JOB_SIGNAL)
		*status = 128 + last->value;
	if (last)
		job_outcome_words(&b, last);
	if (only)
		complain("%s: %s", name->id, b.p ? b.p : "damaged");
	buf_free(&b);
	job_free(&job);
}

/* Sees whether one has ended. */
static int
check_one(struct spool *sp, struct waiting *w, struct awaited *a)
{
	enum job_state state = JOB_DEAD;
	struct job_name name;
	int r;

	if (a->ended)
		return DONE;
	r = spool_find(sp, a->id, &state, &name);
	if (r != SPOOL_OK && r != SPOOL_GONE)
		return complain_spool(sp);
	if (r == SPOOL_OK && !ends((int)state))
		return DONE;
	a->ended = true;
	w->ended++;
	if (r == SPOOL_OK && state == JOB_DONE)
		return DONE;
	w->failed++;
	w->status = FAILED;
	if (r == SPOOL_OK)
		tell_failure(sp, &name, &w->status, w->n == 1);
	else
		complain("%s: it was removed before it had ended", a->id);
	return DONE;
}

static int
check_all(struct spool *sp, struct waiting *w)
{
	size_t i;
	int r = DONE;

	for (i = 0; i < w->n && r == DONE; i++)
		r = check_one(sp, w, &w->v[i]);
	return r;
}

/* Looks at those of which there is news. */
static int
check_news(struct spool *sp, struct waiting *w, struct news *news)
{
	struct job_name name;
	struct awaited key = { .ended = false }, *a;
	const char *file;
	bool lost = false;
	int dir, s, r = DONE;

	while (r == DONE &&
	    (s = spool_watch_next(&news->watch, &dir, &file)) != 0) {
		lost |= s < 0;
		if (s < 0 || !job_name_parse(&name, file))
			continue;
		strcpy(key.id, name.id);
		a = bsearch(&key, w->v, w->n, sizeof key, compare_awaited);
		if (a)
			r = check_one(sp, w, a);
	}
	return r == DONE && lost ? check_all(sp, w) : r;
}

/* [######--------------] 6/20, 1 failed, 3.1/s, 5 s left */
static void
draw_bar(struct waiting *w, int64_t now)
{
	static const char full[] = "####################";
	static const char empty[] = "--------------------";
	size_t done = w->n ? 20 * w->ended / w->n : 20, columns;
	double seconds = (double)(now - w->began) / 1000;
	double rate = (double)(w->ended - w->before) / seconds;
	struct buf b = { 0 };

	buf_printf(&b, "[%.*s%.*s] %zu/%zu", (int)done, full,
	    (int)(20 - done), empty, w->ended, w->n);
	if (w->failed)
		buf_printf(&b, ", %zu failed", w->failed);
	if (w->ended > w->before && seconds > 0) {
		buf_printf(&b, ", %.1f/s", rate);
		if (w->ended < w->n) {
			buf_puts(&b, ", ");
			span_words(&b, (int64_t)((double)(w->n - w->ended) /
			    rate * 1e6));
			buf_puts(&b, " left");
		}
	}
	if (b.p && !b.failed)
		fprintf(stderr, "\r%.*s\033[K", (int)fit(b.p, w->columns - 1,
		    &columns), b.p);
	buf_free(&b);
	w->drawn = now;
}

/* Waits for them all, for `timeout` ms at most (-1: for ever).  Returns the
 * exit status. */
static int
wait_for(struct spool *sp, struct waiting *w, int64_t timeout)
{
	int64_t now = monotonic_ms(), next = 0, took;
	struct crew crew = { 0, 0 };
	struct news news;
	int r;

	waiting_sort(w);
	w->columns = terminal_width(STDERR_FILENO);
	w->began = now;
	news_open(&news, sp);
	r = check_all(sp, w);
	w->before = w->ended;
	if (w->ended < w->n && timeout &&
	    spool_slots(sp, false, see_worker, &crew) == SPOOL_OK &&
	    (!crew.workers || sp->config.paused))
		complain("%s; waiting all the same", crew.workers ?
		    "the queue is paused" : "no worker is running");
	while (r == DONE && w->ended < w->n) {
		int64_t ms = TICK_MS;

		now = monotonic_ms();
		if (timeout >= 0 && now - w->began >= timeout)
			break;
		if (w->columns && now - w->drawn >= BAR_MS)
			draw_bar(w, now);
		if (timeout >= 0 && w->began + timeout - now < ms)
			ms = w->began + timeout - now;
		if (w->columns && ms > BAR_MIN_MS)
			ms = BAR_MIN_MS;
		news_wait(&news, ms);
		now = monotonic_ms();
		r = check_news(sp, w, &news);
		if (r == DONE && now >= next) {
			r = check_all(sp, w);
			took = monotonic_ms() - now;
			next = now + (news.told ? TICK_MS : 10 * took);
		}
	}
	if (w->columns && w->drawn) {
		draw_bar(w, monotonic_ms());
		putc('\n', stderr);
	}
	news_close(&news);
	if (r != DONE)
		return r;
	if (w->ended < w->n) {
		complain("%zu of %zu job%s had not ended in time",
		    w->n - w->ended, w->n, w->n == 1 ? "" : "s");
		return TIMED_OUT;
	}
	if (w->failed && w->n > 1)
		complain("%zu of %zu jobs did not succeed", w->failed, w->n);
	return !w->failed ? DONE : w->n == 1 ? w->status : FAILED;
}

enum { WAIT_TIMEOUT, WAIT_ALL };

static const struct option_def wait_options[] = {
	{ "timeout", 0, "S", "for S seconds at most; exit status 124 then" },
	{ "all", 0, NULL, "for all that wait or run now" },
	{ NULL, 0, NULL, NULL }
};

/* The jobs that have not ended. */
static int
await_all(struct spool *sp, struct waiting *w)
{
	struct listing l = { 0 };
	size_t i;
	int r = collect(sp, &l, JOB_STATES);

	for (i = 0; i < l.n && r == DONE; i++)
		if (!ends((int)l.v[i].state) &&
		    !waiting_add(w, l.v[i].name.id))
			r = no_memory();
	free(l.v);
	return r;
}

static int
await_named(struct call *c, struct waiting *w)
{
	char id[JOB_ID_MAX + 1];
	int i, r = DONE;

	for (i = 0; i < c->n; i++) {
		int s = spool_resolve(&c->spool, c->operand[i], id);

		if (s != SPOOL_OK)
			r = complain_job(&c->spool, s, c->operand[i]);
		else if (!waiting_add(w, id))
			return no_memory();
	}
	return r;
}

static int
wait_jobs(struct call *c)
{
	struct waiting w = { .n = 0 };
	int64_t us = -1000;
	int r;

	if ((c->value[WAIT_ALL] != NULL) == (c->n > 0)) {
		complain("name jobs, or --all");
		return USAGE;
	}
	if (c->value[WAIT_TIMEOUT] &&
	    !job_seconds_parse(c->value[WAIT_TIMEOUT], &us)) {
		complain("--timeout must be a number of seconds, not %s",
		    c->value[WAIT_TIMEOUT]);
		return USAGE;
	}
	if (open_spool(c, false) != DONE)
		return FAILED;
	r = c->n ? await_named(c, &w) : await_all(&c->spool, &w);
	if (r == DONE)
		r = wait_for(&c->spool, &w, us / 1000);
	free(w.v);
	return r;
}

/* --- enqueue ------------------------------------------------------------ */

static const struct option_def enqueue_options[] = {
	{ "id", 0, "ID", "name it, instead of getting a generated id" },
	{ "priority", 0, "N", "0 first … 9 last; default 5" },
	{ "max-retries", 0, "N", "attempts in all; default: config" },
	{ "backoff-base", 0, "N", "seconds, to the power of the attempt" },
	{ "delay", 0, "S", "not before S seconds from now" },
	{ "run-at", 0, "TIME", "not before TIME (2026-11-24T05:30:00Z)" },
	{ "timeout", 0, "S", "end an attempt after S seconds" },
	{ "dead-exit", 0, "LIST", "no other attempt after these exit statuses: "
	    "2,65-78" },
	{ "cwd", 0, "DIR", "run it there; default: the current directory" },
	{ "env", 0, "NAME=VALUE", "add to its environment (repeatable)" },
	{ "unique", 0, NULL, "not while a job of that id waits or runs; then "
	    "print it" },
	{ "wait", 0, NULL, "return when the jobs have ended, as wait does; also "
	    "with JSON" },
	{ NULL, 0, NULL, NULL }
};

/* What all ways to enqueue share. */
struct enqueue {
	struct call *call;
	struct spool_batch batch;
	struct waiting *waiting; /* NULL: nobody waits */
	int64_t last;           /* the last stamp given to a job */
	struct buf paths;       /* one absolute cwd */
	struct buf ids;         /* to be printed when the batch is safe: n, each
	                         * with a newline */
	size_t n;
	int again;              /* times that a job was staged again */
	bool came;              /* input did, since config was last looked at */
};

/* Strictly increasing, so that a batch keeps its order. */
static int64_t
next_stamp(struct enqueue *q)
{
	int64_t now = now_us();

	q->last = now > q->last ? now : q->last + 1;
	return q->last;
}

/* Fills in what the job does not say.  The spool is open from then on. */
static int
complete(struct enqueue *q, struct job *job)
{
	/* what config says when a job comes; a producer may be slow */
	if (q->call->spool.fd < 0 && open_spool(q->call, true) != DONE)
		return FAILED;
	if (q->came)
		spool_config_refresh(&q->call->spool);
	q->came = false;
	q->batch.spool = &q->call->spool;
	if (job->priority < 0)
		job->priority = JOB_PRIORITY;
	if (job->max_retries < 0)
		job->max_retries = q->call->spool.config.policy.max_retries;
	if (job->backoff_base < 0)
		job->backoff_base =
		    q->call->spool.config.policy.backoff_base;
	if (job->created < 0)
		job->created = next_stamp(q);
	if (job->cwd && *job->cwd == '/')
		return DONE;
	if (!q->call->cwd.n && !add_cwd(&q->call->cwd)) {
		complain("the current directory: %s; name one with cwd",
		    strerror(errno));
		return FAILED;
	}
	if (!text_is_utf8(q->call->cwd.p, q->call->cwd.n)) {
		complain("the current directory's name is not UTF-8; name "
		    "another with cwd");
		return FAILED;
	}
	if (!job->cwd) {
		job->cwd = q->call->cwd.p;
		return DONE;
	}
	buf_clear(&q->paths);
	buf_printf(&q->paths, "%s/%s", q->call->cwd.p, job->cwd);
	if (q->paths.failed)
		return no_memory();
	job->cwd = q->paths.p;
	return DONE;
}

/* Between the first entry in ids/ and the last id printed nothing that a
 * terminal sends may leave it half-done. */
static void
hold_signals(bool hold)
{
	static bool held;
	sigset_t set;

	if (hold == held)
		return;
	held = hold;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static void
add_id(struct enqueue *q, const char *id)
{
	buf_puts(&q->ids, id);
	buf_putc(&q->ids, '\n');
	q->n++;
}

static void
forget_ids(struct enqueue *q)
{
	buf_clear(&q->ids);
	q->n = 0;
}

/* Stages a job and keeps its id, or that of the one that is queued already. */
static int
stage(struct enqueue *q, struct job *job)
{
	int r;

	/* once it is published, there must be room for its id */
	if (!buf_room(&q->ids, JOB_ID_MAX + 1)) {
		q->call->spool.at[0] = '\0';
		errno = ENOMEM;
		return SPOOL_ERROR;
	}
	r = spool_stage(&q->batch, job);
	if (r == SPOOL_OK || r == SPOOL_QUEUED)
		q->again = 0;
	if (r == SPOOL_OK)
		add_id(q, q->batch.name[q->batch.n - 1].id);
	if (r == SPOOL_QUEUED) {
		add_id(q, job->id);
		return SPOOL_OK;
	}
	return r;
}

/* Writes the ids of the batch that is safe. */
static int
print_ids(struct enqueue *q)
{
	char *id = q->ids.p, *end;
	bool good = true;

	if (id)
		fputs(id, stdout);
	for (; q->waiting && id && *id && good; id = end + 1) {
		end = strchr(id, '\n');
		*end = '\0';
		good = waiting_add(q->waiting, id);
	}
	forget_ids(q);
	spool_batch_clear(&q->batch);
	if (fflush(stdout))
		good = false;
	hold_signals(false);
	if (!good && !ferror(stdout))
		return no_memory();
	return good ? DONE : FAILED;
}

static int
complain_stage(const struct spool *sp, int result, const char *id,
    const char *where)
{
	if (result == SPOOL_EXISTS)
		complain("%sid \"%s\" exists already", where, id);
	else if (result == SPOOL_BUSY)
		complain("%sid \"%s\" is in use: it is being enqueued by "
		    "someone else, or a process of its job still runs",
		    where, id);
	else if (result == SPOOL_ALIEN)
		complain("%sid \"%s\" cannot be used: %s", where, id, sp->why);
	else if (result == SPOOL_FULL)
		complain("%s%s: nothing was enqueued: %s", where, sp->path,
		    sp->why);
	else if (errno == EFBIG)
		complain("%sthe job is larger than 16 MiB", where);
	else
		return complain_spool(sp);
	return FAILED;
}

/* The entry in the way may meanwhile have become a job: then a unique one may
 * be staged again, to see which.  If it is none all the same (its job was put
 * aside by hand), the id exists. */
static int
reclaim(struct enqueue *q, const struct job *job)
{
	int r = spool_reclaim(&q->call->spool, job->id);

	return r == SPOOL_EXISTS && job->unique &&
	    q->again++ < AGAIN_MAX ? SPOOL_OK : r;
}

/*
 * All jobs or none: writes them whole, then publishes them.  The entry that
 * someone's crash left in the way is removed and everything done again.
 */
static int
enqueue_all(struct enqueue *q, struct job *jobs, size_t n)
{
	struct spool *sp = &q->call->spool;
	size_t i;
	int r;

	hold_signals(true);
	q->batch.bulk = n > 1;
	for (i = 0; i < n;) {
		r = stage(q, &jobs[i]);
		if (r == SPOOL_OK) {
			i++;
			continue;
		}
		spool_take_back(&q->batch);
		forget_ids(q);
		if (r == SPOOL_LEFTOVER)
			r = reclaim(q, &jobs[i]);
		if (r != SPOOL_OK)
			return complain_stage(sp, r, jobs[i].id, "");
		i = 0;
	}
	if (spool_publish(&q->batch) != SPOOL_OK)
		return complain_spool(sp);
	return print_ids(q);
}

/* "line 3, column 14: …", for a text of several lines or one. */
static int
complain_json(const char *text, const struct json_error *e)
{
	if (!e->line)
		return no_memory();
	complain("not JSON: line %zu, column %zu: %s", e->line, e->column,
	    e->what);
	if (text[strspn(text, " \t\r\n")] != '{' &&
	    text[strspn(text, " \t\r\n")] != '[')
		complain("to enqueue a command with its arguments: queuectl "
		    "enqueue -- CMD [ARG...]");
	return USAGE;
}

static int
read_jobs(struct enqueue *q, const struct json *tree, struct job *jobs,
    size_t n)
{
	const struct json *e = tree->type == JSON_ARRAY ? tree->child : tree;
	const struct json *at;
	struct buf why = { 0 };
	size_t i;
	bool good = true;

	for (i = 0; i < n && good; i++, e = e->next) {
		int64_t now = next_stamp(q);

		good = field_read(&jobs[i], e, now, &why, &at);
		jobs[i].created = now;
	}
	if (!good && tree->type == JSON_ARRAY)
		complain("job %zu of the array (line %zu, column %zu): %s", i,
		    at->line, at->column, why.p ? why.p : "out of memory");
	else if (!good)
		complain("line %zu, column %zu: %s", at->line, at->column,
		    why.p ? why.p : "out of memory");
	buf_free(&why);
	return good ? DONE : USAGE;
}

static int
enqueue_tree(struct enqueue *q, const struct json *tree)
{
	const struct json *e;
	struct job *jobs;
	struct buf *cwds;
	size_t n = 1, i;
	int r;

	if (tree->type != JSON_OBJECT && tree->type != JSON_ARRAY) {
		complain("a job must be an object or an array of objects, "
		    "not %s", json_type_name(tree->type));
		return USAGE;
	}
	if (tree->type == JSON_ARRAY)
		for (n = 0, e = tree->child; e; e = e->next)
			n++;
	jobs = calloc(n + 1, sizeof *jobs);
	cwds = calloc(n + 1, sizeof *cwds);
	r = jobs && cwds ? read_jobs(q, tree, jobs, n) : no_memory();
	for (i = 0; i < n && r == DONE; i++) {
		r = complete(q, &jobs[i]);
		/* each keeps its own absolute path, if it needed one */
		if (r == DONE && jobs[i].cwd == q->paths.p) {
			cwds[i] = q->paths;
			q->paths = (struct buf){ 0 };
		}
	}
	if (r == DONE && n)
		r = enqueue_all(q, jobs, n);
	for (i = 0; i < n; i++) {
		if (jobs)
			job_free(&jobs[i]);
		if (cwds)
			buf_free(&cwds[i]);
	}
	free(jobs);
	free(cwds);
	return r;
}

static int
enqueue_json(struct enqueue *q, const char *text)
{
	struct json_error error;
	struct json *tree = json_parse(text, strlen(text), &error);
	int r;

	if (!tree)
		return complain_json(text, &error);
	r = enqueue_tree(q, tree);
	json_free(tree);
	return r;
}

/* --- enqueue - ---------------------------------------------------------- */

static int
publish_lines(struct enqueue *q, size_t line)
{
	if (!q->n)
		return DONE;
	if (spool_publish(&q->batch) != SPOOL_OK) {
		complain_spool(&q->call->spool);
		forget_ids(q);
		complain("stopped before line %zu; the jobs whose ids were "
		    "printed are enqueued, others are not", line);
		return FAILED;
	}
	return print_ids(q);
}

/* Stages one job; *stop is set when there is no point in going on. */
static int
enqueue_staged(struct enqueue *q, struct job *job, size_t line, bool *stop)
{
	struct spool *sp = &q->call->spool;
	char where[40];
	int r;

	hold_signals(true);
	while ((r = stage(q, job)) == SPOOL_LEFTOVER) {
		/* needs ids/ for itself: those before it first */
		if (publish_lines(q, line) != DONE) {
			*stop = true;
			return FAILED;
		}
		r = reclaim(q, job);
		if (r != SPOOL_OK)
			break;
	}
	if (r == SPOOL_OK)
		return DONE;
	if (!q->n)
		hold_signals(false);
	snprintf(where, sizeof where, "line %zu: ", line);
	complain_stage(sp, r, job->id, where);
	*stop = r == SPOOL_FULL || (r == SPOOL_ERROR && errno != EFBIG);
	return FAILED;
}

static int
enqueue_line(struct enqueue *q, const char *text, size_t len, size_t line,
    bool *stop)
{
	struct json_error error;
	const struct json *at;
	struct json *tree;
	struct buf why = { 0 };
	struct job job;
	int64_t now;
	int r = FAILED;

	if (strspn(text, " \t\r") == len)
		return DONE;
	tree = json_parse(text, len, &error);
	if (!tree) {
		complain("line %zu, column %zu: %s", line, error.column,
		    error.line ? error.what : "out of memory");
		return FAILED;
	}
	now = next_stamp(q);
	if (!field_read(&job, tree, now, &why, &at)) {
		complain("line %zu, column %zu: %s", line, at->column,
		    why.p ? why.p : "out of memory");
	} else {
		job.created = now;
		r = complete(q, &job);
		if (r == DONE)
			r = enqueue_staged(q, &job, line, stop);
		else
			*stop = true;
	}
	job_free(&job);
	json_free(tree);
	buf_free(&why);
	return r;
}

/* Whether more can be read without waiting. */
static bool
more_waits(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* Enqueues the whole lines of `in` and leaves the rest there. */
static int
enqueue_lines(struct enqueue *q, struct buf *in, size_t *line, bool *stop)
{
	size_t at = 0;
	int r = DONE;
	char *end;

	while (!*stop && (end = memchr(in->p + at, '\n', in->n - at))) {
		size_t n = (size_t)(end - in->p) - at;

		*end = '\0';
		++*line;
		if (memchr(in->p + at, '\0', n)) {
			complain("line %zu: a NUL byte", *line);
			r = FAILED;
		} else if (enqueue_line(q, in->p + at, n, *line, stop)) {
			r = FAILED;
		}
		at += n + 1;
		if (q->n >= BATCH_JOBS &&
		    publish_lines(q, *line + 1) != DONE) {
			*stop = true;
			r = FAILED;
		}
	}
	in->n -= at;
	memmove(in->p, in->p + at, in->n + 1);
	return r;
}

/* One JSON object per line, published in batches; a batch ends when no more
 * input waits, so that a slow producer's jobs do not wait either. */
static int
enqueue_stdin(struct enqueue *q)
{
	struct buf in = { 0 };
	bool stop = false, skip = false, end = false;
	size_t line = 0;
	int r = DONE;

	q->batch.bulk = true;
	while (!stop && !end) {
		ssize_t n;

		if (!buf_room(&in, 65536)) {
			r = no_memory();
			break;
		}
		n = read(STDIN_FILENO, in.p + in.n, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			complain("standard input: %s", strerror(errno));
			r = FAILED;
			break;
		}
		q->came = true;
		end = n == 0;
		in.n += (size_t)n;
		if (end && in.n)
			in.p[in.n++] = '\n';
		in.p[in.n] = '\0';
		if (skip) {
			/* the rest of a line that was too long */
			char *nl = memchr(in.p, '\n', in.n);
			size_t gone = nl ? (size_t)(nl - in.p) + 1 : in.n;

			in.n -= gone;
			memmove(in.p, in.p + gone, in.n + 1);
			skip = !nl;
		}
		if (enqueue_lines(q, &in, &line, &stop) != DONE)
			r = FAILED;
		if (!stop && in.n > LINE_LEN_MAX) {
			complain("line %zu: longer than 32 MiB", ++line);
			r = FAILED;
			skip = true;
			in.n = 0;
		}
		if (!stop && (end || !more_waits()) &&
		    publish_lines(q, line + 1) != DONE) {
			stop = true;
			r = FAILED;
		}
	}
	/* what a failure left staged; publish has taken back its own */
	if (q->n && publish_lines(q, line + 1) != DONE)
		r = FAILED;
	buf_free(&in);
	return r;
}

/* --- enqueue -- --------------------------------------------------------- */

/* enqueue_options[] are fields of a job under other names: they take the same
 * way as a JSON object, and the same checks. */
static const struct {
	char key[16];
	enum json_type type;
} option_fields[] = {
	{ "id", JSON_STRING }, { "priority", JSON_NUMBER },
	{ "max_retries", JSON_NUMBER }, { "backoff_base", JSON_NUMBER },
	{ "delay", JSON_NUMBER }, { "run_at", JSON_STRING },
	{ "timeout", JSON_NUMBER }, { "dead_exit", JSON_STRING },
	{ "cwd", JSON_STRING }, { "env", JSON_OBJECT },
	{ "unique", JSON_TRUE }
};

enum { ENV_OPTION = 9, WAIT_OPTION = 11 };

/* The object that the command line stands for, of nodes that the caller
 * frees. */
struct words_tree {
	struct json object, argv, env;
	struct json *node;
	size_t n;
};

static struct json *
add_node(struct words_tree *t, struct json **tail, enum json_type type,
    const char *key, char *text)
{
	struct json *v = &t->node[t->n++];

	*v = (struct json){ .type = type, .text = text, .line = 1,
		.key = (char *)(uintptr_t)key };
	*tail = v;
	return v;
}

/* Cuts NAME=VALUE in two; a name that is none, field_read() will refuse. */
static bool
add_env(struct words_tree *t, struct json ***tail, char *entry)
{
	char *eq = strchr(entry, '=');

	if (!eq) {
		complain("--env must be NAME=VALUE, not %s", entry);
		return false;
	}
	*eq = '\0';
	*tail = &add_node(t, *tail, JSON_STRING, entry, eq + 1)->next;
	return true;
}

static bool
words_to_tree(const struct call *c, struct words_tree *t)
{
	struct json **tail = &t->object.child, **env = &t->env.child;
	struct json **args = &t->argv.child;
	size_t i;
	int k;

	for (i = 0; i < c->ngiven; i++) {
		int o = c->given[i].option;
		char *v = c->given[i].value;

		if (!text_is_utf8(v, strlen(v))) {
			complain("--%s is not UTF-8",
			    enqueue_options[o].name);
			return false;
		}
		if (o == WAIT_OPTION)
			t->n++; /* no field; its node stays unused */
		else if (o != ENV_OPTION)
			tail = &add_node(t, tail, option_fields[o].type,
			    option_fields[o].key, v)->next;
		else if (!add_env(t, &env, v))
			return false;
	}
	for (k = 0; k < c->n; k++) {
		if (!text_is_utf8(c->operand[k], strlen(c->operand[k]))) {
			complain("argument %d of the command is not UTF-8; "
			    "sh -c 'printf ...' can make such bytes", k);
			return false;
		}
		args = &add_node(t, args, JSON_STRING, NULL,
		    c->operand[k])->next;
	}
	t->argv = (struct json){ .type = JSON_ARRAY, .child = t->argv.child,
		.key = (char *)(uintptr_t)"argv" };
	*tail = &t->argv;
	if (t->env.child) {
		t->env = (struct json){ .type = JSON_OBJECT,
			.child = t->env.child,
			.key = (char *)(uintptr_t)"env" };
		t->argv.next = &t->env;
	}
	return true;
}

static int
enqueue_words(struct enqueue *q)
{
	struct call *c = q->call;
	struct words_tree t = { .object = { .type = JSON_OBJECT } };
	const struct json *at;
	struct buf why = { 0 };
	struct job job;
	int64_t now = next_stamp(q);
	int r = USAGE;

	t.node = calloc(c->ngiven + (size_t)c->n + 1, sizeof *t.node);
	if (!t.node)
		return no_memory();
	job_init(&job);
	if (words_to_tree(c, &t)) {
		if (field_read(&job, &t.object, now, &why, &at)) {
			job.created = now;
			r = complete(q, &job);
			if (r == DONE)
				r = enqueue_all(q, &job, 1);
		} else {
			/* the nodes of options come first, as they came */
			const char *o = at >= t.node &&
			    at < t.node + c->ngiven ? enqueue_options[
			    c->given[at - t.node].option].name : NULL;

			complain("%s%s%s%s", o ? "--" : "", o ? o : "",
			    o ? ": " : "", why.p ? why.p : "out of memory");
		}
	}
	job_free(&job);
	free(t.node);
	buf_free(&why);
	return r;
}

static int
enqueue(struct call *c)
{
	struct waiting waiting = { .n = 0 };
	struct enqueue q = { .call = c };
	size_t fields = 0, i;
	int r;

	for (i = 0; i < c->ngiven; i++)
		fields += c->given[i].option != WAIT_OPTION;
	if (c->value[WAIT_OPTION])
		q.waiting = &waiting;
	if (!c->dashes && fields) {
		complain("the options of enqueue go with -- CMD [ARG...]; a "
		    "JSON job has fields for them");
		r = USAGE;
	} else if (c->dashes) {
		r = enqueue_words(&q);
	} else if (c->n != 1) {
		complain("one JSON argument, please (quote it); or queuectl "
		    "enqueue -- CMD [ARG...]");
		r = USAGE;
	} else if (!strcmp(c->operand[0], "-")) {
		r = enqueue_stdin(&q);
	} else {
		r = enqueue_json(&q, c->operand[0]);
	}
	spool_batch_free(&q.batch);
	buf_free(&q.paths);
	buf_free(&q.ids);
	if (waiting.n) {
		int ended = wait_for(&c->spool, &waiting, -1);

		r = r == DONE ? ended : r;
	}
	free(waiting.v);
	return r;
}

/* --- cancel ------------------------------------------------------------- */

/* Says why a job could not be cancelled. */
static int
complain_cancel(const struct spool *sp, int result,
    const struct spool_cancel *x)
{
	if (result == SPOOL_STATE)
		complain("%s: has ended already: it is %s", x->id,
		    job_state_word(x->state));
	else if (result == SPOOL_BAD)
		complain("%s: not cancelled, but moved to the dead letter "
		    "queue: its text is no job: %s", x->id, sp->why);
	else
		return complain_job(sp, result, x->id);
	return FAILED;
}

/* Goes once through those that have not ended.  *left: how many there are. */
static int
cancel_round(struct call *c, struct spool_cancel *x, size_t n, bool patient,
    size_t *left)
{
	int worst = DONE;
	size_t i;

	*left = 0;
	for (i = 0; i < n; i++) {
		int r;

		if (!*x[i].id)
			continue;
		r = spool_cancel(&c->spool, &x[i], now_us());
		if (r == SPOOL_BUSY && (patient || !x[i].held)) {
			++*left;
			continue;
		}
		if (r == SPOOL_OK) {
			puts(x[i].id);
		} else if (r == SPOOL_BUSY) {
			complain("%s: its worker died, and a process of it "
			    "still runs; it is cancelled when that has ended",
			    x[i].id);
			worst = FAILED;
		} else {
			worst = complain_cancel(&c->spool, r, &x[i]);
		}
		*x[i].id = '\0';
	}
	return worst;
}

static int
cancel(struct call *c)
{
	struct spool_cancel *x;
	struct news news;
	int64_t held = monotonic_ms() + HELD_MS;
	size_t n = 0, left;
	int i, r, worst = DONE;

	if (open_spool(c, false) != DONE)
		return FAILED;
	x = calloc((size_t)c->n, sizeof *x);
	if (!x)
		return no_memory();
	for (i = 0; i < c->n; i++) {
		r = spool_resolve(&c->spool, c->operand[i], x[n].id);
		if (r == SPOOL_OK)
			n++;
		else
			worst = complain_job(&c->spool, r, c->operand[i]);
	}
	news_open(&news, &c->spool);
	do {
		r = cancel_round(c, x, n, monotonic_ms() < held, &left);
		if (r != DONE)
			worst = r;
		if (fflush(stdout))
			break;
		if (left)
			news_wait(&news, HELD_MS / 2);
		news_skip(&news);
	} while (left);
	news_close(&news);
	free(x);
	return worst;
}

/* --- status ------------------------------------------------------------- */

struct overview {
	size_t count[JOB_STATES];
	size_t strange[JOB_STATES];
	char example[JOB_STATES][256];
	struct crew crew;
	int64_t oldest;         /* stamp of the first that is pending and ready;
	                         * INT64_MAX: none */
	struct job_name next;   /* the earliest that is due later */
	bool any_next;
	struct listing running;
};

static int
overlook_state(struct spool *sp, struct overview *o, enum job_state state)
{
	struct job_name name;
	struct spool_iter it;
	int64_t now = -1; /* asked for when it is needed */
	int r;

	o->count[state] = 0;
	if (spool_iter_open(sp, &it, state) != SPOOL_OK)
		return complain_spool(sp);
	while ((r = spool_iter_next(&it, &name)) > 0) {
		o->count[state]++;
		if (now < 0 && state == JOB_PENDING)
			now = now_us();
		if (state == JOB_PENDING && is_ready(&name, now) &&
		    name.stamp < o->oldest)
			o->oldest = name.stamp;
		if ((state == JOB_PENDING || state == JOB_FAILED) &&
		    name.timed &&
		    (!o->any_next || name.stamp < o->next.stamp)) {
			o->next = name;
			o->any_next = true;
		}
		if (state == JOB_PROCESSING &&
		    !listing_add(&o->running, state, &name)) {
			spool_iter_close(&it);
			return no_memory();
		}
	}
	o->strange[state] = it.strange;
	strcpy(o->example[state], it.example);
	spool_iter_close(&it);
	return r < 0 ? complain_spool(sp) : DONE;
}

/* Counts.  A job that moves in between can be counted twice or not at all, so
 * it is done again, a few times, where there are not many. */
static int
overlook(struct spool *sp, struct overview *o)
{
	uint64_t before;
	size_t n;
	int i, r, pass;

	for (pass = 0; pass < 5; pass++) {
		before = spool_version(sp);
		o->running.n = 0;
		o->any_next = false;
		o->oldest = INT64_MAX;
		for (i = 0, n = 0; i < JOB_STATES; i++) {
			r = overlook_state(sp, o, (enum job_state)i);
			if (r != DONE)
				return r;
			n += o->count[i];
		}
		if (n > COUNT_AGAIN || spool_version(sp) == before)
			break;
	}
	o->crew = (struct crew){ 0, 0 };
	return spool_slots(sp, false, see_worker, &o->crew) == SPOOL_OK ? DONE :
	    complain_spool(sp);
}

/* The jobs in processing/ that no living worker runs. */
static void
print_held(struct spool *sp, const struct overview *o)
{
	size_t i;

	for (i = 0; i < o->running.n; i++) {
		const struct job_name *name = &o->running.v[i].name;
		struct runner runner = { .name = name };

		spool_slots(sp, false, find_runner, &runner);
		if (runner.slot.pid)
			continue;
		if (spool_locked(sp, JOB_PROCESSING, name))
			printf("note        %s: its worker died, and a "
			    "process of it still runs\n", name->id);
		else if (spool_there(sp, JOB_PROCESSING, name))
			printf("note        %s: its worker died; the next "
			    "worker recovers it\n", name->id);
	}
}

static void
add_count(struct buf *b, const char *what, size_t n)
{
	buf_puts(b, what);
	buf_add(b, "            ", 12 - strlen(what));
	buf_number(b, (int64_t)n);
	buf_putc(b, '\n');
}

static void
print_status(struct spool *sp, const struct overview *o)
{
	char time[JOB_TIME_LEN + 1];
	char room[256];
	struct buf b;
	int i;

	/* without printf, which took a twentieth of this program's time */
	buf_on(&b, room, sizeof room);
	buf_puts(&b, "spool       ");
	job_escape(&b, sp->path, 0);
	buf_putc(&b, '\n');
	for (i = 0; i < JOB_STATES; i++)
		add_count(&b, job_state_word((enum job_state)i), o->count[i]);
	add_count(&b, "workers", o->crew.workers);
	fputs(b.p, stdout);
	buf_clear(&b);
	if (sp->config.paused)
		puts("paused      yes; queuectl resume goes on");
	if (o->any_next) {
		short_time(time, o->next.stamp);
		span_words(&b, o->next.stamp - now_us());
		printf("next due    %s in %s (%s)\n", o->next.id,
		    b.p ? b.p : "", time);
	}
	print_held(sp, o);
	for (i = 0; i < JOB_STATES; i++) {
		if (!o->strange[i])
			continue;
		buf_clear(&b);
		job_escape(&b, o->example[i], 80);
		printf("note        %s/ holds %zu file%s that %s no job%s: "
		    "%s%s\n", job_state_dir((enum job_state)i), o->strange[i],
		    o->strange[i] == 1 ? "" : "s",
		    o->strange[i] == 1 ? "is" : "are",
		    o->strange[i] == 1 ? "" : "s", b.p ? b.p : "",
		    o->strange[i] == 1 ? "" : ", …");
	}
	buf_free(&b);
}

static int
print_status_json(struct spool *sp, const struct overview *o)
{
	char time[JOB_TIME_LEN + 1];
	struct buf b = { 0 };
	size_t strange = 0;
	int i, r = DONE;

	buf_puts(&b, "{\"spool\":");
	json_quote(&b, sp->path);
	for (i = 0; i < JOB_STATES; i++) {
		buf_printf(&b, ",\"%s\":%zu",
		    job_state_word((enum job_state)i), o->count[i]);
		strange += o->strange[i];
	}
	buf_printf(&b, ",\"workers\":%zu,\"paused\":%s", o->crew.workers,
	    sp->config.paused ? "true" : "false");
	if (o->any_next) {
		job_time_format(time, o->next.stamp);
		buf_printf(&b, ",\"next_due_at\":\"%s\"", time);
	}
	if (strange)
		buf_printf(&b, ",\"not_jobs\":%zu", strange);
	buf_putc(&b, '}');
	if (b.failed)
		r = no_memory();
	else
		puts(b.p);
	buf_free(&b);
	return r;
}

/* A metric's head, in the text format of Prometheus, 0.0.4. */
static void
put_metric(const char *name, const char *type, const char *help)
{
	printf("# HELP queuectl_%s %s\n# TYPE queuectl_%s %s\n", name, help,
	    name, type);
}

static void
print_tally(const struct spool_tally *t)
{
	struct buf b = { 0 };
	uint64_t n = 0;
	int i;

	put_metric("attempts_total", "counter", "Attempts, by outcome.");
	for (i = 0; i < TALLY_OUTCOMES; i++)
		printf("queuectl_attempts_total{outcome=\"%s\"} %llu\n",
		    i ? job_outcome_word((enum job_outcome)(i - 1)) :
		    "success", (unsigned long long)t->outcome[i]);
	put_metric("attempt_duration_seconds", "histogram",
	    "How long attempts took.");
	for (i = 0; i < TALLY_BUCKETS; i++) {
		n += t->took[i];
		buf_clear(&b);
		if (i < TALLY_BUCKETS - 1)
			job_seconds_format(&b, spool_tally_bounds[i]);
		printf("queuectl_attempt_duration_seconds_bucket{le=\"%s\"} "
		    "%llu\n", i < TALLY_BUCKETS - 1 && b.p ? b.p : "+Inf",
		    (unsigned long long)n);
	}
	printf("queuectl_attempt_duration_seconds_sum %llu.%06llu\n"
	    "queuectl_attempt_duration_seconds_count %llu\n",
	    (unsigned long long)t->seconds / SECOND,
	    (unsigned long long)t->seconds % SECOND, (unsigned long long)n);
	buf_free(&b);
}

static int
print_prometheus(struct spool *sp, const struct overview *o)
{
	int64_t age = o->oldest < INT64_MAX ? now_us() - o->oldest : 0;
	struct spool_tally t;
	int i;

	if (spool_tally_sum(sp, &t) != SPOOL_OK)
		return complain_spool(sp);
	put_metric("jobs", "gauge", "Jobs in the spool, by state.");
	for (i = 0; i < JOB_STATES; i++)
		printf("queuectl_jobs{state=\"%s\"} %zu\n",
		    job_state_word((enum job_state)i), o->count[i]);
	put_metric("oldest_pending_seconds", "gauge", "For how long the oldest "
	    "pending job could have run; 0: none is ready.");
	printf("queuectl_oldest_pending_seconds %lld.%06lld\n",
	    (long long)(age > 0 ? age / SECOND : 0),
	    (long long)(age > 0 ? age % SECOND : 0));
	put_metric("workers", "gauge", "Worker processes.");
	printf("queuectl_workers{state=\"busy\"} %zu\n"
	    "queuectl_workers{state=\"idle\"} %zu\n", o->crew.busy,
	    o->crew.workers - o->crew.busy);
	put_metric("paused", "gauge", "1: workers begin no job.");
	printf("queuectl_paused %d\n", sp->config.paused);
	print_tally(&t);
	return DONE;
}

static const struct option_def json_options[] = {
	{ "json", 0, NULL, "as JSON" },
	{ NULL, 0, NULL, NULL }
};

enum { S_JSON, S_PROMETHEUS };

static const struct option_def status_options[] = {
	{ "json", 0, NULL, "as JSON" },
	{ "prometheus", 0, NULL, "as metrics, for the node exporter's textfile "
	    "collector" },
	{ NULL, 0, NULL, NULL }
};

static int
status(struct call *c)
{
	struct overview o = { .oldest = INT64_MAX };
	int r;

	if (c->value[S_JSON] && c->value[S_PROMETHEUS]) {
		complain("--json and --prometheus do not go together");
		return USAGE;
	}
	if (open_spool(c, false) != DONE)
		return FAILED;
	r = overlook(&c->spool, &o);
	if (r == DONE && c->value[S_JSON])
		r = print_status_json(&c->spool, &o);
	else if (r == DONE && c->value[S_PROMETHEUS])
		r = print_prometheus(&c->spool, &o);
	else if (r == DONE)
		print_status(&c->spool, &o);
	free(o.running.v);
	return r;
}

/* --- worker ------------------------------------------------------------- */

enum { W_COUNT, W_DAEMON, W_DRAIN };

static const struct option_def start_options[] = {
	{ "count", 'c', "N", "that many workers; default 1" },
	{ "daemon", 'd', NULL, "detach and write to worker.log" },
	{ "drain", 0, NULL, "end when no job is pending, processing or "
	    "failed" },
	{ NULL, 0, NULL, NULL }
};

static int
worker_start(struct call *c)
{
	struct worker_options o = {
		.count = 1, .daemon = c->value[W_DAEMON],
		.drain = c->value[W_DRAIN], .umask = c->umask
	};
	int64_t n = 1;

	if (c->value[W_COUNT] && !job_number_parse(c->value[W_COUNT], 1,
	    WORKER_COUNT_MAX, &n)) {
		complain("--count must be a whole number from 1 to %d, not %s",
		    WORKER_COUNT_MAX, c->value[W_COUNT]);
		return USAGE;
	}
	o.count = (int)n;
	if (open_spool(c, true) != DONE)
		return FAILED;
	return worker_pool(&c->spool, &o) < 0 ? FAILED : DONE;
}

static const struct option_def stop_options[] = {
	{ "now", 0, NULL, "end the current jobs and requeue them" },
	{ NULL, 0, NULL, NULL }
};

static int
worker_stop(struct call *c)
{
	size_t pools;

	if (open_spool(c, false) != DONE)
		return FAILED;
	if (spool_pools_stop(&c->spool, c->value[0], &pools) != SPOOL_OK)
		return complain_spool(&c->spool);
	if (pools)
		complain("stopped %zu pool%s", pools, pools == 1 ? "" : "s");
	else
		complain("no worker is running");
	return DONE;
}

static void
print_worker(void *arg, const char *pool, long pid, const struct spool_slot *s)
{
	char since[JOB_TIME_LEN + 1], start[JOB_TIME_LEN + 1];

	(void)arg;
	(void)pid;
	short_time(since, s->since);
	if (s->job[0]) {
		short_time(start, s->start);
		printf("%-20s  %6d  %8ld  %-20s  %s since %s\n", pool,
		    s->number, s->pid, since, s->job, start);
	} else {
		printf("%-20s  %6d  %8ld  %-20s  -\n", pool, s->number,
		    s->pid, since);
	}
}

static int
worker_list(struct call *c)
{
	if (open_spool(c, false) != DONE)
		return FAILED;
	printf("%-20s  %6s  %8s  %-20s  %s\n", "POOL", "WORKER", "PID",
	    "SINCE", "JOB");
	if (spool_slots(&c->spool, false, print_worker, NULL) != SPOOL_OK)
		return complain_spool(&c->spool);
	return DONE;
}

/* --- dlq ---------------------------------------------------------------- */

static int
dlq_list(struct call *c)
{
	struct listing l = { 0 };
	size_t ids, width, i;
	int r, worst = DONE;

	if (open_spool(c, false) != DONE)
		return FAILED;
	r = collect(&c->spool, &l, JOB_DEAD);
	ids = id_width(&l, l.n);
	width = terminal_width(STDOUT_FILENO);
	if (r == DONE && !c->value[0])
		printf("%-*s  %8s  %-20s  %-24s  %s\n", (int)ids, "ID",
		    "ATTEMPTS", "DIED", "REASON", "COMMAND");
	for (i = 0; i < l.n && r == DONE && !ferror(stdout); i++) {
		struct buf title = { 0 }, reason = { 0 }, cut = { 0 };
		char died[JOB_TIME_LEN + 1];
		struct field_view v;
		struct job job;

		int s = view_job(&c->spool, JOB_DEAD, &l.v[i].name, &job, &v);

		if (s == SPOOL_ERROR)
			worst = complain_spool(&c->spool);
		if (s != SPOOL_OK)
			continue;
		if (c->value[0]) {
			r = print_json(&v);
			job_free(&job);
			continue;
		}
		title_words(&title, &v);
		short_time(died, v.name->stamp);
		if (v.bad)
			buf_puts(&reason, "damaged");
		else if (job.nattempt)
			job_outcome_words(&reason,
			    &job.attempt[job.nattempt - 1]);
		else
			buf_puts(&reason, "-");
		job_escape(&cut, reason.p ? reason.p : "", width ? 24 : 0);
		put_last(title.p ? title.p : "", "", width, (size_t)printf(
		    "%-*s  %8u  %-20s  %-24s  ", (int)ids, v.name->id,
		    v.name->attempt, died, cut.p ? cut.p : ""));
		buf_free(&title);
		buf_free(&reason);
		buf_free(&cut);
		job_free(&job);
	}
	free(l.v);
	return r == DONE ? worst : r;
}

static const struct option_def all_options[] = {
	{ "all", 0, NULL, "every job of the dead letter queue" },
	{ NULL, 0, NULL, NULL }
};

/* One step of dlq retry or dlq purge. */
static int
retry_one(struct spool *sp, const char *id)
{
	return spool_retry(sp, id, now_us());
}

static int
purge_one(struct spool *sp, const char *id)
{
	return spool_purge(sp, JOB_DEAD, id);
}

static int
complain_not_dead(struct spool *sp, const char *id)
{
	enum job_state state;
	struct job_name name;

	if (spool_find(sp, id, &state, &name) == SPOOL_OK)
		complain("%s: not in the dead letter queue: it is %s", id,
		    job_state_word(state));
	else
		complain("%s: not in the dead letter queue", id);
	return FAILED;
}

static int
dlq_do(struct call *c, int (*step)(struct spool *, const char *))
{
	struct spool *sp = &c->spool;
	struct listing l = { 0 };
	char id[JOB_ID_MAX + 1];
	size_t i;
	int r, worst = DONE;

	if ((c->value[0] != NULL) == (c->n == 1)) {
		complain("name one job, or --all");
		return USAGE;
	}
	if (open_spool(c, false) != DONE)
		return FAILED;
	if (c->n == 1) {
		r = spool_resolve(sp, c->operand[0], id);
		if (r == SPOOL_OK)
			r = step(sp, id);
		if (r == SPOOL_STATE)
			return complain_not_dead(sp, id);
		if (r != SPOOL_OK)
			return complain_job(sp, r, c->operand[0]);
		puts(id);
		return DONE;
	}
	r = collect(sp, &l, JOB_DEAD);
	for (i = 0; i < l.n && r == DONE; i++) {
		int s = step(sp, l.v[i].name.id);

		if (s == SPOOL_OK)
			puts(l.v[i].name.id);
		else if (s != SPOOL_GONE && s != SPOOL_STATE)
			worst = complain_job(sp, s, l.v[i].name.id);
	}
	free(l.v);
	return r == DONE ? worst : r;
}

static int
dlq_retry(struct call *c)
{
	return dlq_do(c, retry_one);
}

static int
dlq_purge(struct call *c)
{
	return dlq_do(c, purge_one);
}

/* --- purge -------------------------------------------------------------- */

enum { P_STATE, P_OLDER, P_DRY };

static const struct option_def purge_options[] = {
	{ "state", 's', "STATE", "completed or dead jobs; default: completed" },
	{ "older-than", 0, "D", "those that ended D ago: 90 (seconds), 15m, "
	    "12h, 7d" },
	{ "dry-run", 'n', NULL, "print their ids only" },
	{ NULL, 0, NULL, NULL }
};

/* Removes the jobs of a state that ended before `before`, and the oldest of
 * those beyond `most` (0: any number). */
static int
purge_state(struct call *c, enum job_state state, int64_t before, int most)
{
	struct spool *sp = &c->spool;
	struct listing l = { 0 };
	size_t i, keep = most ? (size_t)most : SIZE_MAX;
	int r = collect(sp, &l, state), worst = DONE;

	/* they are in the order in which they ended */
	for (i = 0; i < l.n && r == DONE && !ferror(stdout); i++) {
		const char *id = l.v[i].name.id;
		int s = SPOOL_OK;

		if (l.v[i].name.stamp >= before && l.n - i <= keep)
			break;
		if (!c->value[P_DRY])
			s = spool_purge(sp, state, id);
		if (s == SPOOL_OK)
			puts(id);
		else if (s != SPOOL_GONE && s != SPOOL_STATE)
			worst = complain_job(sp, s, id);
	}
	free(l.v);
	return r == DONE ? worst : r;
}

static int64_t
older_than(int64_t span)
{
	return span < 0 ? INT64_MIN : now_us() - span;
}

static int
purge(struct call *c)
{
	enum job_state state = JOB_DONE;
	int64_t span = 0;
	int r, s;

	if (c->value[P_STATE] && parse_state(c->value[P_STATE], &state) !=
	    DONE)
		return USAGE;
	if (!ends((int)state)) {
		complain("only completed and dead jobs are purged; queuectl "
		    "cancel ends others");
		return USAGE;
	}
	if (c->value[P_OLDER] && !config_span_parse(c->value[P_OLDER],
	    &span)) {
		complain("--older-than must be a time such as 90 (seconds), "
		    "15m, 12h or 7d, not %s", c->value[P_OLDER]);
		return USAGE;
	}
	if (open_spool(c, false) != DONE)
		return FAILED;
	if (c->value[P_STATE] || c->value[P_OLDER])
		return purge_state(c, state, older_than(span), 0);
	/* what workers do when they idle */
	r = purge_state(c, JOB_DONE, older_than(c->spool.config.keep_done),
	    c->spool.config.keep_max);
	s = purge_state(c, JOB_DEAD, older_than(c->spool.config.keep_dead),
	    c->spool.config.keep_max);
	return r == DONE ? s : r;
}

/* --- config ------------------------------------------------------------- */

static const struct config_key *
find_key(const char *word)
{
	const struct config_key *k = config_key(word);

	if (k)
		return k;
	complain("no such key: %s; the keys are:", word);
	for (k = config_keys; k->name; k++)
		fprintf(stderr, "  %-14s %s\n", k->name, k->help);
	return NULL;
}

static int
config_write(struct call *c, const char *value)
{
	const struct config_key *k = find_key(c->operand[0]);
	struct config scratch = { .timeout = 0 };

	if (!k)
		return USAGE;
	if (value && !config_apply(&scratch, k, value)) {
		complain("%s must be %s, not %s", k->name, k->range, value);
		return USAGE;
	}
	if (open_spool(c, value != NULL) != DONE)
		return FAILED;
	if (spool_config_set(&c->spool, k, value) != SPOOL_OK)
		return complain_spool(&c->spool);
	return DONE;
}

static int
config_set(struct call *c)
{
	return config_write(c, c->operand[1]);
}

static int
config_unset(struct call *c)
{
	return config_write(c, NULL);
}

static int
set_paused(struct call *c, const char *value)
{
	if (open_spool(c, false) != DONE)
		return FAILED;
	if (spool_config_set(&c->spool, config_key("paused"), value) !=
	    SPOOL_OK)
		return complain_spool(&c->spool);
	return DONE;
}

/* A setting, so that it survives whatever comes. */
static int
pause_queue(struct call *c)
{
	return set_paused(c, "yes");
}

static int
resume_queue(struct call *c)
{
	return set_paused(c, NULL);
}

static int
config_get(struct call *c)
{
	const struct config_key *k, *one = NULL;
	struct buf b = { 0 };
	int r = DONE;

	if (c->n && !(one = find_key(c->operand[0])))
		return USAGE;
	if (open_spool(c, false) != DONE)
		return FAILED;
	if (c->value[0])
		buf_putc(&b, '{');
	for (k = config_keys; k->name; k++) {
		if (one && one != k)
			continue;
		if (c->value[0])
			buf_printf(&b, "%s\"%s\":", b.n > 1 ? "," : "",
			    k->name);
		else if (!one)
			buf_printf(&b, "%s = ", k->name);
		if (c->value[0] && k->kind >= CONFIG_WORD)
			buf_putc(&b, '"');
		config_value(&c->spool.config, k, &b);
		if (c->value[0] && k->kind >= CONFIG_WORD)
			buf_putc(&b, '"');
		if (!c->value[0])
			buf_putc(&b, '\n');
	}
	if (c->value[0])
		buf_puts(&b, "}\n");
	if (b.failed)
		r = no_memory();
	else
		fputs(b.p, stdout);
	buf_free(&b);
	return r;
}

/* --- fsck --------------------------------------------------------------- */

enum { F_REPAIR, F_JSON };

static const struct option_def fsck_options[] = {
	{ "repair", 0, NULL, "mend it, where no job is removed by that" },
	{ "json", 0, NULL, "one JSON object per line" },
	{ NULL, 0, NULL, NULL }
};

static void
print_problem(void *arg, const struct spool_problem *p)
{
	const struct call *c = arg;
	struct buf b = { 0 };

	if (c->value[F_JSON]) {
		buf_puts(&b, "{\"path\":");
		json_quote(&b, p->path);
		buf_puts(&b, ",\"problem\":");
		json_quote(&b, p->what);
		if (p->repair) {
			buf_puts(&b, ",\"repair\":");
			json_quote(&b, p->repair);
		}
		buf_printf(&b, ",\"repaired\":%s}",
		    p->repaired ? "true" : "false");
	} else {
		job_escape(&b, p->path, 0);
		buf_printf(&b, ": %s; %s%s", p->what, p->repaired ?
		    "repaired: " : p->repair ? "would " : "look at it "
		    "yourself", p->repair ? p->repair : "");
	}
	puts(b.p ? b.p : p->path);
	buf_free(&b);
}

static int
fsck(struct call *c)
{
	size_t left;

	if (open_spool(c, false) != DONE)
		return FAILED;
	if (spool_fsck(&c->spool, c->value[F_REPAIR], now_us(), print_problem,
	    c, &left) != SPOOL_OK)
		return complain_spool(&c->spool);
	return left ? FAILED : DONE;
}

/* --- the command table -------------------------------------------------- */

static int help(struct call *);

static const struct command commands[] = {
	{ "enqueue", "JSON | [OPTION...] -- CMD [ARG...] | -",
	  "add jobs; print their ids when they are safe",
	  "JSON is an object or an array of objects with \"command\" (a line "
	  "for\n/bin/sh) or \"argv\" (an array, run without a shell), and "
	  "optionally\nid, max_retries, backoff_base, backoff_max, priority, "
	  "delay, run_at,\ntimeout, cwd, env, stdin.  With - one object per "
	  "line is read from\nstandard input; bad lines are named and "
	  "skipped.  The options go\nwith -- CMD.\n",
	  enqueue_options, 0, -1, enqueue },
	{ "list", "[--state STATE] [--limit N] [--json]",
	  "show the jobs", NULL, list_options, 0, 0, list },
	{ "show", "ID [--json]", "show one job with its attempts",
	  "ID is the id of a job, or the beginning of just one.\n",
	  show_options, 1, 1, show },
	{ "logs", "[-f | --attempt N] ID", "print what a job wrote",
	  "stdout and stderr of all attempts, byte for byte.\n",
	  logs_options, 1, 1, logs },
	{ "cancel", "ID...", "end jobs for good, running or not",
	  "A job that runs is ended as by its timeout.  All go to the dead "
	  "letter queue,\nas cancelled.  Prints their ids.\n",
	  NULL, 1, -1, cancel },
	{ "wait", "[--timeout S] ID... | --all", "return when jobs have ended",
	  "The exit status is that of the job (128 + n where signal n killed "
	  "it), or of\nseveral jobs 0 if all have succeeded, else 1; 124 after "
	  "the timeout.\n", wait_options, 0, -1, wait_jobs },
	{ "status", "[--json | --prometheus]",
	  "count jobs by state, and workers", NULL, status_options, 0, 0,
	  status },
	{ "worker start", "[--count N] [--daemon] [--drain]",
	  "run jobs, in the foreground",
	  "SIGTERM or SIGINT finishes the current jobs and ends; a second one "
	  "ends\nthe jobs, too, and requeues them.\n",
	  start_options, 0, 0, worker_start },
	{ "worker stop", "[--now]", "end all workers, and wait until they have",
	  "Their current jobs are finished first.\n",
	  stop_options, 0, 0, worker_stop },
	{ "worker list", "", "show the workers and what they run",
	  NULL, NULL, 0, 0, worker_list },
	{ "pause", "", "let workers begin no further job",
	  "Those that run go on.  It stays so until queuectl resume.\n",
	  NULL, 0, 0, pause_queue },
	{ "resume", "", "let workers go on after pause", NULL, NULL, 0, 0,
	  resume_queue },
	{ "dlq list", "[--json]", "show the dead letter queue",
	  NULL, json_options, 0, 0, dlq_list },
	{ "dlq retry", "ID | --all", "give dead jobs another chance",
	  "Attempts are counted from 0 again.  Prints the ids.\n",
	  all_options, 0, 1, dlq_retry },
	{ "dlq purge", "ID | --all", "remove dead jobs and their logs",
	  "Prints the ids.\n", all_options, 0, 1, dlq_purge },
	{ "purge", "[--state STATE] [--older-than D] [--dry-run]",
	  "remove jobs that have ended, with their logs",
	  "Without --state and --older-than those that the settings keep-done, "
	  "keep-dead\nand keep-max say may go, as idle workers do.  Prints "
	  "the ids.\n", purge_options, 0, 0, purge },
	{ "config set", "KEY VALUE", "change a setting",
	  "Running workers follow.  queuectl config get lists the keys.\n",
	  NULL, 2, 2, config_set },
	{ "config get", "[KEY] [--json]", "show the settings in force",
	  NULL, json_options, 0, 1, config_get },
	{ "config unset", "KEY", "go back to the default",
	  NULL, NULL, 1, 1, config_unset },
	{ "fsck", "[--repair] [--json]", "look for what is amiss in the spool",
	  "Safe while workers run.  A line for each, with what would mend it;"
	  " exit\nstatus 0 only if there is nothing left.  No repair removes a"
	  " job.\n", fsck_options, 0, 0, fsck },
	{ "help", "[COMMAND]", "explain a command", NULL, NULL, 0, 2, help },
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

/* The commands that begin with that word, or with "" all. */
static void
print_group(FILE *f, const char *first)
{
	size_t len = strlen(first);
	int i;

	for (i = 0; i < COMMANDS; i++)
		if (!len || (!strncmp(commands[i].words, first, len) &&
		    commands[i].words[len] == ' '))
			fprintf(f, "  %-13s %s\n", commands[i].words,
			    commands[i].line);
}

static void
print_commands(FILE *f)
{
	fputs("usage: queuectl [--spool DIR] COMMAND ...\n\n", f);
	print_group(f, "");
	fputs("\nqueuectl help COMMAND explains one; queuectl --version "
	    "names the version.\nThe spool is DIR, else $QUEUECTL_SPOOL, "
	    "else /var/spool/queuectl for root and\n"
	    "~/.local/state/queuectl for others.\n", f);
}

static void
print_help(const struct command *c)
{
	const struct option_def *o;

	printf("usage: queuectl [--spool DIR] %s%s%s\n\n%s\n", c->words,
	    *c->args ? " " : "", c->args, c->line);
	if (c->text)
		printf("\n%s", c->text);
	if (!strncmp(c->words, "config", 6)) {
		const struct config_key *k;

		puts("\nkeys:");
		for (k = config_keys; k->name; k++)
			printf("  %-14s %s\n  %-14s (%s; default %s)\n",
			    k->name, k->help, "", k->range,
			    *k->value ? k->value : "none");
	}
	if (!c->options)
		return;
	puts("\noptions:");
	for (o = c->options; o->name; o++) {
		char words[64];

		snprintf(words, sizeof words, "%s%c%s--%s%s%s",
		    o->letter ? "-" : "", o->letter ? o->letter : ' ',
		    o->letter ? ", " : "   ", o->name, o->arg ? " " : "",
		    o->arg ? o->arg : "");
		printf("  %-27s %s\n", words, o->help);
	}
}

/* Whether `first` is the first of two words, as in "worker start". */
static bool
is_group(const char *first)
{
	size_t len = strlen(first);
	int i;

	for (i = 0; i < COMMANDS; i++)
		if (!strncmp(commands[i].words, first, len) &&
		    commands[i].words[len] == ' ')
			return true;
	return false;
}

static bool
is_called(const struct command *c, char *const *words, int used)
{
	size_t len = strlen(words[0]);
	const char *rest = c->words + len;

	if (strncmp(c->words, words[0], len) != 0)
		return false;
	return used == 1 ? !*rest : *rest == ' ' && !strcmp(rest + 1, words[1]);
}

/*
 * Finds the command that words[0…n-1] begin with; *used is how many of them it
 * takes.  NULL: none, and it was said which there are.
 */
static const struct command *
find_command(char *const *words, int n, int *used)
{
	const char *names[COMMANDS], *nearest;
	char first[COMMANDS][16];
	int i;

	*used = n > 1 && is_group(words[0]) ? 2 : 1;
	for (i = 0; i < COMMANDS; i++)
		if (is_called(&commands[i], words, *used))
			return &commands[i];
	if (is_group(words[0])) {
		if (*used == 2)
			complain("no such command: %s %s; there are:",
			    words[0], words[1]);
		else
			complain("%s what?  There are:", words[0]);
		print_group(stderr, words[0]);
		return NULL;
	}
	for (i = 0; i < COMMANDS; i++) {
		snprintf(first[i], sizeof first[i], "%.*s",
		    (int)strcspn(commands[i].words, " "), commands[i].words);
		names[i] = first[i];
	}
	nearest = text_nearest(words[0], names, COMMANDS);
	complain("no such command: %s%s%s%s", words[0],
	    nearest ? "; did you mean " : "", nearest ? nearest : "",
	    nearest ? "?" : "");
	print_group(stderr, "");
	return NULL;
}

static int
help(struct call *c)
{
	const struct command *command;
	int used;

	if (!c->n) {
		print_commands(stdout);
		return DONE;
	}
	if (c->n == 1 && is_group(c->operand[0])) {
		print_group(stdout, c->operand[0]);
		return DONE;
	}
	command = find_command(c->operand, c->n, &used);
	if (!command)
		return USAGE;
	print_help(command);
	return DONE;
}

/* --- options ------------------------------------------------------------ */

/* Says what is wrong with an option, and which there are. */
static int
complain_option(const struct command *command, const char *word,
    const char *what)
{
	const struct option_def *o = command->options;

	complain("%s: %s", word, what);
	fprintf(stderr, "usage: queuectl [--spool DIR] %s%s%s\n",
	    command->words, *command->args ? " " : "", command->args);
	for (; o && o->name; o++)
		fprintf(stderr, "  %s%c%s--%s%s%s  %s\n",
		    o->letter ? "-" : " ", o->letter ? o->letter : ' ',
		    o->letter ? ", " : "  ", o->name, o->arg ? " " : "",
		    o->arg ? o->arg : "", o->help);
	return USAGE;
}

/* Whether `word` is the option, and where its value is ("": the next word). */
static bool
option_is(const struct option_def *o, char *word, char **value)
{
	size_t len = strlen(o->name);

	*value = NULL;
	if (word[1] == '-') {
		if (strncmp(word + 2, o->name, len))
			return false;
		if (word[2 + len] == '=')
			*value = word + 3 + len;
		return word[2 + len] == '\0' || word[2 + len] == '=';
	}
	if (!o->letter || word[1] != o->letter)
		return false;
	if (word[2])
		*value = word + 2;
	return true;
}

static const struct option_def spool_option = { "spool", 0, "DIR", "" };

static int
set_spool(struct call *c, const char *value)
{
	if (!value || !*value) {
		complain("--spool needs a directory");
		return USAGE;
	}
	c->spool_path = value;
	return DONE;
}

static bool
is_help(const char *word)
{
	return !strcmp(word, "--help") || !strcmp(word, "-h");
}

/* Takes one option at words[*at], which begins with '-'. */
static int
take_option(struct call *c, char **words, int n, int *at)
{
	const struct option_def *o = c->command->options;
	char *word = words[*at], *value;
	bool is_spool = option_is(&spool_option, word, &value);
	int i;

	for (i = 0; !is_spool && o && o[i].name; i++)
		if (option_is(&o[i], word, &value))
			break;
	if (!is_spool && (!o || !o[i].name))
		return complain_option(c->command, word,
		    o ? "no such option; there are:" :
		    "no such option; the command has none");
	if (!is_spool && !o[i].arg) {
		if (value)
			return complain_option(c->command, word,
			    "the option takes no value");
		value = word + strlen(word);
	} else if (!value) {
		if (*at + 1 >= n)
			return complain_option(c->command, word,
			    "the option needs a value");
		value = words[++*at];
	}
	if (is_spool)
		return set_spool(c, value);
	/* there are at most as many as words; few commands have any */
	if (!c->given && !(c->given = calloc((size_t)n, sizeof *c->given)))
		return no_memory();
	c->value[i] = value;
	c->given[c->ngiven++] = (struct given){ i, value };
	return DONE;
}

/* Sorts the words behind the command into options and operands; these move up
 * to the front of `words`. */
static int
take_words(struct call *c, char **words, int n)
{
	int i, r;

	c->operand = words;
	for (i = 0; i < n; i++) {
		if (!c->dashes && !strcmp(words[i], "--")) {
			c->dashes = true;
		} else if (c->dashes || words[i][0] != '-' || !words[i][1] ||
		    (words[i][1] >= '0' && words[i][1] <= '9')) {
			/* "-" and "-1" are no options, but bad numbers */
			c->operand[c->n++] = words[i];
		} else if (is_help(words[i])) {
			print_help(c->command);
			c->command = NULL;
			return DONE;
		} else if ((r = take_option(c, words, n, &i)) != DONE) {
			return r;
		}
	}
	if (c->n < c->command->least ||
	    (c->command->most >= 0 && c->n > c->command->most)) {
		complain("%s takes %s argument%s", c->command->words,
		    c->n < c->command->least ? "one more" : "fewer",
		    c->n < c->command->least ? "" : "s");
		fprintf(stderr, "usage: queuectl [--spool DIR] %s %s\n",
		    c->command->words, c->command->args);
		return USAGE;
	}
	return DONE;
}

static int
run(struct call *c, char **words, int n)
{
	int used, r;

	if (n > 1 && is_group(words[0]) && is_help(words[1])) {
		print_group(stdout, words[0]);
		return DONE;
	}
	c->command = find_command(words, n, &used);
	if (!c->command)
		return USAGE;
	r = take_words(c, words + used, n - used);
	if (r == DONE && c->command)
		r = c->command->run(c);
	return r;
}

/* stdin, stdout and stderr are there, if only as something that cannot be
 * written: no file of ours may get their numbers. */
static void
fill_fds(void)
{
	struct pollfd p[3] = { { .fd = 0 }, { .fd = 1 }, { .fd = 2 } };
	int i;

	/* one call tells of all three */
	if (poll(p, 3, 0) <= 0)
		return;
	for (i = 0; i < 3; i++)
		if (p[i].revents & POLLNVAL)
			open("/dev/null", O_RDONLY);
}

int
main(int argc, char **argv)
{
	/* what it holds ends with the process */
	struct call c = { .spool.fd = -1, .spool.ids = -1 };
	int at = 1, r = USAGE;

	fill_fds();
	/* whoever prints bit by bit, flushes; no need to look for a terminal */
	setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
	/* whatever the user's is, the spool is nobody else's business */
	c.umask = umask(077);
	for (; at < argc && argv[at][0] == '-' && argv[at][1]; at++) {
		char *value;

		if (is_help(argv[at])) {
			print_commands(stdout);
			r = DONE;
			goto out;
		}
		if (!strcmp(argv[at], "--version")) {
			puts("queuectl " VERSION);
			r = DONE;
			goto out;
		}
		if (!option_is(&spool_option, argv[at], &value)) {
			complain("no such option: %s; there are --spool DIR, "
			    "--help, --version", argv[at]);
			goto out;
		}
		if (!value)
			value = argv[++at];
		if (set_spool(&c, value) != DONE)
			goto out;
	}
	if (at >= argc)
		print_commands(stderr);
	else
		r = run(&c, argv + at, argc - at);
out:
	/* stdout is a file, and can fail like one */
	if ((fflush(stdout) || ferror(stdout)) && r != USAGE) {
		complain("standard output: %s", strerror(errno));
		r = FAILED;
	}
	exit(r);
}
