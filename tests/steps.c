/*
 * steps.c: see steps.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bed.h"
#include "fault.h"
#include "holds.h"
#include "spool/fsck.h"
#include "spool/log.h"
#include "spool/pool.h"
#include "places.h"
#include "steps.h"
#include "waits.h"

static bool unique, locked; /* enqueue jobs as unique ones, with locks */
static int acks = -1;  /* the pipe to the parent */

struct spool_claim steps_claimed = { .fd = -1 };

void
steps_begin(int fd)
{
	acks = fd;
	steps_claimed.fd = -1;
}

void
steps_ack(char what, const char *id)
{
	char line[80];
	int n = snprintf(line, sizeof line, "%c%s\n", what, id);

	ck_assert_int_eq(write(acks, line, (size_t)n), n);
}

/* Enqueues n jobs, all or none, with the ids j0, j1… or generated ones. */
static int
enqueue(size_t n, bool own)
{
	static const char *argv[] = { "true", "x", NULL };
	static const char *env[] = { "A=b", NULL };
	static const char *lock[] = { "gpu", "db" };
	struct spool_batch b = { .spool = &sp, .bulk = n > 1 };
	struct job job;
	size_t i;
	int r = SPOOL_OK;

	for (i = 0; i < n && r == SPOOL_OK; i++) {
		char id[24] = "";

		if (own)
			snprintf(id, sizeof id, "j%zu", i);
		holds_fill(&job, id, now++);
		job.command = NULL;
		job.argv = argv;
		job.argc = 2;
		job.env = env;
		job.nenv = 1;
		job.unique = unique;
		job.lock = (struct job_list){ lock, locked ? 2 : 0 };
		r = spool_stage(&b, &job);
	}
	if (r == SPOOL_OK)
		r = spool_publish(&b);
	else
		spool_take_back(&b);
	if (r == SPOOL_OK) {
		bool armed = fault.armed;

		fault.armed = false;
		for (i = 0; i < b.n; i++)
			steps_ack('+', b.v[i].name.id);
		fault.armed = armed;
	}
	spool_batch_free(&b);
	return r;
}

static int
act_enqueue(void)
{
	return enqueue(1, false);
}

static int
act_enqueue_own(void)
{
	return enqueue(1, true);
}

static int
act_enqueue_array(void)
{
	return enqueue(3, true);
}

static int
act_enqueue_bulk(void)
{
	return enqueue(12, false);
}

/* The job that has the id may go. */
static int
act_enqueue_unique(void)
{
	bool armed = fault.armed;
	int r;

	fault.armed = false;
	steps_ack('-', "j0");
	fault.armed = armed;
	unique = true;
	r = enqueue(1, true);
	unique = false;
	if (r == SPOOL_STALE_ID) {
		r = spool_reclaim(&sp, "j0");
		if (r == SPOOL_OK)
			return act_enqueue_unique();
	}
	return r;
}

static int
act_enqueue_queued(void)
{
	int r;

	unique = true;
	r = enqueue(1, true);
	unique = false;
	return r == SPOOL_DUPLICATE ? SPOOL_OK : r == SPOOL_OK ? SPOOL_WRONG_STATE : r;
}

static int
act_enqueue_locked(void)
{
	locked = true;
	return enqueue(1, true);
}

static void
setup_locked(void)
{
	ck_assert_int_eq(act_enqueue_locked(), SPOOL_OK);
}

static void
setup_job(void)
{
	ck_assert_int_eq(enqueue(1, true), SPOOL_OK);
}

int
steps_claim(void)
{
	enum job_state state;
	struct job_name name;
	int r = spool_find(&sp, "j0", &state, &name);

	return r == SPOOL_OK ?
	    spool_claim(&sp, state, &name, now++, &steps_claimed) : r;
}

static int
act_claim(void)
{
	return steps_claim();
}

static void
setup_claim(void)
{
	setup_job();
	ck_assert_int_eq(steps_claim(), SPOOL_OK);
}

static void
setup_locked_claim(void)
{
	setup_locked();
	ck_assert_int_eq(act_claim(), SPOOL_OK);
}

static int
finish(enum job_outcome outcome, int value)
{
	struct job_attempt end = {
		.number = steps_claimed.name.attempt, .outcome = outcome,
		.value = value, .start = steps_claimed.name.stamp,
		.end = steps_claimed.name.stamp + 1, .worker = 7
	};
	struct job_name next;
	enum job_state to;
	int r = spool_finish(&sp, &steps_claimed, &end, &to, &next);

	if (r == SPOOL_OK && to == JOB_DONE) {
		fault.armed = false;
		steps_ack('=', "j0");
	}
	return r;
}

static int
act_finish_done(void)
{
	return finish(JOB_EXIT, 0);
}

static int
act_finish_failed(void)
{
	return finish(JOB_EXIT, 1);
}

static int
act_requeue(void)
{
	return finish(JOB_REQUEUED, 0);
}

static int
act_finish_dead(void)
{
	return finish(JOB_CANCELLED, 0);
}

static void
setup_full(void)
{
	ck_assert_int_eq(spool_config_set(&sp, config_key("sync"), "full"),
	    SPOOL_OK);
	setup_claim();
}

static void
setup_dead(void)
{
	setup_claim();
	ck_assert_int_eq(finish(JOB_CANCELLED, 0), SPOOL_OK);
}

static void
setup_failed(void)
{
	setup_claim();
	ck_assert_int_eq(finish(JOB_EXIT, 1), SPOOL_OK);
}

static int
act_retry(void)
{
	return spool_retry(&sp, "j0", now++);
}

static int
act_purge(void)
{
	int r = spool_purge(&sp, JOB_DEAD, "j0");

	/* after the first unlink nobody finds it any more */
	return r == SPOOL_GONE ? SPOOL_OK : r;
}

/* A worker has died, and the kernel has released its lock. */
static void
setup_lost(void)
{
	setup_claim();
	close(steps_claimed.fd);
	job_free(&steps_claimed.job);
	steps_claimed.fd = -1;
}

static void
setup_recorded(void)
{
	struct job_attempt end = { .number = 1, .outcome = JOB_EXIT };
	char file[JOB_NAME_MAX + 1], p[400];
	struct buf line = { 0 };
	int fd;

	setup_claim();
	end.start = end.end = steps_claimed.name.stamp;
	job_format_attempt(&line, &end);
	job_name_format(file, &steps_claimed.name);
	snprintf(p, sizeof p, "%s/processing/%s", path, file);
	fd = open(p, O_WRONLY | O_APPEND);
	ck_assert_int_eq(write(fd, line.p, line.n), (ssize_t)line.n);
	close(fd);
	buf_free(&line);
	close(steps_claimed.fd);
	job_free(&steps_claimed.job);
}

static int
act_recover(void)
{
	size_t held;

	return spool_recover(&sp, now++, holds_recovered, NULL, &held);
}

/* As the command does: again while it is busy. */
static int
act_cancel(void)
{
	struct spool_cancel x = { .id = "j0" };
	int r, i;

	for (i = 0; i < 5; i++)
		if ((r = bed_cancel(&x)) != SPOOL_BUSY)
			break;
	if (r == SPOOL_OK) {
		fault.armed = false;
		steps_ack('x', "j0");
	}
	return r;
}

enum { MANY = 10 };    /* more than are synced one by one */

static void
setup_many(void)
{
	ck_assert_int_eq(enqueue(MANY, true), SPOOL_OK);
}

/* Told of the jobs of a bulk; the first error is its result. */
static int many_result, many_error;

static void
see_many(void *what, int result, void *id)
{
	bool armed = fault.armed;

	if (result == SPOOL_OK) {
		fault.armed = false;
		steps_ack(*(const char *)what, id);
		fault.armed = armed;
	} else if (many_result == SPOOL_OK && result != SPOOL_WRONG_STATE &&
	    result != SPOOL_GONE) {
		many_result = result;
		many_error = errno;
	}
}

static int
end_many(struct spool_bulk *b)
{
	spool_bulk_end(b);
	errno = many_error;
	return many_result;
}

static int
act_cancel_many(void)
{
	struct spool_bulk b = { .spool = &sp, .each = see_many, .arg = "x" };
	struct spool_cancel x[MANY] = { { .id = "" } };
	int i;

	many_result = SPOOL_OK;
	for (i = 0; i < MANY; i++) {
		snprintf(x[i].id, sizeof x[i].id, "j%d", i);
		spool_bulk_cancel(&b, &x[i], now++);
	}
	return end_many(&b);
}

static void
setup_many_dead(void)
{
	struct spool_cancel x;
	int i;

	setup_many();
	for (i = 0; i < MANY; i++) {
		x = (struct spool_cancel){ .state = JOB_PENDING };
		snprintf(x.id, sizeof x.id, "j%d", i);
		ck_assert_int_eq(bed_cancel(&x), SPOOL_OK);
	}
}

static int
act_retry_many(void)
{
	struct spool_bulk b = { .spool = &sp, .each = see_many, .arg = "r" };
	struct job_name name[MANY];
	enum job_state state;
	char id[24];
	int i, r;

	many_result = SPOOL_OK;
	for (i = 0; i < MANY; i++) {
		snprintf(id, sizeof id, "j%d", i);
		r = spool_find(&sp, id, &state, &name[i]);
		if (r == SPOOL_OK && state == JOB_DEAD)
			spool_bulk_retry(&b, &name[i], now++, name[i].id);
		else if (r != SPOOL_OK && many_result == SPOOL_OK) {
			many_result = r;
			many_error = errno;
		}
	}
	return end_many(&b);
}

/* A file that somebody wrote into pending/. */
static void
plant(const char *text)
{
	char p[300];
	FILE *f;

	snprintf(p, sizeof p, "%s/pending/5-20200101T000000.000000Z-0-j0",
	    path);
	f = fopen(p, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void
setup_hand(void)
{
	plant("Queuectl: 1\nCommand: true\nCreated: 2020-01-01T00:00:00Z\n");
	steps_ack('+', "j0");
}

static void
setup_bad(void)
{
	plant("garbage\n");
	now += INT64_C(3600000000) * 24 * 365 * 10; /* the file is old by then */
	steps_ack('+', "j0");
}

static int
act_bury(void)
{
	int r = steps_claim();

	return r == SPOOL_BAD ? SPOOL_OK : r;
}

static void
setup_leftover(void)
{
	char p[400];
	int fd;

	snprintf(p, sizeof p, "%s/ids/j0", path);
	fd = open(p, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static int
act_reclaim(void)
{
	int r = spool_reclaim(&sp, "j0");

	return r == SPOOL_OK ? enqueue(1, true) : r;
}

/* The path of the job's file in pending/, below `path`. */
static void
pending_path(char p[400])
{
	char file[JOB_NAME_MAX + 1];
	struct job_name name;
	enum job_state state;

	ck_assert_int_eq(spool_find(&sp, "j0", &state, &name), SPOOL_OK);
	job_name_format(file, &name);
	snprintf(p, 400, "%s/pending/%s", path, file);
}

/* Makes a file with that text. */
static void
put(const char *p, const char *text, size_t n)
{
	int fd = open(p, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, n), (ssize_t)n);
	close(fd);
}

/* cp has broken the hard link; another link of the old file is outside. */
static void
setup_copy(void)
{
	char p[400], aside[200], copy[200], text[4096];
	ssize_t n;
	int fd;

	setup_job();
	pending_path(p);
	snprintf(aside, sizeof aside, "%s/aside", dir);
	snprintf(copy, sizeof copy, "%s/copy", dir);
	ck_assert_int_eq(link(p, aside), 0);
	fd = open(p, O_RDONLY);
	n = read(fd, text, sizeof text);
	ck_assert_int_gt(n, 0);
	close(fd);
	put(copy, text, (size_t)n);
	ck_assert_int_eq(rename(copy, p), 0);
}

static int
write_log(size_t n)
{
	struct spool_log log;
	char bytes[4096];
	int64_t offset;
	int r = spool_log_begin(&sp, &steps_claimed, &log, &offset);

	memset(bytes, 'x', sizeof bytes);
	if (r == SPOOL_OK)
		r = spool_log_add(&sp, "j0", &log, bytes, n);
	spool_log_end(&log);
	return r;
}

static int
act_log(void)
{
	return write_log(3);
}

/* The first attempt has nearly filled the log. */
static void
setup_long_log(void)
{
	ck_assert_int_eq(spool_config_set(&sp, config_key("log-max"), "4K"),
	    SPOOL_OK);
	setup_claim();
	ck_assert_int_eq(write_log(4000), SPOOL_OK);
	ck_assert_int_eq(finish(JOB_EXIT, 1), SPOOL_OK);
	ck_assert_int_eq(steps_claim(), SPOOL_OK);
}

static int
act_long_log(void)
{
	return write_log(1000);
}

/* Something that fsck repairs in each directory. */
static void
setup_amiss(void)
{
	char p[400], q[300];

	setup_job();
	pending_path(p);
	ck_assert_int_eq(chmod(p, 0640), 0);
	snprintf(q, sizeof q, "%s/ids/left", path);
	put(q, "", 0);
	snprintf(q, sizeof q, "%s/log/gone.log", path);
	put(q, "", 0);
	snprintf(q, sizeof q, "%s/done", path);
	ck_assert_int_eq(chmod(q, 0755), 0);
}

static void
see_problem(void *arg, const struct spool_problem *p)
{
	(void)arg;
	(void)p;
}

/* A problem that it cannot repair is reported, and is not a failure. */
static int
act_fsck(void)
{
	size_t left;

	spool_fsck(&sp, true, now++, see_problem, NULL, &left);
	return SPOOL_OK;
}

const struct operation operations[] = {
	{ "enqueue", NULL, act_enqueue, 0 },
	{ "enqueue with an own id", NULL, act_enqueue_own, 0 },
	{ "enqueue an array", NULL, act_enqueue_array, 0 },
	{ "enqueue in bulk", NULL, act_enqueue_bulk, 0 },
	{ "enqueue over a leftover", setup_leftover, act_reclaim, 0 },
	{ "enqueue, unique, over one that has ended", setup_dead,
	    act_enqueue_unique, 0 },
	{ "enqueue the first jobs with locks", NULL, act_enqueue_locked, 0 },
	{ "claim with locks", setup_locked, act_claim, STEP_READS },
	{ "finish with locks", setup_locked_claim, act_finish_done, STEP_ENDS },
	{ "see that a unique one is queued", setup_job, act_enqueue_queued, 0 },
	{ "claim", setup_job, act_claim, STEP_READS },
	{ "claim what a hand put there", setup_hand, act_claim, STEP_READS },
	{ "claim a copy", setup_copy, act_claim, STEP_READS },
	{ "claim what is no job", setup_bad, act_bury, 0 },
	{ "write to the log", setup_claim, act_log, 0 },
	{ "drop the middle of the log", setup_long_log, act_long_log, 0 },
	{ "finish to done", setup_claim, act_finish_done, STEP_ENDS },
	{ "finish to done, sync full", setup_full, act_finish_done, STEP_ENDS },
	{ "finish to failed", setup_claim, act_finish_failed, 0 },
	{ "finish to dead", setup_claim, act_finish_dead, 0 },
	{ "requeue", setup_claim, act_requeue, 0 },
	{ "retry", setup_dead, act_retry, STEP_ONCE },
	{ "retry many", setup_many_dead, act_retry_many, 0 },
	{ "cancel many", setup_many, act_cancel_many, 0 },
	{ "purge", setup_dead, act_purge, STEP_PURGES },
	{ "recover what was lost", setup_lost, act_recover, 0 },
	{ "recover what was recorded", setup_recorded, act_recover, 0 },
	{ "cancel what waits", setup_job, act_cancel, STEP_ONCE },
	{ "cancel what waits for a retry", setup_failed, act_cancel, STEP_ONCE },
	{ "cancel what was lost", setup_lost, act_cancel, STEP_ONCE },
	{ "a child is enqueued", waits_setup_parent, waits_child, STEP_ADDS },
	{ "a child of two is enqueued", waits_setup_two, waits_child_of_two,
	    STEP_ADDS },
	{ "a held child is enqueued", waits_setup_parent, waits_held_child,
	    STEP_ADDS },
	{ "finish to done, with children", waits_setup_family, act_finish_done,
	    STEP_ENDS },
	{ "finish to dead, with children", waits_setup_family, act_finish_dead,
	    0 },
	{ "cancel what others wait for", waits_setup_child, act_cancel,
	    STEP_ONCE },
	{ "sweep", waits_setup_stranded, waits_sweep, 0 },
	{ "hold what waits", waits_setup_child, waits_hold, STEP_ONCE },
	{ "hold what is pending", waits_setup_child, waits_hold_parent,
	    STEP_ONCE },
	{ "let go", waits_setup_held, waits_let_go, STEP_ONCE },
	{ "retry what waits", waits_setup_dead, waits_retry, STEP_ONCE },
	{ "purge a parent", waits_setup_stranded, waits_purge, 0 },
	{ "finish to done, with a hook", waits_setup_hook_claim,
	    act_finish_done, STEP_ENDS },
	{ "finish to dead, with a hook", waits_setup_hook_claim,
	    act_finish_dead, 0 },
	{ "cancel, with a hook", waits_setup_hook, act_cancel, STEP_ONCE },
	{ "find by a prefix", setup_job, places_resolve, STEP_LOOKS },
	{ "ask what is left", setup_job, places_drained, STEP_LOOKS },
	{ "ask who works", setup_lost, places_slots, STEP_LOOKS },
	{ "fsck --repair", setup_amiss, act_fsck, 0 },
	{ "config set", NULL, places_config, 0 },
	{ "a pool's life", NULL, places_pool, 0 },
	{ "making a spool", NULL, places_create, STEP_MAKES },
};

const int operations_count = sizeof operations / sizeof operations[0];
