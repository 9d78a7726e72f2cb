/*
 * page.h: the pages of the web page.
 *
 * Each makes a page, which is in page->out, and returns its HTTP status.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PAGE_H
#define PAGE_H

#include "cli/html.h"

/* What there is: counts, what runs, what is next, what has ended. */
int page_overview(struct page *);
/* The jobs that the query asks for. */
int page_list(struct page *);
/* One job, by its id or the beginning of it. */
int page_job(struct page *, const char *word);
/* Says what is wrong; returns `status`. */
int page_error(struct page *, int status, const char *why);

#endif
