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
 * Prints the values of these fields in one line.  The values are those of the
 * JSON output.  A list of ids or locks has commas between its members.  argv and
 * env are quoted as a shell needs it.  A field that the job lacks is empty.  A
 * tab is printed as \t, a newline as \n, a backslash as \\, and any other control
 * character as \xHH.
 */
int columns_print(const struct field_view *, const char *names);

#endif
