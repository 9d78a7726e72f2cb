/*
 * columns.h: a job as fields that tabs separate, for scripts.
 *
 * Functions that return int return an exit status, after a complaint if it is
 * not DONE.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COLUMNS_H
#define COLUMNS_H

#include "cli/call.h"
#include "job/field.h"

/* The name of the i-th column; NULL: there are not so many. */
const char *columns_name(size_t i);
/* Whether `names`, with commas between them, are columns: the names of the
 * fields of `list --json`.  USAGE after a complaint that has all of them. */
int columns_check(const char *names);
/*
 * Prints the values of these fields in one line.  A value is what the JSON
 * output has: a list of ids or locks with commas between them, argv and env as a
 * shell needs them, and nothing where there is no such field.  A tab is
 * printed as \t, a newline as \n, a backslash as \\, and any other control
 * character as \xHH.
 */
int columns_print(const struct field_view *, const char *names);

#endif
