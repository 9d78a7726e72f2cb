/*
 * fault.h: calls that fail on demand, for tests only.
 *
 * A program that is linked with fault.c and the words of `tests/unit --wraps`
 * makes its system calls through it.  While `fault.armed`, the calls of one
 * kind are counted: those that open or change files, those that only look, or
 * those that allocate.  The call with the number `fault.at` goes wrong, as enum
 * fault_mode says.  The shipped program has none of this.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>
#include <stddef.h>

enum fault_mode {
	FAULT_COUNT,     /* nothing: only count */
	FAULT_DIE,       /* the process ends in place of the call */
	FAULT_TEAR,      /* of a write, half is done first; then as DIE */
	FAULT_ERROR      /* the call fails with fault.error */
};

enum fault_kind { FAULT_FILES, FAULT_LOOKS, FAULT_MEMORY };

enum { FAULT_EXIT = 77 };  /* status of a process that died so */

struct fault {
	bool armed;
	enum fault_kind kind;  /* which calls are counted */
	enum fault_mode mode;
	int at, error;
	int count;
	const char *hit;       /* the name of the call that was hit, or NULL */
	/* Told of each call that succeeded while armed; for the model of power
	 * loss.  b: the second path of link and rename. */
	void (*seen)(const char *call, int fd, const char *a, const char *b);
};

extern struct fault fault;

#endif
