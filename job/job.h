/*
 * job.h: a job; its text and its file name, both ways, and what an outcome
 * makes of it.  Pure: memory in, memory out, no clock, no files.
 *
 * The formats are specified at the head of job.c.  All times are microseconds
 * since 1970-01-01T00:00:00Z; durations are microseconds unless the name says
 * seconds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef JOB_H
#define JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job/buf.h"

enum {
	JOB_ID_MAX = 64,
	JOB_STAMP_LEN = 23,       /* YYYYMMDDTHHMMSS.uuuuuuZ */
	JOB_TIME_LEN = 27,        /* YYYY-MM-DDTHH:MM:SS.uuuuuuZ */
	JOB_NAME_MAX = 1 + 1 + JOB_STAMP_LEN + 1 + 10 + 1 + JOB_ID_MAX,
	JOB_PRIORITY = 5,         /* default */
	JOB_PRIORITY_MAX = 9,
	JOB_NUMBER_MAX = 2147483647,
	JOB_ARG_MAX = 131071,     /* bytes of the command or of one argument:
	                           * Linux' MAX_ARG_STRLEN less the NUL */
	JOB_TEXT_MAX = 16 << 20   /* bytes of a job's text at enqueue */
};

/* 9999-12-31T23:59:59.999999Z, the last time that the formats can write. */
#define JOB_TIME_MAX INT64_C(253402300799999999)

/* The states; each is a directory of the spool. */
enum job_state {
	JOB_PENDING, JOB_PROCESSING, JOB_DONE, JOB_FAILED, JOB_DEAD, JOB_STATES
};

/* A job's file name. */
struct job_name {
	int64_t stamp;
	unsigned attempt;           /* attempts charged, the running included */
	unsigned char priority;     /* 0 first … 9 last */
	bool timed;                 /* '@': not before stamp; '-': it orders */
	char id[JOB_ID_MAX + 1];
};

/* A set of exit statuses. */
struct job_codes {
	uint32_t bit[8];
};

enum job_outcome {
	JOB_EXIT,       /* value: exit status */
	JOB_SIGNAL,     /* value: signal number */
	JOB_TIMEOUT,
	JOB_LOST,       /* its worker or the machine died */
	JOB_REQUEUED,   /* stopped by `worker stop --now` */
	JOB_ERROR,      /* could not be started; error says why */
	JOB_CANCELLED
};

struct job_attempt {
	unsigned number;         /* as in the file name while it ran */
	enum job_outcome outcome;
	int value;               /* EXIT, SIGNAL */
	int64_t start, end;
	int64_t log;             /* offset of its first byte of output */
	long worker;             /* pid, 0: not known */
	const char *error;       /* ERROR: one line, else NULL */
};

/*
 * A job.  Strings are the job's own after job_parse() and borrowed when the
 * caller filled them in; job_free() frees text, and where there is a text,
 * also argv, env and attempt.  Numbers that were not given are -1, strings NULL.
 */
struct job {
	char id[JOB_ID_MAX + 1]; /* "": not given */
	const char *command;     /* for /bin/sh -c; NULL: argv */
	const char **argv;       /* argc strings and a NULL, or NULL */
	size_t argc;
	int priority;
	int max_retries;         /* attempts in all; 0 counts as 1 */
	int backoff_base;        /* seconds after the first failure */
	int backoff_max;         /* seconds */
	int64_t timeout;         /* 0: none */
	int64_t run_at;
	const char *cwd;
	const char **env;        /* nenv strings "NAME=value" */
	size_t nenv;
	const char *input;       /* Stdin: */
	const char *dead_exit;   /* job_codes_parse() takes it; NULL: config's */
	bool unique;             /* not a second one of its id: see spool.h */
	int64_t created;

	struct job_attempt *attempt; /* oldest first */
	size_t nattempt;
	size_t counted;          /* attempt[counted…] came after the last retry
	                          * from the dead letter queue */
	int64_t retried;         /* when that was */
	bool torn;               /* the text ends within a line */
	char *text;              /* the memory behind the strings, or NULL */
};

/* What the spool's config says where the job does not. */
struct job_policy {
	int max_retries;
	int backoff_base, backoff_max; /* seconds */
	int backoff_jitter;      /* percent that a wait may be longer */
	int max_crashes;
	struct job_codes dead_exit; /* after these there is no other attempt */
};

/* An empty job: every field "not given". */
void job_init(struct job *);
void job_free(struct job *);

/* Whether `id` is 1–64 of A-Za-z0-9._- and begins with none of . and -. */
bool job_id_valid(const char *id);

/* The length of the [A-Za-z_][A-Za-z0-9_]* that `s` begins with, or 0. */
size_t job_env_name(const char *s);

/* Writes the 10-character id that belongs to a time: base 36, so that ids
 * sort by time until the year 2085. */
void job_id_make(char id[JOB_ID_MAX + 1], int64_t time);

/* The file name; `out` takes it and a NUL. */
void job_name_format(char out[JOB_NAME_MAX + 1], const struct job_name *);
/* The other way; false: not the name of a job. */
bool job_name_parse(struct job_name *, const char *file);
/* Run order: by priority, stamp, then id. */
int job_name_compare(const struct job_name *, const struct job_name *);

/* The header of the job's file.  Needs id, command or argv, and created. */
void job_format(struct buf *, const struct job *);
/* One "Attempt:" line with its newline. */
void job_format_attempt(struct buf *, const struct job_attempt *);
/* One "Retried:" line with its newline. */
void job_format_retried(struct buf *, int64_t time);

/*
 * Reads a job's text.  `text` has `len` bytes, then room for a NUL; it is
 * malloc'd and becomes the job's, on failure too, so job_free() is due in
 * either case.  NULL, or what is wrong with the text, as constant words
 * ("out of memory" among them), with the line in *line (0: the whole).
 */
const char *job_parse(struct job *, char *text, size_t len, size_t *line);

/*
 * Where a job goes whose run under the name `run` ended as `end` says (which
 * may or may not be in the job's history yet), and its next name in *next.
 */
enum job_state job_after(const struct job *, const struct job_name *run,
    const struct job_attempt *end, const struct job_policy *,
    struct job_name *next);

/* How often the job was lost since it was last enqueued or retried; `end`, if
 * not NULL, is the latest loss and counts, in the history or not. */
unsigned job_lost(const struct job *, const struct job_attempt *end);

/* "2,65-78": codes from 1 to 255 and ranges of them, "" for none.  false: it is
 * no such list. */
bool job_codes_parse(const char *s, struct job_codes *);
void job_codes_format(struct buf *, const struct job_codes *);
bool job_codes_have(const struct job_codes *, int code);

/* min(base ^ n, max), in seconds; 0 ^ n is 0. */
int job_backoff(int base, unsigned n, int max);
/* The attempts that the job has in all, at least 1. */
unsigned job_allowed(const struct job *, const struct job_policy *);

/* As in the file: "exit", "signal", "timeout"… */
const char *job_outcome_word(enum job_outcome);
/* "exit 1", "killed by signal 9", "timed out", … without a newline. */
void job_outcome_words(struct buf *, const struct job_attempt *);

/*
 * The command in one line for people: argv quoted as a shell would need it,
 * control characters escaped as \n, \t, \xHH (and bytes that are no UTF-8),
 * cut with "…" after `max` bytes (0: not at all).
 */
void job_title(struct buf *, const struct job *, size_t max);
/* The same escapes for any string. */
void job_escape(struct buf *, const char *s, size_t max);

/* Directory and word of a state: "done" and "completed". */
const char *job_state_dir(enum job_state);
const char *job_state_word(enum job_state);

/* "20261124T053012.345678Z" */
void job_stamp_format(char out[JOB_STAMP_LEN + 1], int64_t time);
/* "2026-11-24T05:30:12.345678Z" */
void job_time_format(char out[JOB_TIME_LEN + 1], int64_t time);
/* RFC 3339, any offset and any fraction (cut to microseconds), 1970–9999. */
bool job_time_parse(const char *s, int64_t *time);

/* "1.5" from 1500000, and back: decimal seconds from 0 to JOB_NUMBER_MAX, no
 * sign and no exponent, at most 6 digits after the point. */
void job_seconds_format(struct buf *, int64_t us);
bool job_seconds_parse(const char *s, int64_t *us);
/* A decimal integer from `min` to `max`, digits only, no leading zeros. */
bool job_number_parse(const char *s, int64_t min, int64_t max, int64_t *n);

#endif
