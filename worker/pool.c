/*
 * worker/pool.c: the supervisor: start, restart, stop, daemon, service
 * manager.
 *
 *     worker_pool ── run_pool ── supervise ── start_member
 *      │ a daemon forks           │ a loop     │ forks
 *                                 reap         become_worker ── worker.c
 *
 * The supervisor runs no job.  It polls for itself and for the dispatcher, and
 * when a worker dies it starts another in the same slot.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spool/lock.h"
#include "spool/waiting.h"
#include "worker/dispatch.h"
#include "worker/launch.h"
#include "worker/pool.h"
#include "worker/self.h"
#include "worker/worker.h"

#if ON_LINUX
#include <sys/syscall.h>
#endif

/* --- descriptors, the service manager ----------------------------------- */

/* What closes fds from one number to another, or marks them; false: there is no
 * such call.  Without /proc it saves 65,000 calls. */
static bool
close_range_of(int from, int to, bool close_them)
{
#if ON_LINUX && defined(SYS_close_range)
	/* 4 is CLOSE_RANGE_CLOEXEC */
	return from > to || syscall(SYS_close_range, (unsigned)from,
	    (unsigned)to, close_them ? 0u : 4u) == 0;
#else
	(void)from;
	(void)to;
	(void)close_them;
	return false;
#endif
}

/* Closes or marks all above 2 but those to be kept, in ranges between them. */
static bool
forget_ranges(bool close_them, const int *keep, size_t n)
{
	int from = 3, next;
	size_t i;

	for (;;) {
		next = INT_MAX;
		for (i = 0; i < n; i++)
			if (keep[i] >= from && keep[i] < next)
				next = keep[i];
		if (!close_range_of(from, next == INT_MAX ? next : next - 1,
		    close_them))
			return false;
		if (next == INT_MAX)
			return true;
		from = next + 1;
	}
}

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
close_inherited_fds(bool close_them, const int *keep, size_t n)
{
	struct dirent *e;
	struct rlimit limit;
	int fd, max = 65536;
	DIR *dir;

	if (forget_ranges(close_them, keep, n))
		return;
	if ((dir = opendir("/dev/fd"))) {
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

/* --- the launcher ------------------------------------------------------- */

/* Whether that is a program.  If it is there and is none, *error tells why; a
 * search goes on, and may find nothing better. */
static bool
is_program(const char *file, int *error)
{
	struct stat st;

	if (stat(file, &st) < 0)
		return false;
	if (S_ISREG(st.st_mode) && access(file, X_OK) == 0)
		return true;
	*error = S_ISREG(st.st_mode) ? errno : EACCES;
	return false;
}

/* Jobs run in directories of their own. */
static char *
make_absolute(const char *file)
{
	struct buf b = { 0 };
	int e = ENOMEM;

	if (*file != '/' && buf_room(&b, PATH_MAX)) {
		if (getcwd(b.p, PATH_MAX)) {
			b.n = strlen(b.p);
			buf_putc(&b, '/');
		} else {
			e = errno;
			b.failed = true;
		}
	}
	buf_puts(&b, file);
	if (!b.failed)
		return b.p;
	buf_free(&b);
	errno = e;
	return NULL;
}

char *
worker_launcher(const char *program)
{
	extern char **environ;
	const char *path = env_path(environ);
	char file[PATH_MAX];
	int error = ENOENT;

	if (strchr(program, '/')) {
		path = NULL;
		if (is_program(program, &error))
			return make_absolute(program);
	}
	while (path)
		if (path_step(&path, program, file) && is_program(file, &error))
			return make_absolute(file);
	errno = error;
	return NULL;
}

/* --- the supervisor ----------------------------------------------------- */

struct member {
	pid_t pid;                 /* 0: not running */
	int64_t started;           /* monotonic; 0: not yet */
	int64_t again;             /* monotonic: start it then; 0: never */
	int64_t wait;              /* before that; 0: it did not die young */
};

struct pool {
	struct spool *spool;
	struct spool_pool file;
	const struct worker_options *options;
	struct dispatch *dispatch;
	struct member *member;
	struct rlimit limit;       /* of descriptors, as we were started */
	int ready;                 /* to be written to when we are; -1: nobody */
	bool announced;            /* that we are */
	int level;                 /* 1: stopping, 2: now */
	bool drained;              /* stopping, because nothing is left to do */
	bool lost;                 /* stopping, because the spool is gone */
};

#define WAIT_MAX (60 * SECOND) /* until a worker is started that dies young */

/* Descriptors of the supervisor, besides one for each worker. */
enum {
	SPARE_FDS = 32,            /* plenty */
	LEAST_FDS = 14             /* with fewer it could not read the spool */
};

/* A worker reads nothing, and a job without an input of its own gets the
 * worker's stdin: /dev/null, or a pipe that nobody writes to.  -1: errno. */
static int
empty_stdin(void)
{
	int empty = open("/dev/null", O_RDONLY), p[2], r;

	if (empty < 0 && make_pipe(p) == 0) {
		close(p[1]);
		empty = p[0];
	}
	r = empty < 0 ? -1 : dup2(empty, 0);
	close_quietly(empty);
	return r;
}

/* The supervisor has a descriptor for each worker.  Makes room for them; the
 * workers and their jobs get the old limit back.  false: there is too little,
 * and nothing would be left to read the spool with. */
static bool
raise_limit(struct pool *p)
{
	const rlim_t want = (rlim_t)p->options->count + SPARE_FDS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &p->limit) < 0 ||
	    p->limit.rlim_cur >= want)
		return true;
	limit = p->limit;
	limit.rlim_cur = want < limit.rlim_max ? want : limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		limit = p->limit;
	if (limit.rlim_cur >= want - SPARE_FDS + LEAST_FDS)
		return true;
	say(0, "cannot start a pool: too few open files for %d workers: %llu; "
	    "raise ulimit -n, or start fewer", p->options->count,
	    (unsigned long long)limit.rlim_cur);
	return false;
}

/* Turns the child into worker k. */
static _Noreturn void
become_worker(struct pool *p, int k, struct board *board, int call)
{
	const int keep[] = { p->spool->fd, p->file.fd, call, board->bell[1] };
	size_t i;

	close_inherited_fds(true, keep, 4);
	setrlimit(RLIMIT_NOFILE, &p->limit);
	p->spool->ids = -1; /* its lock would be the supervisor's, too */
	unsetenv("NOTIFY_SOCKET"); /* it is not for jobs */
	for (i = 0; i < JOB_ENV; i++)
		unsetenv(job_env[i]);
	if (empty_stdin() < 0 || signals_open() < 0) {
		say(k + 1, "cannot start: %s", strerror(errno));
		_exit(1);
	}
	worker_main(p->spool, &p->file, p->options, k + 1, board, call,
	    p->member[k].started != 0);
}

static void
start_member(struct pool *p, int k)
{
	struct board *board = dispatch_board(p->dispatch);
	struct member *m = &p->member[k];
	int call = dispatch_hire(p->dispatch, k);
	sigset_t all, old;
	pid_t pid = -1;

	/* No signal may reach the child's copy of our self-pipe. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	if (call >= 0) {
		pid = fork();
		if (pid == 0)
			become_worker(p, k, board, call);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	close_quietly(call);
	m->started = monotonic();
	m->again = 0;
	m->pid = pid;
	if (pid > 0)
		return;
	say(0, "cannot start worker %d; trying again: %s%s", k + 1,
	    strerror(errno), spool_remedy(errno));
	dispatch_lose(p->dispatch, k);
	m->pid = 0;
	m->again = m->started + RETRY;
}

static void
stop_workers(struct pool *p, int level)
{
	p->level = level;
	dispatch_stop(p->dispatch, level);
}

/* Keeps the tally of a worker that stopped, and nothing else of its slot. */
static void
clear_slot(struct pool *p, int k)
{
	struct spool_slot last, gone = { .number = k + 1 };

	spool_slot_read(&p->file, k + 1, &last);
	gone.tally = last.tally;
	spool_slot_write(&p->file, &gone);
}

/* Says when another worker takes the place of one that has died: at once, but
 * later and later while each dies in its first second. */
static void
plan_restart(struct member *m, int k)
{
	m->again = monotonic();
	if (m->again - m->started >= SECOND) {
		m->wait = 0;
		return;
	}
	m->wait = !m->wait ? SECOND : 2 * m->wait < WAIT_MAX ? 2 * m->wait :
	    WAIT_MAX;
	m->again += m->wait;
	if (m->wait > SECOND)
		say(0, "worker %d dies again and again; the next one starts in "
		    "%lld s", k + 1, (long long)(m->wait / SECOND));
}

/* Worker k has ended.  Unless we told it to, another one takes its place. */
static void
replace_member(struct pool *p, int k, int status)
{
	struct member *m = &p->member[k];

	dispatch_lose(p->dispatch, k);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && p->level) {
		m->pid = 0;
		clear_slot(p, k);
		return;
	}
	if (WIFSIGNALED(status))
		say(0, "worker %d (%ld) was killed by signal %d",
		    k + 1, (long)m->pid, WTERMSIG(status));
	else
		say(0, "worker %d (%ld) ended with status %d, and "
		    "nobody asked the pool to stop", k + 1,
		    (long)m->pid, WEXITSTATUS(status));
	m->pid = 0;
	plan_restart(m, k);
}

/* Takes note of children that have ended.  As PID 1 we get everybody's
 * orphans, too. */
static void
reap(struct pool *p)
{
	int status, k;
	pid_t pid;

	child_ended = 0;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (k = 0; k < p->options->count; k++)
			if (p->member[k].pid == pid) {
				replace_member(p, k, status);
				break;
			}
}

static void
obey_requests(struct pool *p)
{
	int asked = dispatch_asked(p->dispatch) ?
	    spool_pool_asked(p->spool, &p->file) : 0;
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

/* Starts the workers that are to be started.  Returns how long the next start
 * can wait, in ms (-1: for ever), or -2 when nobody is left. */
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

/* Sleeps until something happens, and takes it in. */
static void
wait_for_events(struct pool *p, int ms)
{
	struct pollfd fds[] = {
		{ .fd = self_pipe, .events = POLLIN },
		{ .fd = dispatch_watch_fd(p->dispatch), .events = POLLIN },
		{ .fd = dispatch_bell(p->dispatch), .events = POLLIN },
	};

	if (poll(fds, 3, ms) <= 0)
		return;
	if (fds[0].revents)
		self_pipe_drain();
	if (fds[1].revents)
		dispatch_news(p->dispatch);
	if (fds[2].revents)
		dispatch_hear(p->dispatch);
}

/* Says that the pool has started: all its workers can be seen in workers/. */
static void
announce(struct pool *p)
{
	char status[64];

	if (p->ready >= 0) {
		if (write(p->ready, "", 1) < 0)
			say(0, "nobody waits for us to start");
		close(p->ready);
		p->ready = -1;
	}
	snprintf(status, sizeof status, "READY=1\nSTATUS=%d worker%s",
	    p->options->count, p->options->count == 1 ? "" : "s");
	notify(status);
	p->announced = true;
}

/* Says how many jobs are left that nobody can run. */
static void
say_locked_out(struct spool *sp)
{
	size_t n;

	if (spool_lock_left(sp, &n) == SPOOL_OK && n)
		say(0, "%zu job%s left: closed locks; see queuectl lock", n,
		    n == 1 ? "" : "s");
}

static void
supervise(struct pool *p)
{
	int ms, step, k;

	for (k = 0; k < p->options->count; k++)
		p->member[k].again = 1;
	while ((ms = start_due(p)) != -2) {
		if (!p->announced && dispatch_is_ready(p->dispatch))
			announce(p);
		step = dispatch_step(p->dispatch);
		if (dispatch_drained(p->dispatch) && !p->level) {
			p->drained = true;
			stop_workers(p, 1);
		}
		if (dispatch_is_lost(p->dispatch) && !p->lost) {
			p->lost = true;
			say(0, "%s was removed or replaced; stopping",
			    p->spool->path);
			stop_workers(p, 1);
		}
		wait_for_events(p, ms < 0 || step < ms ? step : ms);
		obey_requests(p);
		if (child_ended)
			reap(p);
	}
	if (!p->announced) /* it was stopped before it had started */
		announce(p);
	if (p->drained) {
		notify("STOPPING=1\nSTATUS=nothing left to do");
		say_locked_out(p->spool);
	}
}

/* Says how many jobs have died, and returns whether any has. */
static bool
say_dead(const struct dispatch *d)
{
	size_t n = dispatch_dead(d);

	if (n)
		say(0, "%zu job%s died; see queuectl dlq list", n,
		    n == 1 ? "" : "s");
	return n;
}

/* Says which jobs a drained pool has left. */
static void
say_left(struct spool *sp)
{
	struct spool_waiting w;

	if (spool_waiting_count(sp, &w) != SPOOL_OK || !w.waiting)
		return;
	say(0, "left %zu waiting job%s: %zu held, %zu blocked; see queuectl "
	    "list --state waiting", w.waiting, w.waiting == 1 ? "" : "s",
	    w.held, w.blocked);
}

/* The pool in this process.  A byte is written to `ready` (-1: none) when its
 * workers have started. */
static int
run_pool(struct spool *sp, const struct worker_options *options, int ready)
{
	struct pool p = { .spool = sp, .options = options, .ready = ready };
	int r = -1;

	if (!raise_limit(&p))
		return -1;
	p.member = calloc((size_t)options->count, sizeof *p.member);
	if (!p.member || signals_open() < 0 ||
	    !(p.dispatch = dispatch_open(sp, options))) {
		say(0, "cannot start a pool: %s%s", strerror(errno),
		    errno == ENOTSUP ? "; the kernel must have robust futexes, "
		    "and qemu's emulation of a user's programs has none" :
		    spool_remedy(errno));
	} else if (spool_pool_join(sp, &p.file, options->count,
	    today()) != SPOOL_OK) {
		say_error(0, sp, "cannot start a pool");
	} else {
		say(0, "%d worker%s on %s", options->count,
		    options->count == 1 ? "" : "s", sp->path);
		if (sp->config.paused)
			say(0, "paused: no job begins before queuectl resume");
		supervise(&p);
		if (p.drained)
			say_left(sp);
		r = p.lost || (options->check && say_dead(p.dispatch)) ? -1 : 0;
		dispatch_close(p.dispatch);
		spool_pool_leave(sp, &p.file);
		say(0, "stopped");
	}
	free(p.member);
	return r;
}

/* In the daemon: away from the terminal, into worker.log. */
static bool
detach(struct spool *sp, int ready)
{
	const int keep[] = { sp->fd, ready };

	if (empty_stdin() < 0) {
		say(0, "cannot start a daemon: %s", strerror(errno));
		return false;
	}
	if (say_to_log(sp) < 0) {
		say_error(0, sp, "cannot write the log");
		return false;
	}
	setsid();
	if (chdir("/") < 0)
		say(0, "cannot leave the directory: %s", strerror(errno));
	close_inherited_fds(true, keep, 2);
	return true;
}

int
worker_pool(struct spool *sp, const struct worker_options *options)
{
	int ready[2];
	char byte;
	ssize_t n;
	pid_t pid;

	close_inherited_fds(false, NULL, 0);
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
