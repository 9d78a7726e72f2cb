/*
 * listing.c: collects and orders jobs, and shows them.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* wcwidth */
#include <sys/ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <locale.h>
#include <unistd.h>
#include <wchar.h>

#include "cli/listing.h"

size_t
terminal_width(int fd)
{
	const char *columns = getenv("COLUMNS");
	struct winsize ws;
	int64_t n;

	if (!isatty(fd))
		return 0;
	setlocale(LC_CTYPE, ""); /* for wcwidth */
	if (ioctl(fd, TIOCGWINSZ, &ws) == 0 && ws.ws_col)
		return ws.ws_col;
	if (columns && job_number_parse(columns, 1, 10000, &n))
		return (size_t)n;
	return 80;
}

size_t
fit(const char *s, size_t width, size_t *columns)
{
	size_t at = 0, used = 0, n;

	for (; s[at]; at += n) {
		wchar_t wc;
		int w = 1;

		n = mbtowc(&wc, s + at, MB_CUR_MAX) > 0 ?
		    (size_t)mbtowc(&wc, s + at, MB_CUR_MAX) : 1;
		if (n > 1 || (unsigned char)s[at] < 0x80)
			w = wcwidth(wc);
		if (w < 0)
			w = 1;
		if (used + (size_t)w > width)
			break;
		used += (size_t)w;
	}
	*columns = used;
	return at;
}

void
put_last(const char *s, const char *after, size_t width, size_t used)
{
	size_t columns, n, more;

	fit(after, SIZE_MAX, &more);
	if (width && width < used + more + 1) {
		after = "";
		more = 0;
	}
	if (width && width <= used) {
		putchar('\n');
		return;
	}
	n = width ? fit(s, width - used - more, &columns) : strlen(s);
	if (!s[n]) {
		printf("%s%s\n", s, after);
		return;
	}
	n = fit(s, width - used - more - 1, &columns);
	printf("%.*s…%s\n", (int)n, s, after);
}

void
short_time(char out[JOB_TIME_LEN + 1], int64_t time)
{
	if (time < 0) {
		strcpy(out, "-");
		return;
	}
	job_time_format(out, time);
	strcpy(out + 19, "Z");
}

void
span_words(struct buf *b, int64_t us)
{
	int64_t s = us > 0 ? (us + SECOND - 1) / SECOND : 0;

	if (s < 60)
		buf_printf(b, "%lld s", (long long)s);
	else if (s < 3600)
		buf_printf(b, "%lld min %lld s", (long long)(s / 60),
		    (long long)(s % 60));
	else if (s < 86400)
		buf_printf(b, "%lld h %lld min", (long long)(s / 3600),
		    (long long)(s / 60 % 60));
	else
		buf_printf(b, "%lld d %lld h", (long long)(s / 86400),
		    (long long)(s / 3600 % 24));
}

bool
listing_add(struct listing *l, enum job_state state,
    const struct job_name *name)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		struct entry *v = realloc(l->v, cap * sizeof *v);

		if (!v)
			return false;
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n] = (struct entry){ state, l->n, *name };
	l->n++;
	return true;
}

/* In the order in which a person looks: what runs, what will, what failed. */
static int
compare_shown(const void *pa, const void *pb)
{
	static const int rank[] = { [JOB_PROCESSING] = 0, [JOB_PENDING] = 1,
		[JOB_FAILED] = 2, [JOB_DONE] = 3, [JOB_DEAD] = 4 };
	const struct entry *a = pa, *b = pb;

	if (a->state != b->state)
		return rank[a->state] - rank[b->state];
	if (a->state != JOB_PENDING && a->name.stamp != b->name.stamp)
		return a->name.stamp < b->name.stamp ? -1 : 1;
	return job_name_compare(&a->name, &b->name);
}

static int
compare_sights(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	int c = strcmp(a->name.id, b->name.id);

	return c ? c : a->seen < b->seen ? -1 : 1;
}

int
collect_state(struct spool *sp, struct listing *l, enum job_state state)
{
	struct job_name name;
	struct spool_iter it;
	int r;

	if (spool_iter_open(sp, &it, state) != SPOOL_OK)
		return complain_spool(sp);
	while ((r = spool_iter_next(&it, &name)) > 0)
		if (!listing_add(l, state, &name)) {
			spool_iter_close(&it);
			return no_memory();
		}
	spool_iter_close(&it);
	return r < 0 ? complain_spool(sp) : DONE;
}

int
collect(struct spool *sp, struct listing *l, enum job_state only)
{
	static const enum job_state order[] = { JOB_PENDING, JOB_FAILED,
		JOB_PROCESSING, JOB_DONE, JOB_DEAD };
	uint64_t before = spool_version(sp);
	size_t i, n = 0, pass;
	int r;

	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < JOB_STATES; i++)
			if ((only == JOB_STATES || only == order[i]) &&
			    (r = collect_state(sp, l, order[i])) != DONE)
				return r;
		if (spool_version(sp) == before)
			break;
	}
	if (l->n) {
		qsort(l->v, l->n, sizeof *l->v, compare_sights);
		for (i = 1; i < l->n; i++)
			if (strcmp(l->v[n].name.id, l->v[i].name.id))
				l->v[++n] = l->v[i];
			else
				l->v[n] = l->v[i];
		l->n = n + 1;
	}
	if (l->n)
		qsort(l->v, l->n, sizeof *l->v, compare_shown);
	return DONE;
}

int
parse_state(const char *word, enum job_state *state)
{
	int i;

	for (i = 0; i < JOB_STATES; i++) {
		*state = (enum job_state)i;
		if (!strcasecmp(word, job_state_dir(*state)) ||
		    !strcasecmp(word, job_state_word(*state)))
			return DONE;
	}
	complain("no such state: %s; the states are pending, processing, "
	    "completed, failed, dead", word);
	return USAGE;
}

void
find_runner(void *arg, const char *pool, long pid, const struct spool_slot *s)
{
	struct runner *r = arg;

	(void)pool;
	(void)pid;
	if (s->start == r->name->stamp && !strcmp(s->job, r->name->id))
		r->slot = *s;
}

int
view_job(struct spool *sp, enum job_state state, const struct job_name *name,
    struct job *job, struct field_view *v)
{
	struct runner runner = { .name = name };
	int r = spool_load(sp, state, name, job);

	if (r == SPOOL_GONE || r == SPOOL_ERROR)
		return r;
	*v = (struct field_view){ .state = state, .name = name, .job = job,
		.policy = &sp->config.policy };
	if (r != SPOOL_OK) {
		v->bad = sp->why;
		v->line = sp->line;
		v->alien = r == SPOOL_ALIEN;
	}
	if (state == JOB_PROCESSING) {
		spool_slots(sp, false, find_runner, &runner);
		v->worker = runner.slot.pid;
	}
	return SPOOL_OK;
}

void
title_words(struct buf *b, const struct field_view *v)
{
	if (!v->bad)
		job_title(b, v->job, 0);
	else if (v->alien)
		buf_printf(b, "(left alone: %s)", v->bad);
	else if (v->line)
		buf_printf(b, "(damaged: line %zu: %s)", v->line, v->bad);
	else
		buf_printf(b, "(damaged: %s)", v->bad);
}

bool
ends(int state)
{
	return state == JOB_DONE || state == JOB_DEAD;
}

void
see_worker(void *arg, const char *pool, long pid, const struct spool_slot *s)
{
	struct crew *crew = arg;

	(void)pool;
	(void)pid;
	crew->workers++;
	crew->busy += s->job[0] != '\0';
}

bool
is_ready(const struct job_name *name, int64_t now)
{
	return !name->timed || name->stamp <= now;
}

int
print_json(const struct field_view *v)
{
	struct buf b = { 0 };
	int r = DONE;

	field_write(&b, v);
	if (b.failed)
		r = no_memory();
	else
		puts(b.p);
	buf_free(&b);
	return r;
}

size_t
id_width(const struct listing *l, size_t n)
{
	size_t i, width = 2;

	for (i = 0; i < n; i++)
		if (strlen(l->v[i].name.id) > width)
			width = strlen(l->v[i].name.id);
	return width;
}

int
look_up(struct call *c, const char *word, enum job_state *state,
    struct job_name *name)
{
	char id[JOB_ID_MAX + 1];
	int r = spool_resolve(&c->spool, word, id);

	if (r == SPOOL_OK)
		r = spool_find(&c->spool, id, state, name);
	return r == SPOOL_OK ? DONE : complain_job(&c->spool, r, word);
}
