/*
 * graph.c: the order of jobs that wait for each other.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/graph.h"

/* An id, and whose it is. */
struct named {
	const char *id;
	size_t number;
};

static int
compare_named(const void *a, const void *b)
{
	return strcmp(((const struct named *)a)->id,
	    ((const struct named *)b)->id);
}

/* How far we are with a job. */
struct visit {
	size_t parent;          /* the next one of its parents to look at */
	size_t from;            /* the job that waits for it */
	enum { NEW, OPEN, PLACED } state;
};

/* The next parent of job `i` that is one of the n named jobs and is not placed;
 * SIZE_MAX: there is none. */
static size_t
next_parent(const struct node *node, const struct named *named, size_t n,
    struct visit *v, size_t i)
{
	const struct job *job = node[i].job;

	while (v[i].parent < job_parents(job)) {
		struct named key = { job_parent(job, v[i].parent++), 0 };
		const struct named *found = bsearch(&key, named, n,
		    sizeof key, compare_named);

		if (found && v[found->number].state != PLACED)
			return found->number;
	}
	return SIZE_MAX;
}

/* Goes up from each job to its parents, without recursion: a chain may be
 * long. */
static size_t
place_all(struct node *node, size_t n, const struct named *named, size_t names,
    struct visit *v)
{
	size_t i, placed = 0, at, parent;

	for (i = 0; i < n; i++) {
		if (v[i].state == PLACED)
			continue;
		at = i;
		v[at] = (struct visit){ .state = OPEN, .from = SIZE_MAX };
		while (at != SIZE_MAX) {
			parent = next_parent(node, named, names, v, at);
			if (parent == SIZE_MAX) {
				node[at].place = placed++;
				v[at].state = PLACED;
				at = v[at].from;
			} else if (v[parent].state == OPEN) {
				return parent;
			} else {
				v[parent] = (struct visit){ .state = OPEN,
					.from = at };
				at = parent;
			}
		}
	}
	return n;
}

size_t
graph_sort(struct node *node, size_t n)
{
	struct named *named = calloc(n + 1, sizeof *named);
	struct visit *v = calloc(n + 1, sizeof *v);
	size_t i, names = 0, r = SIZE_MAX;

	for (i = 0; named && i < n; i++)
		if (node[i].job->id[0])
			named[names++] = (struct named){ node[i].job->id, i };
	if (named && v) {
		qsort(named, names, sizeof *named, compare_named);
		r = place_all(node, n, named, names, v);
	}
	free(named);
	free(v);
	return r;
}
