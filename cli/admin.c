/*
 * admin.c: the commands that look after a queue.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/admin.h"
#include "cli/listing.h"
#include "spool/fsck.h"
#include "worker/pool.h"

const struct option_def json_options[] = {
	{ "json", 0, NULL, "as JSON" },
	{ NULL, 0, NULL, NULL }
};

enum { W_COUNT, W_DAEMON, W_DRAIN };

const struct option_def start_options[] = {
	{ "count", 'c', "N", "that many workers; default 1" },
	{ "daemon", 'd', NULL, "detach and write to worker.log" },
	{ "drain", 0, NULL, "end when no job is pending, processing or "
	    "failed" },
	{ NULL, 0, NULL, NULL }
};

int
command_worker_start(struct call *c)
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

const struct option_def stop_options[] = {
	{ "now", 0, NULL, "end the current jobs and requeue them" },
	{ NULL, 0, NULL, NULL }
};

int
command_worker_stop(struct call *c)
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

int
command_worker_list(struct call *c)
{
	if (open_spool(c, false) != DONE)
		return FAILED;
	printf("%-20s  %6s  %8s  %-20s  %s\n", "POOL", "WORKER", "PID",
	    "SINCE", "JOB");
	if (spool_slots(&c->spool, false, print_worker, NULL) != SPOOL_OK)
		return complain_spool(&c->spool);
	return DONE;
}

int
command_dlq_list(struct call *c)
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

const struct option_def all_options[] = {
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

int
command_dlq_retry(struct call *c)
{
	return dlq_do(c, retry_one);
}

int
command_dlq_purge(struct call *c)
{
	return dlq_do(c, purge_one);
}

enum { P_STATE, P_OLDER, P_DRY };

const struct option_def purge_options[] = {
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

int
command_purge(struct call *c)
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

int
command_config_set(struct call *c)
{
	return config_write(c, c->operand[1]);
}

int
command_config_unset(struct call *c)
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

int
command_pause(struct call *c)
{
	return set_paused(c, "yes");
}

int
command_resume(struct call *c)
{
	return set_paused(c, NULL);
}

int
command_config_get(struct call *c)
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

enum { F_REPAIR, F_JSON };

const struct option_def fsck_options[] = {
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

int
command_fsck(struct call *c)
{
	size_t left;

	if (open_spool(c, false) != DONE)
		return FAILED;
	if (spool_fsck(&c->spool, c->value[F_REPAIR], now_us(), print_problem,
	    c, &left) != SPOOL_OK)
		return complain_spool(&c->spool);
	return left ? FAILED : DONE;
}
