/*
 * worker/pool.c: the supervisor: start, restart, stop, daemon, service
 * manager.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/launch.h"
#include "worker/pool.h"
#include "worker/self.h"
#include "worker/worker.h"

static void
forget_fd(int fd, bool close_it, const int *keep, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (fd == keep[i])
			return;
	if (fd > 2 && close_it)
		close(fd);
	else if (fd > 2)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/*
 * Whatever was open when we were started, jobs do not get it.  A daemon holds
 * none of it open, for whoever waits for its end, nor does a worker, which
 * needs the room: they close all but the n that they keep.
 */
static void
forget_fds(bool close_them, const int *keep, size_t n)
{
	DIR *dir = opendir("/dev/fd");
	struct dirent *e;
	struct rlimit limit;
	int fd, max = 65536;

	if (dir) {
		while ((e = readdir(dir)))
			if ((fd = atoi(e->d_name)) != dirfd(dir))
				forget_fd(fd, close_them, keep, n);
		closedir(dir);
		return;
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    limit.rlim_cur < (rlim_t)max)
		max = (int)limit.rlim_cur;
	for (fd = 3; fd < max; fd++)
		forget_fd(fd, close_them, keep, n);
}

/*
 * Tells systemd, or who speaks like it, how we are: a datagram of NAME=VALUE
 * lines to the socket in $NOTIFY_SOCKET, where '@' stands for the NUL of an
 * abstract one (sd_notify(3)).
 */
static void
notify(const char *state)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t n = path ? strlen(path) : 0;
	int fd;

	if (n < 2 || n >= sizeof to.sun_path || (*path != '/' && *path != '@'))
		return;
	memcpy(to.sun_path, path, n);
	if (*path == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd < 0)
		return;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (sendto(fd, state, strlen(state), 0, (void *)&to, (socklen_t)
	    (offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		say(0, "cannot notify %s: %s", path, strerror(errno));
	close(fd);
}

struct member {
	pid_t pid;                 /* 0: not running */
	int64_t started;           /* monotonic */
	int64_t again;             /* monotonic: start it then; 0: never */
};

struct pool {
	struct spool *spool;
	struct spool_pool file;
	const struct worker_options *options;
	struct shared *shared;     /* the workers' */
	struct spool_watch watch;
	struct member *member;
	int lifeline[2];
	int level;                 /* 1: stopping, 2: now */
	bool drained;              /* stopping, for there is nothing left */
};

/* A worker reads nothing, and its jobs have its stdin where they have no input
 * of their own. */
static int
empty_stdin(void)
{
	int null = open("/dev/null", O_RDONLY);

	if (null < 0 || dup2(null, 0) < 0)
		return -1;
	if (null > 0)
		close(null);
	return 0;
}

/* In one piece, which begins with zeros and is where it is in all workers. */
static int
share(struct pool *p)
{
	const struct worker_options *o = p->options;
	const size_t wide = width_of(JOB_ID_MAX);
	size_t ready = o->ready ? o->ready : READY_MAX;
	size_t deadlines = o->timed ? o->timed : TIMED_MAX;
	size_t nmarks = o->count > 1 ? (size_t)o->count * MARKS : 0;
	size_t room = ready * (sizeof(uint16_t) + width_of(USUAL_ID));
	struct shared *s;

	if (room < sizeof(uint16_t) + wide)
		room = sizeof(uint16_t) + wide;
	s = mmap(NULL, sizeof *s + nmarks * sizeof *s->mark +
	    queue_size(deadlines, wide) + CELL + room, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED)
		return -1;
	p->shared = s;
	s->nmarks = (uint32_t)nmarks;
	s->mark = (void *)(s + 1);
	s->deadlines = deadlines;
	s->timed = s->mark + nmarks;
	s->ready = (char *)s->timed + queue_size(deadlines, wide);
	s->room = room;
	lay_out(s, width_of(USUAL_ID));
	return 0;
}

/* A worker died: what it was about to do is for others.  What it had taken
 * from the list its successor will find, who begins with a pass. */
static void
forget_worker(struct pool *p, int number)
{
	struct shared *s = p->shared;
	uint32_t i;

	for (i = 0; i < s->nmarks; i++)
		s->mark[i].name = 0;
	atomic_compare_exchange_strong(&s->reader, &number, 0);
}

static void
start_member(struct pool *p, int k)
{
	struct member *m = &p->member[k];
	sigset_t all, old;
	pid_t pid;
	size_t i;

	/* No signal may reach the child's copy of our self-pipe. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0) {
		const int keep[] = { p->spool->fd, p->file.fd,
			p->lifeline[0] };

		forget_fds(true, keep, 3);
		unsetenv("NOTIFY_SOCKET"); /* it is not for jobs */
		for (i = 0; i < JOB_ENV; i++)
			unsetenv(job_env[i]);
		if (empty_stdin() < 0 || signals_open() < 0) {
			say(k + 1, "cannot start: %s", strerror(errno));
			_exit(1);
		}
		sigprocmask(SIG_SETMASK, &old, NULL);
		worker_main(p->spool, &p->file, p->options, p->shared, k + 1,
		    p->lifeline[0]);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	m->started = monotonic();
	m->again = 0;
	m->pid = pid;
	if (pid < 0) {
		say(0, "cannot start worker %d: %s; trying again", k + 1,
		    strerror(errno));
		m->pid = 0;
		m->again = m->started + RETRY;
	}
}

static void
signal_members(const struct pool *p, int sig)
{
	int k;

	for (k = 0; k < p->options->count; k++)
		if (p->member[k].pid)
			kill(p->member[k].pid, sig);
}

static void
stop_workers(struct pool *p, int level)
{
	p->level = level;
	signal_members(p, level == 1 ? SIGTERM : SIGUSR1);
}

/* Notices who has ended.  As PID 1 we get everybody's orphans, too. */
static void
reap(struct pool *p)
{
	int status, k;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (k = 0; k < p->options->count; k++)
			if (p->member[k].pid == pid)
				break;
		if (k == p->options->count)
			continue;
		p->member[k].pid = 0;
		if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 ||
		    (p->level && WEXITSTATUS(status) == STOPPED))) {
			struct spool_slot last, gone = { .number = k + 1 };

			spool_pool_recall(&p->file, k + 1, &last);
			gone.tally = last.tally;
			spool_pool_note(&p->file, &gone);
			if (!p->level) {
				p->drained = true;
				stop_workers(p, 1);
			}
			continue;
		}
		if (WIFSIGNALED(status))
			say(0, "worker %d (%ld) was killed by signal %d",
			    k + 1, (long)pid, WTERMSIG(status));
		else
			say(0, "worker %d (%ld) ended with status %d, and "
			    "nobody asked the pool to stop", k + 1,
			    (long)pid, WEXITSTATUS(status));
		forget_worker(p, k + 1);
		/* At once, but not in a tight loop. */
		p->member[k].again = monotonic();
		if (p->member[k].again - p->member[k].started < SECOND)
			p->member[k].again += SECOND;
	}
}

static void
obey_requests(struct pool *p)
{
	int asked = spool_pool_asked(p->spool, &p->file);
	int level = terminations > asked ? terminations : asked;

	if (level <= p->level)
		return;
	if (level == 1)
		say(0, "stopping when the current jobs have ended");
	else
		say(0, "stopping now, ending the current jobs");
	notify(level == 1 ? "STOPPING=1\nSTATUS=finishing the current jobs" :
	    "STOPPING=1\nSTATUS=ending the current jobs");
	stop_workers(p, level);
}

/* Starts who is to be started.  Returns how long that can wait, in ms (-1:
 * for ever), or -2 when nobody is left. */
static int
start_due(struct pool *p)
{
	int64_t now = monotonic(), next = 0;
	bool any = false;
	int k;

	for (k = 0; k < p->options->count; k++) {
		struct member *m = &p->member[k];

		if (p->level)
			m->again = 0;
		if (m->again && m->again <= now)
			start_member(p, k);
		if (m->again && (!next || m->again < next))
			next = m->again;
		any |= m->pid || m->again;
	}
	if (!any)
		return -2;
	return next ? poll_ms(next - now) : -1;
}

static void
supervise(struct pool *p)
{
	struct pollfd fds[2] = { { .fd = wake[0], .events = POLLIN } };
	bool told = spool_watch_add(p->spool, &p->watch, SPOOL_WORKERS,
	    false) &&
	    !spool_watch_silent(p->spool);
	const char *file;
	bool cancels;
	int dir, ms, r;

	fds[1] = (struct pollfd){ .fd = p->watch.fd, .events = POLLIN };
	while ((ms = start_due(p)) != -2) {
		if (!told && (ms < 0 || ms > (int)(POLL / 1000)))
			ms = (int)(POLL / 1000);
		if (poll(fds, 2, ms) > 0 && fds[0].revents)
			drain_pipe(wake[0]);
		cancels = !told;
		while ((r = spool_watch_next(&p->watch, &dir, &file)) != 0)
			cancels |= r < 0 || spool_is_request(file);
		if (cancels)
			signal_members(p, SIGUSR2);
		obey_requests(p);
		reap(p);
	}
}

/* The pool in this process.  `ready` (-1: none) is told when it stands. */
static int
run_pool(struct spool *sp, const struct worker_options *options, int ready)
{
	struct pool p = { .spool = sp, .options = options };
	char status[64];
	int k, r = -1;

	p.member = calloc((size_t)options->count, sizeof *p.member);
	if (!p.member || share(&p) < 0 || signals_open() < 0 ||
	    make_pipe(p.lifeline) < 0) {
		say(0, "cannot start a pool: %s", strerror(errno));
	} else if (spool_pool_join(sp, &p.file, options->count,
	    today()) != SPOOL_OK) {
		say_error(0, sp, "cannot start a pool");
	} else {
		spool_watch_open(&p.watch);
		say(0, "%d worker%s on %s", options->count,
		    options->count == 1 ? "" : "s", sp->path);
		if (sp->config.paused)
			say(0, "paused: no job begins before queuectl resume");
		if (ready >= 0) {
			if (write(ready, "", 1) < 0)
				say(0, "nobody waits for us to start");
			close(ready);
		}
		snprintf(status, sizeof status, "READY=1\nSTATUS=%d worker%s",
		    options->count, options->count == 1 ? "" : "s");
		notify(status);
		for (k = 0; k < options->count; k++)
			p.member[k].again = 1;
		supervise(&p);
		if (p.drained)
			notify("STOPPING=1\nSTATUS=nothing left to do");
		spool_watch_close(&p.watch);
		spool_pool_leave(sp, &p.file);
		say(0, "stopped");
		r = 0;
	}
	free(p.member);
	return r;
}

/* In the daemon: away from the terminal, into worker.log. */
static bool
detach(struct spool *sp, int ready)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int log = spool_worker_log(sp);
	const int keep[] = { sp->fd, ready };

	if (null < 0 || log < 0) {
		say_error(0, sp, "cannot write the log");
		return false;
	}
	setsid();
	if (chdir("/") < 0)
		say(0, "cannot leave the directory: %s", strerror(errno));
	dup2(null, 0);
	dup2(log, 1);
	dup2(log, 2);
	forget_fds(true, keep, 2);
	return true;
}

int
worker_pool(struct spool *sp, const struct worker_options *options)
{
	int ready[2];
	char byte;
	ssize_t n;
	pid_t pid;

	forget_fds(false, NULL, 0);
	if (!options->daemon)
		return run_pool(sp, options, -1);
	if (make_pipe(ready) < 0 || (pid = fork()) < 0) {
		say(0, "cannot start a daemon: %s", strerror(errno));
		return -1;
	}
	if (pid == 0) {
		close(ready[0]);
		if (!detach(sp, ready[1]))
			_exit(1);
		_exit(run_pool(sp, options, ready[1]) < 0);
	}
	close(ready[1]);
	do
		n = read(ready[0], &byte, 1);
	while (n < 0 && errno == EINTR);
	close(ready[0]);
	if (n == 1)
		return 0;
	say(0, "the daemon did not start; see %s/worker.log", sp->path);
	return -1;
}
