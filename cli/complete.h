/*
 * complete.h: what may come next on a command line, for the completion of a
 * shell.  The scripts in contrib/ call `queuectl complete -- WORD...`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMPLETE_H
#define COMPLETE_H

#include "cli/call.h"

/*
 * Prints what the last operand, which may be "", may become behind the others,
 * one a line: commands, options, states, columns, settings, locks, and the ids
 * of jobs.  A tab and a few words may follow.  It prints nothing where there may
 * be anything, such as a file.  `table` has n commands.  The "=" of an option
 * may be a word of its own, as bash has it.
 */
int complete_words(struct call *, const struct command *table, int n);

#endif
