/*
 * storm.h: the program that tests/torture compiles: its jobs, its enqueuers
 * and its killer.  It works in the directory of the storm.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORM_H
#define STORM_H

#include <stddef.h>

/* The directory; the value of TORTURE in the environment of all that was
 * started. */
extern char storm_mark[4096];

void storm_sleep(long ms);
/* Appends a line "KIND TIME … ." to the file events. */
void storm_note(char kind, const char *fmt, ...);
/* Reads /proc/PID/WHAT, and a NUL behind it.  Returns its length, 0 if it
 * cannot be read. */
size_t storm_slurp(long pid, const char *what, char *p, size_t size);

/* The words of the command line, each with its arguments; exit statuses. */
int storm_enqueuer(char **arg);
int storm_one(char **arg);

#endif
