/*
 * show.c: list, show, logs, and why a job is not running.
 *
 * SPDX-License-Identifier: MIT
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/stat.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/listing.h"
#include "cli/show.h"
#include "spool/log.h"

enum { FOLLOW_MS = 100 };       /* between looks of logs -f */

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

enum { L_STATE, L_LIMIT, L_JSON };

const struct option_def list_options[] = {
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

int
command_list(struct call *c)
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

const struct option_def show_options[] = {
	{ "json", 0, NULL, "one JSON object, with the attempts as history" },
	{ NULL, 0, NULL, NULL }
};

int
command_show(struct call *c)
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

enum { LOGS_FOLLOW, LOGS_ATTEMPT };

const struct option_def logs_options[] = {
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

int
command_logs(struct call *c)
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
