/*
 * status.c: counts jobs and workers, for people, as JSON and as metrics.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/listing.h"
#include "cli/status.h"
#include "cli/survey.h"
#include "spool/tally.h"

enum {
	CHECKED_MAX = 256,      /* of the first in line are looked at */
	NAMED_MAX = 3           /* files that are named */
};

static void
print_waiting(const struct spool_waiting *w)
{
	if (w->held)
		printf("held        %zu; queuectl release lets them go\n",
		    w->held);
	if (w->blocked)
		printf("blocked     %zu: wait%s for %s%s, which will not be "
		    "completed; see queuectl list --state waiting\n",
		    w->blocked, w->blocked == 1 ? "s" : "", w->example,
		    w->parents == 1 ? "" : " and others");
}

/* Prints the jobs in processing/ that no living worker runs. */
static void
print_held(struct spool *sp, const struct listing *running)
{
	struct spool_slot slot;
	size_t i;

	for (i = 0; i < running->n; i++) {
		const struct job_name *name = &running->v[i].name;

		if (spool_runner(sp, false, name, &slot))
			continue;
		if (spool_locked(sp, JOB_PROCESSING, name))
			printf("note        %s: its worker died, and a "
			    "process of it still runs\n", name->id);
		else if (spool_there(sp, JOB_PROCESSING, name))
			printf("note        %s: its worker died; the next "
			    "worker recovers it\n", name->id);
	}
}

/* Prints the files in a state's directory that are not jobs. */
static void
print_strange(const struct survey *v, enum job_state state)
{
	size_t n = v->strange[state];
	struct buf b = { 0 };

	if (!n)
		return;
	job_escape(&b, v->example[state], 80);
	printf("note        %s/ holds %zu file%s that %s no job%s: %s%s\n",
	    job_state_dir(state), n, n == 1 ? "" : "s",
	    n == 1 ? "is" : "are", n == 1 ? "" : "s", buf_text(&b),
	    n == 1 ? "" : ", …");
	buf_free(&b);
}

/* Says of a file that workers leave alone why they do.  Whether they do. */
static bool
print_refused(struct spool *sp, const struct job_name *name)
{
	char file[JOB_NAME_MAX + 1];

	if (spool_check(sp, JOB_PENDING, name) != SPOOL_REFUSED)
		return false;
	job_name_format(file, name);
	printf("note        pending/%s is left alone: %s\n", file, sp->why);
	return true;
}

/* Names such files.  They stay when others go, so they are among the first in
 * line sooner or later. */
static void
print_left_alone(struct spool *sp, const struct survey *v)
{
	size_t i, named = 0;

	for (i = 0; i < v->ready.list.n && named < NAMED_MAX; i++)
		named += print_refused(sp, &v->ready.list.v[i].name);
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
print_status(struct spool *sp, const struct survey *v)
{
	const struct job_name *next = survey_next(v);
	char time[JOB_TIME_LEN + 1];
	char room[256];
	struct buf b;
	int i;

	/* printf took a twentieth of this command's time. */
	buf_on(&b, room, sizeof room);
	buf_puts(&b, "spool       ");
	job_escape(&b, sp->path, 0);
	buf_putc(&b, '\n');
	for (i = 0; i < JOB_HELD; i++)
		add_count(&b, job_state_word((enum job_state)i), v->count[i]);
	add_count(&b, "waiting", v->count[JOB_WAITING] + v->count[JOB_HELD]);
	add_count(&b, "workers", v->crew.workers);
	fputs(b.p, stdout);
	if (sp->config.paused)
		puts("paused      yes; queuectl resume goes on");
	if (next) {
		buf_clear(&b);
		short_time(time, next->stamp);
		span_words(&b, next->stamp - now_us());
		printf("next due    %s in %s (%s)\n", next->id, b.p, time);
	}
	buf_free(&b);
	print_waiting(&v->waiting);
	print_held(sp, &v->running);
	for (i = 0; i < JOB_STATES; i++)
		print_strange(v, (enum job_state)i);
	print_left_alone(sp, v);
}

int
status_print_json(struct spool *sp, const struct survey *v)
{
	const struct job_name *next = survey_next(v);
	char time[JOB_TIME_LEN + 1];
	struct buf b = { 0 };
	size_t strange = 0;
	int i;

	buf_putc(&b, '{');
	json_member_string(&b, "spool", sp->path);
	for (i = 0; i < JOB_HELD; i++) {
		json_member_number(&b, job_state_word((enum job_state)i),
		    (int64_t)v->count[i]);
		strange += v->strange[i];
	}
	json_member_number(&b, "waiting", (int64_t)(v->count[JOB_WAITING] +
	    v->count[JOB_HELD]));
	json_member_number(&b, "held", (int64_t)v->count[JOB_HELD]);
	json_member_number(&b, "blocked", (int64_t)v->waiting.blocked);
	json_member_number(&b, "workers", (int64_t)v->crew.workers);
	json_member_bool(&b, "paused", sp->config.paused);
	if (next) {
		job_time_format(time, next->stamp);
		json_member_string(&b, "next_due_at", time);
	}
	if (strange)
		json_member_number(&b, "not_jobs", (int64_t)strange);
	buf_puts(&b, "}\n");
	return print_buf(&b);
}

/* Prints the head of a metric, in the text format of Prometheus, 0.0.4. */
static void
print_metric(const char *name, const char *type, const char *help)
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

	print_metric("attempts_total", "counter", "Attempts, by outcome.");
	for (i = 0; i < TALLY_OUTCOMES; i++)
		printf("queuectl_attempts_total{outcome=\"%s\"} %llu\n",
		    i ? job_outcome_word((enum job_outcome)(i - 1)) :
		    "success", (unsigned long long)t->outcome[i]);
	print_metric("attempt_duration_seconds", "histogram",
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

static void
print_used(const struct spool_tally *t)
{
	print_metric("attempt_cpu_seconds_total", "counter",
	    "CPU time that attempts used.");
	printf("queuectl_attempt_cpu_seconds_total{mode=\"user\"} "
	    "%llu.%06llu\n"
	    "queuectl_attempt_cpu_seconds_total{mode=\"system\"} "
	    "%llu.%06llu\n", (unsigned long long)t->user / SECOND,
	    (unsigned long long)t->user % SECOND,
	    (unsigned long long)t->sys / SECOND,
	    (unsigned long long)t->sys % SECOND);
	print_metric("attempt_max_rss_bytes", "gauge",
	    "The largest process of all attempts.");
	printf("queuectl_attempt_max_rss_bytes %llu\n",
	    (unsigned long long)t->maxrss * 1024);
}

void
status_print_metrics(struct spool *sp, const struct survey *v,
    const struct spool_tally *t)
{
	int64_t age = v->oldest < INT64_MAX ? now_us() - v->oldest : 0;
	int i;

	print_metric("jobs", "gauge", "Jobs in the spool, by state.");
	for (i = 0; i < JOB_HELD; i++)
		printf("queuectl_jobs{state=\"%s\"} %zu\n",
		    job_state_word((enum job_state)i), v->count[i]);
	printf("queuectl_jobs{state=\"waiting\"} %zu\n",
	    v->count[JOB_WAITING] + v->count[JOB_HELD]);
	print_metric("jobs_held", "gauge", "Waiting jobs that a person holds "
	    "back.");
	printf("queuectl_jobs_held %zu\n", v->count[JOB_HELD]);
	print_metric("jobs_blocked", "gauge", "Waiting jobs whose parent will "
	    "not be completed.");
	printf("queuectl_jobs_blocked %zu\n", v->waiting.blocked);
	print_metric("oldest_pending_seconds", "gauge", "For how long the oldest "
	    "pending job could have run; 0: none is ready.");
	printf("queuectl_oldest_pending_seconds %lld.%06lld\n",
	    (long long)(age > 0 ? age / SECOND : 0),
	    (long long)(age > 0 ? age % SECOND : 0));
	print_metric("workers", "gauge", "Worker processes.");
	printf("queuectl_workers{state=\"busy\"} %zu\n"
	    "queuectl_workers{state=\"idle\"} %zu\n", v->crew.busy,
	    v->crew.workers - v->crew.busy);
	print_metric("paused", "gauge", "1: workers begin no job.");
	printf("queuectl_paused %d\n", sp->config.paused);
	print_tally(t);
	print_used(t);
}

const struct option_def status_options[] = {
	{ "json", 0, NULL, "as JSON" },
	{ "prometheus", 0, NULL, "as metrics, for the node exporter's textfile "
	    "collector" },
	{ NULL, 0, NULL, NULL }
};

int
command_status(struct call *c)
{
	bool json = call_option(c, "json");
	bool metrics = call_option(c, "prometheus");
	struct survey v = { .ready.most = CHECKED_MAX, .later.most = 1 };
	struct spool_tally tally;
	int r;

	if (json && metrics)
		return complain_usage("--%s and --%s do not go together",
		    "json", "prometheus");
	if (call_open_spool(c, false) != DONE)
		return FAILED;
	r = survey_read(&v, &c->spool);
	if (r == DONE && json)
		r = status_print_json(&c->spool, &v);
	else if (r == DONE && metrics &&
	    spool_tally_sum(&c->spool, &tally) != SPOOL_OK)
		r = complain_spool(&c->spool);
	else if (r == DONE && metrics)
		status_print_metrics(&c->spool, &v, &tally);
	else if (r == DONE)
		print_status(&c->spool, &v);
	survey_free(&v);
	return r;
}
