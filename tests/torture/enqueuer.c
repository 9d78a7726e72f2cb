/*
 * enqueuer.c: what enqueues jobs, and is killed while it does.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/wait.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "storm.h"

static char *prog;                 /* queuectl */

/* A job as JSON.  PREFIX or 0: mostly an id of our own, else always.  It waits
 * for the job `parent`, unless that is 0. */
static int
make_job(char *p, size_t size, unsigned *seed, long n, char prefix, long parent)
{
	int x = rand_r(seed) % 100, m, own;
	int ms = x < 50 ? 0 : x < 90 ? rand_r(seed) % 30 : 100;
	int bad = rand_r(seed) % 10 < 3 ? 40 : 0;

	m = snprintf(p, size, "{\"max_retries\":%d,\"backoff_base\":%d",
	    1 + rand_r(seed) % 4, rand_r(seed) % 10 == 0);
	if (rand_r(seed) % 10 < 3)
		m += snprintf(p + m, size - (size_t)m, ",\"priority\":%d",
		    rand_r(seed) % 10);
	own = rand_r(seed) % 10 < 6;
	if (prefix || own)
		m += snprintf(p + m, size - (size_t)m, ",\"id\":\"%c%ld\"",
		    prefix ? prefix : 'j', n);
	if (rand_r(seed) % 20 == 0)
		m += snprintf(p + m, size - (size_t)m, ",\"delay\":0.%03d",
		    rand_r(seed) % 1000);
	if (parent)
		m += snprintf(p + m, size - (size_t)m,
		    ",\"after_any\":\"j%ld\"", parent);
	if (rand_r(seed) % 5 == 0)
		m += snprintf(p + m, size - (size_t)m, ",\"lock\":\"t%d\"",
		    rand_r(seed) % 3);
	x = rand_r(seed) % 10;
	if (x < 4)
		m += snprintf(p + m, size - (size_t)m, ",\"argv\":[\"%s/storm\","
		    "\"job\",\"%ld\",\"%d\",\"%d\",\"0\"]}\n", storm_mark, n, ms,
		    bad);
	else
		m += snprintf(p + m, size - (size_t)m, ",\"command\":\"%s%s/"
		    "storm job %ld %d %d $PPID%s\"}\n", x < 7 ? "exec " : "",
		    storm_mark, n, ms, bad, x < 7 ? "" : "; exit $?");
	return m;
}

static void
put(const char *file, int flags, const char *p, size_t n)
{
	int fd = open(file, O_WRONLY | O_CREAT | flags, 0600);

	if (fd < 0 || write(fd, p, n) != (ssize_t)n)
		_exit(99);
	close(fd);
}

static size_t
get(const char *file, char *p, size_t size)
{
	int fd = open(file, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, p, size - 1);

	close(fd);
	p[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static void
into(const char *file, int flags, int fd)
{
	int f = open(file, flags, 0600);

	if (f < 0 || dup2(f, fd) < 0)
		_exit(126);
	close(f);
}

/* enqueue ARG with stdin from `in`; kills it after so long, unless 0. */
static int
enqueue(const char *arg, const char *in, const char *out, const char *err,
    long us)
{
	struct timespec t = { us / 1000000, us % 1000000 * 1000 };
	sigset_t chld;
	int status;
	pid_t pid;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	pid = fork();
	if (pid == 0) {
		sigprocmask(SIG_UNBLOCK, &chld, NULL);
		into(in, O_RDONLY, 0);
		into(out, O_WRONLY | O_CREAT | O_TRUNC, 1);
		into(err, O_WRONLY | O_CREAT | O_TRUNC, 2);
		execl(prog, prog, "enqueue", arg, (char *)NULL);
		_exit(127);
	}
	if (us && sigtimedwait(&chld, NULL, &t) < 0 &&
	    waitpid(pid, &status, WNOHANG) == 0) {
		storm_note('K', "%ld enqueuer", (long)pid);
		kill(pid, SIGKILL);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	t = (struct timespec){ 0, 0 };
	while (sigtimedwait(&chld, NULL, &t) > 0)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 137;
}

static int
pending(void)
{
	DIR *dir = opendir("spool/pending");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Whether `line` is one of the text's. */
static int
has_line(const char *text, const char *line, size_t n)
{
	const char *p = text;

	while ((p = strstr(p, line))) {
		if ((p == text || p[-1] == '\n') && p[n] == '\n')
			return 1;
		p += n;
	}
	return 0;
}

/* Complaints are faults, but for those of ids that exist already: these jobs
 * are acknowledged. */
static void
complaints(const char *err)
{
	const char *p = err, *end, *id, *to;

	for (; (end = strchr(p, '\n')); p = end + 1) {
		id = strstr(p, ": id \"");
		to = id ? strchr(id + 6, '"') : NULL;
		if (to && to < end && !strncmp(to, "\" exists already;", 17)) {
			char line[80];

			snprintf(line, sizeof line, "%.*s\n",
			    (int)(to - id - 6), id + 6);
			put("acked", O_APPEND, line, strlen(line));
		} else {
			put("faults", O_APPEND, p, (size_t)(end + 1 - p));
		}
	}
}

/* An array in which about half of the jobs wait for one before them; the file
 * `after` has each of these pairs. */
static size_t
make_workflow(char *p, size_t size, unsigned *seed, long first, int count)
{
	char pair[64];
	size_t m = 0;
	long n, parent = 0;

	for (n = first; n < first + count; n++) {
		int named = n > first && rand_r(seed) % 2;

		m += (size_t)make_job(p + m, size - m, seed, n, 'j',
		    named ? parent : 0);
		if (named) {
			int k = snprintf(pair, sizeof pair, "j%ld j%ld\n", n,
			    parent);

			put("after", O_APPEND, pair, (size_t)k);
		}
		if (!parent || rand_r(seed) % 2)
			parent = n;
	}
	return m;
}

/* enqueuer SEED K COUNT SECONDS PROG: its jobs are numbered from K million. */
int
storm_enqueuer(char **arg)
{
	static char jobs[65536], again[65536 + 2], out[65536], err[65536];
	static char in[2][16], outfile[16], errfile[16];
	unsigned seed = (unsigned)atol(arg[0]);
	long k = atol(arg[1]), most = atol(arg[2]), seconds = atol(arg[3]);
	long n = 0;
	time_t began = time(NULL);

	prog = arg[4];
	snprintf(in[0], sizeof in[0], "in.%ld", k);
	snprintf(in[1], sizeof in[1], "again.%ld", k);
	snprintf(outfile, sizeof outfile, "out.%ld", k);
	snprintf(errfile, sizeof errfile, "err.%ld", k);
	while (n < most && access("over", F_OK) < 0) {
		int how = rand_r(&seed) % 20, count, st;
		size_t m = 0, left = 0;
		char *p, *end;
		long us;

		count = how < 8 ? 1 : 1 + rand_r(&seed) % (1 +
		    rand_r(&seed) % 80);
		us = rand_r(&seed) % 2 ? 0 :
		    1 + rand_r(&seed) % (1500 + 60 * count);
		/* At the rate that is asked for, and without a heap of jobs. */
		while (access("over", F_OK) < 0 && (pending() > 400 || n *
		    seconds > most * (time(NULL) - began + 1)))
			storm_sleep(20);
		if (how >= 17) {
			m = make_workflow(jobs, sizeof jobs, &seed,
			    k * 1000000 + n, count);
			n += count;
			count = 0;
		}
		for (; count; count--)
			m += (size_t)make_job(jobs + m, sizeof jobs - m,
			    &seed, k * 1000000 + n++, 0, 0);
		put(in[0], O_TRUNC, jobs, m);
		if (how < 8) {
			st = enqueue(jobs, "/dev/null", outfile, errfile, us);
		} else if (how < 17) {
			st = enqueue("-", in[0], outfile, errfile, us);
		} else {
			snprintf(again, sizeof again, "[%s]", jobs);
			for (p = again; (p = strchr(p, '\n')) && p[1] == '{';)
				*p = ',';
			st = enqueue(again, "/dev/null", outfile, errfile, us);
		}
		m = get(outfile, out, sizeof out);
		/* a line that was cut short does not count */
		while (m && out[m - 1] != '\n')
			out[--m] = '\0';
		put("acked", O_APPEND, out, m);
		if (st != 137) {
			get(errfile, err, sizeof err);
			complaints(err);
			if (st)
				put("faults", O_APPEND, "enqueue failed\n", 15);
			continue;
		}
		/* A job with an id that was not printed may be there or not.
		 * Enqueue it again: then it is there either way. */
		for (p = jobs; (end = strchr(p, '\n')); p = end + 1) {
			char *id, saved = end[1];

			end[1] = '\0';
			id = strstr(p, "\"id\":\"");
			if (id && !has_line(out, id + 6,
			    strcspn(id + 6, "\""))) {
				memcpy(again + left, p, (size_t)(end + 1 - p));
				left += (size_t)(end + 1 - p);
			}
			end[1] = saved;
		}
		if (!left)
			continue;
		put(in[1], O_TRUNC, again, left);
		enqueue("-", in[1], outfile, errfile, 0);
		m = get(outfile, out, sizeof out);
		put("acked", O_APPEND, out, m);
		get(errfile, err, sizeof err);
		complaints(err);
	}
	return 0;
}

/* one SEED N PREFIX: a job to be enqueued, on stdout. */
int
storm_one(char **arg)
{
	unsigned seed = (unsigned)atol(arg[0]);
	char job[1024];

	make_job(job, sizeof job, &seed, atol(arg[1]), *arg[2], 0);
	fputs(job, stdout);
	return 0;
}
