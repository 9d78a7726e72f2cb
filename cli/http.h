/*
 * http.h: a request of an HTTP server to a CGI program (RFC 3875), and what an
 * answer is made of.
 *
 * A status is one of HTTP, such as 200.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HTTP_H
#define HTTP_H

#include "job/buf.h"

enum {
	HTTP_QUERY_MAX = 2000,   /* bytes of a query */
	HTTP_BODY_MAX = 2000,    /* bytes of a form that is sent */
	HTTP_VALUES = 16,        /* fields of a query, or of a form */
	HTTP_RANDOM = 32         /* hexadecimal digits */
};

struct http_value {
	const char *name, *value;
};

/* Its texts are from the environment, not checked unless it says so, and never
 * NULL. */
struct http_request {
	bool head, post;         /* else it is a GET */
	const char *script;      /* the path of the program: "" or "/…" */
	const char *path;        /* what follows it: "/…" */
	const char *host;        /* checked: a name or an address, and perhaps a
	                          * port; only letters, digits and ".-_:[]" */
	const char *origin;      /* "": the browser did not tell */
	const char *user;        /* whose password the server has checked (as
	                          * AUTH_TYPE says; nginx sets REMOTE_USER to any
	                          * name that the browser sends); "": nobody's */
	struct http_value value[HTTP_VALUES]; /* n fields of the query or of the
	                                       * form, decoded */
	size_t n;
	struct buf text;         /* holds them */
};

/* Reads the environment and, of a POST, the form.  Returns 200, or another status
 * and *why for people, constant text. */
int http_read(struct http_request *, const char **why);
void http_free(struct http_request *);
/* The first value of that name, or "". */
const char *http_value(const struct http_request *, const char *name);

/* Whether `hosts`, names with spaces or commas between them, has the host, with
 * any port.  "" stands for localhost, addresses that begin with 127, [::1], and
 * the name of this host. */
bool http_host_is(const char *host, const char *hosts);
/* Whether an origin is "http://" or "https://" and that host, with its port. */
bool http_origin_is(const char *origin, const char *host);
/* Whether two texts of the same length are the same.  The time that it takes does
 * not tell where they differ. */
bool http_same(const char *, const char *);

/* Fills `out` with random digits.  false: the system has none. */
bool http_random(char out[HTTP_RANDOM + 1]);

/*
 * Begins an answer: prints its head, with one line more if `more` is not NULL.
 * `nonce` is what a style needs in the text to be obeyed; NULL: none is.
 */
void http_head(int status, const char *type, const char *nonce,
    const char *more);

#endif
