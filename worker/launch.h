/*
 * worker/launch.h: the child process's way to exec, and its environment.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKER_LAUNCH_H
#define WORKER_LAUNCH_H

#include "worker/worker.h"

/* Variables that every job gets from its worker; the worker's own values are
 * not passed on.  JOB_ENV of them. */
extern const char *const job_env[];
enum { JOB_ENV = 4 };


/* What a child could not do; NONE: it runs its program. */
struct failure {
	enum { STAGE_NONE, STAGE_FDS, STAGE_CHDIR, STAGE_EXEC } stage;
	int error;
};

/* All that the child needs; it allocates nothing. */
struct launch {
	const char *const *argv;
	const char *const *instead; /* …of argv, if that cannot be run */
	char **envp;
	const char *path;          /* PATH, or NULL: argv[0] is a path */
	const char *cwd;
	int in;                    /* -1: our stdin, /dev/null */
	int out, lock;
	pid_t parent;
	mode_t umask;
	bool terminal;             /* we have one, that it is not to have */
	volatile struct failure failure; /* by the child */
};

const char * directory(const struct job *job);

/* Our variables, the job's, its directory's, the worker's: the first of a name
 * counts.  `own` takes our strings, *before how many are not the worker's. */
char ** make_env(const struct worker *w, const struct spool_claim *c, struct buf *own,
    size_t *before);
const char * env_path(char *const *env);

/* Why the job could not be started, for people. */
void failure_words(struct buf *b, const struct job *job, const struct failure *f);

/*
 * Starts the child and waits until it runs its program, or has failed, and
 * then l->failure says at what.  Returns its pid, -1 with errno.
 */
pid_t launch_child(struct launch *);

#endif
