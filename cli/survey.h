/*
 * survey.h: what there is in a spool, by the names of the jobs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SURVEY_H
#define SURVEY_H

#include "cli/listing.h"
#include "spool/waiting.h"

/* The first jobs in some order: `most` of them, sorted when all were seen. */
struct best {
	struct listing list;
	size_t most;            /* 0: none */
	int (*compare)(const void *, const void *); /* of struct entry */
	struct entry last;      /* none behind this one is of interest; */
	bool full;              /* …there is such a one */
};

/* At the start all is zero but the numbers `most` of the lists that are wanted. */
struct survey {
	size_t count[JOB_STATES];
	size_t strange[JOB_STATES]; /* files that are not jobs */
	char example[JOB_STATES][256];
	struct crew crew;
	int64_t oldest;         /* the least stamp of a job that is pending and
	                         * ready; INT64_MAX: there is none */
	struct best ready;      /* the first of these in line */
	struct best later;      /* the earliest that are due at some time */
	struct best completed, dead; /* the latest of these */
	struct listing running; /* the longest first */
	struct spool_waiting waiting;
};

int survey_read(struct survey *, struct spool *);
/* The first of `later`, or NULL. */
const struct job_name *survey_next(const struct survey *);
void survey_free(struct survey *);

#endif
