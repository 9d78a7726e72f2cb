/*
 * enqueue.c: turns JSON, lines of JSON on stdin, or words into a batch of jobs.
 *
 * All of them make a draft, complete() it, stage() it, and publish the batch;
 * then print_ids().  enqueue_given(), near the end, tells them apart.
 *
 * SPDX-License-Identifier: MIT
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/enqueue.h"
#include "cli/graph.h"
#include "cli/wait.h"
#include "cli/words.h"
#include "spool/waiting.h"

enum {
	BATCH_JOBS = 1000,      /* lines between two syncs */
	READ_SIZE = 65536,
	LINE_LEN_MAX = 2 * JOB_TEXT_MAX,
	AGAIN_MAX = 50          /* times that a unique job is staged again */
};

struct enqueue {
	struct call *call;
	struct spool_batch batch;
	struct waiting *waiting; /* NULL: nobody waits */
	int64_t last;           /* the last stamp given to a job */
	struct buf ids;         /* printed when the batch is safe: n ids, each
	                         * with a newline */
	size_t n;
	int again;              /* times that a job was staged again */
	bool held;              /* signals are blocked */

	/* enqueue - */
	struct buf in;          /* read, and not used yet */
	size_t line;            /* lines before the text at hand */
	bool came;              /* input came since we last read the config */
	bool skip;              /* the line is too long; drop what is left */
	bool stop;              /* after this failure no line can succeed */
	int result;             /* exit status of the lines so far */
};

/* A job that is not staged yet. */
struct draft {
	struct job job;
	struct buf cwd;         /* the memory behind job.cwd, if it needs any */
	char id[JOB_ID_MAX + 1]; /* once it is staged */
};

static void
draft_free(struct draft *d)
{
	job_free(&d->job);
	buf_free(&d->cwd);
}

/* Stamps increase strictly, so that a batch keeps its order. */
static int64_t
next_stamp(struct enqueue *q)
{
	int64_t now = now_us();

	q->last = now > q->last ? now : q->last + 1;
	return q->last;
}

/* Makes the job's directory absolute. */
static int
complete_cwd(struct enqueue *q, struct draft *d)
{
	struct job *job = &d->job;
	const char *cwd;

	if (job->cwd && *job->cwd == '/')
		return DONE;
	cwd = call_cwd(q->call);
	if (!cwd)
		return complain("the current directory: %s; name one with cwd",
		    strerror(errno));
	if (!text_is_utf8(cwd, strlen(cwd)))
		return complain("the current directory's name is not UTF-8; "
		    "name another with cwd");
	if (!job->cwd) {
		job->cwd = cwd;
		return DONE;
	}
	buf_printf(&d->cwd, "%s/%s", cwd, job->cwd);
	job->cwd = d->cwd.p;
	return d->cwd.failed ? complain_memory() : DONE;
}

/* Fills in what the job does not say.  From then on the spool is open. */
static int
complete(struct enqueue *q, struct draft *d)
{
	struct spool *sp = &q->call->spool;
	const struct job_policy *policy = &sp->config.policy;
	struct job *job = &d->job;

	if (call_open_spool(q->call, true) != DONE)
		return FAILED;
	/* A producer may be slow; the config when a job comes counts. */
	if (q->came)
		spool_config_refresh(sp);
	q->came = false;
	q->batch.spool = sp;
	if (job->priority < 0)
		job->priority = JOB_PRIORITY;
	if (job->max_retries < 0)
		job->max_retries = policy->max_retries;
	if (job->backoff_base < 0)
		job->backoff_base = policy->backoff_base;
	return complete_cwd(q, d);
}

/* Blocks the signals of a terminal from the first entry in ids/ to the last id
 * printed, so that they leave nothing half-done. */
static void
hold_signals(struct enqueue *q, bool hold)
{
	sigset_t set;

	if (hold == q->held)
		return;
	q->held = hold;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static void
forget_ids(struct enqueue *q)
{
	buf_clear(&q->ids);
	q->n = 0;
}

/* Stages a job and tells its id, or the id of the unique job that is queued
 * already. */
static int
stage(struct enqueue *q, struct draft *d)
{
	int r;

	/* Once a job is published, there must be room for its id. */
	if (!buf_room(&q->ids, (q->n + q->batch.n + 1) * (JOB_ID_MAX + 1))) {
		q->call->spool.at[0] = '\0';
		errno = ENOMEM;
		return SPOOL_ERROR;
	}
	r = spool_stage(&q->batch, &d->job);
	if (r != SPOOL_OK && r != SPOOL_DUPLICATE)
		return r;
	q->again = 0;
	strcpy(d->id, r == SPOOL_DUPLICATE ? d->job.id :
	    q->batch.v[q->batch.n - 1].name.id);
	return SPOOL_OK;
}

/* Keeps the id of a staged job, to print it. */
static void
keep_id(struct enqueue *q, const struct draft *d)
{
	buf_puts(&q->ids, d->id);
	buf_putc(&q->ids, '\n');
	q->n++;
}

/* Prints the ids of a batch that is safe. */
static int
print_ids(struct enqueue *q)
{
	char *id = q->ids.p, *end;
	int r = DONE;

	if (id)
		fputs(id, stdout);
	for (; q->waiting && id && *id && r == DONE; id = end + 1) {
		end = strchr(id, '\n');
		*end = '\0';
		r = waiting_add(q->waiting, id);
	}
	forget_ids(q);
	spool_batch_clear(&q->batch);
	if (fflush(stdout))
		r = FAILED;
	hold_signals(q, false);
	return r;
}

static int
complain_stage(const struct spool *sp, int result, const char *id,
    const char *where)
{
	if (result == SPOOL_EXISTS)
		return complain("%sid \"%s\" exists already; take another, or "
		    "none, or see unique in queuectl help enqueue", where, id);
	if (result == SPOOL_BUSY)
		return complain("%sid \"%s\" is in use: it is being enqueued "
		    "by someone else, or a process of its job still runs; "
		    "take another, or wait", where, id);
	if (result == SPOOL_NO_PARENT)
		return complain("%sthere is no job \"%s\" to wait for; "
		    "queuectl list shows the ids", where, sp->at);
	if (result == SPOOL_REFUSED)
		return complain("%sid \"%s\" cannot be used: %s; take another",
		    where, id, sp->why);
	if (result == SPOOL_FULL)
		return complain("%s%s: nothing was enqueued: %s; make room, or "
		    "lower min-free with queuectl config set", where, sp->path,
		    sp->why);
	if (result == SPOOL_BAD)
		return complain("%s%s", where, sp->why);
	return complain_spool(sp);
}

/*
 * Removes the entry that a crashed enqueuer left in the job's way.  The entry
 * may have become a job in the meantime; a unique job is then staged again, to
 * see which.  If that does not end, because someone moved the job's file out of
 * the spool, the id exists.
 */
static int
reclaim(struct enqueue *q, const struct job *job)
{
	int r = spool_reclaim(&q->call->spool, job->id);

	return r == SPOOL_EXISTS && job->unique &&
	    q->again++ < AGAIN_MAX ? SPOOL_OK : r;
}

/* Removes what keeps a job from being staged, if that is possible.  Nothing is
 * staged now.  Returns a result of the spool. */
static int
make_way(struct enqueue *q, int result, const struct job *job)
{
	return result == SPOOL_STALE_ID ? reclaim(q, job) :
	    result == SPOOL_NO_AFTER ? spool_waiting_open(&q->call->spool) :
	    result;
}

/* The drafts in an order in which parents come before their children; NULL
 * after a complaint, with the exit status in *r. */
static struct draft **
sort_drafts(struct draft *drafts, size_t n, int *r)
{
	struct draft **sorted = calloc(n + 1, sizeof(struct draft *));
	struct node *node = calloc(n + 1, sizeof *node);
	size_t i, bad = SIZE_MAX;

	*r = DONE;
	for (i = 0; node && i < n; i++)
		node[i].job = &drafts[i].job;
	if (sorted && node)
		bad = graph_sort(node, n);
	for (i = 0; bad == n && i < n; i++)
		sorted[node[i].place] = &drafts[i];
	if (bad == SIZE_MAX)
		*r = complain_memory();
	else if (bad < n && n == 1)
		*r = complain_usage("a job cannot wait for itself");
	else if (bad < n)
		*r = complain_usage("job %zu of the array, \"%s\", would wait "
		    "for itself: its parents wait for it", bad + 1,
		    drafts[bad].job.id);
	free(node);
	if (*r == DONE)
		return sorted;
	free(sorted);
	return NULL;
}

/* Stages them all and publishes them.  After reclaim() it starts again. */
static int
enqueue_sorted(struct enqueue *q, struct draft **sorted, size_t n)
{
	struct spool *sp = &q->call->spool;
	size_t i;
	int r;

	hold_signals(q, true);
	q->batch.bulk = n > 1;
	for (i = 0; i < n;) {
		struct job *job = &sorted[i]->job;

		r = stage(q, sorted[i]);
		if (r == SPOOL_OK) {
			i++;
			continue;
		}
		spool_take_back(&q->batch);
		forget_ids(q);
		r = make_way(q, r, job);
		if (r != SPOOL_OK)
			return complain_stage(sp, r, job->id, "");
		i = 0;
	}
	r = spool_publish(&q->batch);
	return r == SPOOL_OK ? DONE : complain_stage(sp, r, "", "");
}

/* Enqueues all or none. */
static int
enqueue_all(struct enqueue *q, struct draft *drafts, size_t n)
{
	struct draft **sorted;
	size_t i;
	int r;

	sorted = sort_drafts(drafts, n, &r);
	if (r == DONE)
		r = enqueue_sorted(q, sorted, n);
	free(sorted);
	if (r != DONE)
		return r;
	for (i = 0; i < n; i++)
		keep_id(q, &drafts[i]);
	return print_ids(q);
}

/* In words, the beginning of a parent's id will do.  A word that stands for no
 * job stays as it is, and staging says so. */
static int
complete_parents(struct enqueue *q, struct job *job,
    char (*ids)[JOB_ID_MAX + 1])
{
	struct job_list *list;
	size_t i, n = 0;
	int r;

	for (list = &job->after; list;
	    list = list == &job->after ? &job->after_any : NULL)
		for (i = 0; i < list->n; i++, n++) {
			r = spool_resolve(&q->call->spool, list->v[i], ids[n]);
			if (r == SPOOL_AMBIGUOUS || r == SPOOL_ERROR)
				return complain_job(&q->call->spool, r,
				    list->v[i]);
			if (r == SPOOL_OK)
				list->v[i] = ids[n];
		}
	return DONE;
}

static int
enqueue_words(struct enqueue *q)
{
	char (*ids)[JOB_ID_MAX + 1] = NULL;
	struct words words;
	struct draft d = { .cwd = { 0 } };
	int r = words_read(&words, q->call, next_stamp(q), &d.job);

	if (r == DONE)
		r = complete(q, &d);
	if (r == DONE && job_parents(&d.job)) {
		ids = calloc(job_parents(&d.job), sizeof *ids);
		r = ids ? complete_parents(q, &d.job, ids) : complain_memory();
	}
	if (r == DONE)
		r = enqueue_all(q, &d, 1);
	draft_free(&d);
	words_free(&words);
	free(ids);
	return r;
}

static int
complain_json(const struct enqueue *q, const char *text,
    const struct json_error *e)
{
	if (!e->line)
		return complain_memory();
	complain("not JSON: line %zu, column %zu: %s", q->line + e->line,
	    e->column, e->what);
	text += strspn(text, " \t\r\n");
	if (*text != '{' && *text != '[')
		complain("to enqueue a line for the shell: queuectl enqueue "
		    "--command LINE; a command with its arguments: queuectl "
		    "enqueue -- CMD [ARG...]; the jobs of a file: queuectl "
		    "enqueue - <FILE");
	return USAGE;
}

/* Makes a draft of an object, the `number`th of an array (0: it stands alone).
 * DONE, or USAGE after a complaint. */
static int
read_draft(struct enqueue *q, struct draft *d, const struct json *object,
    size_t number)
{
	const struct json *at;
	struct buf why = { 0 };
	int64_t now = next_stamp(q);
	bool good = field_read(&d->job, object, now, &why, &at);
	const char *reason = why.p ? why.p : "out of memory";

	d->job.created = now;
	if (!good && number)
		complain("job %zu of the array (line %zu, column %zu): %s",
		    number, q->line + at->line, at->column, reason);
	else if (!good)
		complain("line %zu, column %zu: %s", q->line + at->line,
		    at->column, reason);
	buf_free(&why);
	return good ? DONE : USAGE;
}

static int
enqueue_tree(struct enqueue *q, const struct json *tree)
{
	bool array = tree->type == JSON_ARRAY;
	const struct json *e, *first = array ? tree->child : tree;
	struct draft *drafts;
	size_t n = 0, i;
	int r = DONE;

	if (tree->type != JSON_OBJECT && !array)
		return complain_usage("a job must be an object or an array of "
		    "objects, not %s", json_type_name(tree->type));
	for (e = first; e; e = e->next)
		n++;
	drafts = calloc(n + 1, sizeof *drafts);
	if (!drafts)
		return complain_memory();
	for (e = first, i = 0; e && r == DONE; e = e->next, i++)
		r = read_draft(q, &drafts[i], e, array ? i + 1 : 0);
	for (i = 0; i < n && r == DONE; i++)
		r = complete(q, &drafts[i]);
	if (r == DONE && n)
		r = enqueue_all(q, drafts, n);
	for (i = 0; i < n; i++)
		draft_free(&drafts[i]);
	free(drafts);
	return r;
}

static int
enqueue_json(struct enqueue *q, const char *text, size_t len)
{
	struct json_error error;
	struct json *tree = json_parse(text, len, &error);
	int r;

	if (!tree)
		return complain_json(q, text, &error);
	r = enqueue_tree(q, tree);
	json_free(tree);
	return r;
}

/* The current line, or standard input as such, has failed. */
static void
fail_line(struct enqueue *q, bool stop)
{
	q->result = FAILED;
	q->stop |= stop;
}

/* Publishes what is staged of the lines so far. */
static void
publish_lines(struct enqueue *q)
{
	int r;

	if (!q->n)
		return;
	r = spool_publish(&q->batch);
	if (r == SPOOL_OK) {
		if (print_ids(q) != DONE)
			fail_line(q, true);
		return;
	}
	complain_stage(&q->call->spool, r, "", "");
	forget_ids(q);
	complain("stopped before line %zu; the jobs whose ids were "
	    "printed are enqueued, others are not", q->line + 1);
	fail_line(q, true);
}

/* Stages the job of the current line. */
static void
stage_line(struct enqueue *q, struct draft *d)
{
	struct spool *sp = &q->call->spool;
	struct job *job = &d->job;
	char where[40];
	int r;

	hold_signals(q, true);
	while ((r = stage(q, d)) == SPOOL_STALE_ID || r == SPOOL_NO_AFTER) {
		/* make_way() needs ids/ for itself. */
		publish_lines(q);
		if (q->stop)
			return;
		r = make_way(q, r, job);
		if (r != SPOOL_OK)
			break;
	}
	if (r == SPOOL_OK) {
		keep_id(q, d);
		return;
	}
	if (!q->n)
		hold_signals(q, false);
	snprintf(where, sizeof where, "line %zu: ", q->line + 1);
	complain_stage(sp, r, job->id, where);
	fail_line(q, r == SPOOL_FULL || r == SPOOL_ERROR);
}

static void
enqueue_line(struct enqueue *q, const char *text, size_t len)
{
	struct json_error error;
	struct json *tree;
	struct draft d = { .cwd = { 0 } };

	if (strspn(text, " \t\r") == len)
		return;
	tree = json_parse(text, len, &error);
	if (!tree) {
		complain("line %zu, column %zu: %s", q->line + 1, error.column,
		    error.line ? error.what : "out of memory");
		fail_line(q, false);
		return;
	}
	if (read_draft(q, &d, tree, 0) != DONE)
		fail_line(q, false);
	else if (complete(q, &d) != DONE)
		fail_line(q, true);
	else
		stage_line(q, &d);
	draft_free(&d);
	json_free(tree);
}

/* Drops the first `n` bytes of the input. */
static void
use_input(struct enqueue *q, size_t n)
{
	q->in.n -= n;
	memmove(q->in.p, q->in.p + n, q->in.n + 1);
}

/* Enqueues the whole lines of the input. */
static void
enqueue_lines(struct enqueue *q)
{
	size_t at = 0;
	char *end;

	while (!q->stop &&
	    (end = memchr(q->in.p + at, '\n', q->in.n - at))) {
		char *line = q->in.p + at;
		size_t n = (size_t)(end - line);

		*end = '\0';
		if (memchr(line, '\0', n)) {
			complain("line %zu: a NUL byte", q->line + 1);
			fail_line(q, false);
		} else {
			enqueue_line(q, line, n);
		}
		q->line++;
		at += n + 1;
		if (q->n >= BATCH_JOBS)
			publish_lines(q);
	}
	use_input(q, at);
	if (!q->stop && q->in.n > LINE_LEN_MAX) {
		complain("line %zu: longer than 32 MiB; use a file", ++q->line);
		fail_line(q, false);
		q->skip = true;
		q->in.n = 0;
	}
}

/* Reads some input; *end: there is no more, and the last line has a newline. */
static int
read_input(struct enqueue *q, bool *end)
{
	struct buf *in = &q->in;
	ssize_t n;

	if (!buf_room(in, READ_SIZE))
		return complain_memory();
	do
		n = read(STDIN_FILENO, in->p + in->n, READ_SIZE);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return complain("standard input: %s", strerror(errno));
	q->came = true;
	*end = n == 0;
	in->n += (size_t)n;
	if (*end && in->n)
		in->p[in->n++] = '\n';
	in->p[in->n] = '\0';
	if (q->skip) {
		char *newline = memchr(in->p, '\n', in->n);

		use_input(q, newline ? (size_t)(newline - in->p) + 1 : in->n);
		q->skip = !newline;
	}
	return DONE;
}

/* Enqueues the array that the input begins with.  Its rules want it whole. */
static int
enqueue_array(struct enqueue *q, bool end)
{
	int r;

	while (!end)
		if (read_input(q, &end) != DONE)
			return FAILED;
	r = enqueue_json(q, q->in.p, q->in.n);
	return r == DONE ? q->result : r;
}

/* Enqueues an array, or one JSON object per line, in batches.  A batch also
 * ends when no more input waits, so that a slow producer's jobs do not wait for
 * it. */
static int
enqueue_stdin(struct enqueue *q)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	bool end = false, blank = true; /* so far */
	size_t n;

	q->batch.bulk = true;
	while (!q->stop && !end) {
		if (read_input(q, &end) != DONE) {
			fail_line(q, true);
			break;
		}
		n = strspn(q->in.p, " \t\r\n");
		if (blank && q->in.p[n] == '[')
			return enqueue_array(q, end);
		blank &= n == q->in.n;
		enqueue_lines(q);
		if (!q->stop && (end || poll(&in, 1, 0) <= 0))
			publish_lines(q);
	}
	/* What was staged before a failure. */
	publish_lines(q);
	return q->result;
}

static int
enqueue_given(struct enqueue *q)
{
	struct call *c = q->call;
	bool line = call_option(c, "command");

	if (c->dashes && !c->n)
		return complain_usage("a command must follow --");
	if (c->dashes || (line && !c->n))
		return enqueue_words(q);
	if (line)
		return complain_usage("--command takes the line as one word, "
		    "so quote it; or queuectl enqueue -- CMD [ARG...]");
	if (words_have_fields(c))
		return complain_usage("the options of enqueue go with -- CMD "
		    "[ARG...] or --command LINE; a JSON job has fields for "
		    "them");
	if (c->n != 1)
		return complain_usage("one JSON argument, please (quote it); "
		    "or queuectl enqueue --command LINE, or -- CMD [ARG...]");
	return !strcmp(c->operand[0], "-") ? enqueue_stdin(q) :
	    enqueue_json(q, c->operand[0], strlen(c->operand[0]));
}

int
command_enqueue(struct call *c)
{
	struct waiting waiting = { .n = 0 };
	struct enqueue q = { .call = c };
	int r, ended;

	if (call_option(c, "wait"))
		q.waiting = &waiting;
	r = enqueue_given(&q);
	spool_batch_free(&q.batch);
	buf_free(&q.ids);
	buf_free(&q.in);
	if (waiting.n) {
		ended = waiting_wait(&waiting, &c->spool, -1);
		r = r == DONE ? ended : r;
	}
	waiting_free(&waiting);
	return r;
}
