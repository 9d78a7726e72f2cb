/*
 * status.c: counts, for people, as JSON and as metrics.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/listing.h"
#include "cli/status.h"
#include "spool/tally.h"

enum { COUNT_AGAIN = 10000 };   /* status: so many are counted once */

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

enum { S_JSON, S_PROMETHEUS };

const struct option_def status_options[] = {
	{ "json", 0, NULL, "as JSON" },
	{ "prometheus", 0, NULL, "as metrics, for the node exporter's textfile "
	    "collector" },
	{ NULL, 0, NULL, NULL }
};

int
command_status(struct call *c)
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
