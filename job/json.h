/*
 * json.h: strict JSON (RFC 8259) in and out.  Pure: memory in, memory out.
 *
 * Strict means more than the RFC where a job must survive the round trip
 * through C strings and UTF-8: \u0000, unpaired surrogates and bytes that are
 * no UTF-8 are errors, and so are more than JSON_DEPTH levels of nesting.
 * Duplicate keys are kept, in order: whoever knows what the object means
 * refuses them.
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
	char *text;          /* STRING: decoded; NUMBER: as written; else NULL */
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
 * One JSON value and nothing after it but white space.  The tree is the
 * caller's, who gives it to json_free().  NULL on error, with `error` filled
 * in; the first error in the text is the one named.
 */
struct json *json_parse(const char *text, size_t len, struct json_error *error);

void json_free(struct json *);

/* What a person calls the type: "a string", "an object", "null"... */
const char *json_type_name(enum json_type);

/*
 * Adds `s` as a JSON string, quotes and all.  Control characters are escaped;
 * bytes that are no UTF-8 become U+FFFD, one each.
 */
void json_quote(struct buf *, const char *s);

#endif
