/*
 * worker/launch.h: the child process's way to exec, and its environment.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKER_LAUNCH_H
#define WORKER_LAUNCH_H

#include <limits.h>

#include "worker/worker.h"

/* Variables that every job gets from its worker; the worker's own values are
 * not passed on. */
enum { JOB_ENV = 4 };
extern const char *const job_env[JOB_ENV];

/* What a child could not do. */
struct failure {
	enum {
		STAGE_NONE,      /* nothing: it runs its program */
		STAGE_FDS, STAGE_CHDIR, STAGE_EXEC
	} stage;
	int error;
};

/* All that the child needs.  It allocates nothing. */
struct launch {
	const char *const *argv;
	const char *const *instead; /* what to run if argv cannot be, or NULL */
	char **envp;
	const char *path;          /* PATH, or NULL: argv[0] is a path */
	const char *cwd;
	int in;                    /* -1: the worker's stdin, /dev/null */
	int out;                   /* its stdout and stderr */
	int keep[1 + 2 * JOB_LOCKS]; /* nkeep descriptors that the child keeps
	                            * open: the claim's, and those of its slots.
	                            * So the job is locked, and has its slots,
	                            * until both have ended */
	int nkeep;
	pid_t parent;
	mode_t umask;
	bool terminal;             /* the worker has one; the job must not */
	volatile struct failure failure; /* written by the child */
};

/*
 * Starts the child and waits until it runs its program or has failed;
 * l->failure tells.  Returns its pid, which is to be waited for in both cases,
 * or -1 with errno.
 */
pid_t start_child(struct launch *, bool by_vfork);
/*
 * Reaps the child if it has ended, and writes into the attempt what it used,
 * with the descendants that it waited for.  Returns what waitpid() does with
 * WNOHANG.
 */
pid_t reap_child(pid_t, int *status, struct job_attempt *);
/* Whether a vfork child shares our memory, by which it tells about a failure.
 * On some machines, in emulators and under valgrind it has a copy. */
bool vfork_shares_memory(void);
/* Adds for people why the job could not be started. */
void failure_words(struct buf *, const struct job *, const struct failure *);

/* The directory that the job runs in. */
const char *job_directory(const struct job *);
/*
 * The environment of a job: our variables, the job's own, PWD, the worker's;
 * of a name that comes twice the first counts.  The array is the caller's to
 * free, the strings lie in `own`, the job and the worker.  *before tells how
 * many are not the worker's.  NULL: out of memory.
 */
char **make_env(const struct worker *, const struct spool_claim *,
    struct buf *own, size_t *before);
/* The value of PATH, or the usual one. */
const char *env_path(char *const *env);
/* Writes the path that the program has in the first directory of *path, and
 * moves *path on to the next one; NULL: that was the last.  false: the path is
 * too long. */
bool path_step(const char **path, const char *program, char file[PATH_MAX]);

#endif
