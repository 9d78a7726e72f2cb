/*
 * worker/self.h: signals, the clock and log lines of a process of the pool,
 * the supervisor or a worker.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKER_SELF_H
#define WORKER_SELF_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "spool.h"

/* The seam: what only Linux has.  -DQUEUECTL_PORTABLE builds without it. */
#if defined(__linux__) && !defined(QUEUECTL_PORTABLE)
#define ON_LINUX 1
#else
#define ON_LINUX 0
#endif

#define SECOND INT64_C(1000000)
#define RETRY  SECOND      /* after EIO, ENOSPC… the next try */

/* --- signals ------------------------------------------------------------ */

extern int self_pipe;      /* poll it for reading: a signal came */
/* 1: SIGTERM, SIGINT or SIGHUP came; 2: another SIGTERM or SIGINT came a second
 * or more after the first. */
extern volatile sig_atomic_t terminations;
extern volatile sig_atomic_t child_ended;  /* SIGCHLD came */
/* Set while a child may be between vfork and exec: a signal that reaches it
 * there must end it, not us. */
extern volatile sig_atomic_t launching;

/* Makes the self-pipe of this process, catches the signals and blocks none,
 * whatever it was started with; what nohup has set to be ignored stays so.  All
 * other signals mean nothing, but faults and those of job control.  Jobs get an
 * empty mask and the defaults.  -1: errno. */
int signals_open(void);
/* Empties the self-pipe.  One read: what it leaves wakes us once more. */
void self_pipe_drain(void);

/* --- descriptors -------------------------------------------------------- */

/* A pipe that no job inherits.  -1: errno. */
int make_pipe(int p[2]);
/* Keeps errno; does nothing with a negative fd. */
void close_quietly(int fd);

/* --- time, in microseconds ---------------------------------------------- */

int64_t monotonic(void);
/* The time of day.  It may fall: after the clock was set back, anything that
 * is counted from a later time would lie ahead of it.  A clock that cannot be
 * read any more is one that was set back to 1970. */
int64_t today(void);
/* Milliseconds for poll, never too short and at most an hour. */
int poll_ms(int64_t us);

/* --- log lines ---------------------------------------------------------- */

/* Writes one line to stderr with one write, so that lines of several workers
 * do not mix.  `number` is the worker's; 0: the supervisor's.  If nobody reads
 * stderr for a second, lines are dropped until somebody does. */
#ifdef __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
void say(int number, const char *fmt, ...);
/* From now on stderr is the spool's worker.log, which is opened anew once a
 * second as long as there are lines: somebody may have moved it away.  -1: it
 * cannot be opened; see spool->at. */
int say_to_log(struct spool *);
/* Says what failed in the spool, from errno and spool->at, and what a person
 * can do about it. */
void say_error(int number, const struct spool *, const char *what);

#endif
