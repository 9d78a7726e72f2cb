/*
 * html.c: what HTML pages are made of.
 *
 * A page loads nothing and has no script.  Every value that is not ours goes
 * through html_text(), html_escaped() or url_text().
 *
 * SPDX-License-Identifier: MIT
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/stat.h>
#include <string.h>
#include <unistd.h>

#include "cli/html.h"
#include "spool/log.h"

enum { TITLE_MAX = 160 };       /* bytes of a command in a row */

static const char style[] =
    ":root{color-scheme:light dark;--bg:#f7f6f3;--card:#fff;--fg:#1d1f21;"
    "--dim:#62666b;--line:#dedcd5;--link:#0a58a8;--pending:#5b7a99;"
    "--processing:#1f6fd1;--failed:#b86e00;--waiting:#7d55b5;--dead:#bf3129;"
    "--completed:#2c8043}"
    "@media(prefers-color-scheme:dark){:root{--bg:#16181a;--card:#202326;"
    "--fg:#e6e6e3;--dim:#9da1a6;--line:#34383d;--link:#7fb5f6;"
    "--pending:#7f9cbb;--processing:#5a9cf0;--failed:#e0a33a;"
    "--waiting:#ad8ae0;--dead:#f0736a;--completed:#5cb878}}"
    "*{box-sizing:border-box}"
    "body{margin:0 auto;max-width:76rem;padding:1rem;background:var(--bg);"
    "color:var(--fg);font:16px/1.45 system-ui,sans-serif}"
    "a{color:var(--link);text-decoration:none}a:hover{text-decoration:"
    "underline}"
    "header,form{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;"
    "align-items:baseline}"
    "h1{font-size:1.25rem;margin:0}h2{font-size:1rem;margin:1.6rem 0 .5rem}"
    "p{margin:.5rem 0}small,.dim,dt{color:var(--dim)}"
    "header :nth-child(2){flex:1}"
    ".cards{display:grid;gap:.6rem;padding:0;margin:1rem 0;list-style:none;"
    "grid-template-columns:repeat(6,1fr)}"
    ".cards a{display:block;height:100%;color:inherit;padding:.5rem .8rem;"
    "background:var(--card);border:1px solid var(--line);border-radius:.4rem;"
    "border-top:4px solid var(--c)}"
    ".cards b{display:block;font-size:1.7rem;line-height:1.25;"
    "font-variant-numeric:tabular-nums}"
    ".pending{--c:var(--pending)}.processing{--c:var(--processing)}"
    ".failed{--c:var(--failed)}.waiting{--c:var(--waiting)}"
    ".dead{--c:var(--dead)}.completed{--c:var(--completed)}"
    ".alarm b,.alarm small{color:var(--dead)}"
    "i{font-style:normal;font-weight:600;color:var(--c)}"
    ".banner{padding:.5rem .8rem;border-left:4px solid var(--failed);"
    "background:var(--card)}"
    ".bar{display:block;width:100%;height:.7rem;border-radius:.35rem;"
    "background:var(--line)}rect{fill:var(--c)}"
    ".jobs,dl,.box{list-style:none;padding:0;margin:0;background:var(--card);"
    "border:1px solid var(--line);border-radius:.4rem}"
    ".jobs li{display:grid;grid-template-columns:2fr 3fr 6fr;"
    "gap:0 1rem;padding:.4rem .8rem;border-top:1px solid var(--line)}"
    ".jobs li:first-child{border:0}"
    ".jobs li>*,dd{min-width:0;overflow-wrap:anywhere}"
    "code,pre,td{font:.85rem/1.5 ui-monospace,monospace}"
    "code,pre{unicode-bidi:isolate}"
    ".jobs small{grid-column:3}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;"
    "padding:.6rem .8rem}dd{margin:0;max-height:14rem;overflow-y:auto}"
    ".box{overflow-x:auto;padding:.4rem .8rem}pre{white-space:pre-wrap;"
    "overflow-wrap:anywhere}"
    "table{border-collapse:collapse}td,th{text-align:left;padding:.15rem "
    "1.2rem .15rem 0;white-space:nowrap;font-weight:400}th{color:var(--dim)}"
    "input,select,button{font:inherit;color:inherit;background:var(--card);"
    "border:1px solid var(--line);border-radius:.3rem;padding:.25rem .6rem;"
    "max-width:100%}"
    "@media(max-width:48rem){body{padding:.7rem}.jobs li{display:flex;"
    "flex-wrap:wrap;justify-content:space-between}"
    ".jobs code,.jobs small{flex-basis:100%}"
    ".cards{grid-template-columns:repeat(3,1fr)}}";

/* --- text --------------------------------------------------------------- */

void
html_escaped(struct buf *b, const char *s)
{
	const char *special;

	for (; *s; s++) {
		special = *s == '&' ? "&amp;" : *s == '<' ? "&lt;" :
		    *s == '>' ? "&gt;" : *s == '"' ? "&quot;" :
		    *s == '\'' ? "&#39;" : NULL;
		if (special)
			buf_puts(b, special);
		else
			buf_putc(b, *s);
	}
}

void
html_text(struct buf *b, const char *s, size_t max)
{
	struct buf shown = { 0 };

	job_escape(&shown, s, max);
	html_escaped(b, buf_text(&shown));
	b->failed |= shown.failed;
	buf_free(&shown);
}

void
url_text(struct buf *b, const char *s, bool slashes)
{
	for (; *s; s++)
		if (text_is_letter(*s) || text_is_digit(*s) ||
		    strchr("._-~", *s) || (slashes && *s == '/'))
			buf_putc(b, *s);
		else
			buf_printf(b, "%%%02X", (unsigned char)*s);
}

void
put(struct page *p, const char *html)
{
	buf_puts(&p->out, html);
}

void
put_text(struct page *p, const char *s)
{
	html_text(&p->out, s, 0);
}

void
put_span(struct page *p, int64_t us)
{
	span_words(&p->out, us);
}

bool
page_is_still(const struct page *p)
{
	return *http_value(p->request, "still");
}

void
url_page(struct buf *b, const struct http_request *r, const char *path)
{
	bool first = !strcmp(path, "/");

	url_text(b, r->script, true);
	url_text(b, first && *r->script ? "" : path, true);
}

void
put_url(struct page *p, const char *path, const char *id, bool query)
{
	url_page(&p->out, p->request, path);
	url_text(&p->out, id, false);
	put(p, page_is_still(p) ? "?still=1" : query ? "?" : "");
	put(p, page_is_still(p) && query ? "&amp;" : "");
}

void
put_self(struct page *p, bool still, const char *from)
{
	const struct http_request *r = p->request;
	const char *between = "?";
	size_t i;

	url_page(&p->out, r, r->path);
	for (i = 0; i < r->n; i++) {
		if (!strcmp(r->value[i].name, "still") ||
		    !strcmp(r->value[i].name, "from"))
			continue;
		put(p, between);
		url_text(&p->out, r->value[i].name, false);
		put(p, "=");
		url_text(&p->out, r->value[i].value, false);
		between = "&amp;";
	}
	if (still) {
		put(p, between);
		put(p, "still=1");
		between = "&amp;";
	}
	if (*from) {
		put(p, between);
		put(p, "from=");
		url_text(&p->out, from, false);
	}
}

void
put_hidden(struct page *p, const char *name, const char *value)
{
	put(p, "<input type=hidden name=");
	put(p, name);
	put(p, " value=\"");
	put_text(p, value);
	put(p, "\">");
}

void
page_begin(struct page *p, const char *title, bool live)
{
	char time[JOB_TIME_LEN + 1];

	short_time(time, p->now);
	put(p, "<!DOCTYPE html><html lang=en><meta charset=utf-8><meta "
	    "name=viewport content=\"width=device-width,initial-scale=1\">"
	    "<link rel=icon href=\"data:,\"><title>");
	put_text(p, title);
	put(p, " - queuectl</title>");
	if (live && !page_is_still(p))
		put(p, "<meta http-equiv=refresh content=5>");
	buf_printf(&p->out, "<style nonce=%s>%s</style><header><h1><a href=\"",
	    p->nonce, style);
	put_url(p, "/", "", false);
	put(p, "\">queuectl</a></h1><span><a href=\"");
	put_url(p, "/list", "", false);
	buf_printf(&p->out, "\">all jobs</a></span><span class=dim>%s", time);
	if (live) {
		put(p, " · <a href=\"");
		put_self(p, !page_is_still(p), http_value(p->request, "from"));
		put(p, page_is_still(p) ? "\">refresh every 5 s</a>" :
		    "\">stop refreshing</a>");
	}
	put(p, "</span></header>");
}

void
put_button(struct page *p, const char *id, const char *action,
    const char *words)
{
	if (!p->token)
		return;
	put(p, "<form method=post action=\"");
	url_page(&p->out, p->request, *id ? "/job/" : "/");
	url_text(&p->out, id, false);
	put(p, "\">");
	put_hidden(p, "token", p->token);
	if (page_is_still(p))
		put_hidden(p, "still", "1");
	buf_printf(&p->out, "<button name=action value=%s>%s</button></form>",
	    action, words);
}

/* Adds a row: the id, what `when` says, the command, and what `more` says. */
static void
put_row(struct page *p, const struct field_view *v, cell *when, cell *more)
{
	struct buf title = { 0 };

	view_title(&title, v, TITLE_MAX);
	put(p, "<li><a href=\"");
	put_url(p, "/job/", v->name->id, false);
	put(p, "\">");
	put_text(p, v->name->id);
	put(p, "</a><span>");
	when(p, v);
	put(p, "</span><code>");
	html_escaped(&p->out, buf_text(&title));
	put(p, "</code>");
	if (more)
		more(p, v);
	put(p, "</li>\n");
	buf_free(&title);
}

void
put_rows(struct page *p, const struct listing *l, size_t most, cell *when,
    cell *more)
{
	size_t i;

	put(p, "<ul class=jobs>");
	for (i = 0; i < l->n && i < most; i++) {
		struct field_view v;
		struct job job;

		if (view_load(p->spool, &l->v[i], &job, &v) != SPOOL_OK)
			continue; /* it has moved on */
		put_row(p, &v, when, more);
		job_free(&job);
	}
	put(p, "</ul>");
}

void
log_tail(struct spool *sp, const char *id, size_t most, struct buf *b,
    bool *cut)
{
	struct stat st;
	ssize_t n = 0;
	int fd;

	*cut = false;
	if (spool_log_read(sp, id, &fd) != SPOOL_OK)
		return;
	if (fstat(fd, &st) == 0 && buf_room(b, most)) {
		*cut = st.st_size > (off_t)most;
		n = pread(fd, b->p, most, *cut ? st.st_size - (off_t)most : 0);
	}
	close(fd);
	if (n > 0)
		b->n = (size_t)n;
}

void
put_line(struct page *p, const char *s, size_t n, size_t max)
{
	struct buf line = { 0 };
	size_t i;

	while (n && s[n - 1] == '\r')
		n--;
	for (i = n; i && s[i - 1] != '\r'; i--)
		;
	for (; i < n; i++)
		buf_putc(&line, s[i] ? s[i] : '?');
	html_text(&p->out, buf_text(&line), max);
	p->out.failed |= line.failed;
	buf_free(&line);
}
