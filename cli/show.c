/*
 * show.c: list, show, logs.
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

#include "cli/select.h"
#include "cli/show.h"
#include "cli/why.h"
#include "spool/log.h"

enum { FOLLOW_MS = 100 };       /* between two looks of logs -f */

const struct option_def list_options[] = {
	{ "state", 's', "STATE[,STATE]", "only waiting, pending, processing, "
	    "completed, failed or dead jobs" },
	{ "since", 0, "SPAN", "only jobs that changed in this last time: 90, "
	    "1.5s, 15m, 12h, 7d" },
	{ "reverse", 'r', NULL, "from the end" },
	{ "limit", 'n', "N", "the first N jobs only" },
	{ "count", 0, NULL, "only how many there are" },
	{ "columns", 0, "A,B,...", "only these fields of the JSON output, "
	    "separated by tabs" },
	{ "json", 0, NULL, "as a JSON array, a job on each line" },
	{ "jsonl", 0, NULL, "one JSON object per line, without the array" },
	{ NULL, 0, NULL, NULL }
};

static void
add_list_cells(void *arg, struct field_view *v, struct buf *cells, bool cut)
{
	char created[JOB_TIME_LEN + 1];

	(void)cut;
	v->why = outlook_why(arg, v);
	short_time(created, v->job->created);
	buf_printf(cells, "%-10s  %8u  %8d  %-20s", job_state_word(v->state),
	    v->name->attempt, v->name->priority, created);
}

/* `list failed` lists the job of that id. */
static void
hint_at_states(const struct call *c)
{
	int i, state;

	for (i = 0; i < c->n; i++)
		for (state = 0; state < JOB_STATES; state++)
			if (!strcmp(c->operand[i],
			    job_state_word((enum job_state)state))) {
				complain("no job has the id %s; for a state: "
				    "list --state %s", c->operand[i],
				    c->operand[i]);
				break;
			}
}

static int
list_jobs(struct call *c, const struct selection *s, enum form form)
{
	struct listing l = { 0 };
	struct outlook o = { .spool = NULL };
	const char *columns = call_option(c, "columns");
	int r = select_jobs(&c->spool, s, &l);

	if (r == DONE)
		r = outlook_open(&o, &c->spool, l.v, l.n);
	if (r == DONE)
		r = table_print(&c->spool, &l, l.n, form, columns ? columns :
		    "STATE       ATTEMPTS  PRIORITY  CREATED             ",
		    add_list_cells, &o);
	if (!l.n)
		hint_at_states(c);
	outlook_free(&o);
	free(l.v);
	return r;
}

int
command_list(struct call *c)
{
	const char *since = call_option(c, "since");
	struct selection s = { .states = STATES_ALL, .glob = c->operand,
		.n = c->n, .reverse = call_option(c, "reverse") };
	enum form form = FORM_TABLE;
	int64_t span = 0;
	size_t n;
	int r = limit_read(c, &s.limit);

	if (r == DONE)
		r = form_read(c, &form);
	if (r == DONE)
		r = states_read(c, &s.states);
	if (r != DONE)
		return r;
	if (since && !job_span_parse(since, &span))
		return complain_usage("%s must be %s, not %s", "--since",
		    TEXT_SPAN, since);
	if (call_open_spool(c, false) != DONE)
		return FAILED;
	if (since)
		s.since = now_us() - span;
	if (form != FORM_COUNT)
		return list_jobs(c, &s, form);
	r = select_count(&c->spool, &s, &n);
	if (r == DONE)
		printf("%zu\n", n);
	return r;
}

static void
add_ids(struct buf *b, const char *label, const struct job_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		buf_printf(b, "%s%s", i ? " " : label, l->v[i]);
	buf_puts(b, l->n ? "\n" : "");
}

static void
add_given(struct buf *b, const struct job *job, const struct job_name *name)
{
	const char *locks = name->locks;
	char lock[JOB_LOCK_MAX + 1];
	size_t i;

	add_ids(b, "After:      ", &job->after);
	add_ids(b, "After any:  ", &job->after_any);
	for (i = 0; job_lock_next(&locks, lock); i++)
		buf_printf(b, "%s%s%s", i ? " " : "Lock:       ", lock,
		    *locks ? "" : "\n");
	if (job->timeout >= 0) {
		buf_puts(b, "Timeout:    ");
		job_seconds_format(b, job->timeout);
		buf_puts(b, " s\n");
	}
	if (job->dead_exit)
		buf_printf(b, "Dead exit:  %s\n", job->dead_exit);
	if (job->cwd) {
		buf_puts(b, "Directory:  ");
		job_escape(b, job->cwd, 0);
		buf_putc(b, '\n');
	}
	for (i = 0; i < job->nenv; i++) {
		buf_puts(b, "Env:        ");
		job_escape(b, job->env[i], 0);
		buf_putc(b, '\n');
	}
	if (job->input)
		buf_printf(b, "Stdin:      %zu bytes\n", strlen(job->input));
}

static void
count_earlier(void *arg, const struct job_attempt *a)
{
	struct field_view *v = arg;

	if (!a)
		return;
	v->earlier++;
	v->earlier_end = a->end;
}

static void
add_history(struct buf *b, const struct field_view *v)
{
	const struct job *job = v->job;
	char start[JOB_TIME_LEN + 1];
	size_t i;

	if (v->earlier)
		buf_printf(b, "\n%llu attempt%s came before these.\n",
		    (unsigned long long)v->earlier, v->earlier == 1 ? "" : "s");
	if (job->nattempt)
		buf_printf(b, "\n%-7s  %-20s  %13s  %7s  %s\n", "ATTEMPT",
		    "START", "TOOK", "WORKER", "OUTCOME");
	for (i = 0; i < job->nattempt; i++) {
		const struct job_attempt *a = &job->attempt[i];
		/* It is below 0 if the clock was set back in between. */
		int64_t took = a->end > a->start ? a->end - a->start : 0;

		short_time(start, a->start);
		buf_printf(b, "%-7u  %-20s  %7lld.%03lld s  %7ld  ",
		    a->number, start, (long long)(took / SECOND),
		    (long long)(took % SECOND / 1000), a->worker);
		job_outcome_words(b, a);
		if (a->measured) {
			buf_puts(b, " (");
			job_used_words(b, a);
			buf_putc(b, ')');
		}
		buf_putc(b, '\n');
	}
}

const struct option_def show_options[] = {
	{ "json", 0, NULL, "one JSON object, with the attempts as history" },
	{ NULL, 0, NULL, NULL }
};

static int
show_job(const struct field_view *v)
{
	char time[JOB_TIME_LEN + 1];
	struct buf b = { 0 };

	buf_printf(&b, "Id:         %s\nCommand:    ", v->name->id);
	view_title(&b, v, 0);
	buf_puts(&b, "\nState:      ");
	view_state(&b, v);
	buf_printf(&b, "\nAttempts:   %u of %u\n", v->name->attempt,
	    job_allowed(v->job, v->policy));
	if (v->why)
		buf_printf(&b, "Why:        %s\n", v->why);
	buf_printf(&b, "Priority:   %d\n", v->name->priority);
	if (v->job->created >= 0) {
		job_time_format(time, v->job->created);
		buf_printf(&b, "Created:    %s\n", time);
	}
	job_time_format(time, field_updated(v));
	buf_printf(&b, "Updated:    %s\n", time);
	add_given(&b, v->job, v->name);
	add_history(&b, v);
	return print_buf(&b);
}

int
command_show(struct call *c)
{
	struct field_view v;
	struct entry e;
	struct job job;
	struct outlook o;
	int r;

	if (call_open_spool(c, false) != DONE ||
	    entry_find(c, c->operand[0], &e) != DONE)
		return FAILED;
	r = view_load(&c->spool, &e, &job, &v);
	if (r == SPOOL_OK)
		r = spool_earlier(&c->spool, e.state, &e.name, &job,
		    count_earlier, &v);
	if (r != SPOOL_OK) {
		job_free(&job);
		return complain_job(&c->spool, r, e.name.id);
	}
	v.history = true;
	if (outlook_open(&o, &c->spool, &e, 1) == DONE) {
		o.deep = true;
		v.why = outlook_why(&o, &v);
	}
	r = call_option(c, "json") ? view_print_json("", &v, "\n") :
	    show_job(&v);
	outlook_free(&o);
	job_free(&job);
	return r;
}

const struct option_def logs_options[] = {
	{ "follow", 'f', NULL, "go on until the job has ended for good" },
	{ "attempt", 'a', "N", "only what attempt N wrote (the latest N)" },
	{ NULL, 0, NULL, NULL }
};

/* Copies the log from *at up to `end` (-1: as far as it goes) to stdout. */
static int
copy_log(struct call *c, const char *id, int fd, int64_t *at, int64_t end)
{
	static char bytes[65536];

	while (end < 0 || *at < end) {
		size_t want = end >= 0 && end - *at < (int64_t)sizeof bytes ?
		    (size_t)(end - *at) : sizeof bytes;
		ssize_t n = pread(fd, bytes, want, (off_t)*at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return complain("%s/log/%s.log: %s", c->spool.path, id,
			    strerror(errno));
		if (n == 0)
			break;
		if (fwrite(bytes, 1, (size_t)n, stdout) != (size_t)n)
			return FAILED;
		*at += n;
	}
	return fflush(stdout) ? FAILED : DONE;
}

/* Where attempt `number` begins and ends in the log, counted in bytes that the
 * job wrote; end -1: at the end of the log. */
struct part {
	int64_t number, begin, end;
	bool found;
};

/* Takes notice of an attempt, in their order.  Of several with the number the
 * latest counts, and it ends where the next one begins. */
static void
part_add(struct part *p, unsigned number, int64_t log)
{
	if (p->found && p->end < 0)
		p->end = log;
	if (number != p->number)
		return;
	p->begin = log;
	p->end = -1;
	p->found = true;
}

static void
part_add_earlier(void *arg, const struct job_attempt *a)
{
	if (a)
		part_add(arg, a->number, a->log);
}

static int
part_find(struct call *c, const char *word, const struct entry *e,
    struct part *p)
{
	struct spool_slot slot;
	struct job job;
	size_t i;
	int r;

	if (!job_number_parse(word, 1, JOB_NUMBER_MAX, &p->number))
		return complain_usage("%s must be a whole number from %d to %d"
		    ", not %s", "--attempt", 1, JOB_NUMBER_MAX, word);
	r = spool_load(&c->spool, e->state, &e->name, &job);
	if (r == SPOOL_OK)
		r = spool_earlier(&c->spool, e->state, &e->name, &job,
		    part_add_earlier, p);
	if (r != SPOOL_OK && r != SPOOL_BAD) {
		job_free(&job);
		return complain_job(&c->spool, r, e->name.id);
	}
	for (i = 0; i < job.nattempt; i++)
		part_add(p, job.attempt[i].number, job.attempt[i].log);
	job_free(&job);
	if (e->state == JOB_PROCESSING &&
	    spool_runner(&c->spool, false, &e->name, &slot))
		part_add(p, e->name.attempt, slot.log);
	return p->found ? DONE : complain("%s: there was no attempt %lld; "
	    "queuectl show %s lists them", e->name.id, (long long)p->number,
	    e->name.id);
}

/* Copies what is new in the log; *at is the place that was reached, *gap the
 * gap that the log had then. */
static int
copy_news(struct call *c, const char *id, int fd, int64_t *at,
    struct spool_gap *gap)
{
	struct spool_gap old = *gap;
	struct stat st;

	if (fstat(fd, &st) != 0 || st.st_size == *at)
		return DONE;
	/* The worker may have dropped the middle of the log in between. */
	if (spool_log_gap(fd, gap) == 0 && gap->to != old.to)
		*at = spool_log_place(gap, spool_log_offset(&old, *at));
	return copy_log(c, id, fd, at, -1);
}

/* Copies as the log grows, until the job is completed, dead or gone. */
static int
follow_log(struct call *c, struct entry *e)
{
	char id[JOB_ID_MAX + 1];
	struct spool_gap gap = { .mark = 0 };
	int64_t at = 0;
	int fd = -1, r = DONE, s;
	bool ended = false;

	strcpy(id, e->name.id);
	while (r == DONE) {
		/* First whether it has ended, so that the last copy comes
		 * after the last byte. */
		s = spool_there(&c->spool, e->state, &e->name) ? SPOOL_OK :
		    spool_find(&c->spool, id, &e->state, &e->name);
		if (s == SPOOL_ERROR)
			r = complain_spool(&c->spool);
		ended = s == SPOOL_GONE || state_is_final(e->state);
		s = fd < 0 ? spool_log_read(&c->spool, id, &fd) : SPOOL_OK;
		if (s != SPOOL_OK && s != SPOOL_GONE)
			r = complain_job(&c->spool, s, id);
		if (fd >= 0 && r == DONE)
			r = copy_news(c, id, fd, &at, &gap);
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
	const char *attempt = call_option(c, "attempt");
	bool follow = call_option(c, "follow");
	struct entry e;
	struct spool_gap gap;
	struct part part = { .begin = 0, .end = -1 };
	int fd, r;

	if (follow && attempt)
		return complain_usage("--%s and --%s do not go together",
		    "follow", "attempt");
	if (call_open_spool(c, false) != DONE ||
	    entry_find(c, c->operand[0], &e) != DONE)
		return FAILED;
	if (follow)
		return follow_log(c, &e);
	if (attempt && (r = part_find(c, attempt, &e, &part)) != DONE)
		return r;
	r = spool_log_read(&c->spool, e.name.id, &fd);
	if (r == SPOOL_GONE)
		return DONE; /* the job has written nothing yet */
	if (r != SPOOL_OK)
		return complain_job(&c->spool, r, e.name.id);
	if (attempt && spool_log_gap(fd, &gap) == 0) {
		part.begin = spool_log_place(&gap, part.begin);
		if (part.end >= 0)
			part.end = spool_log_place(&gap, part.end);
	}
	r = copy_log(c, e.name.id, fd, &part.begin, part.end);
	close(fd);
	return r;
}

int
log_print(struct call *c, const char *id, int fd)
{
	int64_t at = 0;

	return copy_log(c, id, fd, &at, -1);
}
