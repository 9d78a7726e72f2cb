/*
 * listing.c: finds jobs, puts them in order and shows them.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* wcwidth */
#include <sys/ioctl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "cli/columns.h"
#include "cli/listing.h"

bool
listing_add(struct listing *l, enum job_state state,
    const struct job_name *name)
{
	struct entry *v = array_room(l->v, &l->cap, l->n + 1, sizeof *v);

	if (!v)
		return false;
	l->v = v;
	v[l->n] = (struct entry){ state, *name, l->n };
	l->n++;
	return true;
}

int
listing_read(struct spool *sp, struct listing *l, enum job_state state)
{
	struct job_name name;
	struct spool_iter it;
	int r;

	if (spool_iter_open(sp, &it, state) != SPOOL_OK)
		return complain_spool(sp);
	while ((r = spool_iter_next(&it, &name)) > 0)
		if (!listing_add(l, state, &name)) {
			spool_iter_close(&it);
			return complain_memory();
		}
	spool_iter_close(&it);
	return r < 0 ? complain_spool(sp) : DONE;
}

int
entry_find(struct call *c, const char *word, struct entry *e)
{
	char id[JOB_ID_MAX + 1];
	int r = spool_resolve(&c->spool, word, id);

	if (r == SPOOL_OK)
		r = spool_find(&c->spool, id, &e->state, &e->name);
	return r == SPOOL_OK ? DONE : complain_job(&c->spool, r, word);
}

int
limit_read(const struct call *c, size_t *limit)
{
	const char *word = call_option(c, "limit");
	int64_t n = JOB_NUMBER_MAX;

	if (word && !job_number_parse(word, 0, JOB_NUMBER_MAX, &n))
		return complain_usage("%s must be a whole number from %d to %d"
		    ", not %s", "--limit", 0, JOB_NUMBER_MAX, word);
	*limit = (size_t)n;
	return DONE;
}

int
form_read(const struct call *c, enum form *form)
{
	static const struct {
		const char *option;
		enum form form;
	} forms[] = { { "json", FORM_JSON }, { "jsonl", FORM_JSONL },
		{ "columns", FORM_COLUMNS }, { "count", FORM_COUNT } };
	const char *columns = call_option(c, "columns"), *other = NULL;
	size_t i;

	for (i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		if (!call_option(c, forms[i].option))
			continue;
		if (other)
			return complain_usage("--%s and --%s do not go "
			    "together", other, forms[i].option);
		other = forms[i].option;
		*form = forms[i].form;
	}
	return columns ? columns_check(columns) : DONE;
}

bool
state_is_final(enum job_state state)
{
	return state == JOB_DONE || state == JOB_DEAD;
}

bool
name_is_ready(const struct job_name *name, int64_t now)
{
	return !name->timed || name->stamp <= now;
}

static void
count_slot(void *arg, const char *pool, long pid, const struct spool_slot *s)
{
	struct crew *crew = arg;

	(void)pool;
	(void)pid;
	crew->workers++;
	crew->busy += s->job[0] != '\0';
}

int
crew_count(struct spool *sp, struct crew *crew)
{
	*crew = (struct crew){ 0, 0 };
	return spool_slots(sp, false, count_slot, crew);
}

int
view_load(struct spool *sp, const struct entry *e, struct job *job,
    struct field_view *v)
{
	struct spool_slot slot;
	int r = spool_load(sp, e->state, &e->name, job);

	if (r == SPOOL_GONE || r == SPOOL_ERROR)
		return r;
	*v = (struct field_view){ .state = e->state, .name = &e->name,
		.job = job, .policy = &sp->config.policy };
	if (r != SPOOL_OK) {
		v->bad = sp->why;
		v->line = sp->line;
		v->alien = r == SPOOL_REFUSED;
	}
	if (e->state == JOB_PROCESSING &&
	    spool_runner(sp, false, &e->name, &slot))
		v->worker = slot.pid;
	return SPOOL_OK;
}

void
view_title(struct buf *b, const struct field_view *v, size_t max)
{
	if (!v->bad)
		job_title(b, v->job, max);
	else if (v->alien)
		buf_printf(b, "(left alone: %s)", v->bad);
	else if (v->line)
		buf_printf(b, "(damaged: line %zu: %s)", v->line, v->bad);
	else
		buf_printf(b, "(damaged: %s)", v->bad);
}

void
view_state(struct buf *b, const struct field_view *v)
{
	const struct job_attempt *last = job_last(v->job);
	char time[JOB_TIME_LEN + 1];

	job_time_format(time, v->name->stamp);
	buf_puts(b, job_state_word(v->state));
	if (v->state == JOB_PROCESSING && v->worker)
		buf_printf(b, ", by worker process %ld since %s", v->worker,
		    time);
	else if (v->state == JOB_PROCESSING)
		buf_printf(b, ", by no worker that lives, since %s", time);
	else if (v->name->timed) {
		buf_printf(b, ", not before %s (in ", time);
		span_words(b, v->name->stamp - now_us());
		buf_putc(b, ')');
	} else if (last && v->state != JOB_PENDING) {
		buf_puts(b, ": ");
		job_outcome_words(b, last);
	}
}

int
view_print_json(const char *before, const struct field_view *v,
    const char *after)
{
	struct buf b = { 0 };

	buf_puts(&b, before);
	field_write(&b, v);
	buf_puts(&b, after);
	return print_buf(&b);
}

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
columns_fit(const char *s, size_t width, size_t *columns)
{
	size_t at = 0, used = 0, n;

	for (; s[at]; at += n) {
		wchar_t wc;
		int w = 1, bytes = mbtowc(&wc, s + at, MB_CUR_MAX);

		n = bytes > 0 ? (size_t)bytes : 1;
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
	static const struct {
		const char *word;
		int64_t seconds;
	} unit[] = { { "d", 86400 }, { "h", 3600 }, { "min", 60 }, { "s", 1 } };
	int64_t s = us > 0 ? (us + SECOND - 1) / SECOND : 0;
	int i = 0;

	while (i < 3 && s < unit[i].seconds)
		i++;
	buf_printf(b, "%lld %s", (long long)(s / unit[i].seconds),
	    unit[i].word);
	if (i < 3)
		buf_printf(b, " %lld %s", (long long)(s % unit[i].seconds /
		    unit[i + 1].seconds), unit[i + 1].word);
}

/* Prints the last cell of a row, and `after` behind it.  In a terminal of
 * `width` columns (0: it is not one), of which `used` are taken, the cell is cut
 * to the rest, and `after` is left out unless it has room. */
static void
put_last(const char *s, const char *after, size_t width, size_t used)
{
	size_t columns, n, more;

	if (!width)
		width = SIZE_MAX;
	columns_fit(after, SIZE_MAX, &more);
	if (width < used + more + 1) {
		after = "";
		more = 0;
	}
	if (width <= used) {
		putchar('\n');
		return;
	}
	n = columns_fit(s, width - used - more, &columns);
	if (s[n])
		n = columns_fit(s, width - used - more - 1, &columns);
	printf("%.*s%s%s\n", (int)n, s, s[n] ? "…" : "", after);
}

static void
print_row(const struct field_view *v, const char *cells, size_t ids,
    size_t width)
{
	struct buf title = { 0 }, why = { 0 };
	int used;

	view_title(&title, v, 0);
	if (v->why && !v->bad)
		buf_printf(&why, "  [%s]", v->why);
	used = printf("%-*s  %s  ", (int)ids, v->name->id, cells);
	put_last(buf_text(&title), buf_text(&why), width,
	    (size_t)used);
	buf_free(&title);
	buf_free(&why);
}

int
table_print(struct spool *sp, const struct listing *l, size_t n,
    enum form form, const char *head, table_cells *add_cells, void *arg)
{
	/* What stands before the first object, before the others, behind the
	 * last one, and instead of any. */
	static const struct {
		const char *first, *next, *end, *none;
	} around[] = {
		[FORM_TABLE] = { "", "", "", "" },
		[FORM_JSON] = { "[\n", ",\n", "\n]\n", "[]\n" },
		[FORM_JSONL] = { "", "\n", "\n", "" },
		[FORM_COLUMNS] = { "", "", "", "" }
	};
	size_t width = terminal_width(STDOUT_FILENO), ids = 2, shown = 0, i;
	struct buf cells = { 0 };
	int s, r = DONE, worst = DONE;

	for (i = 0; i < n; i++)
		if (strlen(l->v[i].name.id) > ids)
			ids = strlen(l->v[i].name.id);
	if (form == FORM_TABLE)
		printf("%-*s  %s  COMMAND\n", (int)ids, "ID", head);
	for (i = 0; i < n && r == DONE && !ferror(stdout); i++) {
		struct field_view v;
		struct job job;

		s = view_load(sp, &l->v[i], &job, &v);
		if (s == SPOOL_ERROR)
			worst = complain_spool(sp);
		if (s != SPOOL_OK)
			continue;
		buf_clear(&cells);
		add_cells(arg, &v, &cells, width > 0);
		if (form == FORM_TABLE)
			print_row(&v, buf_text(&cells), ids, width);
		else if (form == FORM_COLUMNS)
			r = columns_print(&v, head);
		else
			r = view_print_json(shown ? around[form].next :
			    around[form].first, &v, "");
		shown++;
		job_free(&job);
	}
	buf_free(&cells);
	/* An array that broke off stays open, so that nobody takes it for
	 * whole. */
	if (r == DONE)
		fputs(shown ? around[form].end : around[form].none, stdout);
	return r == DONE ? worst : r;
}
