/*
 * listing.h: jobs in order, as table rows and as JSON; who works on them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LISTING_H
#define LISTING_H

#include "cli/call.h"
#include "job/field.h"
#include "spool/pool.h"

/* Columns of the terminal on `fd`, or 0: it is none, and nothing is cut. */
size_t terminal_width(int fd);

/* Bytes of `s` that fit into `width` columns, and how many columns they
 * take. */
size_t fit(const char *s, size_t width, size_t *columns);

/* Prints the last cell of a row and what follows it.  If the terminal (`width`,
 * 0: none) has only what `used` leaves, the cell is cut, what follows if there
 * is room for it. */
void put_last(const char *s, const char *after, size_t width, size_t used);

/* A time to the second, for tables. */
void short_time(char out[JOB_TIME_LEN + 1], int64_t time);

/* "43 s", "2 min 5 s", "3 h 20 min", "5 d 2 h". */
void span_words(struct buf *b, int64_t us);

struct entry {
	enum job_state state;
	size_t seen;            /* when, to tell two sights of a job apart */
	struct job_name name;
};

struct listing {
	struct entry *v;
	size_t n, cap;
};

bool listing_add(struct listing *l, enum job_state state,
    const struct job_name *name);
int collect_state(struct spool *sp, struct listing *l, enum job_state state);

/*
 * All jobs, or those of one state (JOB_STATES: all), each id once, sorted.  A
 * job that moves while we read can be seen twice or missed: then we read
 * again, and what was seen last counts.
 */
int collect(struct spool *sp, struct listing *l, enum job_state only);
int parse_state(const char *word, enum job_state *state);

/* What runs a job, from the pools' files. */
struct runner {
	const struct job_name *name;
	struct spool_slot slot; /* pid 0: not found */
};

void find_runner(void *arg, const char *pool, long pid, const struct spool_slot *s);

/* The job as it is shown: SPOOL_OK; what is wrong with it is shown, too, also
 * that it is none of ours.  SPOOL_GONE, SPOOL_ERROR: there is nothing to show. */
int view_job(struct spool *sp, enum job_state state, const struct job_name *name,
    struct job *job, struct field_view *v);

/* The command for a table; of a text that is no job, what is wrong. */
void title_words(struct buf *b, const struct field_view *v);

/* Whether a job in that state has ended. */
bool ends(int state);

/* The workers that live. */
struct crew {
	size_t workers, busy;
};

void see_worker(void *arg, const char *pool, long pid, const struct spool_slot *s);
bool is_ready(const struct job_name *name, int64_t now);
int print_json(const struct field_view *v);
size_t id_width(const struct listing *l, size_t n);

/* From a word of the command line to a job that is there. */
int look_up(struct call *c, const char *word, enum job_state *state,
    struct job_name *name);

#endif
