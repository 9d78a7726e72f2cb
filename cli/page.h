/*
 * page.h: the pages of the web page.
 *
 * Each makes a page, which is in page->out, and returns its HTTP status, but for
 * page_job().
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PAGE_H
#define PAGE_H

#include "cli/html.h"

/* The first page: counts of jobs, and those that run, come next or have ended. */
int page_overview(struct page *);
/* The jobs that the query asks for. */
int page_list(struct page *);
/* One job.  Returns a result of the spool; unless it is SPOOL_OK there is no
 * page. */
int page_job(struct page *, const char *id);
/* Says what is wrong; returns `status`. */
int page_error(struct page *, int status, const char *why);

#endif
