/*
 * worker/launch.c: the child process's way to exec, and its environment.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/launch.h"
#include "worker/self.h"

#if ON_LINUX
#include <sys/prctl.h>
#endif

/* The seam: POSIX has no wait4. */
#if ON_LINUX || (!defined(QUEUECTL_PORTABLE) && (defined(__APPLE__) || \
    defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || \
    defined(__DragonFly__)))
#include <sys/resource.h>
#define HAS_WAIT4 1
#else
#define HAS_WAIT4 0
#endif

bool
path_step(const char **path, const char *name, char file[PATH_MAX])
{
	const char *dir = *path, *end = dir + strcspn(dir, ":");
	int n = snprintf(file, PATH_MAX, "%.*s%s%s", (int)(end - dir), dir,
	    end > dir ? "/" : "", name);

	*path = *end ? end + 1 : NULL;
	return n >= 0 && n < PATH_MAX;
}

/* exec along PATH as the job has it.  Returns what went wrong. */
static int
exec_path(const struct launch *l)
{
	char file[PATH_MAX];
	const char *path = l->path;
	int worst = ENOENT;

	while (path) {
		if (!path_step(&path, l->argv[0], file))
			continue;
		execve(file, (char **)(uintptr_t)l->argv, l->envp);
		/* of the file, not of a directory that is closed to us */
		if (errno == EACCES)
			worst = access(file, F_OK) == 0 ? EACCES : worst;
		else if (errno != ENOENT && errno != ENOTDIR)
			return errno;
	}
	return worst;
}

/* Lets the program inherit what it is to hold. */
static bool
keep_open(const struct launch *l)
{
	int i;

	for (i = 0; i < l->nkeep; i++)
		if (fcntl(l->keep[i], F_SETFD, 0) < 0)
			return false;
	return true;
}

/* The child's way from vfork to exec.  It shares the worker's memory.  The
 * signals that the worker catches are reset by exec.  Returns what went
 * wrong. */
static struct failure
child_main(const struct launch *l)
{
	struct failure f = { STAGE_FDS, 0 };

	/* The job gets a group of its own, to be ended as one, and no
	 * terminal, whose stop signals would make it hang.  A session costs
	 * Linux more than a group: it is scheduled as a unit. */
	if (l->terminal)
		setsid();
	else
		setpgid(0, 0);
#if ON_LINUX
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != l->parent)
		_exit(127); /* it died before it could take us along */
#endif
	umask(l->umask);
	if ((l->in >= 0 && dup2(l->in, 0) < 0) || dup2(l->out, 1) < 0 ||
	    dup2(l->out, 2) < 0 || !keep_open(l)) {
		f.error = errno;
	} else if (chdir(l->cwd) < 0) {
		f = (struct failure){ STAGE_CHDIR, errno };
	} else {
		f.stage = STAGE_EXEC;
		if (l->path) {
			f.error = exec_path(l);
		} else {
			execve(l->argv[0], (char **)(uintptr_t)l->argv,
			    l->envp);
			f.error = errno;
		}
		if (l->instead) {
			execve(l->instead[0], (char **)(uintptr_t)l->instead,
			    l->envp);
			f.error = errno;
		}
	}
	return f;
}

#if ON_LINUX
/* In a function of its own, which must stay out of line: what the vfork child
 * shares with us must not be in registers. */
static pid_t
start_by_vfork(struct launch *l)
{
	pid_t pid = vfork();

	if (pid == 0) {
		struct failure f = child_main(l);

		l->failure.error = f.error;
		l->failure.stage = f.stage;
		_exit(127);
	}
	return pid;
}
#else
static pid_t
start_by_vfork(struct launch *l)
{
	(void)l;
	errno = ENOSYS;
	return -1;
}
#endif

/* The child reports over a pipe, which its exec closes. */
static pid_t
start_by_fork(struct launch *l)
{
	struct failure f;
	int report[2];
	pid_t pid;
	ssize_t n;

	if (make_pipe(report) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		f = child_main(l);
		while (write(report[1], &f, sizeof f) < 0 && errno == EINTR)
			;
		_exit(127);
	}
	close_quietly(report[1]);
	do
		n = pid < 0 ? 0 : read(report[0], &f, sizeof f);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof f) {
		l->failure.error = f.error;
		l->failure.stage = f.stage;
	}
	close_quietly(report[0]);
	return pid;
}

bool
vfork_shares_memory(void)
{
	struct launch l = { .argv = NULL };
	pid_t pid;

	/* a child that fails at its first step, and should tell us so */
	l.out = -1;
	l.in = -1;
	l.parent = getpid();
	launching = 1;
	pid = start_by_vfork(&l);
	launching = 0;
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && l.failure.stage == STAGE_FDS;
}

pid_t
start_child(struct launch *l, bool by_vfork)
{
	pid_t pid = -1;

	child_ended = 0;
	launching = 1;
	if (by_vfork)
		pid = start_by_vfork(l);
	/* a seccomp filter may deny one and not the other */
	if (!by_vfork || (pid < 0 && (errno == ENOSYS || errno == EPERM)))
		pid = start_by_fork(l);
	launching = 0;
	return pid;
}

#if HAS_WAIT4
static int64_t
microseconds(struct timeval t)
{
	return t.tv_sec * SECOND + t.tv_usec;
}

pid_t
reap_child(pid_t pid, int *status, struct job_attempt *a)
{
	struct rusage use;

	pid = wait4(pid, status, WNOHANG, &use);
	if (pid <= 0)
		return pid;
	a->measured = true;
	a->user = microseconds(use.ru_utime);
	a->sys = microseconds(use.ru_stime);
#ifdef __APPLE__
	use.ru_maxrss /= 1024; /* bytes; elsewhere it is KiB */
#endif
	a->maxrss = use.ru_maxrss;
	return pid;
}
#else
pid_t
reap_child(pid_t pid, int *status, struct job_attempt *a)
{
	(void)a;
	return waitpid(pid, status, WNOHANG);
}
#endif

const char *
job_directory(const struct job *job)
{
	return job->cwd ? job->cwd : "/";
}

static bool
has_name(char *const *env, size_t n, const char *entry)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		for (k = 0; entry[k] && entry[k] != '=' &&
		    entry[k] == env[i][k]; k++)
			;
		if (entry[k] == '=' && env[i][k] == '=')
			return true;
	}
	return false;
}

const char *const job_env[JOB_ENV] = { "QUEUECTL_ID", "QUEUECTL_ATTEMPT",
	"QUEUECTL_SPOOL", "PWD" };

/* Adds a variable for each slot; at[…] is where it begins. */
static void
add_slots(const struct spool_claim *c, struct buf *own, size_t *at)
{
	const char *locks = c->name.locks;
	char lock[JOB_LOCK_MAX + 1];
	size_t i;

	for (i = 0; i < c->nlock && job_lock_next(&locks, lock); i++) {
		at[i] = own->n;
		job_lock_variable(own, lock);
		buf_putc(own, '=');
		buf_puts(own, c->lock[i].slot);
		buf_putc(own, '\0');
	}
}

char **
make_env(const struct worker *w, const struct spool_claim *c, struct buf *own,
    size_t *before)
{
	extern char **environ;
	const struct job *job = &c->job;
	size_t at[4 + JOB_LOCKS], n = 0, i, have, jobs;
	const size_t ours = 3 + c->nlock;
	char **env;

	add_slots(c, own, at + 4);
	for (i = 0; i < 4; i++) {
		at[i] = own->n;
		buf_puts(own, job_env[i]);
		buf_putc(own, '=');
		if (i == 0)
			buf_puts(own, c->name.id);
		else if (i == 1)
			buf_number(own, c->name.attempt);
		else
			buf_puts(own, i == 2 ? w->spool->path :
			    job_directory(job));
		buf_putc(own, '\0');
	}
	for (have = 0; environ && environ[have]; have++)
		;
	env = malloc((have + job->nenv + ours + 2) * sizeof *env);
	if (!env || own->failed) {
		free(env);
		return NULL;
	}
	for (i = 0; i < ours; i++)
		env[n++] = own->p + at[i < 3 ? i : i + 1];
	for (i = 0; i < job->nenv; i++)
		if (!has_name(env, ours, job->env[i]))
			env[n++] = (char *)(uintptr_t)job->env[i];
	jobs = n;
	if (!has_name(env, n, "PWD="))
		env[n++] = own->p + at[3];
	*before = n;
	for (i = 0; i < have; i++)
		if (!has_name(env + 3, jobs - 3, environ[i]))
			env[n++] = environ[i];
	env[n] = NULL;
	return env;
}

const char *
env_path(char *const *env)
{
	for (; *env; env++)
		if (!strncmp(*env, "PATH=", 5))
			return *env + 5;
	return "/usr/local/bin:/usr/bin:/bin";
}

void
failure_words(struct buf *b, const struct job *job, const struct failure *f)
{
	const char *program = job->command ? "/bin/sh" : job->argv[0];

	if (f->stage == STAGE_CHDIR)
		buf_printf(b, "cannot enter its directory %s: %s",
		    job_directory(job), strerror(f->error));
	else if (f->stage == STAGE_FDS)
		buf_printf(b, "cannot set up its files: %s",
		    strerror(f->error));
	else if (f->error == ENOENT)
		buf_printf(b, "no such program: %s%s", program,
		    strchr(program, ' ') ? " (enqueue a line for the shell "
		    "with --command)" : "");
	else if (f->error == EACCES)
		buf_printf(b, "not executable: %s: %s", program,
		    strerror(f->error));
	else
		buf_printf(b, "cannot run %s: %s", program,
		    strerror(f->error));
}
