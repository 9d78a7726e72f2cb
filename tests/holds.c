/*
 * holds.c: see holds.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <check.h>
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "holds.h"
#include "spool/waiting.h"

static struct spool sp;
static const char *path;
static int64_t now;

void
holds_recovered(void *arg, int result, const struct job_attempt *end,
    enum job_state to, const struct job_name *next)
{
	(void)arg;
	(void)result;
	(void)end;
	(void)to;
	(void)next;
}

void
holds_fill(struct job *job, const char *id, int64_t created)
{
	job_init(job);
	strcpy(job->id, id);
	job->command = "true";
	job->priority = 5;
	job->max_retries = 2;
	job->backoff_base = 0;
	job->cwd = "/";
	job->created = created;
}

struct sight {
	char id[JOB_ID_MAX + 1];
	enum job_state state;
};

static struct sight sights[200];
static size_t nsights;

static const struct sight *
sight_of(const char *id)
{
	size_t k;

	for (k = 0; k < nsights; k++)
		if (!strcmp(sights[k].id, id))
			return &sights[k];
	return NULL;
}

/* Whether the job's last attempt is on record, and was a success. */
static bool
succeeded(const struct sight *s)
{
	struct spool_iter it;
	struct job_name name;
	bool yes = false;

	ck_assert_int_eq(spool_iter_open(&sp, &it, s->state), SPOOL_OK);
	while (!yes && spool_iter_next(&it, &name) > 0) {
		struct job job;

		if (strcmp(name.id, s->id))
			continue;
		ck_assert_int_eq(spool_load(&sp, s->state, &name, &job),
		    SPOOL_OK);
		yes = job.nattempt &&
		    job.attempt[job.nattempt - 1].outcome == JOB_EXIT &&
		    job.attempt[job.nattempt - 1].value == 0;
		job_free(&job);
	}
	spool_iter_close(&it);
	return yes;
}

/* Reads all states, and checks each job there. */
static void
look(const char *when, bool first)
{
	struct spool_iter it;
	struct job_name name;
	int i;

	nsights = 0;
	for (i = 0; i < JOB_STATES; i++) {
		ck_assert_int_eq(spool_iter_open(&sp, &it,
		    (enum job_state)i), SPOOL_OK);
		while (spool_iter_next(&it, &name) > 0) {
			char p[300], q[300];
			struct stat a, b;
			struct job job;
			int r;

			ck_assert_msg(!sight_of(name.id),
			    "%s: %s is there twice", when, name.id);
			strcpy(sights[nsights].id, name.id);
			sights[nsights++].state = (enum job_state)i;
			r = spool_load(&sp, (enum job_state)i, &name, &job);
			ck_assert_msg(r == SPOOL_OK || r == SPOOL_BAD,
			    "%s: %s cannot be read", when, name.id);
			if (r == SPOOL_BAD)
				ck_assert_msg(!strcmp(name.id, "j0"),
				    "%s: %s is damaged", when, name.id);
			job_free(&job);
			snprintf(p, sizeof p, "%s/ids/%s", path, name.id);
			snprintf(q, sizeof q, "%s/%s/%s%s%s", path,
			    job_state_dir((enum job_state)i), it.parent,
			    *it.parent ? "/" : "", it.file);
			/* a file that somebody put there has no entry in ids/ until
			 * it is claimed */
			if (stat(p, &a) == 0)
				/* nor has a copy */
				ck_assert_msg(stat(q, &b) == 0 &&
				    (a.st_ino == b.st_ino || (first &&
				    b.st_nlink == 1)),
				    "%s: ids/%s is another file", when,
				    name.id);
		}
		ck_assert_msg(it.strange == 0, "%s: %s/%s is no job", when,
		    job_state_dir((enum job_state)i), it.example);
		spool_iter_close(&it);
	}
}

/* Whether the parent has ended as a child asks. */
static bool
has_ended(const char *parent, bool any)
{
	const struct sight *s = sight_of(parent);

	return s && (s->state == JOB_DONE || (any && s->state == JOB_DEAD));
}

/* No child has come past its parents before they have ended as asked, and none
 * is left behind.  A cancelled one needs no parents. */
static void
check_children(const char *when)
{
	struct spool_iter it;
	struct job_name name;
	int i;

	for (i = 0; i < JOB_STATES; i++) {
		enum job_state state = (enum job_state)i;

		ck_assert_int_eq(spool_iter_open(&sp, &it, state), SPOOL_OK);
		while (spool_iter_next(&it, &name) > 0) {
			bool ready = true;
			struct job job;
			size_t k;

			if (spool_load(&sp, state, &name, &job) == SPOOL_OK)
				for (k = 0; k < job_parents(&job); k++)
					ready &= has_ended(job_parent(&job, k),
					    k >= job.after.n);
			job_free(&job);
			ck_assert_msg(ready || state == JOB_HELD ||
			    state == JOB_WAITING || state == JOB_DEAD,
			    "%s: %s runs before its parents", when, name.id);
			ck_assert_msg(!ready || state != JOB_WAITING,
			    "%s: %s is left behind", when, name.id);
		}
		spool_iter_close(&it);
	}
}

bool holds_ends_twice;

/* With hooks, every job that has ended has just one for its end.  If a power cut
 * took the end back, another end came, and each has its hook. */
static void
check_hooks(const char *when)
{
	size_t k, i, n;

	if (!sp.config.on_done[0])
		return;
	for (k = 0; k < nsights; k++) {
		const struct sight *s = &sights[k];
		char begins[JOB_ID_MAX + 8];

		if ((s->state != JOB_DONE && s->state != JOB_DEAD) ||
		    strchr(s->id, '.'))
			continue;
		snprintf(begins, sizeof begins, "%s.%s-", s->id,
		    s->state == JOB_DONE ? "done" : "dead");
		for (i = n = 0; i < nsights; i++)
			n += !strncmp(sights[i].id, begins, strlen(begins));
		ck_assert_msg(n == 1 || (n && holds_ends_twice),
		    "%s: %zu hooks %s…", when, n, begins);
	}
}

/* Every entry of ids/ without a job can be used for a new one. */
static void
reuse_leftovers(const char *when)
{
	char p[200];
	struct dirent *e;
	DIR *d;

	snprintf(p, sizeof p, "%s/ids", path);
	d = opendir(p);
	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d))) {
		struct spool_batch b = { .spool = &sp };
		struct job job;

		if (e->d_name[0] == '.' || sight_of(e->d_name))
			continue;
		holds_fill(&job, e->d_name, now++);
		ck_assert_msg(spool_stage(&b, &job) == SPOOL_STALE_ID &&
		    spool_reclaim(&sp, e->d_name) == SPOOL_OK &&
		    spool_stage(&b, &job) == SPOOL_OK &&
		    spool_publish(&b) == SPOOL_OK,
		    "%s: the id %s cannot be used again", when, e->d_name);
		spool_batch_free(&b);
	}
	closedir(d);
}

size_t
holds_count(const char *spool, const char *sub)
{
	char p[200];
	struct dirent *e;
	size_t n = 0;
	DIR *d;

	snprintf(p, sizeof p, "%s/%s", spool, sub);
	d = opendir(p);
	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/* Runs every job, each with success. */
static void
run_all(const char *when)
{
	static const enum job_state from[] = { JOB_PENDING, JOB_FAILED };
	struct spool_iter it;
	struct job_name name, next;
	enum job_state to;
	size_t i;

	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(spool_iter_open(&sp, &it, from[i]), SPOOL_OK);
		while (spool_iter_next(&it, &name) > 0) {
			struct job_attempt end = { .outcome = JOB_EXIT };
			struct spool_claim c;
			int r = spool_claim(&sp, from[i], &name, now++, &c);

			if (r == SPOOL_BAD)
				continue;
			ck_assert_msg(r == SPOOL_OK, "%s: %s: claim: %d",
			    when, name.id, r);
			/* nobody holds a slot whose job was not claimed */
			ck_assert_uint_eq(c.nlock, strlen(c.name.locks) ? 2 :
			    0);
			end.number = c.name.attempt;
			end.start = end.end = c.name.stamp;
			ck_assert_int_eq(spool_finish(&sp, &c, &end, &to,
			    &next), SPOOL_OK);
		}
		spool_iter_close(&it);
	}
}

static void
let_go_result(void *arg, int result, void *job)
{
	(void)job;
	ck_assert_msg(result == SPOOL_OK, "%s: a held job cannot be let go: %d",
	    (const char *)arg, result);
}

static void
let_all_go(const char *when)
{
	struct spool_bulk b = { .spool = &sp, .each = let_go_result,
		.arg = (char *)(uintptr_t)when };
	size_t k;

	for (k = 0; k < nsights; k++)
		if (sights[k].state == JOB_HELD)
			spool_bulk_let_go(&b, sights[k].id, NULL);
	spool_bulk_end(&b);
}

/* Runs every job, each with success, until no parent's end brings another. */
static void
drain(const char *when)
{
	int rounds;

	let_all_go(when);
	for (rounds = 0; rounds < 10; rounds++)
		run_all(when);
	ck_assert_msg(holds_count(path, "pending") +
	    holds_count(path, "failed") +
	    holds_count(path, "processing") == 0, "%s: does not drain", when);
}

void
holds(const char *spool, int64_t then, const char *when, const char *told)
{
	char line[80];
	size_t held, released;
	int pass;

	path = spool;
	now = then;
	ck_assert_msg(spool_open(&sp, path, true) == SPOOL_OK, "%s: no spool",
	    when);
	ck_assert_int_eq(spool_recover(&sp, now++, holds_recovered, NULL,
	    &held), SPOOL_OK);
	ck_assert_msg(held == 0, "%s: something is locked", when);
	for (pass = 0; pass < 2; pass++) {
		const char *p = told;

		ck_assert_int_eq(spool_waiting_sweep(&sp, &released), SPOOL_OK);
		look(when, pass == 0);
		check_children(when);
		check_hooks(when);
		while (sscanf(p, "%79s", line) == 1) {
			const struct sight *s = sight_of(line + 1);
			char purged[82];

			snprintf(purged, sizeof purged, "-%s\n", line + 1);
			p = strchr(p, '\n') + 1;
			if (line[0] == '-' || strstr(p, purged))
				continue;
			if (line[0] == '+')
				ck_assert_msg(s != NULL, "%s: %s is lost",
				    when, line + 1);
			if (line[0] == '=')
				ck_assert_msg(s && s->state == JOB_DONE,
				    "%s: %s would run again", when, line + 1);
			if (line[0] == 'x')
				ck_assert_msg(s && s->state == JOB_DEAD,
				    "%s: %s runs though it was cancelled",
				    when, line + 1);
			if (line[0] == 'r')
				ck_assert_msg(s && s->state != JOB_DEAD,
				    "%s: %s is dead though it was retried",
				    when, line + 1);
			if (line[0] == '=')
				ck_assert_msg(succeeded(s),
				    "%s: how %s ended is lost", when, line + 1);
		}
		if (pass == 0) {
			reuse_leftovers(when);
			drain(when);
		}
	}
	spool_close(&sp);
}

char *
holds_make_dir(char dir[80])
{
	snprintf(dir, 80, "%s/check_holds.XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	return dir;
}

static int
remove_one(const char *p, const struct stat *st, int what, struct FTW *f)
{
	(void)st;
	(void)what;
	(void)f;
	return remove(p);
}

void
holds_remove_dir(const char *dir)
{
	ck_assert_int_eq(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}
