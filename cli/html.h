/*
 * html.h: what HTML pages are made of.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HTML_H
#define HTML_H

#include "cli/http.h"
#include "cli/why.h"

/* A page that is being made. */
struct page {
	struct spool *spool;    /* open, but for page_error() */
	const struct http_request *request;
	char nonce[HTTP_RANDOM + 1];
	const char *token;      /* for forms that change something; NULL: the page
	                         * has none */
	int64_t now;
	struct outlook outlook; /* for page.c */
	struct buf out;         /* the HTML */
};

/* --- text --------------------------------------------------------------- */

/* Adds text to HTML, so that it means itself.  Control characters and bytes that
 * are not UTF-8 are escaped as by job_escape(); beyond `max` bytes (0: any
 * number) it is cut, and ends with "…". */
void html_text(struct buf *, const char *s, size_t max);
/* The same of text that job_escape() has seen. */
void html_escaped(struct buf *, const char *s);
/* Adds a part of a URL; with `slashes` these stay as they are. */
void url_text(struct buf *, const char *s, bool slashes);

/* Adds the URL of a page: "/", "/list".  That of the first page is the program's
 * alone: busybox httpd finds nothing behind a "/" at the end. */
void url_page(struct buf *, const struct http_request *, const char *path);

/* Adds HTML. */
void put(struct page *, const char *html);
/* Adds text. */
void put_text(struct page *, const char *s);
/* Adds a line of `n` bytes, NULs too, cut after `max`: what stands behind its
 * last carriage return, as a terminal shows it. */
void put_line(struct page *, const char *s, size_t n, size_t max);
/* Adds a span that was or will be. */
void put_span(struct page *, int64_t us);

/* --- parts -------------------------------------------------------------- */

/* Begins a page.  It comes again every five seconds if it is `live`, unless the
 * user has switched that off. */
void page_begin(struct page *, const char *title, bool live);
/* Whether the user has. */
bool page_is_still(const struct page *);
/* Adds the URL of a page below ours: `path` and, as its last part, `id`.  With
 * `query` it ends so that "name=value" may follow. */
void put_url(struct page *, const char *path, const char *id, bool query);
/* Adds the URL of this very page, with its query, but from another place on;
 * "": from the first. */
void put_self(struct page *, bool still, const char *from);
void put_hidden(struct page *, const char *name, const char *value);
/* Adds a button that sends a form to the page of the job `id`; "": to the
 * overview.  Nothing without a token. */
void put_button(struct page *, const char *id, const char *action,
    const char *words);

/* Adds the HTML of a cell. */
typedef void cell(struct page *, const struct field_view *);
/* Adds a list of the first jobs: the id, what `when` says, the command, and what
 * `more` says, which may be NULL. */
void put_rows(struct page *, const struct listing *, size_t most, cell *when,
    cell *more);

/* Reads the last `most` bytes of a log; *cut: there are more before them. */
void log_tail(struct spool *, const char *id, size_t most, struct buf *,
    bool *cut);

#endif
