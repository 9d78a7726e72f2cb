/*
 * enqueue.c: turns JSON, lines of standard input or words into a batch.
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
#include "cli/wait.h"
#include "cli/words.h"

enum {
	BATCH_JOBS = 1000,      /* of enqueue -, between two syncs */
	LINE_LEN_MAX = 2 * JOB_TEXT_MAX,
	AGAIN_MAX = 50          /* times that a unique job is staged again */
};

/* What all ways to enqueue share. */
struct enqueue {
	struct call *call;
	struct spool_batch batch;
	struct waiting *waiting; /* NULL: nobody waits */
	int64_t last;           /* the last stamp given to a job */
	struct buf paths;       /* one absolute cwd */
	struct buf ids;         /* to be printed when the batch is safe: n, each
	                         * with a newline */
	size_t n;
	int again;              /* times that a job was staged again */
	bool came;              /* input did, since config was last looked at */
};

/* Strictly increasing, so that a batch keeps its order. */
static int64_t
next_stamp(struct enqueue *q)
{
	int64_t now = now_us();

	q->last = now > q->last ? now : q->last + 1;
	return q->last;
}

/* Fills in what the job does not say.  The spool is open from then on. */
static int
complete(struct enqueue *q, struct job *job)
{
	/* what config says when a job comes; a producer may be slow */
	if (q->call->spool.fd < 0 && open_spool(q->call, true) != DONE)
		return FAILED;
	if (q->came)
		spool_config_refresh(&q->call->spool);
	q->came = false;
	q->batch.spool = &q->call->spool;
	if (job->priority < 0)
		job->priority = JOB_PRIORITY;
	if (job->max_retries < 0)
		job->max_retries = q->call->spool.config.policy.max_retries;
	if (job->backoff_base < 0)
		job->backoff_base =
		    q->call->spool.config.policy.backoff_base;
	if (job->created < 0)
		job->created = next_stamp(q);
	if (job->cwd && *job->cwd == '/')
		return DONE;
	if (!q->call->cwd.n && !add_cwd(&q->call->cwd)) {
		complain("the current directory: %s; name one with cwd",
		    strerror(errno));
		return FAILED;
	}
	if (!text_is_utf8(q->call->cwd.p, q->call->cwd.n)) {
		complain("the current directory's name is not UTF-8; name "
		    "another with cwd");
		return FAILED;
	}
	if (!job->cwd) {
		job->cwd = q->call->cwd.p;
		return DONE;
	}
	buf_clear(&q->paths);
	buf_printf(&q->paths, "%s/%s", q->call->cwd.p, job->cwd);
	if (q->paths.failed)
		return no_memory();
	job->cwd = q->paths.p;
	return DONE;
}

/* Between the first entry in ids/ and the last id printed nothing that a
 * terminal sends may leave it half-done. */
static void
hold_signals(bool hold)
{
	static bool held;
	sigset_t set;

	if (hold == held)
		return;
	held = hold;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static void
add_id(struct enqueue *q, const char *id)
{
	buf_puts(&q->ids, id);
	buf_putc(&q->ids, '\n');
	q->n++;
}

static void
forget_ids(struct enqueue *q)
{
	buf_clear(&q->ids);
	q->n = 0;
}

/* Stages a job and keeps its id, or that of the one that is queued already. */
static int
stage(struct enqueue *q, struct job *job)
{
	int r;

	/* once it is published, there must be room for its id */
	if (!buf_room(&q->ids, JOB_ID_MAX + 1)) {
		q->call->spool.at[0] = '\0';
		errno = ENOMEM;
		return SPOOL_ERROR;
	}
	r = spool_stage(&q->batch, job);
	if (r == SPOOL_OK || r == SPOOL_QUEUED)
		q->again = 0;
	if (r == SPOOL_OK)
		add_id(q, q->batch.name[q->batch.n - 1].id);
	if (r == SPOOL_QUEUED) {
		add_id(q, job->id);
		return SPOOL_OK;
	}
	return r;
}

/* Writes the ids of the batch that is safe. */
static int
print_ids(struct enqueue *q)
{
	char *id = q->ids.p, *end;
	bool good = true;

	if (id)
		fputs(id, stdout);
	for (; q->waiting && id && *id && good; id = end + 1) {
		end = strchr(id, '\n');
		*end = '\0';
		good = waiting_add(q->waiting, id);
	}
	forget_ids(q);
	spool_batch_clear(&q->batch);
	if (fflush(stdout))
		good = false;
	hold_signals(false);
	if (!good && !ferror(stdout))
		return no_memory();
	return good ? DONE : FAILED;
}

static int
complain_stage(const struct spool *sp, int result, const char *id,
    const char *where)
{
	if (result == SPOOL_EXISTS)
		complain("%sid \"%s\" exists already", where, id);
	else if (result == SPOOL_BUSY)
		complain("%sid \"%s\" is in use: it is being enqueued by "
		    "someone else, or a process of its job still runs",
		    where, id);
	else if (result == SPOOL_ALIEN)
		complain("%sid \"%s\" cannot be used: %s", where, id, sp->why);
	else if (result == SPOOL_FULL)
		complain("%s%s: nothing was enqueued: %s", where, sp->path,
		    sp->why);
	else if (errno == EFBIG)
		complain("%sthe job is larger than 16 MiB", where);
	else
		return complain_spool(sp);
	return FAILED;
}

/* The entry in the way may meanwhile have become a job: then a unique one may
 * be staged again, to see which.  If it is none all the same (its job was put
 * aside by hand), the id exists. */
static int
reclaim(struct enqueue *q, const struct job *job)
{
	int r = spool_reclaim(&q->call->spool, job->id);

	return r == SPOOL_EXISTS && job->unique &&
	    q->again++ < AGAIN_MAX ? SPOOL_OK : r;
}

/*
 * All jobs or none: writes them whole, then publishes them.  The entry that
 * someone's crash left in the way is removed and everything done again.
 */
static int
enqueue_all(struct enqueue *q, struct job *jobs, size_t n)
{
	struct spool *sp = &q->call->spool;
	size_t i;
	int r;

	hold_signals(true);
	q->batch.bulk = n > 1;
	for (i = 0; i < n;) {
		r = stage(q, &jobs[i]);
		if (r == SPOOL_OK) {
			i++;
			continue;
		}
		spool_take_back(&q->batch);
		forget_ids(q);
		if (r == SPOOL_LEFTOVER)
			r = reclaim(q, &jobs[i]);
		if (r != SPOOL_OK)
			return complain_stage(sp, r, jobs[i].id, "");
		i = 0;
	}
	if (spool_publish(&q->batch) != SPOOL_OK)
		return complain_spool(sp);
	return print_ids(q);
}

/* "line 3, column 14: …", for a text of several lines or one. */
static int
complain_json(const char *text, const struct json_error *e)
{
	if (!e->line)
		return no_memory();
	complain("not JSON: line %zu, column %zu: %s", e->line, e->column,
	    e->what);
	if (text[strspn(text, " \t\r\n")] != '{' &&
	    text[strspn(text, " \t\r\n")] != '[')
		complain("to enqueue a command with its arguments: queuectl "
		    "enqueue -- CMD [ARG...]");
	return USAGE;
}

static int
read_jobs(struct enqueue *q, const struct json *tree, struct job *jobs,
    size_t n)
{
	const struct json *e = tree->type == JSON_ARRAY ? tree->child : tree;
	const struct json *at;
	struct buf why = { 0 };
	size_t i;
	bool good = true;

	for (i = 0; i < n && good; i++, e = e->next) {
		int64_t now = next_stamp(q);

		good = field_read(&jobs[i], e, now, &why, &at);
		jobs[i].created = now;
	}
	if (!good && tree->type == JSON_ARRAY)
		complain("job %zu of the array (line %zu, column %zu): %s", i,
		    at->line, at->column, why.p ? why.p : "out of memory");
	else if (!good)
		complain("line %zu, column %zu: %s", at->line, at->column,
		    why.p ? why.p : "out of memory");
	buf_free(&why);
	return good ? DONE : USAGE;
}

static int
enqueue_tree(struct enqueue *q, const struct json *tree)
{
	const struct json *e;
	struct job *jobs;
	struct buf *cwds;
	size_t n = 1, i;
	int r;

	if (tree->type != JSON_OBJECT && tree->type != JSON_ARRAY) {
		complain("a job must be an object or an array of objects, "
		    "not %s", json_type_name(tree->type));
		return USAGE;
	}
	if (tree->type == JSON_ARRAY)
		for (n = 0, e = tree->child; e; e = e->next)
			n++;
	jobs = calloc(n + 1, sizeof *jobs);
	cwds = calloc(n + 1, sizeof *cwds);
	r = jobs && cwds ? read_jobs(q, tree, jobs, n) : no_memory();
	for (i = 0; i < n && r == DONE; i++) {
		r = complete(q, &jobs[i]);
		/* each keeps its own absolute path, if it needed one */
		if (r == DONE && jobs[i].cwd == q->paths.p) {
			cwds[i] = q->paths;
			q->paths = (struct buf){ 0 };
		}
	}
	if (r == DONE && n)
		r = enqueue_all(q, jobs, n);
	for (i = 0; i < n; i++) {
		if (jobs)
			job_free(&jobs[i]);
		if (cwds)
			buf_free(&cwds[i]);
	}
	free(jobs);
	free(cwds);
	return r;
}

static int
enqueue_json(struct enqueue *q, const char *text)
{
	struct json_error error;
	struct json *tree = json_parse(text, strlen(text), &error);
	int r;

	if (!tree)
		return complain_json(text, &error);
	r = enqueue_tree(q, tree);
	json_free(tree);
	return r;
}

static int
publish_lines(struct enqueue *q, size_t line)
{
	if (!q->n)
		return DONE;
	if (spool_publish(&q->batch) != SPOOL_OK) {
		complain_spool(&q->call->spool);
		forget_ids(q);
		complain("stopped before line %zu; the jobs whose ids were "
		    "printed are enqueued, others are not", line);
		return FAILED;
	}
	return print_ids(q);
}

/* Stages one job; *stop is set when there is no point in going on. */
static int
enqueue_staged(struct enqueue *q, struct job *job, size_t line, bool *stop)
{
	struct spool *sp = &q->call->spool;
	char where[40];
	int r;

	hold_signals(true);
	while ((r = stage(q, job)) == SPOOL_LEFTOVER) {
		/* needs ids/ for itself: those before it first */
		if (publish_lines(q, line) != DONE) {
			*stop = true;
			return FAILED;
		}
		r = reclaim(q, job);
		if (r != SPOOL_OK)
			break;
	}
	if (r == SPOOL_OK)
		return DONE;
	if (!q->n)
		hold_signals(false);
	snprintf(where, sizeof where, "line %zu: ", line);
	complain_stage(sp, r, job->id, where);
	*stop = r == SPOOL_FULL || (r == SPOOL_ERROR && errno != EFBIG);
	return FAILED;
}

static int
enqueue_line(struct enqueue *q, const char *text, size_t len, size_t line,
    bool *stop)
{
	struct json_error error;
	const struct json *at;
	struct json *tree;
	struct buf why = { 0 };
	struct job job;
	int64_t now;
	int r = FAILED;

	if (strspn(text, " \t\r") == len)
		return DONE;
	tree = json_parse(text, len, &error);
	if (!tree) {
		complain("line %zu, column %zu: %s", line, error.column,
		    error.line ? error.what : "out of memory");
		return FAILED;
	}
	now = next_stamp(q);
	if (!field_read(&job, tree, now, &why, &at)) {
		complain("line %zu, column %zu: %s", line, at->column,
		    why.p ? why.p : "out of memory");
	} else {
		job.created = now;
		r = complete(q, &job);
		if (r == DONE)
			r = enqueue_staged(q, &job, line, stop);
		else
			*stop = true;
	}
	job_free(&job);
	json_free(tree);
	buf_free(&why);
	return r;
}

/* Whether more can be read without waiting. */
static bool
more_waits(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* Enqueues the whole lines of `in` and leaves the rest there. */
static int
enqueue_lines(struct enqueue *q, struct buf *in, size_t *line, bool *stop)
{
	size_t at = 0;
	int r = DONE;
	char *end;

	while (!*stop && (end = memchr(in->p + at, '\n', in->n - at))) {
		size_t n = (size_t)(end - in->p) - at;

		*end = '\0';
		++*line;
		if (memchr(in->p + at, '\0', n)) {
			complain("line %zu: a NUL byte", *line);
			r = FAILED;
		} else if (enqueue_line(q, in->p + at, n, *line, stop)) {
			r = FAILED;
		}
		at += n + 1;
		if (q->n >= BATCH_JOBS &&
		    publish_lines(q, *line + 1) != DONE) {
			*stop = true;
			r = FAILED;
		}
	}
	in->n -= at;
	memmove(in->p, in->p + at, in->n + 1);
	return r;
}

/* One JSON object per line, published in batches; a batch ends when no more
 * input waits, so that a slow producer's jobs do not wait either. */
static int
enqueue_stdin(struct enqueue *q)
{
	struct buf in = { 0 };
	bool stop = false, skip = false, end = false;
	size_t line = 0;
	int r = DONE;

	q->batch.bulk = true;
	while (!stop && !end) {
		ssize_t n;

		if (!buf_room(&in, 65536)) {
			r = no_memory();
			break;
		}
		n = read(STDIN_FILENO, in.p + in.n, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			complain("standard input: %s", strerror(errno));
			r = FAILED;
			break;
		}
		q->came = true;
		end = n == 0;
		in.n += (size_t)n;
		if (end && in.n)
			in.p[in.n++] = '\n';
		in.p[in.n] = '\0';
		if (skip) {
			/* the rest of a line that was too long */
			char *nl = memchr(in.p, '\n', in.n);
			size_t gone = nl ? (size_t)(nl - in.p) + 1 : in.n;

			in.n -= gone;
			memmove(in.p, in.p + gone, in.n + 1);
			skip = !nl;
		}
		if (enqueue_lines(q, &in, &line, &stop) != DONE)
			r = FAILED;
		if (!stop && in.n > LINE_LEN_MAX) {
			complain("line %zu: longer than 32 MiB", ++line);
			r = FAILED;
			skip = true;
			in.n = 0;
		}
		if (!stop && (end || !more_waits()) &&
		    publish_lines(q, line + 1) != DONE) {
			stop = true;
			r = FAILED;
		}
	}
	/* what a failure left staged; publish has taken back its own */
	if (q->n && publish_lines(q, line + 1) != DONE)
		r = FAILED;
	buf_free(&in);
	return r;
}

static int
enqueue_words(struct enqueue *q)
{
	struct call *c = q->call;
	struct words_tree t = { .object = { .type = JSON_OBJECT } };
	const struct json *at;
	struct buf why = { 0 };
	struct job job;
	int64_t now = next_stamp(q);
	int r = USAGE;

	t.node = calloc(c->ngiven + (size_t)c->n + 1, sizeof *t.node);
	if (!t.node)
		return no_memory();
	job_init(&job);
	if (words_to_tree(c, &t)) {
		if (field_read(&job, &t.object, now, &why, &at)) {
			job.created = now;
			r = complete(q, &job);
			if (r == DONE)
				r = enqueue_all(q, &job, 1);
		} else {
			/* the nodes of options come first, as they came */
			const char *o = at >= t.node &&
			    at < t.node + c->ngiven ? enqueue_options[
			    c->given[at - t.node].option].name : NULL;

			complain("%s%s%s%s", o ? "--" : "", o ? o : "",
			    o ? ": " : "", why.p ? why.p : "out of memory");
		}
	}
	job_free(&job);
	free(t.node);
	buf_free(&why);
	return r;
}

int
command_enqueue(struct call *c)
{
	struct waiting waiting = { .n = 0 };
	struct enqueue q = { .call = c };
	size_t fields = 0, i;
	int r;

	for (i = 0; i < c->ngiven; i++)
		fields += c->given[i].option != WAIT_OPTION;
	if (c->value[WAIT_OPTION])
		q.waiting = &waiting;
	if (!c->dashes && fields) {
		complain("the options of enqueue go with -- CMD [ARG...]; a "
		    "JSON job has fields for them");
		r = USAGE;
	} else if (c->dashes) {
		r = enqueue_words(&q);
	} else if (c->n != 1) {
		complain("one JSON argument, please (quote it); or queuectl "
		    "enqueue -- CMD [ARG...]");
		r = USAGE;
	} else if (!strcmp(c->operand[0], "-")) {
		r = enqueue_stdin(&q);
	} else {
		r = enqueue_json(&q, c->operand[0]);
	}
	spool_batch_free(&q.batch);
	buf_free(&q.paths);
	buf_free(&q.ids);
	if (waiting.n) {
		int ended = wait_for(&c->spool, &waiting, -1);

		r = r == DONE ? ended : r;
	}
	free(waiting.v);
	return r;
}
