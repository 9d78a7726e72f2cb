/*
 * call.c: one call of the program.
 *
 * SPDX-License-Identifier: MIT
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/call.h"

void
complain(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout); /* what was said before stands before it */
	fputs("queuectl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	putc('\n', stderr);
}

int
no_memory(void)
{
	complain("out of memory");
	return FAILED;
}

int
complain_spool(const struct spool *sp)
{
	complain("%s%s%s: %s", sp->path, *sp->at ? "/" : "", sp->at,
	    strerror(errno));
	return FAILED;
}

int
complain_job(const struct spool *sp, int result, const char *id)
{
	switch (result) {
	case SPOOL_GONE:
		complain("%s: no such job", id);
		break;
	case SPOOL_AMBIGUOUS:
		complain("%s: more than one job's id begins so", id);
		break;
	case SPOOL_BUSY:
		complain("%s: the job is in use: a process of it still runs",
		    id);
		break;
	case SPOOL_BAD:
		if (sp->line)
			complain("%s: its text is damaged: line %zu: %s", id,
			    sp->line, sp->why);
		else
			complain("%s: its text is damaged: %s", id, sp->why);
		break;
	case SPOOL_ALIEN:
		complain("%s: left alone: %s", id, sp->why);
		break;
	default:
		return complain_spool(sp);
	}
	return FAILED;
}

char *
add_cwd(struct buf *b)
{
	char *cwd = NULL;
	size_t room;

	for (room = 128; !cwd && buf_room(b, room); room *= 2) {
		cwd = getcwd(b->p + b->n, room);
		if (!cwd && errno != ERANGE)
			return NULL;
	}
	if (cwd)
		b->n += strlen(cwd);
	else
		errno = ENOMEM;
	return cwd;
}

/* The path of the spool that is meant; NULL: none, and it was said why. */
static const char *
spool_path(struct call *c)
{
	const char *path = c->spool_path, *state, *home;
	struct buf *b = &c->path;

	if (!path)
		path = getenv("QUEUECTL_SPOOL");
	if (path && *path == '/')
		return path;
	if (path && *path) {
		if (!add_cwd(b)) {
			complain("the current directory: %s", strerror(errno));
			return NULL;
		}
		buf_putc(b, '/');
		buf_puts(b, path);
	} else if (geteuid() == 0) {
		return "/var/spool/queuectl";
	} else if ((state = getenv("XDG_STATE_HOME")) && *state == '/') {
		buf_printf(b, "%s/queuectl", state);
	} else if ((home = getenv("HOME")) && *home == '/') {
		buf_printf(b, "%s/.local/state/queuectl", home);
	} else {
		complain("no spool: HOME is not set; use --spool DIR or set "
		    "QUEUECTL_SPOOL");
		return NULL;
	}
	if (b->failed)
		no_memory();
	return b->failed ? NULL : b->p;
}

int
open_spool(struct call *c, bool create)
{
	const char *path;
	int r = DONE;

	if (c->spool.fd >= 0)
		return DONE;
	path = spool_path(c);
	if (!path)
		return FAILED;
	switch (spool_open(&c->spool, path, create)) {
	case SPOOL_OK:
		break;
	case SPOOL_GONE:
		complain("%s: there is no spool; queuectl enqueue makes one",
		    path);
		r = FAILED;
		break;
	case SPOOL_ALIEN:
		complain("%s: not used as a spool: %s", path, c->spool.why);
		r = FAILED;
		break;
	default:
		r = complain_spool(&c->spool);
	}
	if (r == DONE && c->spool.config_error)
		complain("%s/config: %s; the defaults are in force", path,
		    strerror(c->spool.config_error));
	else if (r == DONE && c->spool.config_bad)
		complain("%s/config: line %zu is not understood and passed "
		    "over", path, c->spool.config_bad);
	return r;
}

int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000;
}
