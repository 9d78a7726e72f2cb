/*
 * check_crash.c: every step of a job's life, ended at every call.
 *
 * For each operation and each n: a process carries it out and dies in place
 * of its nth file-changing call (of a write, also in the middle of it); then
 * another recovers, and what the contract promises must hold:
 *
 *   - each acknowledged job is in exactly one state, its text parses, and
 *     ids/ID is the same file;
 *   - what was reported as ended is not to be run again;
 *   - an entry of ids/ without a job can be used again;
 *   - the queue can be drained.
 *
 * The same walk with the call failing (ENOSPC, EIO, …) instead, and with
 * malloc returning NULL: the error is named, nothing is half-done, no
 * descriptor is leaked, and the operation can be repeated and succeeds.  And
 * with each call that only looks (stat, read, readdir) failing.
 *
 * The number of points tried is printed for each.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <sys/wait.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "holds.h"
#include "spool.h"
#include "spool/fsck.h"
#include "spool/log.h"
#include "spool/pool.h"
#include "spool/watch.h"

/* HIT, MISSED: how the process ends whose call number n failed, or that had
 * not so many; an assertion of check's that fails exits with 1. */
enum { POINTS_MAX = 400, HIT = 10, MISSED = 11 };

static char dir[80], path[100];
static struct spool sp;
static struct spool_claim claimed;
static int64_t now;
static int acks = -1;      /* the pipe to the parent */

/* What a process tells its parent: "+ID" it is acknowledged, "=ID" its end was
 * reported, "-ID" it was purged. */
static void
ack(char what, const char *id)
{
	char line[80];
	int n = snprintf(line, sizeof line, "%c%s\n", what, id);

	ck_assert_int_eq(write(acks, line, (size_t)n), n);
}

/* --- operations --------------------------------------------------------- */

/* n jobs, ids "" (generated) or j0, j1…; all or none. */
static bool unique;

static int
enqueue(size_t n, bool own)
{
	static const char *argv[] = { "true", "x", NULL };
	static const char *env[] = { "A=b", NULL };
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
			ack('+', b.name[i].id);
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

/* What was there before may go. */
static int
act_enqueue_unique(void)
{
	bool armed = fault.armed;
	int r;

	fault.armed = false;
	ack('-', "j0");
	fault.armed = armed;
	unique = true;
	r = enqueue(1, true);
	unique = false;
	if (r == SPOOL_LEFTOVER) {
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
	return r == SPOOL_QUEUED ? SPOOL_OK : r == SPOOL_OK ? SPOOL_STATE : r;
}

static void
setup_job(void)
{
	ck_assert_int_eq(enqueue(1, true), SPOOL_OK);
}

static int
claim_job(void)
{
	enum job_state state;
	struct job_name name;
	int r = spool_find(&sp, "j0", &state, &name);

	return r == SPOOL_OK ?
	    spool_claim(&sp, state, &name, now++, &claimed) : r;
}

static int
act_claim(void)
{
	return claim_job();
}

static void
setup_claim(void)
{
	setup_job();
	ck_assert_int_eq(claim_job(), SPOOL_OK);
}

static int
finish(enum job_outcome outcome, int value)
{
	struct job_attempt end = {
		.number = claimed.name.attempt, .outcome = outcome,
		.value = value, .start = claimed.name.stamp,
		.end = claimed.name.stamp + 1, .worker = 7
	};
	struct job_name next;
	enum job_state to;
	int r = spool_finish(&sp, &claimed, &end, &to, &next);

	if (r == SPOOL_OK && to == JOB_DONE) {
		fault.armed = false;
		ack('=', "j0");
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

	/* after the first unlink it is no longer there to be found */
	return r == SPOOL_GONE ? SPOOL_OK : r;
}

/* A worker that died: its lock is gone with it. */
static void
setup_lost(void)
{
	setup_claim();
	close(claimed.fd);
	job_free(&claimed.job);
	claimed.fd = -1;
}

static void
setup_recorded(void)
{
	struct job_attempt end = { .number = 1, .outcome = JOB_EXIT };
	char file[JOB_NAME_MAX + 1], p[300];
	struct buf line = { 0 };
	int fd;

	setup_claim();
	end.start = end.end = claimed.name.stamp;
	job_format_attempt(&line, &end);
	job_name_format(file, &claimed.name);
	snprintf(p, sizeof p, "%s/processing/%s", path, file);
	fd = open(p, O_WRONLY | O_APPEND);
	ck_assert_int_eq(write(fd, line.p, line.n), (ssize_t)line.n);
	close(fd);
	buf_free(&line);
	close(claimed.fd);
	job_free(&claimed.job);
}

static int
act_recover(void)
{
	size_t held;

	return spool_recover(&sp, now++, holds_recovered, NULL, &held);
}

/* As the command does: until it is no longer busy. */
static int
act_cancel(void)
{
	struct spool_cancel x = { .id = "j0" };
	int r, i;

	for (i = 0; i < 5; i++)
		if ((r = spool_cancel(&sp, &x, now++)) != SPOOL_BUSY)
			break;
	if (r == SPOOL_OK) {
		fault.armed = false;
		ack('x', "j0");
	}
	return r;
}

static int
act_config(void)
{
	return spool_config_set(&sp, config_key("max-retries"), "9");
}

static int
act_pool(void)
{
	struct spool_slot slot = { .number = 1, .pid = 7,
		.tally = { .outcome = { 1 }, .took = { 1 } } };
	struct spool_pool pool;
	int r = spool_pool_join(&sp, &pool, 2, now++);

	if (r != SPOOL_OK)
		return r;
	spool_pool_note(&pool, &slot);
	spool_pool_leave(&sp, &pool);
	close(pool.fd);
	return SPOOL_OK;
}

static int
act_create(void)
{
	struct spool other;
	char p[200];
	int r;

	snprintf(p, sizeof p, "%s/a/b/spool", dir);
	r = spool_open(&other, p, true);
	if (r == SPOOL_OK)
		spool_close(&other);
	else
		strcpy(sp.at, other.at);
	return r;
}

/* A file that a hand wrote. */
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
	ack('+', "j0");
}

static void
setup_bad(void)
{
	plant("garbage\n");
	now += INT64_C(3600000000) * 24 * 365 * 10; /* it is an old file */
	ack('+', "j0");
}

static int
act_bury(void)
{
	int r = claim_job();

	return r == SPOOL_BAD ? SPOOL_OK : r;
}

static void
setup_leftover(void)
{
	char p[300];
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
pending_path(char p[300])
{
	char file[JOB_NAME_MAX + 1];
	struct job_name name;
	enum job_state state;

	ck_assert_int_eq(spool_find(&sp, "j0", &state, &name), SPOOL_OK);
	job_name_format(file, &name);
	snprintf(p, 300, "%s/pending/%s", path, file);
}

/* A file with that text. */
static void
put(const char *p, const char *text, size_t n)
{
	int fd = open(p, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, n), (ssize_t)n);
	close(fd);
}

/* cp has broken its hard link; the other name lies aside. */
static void
setup_copy(void)
{
	char p[300], aside[200], copy[200], text[4096];
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
	int r = spool_log_begin(&sp, &claimed, &log, &offset);

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

/* The second attempt writes more than there is room for. */
static void
setup_long_log(void)
{
	ck_assert_int_eq(spool_config_set(&sp, config_key("log-max"), "4K"),
	    SPOOL_OK);
	setup_claim();
	ck_assert_int_eq(write_log(4000), SPOOL_OK);
	ck_assert_int_eq(finish(JOB_EXIT, 1), SPOOL_OK);
	ck_assert_int_eq(claim_job(), SPOOL_OK);
}

static int
act_long_log(void)
{
	return write_log(1000);
}

static int
act_resolve(void)
{
	char id[JOB_ID_MAX + 1];

	return spool_resolve(&sp, "j", id);
}

static int
act_drained(void)
{
	return spool_drained(&sp) < 0 ? SPOOL_ERROR : SPOOL_OK;
}

static void
see_slot(void *arg, const char *pool, long pid, const struct spool_slot *s)
{
	(void)arg;
	(void)pool;
	(void)pid;
	(void)s;
}

static int
act_slots(void)
{
	return spool_slots(&sp, true, see_slot, NULL);
}

/* What fsck mends, in each directory. */
static void
setup_amiss(void)
{
	char p[300], q[300];

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

/* A problem that it cannot mend is told, and no failure. */
static int
act_fsck(void)
{
	size_t left;

	spool_fsck(&sp, true, now++, see_problem, NULL, &left);
	return SPOOL_OK;
}

static void
setup_nothing(void)
{
}

static const struct operation {
	const char *name;
	void (*setup)(void);
	int (*act)(void);
	bool looks;            /* it changes nothing */
} operations[] = {
	{ "enqueue", setup_nothing, act_enqueue, false },
	{ "enqueue with an own id", setup_nothing, act_enqueue_own, false },
	{ "enqueue an array", setup_nothing, act_enqueue_array, false },
	{ "enqueue in bulk", setup_nothing, act_enqueue_bulk, false },
	{ "enqueue over a leftover", setup_leftover, act_reclaim, false },
	{ "enqueue, unique, over one that has ended", setup_dead,
	    act_enqueue_unique, false },
	{ "see that a unique one is queued", setup_job, act_enqueue_queued,
	    false },
	{ "claim", setup_job, act_claim, false },
	{ "claim what a hand put there", setup_hand, act_claim, false },
	{ "claim a copy", setup_copy, act_claim, false },
	{ "claim what is no job", setup_bad, act_bury, false },
	{ "write to the log", setup_claim, act_log, false },
	{ "drop the middle of the log", setup_long_log, act_long_log, false },
	{ "finish to done", setup_claim, act_finish_done, false },
	{ "finish to done, sync full", setup_full, act_finish_done, false },
	{ "finish to failed", setup_claim, act_finish_failed, false },
	{ "finish to dead", setup_claim, act_finish_dead, false },
	{ "requeue", setup_claim, act_requeue, false },
	{ "retry", setup_dead, act_retry, false },
	{ "purge", setup_dead, act_purge, false },
	{ "recover what was lost", setup_lost, act_recover, false },
	{ "recover what was recorded", setup_recorded, act_recover, false },
	{ "cancel what waits", setup_job, act_cancel, false },
	{ "cancel what waits for a retry", setup_failed, act_cancel, false },
	{ "cancel what was lost", setup_lost, act_cancel, false },
	{ "find by a prefix", setup_job, act_resolve, true },
	{ "ask what is left", setup_job, act_drained, true },
	{ "ask who works", setup_lost, act_slots, true },
	{ "fsck --repair", setup_amiss, act_fsck, false },
	{ "config set", setup_nothing, act_config, false },
	{ "a pool's life", setup_nothing, act_pool, false },
	{ "making a spool", setup_nothing, act_create, false },
};

enum { OPERATIONS = sizeof operations / sizeof operations[0] };

/* --- the walks ---------------------------------------------------------- */

static int
open_fds(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 32; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* After a failure: it is named, it left nothing, and can be repeated. */
static void
after_error(const struct operation *o, const char *when, int r, int e, int fds)
{
	bool enqueues = !strncmp(o->name, "enqueue", 7);

	ck_assert_msg(r == SPOOL_ERROR || r == SPOOL_OK || r == SPOOL_BUSY ||
	    (r == SPOOL_ALIEN && (fault.error == EACCES ||
	    (o->act == act_create && (!strcmp(fault.hit, "flock") ||
	    fault.error == EMLINK)))),
	    "%s: result %d", when, r);
	if (r == SPOOL_OK || r == SPOOL_ALIEN)
		return; /* it was not needed; a file that may not be read,
		        * a file system without flock */
	/* Locking can be told busy; else the error is what was injected. */
	ck_assert_msg(r == SPOOL_BUSY || e == fault.error, "%s: errno %d",
	    when, e);
	ck_assert_msg(r == SPOOL_BUSY || sp.at[0] || fault.error == ENOMEM ||
	    !strcmp(fault.hit, "syncfs") || !strcmp(fault.hit, "flock") ||
	    !strcmp(fault.hit, "fsync") || !strcmp(fault.hit, "open") ||
	    !strcmp(fault.hit, "mkdirat"),
	    "%s: names nothing", when);
	/* ids/ stays open once it was */
	ck_assert_msg(open_fds() <= fds + (sp.ids >= 0), "%s: leaks", when);
	if (enqueues)
		ck_assert_msg(holds_count(path, "pending") == 0, "%s: half-done", when);
	if (enqueues && o->setup == setup_nothing)
		ck_assert_msg(holds_count(path, "ids") == 0, "%s: left an id", when);
	r = o->act();
	/* one that is done, but not safe yet */
	ck_assert_msg(r == SPOOL_OK || (r == SPOOL_STATE &&
	    (o->act == act_retry || o->act == act_cancel)),
	    "%s: cannot be repeated: %d", when, r);
	if (o->act == act_finish_done) {
		struct job_name name;
		enum job_state state;
		struct job job;

		ck_assert_int_eq(spool_find(&sp, "j0", &state, &name),
		    SPOOL_OK);
		ck_assert_int_eq(spool_load(&sp, state, &name, &job),
		    SPOOL_OK);
		ck_assert_msg(job.nattempt == 1, "%s: %zu lines", when,
		    job.nattempt);
		job_free(&job);
	}
}

/* After a call that only looks has failed: whatever came of it, it leaks
 * nothing, and can be repeated unless it was done. */
static void
after_look(const struct operation *o, const char *when, int r, int e, int fds)
{
	ck_assert_msg(r != SPOOL_ERROR || e == fault.error, "%s: errno %d",
	    when, e);
	/* "" is the spool itself */
	ck_assert_msg(r != SPOOL_ERROR || sp.at[0] || o->act == act_create,
	    "%s: names nothing", when);
	if (r == SPOOL_OK)
		return;
	ck_assert_msg(open_fds() <= fds + (sp.ids >= 0), "%s: leaks", when);
	r = o->act();
	ck_assert_msg(r == SPOOL_OK || (r == SPOOL_STATE &&
	    (o->act == act_retry || o->act == act_cancel)),
	    "%s: cannot be repeated: %d", when, r);
}

/* The process that carries the operation out. */
static _Noreturn void
perform(const struct operation *o, const char *when, const struct fault *f)
{
	int fds, r, e;

	ck_assert_int_eq(spool_open(&sp, path, true), SPOOL_OK);
	o->setup();
	fds = open_fds() - (claimed.fd > 2) - (sp.ids >= 0);
	fault = *f;
	fault.armed = true;
	errno = 0;
	r = o->act();
	e = errno;
	fault.armed = false;
	if (f->kind == FAULT_LOOKS)
		after_look(o, when, r, e, fds + (claimed.fd > 2));
	else if (f->mode == FAULT_ERROR)
		after_error(o, when, r, e, fds + (claimed.fd > 2));
	else
		ck_assert_msg(r == SPOOL_OK, "%s: result %d", when, r);
	if (o->act == act_purge)
		ack('-', "j0");
	_exit(fault.count < f->at ? MISSED : HIT);
}

/* One point.  Returns false when there is no such point any more. */
static bool
try_point(const struct operation *o, const struct fault *f, const char *how)
{
	char when[120], told[4096];
	int p[2], status;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	snprintf(when, sizeof when, "%s, call %d, %s", o->name, f->at, how);
	holds_make_dir(dir);
	snprintf(path, sizeof path, "%s/spool", dir);
	now = INT64_C(1764000000000000);
	ck_assert_int_eq(pipe(p), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		close(p[0]);
		acks = p[1];
		claimed.fd = -1;
		perform(o, when, f);
	}
	close(p[1]);
	while ((got = read(p[0], told + n, sizeof told - 1 - n)) > 0)
		n += (size_t)got;
	told[n] = '\0';
	close(p[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && (WEXITSTATUS(status) == HIT ||
	    WEXITSTATUS(status) == MISSED ||
	    WEXITSTATUS(status) == FAULT_EXIT), "%s: status %x", when, status);
	/* A purge that died may or may not have happened. */
	if (o->act == act_purge && WEXITSTATUS(status) == FAULT_EXIT)
		strcat(told, "-j0\n");
	now += INT64_C(3600000000) * 24;
	holds(path, now, when, told);
	holds_remove_dir(dir);
	return WEXITSTATUS(status) != MISSED;
}

static int
walk(const struct operation *o, struct fault f, const char *how)
{
	for (f.at = 1; f.at < POINTS_MAX; f.at++)
		if (!try_point(o, &f, how))
			break;
	ck_assert_msg(f.at > 1 || f.kind == FAULT_LOOKS || o->looks, "%s: no call at all",
	    o->name);
	ck_assert_int_lt(f.at, POINTS_MAX);
	return f.at - 1;
}

START_TEST(dies_at_every_call)
{
	const struct operation *o = &operations[_i];
	int n = walk(o, (struct fault){ .mode = FAULT_DIE }, "dies") +
	    walk(o, (struct fault){ .mode = FAULT_TEAR }, "dies halfway");

	printf("crash points: %s: %d\n", o->name, n);
}
END_TEST

START_TEST(fails_at_every_call)
{
	static const int errors[] = { ENOSPC, EIO, EDQUOT, EMFILE, EMLINK,
		EINTR, EACCES };
	const struct operation *o = &operations[_i];
	size_t i;
	int n = 0;

	for (i = 0; i < sizeof errors / sizeof errors[0]; i++)
		n += walk(o, (struct fault){ .mode = FAULT_ERROR,
		    .error = errors[i] }, strerror(errors[i]));
	printf("error points: %s: %d\n", o->name, n);
}
END_TEST

START_TEST(fails_at_every_look)
{
	static const int errors[] = { EIO, EINTR };
	const struct operation *o = &operations[_i];
	struct fault f = { .mode = FAULT_ERROR, .kind = FAULT_LOOKS };
	size_t i;
	int n = 0;

	for (i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		/* of these calls only pread can be interrupted */
		if (errors[i] == EINTR && o->act != act_claim)
			continue;
		f.error = errors[i];
		n += walk(o, f, strerror(errors[i]));
	}
	printf("error points of looking: %s: %d\n", o->name, n);
}
END_TEST

START_TEST(fails_at_every_allocation)
{
	const struct operation *o = &operations[_i];
	struct fault f = { .mode = FAULT_ERROR, .error = ENOMEM,
		.kind = FAULT_MEMORY };
	int n = 0;

	for (f.at = 1; try_point(o, &f, "no memory"); f.at++)
		n++;
	printf("allocation points: %s: %d\n", o->name, n);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("crash");
	SRunner *runner = srunner_create(s);
	/* two of about the same length, for two lanes */
	TCase *errors = tcase_create("errors");
	TCase *others = tcase_create("others");
	int failed;

	tcase_set_timeout(errors, 600);
	tcase_set_timeout(others, 600);
	tcase_add_loop_test(errors, fails_at_every_call, 0, OPERATIONS);
	tcase_add_loop_test(others, dies_at_every_call, 0, OPERATIONS);
	tcase_add_loop_test(others, fails_at_every_look, 0, OPERATIONS);
	tcase_add_loop_test(others, fails_at_every_allocation, 0, OPERATIONS);
	suite_add_tcase(s, errors);
	suite_add_tcase(s, others);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
