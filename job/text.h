/*
 * text.h: numbers, times and words as text.
 *
 * A time is in microseconds since 1970-01-01T00:00:00Z; a duration is in
 * microseconds unless the name says seconds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job/buf.h"

enum {
	JOB_STAMP_LEN = 23,       /* YYYYMMDDTHHMMSS.uuuuuuZ */
	JOB_TIME_LEN = 27,        /* YYYY-MM-DDTHH:MM:SS.uuuuuuZ */
	JOB_NUMBER_MAX = 2147483647
};

/* 9999-12-31T23:59:59.999999Z, the last time that the formats can write. */
#define JOB_TIME_MAX INT64_C(253402300799999999)
/* The start of 2015.  No clock was right before it on a host that runs us: one
 * that has lost its time begins in 1970, 1980, 2000 or 2010. */
#define JOB_TIME_KNOWN INT64_C(1420070400000000)

/* A set of exit statuses. */
struct job_codes {
	uint32_t bit[8];
};

/* A decimal integer from `min` to `max`, digits only, no leading zeros. */
bool job_number_parse(const char *s, int64_t min, int64_t max, int64_t *n);

/* "1.5" from 1500000; below 0 is 0. */
void job_seconds_format(struct buf *, int64_t us);
/* "1.5s", "15m", "12h" or "7d", with the largest unit that needs no fraction;
 * "0" for 0 and below. */
void job_span_format(struct buf *, int64_t us);
/* Reads both: a decimal number without sign and exponent, with at most 6 digits
 * after the point, and perhaps a unit; at most JOB_NUMBER_MAX seconds. */
bool job_span_parse(const char *s, int64_t *us);
/* What it reads, for people. */
#define TEXT_SPAN "a time from 0 to 24855d, such as 90 (seconds), 1.5m or 12h"

/* "20261124T053012.345678Z" */
void job_stamp_format(char out[JOB_STAMP_LEN + 1], int64_t time);
/* "2026-11-24T05:30:12.345678Z" */
void job_time_format(char out[JOB_TIME_LEN + 1], int64_t time);
/* RFC 3339, any offset and any fraction (cut to microseconds), 1970-9999. */
bool job_time_parse(const char *s, int64_t *time);
/* The nearest time that the formats can write. */
int64_t text_clamp_time(int64_t time);

/* "2,65-78": codes from 1 to 255 and ranges of them, "" for none.  false: it
 * is not such a list. */
bool job_codes_parse(const char *s, struct job_codes *);
void job_codes_format(struct buf *, const struct job_codes *);
bool job_codes_have(const struct job_codes *, int code);

/* The length of the UTF-8 character at `p`; 0 if the bytes are not UTF-8, as
 * overlong forms and surrogates are not. */
size_t text_utf8_length(const char *p, const char *end);
/* Whether `s` is UTF-8 throughout. */
bool text_is_utf8(const char *s, size_t len);

/* Adds `s` with control characters, and bytes that are not UTF-8, escaped as
 * \n, \t and \xHH; cut with "…" after `max` bytes (0: never). */
void job_escape(struct buf *, const char *s, size_t max);

/* Whether two keys are the same; `_` and `-` are. */
bool text_same_key(const char *, const char *);

/* The name that a word is most likely a slip of; zeroed: there is none. */
struct text_guess {
	const char *name;
	size_t distance;
};
/* Takes a name into account.  The word may be a slip of it if at most a third
 * of the letters differ, or if one is a part of the other (timeout_seconds). */
void text_guess(struct text_guess *, const char *word, const char *name);

/* Parts of a parser.  Each returns true and moves *s past the text it read; if
 * the text is something else, it returns false and *s stays. */
bool text_read_char(const char **s, char c);
/* A decimal integer from 0 to `max` without leading zeros. */
bool text_read_number(const char **s, int64_t max, int64_t *n);
/* A time as job_stamp_format() writes it; *s may move on failure. */
bool text_read_stamp(const char **s, int64_t *time);

/* Hashes `n` bytes by FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/).
 * `hash` is TEXT_HASH, or the hash of the bytes before them. */
#define TEXT_HASH UINT32_C(2166136261)
uint32_t text_hash(uint32_t hash, const void *bytes, size_t n);

static inline bool
text_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
text_is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

#endif
