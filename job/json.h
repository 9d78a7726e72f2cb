/*
 * json.h: strict JSON (RFC 8259) in and out.  Pure: memory in, memory out.
 *
 * It is stricter than the RFC, because a job must survive the way through C
 * strings and UTF-8: \u0000, unpaired surrogates and bytes that are not UTF-8
 * are errors, and so are more than JSON_DEPTH levels of nesting.  Duplicate
 * keys are kept, in order; the caller knows what the object means and may
 * refuse them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "job/text.h"

enum { JSON_DEPTH = 512 };

enum json_type {
	JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING,
	JSON_ARRAY, JSON_OBJECT
};

struct json {
	enum json_type type;
	char *key;           /* member of an object: its name; else NULL */
	char *text;          /* STRING: decoded; NUMBER: as it was; else NULL */
	struct json *child;  /* ARRAY, OBJECT: the first element or member */
	struct json *next;   /* the next element or member */
	size_t line, column; /* where the value begins, both from 1, columns
	                      * counted in characters */
};

struct json_error {
	size_t line, column; /* both from 1; line 0: out of memory */
	const char *what;    /* constant text, no full stop */
};

/*
 * Parses one JSON value with nothing after it but white space.  The caller
 * frees the tree with json_free().  On failure it returns NULL, and `error`
 * tells the first error in the text.
 */
struct json *json_parse(const char *text, size_t len, struct json_error *error);

void json_free(struct json *);

/* "a string", "an object", "null"... */
const char *json_type_name(enum json_type);

/*
 * Adds `s` as a JSON string with its quotes.  Control characters are escaped;
 * each byte that is not UTF-8 becomes U+FFFD.
 */
void json_quote(struct buf *, const char *s);

/* These add a member to the object that `b` ends in: a comma, unless it is the
 * first, then its name and its value.  json_member() leaves the value to the
 * caller. */
void json_member(struct buf *b, const char *key);
void json_member_string(struct buf *, const char *key, const char *);
void json_member_number(struct buf *, const char *key, int64_t);
void json_member_bool(struct buf *, const char *key, bool);
/* The value is an array of strings; a '+' stands before each of them. */
void json_member_list(struct buf *, const char *key, const char *strings);

#endif
