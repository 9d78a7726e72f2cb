/*
 * worker/self.h: signals, the clock and log lines of a process of the pool.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKER_SELF_H
#define WORKER_SELF_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "spool.h"

#define SECOND INT64_C(1000000)
#define TICK      (60 * SECOND)       /* where inotify works */
#define POLL      (SECOND / 4)        /* where it does not */
#define RETRY     SECOND              /* after EIO, ENOSPC… */

extern int wake[2];                          /* the self-pipe */
extern volatile sig_atomic_t terminations;   /* SIGTERM, SIGINT, SIGHUP */
extern volatile sig_atomic_t stop_now;       /* SIGUSR1 */
extern volatile sig_atomic_t some_cancel;    /* SIGUSR2: look for requests */
extern volatile sig_atomic_t some_ended;     /* SIGCHLD: a child to wait for */
extern volatile sig_atomic_t launching;      /* a child may be on its way */

int make_pipe(int p[2]);

/* Makes the self-pipe of this process and catches the signals, whatever mask
 * we were started with; what nohup has set to be ignored stays so. */
int signals_open(void);
void close_quietly(int fd);

/* One read: what it leaves wakes us once more. */
void drain_pipe(int fd);
int64_t monotonic(void);

/* Milliseconds for poll from a span of microseconds, never too short. */
int poll_ms(int64_t us);

/* The time of day.  Not made to increase: after the clock was set back, what
 * is counted from a later time would lie ahead of it. */
int64_t today(void);

/* One line on stderr, in one write, so that lines of workers do not mix. */
#ifdef __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
void say(int number, const char *fmt, ...);

/* What spool.c says went wrong. */
void say_error(int number, const struct spool *sp, const char *what);

#endif
