/*
 * admin.c: the commands that look after a queue.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/admin.h"
#include "cli/http.h"
#include "cli/late.h"
#include "cli/select.h"
#include "spool/fsck.h"
#include "worker/pool.h"

enum { PURGES = 100 };          /* for one lock of ids/ */

const struct option_def dlq_list_options[] = {
	{ "limit", 'n', "N", "the first N jobs only" },
	{ "json", 0, NULL, "as a JSON array, a job on each line" },
	{ "jsonl", 0, NULL, "one JSON object per line, without the array" },
	{ NULL, 0, NULL, NULL }
};

const struct option_def json_options[] = {
	{ "json", 0, NULL, "as JSON" },
	{ NULL, 0, NULL, NULL }
};

const struct option_def worker_start_options[] = {
	{ "count", 'c', "N", "that many workers; default 1" },
	{ "daemon", 'd', NULL, "detach and write to worker.log" },
	{ "drain", 0, NULL, "end when no job is pending, processing or "
	    "failed" },
	{ "check", 0, NULL, "with --drain: exit with 1 if a job died" },
	{ "launcher", 0, "PROGRAM", "run each job as PROGRAM and the job's "
	    "words" },
	{ NULL, 0, NULL, NULL }
};

static int
complain_launcher(const char *program)
{
	if (errno == ENOENT)
		return complain("no such launcher: %s (it is one program, by "
		    "its path or found along PATH%s)", program,
		    strchr(program, ' ') ? "; a script may add options" : "");
	return complain("cannot run the launcher %s: %s; it must be a file "
	    "that can be executed", program, strerror(errno));
}

int
command_worker_start(struct call *c)
{
	const char *count = call_option(c, "count");
	const char *launcher = call_option(c, "launcher");
	struct worker_options o = { .daemon = call_option(c, "daemon"),
		.drain = call_option(c, "drain"),
		.check = call_option(c, "check"), .umask = c->umask };
	char *found = NULL;
	int64_t n = 1;
	int r;

	if (count && !job_number_parse(count, 1, WORKER_COUNT_MAX, &n))
		return complain_usage("%s must be a whole number from %d to %d"
		    ", not %s", "--count", 1, WORKER_COUNT_MAX, count);
	if (o.check && !o.drain)
		return complain_usage("--check goes with --drain");
	if (o.check && o.daemon)
		return complain_usage("--check and --daemon do not go "
		    "together: nobody sees how a daemon exits");
	o.count = (int)n;
	if (launcher && !*launcher)
		return complain_usage("--launcher needs a program");
	if (launcher && !(o.launcher = found = worker_launcher(launcher)))
		return complain_launcher(launcher);
	r = call_open_spool(c, true);
	if (r == DONE && worker_pool(&c->spool, &o) < 0)
		r = FAILED;
	free(found);
	return r;
}

const struct option_def worker_stop_options[] = {
	{ "now", 0, NULL, "end the current jobs and requeue them" },
	{ NULL, 0, NULL, NULL }
};

/* The lock on its file proves that the pool lives, so its pid is its own.
 * `arg` holds the name of the pool before it: each is named once. */
static void
say_how_to_stop(void *arg, const char *pool, long pid,
    const struct spool_slot *s)
{
	char *last = arg;

	(void)s;
	if (!strcmp(last, pool))
		return;
	strcpy(last, pool);
	complain("to stop the pool %s all the same: kill -TERM %ld", pool, pid);
}

/* A pool that has not ended yet. */
struct late_pool {
	const char *name;
	struct late late;
};

static void
add_late_worker(void *arg, const char *pool, long pid,
    const struct spool_slot *s)
{
	struct late_pool *p = arg;

	(void)pid;
	if (strcmp(pool, p->name))
		return;
	late_add_process(&p->late, s->pid);
	if (s->job[0])
		late_add_job(&p->late, s->job);
}

static void
say_late(void *arg, const char *pool, long pid)
{
	struct call *c = arg;
	struct late_pool p = { .name = pool };
	char who[SPOOL_POOL_NAME + sizeof "pool "];

	snprintf(who, sizeof who, "pool %s", pool);
	late_add_process(&p.late, pid);
	spool_slots(&c->spool, false, add_late_worker, &p);
	late_say(&p.late, who, !p.late.njobs ? LATE_PAUSED :
	    call_option(c, "now") ? LATE_KILLED :
	    "worker stop --now would end and requeue what runs");
}

int
command_worker_stop(struct call *c)
{
	bool now = call_option(c, "now"), inside;
	char last[SPOOL_POOL_NAME] = "";
	size_t pools;

	if (call_look_for_spool(c) != DONE)
		return FAILED;
	if (c->spool.fd < 0) {
		complain("no worker is running: there is no spool %s",
		    c->spool.path);
		return DONE;
	}
	inside = call_is_from_job(c, NULL);
	if (inside && now)
		return complain("worker stop --now would end and requeue the "
		    "job that asks for it, and the job would ask again; "
		    "leave out --now");
	if (spool_pools_stop(&c->spool, now, !inside, say_late, c, &pools) !=
	    SPOOL_OK) {
		complain_spool(&c->spool);
		spool_slots(&c->spool, false, say_how_to_stop, last);
		return FAILED;
	}
	if (pools && inside)
		complain("asked %zu pool%s to stop; a job does not wait for "
		    "its own pool", pools, pools == 1 ? "" : "s");
	else if (pools)
		complain("stopped %zu pool%s", pools, pools == 1 ? "" : "s");
	else
		complain("no worker is running");
	return DONE;
}

static void
print_worker(void *arg, const char *pool, long pid, const struct spool_slot *s)
{
	char time[JOB_TIME_LEN + 1];

	(void)arg;
	(void)pid;
	short_time(time, s->since);
	printf("%-20s  %6d  %8ld  %-20s  ", pool, s->number, s->pid, time);
	short_time(time, s->start);
	if (s->job[0])
		printf("%s since %s\n", s->job, time);
	else
		puts("-");
}

int
command_worker_list(struct call *c)
{
	if (call_open_spool(c, false) != DONE)
		return FAILED;
	printf("%-20s  %6s  %8s  %-20s  %s\n", "POOL", "WORKER", "PID",
	    "SINCE", "JOB");
	if (spool_slots(&c->spool, false, print_worker, NULL) != SPOOL_OK)
		return complain_spool(&c->spool);
	return DONE;
}

static void
add_dead_cells(void *arg, struct field_view *v, struct buf *cells, bool cut)
{
	const struct job *job = v->job;
	struct buf reason = { 0 }, shown = { 0 };
	char died[JOB_TIME_LEN + 1];

	(void)arg;
	if (v->bad)
		buf_puts(&reason, "damaged");
	else if (job_last(job))
		job_outcome_words(&reason, job_last(job));
	else
		buf_puts(&reason, "-");
	job_escape(&shown, buf_text(&reason), cut ? 24 : 0);
	short_time(died, v->name->stamp);
	buf_printf(cells, "%8u  %-20s  %-24s", v->name->attempt, died,
	    buf_text(&shown));
	buf_free(&reason);
	buf_free(&shown);
}

int
command_dlq_list(struct call *c)
{
	struct selection s = { .states = 1 << JOB_DEAD };
	struct listing l = { 0 };
	enum form form = FORM_TABLE;
	int r = limit_read(c, &s.limit);

	if (r == DONE)
		r = form_read(c, &form);
	if (r != DONE)
		return r;
	if (call_open_spool(c, false) != DONE)
		return FAILED;
	r = select_jobs(&c->spool, &s, &l);
	if (r == DONE)
		r = table_print(&c->spool, &l, l.n, form,
		    "ATTEMPTS  DIED                  REASON                  ",
		    add_dead_cells, NULL);
	free(l.v);
	return r;
}

/* A change of all dead jobs. */
struct change {
	struct spool *spool;
	int worst;               /* exit status */
};

/* A job that has moved in the meantime is skipped. */
static void
print_changed(void *change, int result, void *id)
{
	struct change *x = change;

	if (result == SPOOL_OK)
		puts(id);
	else if (result != SPOOL_GONE && result != SPOOL_WRONG_STATE)
		x->worst = complain_job(x->spool, result, id);
}

static void
retry_all(struct change *x, const struct listing *l)
{
	struct spool_bulk b = { .spool = x->spool, .each = print_changed,
		.arg = x };
	size_t i;

	for (i = 0; i < l->n && !ferror(stdout); i++)
		spool_bulk_retry(&b, &l->v[i].name, now_us(), l->v[i].name.id);
	spool_bulk_end(&b);
}

static void
purge_all(struct change *x, const struct listing *l)
{
	size_t i;

	for (i = 0; i < l->n && !ferror(stdout); i++) {
		if (i % PURGES == 0 && x->spool->purging)
			spool_purges_end(x->spool);
		if (i % PURGES == 0 &&
		    spool_purges_begin(x->spool) != SPOOL_OK) {
			x->worst = complain_spool(x->spool);
			break;
		}
		print_changed(x, spool_purge(x->spool, JOB_DEAD,
		    l->v[i].name.id), l->v[i].name.id);
	}
	if (x->spool->purging)
		spool_purges_end(x->spool);
}

const struct option_def dlq_options[] = {
	{ "all", 0, NULL, "every job of the dead letter queue" },
	{ NULL, 0, NULL, NULL }
};

static int
complain_not_dead(struct spool *sp, const char *id)
{
	enum job_state state;
	struct job_name name;

	if (spool_find(sp, id, &state, &name) != SPOOL_OK)
		return complain("%s: not in the dead letter queue", id);
	return complain("%s: not in the dead letter queue: it is %s; queuectl "
	    "dlq list shows those that are", id, job_state_word(state));
}

static int
change_one(struct call *c, const char *word, bool retry)
{
	struct spool *sp = &c->spool;
	char id[JOB_ID_MAX + 1];
	int r = spool_resolve(sp, word, id);

	if (r == SPOOL_OK)
		r = retry ? spool_retry(sp, id, now_us()) :
		    spool_purge(sp, JOB_DEAD, id);
	if (r == SPOOL_WRONG_STATE)
		return complain_not_dead(sp, id);
	if (r != SPOOL_OK)
		return complain_job(sp, r, word);
	puts(id);
	return DONE;
}

static int
change_dead(struct call *c, bool retry)
{
	const struct selection all = { .states = 1 << JOB_DEAD,
		.limit = SIZE_MAX };
	struct change x = { .spool = &c->spool };
	struct listing l = { 0 };
	int i;

	if ((call_option(c, "all") != NULL) == (c->n > 0))
		return complain_usage("name jobs, or --all");
	if (call_open_spool(c, false) != DONE)
		return FAILED;
	x.worst = c->n ? select_patterns(c, all.states, "matches no dead job",
	    &l) : select_jobs(x.spool, &all, &l);
	for (i = 0; i < c->n; i++)
		if (!select_is_pattern(c->operand[i]) &&
		    change_one(c, c->operand[i], retry) != DONE)
			x.worst = FAILED;
	(retry ? retry_all : purge_all)(&x, &l);
	free(l.v);
	return x.worst;
}

int
command_dlq_retry(struct call *c)
{
	return change_dead(c, true);
}

int
command_dlq_purge(struct call *c)
{
	return change_dead(c, false);
}

const struct option_def purge_options[] = {
	{ "state", 's', "STATE[,STATE]", "completed or dead jobs; default: "
	    "completed" },
	{ "older-than", 0, "SPAN", "those that ended SPAN ago: 90, 1.5s, 15m, "
	    "12h, 7d" },
	{ "dry-run", 'n', NULL, "print their ids only" },
	{ NULL, 0, NULL, NULL }
};

struct purge {
	struct call *call;
	size_t n;               /* jobs that were removed */
	int worst;              /* exit status */
};

static bool
print_purged(void *arg, int result, const char *id)
{
	struct purge *p = arg;

	if (result == SPOOL_OK) {
		p->n++;
		puts(id);
	} else {
		p->worst = complain_job(&p->call->spool, result, id);
	}
	return !ferror(stdout);
}

static bool
is_to_purge(void *arg, const char *id)
{
	const struct call *c = ((struct purge *)arg)->call;

	return select_matches(c->operand, c->n, id);
}

/* Purges the jobs of a state that ended `span` ago (-1: none), and the oldest
 * ones beyond `most` (0: any number may stay). */
static void
purge_state(struct purge *p, enum job_state state, int64_t span, int most)
{
	struct spool *sp = &p->call->spool;
	struct spool_expiry e = { .most = (size_t)most,
		.now = now_us(), .keep = span, .match = is_to_purge,
		.dry = call_option(p->call, "dry-run") };
	bool more;

	if (spool_expire(sp, state, &e, print_purged, p, &more) != SPOOL_OK)
		p->worst = complain_spool(sp);
}

/* Complains of operands that no job in these states matches. */
static int
check_globs(struct call *c, unsigned states)
{
	struct selection s = { .states = states, .n = 1, .limit = SIZE_MAX };
	size_t n;
	int i, r, worst = DONE;

	for (i = 0; i < c->n; i++) {
		s.glob = &c->operand[i];
		r = select_count(&c->spool, &s, &n);
		if (r == DONE && !n)
			r = complain("%s: %s; queuectl list shows the jobs",
			    c->operand[i], "matches no job that has ended");
		if (r != DONE)
			worst = r;
	}
	return worst;
}

int
command_purge(struct call *c)
{
	const char *age = call_option(c, "older-than");
	const struct config *config = &c->spool.config;
	bool settings = !call_option(c, "state") && !age;
	unsigned states = settings ? STATES_ENDED : 1 << JOB_DONE;
	struct purge p = { .call = c };
	int64_t span = 0;
	int i;

	if (states_read(c, &states) != DONE)
		return USAGE;
	if (states & STATES_OPEN)
		return complain_usage("only completed and dead jobs are "
		    "purged; queuectl cancel ends others");
	if (age && !job_span_parse(age, &span))
		return complain_usage("%s must be %s, not %s", "--older-than",
		    TEXT_SPAN, age);
	if (call_open_spool(c, false) != DONE)
		return FAILED;
	p.worst = check_globs(c, states);
	/* without options as idle workers do */
	for (i = 0; i < JOB_STATES; i++)
		if (states >> i & 1 && settings)
			purge_state(&p, (enum job_state)i, i == JOB_DONE ?
			    config->keep_done : config->keep_dead,
			    config->keep_max);
		else if (states >> i & 1)
			purge_state(&p, (enum job_state)i, span, 0);
	if (settings && c->n && !p.n && p.worst == DONE)
		complain("nothing is removed, because the settings keep what "
		    "matches; purge --state completed,dead removes it");
	return p.worst;
}

static const struct config_key *
key_find(const char *word)
{
	const struct config_key *k = config_key(word);
	struct text_guess guess = { .name = NULL };

	if (k)
		return k;
	for (k = config_keys; k->name; k++)
		text_guess(&guess, word, k->name);
	complain_unknown("key", word, &guess);
	for (k = config_keys; k->name; k++)
		fprintf(stderr, "  %-14s %s\n", k->name, k->help);
	return NULL;
}

/* Makes the secret of the page's forms, if it has forms and no secret yet. */
static int
make_token(struct spool *sp)
{
	char fresh[HTTP_RANDOM + 1], token[SPOOL_TOKEN + 1];
	int r;

	if (!sp->config.web_actions)
		return DONE;
	if (!http_random(fresh))
		return complain("the system has no random numbers");
	r = spool_token(sp, fresh, token);
	return r == SPOOL_OK ? DONE : r == SPOOL_REFUSED ?
	    complain("%s/web.token: %s", sp->path, sp->why) :
	    complain_spool(sp);
}

/* Sets a key, with `create` perhaps in a new spool; `value` NULL: to its
 * default. */
static int
write_setting(struct call *c, const char *key, const char *value, bool create)
{
	const struct config_key *k = key_find(key);
	struct config scratch = { .timeout = 0 };

	if (!k)
		return USAGE;
	if (value && !config_apply(&scratch, k, value))
		return complain_usage("%s must be %s, not %s", k->name,
		    k->range, value);
	if (call_open_spool(c, create) != DONE)
		return FAILED;
	if (spool_config_set(&c->spool, k, value) != SPOOL_OK)
		return complain_spool(&c->spool);
	return make_token(&c->spool);
}

int
command_config_set(struct call *c)
{
	return write_setting(c, c->operand[0], c->operand[1], true);
}

int
command_config_unset(struct call *c)
{
	return write_setting(c, c->operand[0], NULL, false);
}

/* To be paused is a setting, so that it lasts. */
int
command_pause(struct call *c)
{
	return write_setting(c, "paused", "yes", false);
}

int
command_resume(struct call *c)
{
	return write_setting(c, "paused", NULL, false);
}

int
command_config_get(struct call *c)
{
	bool json = call_option(c, "json");
	const struct config_key *k, *one = NULL;
	struct buf b = { 0 }, value = { 0 };

	if (c->n && !(one = key_find(c->operand[0])))
		return USAGE;
	if (call_look_for_spool(c) != DONE)
		return FAILED;
	buf_puts(&b, json ? "{" : "");
	for (k = config_keys; k->name; k++) {
		if (one && one != k)
			continue;
		buf_clear(&value);
		config_value(&c->spool.config, k, &value);
		if (!json) {
			buf_printf(&b, "%s%s%s\n", one ? "" : k->name,
			    one ? "" : " = ", buf_text(&value));
		} else if (k->kind >= CONFIG_WORD) {
			json_member_string(&b, k->name, buf_text(&value));
		} else {
			json_member(&b, k->name);
			buf_add(&b, value.p, value.n);
		}
	}
	buf_puts(&b, json ? "}\n" : "");
	b.failed |= value.failed;
	buf_free(&value);
	return print_buf(&b);
}

const struct option_def fsck_options[] = {
	{ "repair", 0, NULL, "repair it, unless that would remove a job" },
	{ "json", 0, NULL, "one JSON object per line" },
	{ NULL, 0, NULL, NULL }
};

static void
print_problem(void *arg, const struct spool_problem *p)
{
	struct buf b = { 0 };

	if (call_option(arg, "json")) {
		buf_putc(&b, '{');
		json_member_string(&b, "path", p->path);
		json_member_string(&b, "problem", p->what);
		if (p->repair)
			json_member_string(&b, "repair", p->repair);
		json_member_bool(&b, "repaired", p->repaired);
		buf_puts(&b, "}\n");
	} else {
		job_escape(&b, p->path, 0);
		buf_printf(&b, ": %s%s%s\n", p->what, p->repaired ?
		    "; repaired: " : p->repair ? "; would " :
		    strchr(p->what, ';') ? "" : "; look at it yourself",
		    p->repair ? p->repair : "");
	}
	print_buf(&b);
}

int
command_fsck(struct call *c)
{
	size_t left;

	if (call_open_spool(c, false) != DONE)
		return FAILED;
	if (spool_fsck(&c->spool, call_option(c, "repair"), now_us(),
	    print_problem, c, &left) != SPOOL_OK)
		return complain_spool(&c->spool);
	return left ? FAILED : DONE;
}
