/*
 * texts.h: texts of jobs for the tests of job/, and the checks that several
 * of these tests share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TEXTS_H
#define TEXTS_H

#include <stddef.h>
#include <stdint.h>

#include "job/job.h"

#define SECOND INT64_C(1000000)
#define COUNT(a) ((int)(sizeof (a) / sizeof *(a)))

/* A text and its length: some hold NULs. */
#define S(s) s, sizeof s - 1

/* Pieces of texts and names. */
#define BEGIN "Queuectl: 1\n"
#define CREATED "Created: 2026-11-24T05:30:12.345678Z\n"
#define CMD "Command: echo\n"
#define TIMES "start=2026-11-24T05:30:13Z end=2026-11-24T05:30:14Z "
#define GOOD "Attempt: 1 " TIMES "exit=1 log=0 worker=4242\n"
#define STAMP "20261124T053012.345678Z"
#define X16 "xxxxxxxxxxxxxxxx"

/* job_parse() of a text in memory of exactly its size and a NUL, so that a
 * sanitizer sees a parser that reads on. */
const char *texts_parse(struct job *job, const char *text, size_t len,
    size_t *line);
/* The same for a text that must be good. */
void texts_read(struct job *job, const char *text, size_t len);
/* The time that `s` says; it must be good. */
int64_t texts_time(const char *s);

/* Fail unless both are the same or both are NULL. */
void texts_same(const char *a, const char *b, unsigned round,
    const char *what);
void texts_same_attempt(const struct job_attempt *a,
    const struct job_attempt *b, unsigned round);

#endif
