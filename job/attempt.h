/*
 * attempt.h: an attempt, and the lines that are appended to a job's text.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ATTEMPT_H
#define ATTEMPT_H

#include "job/text.h"

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
	bool measured;           /* it is known what the attempt used: */
	int64_t user, sys;       /* …CPU time, in microseconds; */
	int64_t maxrss;          /* …its largest process, in KiB */
};

/* One "Attempt:" line with its newline. */
void job_format_attempt(struct buf *, const struct job_attempt *);
/* One "Retried:" line with its newline. */
void job_format_retried(struct buf *, int64_t time);

enum job_line { JOB_LINE_OTHER, JOB_LINE_ATTEMPT, JOB_LINE_RETRIED };

/*
 * Reads a whole line behind the header, `len` bytes with a NUL in the place of
 * its newline.  Changes the line, which *a refers to afterwards; sets only what
 * the line is about.
 */
enum job_line job_line_read(char *line, size_t len, struct job_attempt *a,
    int64_t *retried);

/* The word in the file: "exit", "signal", "timeout"… */
const char *job_outcome_word(enum job_outcome);
/* "exit 1", "killed by signal 9", "timed out", … without a newline. */
void job_outcome_words(struct buf *, const struct job_attempt *);
/* "0.010 s user, 0.002 s system, 1.4 MiB", of one that is measured. */
void job_used_words(struct buf *, const struct job_attempt *);

#endif
