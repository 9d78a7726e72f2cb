/*
 * page.c: the pages of the web page.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/page.h"
#include "cli/select.h"
#include "cli/survey.h"
#include "spool/tally.h"

enum {
	SHOWN = 10,             /* jobs of each kind in the overview */
	RUNNING = 20,           /* those that run */
	ROWS = 50,              /* of a page of the list */
	FROM_MAX = 10000,       /* the last one that begins so far down */
	PATTERNS = 20,          /* of ids in a query */
	LAST_MAX = 160,         /* bytes of the last line that a job wrote, */
	OUTCOME_MAX = 160,      /* …of how an attempt ended, */
	TEXT_MAX = 4096,        /* …of a command on the page of its job, */
	LOG_TAIL = 8192         /* …and of its log */
};

int
page_error(struct page *p, int status, const char *why)
{
	buf_clear(&p->out);
	page_begin(p, why, false);
	put(p, "<p class=banner>");
	put_text(p, why);
	put(p, "</p>");
	return status;
}

/* --- what rows say ------------------------------------------------------ */

/* Adds the first jobs of a list under a heading, if there are any. */
static void
put_jobs(struct page *p, const char *heading, const struct listing *l,
    size_t most, cell *when, cell *more)
{
	if (!l->n)
		return;
	buf_printf(&p->out, "<h2>%s</h2>", heading);
	put_rows(p, l, most, when, more);
}

static void
add_last_line(struct page *p, const struct field_view *v)
{
	struct buf tail = { 0 };
	size_t begin, end;
	bool cut;

	log_tail(p->spool, v->name->id, 1024, &tail, &cut);
	for (end = tail.n; end && (tail.p[end - 1] == '\n' ||
	    tail.p[end - 1] == '\r'); end--)
		;
	for (begin = end; begin && tail.p[begin - 1] != '\n'; begin--)
		;
	if (end > begin) {
		put(p, "<small><code>");
		put_line(p, tail.p + begin, end - begin, LAST_MAX);
		put(p, "</code></small>");
	}
	buf_free(&tail);
}

static void
add_runs(struct page *p, const struct field_view *v)
{
	int64_t timeout = v->job->timeout >= 0 ? v->job->timeout :
	    p->spool->config.timeout;

	put(p, "for ");
	put_span(p, p->now - v->name->stamp);
	if (timeout > 0 && !v->bad) {
		put(p, " of ");
		job_span_format(&p->out, timeout);
	}
	if (!v->worker)
		put(p, ", by no worker that lives");
}

static void
add_ready(struct page *p, const struct field_view *v)
{
	put(p, "since ");
	put_span(p, p->now - v->name->stamp);
	buf_printf(&p->out, ", priority %d", v->name->priority);
}

static void
put_outcome(struct page *p, const struct field_view *v)
{
	struct buf b = { 0 };

	if (v->bad)
		put(p, "damaged");
	else if (job_last(v->job)) {
		job_outcome_words(&b, job_last(v->job));
		html_text(&p->out, buf_text(&b), 80);
	}
	buf_free(&b);
}

/* Adds when something is due. */
static void
put_due(struct page *p, int64_t at)
{
	put(p, at > p->now ? "in " : "now");
	if (at > p->now)
		put_span(p, at - p->now);
}

static void
add_later(struct page *p, const struct field_view *v)
{
	put_due(p, v->name->stamp);
	if (v->state != JOB_FAILED)
		return;
	buf_printf(&p->out, ", attempt %u of %u: ", v->name->attempt + 1,
	    job_allowed(v->job, v->policy));
	put_outcome(p, v);
}

static void
add_dead(struct page *p, const struct field_view *v)
{
	put_span(p, p->now - v->name->stamp);
	put(p, " ago: <i class=dead>");
	put_outcome(p, v);
	put(p, "</i>");
}

/* Adds how long an attempt took. */
static void
put_took(struct page *p, const struct job_attempt *a)
{
	int64_t took = a->end > a->start ? a->end - a->start : 0;

	buf_printf(&p->out, "%lld.%03lld s", (long long)(took / SECOND),
	    (long long)(took % SECOND / 1000));
}

static void
add_completed(struct page *p, const struct field_view *v)
{
	put_span(p, p->now - v->name->stamp);
	put(p, " ago");
	if (job_last(v->job)) {
		put(p, ", took ");
		put_took(p, job_last(v->job));
	}
}

/* --- the overview ------------------------------------------------------- */

/* The states in the order in which they are shown. */
static const struct {
	enum job_state state;
	const char *label;
} shown[] = {
	{ JOB_PENDING, "pending" }, { JOB_PROCESSING, "running" },
	{ JOB_FAILED, "retrying" }, { JOB_WAITING, "waiting" },
	{ JOB_DEAD, "dead" }, { JOB_DONE, "completed" }
};

enum { CARDS = sizeof shown / sizeof shown[0] };

static size_t
count_of(const struct survey *v, enum job_state state)
{
	return v->count[state] +
	    (state == JOB_WAITING ? v->count[JOB_HELD] : 0);
}

/* Adds a bar of all states, in which one job of a million can be seen. */
static void
put_bar(struct page *p, const struct survey *v)
{
	size_t total = 0, n, least = 8, room = 1000, at = 0, wide;
	int i;

	for (i = 0; i < CARDS; i++) {
		n = count_of(v, shown[i].state);
		total += n;
		room -= n ? least : 0;
	}
	put(p, "<svg class=bar role=img aria-label=\"the states of all jobs\" "
	    "viewBox=\"0 0 1000 10\" preserveAspectRatio=none>");
	for (i = 0; i < CARDS; i++) {
		n = count_of(v, shown[i].state);
		if (!n)
			continue;
		wide = least + (size_t)((uint64_t)room * n / total);
		buf_printf(&p->out, "<rect class=%s x=%zu width=%zu "
		    "height=10 />", job_state_word(shown[i].state), at, wide);
		at += wide;
	}
	put(p, "</svg>");
}

/* Adds the small line of a card. */
static void
put_note(struct page *p, const struct survey *v, enum job_state state)
{
	const struct listing *later = &v->later.list;
	size_t i = 0;

	while (i < later->n && later->v[i].state != JOB_FAILED)
		i++;
	if (state == JOB_PENDING && v->oldest < INT64_MAX) {
		put(p, "oldest ");
		put_span(p, p->now - v->oldest);
	} else if (state == JOB_PROCESSING) {
		buf_printf(&p->out, "%zu of %zu worker%s", v->crew.busy,
		    v->crew.workers, v->crew.workers == 1 ? "" : "s");
	} else if (state == JOB_FAILED && i < later->n) {
		put(p, "next ");
		put_due(p, later->v[i].name.stamp);
	} else if (state == JOB_WAITING && count_of(v, state)) {
		buf_printf(&p->out, "%zu blocked, %zu held",
		    v->waiting.blocked, v->waiting.held);
	}
}

static void
put_cards(struct page *p, const struct survey *v)
{
	int i;

	put(p, "<ul class=cards>");
	for (i = 0; i < CARDS; i++) {
		enum job_state state = shown[i].state;
		size_t n = count_of(v, state);

		buf_printf(&p->out, "<li class=\"%s%s\"><a href=\"",
		    job_state_word(state),
		    (state == JOB_DEAD && n) || (state == JOB_WAITING &&
		    v->waiting.blocked) ? " alarm" : "");
		put_url(p, "/list", "", true);
		buf_printf(&p->out, "state=%s\">%s<b>%zu</b><small>",
		    job_state_word(state), shown[i].label, n);
		put_note(p, v, state);
		put(p, "</small></a></li>");
	}
	put(p, "</ul>");
}

/* Adds what attempts came to since the spool was made. */
static void
put_tally(struct page *p)
{
	static const enum job_outcome failures[] = { JOB_EXIT, JOB_SIGNAL,
		JOB_TIMEOUT, JOB_ERROR };
	struct spool_tally t;
	uint64_t n = 0, failed = 0;
	size_t i;

	if (spool_tally_sum(p->spool, &t) != SPOOL_OK)
		return;
	for (i = 0; i < TALLY_OUTCOMES; i++)
		n += t.outcome[i];
	for (i = 0; i < sizeof failures / sizeof failures[0]; i++)
		failed += t.outcome[failures[i] + 1];
	buf_printf(&p->out, "<p class=dim>%llu attempt%s ever, %llu failed · "
	    "spool ", (unsigned long long)n, n == 1 ? "" : "s",
	    (unsigned long long)failed);
	put_text(p, p->spool->path);
	put(p, "</p>");
}

static void
put_banner(struct page *p, const struct survey *v)
{
	if (p->spool->config.paused)
		put(p, "<p class=banner>Paused: workers begin no job. "
		    "<code>queuectl resume</code> goes on.</p>");
	if (!v->crew.workers)
		put(p, "<p class=banner>No worker runs. <code>queuectl worker "
		    "start</code> starts one.</p>");
}

int
page_overview(struct page *p)
{
	struct survey v = { .ready.most = SHOWN, .later.most = SHOWN,
		.completed.most = SHOWN, .dead.most = SHOWN };
	size_t i, n = 0;

	if (survey_read(&v, p->spool) != DONE) {
		survey_free(&v);
		return page_error(p, 503, "The queue cannot be read; the "
		    "server's log says why.");
	}
	page_begin(p, "overview", true);
	put_banner(p, &v);
	put_cards(p, &v);
	put_bar(p, &v);
	for (i = 0; i < JOB_STATES; i++)
		n += v.count[i];
	if (!n)
		put(p, "<p>There is no job. <code>queuectl enqueue -- CMD"
		    "</code> adds one.</p>");
	put_jobs(p, "Running", &v.running, RUNNING, add_runs, add_last_line);
	if (v.running.n > RUNNING) {
		put(p, "<p><a href=\"");
		put_url(p, "/list", "", true);
		buf_printf(&p->out, "state=processing\">and %zu more</a></p>",
		    v.running.n - RUNNING);
	}
	put_jobs(p, "Next", &v.ready.list, SHOWN, add_ready, NULL);
	put_jobs(p, "Due later", &v.later.list, SHOWN, add_later, NULL);
	put_jobs(p, "Dead, the latest", &v.dead.list, SHOWN, add_dead, NULL);
	put_jobs(p, "Completed, the latest", &v.completed.list, SHOWN,
	    add_completed, NULL);
	put_tally(p);
	put_button(p, "", p->spool->config.paused ? "resume" : "pause",
	    p->spool->config.paused ? "Resume" : "Pause");
	survey_free(&v);
	return 200;
}

/* --- the list ----------------------------------------------------------- */

/* What a query for a list asks for. */
struct query {
	char ids[HTTP_QUERY_MAX + 1]; /* patterns, which end with NULs */
	char *glob[PATTERNS];
	int64_t from;
	struct selection s;     /* of the first jobs, up to one behind the page */
};

/* Reads the query.  NULL, or what is wrong with it. */
static const char *
read_query(const struct page *p, struct query *q)
{
	struct selection *s = &q->s;
	const char *states = http_value(p->request, "state");
	const char *since = http_value(p->request, "since");
	const char *at = http_value(p->request, "from");
	int64_t span = 0;
	char *id;

	*s = (struct selection){ .states = STATES_ALL, .glob = q->glob,
		.reverse = *http_value(p->request, "reverse") };
	strcpy(q->ids, http_value(p->request, "id"));
	for (id = strtok(q->ids, " "); id; id = strtok(NULL, " ")) {
		if (s->n == PATTERNS)
			return "There are too many ids.";
		q->glob[s->n++] = id;
	}
	if (*states)
		s->states = 0;
	if (*states && states_add(states, &s->states))
		return "There is no such state.";
	if (*since && !job_span_parse(since, &span))
		return "The time must be " TEXT_SPAN ".";
	if (*since)
		s->since = p->now - span;
	q->from = 0;
	if (*at && !job_number_parse(at, 0, FROM_MAX, &q->from))
		return "The list ends here. Ask for fewer jobs: for a state, "
		    "a pattern or a time.";
	s->limit = (size_t)q->from + ROWS + 1;
	return NULL;
}

static void
put_input(struct page *p, const char *name, const char *hint)
{
	buf_printf(&p->out, "<input name=%s size=12 placeholder=\"%s\" "
	    "aria-label=\"%s\" value=\"", name, hint, hint);
	put_text(p, http_value(p->request, name));
	put(p, "\">");
}

/* Adds a link to each state, and a form.  The form would lose what the user
 * types when the page comes again, so it is on the page that stays. */
static void
put_filter(struct page *p)
{
	const char *states = http_value(p->request, "state");
	int i;

	put(p, "<h2>Jobs</h2><form action=\"");
	put_url(p, "/list", "", false);
	put(p, "\"><a href=\"");
	put_url(p, "/list", "", false);
	put(p, *states ? "\">all</a>" : "\"><b>all</b></a>");
	for (i = 0; i < CARDS; i++) {
		const char *word = job_state_word(shown[i].state);
		const char *bold = !strcmp(states, word) ? "b" : "span";

		put(p, "<a href=\"");
		put_url(p, "/list", "", true);
		buf_printf(&p->out, "state=%s\"><%s>%s</%s></a>", word, bold,
		    shown[i].label, bold);
	}
	if (page_is_still(p)) {
		put_hidden(p, "still", "1");
		put_hidden(p, "state", states);
		put_input(p, "id", "ids, or test-*");
		put_input(p, "since", "changed in: 2h");
		buf_printf(&p->out, "<label><input type=checkbox name=reverse "
		    "value=1%s> from the end</label><button>Show</button>",
		    *http_value(p->request, "reverse") ? " checked" : "");
	} else {
		put(p, "<a href=\"");
		put_self(p, true, "");
		put(p, "\">search…</a>");
	}
	put(p, "</form><p></p>");
}

/* Adds a link to the jobs from a place on, with the same filter. */
static void
put_more(struct page *p, int64_t from, const char *words)
{
	char number[24];

	snprintf(number, sizeof number, "%lld", (long long)from);
	put(p, "<a href=\"");
	put_self(p, page_is_still(p), from > 0 ? number : "");
	buf_printf(&p->out, "\">%s</a> ", words);
}

static void
add_state(struct page *p, const struct field_view *v)
{
	buf_printf(&p->out, "<i class=%s>%s</i>, ", job_state_word(v->state),
	    job_state_word(v->state));
	if (v->name->attempt)
		buf_printf(&p->out, "attempt %u, ", v->name->attempt);
	if (v->name->timed) {
		put_due(p, v->name->stamp);
	} else {
		put_span(p, p->now - v->name->stamp);
		put(p, state_is_final(v->state) ? " ago" : "");
	}
}

static void
add_why(struct page *p, const struct field_view *v)
{
	const char *why = outlook_why(&p->outlook, v);

	if (!why || v->bad)
		return;
	put(p, "<small>");
	put_text(p, why);
	put(p, "</small>");
}

int
page_list(struct page *p)
{
	struct outlook *o = &p->outlook;
	struct listing l = { 0 }, part;
	struct query q;
	const char *wrong = read_query(p, &q);
	size_t from;
	int r;

	if (wrong)
		return page_error(p, 400, wrong);
	r = select_jobs(p->spool, &q.s, &l);
	from = (size_t)q.from < l.n ? (size_t)q.from : l.n;
	part = (struct listing){ .v = l.v ? l.v + from : NULL, .n = l.n - from };
	if (r == DONE)
		r = outlook_open(o, p->spool, part.v, part.n);
	if (r == DONE) {
		page_begin(p, "jobs", true);
		put_filter(p);
		put_rows(p, &part, ROWS, add_state, add_why);
		put(p, part.n ? "<p>" : "<p>There is no such job.");
		if (q.from)
			put_more(p, q.from > ROWS ? q.from - ROWS : 0, "back");
		if (part.n > ROWS)
			put_more(p, q.from + ROWS, "more");
		put(p, "</p>");
	}
	outlook_free(o);
	free(l.v);
	return r == DONE ? 200 : page_error(p, 503, "The jobs cannot be "
	    "listed; the server's log says why.");
}

/* --- a job -------------------------------------------------------------- */

/* Adds a line of facts; without a value, nothing. */
static void
put_fact(struct page *p, const char *label, const char *value)
{
	if (!value || !*value)
		return;
	buf_printf(&p->out, "<dt>%s</dt><dd>", label);
	html_text(&p->out, value, TEXT_MAX);
	put(p, "</dd>");
}

static void
put_time(struct page *p, const char *label, int64_t at)
{
	char time[JOB_TIME_LEN + 1];

	short_time(time, at);
	put_fact(p, label, at >= 0 ? time : "");
}

/* Adds links to the parents of a job. */
static void
put_parents(struct page *p, const char *label, const struct job_list *l)
{
	size_t i;

	if (l->n)
		buf_printf(&p->out, "<dt>%s</dt><dd>", label);
	for (i = 0; i < l->n; i++) {
		put(p, "<a href=\"");
		put_url(p, "/job/", l->v[i], false);
		put(p, "\">");
		put_text(p, l->v[i]);
		put(p, "</a> ");
	}
	put(p, l->n ? "</dd>" : "");
}

/* Adds what there is to know of a job, but for its Env and Stdin, which may be
 * secret. */
static void
put_facts(struct page *p, const struct field_view *v)
{
	const struct job *job = v->job;
	struct buf b = { 0 };

	put(p, "<dl><dt>Command</dt><dd><code>");
	view_title(&b, v, TEXT_MAX);
	html_escaped(&p->out, buf_text(&b));
	put(p, "</code></dd>");
	buf_printf(&p->out, "<dt>State</dt><dd><i class=%s>",
	    job_state_word(v->state));
	buf_clear(&b);
	view_state(&b, v);
	html_escaped(&p->out, buf_text(&b));
	put(p, "</i></dd>");
	put_fact(p, "Why", v->why);
	buf_printf(&p->out, "<dt>Attempts</dt><dd>%u of %u</dd>"
	    "<dt>Priority</dt><dd>%d</dd>", v->name->attempt,
	    job_allowed(job, v->policy), v->name->priority);
	put_time(p, "Created", job->created);
	put_time(p, "Updated", field_updated(v));
	put_parents(p, "After", &job->after);
	put_parents(p, "After any", &job->after_any);
	put_fact(p, "Lock", v->name->locks);
	buf_clear(&b);
	if (job->timeout >= 0)
		job_span_format(&b, job->timeout);
	put_fact(p, "Timeout", buf_text(&b));
	put_fact(p, "Dead exit", job->dead_exit);
	put_fact(p, "Directory", job->cwd);
	put(p, "</dl>");
	buf_free(&b);
}

/* Adds the attempts that the job file tells about at its end. */
static void
put_attempts(struct page *p, const struct job *job)
{
	char start[JOB_TIME_LEN + 1];
	struct buf b = { 0 };
	size_t i;

	if (!job->nattempt)
		return;
	put(p, job->nattempt > ROWS || job->unread_to ? "<h2>The latest "
	    "attempts" : "<h2>Attempts, the latest first");
	put(p, "</h2><div class=box><table><tr><th>no.<th>start<th>took"
	    "<th>outcome<th>used");
	for (i = job->nattempt; i-- > 0 && i + ROWS >= job->nattempt;) {
		const struct job_attempt *a = &job->attempt[i];

		short_time(start, a->start);
		buf_printf(&p->out, "<tr><td>%u<td>%s<td>", a->number, start);
		put_took(p, a);
		put(p, "<td>");
		buf_clear(&b);
		job_outcome_words(&b, a);
		html_text(&p->out, buf_text(&b), OUTCOME_MAX);
		put(p, "<td>");
		buf_clear(&b);
		if (a->measured)
			job_used_words(&b, a);
		put(p, buf_text(&b));
	}
	put(p, "</table></div>");
	buf_free(&b);
}

static void
put_log(struct page *p, const char *id)
{
	struct buf tail = { 0 };
	const char *at, *end, *eol;
	bool cut;

	log_tail(p->spool, id, LOG_TAIL, &tail, &cut);
	at = buf_text(&tail);
	end = at + tail.n;
	if (at < end) {
		put(p, cut ? "<h2>The end of its output" : "<h2>Output");
		put(p, " · <a href=\"");
		put_url(p, "/log/", id, false);
		put(p, "\">all of it</a></h2><pre class=box>");
	}
	for (; at < end; at = eol + (eol < end)) {
		eol = memchr(at, '\n', (size_t)(end - at));
		eol = eol ? eol : end;
		put_line(p, at, (size_t)(eol - at), 0);
		put(p, "\n");
	}
	put(p, tail.n ? "</pre>" : "");
	buf_free(&tail);
}

static void
put_buttons(struct page *p, const struct job_name *name,
    enum job_state state)
{
	put(p, "<p></p><header>");
	if (state == JOB_DEAD)
		put_button(p, name->id, "retry", "Retry");
	if (state == JOB_HELD)
		put_button(p, name->id, "release", "Release");
	else if (state != JOB_PROCESSING && !state_is_final(state))
		put_button(p, name->id, "hold", "Hold");
	if (!state_is_final(state))
		put_button(p, name->id, "cancel", "Cancel");
	put(p, "</header>");
}

static void
put_job(struct page *p, struct field_view *v)
{
	const struct entry e = { .state = v->state, .name = *v->name };
	struct outlook o;

	page_begin(p, v->name->id, !state_is_final(v->state));
	put(p, "<h2>Job ");
	put_text(p, v->name->id);
	put(p, "</h2>");
	if (outlook_open(&o, p->spool, &e, 1) == DONE) {
		o.deep = true;
		v->why = outlook_why(&o, v);
	}
	put_facts(p, v);
	outlook_free(&o);
	put_buttons(p, v->name, v->state);
	put_log(p, v->name->id);
	put_attempts(p, v->job);
}

int
page_job(struct page *p, const char *id)
{
	struct field_view v;
	struct entry e;
	struct job job;
	int r = spool_find(p->spool, id, &e.state, &e.name);

	if (r != SPOOL_OK)
		return r;
	r = view_load(p->spool, &e, &job, &v);
	if (r == SPOOL_OK)
		put_job(p, &v);
	job_free(&job);
	return r;
}
