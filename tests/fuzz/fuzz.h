/*
 * fuzz.h: what all targets use.  A target is a function named after it, which
 * gets any bytes and sees to it that what must hold does.
 *
 * Inputs are parsed from memory of exactly their size and a NUL, so that a
 * sanitizer sees a parser that reads on.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job/field.h"
#include "job/job.h"

/* Some time of 2026, for delays. */
#define NOW INT64_C(1795497012345678)

/* The file that is replayed. */
extern const char *fuzz_where;

/* Names a property that does not hold on stderr and aborts. */
#define must(x) fuzz_must(x, __FILE__, __LINE__, #x)
void fuzz_must(bool holds, const char *file, int line, const char *what);

extern const struct job_policy fuzz_policy;

/* The input as a string of its own, NUL behind it. */
char *fuzz_copy(const char *p, size_t n);
/* job_parse() of such a copy. */
const char *fuzz_read_text(struct job *job, const char *p, size_t n,
    size_t *line);

bool fuzz_same(const struct buf *a, const struct buf *b);
bool fuzz_starts(const struct buf *a, const struct buf *with);
/* Fit for a terminal: UTF-8 and no control character. */
bool fuzz_printable(const struct buf *b);

/* The targets. */
void fuzz_job(const char *p, size_t n);
void fuzz_name(const char *p, size_t n);
void fuzz_json(const char *p, size_t n);
void fuzz_config(const char *p, size_t n);
void fuzz_number(const char *p, size_t n);

#endif
