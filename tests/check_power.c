/*
 * check_power.c: a spool after power loss, as power.h models it.
 *
 * Each disk that a power failure may leave is made in a directory.  Another
 * process opens it, and holds() must pass: with sync=enqueue no job that was
 * acknowledged is missing or unreadable; with sync=full, moreover, no job
 * whose success was reported runs again.  To show that the model finds a
 * missing fsync, each fsync in turn is left out of the record, and a check
 * must fail.
 *
 * A change is loose while it is not safe.  Of many loose changes not every
 * subset is tried, but all, none and a sample.  With POWER=full in the
 * environment (make power) the sample is larger, and has each change alone and
 * all but each.
 *
 * The number of disks is printed.  The same disk is checked only once.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/wait.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bed.h"
#include "fault.h"
#include "holds.h"
#include "power.h"
#include "spool/log.h"
#include "spool/waiting.h"
#include "suite.h"

/* With more loose changes than this, so many subsets are tried. */
static size_t loose_max = 3, sample = 6;

static struct spool_claim claimed;

static size_t disks;

/* The numbers of the disks that were checked: a hash table with open
 * addressing; 0 is an empty place. */
enum { CHECKED = 1 << 16 };

static uint64_t checked[CHECKED];

static bool
is_new(uint64_t number)
{
	size_t i = number % CHECKED;

	for (; checked[i]; i = (i + 1) % CHECKED)
		if (checked[i] == number)
			return false;
	checked[i] = number;
	ck_assert_uint_lt(++disks, CHECKED);
	return true;
}

/* In a process of its own, because we are to see a check that fails. */
static bool
disk_holds(size_t cut, const bool *happened, enum power_damage damage,
    const char *name)
{
	char base[80], root[100], spool[220], when[200], before[POWER_TOLD_MAX];
	size_t n = power_told_before(cut);
	int status;
	pid_t pid;

	power_replay_names(cut, happened);
	if (!is_new(power_disk_number(damage, n)))
		return true;
	holds_make_dir(base);
	snprintf(root, sizeof root, "%s/r", base);
	power_make_disk(root, damage);
	snprintf(spool, sizeof spool, "%s%s", root, path + strlen(dir));
	snprintf(when, sizeof when, "%s, power off before call %zu, data %d",
	    name, cut + 1, damage);
	memcpy(before, power_told, n);
	before[n] = '\0';
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (power_skip_sync && !freopen("/dev/null", "w", stderr))
			_exit(2);
		holds(spool, now + INT64_C(86400000000), when, before);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	holds_remove_dir(base);
	return status == 0;
}

/* Checks all disks that a power failure before event `cut` may leave.  Returns
 * false if one is bad. */
static bool
cut_holds(size_t cut, const char *name)
{
	bool happened[POWER_EVENTS_MAX] = { false };
	size_t loose[POWER_EVENTS_MAX], n = 0, i, tried;
	size_t subsets, k;
	int damage;

	power_replay_data(cut);
	for (i = 0; i < cut; i++) {
		happened[i] = power_is_change(i);
		if (power_is_change(i) && !power_is_safe(i, cut))
			loose[n++] = i;
	}
	subsets = n <= loose_max ? (size_t)1 << n : sample;
	for (tried = 0; tried < subsets; tried++) {
		for (k = 0; k < n; k++) {
			bool b = tried >> k & 1;

			if (n > loose_max)
				b = tried == 0 ? false : tried == 1 ? true :
				    sample < 100 ? rand() & 1 :
				    tried < 2 + n ? tried - 2 == k :
				    tried < 2 + 2 * n ? tried - 2 - n != k :
				    rand() & 1;
			happened[loose[k]] = b;
		}
		for (damage = WHOLE; damage < DAMAGES; damage++)
			if (!disk_holds(cut, happened, (enum power_damage)damage,
			    name))
				return false;
	}
	return true;
}

static bool
all_hold(const char *name)
{
	size_t cut;

	for (cut = 0; cut <= power_events; cut++) {
		/* After a sync fewer disks are possible than before it, so
		 * there is something to check only if a promise was made. */
		if (cut && power_is_sync(cut - 1) &&
		    power_told_before(cut - 1) == power_told_before(cut))
			continue;
		if (!cut_holds(cut, name))
			return false;
	}
	return true;
}

static void
enqueue(size_t n)
{
	struct spool_batch b = { .spool = &sp, .bulk = n > 1 };
	struct job job;
	size_t i;

	for (i = 0; i < n; i++) {
		char id[24];

		snprintf(id, sizeof id, "k%zu", i);
		holds_fill(&job, id, now++);
		ck_assert_int_eq(spool_stage(&b, &job), SPOOL_OK);
	}
	ck_assert_int_eq(spool_publish(&b), SPOOL_OK);
	for (i = 0; i < n; i++)
		power_tell('+', b.v[i].name.id);
	spool_batch_free(&b);
}

static void
claim(void)
{
	enum job_state state;
	struct job_name name;
	struct spool_log log;
	int64_t offset;

	ck_assert_int_eq(spool_find(&sp, "k0", &state, &name), SPOOL_OK);
	ck_assert_int_eq(spool_claim(&sp, state, &name, now++, &claimed),
	    SPOOL_OK);
	ck_assert_int_eq(spool_log_begin(&sp, &claimed, &log, &offset),
	    SPOOL_OK);
	ck_assert_int_eq(spool_log_add(&sp, "k0", &log, "x", 1), SPOOL_OK);
	spool_log_end(&log);
}

static void
finish(enum job_outcome outcome, int value)
{
	struct job_attempt end = {
		.number = claimed.name.attempt, .outcome = outcome,
		.value = value, .start = claimed.name.stamp,
		.end = claimed.name.stamp + 1, .worker = 7
	};
	struct job_name next;
	enum job_state to;

	ck_assert_int_eq(spool_finish(&sp, &claimed, &end, &to, &next),
	    SPOOL_OK);
	if (to == JOB_DONE && sp.config.sync == SYNC_FULL)
		power_tell('=', "k0");
}

static void
one(void)
{
	enqueue(1);
	claim();
	finish(JOB_EXIT, 0);
}

static void
array(void)
{
	enqueue(3);
}

static void
bulk(void)
{
	enqueue(5);
}

static void
retried(void)
{
	enqueue(1);
	claim();
	finish(JOB_EXIT, 1);
	claim();
	finish(JOB_EXIT, 1);
	ck_assert_int_eq(spool_retry(&sp, "k0", now++), SPOOL_OK);
	claim();
	finish(JOB_EXIT, 0);
}

static void
requeued(void)
{
	enqueue(1);
	claim();
	finish(JOB_REQUEUED, 0);
}

static void
lost(void)
{
	size_t held;

	enqueue(1);
	claim();
	spool_release(&claimed);
	spool_recover(&sp, now++, holds_recovered, NULL, &held);
}

static void
purged(void)
{
	enqueue(1);
	claim();
	finish(JOB_CANCELLED, 0);
	power_tell('-', "k0");
	ck_assert_int_eq(spool_purge(&sp, JOB_DEAD, "k0"), SPOOL_OK);
}

/* A unique job replaces the job of its id that has ended. */
static void
replaced(void)
{
	struct spool_batch b = { .spool = &sp };
	struct job job;

	enqueue(1);
	claim();
	finish(JOB_EXIT, 0);
	power_tell('-', "k0");
	holds_fill(&job, "k0", now++);
	job.unique = true;
	ck_assert_int_eq(spool_stage(&b, &job), SPOOL_OK);
	ck_assert_int_eq(spool_publish(&b), SPOOL_OK);
	power_tell('+', "k0");
	spool_batch_free(&b);
}

static void
cancelled(void)
{
	struct spool_cancel x = { .id = "k0" };

	enqueue(1);
	ck_assert_int_eq(bed_cancel(&x), SPOOL_OK);
	power_tell('x', "k0");
}

static void
tell_many(void *what, int result, void *id)
{
	ck_assert_int_eq(result, SPOOL_OK);
	power_tell(*(const char *)what, id);
}

/* The first of `n` as one bulk. */
static void
cancel_many(size_t n, const char *what)
{
	struct spool_bulk b = { .spool = &sp, .each = tell_many,
		.arg = (void *)what };
	struct spool_cancel x[16] = { { .id = "" } };
	size_t i;

	for (i = 0; i < n; i++) {
		snprintf(x[i].id, sizeof x[i].id, "k%zu", i);
		spool_bulk_cancel(&b, &x[i], now++);
	}
	spool_bulk_end(&b);
}

static void
cancelled_together(void)
{
	enqueue(10);
	cancel_many(10, "x");
}

static void
retried_together(void)
{
	struct spool_bulk b = { .spool = &sp, .each = tell_many, .arg = "r" };
	struct job_name name[10];
	enum job_state state;
	char id[24];
	size_t i;

	enqueue(10);
	cancel_many(10, "+");
	for (i = 0; i < 10; i++) {
		snprintf(id, sizeof id, "k%zu", i);
		ck_assert_int_eq(spool_find(&sp, id, &state, &name[i]),
		    SPOOL_OK);
		spool_bulk_retry(&b, &name[i], now++, name[i].id);
	}
	spool_bulk_end(&b);
}

/* Enqueues a job that waits for one or two others. */
static void
enqueue_child(const char *id, const char *a, const char *b)
{
	const char *ids[] = { a, b, NULL };
	struct spool_batch batch = { .spool = &sp };
	struct job job;
	int r;

	holds_fill(&job, id, now++);
	job.after = (struct job_list){ ids, b ? 2 : 1 };
	while ((r = spool_stage(&batch, &job)) == SPOOL_NO_AFTER)
		ck_assert_int_eq(spool_waiting_open(&sp), SPOOL_OK);
	ck_assert_int_eq(r, SPOOL_OK);
	ck_assert_int_eq(spool_publish(&batch), SPOOL_OK);
	power_tell('+', id);
	spool_batch_free(&batch);
}

static void
waited(void)
{
	enqueue(1);
	enqueue_child("m", "k0", NULL);
	claim();
	finish(JOB_EXIT, 0);
}

static void
waited_for_two(void)
{
	enqueue(2);
	enqueue_child("m", "k0", "k1");
	claim();
	finish(JOB_EXIT, 0);
}

/* A job that needs the first slots of two locks, which its enqueue makes. */
static void
locked(void)
{
	const char *lock[] = { "db", "gpu" };
	struct spool_batch batch = { .spool = &sp };
	struct job job;

	holds_fill(&job, "k0", now++);
	job.lock = (struct job_list){ lock, 2 };
	ck_assert_int_eq(spool_stage(&batch, &job), SPOOL_OK);
	ck_assert_int_eq(spool_publish(&batch), SPOOL_OK);
	power_tell('+', "k0");
	spool_batch_free(&batch);
	claim();
	finish(JOB_EXIT, 0);
}

static void
see_ok(void *arg, int result, void *job)
{
	(void)arg;
	(void)job;
	ck_assert_int_eq(result, SPOOL_OK);
}

static void
held(void)
{
	struct spool_bulk b = { .spool = &sp, .each = see_ok };

	enqueue(1);
	enqueue_child("m", "k0", NULL);
	spool_bulk_hold(&b, "m", NULL);
	spool_bulk_end(&b);
	spool_bulk_let_go(&b, "m", NULL);
	spool_bulk_end(&b);
}

static void
hooked(void)
{
	ck_assert_int_eq(spool_config_set(&sp, config_key("on-done"), "true"),
	    SPOOL_OK);
	ck_assert_int_eq(spool_config_set(&sp, config_key("on-dead"), "true"),
	    SPOOL_OK);
	enqueue(1);
	claim();
	finish(JOB_EXIT, 0);
}

static void
configured(void)
{
	enqueue(1);
	ck_assert_int_eq(spool_config_set(&sp, config_key("max-retries"),
	    "9"), SPOOL_OK);
}

static const struct scenario {
	const char *name;
	void (*play)(void);
} scenarios[] = {
	{ "one job", one }, { "an array", array },
	{ "a bulk", bulk }, { "a retry", retried },
	{ "a requeue", requeued }, { "a lost job", lost },
	{ "a purge", purged }, { "a cancel", cancelled },
	{ "a unique one", replaced },
	{ "cancels together", cancelled_together },
	{ "retries together", retried_together },
	{ "a child", waited }, { "a child of two", waited_for_two },
	{ "a lock", locked }, { "hold and release", held }, { "a hook", hooked },
	{ "a setting", configured },
};

enum { SCENARIOS = sizeof scenarios / sizeof scenarios[0] };

/* Plays a scenario in a new spool, and records it. */
static void
play(const struct scenario *s, const char *sync)
{
	now = INT64_C(1764000000000000);
	power_begin();
	disks = 0;
	memset(checked, 0, sizeof checked);
	srand(1);
	holds_make_dir(dir);
	snprintf(path, sizeof path, "%s/spool", dir);
	fault = (struct fault){ .armed = true, .mode = FAULT_COUNT,
		.seen = power_record };
	ck_assert_int_eq(spool_open(&sp, path, true), SPOOL_OK);
	config_apply(&sp.config, config_key("sync"), sync);
	s->play();
	fault.armed = false;
	spool_close(&sp);
	holds_remove_dir(dir);
}

START_TEST(survives_with_sync_enqueue)
{
	play(&scenarios[_i], "enqueue");
	ck_assert_msg(all_hold(scenarios[_i].name), "see above");
	printf("power loss: %s, sync enqueue: %zu disks\n",
	    scenarios[_i].name, disks);
}
END_TEST

START_TEST(survives_with_sync_full)
{
	play(&scenarios[_i], "full");
	ck_assert_msg(all_hold(scenarios[_i].name), "see above");
	printf("power loss: %s, sync full: %zu disks\n",
	    scenarios[_i].name, disks);
}
END_TEST

/*
 * The same with each sync in turn left out: the model must notice.  There is
 * one exception, the sync of the directory that a job ends in.  If the rename
 * did not happen, the job is in processing/ with its end on record, and
 * recovery completes it.  That sync is for file systems where a rename is not
 * atomic (ext2).
 */
START_TEST(notices_a_missing_sync)
{
	int n, noticed = 0, all;

	loose_max = 2;
	sample = 4;
	play(&scenarios[0], "full");
	all = power_syncs;
	for (n = 1; n <= all; n++) {
		power_skip_sync = n;
		play(&scenarios[0], "full");
		if (!all_hold("a sync left out"))
			noticed++;
		else
			ck_assert_msg(!strcmp(power_skipped, "/spool/done"),
			    "sync %d (%s) is not missed", n, power_skipped);
	}
	printf("power loss: %d of %d syncs left out were noticed\n", noticed,
	    all);
	ck_assert_int_eq(noticed, all - 1);
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "power", .teardown = power_forget, .seconds = 3600
	};
	const struct suite_test tests[] = {
		{ survives_with_sync_enqueue, SCENARIOS },
		{ survives_with_sync_full, SCENARIOS },
		{ notices_a_missing_sync, 0 },
		{ NULL, 0 }
	};
	const char *full = getenv("POWER");

	holds_ends_twice = true;
	if (full && !strcmp(full, "full")) {
		loose_max = 10;
		sample = 1024;
	}
	return suite_run(&suite, tests);
}
