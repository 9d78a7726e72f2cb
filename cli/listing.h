/*
 * listing.h: jobs in order, as rows of a table and as JSON; the workers.
 *
 * Functions that return int return an exit status, after a complaint if it is
 * not DONE, unless their comment says otherwise.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LISTING_H
#define LISTING_H

#include "cli/call.h"
#include "job/field.h"
#include "spool/pool.h"

/* Finding jobs. */

/* Where a job is. */
struct entry {
	enum job_state state;
	struct job_name name;
	size_t seen;            /* for select.c: its turn in the reading */
};

/* Zeroed, it is empty; the caller frees `v`. */
struct listing {
	struct entry *v;
	size_t n, cap;
};

/* Adds a job; false: out of memory. */
bool listing_add(struct listing *, enum job_state, const struct job_name *);
/* Adds the jobs of a state as the directory has them: in no order, and a job
 * that moves meanwhile may be missing or be there twice. */
int listing_read(struct spool *, struct listing *, enum job_state);

/* Finds the job that a word of the command line, an id or the beginning of
 * just one, stands for. */
int entry_find(struct call *, const char *word, struct entry *);
/* The value of --limit, which is as good as infinite where it is not given. */
int limit_read(const struct call *, size_t *limit);
/* What a listing of jobs is printed as. */
enum form { FORM_TABLE, FORM_JSON, FORM_JSONL, FORM_COLUMNS, FORM_COUNT };
/* Reads --json, --jsonl, --columns and --count, which exclude each other. */
int form_read(const struct call *, enum form *);
/* Whether jobs in that state have ended. */
bool state_is_final(enum job_state);
/* Whether a job that is pending or failed may run at `now`. */
bool name_is_ready(const struct job_name *, int64_t now);

/* The workers. */

/* How many live, and how many of these run a job. */
struct crew {
	size_t workers, busy;
};

/* Returns a result of the spool and does not complain. */
int crew_count(struct spool *, struct crew *);

/* Showing jobs. */

/*
 * Loads a job to be shown; job_free() it.  A text that cannot be read is shown
 * as such: v->bad says why.  Returns SPOOL_OK; SPOOL_GONE and SPOOL_ERROR mean
 * that there is nothing to show, and are not complained of.
 */
int view_load(struct spool *, const struct entry *, struct job *,
    struct field_view *);
/* Adds the command as one line, cut after `max` bytes (0: not cut), or what is
 * wrong with the text. */
void view_title(struct buf *, const struct field_view *, size_t max);
/* Adds its state, and since when or why. */
void view_state(struct buf *, const struct field_view *);
/* Prints the job as JSON, without a newline, between two strings. */
int view_print_json(const char *before, const struct field_view *,
    const char *after);

/* Adds a row's cells between id and command, and may set v->why, which follows
 * the command.  `cut`: columns are scarce. */
typedef void table_cells(void *arg, struct field_view *v, struct buf *cells,
    bool cut);

/* Prints the first `n` jobs; a table gets the heading `head` over the cells, and
 * for FORM_COLUMNS these are the names of the columns. */
int table_print(struct spool *, const struct listing *, size_t n, enum form,
    const char *head, table_cells *, void *arg);

/* The columns of the terminal `fd`; 0: it is not a terminal, so nothing needs
 * to be cut. */
size_t terminal_width(int fd);
/* How many bytes of `s` fit into `width` columns, and how many they take. */
size_t columns_fit(const char *s, size_t width, size_t *columns);
/* A time to the second, "-" below 0. */
void short_time(char out[JOB_TIME_LEN + 1], int64_t time);
/* "43 s", "2 min 5 s", "3 h 20 min", "5 d 2 h". */
void span_words(struct buf *, int64_t us);

#endif
