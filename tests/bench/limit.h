/*
 * limit.h: what limit.c and measure.c share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LIMIT_H
#define LIMIT_H

#include <sys/types.h>

extern char **environ;

/* Says what failed and why, and exits. */
_Noreturn void die(const char *what);
void need(int ok, const char *what);
/* Seconds of a clock that only goes on. */
double now(void);
/* A number above 0, or it exits. */
long number(const char *s);

extern int null;     /* what the commands say goes there */

/* Starts a command, by vfork; waits for one of them. */
pid_t spawn(char **argv);
void reap(void);

/* What the words do that the head of limit.c explains. */
void run_spawn(long n, long flight, char **argv);
int run_time(char **argv);
int run_calls(char **argv);
void run_switches(long seconds, char **pid);

#endif
