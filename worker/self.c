/*
 * worker/self.c: signals, the clock, log lines.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "worker/self.h"

#if defined(__linux__) && !defined(QUEUECTL_PORTABLE)
#define ON_LINUX 1
#else
#define ON_LINUX 0
#endif

int wake[2] = { -1, -1 };
volatile sig_atomic_t terminations;
volatile sig_atomic_t stop_now;
volatile sig_atomic_t some_cancel;
volatile sig_atomic_t some_ended;
volatile sig_atomic_t launching;
static pid_t self;                          /* whose signals these are */

static const int caught[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2,
	SIGCHLD };

static void
on_signal(int sig)
{
	int e = errno;
	ssize_t n;

	/* A child that has not come to its exec shares our memory, or has a
	 * copy, and is not us: it dies of it as the job would. */
	if (launching && getpid() != self) {
		signal(sig, SIG_DFL);
		kill(getpid(), sig);
		return;
	}
	if (sig == SIGUSR1)
		stop_now = 1;
	else if (sig == SIGUSR2)
		some_cancel = 1;
	else if (sig == SIGCHLD)
		some_ended = 1;
	else if (sig == SIGHUP && !terminations)
		terminations = 1; /* it comes twice where others come once */
	else if ((sig == SIGTERM || sig == SIGINT) && terminations < 2)
		terminations++;
	n = write(wake[1], "", 1);
	(void)n; /* a full pipe wakes as well */
	errno = e;
}

/* Ignored, it would stay so in the jobs. */
static void
on_broken_pipe(int sig)
{
	(void)sig;
}

int
make_pipe(int p[2])
{
#if ON_LINUX
	return pipe2(p, O_CLOEXEC);
#else
	if (pipe(p) < 0)
		return -1;
	fcntl(p[0], F_SETFD, FD_CLOEXEC);
	fcntl(p[1], F_SETFD, FD_CLOEXEC);
	return 0;
#endif
}

int
signals_open(void)
{
	struct sigaction sa = { .sa_handler = on_signal }, old;
	sigset_t ours;
	size_t i;

	if (make_pipe(wake) < 0)
		return -1;
	fcntl(wake[0], F_SETFL, O_NONBLOCK);
	fcntl(wake[1], F_SETFL, O_NONBLOCK);
	self = getpid();
	terminations = 0;
	stop_now = some_cancel = 0;
	sigfillset(&sa.sa_mask);
	sigemptyset(&ours);
	for (i = 0; i < sizeof caught / sizeof caught[0]; i++) {
		sigaddset(&ours, caught[i]);
		if (caught[i] == SIGHUP && sigaction(SIGHUP, NULL, &old) == 0
		    && old.sa_handler == SIG_IGN)
			continue;
		sigaction(caught[i], &sa, NULL);
	}
	sa.sa_handler = on_broken_pipe;
	sigaction(SIGPIPE, &sa, NULL);
	sigprocmask(SIG_UNBLOCK, &ours, NULL);
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

void
drain_pipe(int fd)
{
	char bytes[64];

	while (read(fd, bytes, sizeof bytes) < 0 && errno == EINTR)
		;
}

static int64_t
clock_us(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
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

void
say(int number, const char *fmt, ...)
{
	char line[1024];
	size_t n, room;
	va_list ap;
	ssize_t w;
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
	w = write(STDERR_FILENO, line, n);
	(void)w; /* nowhere left to complain */
}

void
say_error(int number, const struct spool *sp, const char *what)
{
	say(number, "%s: %s%s%s: %s", what, sp->path, *sp->at ? "/" : "",
	    sp->at, strerror(errno));
}
