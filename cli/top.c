/*
 * top.c: a live view of the queue.
 *
 * A frame is made in memory, as lines that fit the window, and written at once.
 * The terminal shows its alternate screen meanwhile, without echo, and gets back
 * what it had at the end and at a signal that ends us (ECMA-48, and xterm's
 * modes 25 and 1049).
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* SIGWINCH */
#include <sys/ioctl.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/survey.h"
#include "cli/top.h"
#include "spool/pool.h"

enum {
	LAST = 10,              /* ended jobs that are shown, at most */
	NEXT = 50,              /* and jobs that are next */
	PLAIN_ROWS = 40,        /* of a frame that goes to no terminal */
	EVERY_MS = 1000
};

static const char enter[] = "\033[?1049h\033[?25l",
    leave[] = "\033[?25h\033[?1049l";

/* A frame, and how much room it has. */
struct frame {
	struct buf text;
	struct spool *spool;
	size_t width, rows;     /* 0 columns: any number */
	size_t used;            /* rows */
	int64_t now;
};

/* Adds a line, cut to the width. */
static void
put_line(struct frame *f, const char *s)
{
	size_t columns, n = f->width ? columns_fit(s, f->width, &columns) :
	    strlen(s);

	if (f->used >= f->rows)
		return;
	if (f->used++)
		buf_puts(&f->text, f->width ? "\r\n" : "\n");
	buf_add(&f->text, s, n);
	if (f->width)
		buf_puts(&f->text, "\033[K");
}

static void
put_heading(struct frame *f, const char *s)
{
	put_line(f, "");
	put_line(f, s);
}

/* Adds a line for a job: its id, what `words` says, and its command. */
static void
put_job(struct frame *f, const struct entry *e, const char *words)
{
	struct buf line = { 0 };
	struct field_view v;
	struct job job;

	if (view_load(f->spool, e, &job, &v) != SPOOL_OK)
		return; /* it has gone */
	buf_printf(&line, "  %-20s  %-18s  ", e->name.id, words);
	view_title(&line, &v, 0);
	put_line(f, buf_text(&line));
	buf_free(&line);
	job_free(&job);
}

static void
put_running(struct frame *f, const struct survey *v)
{
	struct buf words = { 0 };
	size_t i;

	put_heading(f, "RUNNING");
	for (i = 0; i < v->running.n && f->used < f->rows; i++) {
		buf_clear(&words);
		buf_puts(&words, "for ");
		span_words(&words, f->now - v->running.v[i].name.stamp);
		put_job(f, &v->running.v[i], buf_text(&words));
	}
	buf_free(&words);
}

/* Adds the jobs that come next, in so many rows. */
static void
put_next(struct frame *f, const struct survey *v, size_t rows)
{
	const struct listing *l = &v->ready.list;
	const struct job_name *next = survey_next(v);
	struct buf words = { 0 };
	size_t i;

	put_heading(f, "NEXT");
	for (i = 0; i < l->n && i < rows; i++) {
		buf_clear(&words);
		buf_printf(&words, "priority %d", l->v[i].name.priority);
		put_job(f, &l->v[i], buf_text(&words));
	}
	if (!l->n && next) {
		buf_printf(&words, "  %s in ", next->id);
		span_words(&words, next->stamp - f->now);
		put_line(f, buf_text(&words));
	}
	buf_free(&words);
}

/* Adds the jobs that have ended, the latest first. */
static void
put_ended(struct frame *f, const struct survey *v)
{
	const struct listing *done = &v->completed.list, *dead = &v->dead.list;
	struct buf words = { 0 };
	const struct entry *e;
	size_t i = 0, k = 0;

	put_heading(f, "ENDED");
	while (i + k < LAST && i + k < done->n + dead->n && f->used < f->rows) {
		e = k == dead->n || (i < done->n &&
		    done->v[i].name.stamp > dead->v[k].name.stamp) ?
		    &done->v[i++] : &dead->v[k++];
		buf_clear(&words);
		buf_printf(&words, "%s ", job_state_word(e->state));
		span_words(&words, f->now - e->name.stamp);
		put_job(f, e, buf_text(&words));
	}
	buf_free(&words);
}

static void
put_head(struct frame *f, const struct survey *v)
{
	char time[JOB_TIME_LEN + 1];
	struct buf b = { 0 };
	int i;

	short_time(time, f->now);
	buf_puts(&b, "queuectl  ");
	job_escape(&b, f->spool->path, 0);
	buf_printf(&b, "  %s", time);
	put_line(f, buf_text(&b));
	buf_clear(&b);
	for (i = 0; i < JOB_HELD; i++)
		buf_printf(&b, "%s%s %zu", i ? "  " : "",
		    job_state_word((enum job_state)i), v->count[i]);
	buf_printf(&b, "  waiting %zu", v->count[JOB_WAITING] +
	    v->count[JOB_HELD]);
	if (v->waiting.blocked)
		buf_printf(&b, " (%zu blocked)", v->waiting.blocked);
	put_line(f, buf_text(&b));
	buf_clear(&b);
	buf_printf(&b, "workers %zu, %zu of them busy%s", v->crew.workers,
	    v->crew.busy, f->spool->config.paused ?
	    "; PAUSED: queuectl resume goes on" : !v->crew.workers ?
	    "; NO WORKER: queuectl worker start runs the jobs" : "");
	put_line(f, buf_text(&b));
	buf_free(&b);
}

/* What runs has as many rows as it needs, up to half; what has ended and what is
 * next share the rest. */
static int
make_frame(struct frame *f)
{
	struct survey v = { .ready.most = NEXT, .later.most = 1,
		.completed.most = LAST, .dead.most = LAST };
	size_t left, ended;
	int r = survey_read(&v, f->spool);

	f->now = now_us();
	f->used = 0;
	if (r == DONE) {
		put_head(f, &v);
		if (f->rows > 12 && v.running.n > f->rows / 2)
			v.running.n = f->rows / 2;
		put_running(f, &v);
		ended = v.completed.list.n + v.dead.list.n;
		ended = (ended < LAST ? ended : LAST) + 2;
		left = f->rows > f->used + 2 ? f->rows - f->used - 2 : 0;
		if (ended > left / 2)
			ended = left / 2;
		put_next(f, &v, left - ended);
		put_ended(f, &v);
		if (f->text.failed)
			r = complain_memory();
	}
	survey_free(&v);
	return r;
}

/* --- the terminal ------------------------------------------------------- */

static struct termios before;
static volatile sig_atomic_t ended; /* the signal that ends us */
static volatile sig_atomic_t changed; /* the window has another size, or we go
                                       * on after a stop */

static void
write_all(const char *s, size_t n)
{
	while (n) {
		ssize_t w = write(STDOUT_FILENO, s, n);

		if (w < 0 && errno != EINTR)
			return;
		if (w > 0) {
			s += w;
			n -= (size_t)w;
		}
	}
}

/* Takes the terminal.  ^C and its like come as keys from now on. */
static void
show(void)
{
	struct termios raw = before;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	write_all(enter, sizeof enter - 1);
}

/* Gives it back. */
static void
hide(void)
{
	write_all(leave, sizeof leave - 1);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
}

static void
on_end(int sig)
{
	ended = sig;
}

static void
on_change(int sig)
{
	(void)sig;
	changed = 1;
}

static void
catch_signals(void)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction a = { .sa_handler = on_end };
	size_t i;

	sigemptyset(&a.sa_mask);
	for (i = 0; i < sizeof ends / sizeof ends[0]; i++)
		sigaction(ends[i], &a, NULL);
	a.sa_handler = on_change;
	sigaction(SIGWINCH, &a, NULL);
	sigaction(SIGCONT, &a, NULL);
	a.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &a, NULL);
	sigaction(SIGTSTP, &a, NULL);
}

/* Waits a second, or until the window changes or a key says so.  false: the user
 * has had enough. */
static bool
wait_for_key(void)
{
	static const char enough[] = { 'q', 'Q', 3, 4, 28 }; /* ^C ^D ^\ */
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	char keys[16];
	ssize_t n, i;

	if (poll(&p, 1, EVERY_MS) <= 0)
		return !ended;
	n = read(STDIN_FILENO, keys, sizeof keys);
	for (i = 0; i < n; i++)
		if (memchr(enough, keys[i], sizeof enough))
			return false;
	return n > 0 || (n < 0 && errno == EINTR && !ended);
}

/* Draws a frame that fills the window. */
static int
draw(struct frame *f)
{
	struct winsize ws;
	int r;

	f->width = terminal_width(STDOUT_FILENO);
	f->rows = ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_row ?
	    ws.ws_row : 24;
	spool_config_refresh(f->spool);
	buf_clear(&f->text);
	buf_puts(&f->text, "\033[H");
	r = make_frame(f);
	buf_puts(&f->text, "\033[J");
	if (r == DONE)
		write_all(buf_text(&f->text), f->text.n);
	return r;
}

static int
watch_queue(struct call *c)
{
	struct frame f = { .spool = &c->spool };
	int r;

	catch_signals();
	show();
	do {
		if (changed)
			show(); /* after SIGCONT, a shell may have had it */
		changed = 0;
		r = draw(&f);
	} while (r == DONE && !ended && wait_for_key());
	hide();
	buf_free(&f.text);
	return ended ? 128 + ended : r;
}

const struct option_def top_options[] = {
	{ "once", 0, NULL, "one plain frame, as where there is no terminal" },
	{ NULL, 0, NULL, NULL }
};

int
command_top(struct call *c)
{
	struct frame f = { .rows = PLAIN_ROWS };
	int r;

	if (call_open_spool(c, false) != DONE)
		return FAILED;
	if (!call_option(c, "once") && isatty(STDOUT_FILENO) &&
	    tcgetattr(STDIN_FILENO, &before) == 0)
		return watch_queue(c);
	f.spool = &c->spool;
	r = make_frame(&f);
	buf_puts(&f.text, "\n");
	if (r == DONE)
		return print_buf(&f.text);
	buf_free(&f.text);
	return r;
}
