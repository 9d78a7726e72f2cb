/*
 * waits.c: see waits.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/stat.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bed.h"
#include "fault.h"
#include "holds.h"
#include "spool/waiting.h"
#include "steps.h"
#include "waits.h"

static void
tell(char what, const char *id)
{
	bool armed = fault.armed;

	fault.armed = false;
	steps_ack(what, id);
	fault.armed = armed;
}

/* Enqueues a job that waits for one or two others. */
static int
enqueue(const char *id, const char *a, const char *b, bool any, bool hold)
{
	const char *ids[] = { a, b, NULL };
	struct spool_batch batch = { .spool = &sp };
	struct job job;
	int r;

	holds_fill(&job, id, now++);
	*(any ? &job.after_any : &job.after) = (struct job_list){ ids,
		(size_t)(a != NULL) + (b != NULL) };
	job.hold = hold;
	while ((r = spool_stage(&batch, &job)) == SPOOL_NO_AFTER)
		if ((r = spool_waiting_open(&sp)) != SPOOL_OK)
			return r;
	if (r == SPOOL_OK)
		r = spool_publish(&batch);
	else
		spool_take_back(&batch);
	if (r == SPOOL_OK)
		tell('+', id);
	spool_batch_free(&batch);
	return r;
}

static void
must(int result)
{
	ck_assert_int_eq(result, SPOOL_OK);
}

void
waits_setup_parent(void)
{
	must(enqueue("j0", NULL, NULL, false, false));
}

void
waits_setup_two(void)
{
	waits_setup_parent();
	must(enqueue("j1", NULL, NULL, false, false));
	ck_assert_int_eq(bed_run("j0", JOB_EXIT, 0), JOB_DONE);
}

void
waits_setup_child(void)
{
	waits_setup_parent();
	must(enqueue("k", "j0", NULL, false, false));
}

static void
make_family(void)
{
	waits_setup_parent();
	must(enqueue("j1", NULL, NULL, false, false));
	must(enqueue("k", "j0", "j1", false, false));
	must(enqueue("m", "j0", NULL, true, false));
	must(enqueue("n", "j0", NULL, false, false));
}

void
waits_setup_family(void)
{
	make_family();
	must(steps_claim());
}

void
waits_setup_stranded(void)
{
	make_family();
	bed_shell("mv pending/*-%s done/", "j0");
}

void
waits_setup_held(void)
{
	waits_setup_child();
	must(waits_hold());
}

void
waits_setup_dead(void)
{
	struct spool_cancel x = { .id = "k" };

	waits_setup_child();
	must(bed_cancel(&x));
}

void
waits_setup_hook(void)
{
	must(spool_config_set(&sp, config_key("on-done"), "true"));
	must(spool_config_set(&sp, config_key("on-dead"), "true"));
	waits_setup_parent();
}

void
waits_setup_hook_claim(void)
{
	waits_setup_hook();
	must(steps_claim());
}

int
waits_child(void)
{
	return enqueue("k", "j0", NULL, false, false);
}

int
waits_child_of_two(void)
{
	return enqueue("k", "j0", "j1", false, false);
}

int
waits_held_child(void)
{
	return enqueue("k", "j0", NULL, false, true);
}

static int one_result, one_error;

static void
see_one(void *arg, int result, void *job)
{
	(void)arg;
	(void)job;
	one_result = result;
	one_error = errno;
}

static int
change(void (*how)(struct spool_bulk *, const char *, void *), const char *id)
{
	struct spool_bulk b = { .spool = &sp, .each = see_one };

	how(&b, id, NULL);
	spool_bulk_end(&b);
	errno = one_error;
	return one_result;
}

int
waits_hold(void)
{
	return change(spool_bulk_hold, "k");
}

int
waits_hold_parent(void)
{
	return change(spool_bulk_hold, "j0");
}

int
waits_let_go(void)
{
	return change(spool_bulk_let_go, "k");
}

int
waits_sweep(void)
{
	size_t released;

	return spool_waiting_sweep(&sp, &released);
}

int
waits_retry(void)
{
	return spool_retry(&sp, "k", now++);
}

/* The parent is needed, so it must stay. */
int
waits_purge(void)
{
	int r = spool_purge(&sp, JOB_DONE, "j0");

	return r == SPOOL_NEEDED ? SPOOL_OK : r;
}
