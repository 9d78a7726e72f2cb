/*
 * call.c: one call of the program: its options, its spool, its complaints.
 *
 * SPDX-License-Identifier: MIT
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/call.h"

const struct option_def spool_option = { "spool", 0, "DIR", "the spool" };

/* Whether `word` is the option; *value is the value in that word, or NULL. */
static bool
option_is(const struct option_def *o, char *word, char **value)
{
	size_t len = strlen(o->name);

	*value = NULL;
	if (word[1] == '-') {
		if (strncmp(word + 2, o->name, len))
			return false;
		if (word[2 + len] == '=')
			*value = word + 3 + len;
		return word[2 + len] == '\0' || word[2 + len] == '=';
	}
	if (!o->letter || word[1] != o->letter)
		return false;
	if (word[2])
		*value = word + 2;
	return true;
}

const struct option_def *
option_find(const struct command *c, char *word, char **value)
{
	const struct option_def *o;

	if (option_is(&spool_option, word, value))
		return &spool_option;
	for (o = c ? c->options : NULL; o && o->name; o++)
		if (option_is(o, word, value))
			return o;
	return NULL;
}

const char *
call_option(const struct call *c, const char *name)
{
	size_t i;

	for (i = c->ngiven; i-- > 0;)
		if (!strcmp(c->given[i].option->name, name))
			return c->given[i].value;
	return NULL;
}

const char *
call_cwd(struct call *c)
{
	struct buf *b = &c->cwd;
	size_t room;

	for (room = 128; !b->n; room *= 2) {
		if (!buf_room(b, room)) {
			errno = ENOMEM;
			return NULL;
		}
		if (getcwd(b->p, room))
			b->n = strlen(b->p);
		else if (errno != ERANGE)
			return NULL;
	}
	return b->p;
}

static int
find_spool(struct call *c, const char **path)
{
	const char *state, *home;
	struct buf *b = &c->path;

	*path = c->spool_path ? c->spool_path : getenv("QUEUECTL_SPOOL");
	if (*path && **path == '/')
		return DONE;
	if (*path && **path) {
		if (!call_cwd(c))
			return complain("the current directory: %s; name the "
			    "spool by a path that begins with /",
			    strerror(errno));
		buf_printf(b, "%s/%s", c->cwd.p, *path);
	} else if (geteuid() == 0) {
		*path = "/var/spool/queuectl";
		return DONE;
	} else if ((state = getenv("XDG_STATE_HOME")) && *state == '/') {
		buf_printf(b, "%s/queuectl", state);
	} else if ((home = getenv("HOME")) && *home == '/') {
		buf_printf(b, "%s/.local/state/queuectl", home);
	} else {
		return complain("no spool: HOME is not set; use --spool DIR "
		    "or set QUEUECTL_SPOOL");
	}
	*path = b->p;
	return b->failed ? complain_memory() : DONE;
}

/* Adds a path as a word of a shell.  What a message would escape (print_line())
 * is written so that printf(1) makes it again. */
static void
put_path(struct buf *b, const char *path)
{
	struct buf shown = { 0 };

	job_escape(&shown, path, 0);
	if (!shown.failed && !strcmp(buf_text(&shown), path)) {
		job_quote(b, path);
	} else {
		buf_puts(b, "\"$(printf '");
		for (; *path; path++)
			if (text_is_letter(*path) || text_is_digit(*path) ||
			    strchr("/._-", *path))
				buf_putc(b, *path);
			else
				buf_printf(b, *path == '%' ? "%%%%" : "\\%03o",
				    (unsigned char)*path);
		buf_puts(b, "/')\""); /* $() would drop a newline at the end */
	}
	buf_free(&shown);
}

/* Adds the way out after an error of the spool, open or not, or after
 * spool_open() has refused it (error 0). */
static void
put_way_out(struct buf *b, const struct spool *sp, int error)
{
	static const char another[] = "; name another directory with --spool";
	const char *repair = sp->repair;
	struct stat st;
	bool seen = stat(sp->path, &st) == 0 && S_ISDIR(st.st_mode);

	if (sp->fd >= 0 || error == ENOMEM || error == EMFILE || error == EIO)
		buf_puts(b, spool_remedy(error));
	else if (seen && st.st_uid != geteuid())
		buf_printf(b, "; run queuectl as user %lu, or%s",
		    (unsigned long)st.st_uid, another + 1);
	/* if it cannot be seen, a directory above it is closed */
	else if (seen && error == EACCES)
		repair = "chmod 700";
	else if (!repair && (error || !strchr(sp->why, ';')))
		buf_puts(b, another);
	if (!repair)
		return;
	buf_printf(b, "; to repair that: %s ", repair);
	put_path(b, sp->path);
	/* a line that is cut could name another directory */
	if (b->failed || strlen(sp->path) + b->n > PATH_MAX)
		buf_clear(b);
}

/* The spool is refused; *sp says why, and perhaps how to repair it. */
static int
complain_refused(const struct spool *sp)
{
	struct buf b = { 0 };
	int r;

	put_way_out(&b, sp, 0);
	r = complain("%s: not used as a spool: %s%s", sp->path, sp->why,
	    buf_text(&b));
	buf_free(&b);
	return r;
}

/* Tries the clocks, once for all who read them later.  An old seccomp filter
 * denies the call by which a 32-bit libc gets 64-bit times. */
static int
check_clocks(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_REALTIME, &t) < 0 ||
	    clock_gettime(CLOCK_MONOTONIC, &t) < 0)
		return complain("cannot read the clock: %s; an old seccomp "
		    "filter may deny it", strerror(errno));
	return DONE;
}

/* Opens the call's spool once; *gone: there is none. */
static int
open_spool(struct call *c, bool create, bool *gone)
{
	const char *path;
	int r;

	*gone = false;
	if (c->spool.fd >= 0)
		return DONE;
	if (check_clocks() != DONE || find_spool(c, &path) != DONE)
		return FAILED;
	r = spool_open(&c->spool, path, create);
	*gone = r == SPOOL_GONE;
	if (*gone)
		return DONE;
	if (r == SPOOL_REFUSED)
		return complain_refused(&c->spool);
	if (r != SPOOL_OK)
		return complain_spool(&c->spool);
	if (c->spool.config_error)
		complain("%s/config: %s; the defaults are in force%s", path,
		    strerror(c->spool.config_error),
		    spool_remedy(c->spool.config_error));
	else if (c->spool.config_bad)
		complain("%s/config: line %zu is not understood and passed "
		    "over; correct or remove it", path, c->spool.config_bad);
	return DONE;
}

int
call_open_spool(struct call *c, bool create)
{
	bool gone;
	int r = open_spool(c, create, &gone);

	return gone ? complain("%s: there is no spool; queuectl enqueue makes "
	    "one", c->spool.path) : r;
}

int
call_look_for_spool(struct call *c)
{
	bool gone;
	int r = open_spool(c, false, &gone);

	if (gone)
		config_read(&c->spool.config, NULL);
	return r;
}

bool
call_is_from_job(const struct call *c, const char *id)
{
	const char *job = getenv("QUEUECTL_ID");
	const char *spool = getenv("QUEUECTL_SPOOL");

	return job && spool && !strcmp(spool, c->spool.path) &&
	    (!id || !strcmp(job, id));
}

#ifdef __GNUC__
__attribute__((format(printf, 1, 0)))
#endif
static void
print_line(const char *fmt, va_list ap)
{
	char text[PATH_MAX + 1024];
	struct buf b = { 0 };

	fflush(stdout);
	/* a path, an id or a word may hold what steers a terminal */
	vsnprintf(text, sizeof text, fmt, ap);
	job_escape(&b, text, 0);
	fprintf(stderr, "queuectl: %s\n", b.p && !b.failed ? b.p : text);
	buf_free(&b);
}

int
complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_line(fmt, ap);
	va_end(ap);
	return FAILED;
}

int
complain_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_line(fmt, ap);
	va_end(ap);
	return USAGE;
}

void
complain_unknown(const char *kind, const char *word,
    const struct text_guess *guess)
{
	if (guess->name)
		complain("no such %s: %s; did you mean %s?  There are:", kind,
		    word, guess->name);
	else
		complain("no such %s: %s; there are:", kind, word);
}

int
complain_memory(void)
{
	return complain("out of memory");
}

int
complain_spool(const struct spool *sp)
{
	struct buf b = { 0 };
	int e = errno, r;

	put_way_out(&b, sp, e);
	r = complain("%s%s%s: %s%s", sp->path, *sp->at ? "/" : "", sp->at,
	    strerror(e), buf_text(&b));
	buf_free(&b);
	return r;
}

enum { NAMED_MAX = 3 };         /* ids that a message names */

struct named {
	struct buf ids;
	int n;
};

static bool
name_id(void *arg, const char *id)
{
	struct named *named = arg;

	buf_printf(&named->ids, "%s%s", named->n ? ", " : ": ",
	    named->n < NAMED_MAX ? id : "…");
	return named->n++ < NAMED_MAX;
}

/* More than one id begins with `word`; names some of them. */
static int
complain_ambiguous(struct spool *sp, const char *word)
{
	struct named named = { .n = 0 };
	int r;

	spool_ids(sp, word, name_id, &named);
	r = complain("%s: more than one job's id begins so%s", word,
	    buf_text(&named.ids));
	buf_free(&named.ids);
	return r;
}

int
complain_job(struct spool *sp, int result, const char *id)
{
	char line[40] = "";

	switch (result) {
	case SPOOL_GONE:
		return complain("%s: no such job; queuectl list shows the ids",
		    id);
	case SPOOL_AMBIGUOUS:
		return complain_ambiguous(sp, id);
	case SPOOL_BUSY:
		return complain("%s: the job is in use: a process of it still "
		    "runs; fuser %s/ids/%s shows which", id, sp->path, id);
	case SPOOL_BAD:
		if (sp->line)
			snprintf(line, sizeof line, "line %zu: ", sp->line);
		return complain("%s: its text is damaged: %s%s; correct it in "
		    "%s/ids/%s", id, line, sp->why, sp->path, id);
	case SPOOL_REFUSED:
		return complain("%s: left alone: %s", id, sp->why);
	case SPOOL_NEEDED:
		return complain("%s: kept, because a waiting job names it as a "
		    "parent; cancel that one first", id);
	default:
		return complain_spool(sp);
	}
}

int
print_buf(struct buf *b)
{
	int r = b->failed ? complain_memory() : DONE;

	if (r == DONE)
		fputs(buf_text(b), stdout);
	buf_free(b);
	return r;
}

int64_t
now_us(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_REALTIME, &t) < 0)
		return 0; /* 2038 has come to an old kernel of 32 bits */
	return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000;
}
