/*
 * queue.c: the work on the queue alone, for `make bench`.  Prints seconds.
 *
 *     queue DIR            claims all jobs of pending/, records that they
 *                          succeeded and moves them to done/, without running
 *                          them, as a worker does
 *     queue DIR release    releases all children whose parents have ended
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "spool.h"
#include "spool/waiting.h"

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int64_t
today(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int
one(struct spool *sp, const struct job_name *name)
{
	struct job_attempt end = { .outcome = JOB_EXIT,
		.worker = 1 };
	struct spool_claim claim;
	struct job_name next;
	enum job_state to;
	int r = spool_claim(sp, JOB_PENDING, name, today(), &claim);

	if (r != SPOOL_OK)
		return r;
	end.number = claim.name.attempt;
	end.start = claim.name.stamp;
	end.end = today();
	r = spool_finish(sp, &claim, &end, &to, &next);
	return r == SPOOL_OK && to != JOB_DONE ? SPOOL_WRONG_STATE : r;
}

static int
release(const char *path)
{
	struct spool sp;
	size_t released;
	double began;

	if (spool_open(&sp, path, false) != SPOOL_OK)
		return 2;
	began = now();
	if (spool_waiting_sweep(&sp, &released) != SPOOL_OK || !released)
		return 1;
	printf("%.6f\n", now() - began);
	return 0;
}

int
main(int argc, char **argv)
{
	/* a worker's dispatcher tells it so */
	static const _Atomic bool no_after = false;
	struct job_name *v = NULL, name;
	struct spool_iter it;
	struct spool sp;
	size_t n = 0, i;
	double began;

	if (argc == 3 && !strcmp(argv[2], "release"))
		return release(argv[1]);
	if (argc != 2 || spool_open(&sp, argv[1], false) != SPOOL_OK ||
	    spool_iter_open(&sp, &it, JOB_PENDING) != SPOOL_OK) {
		fprintf(stderr, "queue: no spool\n");
		return 2;
	}
	while (spool_iter_next(&it, &name) > 0) {
		if (!(n & (n - 1))) {
			v = realloc(v, (n ? 2 * n : 1) * sizeof *v);
			if (!v)
				return 1;
		}
		v[n++] = name;
	}
	spool_iter_close(&it);
	sp.after = &no_after;
	began = now();
	for (i = 0; i < n; i++)
		if (one(&sp, &v[i]) != SPOOL_OK) {
			fprintf(stderr, "queue: %s: failed\n", v[i].id);
			return 1;
		}
	printf("%.6f\n", now() - began);
	free(v);
	spool_close(&sp);
	return 0;
}
