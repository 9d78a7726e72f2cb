/*
 * cgi.c: answers a request of an HTTP server: who may ask for what.
 *
 *     GET    /  /list  /job/ID  /log/ID  /metrics  /json
 *     POST   /  /job/ID
 *
 * Anybody whom the server lets in may look.  To change something takes all of
 * this: web-actions is yes; the server has checked a password; the form has the
 * token of this spool; and the browser says that the form is from a page of the
 * host that it is sent to.
 *
 * SPDX-License-Identifier: MIT
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cgi.h"
#include "cli/page.h"
#include "cli/show.h"
#include "cli/status.h"
#include "spool/log.h"
#include "spool/waiting.h"

enum {
	ROUNDS = 40,            /* for a job that moves while we change it, */
	ROUND_MS = 50           /* …with so much in between */
};

/* --- changes ------------------------------------------------------------ */

/* Takes the result of the one job of a bulk. */
static void
take_result(void *result, int r, void *job)
{
	(void)job;
	*(int *)result = r;
}

/* Changes a job, if it does not move meanwhile.  Of one that runs, cancel only
 * asks for the end. */
static int
change_once(struct spool *sp, char *id, const char *action,
    struct spool_cancel *x)
{
	int r = SPOOL_OK;
	struct spool_bulk b = { .spool = sp, .each = take_result, .arg = &r };

	strcpy(x->id, id);
	if (!strcmp(action, "retry"))
		return spool_retry(sp, id, now_us());
	if (!strcmp(action, "cancel"))
		spool_bulk_cancel(&b, x, now_us());
	else if (!strcmp(action, "hold"))
		spool_bulk_hold(&b, id, id);
	else
		spool_bulk_let_go(&b, id, id);
	spool_bulk_end(&b);
	return r == SPOOL_BUSY && x->asked ? SPOOL_OK : r;
}

/* Changes a job, as often as it moves meanwhile. */
static int
change_job(struct spool *sp, const char *word, const char *action)
{
	struct spool_cancel x = { .held = false };
	char id[JOB_ID_MAX + 1];
	int r = spool_resolve(sp, word, id), rounds;

	if (r != SPOOL_OK || strcmp(word, id) != 0)
		return r == SPOOL_OK ? SPOOL_GONE : r;
	for (rounds = ROUNDS; rounds; rounds--) {
		r = change_once(sp, id, action, &x);
		if (r != SPOOL_GONE && r != SPOOL_BUSY)
			break;
		poll(NULL, 0, ROUND_MS);
	}
	return r;
}

static bool
is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(word, *words))
			return true;
	return false;
}

/* Says for people what a result of the spool about a job means, and *status.
 * NULL: it is SPOOL_OK. */
static const char *
explain(struct spool *sp, int result, const char *id, int *status)
{
	static const struct {
		int result, status;
		const char *words;
	} known[] = {
		{ SPOOL_OK, 200, NULL },
		{ SPOOL_GONE, 404, "There is no such job." },
		{ SPOOL_AMBIGUOUS, 404, "More than one job's id begins so." },
		{ SPOOL_WRONG_STATE, 409, "The job is in another state by "
		    "now." },
		{ SPOOL_BUSY, 409, "A process of the job still runs." },
		{ SPOOL_BAD, 409, "The text of the job is damaged." }
	};
	size_t i;

	for (i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].result == result) {
			*status = known[i].status;
			return known[i].words;
		}
	complain_job(sp, result, id);
	*status = 503;
	return "The queue cannot do that; the server's log says why.";
}

/* Does what a form asks for.  NULL: it is done; else why it is not, and
 * *status. */
static const char *
act(struct spool *sp, const struct http_request *r, int *status)
{
	static const char *const of_job[] = { "retry", "cancel", "hold",
		"release", NULL };
	const char *action = http_value(r, "action"), *id = "";
	bool pause = !strcmp(action, "pause");
	int result;

	if (!strcmp(r->path, "/") && (pause || !strcmp(action, "resume"))) {
		result = spool_config_set(sp, config_key("paused"),
		    pause ? "yes" : NULL);
	} else if (!strncmp(r->path, "/job/", 5) && is_one_of(action, of_job)) {
		id = r->path + 5;
		result = change_job(sp, id, action);
	} else {
		*status = 400;
		return "There is no such action.";
	}
	return explain(sp, result, id, status);
}

/* Why a form is refused; NULL: it is not. */
static const char *
refuse_form(const struct config *c, const struct http_request *r,
    const char *token)
{
	if (!c->web_actions)
		return "This page only shows. To let it change jobs: queuectl "
		    "config set web-actions yes";
	if (!*r->user)
		return "Changes need a password, which the HTTP server asks "
		    "for; see THE WEB PAGE in queuectl(1).";
	if (!http_origin_is(r->origin, r->host))
		return "The browser does not say that this form is from this "
		    "page.";
	if (!token || !http_same(token, http_value(r, "token")))
		return "The form is out of date. Load the page again.";
	return NULL;
}

/* --- answers ------------------------------------------------------------ */

/* Prints a page. */
static int
send_page(struct page *p, int status)
{
	if (p->out.failed) {
		buf_free(&p->out);
		status = page_error(p, 500, "There is not enough memory.");
	}
	http_head(status, "text/html", p->nonce, NULL);
	if (p->request->head)
		return DONE;
	return print_buf(&p->out);
}

/* Tells the browser to load the page that the form was sent to. */
static int
send_back(struct page *p)
{
	const struct http_request *r = p->request;
	struct buf b = { 0 };

	/* refuse_form() has checked the origin */
	buf_printf(&b, "Location: %s", r->origin);
	url_page(&b, r, r->path);
	buf_puts(&b, *http_value(r, "still") ? "?still=1" : "");
	http_head(303, "text/plain", NULL, buf_text(&b));
	buf_free(&b);
	return DONE;
}

static int
send_form(struct page *p)
{
	const char *why;
	int status = 403;

	why = refuse_form(&p->spool->config, p->request, p->token);
	if (!why)
		why = act(p->spool, p->request, &status);
	return why ? send_page(p, page_error(p, status, why)) : send_back(p);
}

/* Sends the page of a job or, with `log`, the output of the job.  `word` is the
 * job's id or the beginning of that id. */
static int
send_job(struct call *c, struct page *p, bool log, const char *word)
{
	char id[JOB_ID_MAX + 1];
	const char *why;
	int status, fd = -1, r = spool_resolve(p->spool, word, id);

	if (r == SPOOL_OK && !log) {
		r = page_job(p, id);
	} else if (r == SPOOL_OK) {
		r = spool_log_read(p->spool, id, &fd);
		if (r == SPOOL_GONE)
			r = SPOOL_OK; /* it has written nothing yet */
	}
	why = explain(p->spool, r, word, &status);
	if (why || !log)
		return send_page(p, why ? page_error(p, status, why) : status);
	http_head(status, "text/plain", NULL, NULL);
	r = fd < 0 || p->request->head ? DONE : log_print(c, id, fd);
	if (fd >= 0)
		close(fd);
	return r;
}

/* Sends what status prints for machines. */
static int
send_status(struct page *p, bool json)
{
	struct survey v = { .later.most = 1 };
	struct spool_tally tally;
	int r = survey_read(&v, p->spool);

	if (r == DONE && !json && spool_tally_sum(p->spool, &tally) != SPOOL_OK)
		r = complain_spool(p->spool);
	if (r != DONE) {
		r = send_page(p, page_error(p, 503, "The queue cannot be read; "
		    "the server's log says why."));
	} else {
		http_head(200, json ? "application/json" :
		    "text/plain; version=0.0.4", NULL, NULL);
		if (p->request->head)
			;
		else if (json)
			r = status_print_json(p->spool, &v);
		else
			status_print_metrics(p->spool, &v, &tally);
	}
	survey_free(&v);
	return r;
}

static int
send_answer(struct call *c, struct page *p)
{
	const char *path = p->request->path;

	if (p->request->post)
		return send_form(p);
	if (!strncmp(path, "/log/", 5) || !strncmp(path, "/job/", 5))
		return send_job(c, p, path[1] == 'l', path + 5);
	if (!strcmp(path, "/metrics") || !strcmp(path, "/json"))
		return send_status(p, !strcmp(path, "/json"));
	return send_page(p, !strcmp(path, "/") ? page_overview(p) :
	    !strcmp(path, "/list") ? page_list(p) :
	    page_error(p, 404, "There is no such page."));
}

/* Opens the spool and checks the host.  Returns NULL if all is well; else the
 * reason, for people, and its HTTP status in *status. */
static const char *
open_spool(struct call *c, const struct http_request *r, int *status)
{
	if (call_open_spool(c, false) != DONE) {
		*status = 503;
		return "The queue cannot be opened; the server's log says why.";
	}
	if (!http_host_is(r->host, c->spool.config.web_hosts)) {
		complain("the setting web-hosts does not have the host %s",
		    r->host);
		*status = 403;
		return "This page does not answer for this host; the setting "
		    "web-hosts has those that it answers for.";
	}
	return NULL;
}

int
command_cgi(struct call *c)
{
	struct http_request request;
	struct page p = { .spool = &c->spool, .request = &request };
	char fresh[HTTP_RANDOM + 1], token[SPOOL_TOKEN + 1];
	const char *why;
	int status, r;

	if (!getenv("REQUEST_METHOD"))
		return complain_usage("cgi is for HTTP servers; queuectl web "
		    "starts one");
	p.now = now_us();
	status = http_read(&request, &why);
	if (status == 200)
		why = open_spool(c, &request, &status);
	if (!http_random(p.nonce) || !http_random(fresh)) {
		complain("the system has no random numbers");
		return FAILED;
	}
	if (status == 200 && c->spool.config.web_actions && *request.user) {
		r = spool_token(&c->spool, fresh, token);
		if (r == SPOOL_OK)
			p.token = token;
		else
			complain("%s/web.token: %s", c->spool.path,
			    r == SPOOL_ERROR ? "cannot be read" :
			    c->spool.why);
	}
	r = status == 200 ? send_answer(c, &p) :
	    send_page(&p, page_error(&p, status, why));
	http_free(&request);
	return r;
}
