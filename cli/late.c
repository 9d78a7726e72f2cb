/*
 * late.c: what keeps a command waiting, and what a person can do about it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "cli/late.h"

enum {
	JOBS_MAX = 8,           /* jobs that are named, */
	STOPPED_MAX = 3000      /* and bytes of pids: a line is for people */
};

/* Reads the state in Linux's /proc.  A pid of another namespace may be another
 * process here, and then SIGCONT does no harm. */
static bool
is_stopped(long pid)
{
	char path[48], line[256];
	const char *end = NULL;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (fgets(line, sizeof line, f))
		end = strrchr(line, ')'); /* of the name, which may be odd */
	fclose(f);
	return end && !strncmp(end, ") T ", 4);
}

void
late_add_process(struct late *l, long pid)
{
	char word[32];

	snprintf(word, sizeof word, " %ld ", pid);
	if (l->stopped.n < STOPPED_MAX && is_stopped(pid) &&
	    !strstr(buf_text(&l->stopped), word))
		buf_puts(&l->stopped, word + (l->stopped.n > 0));
}

void
late_add_job(struct late *l, const char *id)
{
	if (l->njobs < JOBS_MAX)
		buf_printf(&l->jobs, "%s%s", l->njobs ? ", " : "", id);
	else if (l->njobs == JOBS_MAX)
		buf_puts(&l->jobs, ", …");
	l->njobs++;
}

void
late_say(struct late *l, const char *who, const char *remedy)
{
	const char *jobs = buf_text(&l->jobs);
	const char *ending = l->njobs ? " to end " : "";

	if (!who) {
		who = "the end of ";
		ending = "";
	}
	if (l->stopped.n)
		complain("waiting for %s%s%s, but processes of the pool are "
		    "stopped; to let them go on: kill -CONT%.*s", who, ending,
		    jobs, (int)l->stopped.n - 1, l->stopped.p);
	else
		complain("waiting for %s%s%s; %s", who, ending, jobs, remedy);
	buf_free(&l->jobs);
	buf_free(&l->stopped);
}
