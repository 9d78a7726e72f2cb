/*
 * field.h: a job as JSON, both ways.  Pure: memory in, memory out.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef FIELD_H
#define FIELD_H

#include <stdbool.h>
#include <stdint.h>

#include "job/json.h"
#include "job/policy.h"

/*
 * Makes a job of a JSON object.  It fills in only the fields of the object; a
 * delay becomes a run_at, counted from `now`.  The job borrows from the tree,
 * so job_free() is due before the tree is freed, even after a failure.
 *
 * false: the object is not a job; *why tells people the reason, *at is the
 * place in the text.
 */
bool field_read(struct job *, const struct json *object, int64_t now,
    struct buf *why, const struct json **at);

/* The name of the field that an option such as "run-at" sets, and the type of
 * its value (JSON_FALSE: or JSON_TRUE); NULL: none. */
const char *field_of_option(const char *option, enum json_type *);

/* A job as it is shown. */
struct field_view {
	enum job_state state;
	const struct job_name *name;
	const struct job *job;
	const struct job_policy *policy;
	const char *bad;         /* why its text cannot be read, or NULL */
	size_t line;             /* the line of that */
	bool alien;              /* bad, because the file is not ours */
	long worker;             /* pid of its worker, 0: unknown */
	const char *why;         /* why it does not run, or NULL */
	bool history;            /* show the attempts, too, */
	uint64_t earlier;        /* and how many came before job->attempt[0], */
	int64_t earlier_end;     /* the last of which ended then */
};

/* Adds it as one JSON object, without a newline. */
void field_write(struct buf *, const struct field_view *);

/* When the job last changed. */
int64_t field_updated(const struct field_view *);

#endif
