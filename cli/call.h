/*
 * call.h: one call of the program: its options and operands, complaints, the
 * exit status, the spool that it means, the clock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CALL_H
#define CALL_H

#include <sys/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "spool.h"

#define SECOND INT64_C(1000000)

enum { OPTIONS_MAX = 12 };      /* of one command */

struct command;

/* queuectl(1), EXIT STATUS */
enum { DONE, FAILED, USAGE, TIMED_OUT = 124 };

struct option_def {
	const char *name;
	char letter;            /* 0: none */
	const char *arg;        /* NULL: it takes none */
	const char *help;
};

/* A command as it was given. */
struct call {
	const struct command *command;
	const char *value[OPTIONS_MAX]; /* as options[]; "": a flag is set */
	struct given {
		int option;
		char *value;
	} *given;               /* the ngiven options, as they came */
	size_t ngiven;
	char **operand;
	int n;
	bool dashes;            /* "--" was there */
	const char *spool_path; /* of --spool, or NULL */
	struct buf path;        /* the spool's, where it had to be put together */
	struct buf cwd;         /* empty: not asked for yet */
	struct spool spool;     /* fd -1: not open */
	mode_t umask;
};

#ifdef __GNUC__
__attribute__((format(printf, 1, 2)))
#endif
void complain(const char *fmt, ...);
int no_memory(void);

/* Says what spool.c could not do. */
int complain_spool(const struct spool *sp);

/* The same for what happened to one job. */
int complain_job(const struct spool *sp, int result, const char *id);

/* Adds the current directory; NULL with errno. */
char *add_cwd(struct buf *b);

/* Opens the call's spool, once. */
int open_spool(struct call *c, bool create);
int64_t now_us(void);

#endif
