/*
 * graph.h: the order of jobs that wait for each other.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GRAPH_H
#define GRAPH_H

#include "job/job.h"

/* A job and its place in the order. */
struct node {
	const struct job *job;
	size_t place;           /* set by graph_sort() */
};

/*
 * Finds the places of n jobs: each comes after those of its parents that are
 * among them, and else they stay as they are.  Returns n; or the number of a
 * job that waits for itself, perhaps by way of others; or SIZE_MAX, out of
 * memory.
 */
size_t graph_sort(struct node *, size_t n);

#endif
