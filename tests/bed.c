/*
 * bed.c: see bed.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bed.h"
#include "holds.h"

char dir[80], path[100];
struct spool sp;
int64_t now = INT64_C(1764000000000000);

/* In /tmp, not in memory: these tests are to see a file system on disk. */
void
bed_set_up(void)
{
	strcpy(dir, "/tmp/check_spool.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/spool", dir);
	ck_assert_int_eq(spool_open(&sp, path, true), SPOOL_OK);
}

void
bed_tear_down(void)
{
	spool_close(&sp);
	holds_remove_dir(dir);
}

size_t
bed_count(const char *sub)
{
	return holds_count(path, sub);
}

void
bed_fill(struct job *job, const char *id, const char *command)
{
	job_init(job);
	strcpy(job->id, id);
	job->command = command;
	job->priority = JOB_PRIORITY;
	job->max_retries = 3;
	job->backoff_base = 2;
	job->cwd = "/";
	job->created = now++;
}

int
bed_enqueue(const char *id)
{
	struct spool_batch b = { .spool = &sp };
	struct job job;
	int r;

	bed_fill(&job, id, "true");
	r = spool_stage(&b, &job);
	if (r == SPOOL_OK)
		r = spool_publish(&b);
	spool_batch_free(&b);
	return r;
}

void
bed_where(const char *id, enum job_state *state, struct job_name *name)
{
	ck_assert_int_eq(spool_find(&sp, id, state, name), SPOOL_OK);
}

enum job_state
bed_state_of(const char *id)
{
	struct job_name name;
	enum job_state state;

	bed_where(id, &state, &name);
	return state;
}

int
bed_claim(const char *id, struct spool_claim *c)
{
	struct job_name name;
	enum job_state state;

	bed_where(id, &state, &name);
	return spool_claim(&sp, state, &name, now++, c);
}

struct job_attempt
bed_attempt(const struct spool_claim *c, enum job_outcome outcome, int value)
{
	return (struct job_attempt){ .number = c->name.attempt,
		.outcome = outcome, .value = value, .start = c->name.stamp,
		.end = c->name.stamp + 1000, .worker = 42 };
}

enum job_state
bed_run(const char *id, enum job_outcome outcome, int value)
{
	struct job_attempt end;
	struct spool_claim c;
	struct job_name next;
	enum job_state to;

	ck_assert_int_eq(bed_claim(id, &c), SPOOL_OK);
	end = bed_attempt(&c, outcome, value);
	ck_assert_int_eq(spool_finish(&sp, &c, &end, &to, &next), SPOOL_OK);
	return to;
}

static void
keep_result(void *arg, int result, void *job)
{
	(void)job;
	*(int *)arg = result;
}

int
bed_cancel(struct spool_cancel *x)
{
	int result = SPOOL_OK;
	struct spool_bulk b = { .spool = &sp, .each = keep_result,
		.arg = &result };

	spool_bulk_cancel(&b, x, now++);
	spool_bulk_end(&b);
	return result;
}

nlink_t
bed_links(const char *id)
{
	char p[200];
	struct stat st;

	snprintf(p, sizeof p, "%s/ids/%s", path, id);
	return stat(p, &st) == 0 ? st.st_nlink : 0;
}

void
bed_shell(const char *fmt, const char *arg)
{
	char command[400], all[520];

	snprintf(command, sizeof command, fmt, arg);
	snprintf(all, sizeof all, "cd %s && %s", path, command);
	ck_assert_int_eq(system(all), 0);
}
