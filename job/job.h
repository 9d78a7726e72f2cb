/*
 * job.h: a job, and its text both ways.  job.c specifies the text.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef JOB_H
#define JOB_H

#include "job/attempt.h"
#include "job/name.h"

enum {
	JOB_ARG_MAX = 131071,     /* bytes of the command or of one argument:
	                           * Linux' MAX_ARG_STRLEN less the NUL */
	JOB_TEXT_MAX = 16 << 20   /* bytes of a job's text at enqueue */
};

/* Some strings; the array may be NULL where there is none. */
struct job_list {
	const char **v;
	size_t n;
};

/*
 * A job.  Numbers that were not given are -1, strings NULL.  After job_parse()
 * the job owns its strings; a caller that fills a job in lends them.
 * job_free() frees text and, if there is a text, argv, env, attempt and the
 * arrays of the lists.
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
	const char *dead_exit;   /* for job_codes_parse(); NULL: config's */
	bool unique;             /* at most one of its id: see spool.h */
	bool hold;               /* to be enqueued into held/; not in the text */
	struct job_list after;   /* ids of parents that must be completed, */
	struct job_list after_any; /* and of those that must have ended */
	struct job_list lock;    /* the names of the locks that it needs */
	int64_t created;

	struct job_attempt *attempt; /* oldest first */
	size_t nattempt;
	size_t counted;          /* attempt[counted…] came after the last retry
	                          * from the dead letter queue */
	int64_t retried;         /* when that was */
	int64_t unread_from, unread_to; /* the bytes between the header and
	                          * attempt[0] that were left out, or 0, 0 */
	unsigned lost;           /* the losses there that count, once they were
	                          * asked for: spool/file_priv.h */
	bool torn;               /* the text ends within a line */
	char *text;              /* the memory behind the strings, or NULL */
};

/* An empty job: every field "not given". */
void job_init(struct job *);
void job_free(struct job *);

/* The length of the [A-Za-z_][A-Za-z0-9_]* that `s` begins with, or 0. */
size_t job_env_name(const char *s);

/* The keys of a job's text, in the order in which they are written. */
enum job_key {
	JOB_KEY_ID, JOB_KEY_COMMAND, JOB_KEY_ARG, JOB_KEY_MAX_RETRIES,
	JOB_KEY_BACKOFF_BASE, JOB_KEY_BACKOFF_MAX, JOB_KEY_PRIORITY,
	JOB_KEY_TIMEOUT, JOB_KEY_DEAD_EXIT, JOB_KEY_RUN_AT, JOB_KEY_CWD,
	JOB_KEY_ENV, JOB_KEY_STDIN, JOB_KEY_UNIQUE, JOB_KEY_AFTER,
	JOB_KEY_AFTER_ANY, JOB_KEY_LOCK, JOB_KEY_CREATED, JOB_KEYS
};

enum { JOB_VALUE_ROOM = 32 }; /* for a number or a time */

/* The value of a key that comes once, as text: the job's own string, or
 * written into `room`.  NULL: it is not given. */
const char *job_value(const struct job *, enum job_key,
    char room[JOB_VALUE_ROOM]);
/* Stores such a value, and lends it to the job; false: it is not a value of
 * that key. */
bool job_set(struct job *, enum job_key, const char *value);
/* The list of a key whose values are names: After, After-Any, Lock; NULL: it is
 * another key. */
struct job_list *job_names(struct job *, enum job_key);
/* Whether `value` can be in the list of that key. */
bool job_names_valid(enum job_key, const char *value);

/* The number of a job's parents, and the i-th of them: first those of After,
 * then those of After-Any. */
size_t job_parents(const struct job *);
const char *job_parent(const struct job *, size_t i);

/* Writes the header of the job's file.  It needs id, command or argv, and
 * created. */
void job_format(struct buf *, const struct job *);
/*
 * Reads a job's text: `len` bytes and room for a NUL, from malloc.  The job
 * owns it from now on, so job_free() is due even after a failure.  Returns NULL
 * or, in constant words, what is wrong ("out of memory" among them), with the
 * number of the line in *line (0: the whole text).
 */
const char *job_parse(struct job *, char *text, size_t len, size_t *line);

/* The bytes of the header that `text` begins with; 0: it has no end there. */
size_t job_header_size(const char *text, size_t len);

/* The latest attempt that was read; NULL: there is none. */
const struct job_attempt *job_last(const struct job *);
/* Whether there was an attempt, read or not. */
bool job_has_run(const struct job *);

/* Adds a word, quoted where a shell needs it. */
void job_quote(struct buf *, const char *s);
/*
 * The command in one line for people, argv quoted as a shell would need it,
 * escaped and cut as by job_escape().
 */
void job_title(struct buf *, const struct job *, size_t max);

#endif
