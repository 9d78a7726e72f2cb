/*
 * words.h: a job from words: enqueue [OPTION...] -- CMD [ARG...].
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORDS_H
#define WORDS_H

#include "cli/call.h"
#include "job/field.h"

extern const struct option_def enqueue_options[];

/* Whether the call has options that are fields of a job, as all but --wait
 * are. */
bool words_have_fields(const struct call *);

enum { WORDS_LISTS = 4 };

/* The memory that a job borrows. */
struct words {
	struct json object, argv, env;
	struct json list[WORDS_LISTS]; /* options that may come again */
	struct json *node;      /* n members: first the options, as they came */
	size_t n;
};

/* Makes a job of the call's words, at the time `now`.  DONE, or an exit status
 * after a complaint; then, too, both job_free() and words_free() are due. */
int words_read(struct words *, const struct call *, int64_t now, struct job *);
void words_free(struct words *);

#endif
