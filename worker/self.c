/*
 * worker/self.c: signals, the clock, log lines.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "spool/pool.h"
#include "worker/self.h"

enum {
	PATIENCE_MS = 1000      /* for somebody to read a full stderr */
};

int self_pipe = -1;
static int self_pipe_end = -1;
volatile sig_atomic_t terminations;
volatile sig_atomic_t child_ended;
volatile sig_atomic_t launching;
static pid_t self;              /* the process that catches */

static const int caught[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };
/* Faults, and what a shell does to a job of its own: the default is right. */
static const int left_alone[] = { SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE,
	SIGSEGV, SIGSYS, SIGKILL, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT };

/* One request may arrive twice: timeout(1) signals its child and then the whole
 * group, a terminal sends SIGHUP twice.  So a second one counts only a second
 * later. */
static void
count_termination(int sig)
{
	static int64_t first;
	int64_t now = monotonic();

	if (!terminations) {
		first = now;
		terminations = 1;
	} else if (sig != SIGHUP && now - first >= SECOND) {
		terminations = 2;
	}
}

static void
on_signal(int sig)
{
	int e = errno;
	ssize_t n;

	/* A child that has not come to its exec shares our memory, or has a
	 * copy of it.  It dies from the signal, as the job would. */
	if (launching && getpid() != self) {
		signal(sig, SIG_DFL);
		kill(getpid(), sig);
		return;
	}
	if (sig == SIGCHLD)
		child_ended = 1;
	else
		count_termination(sig);
	n = write(self_pipe_end, "", 1);
	(void)n; /* a full pipe wakes as well */
	errno = e;
}

/* An ignored signal would stay ignored in the jobs; exec resets a caught one. */
static void
on_meaningless(int sig)
{
	(void)sig;
}

static bool
is_one_of(int sig, const int *list, size_t n)
{
	while (n--)
		if (list[n] == sig)
			return true;
	return false;
}

/* Sets what all signals do: some are caught, a few left alone, and the rest mean
 * nothing.  What nohup has set to be ignored stays so. */
static void
signals_set(void)
{
	struct sigaction sa = { .sa_flags = 0 }, old;
	int sig;

	sigfillset(&sa.sa_mask);
	for (sig = 1; sig <= SIGRTMAX; sig++) {
		if (is_one_of(sig, left_alone, sizeof left_alone / sizeof sig))
			continue;
		if (sig == SIGHUP && sigaction(SIGHUP, NULL, &old) == 0 &&
		    old.sa_handler == SIG_IGN)
			continue;
		sa.sa_handler = is_one_of(sig, caught,
		    sizeof caught / sizeof sig) ? on_signal : on_meaningless;
		sigaction(sig, &sa, NULL);
	}
}

int
signals_open(void)
{
	sigset_t none;
	int p[2];

	if (make_pipe(p) < 0)
		return -1;
	self_pipe = p[0];
	self_pipe_end = p[1];
	fcntl(self_pipe, F_SETFL, O_NONBLOCK);
	fcntl(self_pipe_end, F_SETFL, O_NONBLOCK);
	self = getpid();
	terminations = 0;
	signals_set();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return 0;
}

void
self_pipe_drain(void)
{
	char bytes[64];

	while (read(self_pipe, bytes, sizeof bytes) < 0 && errno == EINTR)
		;
}

int
make_pipe(int p[2])
{
#if ON_LINUX
	if (pipe2(p, O_CLOEXEC) == 0)
		return 0;
	if (errno != ENOSYS && errno != EPERM) /* EPERM: a seccomp filter */
		return -1;
#endif
	if (pipe(p) < 0)
		return -1;
	fcntl(p[0], F_SETFD, FD_CLOEXEC);
	fcntl(p[1], F_SETFD, FD_CLOEXEC);
	return 0;
}

void
close_quietly(int fd)
{
	int e = errno;

	if (fd >= 0)
		close(fd);
	errno = e;
}

static int64_t
clock_us(clockid_t id)
{
	struct timespec t;

	if (clock_gettime(id, &t) < 0)
		return 0; /* 2038 has come to an old kernel of 32 bits */
	return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000;
}

int64_t
monotonic(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

int
poll_ms(int64_t us)
{
	if (us <= 0)
		return 0;
	return us > 3600 * SECOND ? 3600 * 1000 : (int)((us + 999) / 1000);
}

int64_t
today(void)
{
	return clock_us(CLOCK_REALTIME);
}

/* Whether stderr takes a line without making us wait for longer than `ms`. */
static bool
is_read(int ms)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
	int64_t until = ms ? monotonic() + ms * (SECOND / 1000) : 0;
	int r;

	while ((r = poll(&p, 1, ms)) < 0 && errno == EINTR && ms)
		ms = poll_ms(until - monotonic());
	return r > 0;
}

static struct spool *log_spool;
static int64_t log_opened;

int
say_to_log(struct spool *sp)
{
	int log = spool_worker_log(sp);

	if (log < 0)
		return -1;
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	close(log);
	log_spool = sp;
	log_opened = monotonic();
	return 0;
}

/* The queue must not stop because nobody reads what it says: then lines are
 * dropped and counted. */
static void
write_line(const char *line, size_t n)
{
	static unsigned long dropped;
	char note[80];
	ssize_t w;

	if (log_spool && monotonic() - log_opened >= SECOND)
		say_to_log(log_spool); /* or into the old one */

	if (!is_read(dropped ? 0 : PATIENCE_MS)) {
		dropped++;
		return;
	}
	if (dropped) {
		snprintf(note, sizeof note, "[queuectl] %lu lines were dropped "
		    "here: nobody read them\n", dropped);
		dropped = 0;
		w = write(STDERR_FILENO, note, strlen(note));
		(void)w;
	}
	w = write(STDERR_FILENO, line, n);
	(void)w; /* nowhere left to complain */
}

void
say(int number, const char *fmt, ...)
{
	char line[1024];
	size_t n, room;
	va_list ap;
	int r;

	n = (size_t)(number ?
	    snprintf(line, sizeof line, "[Worker %d] ", number) :
	    snprintf(line, sizeof line, "[queuectl] "));
	room = sizeof line - n;
	va_start(ap, fmt);
	r = vsnprintf(line + n, room, fmt, ap);
	va_end(ap);
	if (r < 0)
		return;
	n += (size_t)r < room ? (size_t)r : room - 1;
	line[n++] = '\n';
	write_line(line, n);
}

void
say_error(int number, const struct spool *sp, const char *what)
{
	int e = errno;

	say(number, "%s: %s%s%s: %s%s", what, sp->path, *sp->at ? "/" : "",
	    sp->at, strerror(e), spool_remedy(e));
}
