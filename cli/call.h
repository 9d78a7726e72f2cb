/*
 * call.h: one call of the program: its options and operands, complaints, the
 * exit status, the spool, the clock.
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

/* queuectl(1), EXIT STATUS */
enum { DONE, FAILED, USAGE, TIMED_OUT = 124 };

struct option_def {
	const char *name;
	char letter;            /* 0: none */
	const char *arg;        /* NULL: it takes none */
	const char *help;
};

struct call;

/* A command, as the table in queuectl.c has it. */
struct command {
	const char *words;      /* "worker start" */
	const char *args;       /* for the usage line */
	const char *line;       /* what it does, in one line; NULL: it is not for
	                         * people, and help does not list it */
	const char *text;       /* more help, or NULL */
	const struct option_def *options; /* ends with a NULL name; or NULL */
	int least, most;        /* operands; most -1: any number */
	int (*run)(struct call *);
};

struct given {
	const struct option_def *option;
	char *value;            /* "" if it takes none */
};

/* A command as it was given. */
struct call {
	const struct command *command;
	struct given *given;    /* ngiven options, in the user's order */
	size_t ngiven;
	char **operand;         /* the n other words */
	int n;
	bool dashes;            /* "--" was there */
	const char *spool_path; /* of --spool, or NULL */
	struct buf path;        /* the spool's, if call.c put it together */
	struct buf cwd;         /* empty: nobody has asked for it yet */
	struct spool spool;     /* fd -1: not open */
	mode_t umask;
};

/* --spool, which goes with every command. */
extern const struct option_def spool_option;
/* Finds the option that `word` names among those of the command, or, if that is
 * NULL, among those that stand before a command.  *value is the
 * part of the word behind "=" or the letter, or NULL.  Returns NULL if there is no
 * such option. */
const struct option_def *option_find(const struct command *, char *word,
    char **value);

/* The value of the option, "" for one that takes none; NULL: not given.  If
 * the user gave it twice, the last counts. */
const char *call_option(const struct call *, const char *name);

/* The current directory; NULL with errno. */
const char *call_cwd(struct call *);

/* Opens the call's spool, once.  DONE, or FAILED after a complaint. */
int call_open_spool(struct call *, bool create);
/* Opens the spool if there is one; else spool.fd stays -1 and the settings are
 * the defaults. */
int call_look_for_spool(struct call *);

/* Whether a job of this spool has called us; with an id, that job. */
bool call_is_from_job(const struct call *, const char *id);

/* These print a line to stderr, after what stdout still holds, and return
 * FAILED, but complain_usage() USAGE. */
#ifdef __GNUC__
__attribute__((format(printf, 1, 2)))
#endif
int complain(const char *fmt, ...);
#ifdef __GNUC__
__attribute__((format(printf, 1, 2)))
#endif
int complain_usage(const char *fmt, ...);
/* There is no command or key `word`; there may be another: */
void complain_unknown(const char *kind, const char *word,
    const struct text_guess *);
/* Out of memory: */
int complain_memory(void);
/* What the spool could not do, by its errno, and the way out: */
int complain_spool(const struct spool *);
/* What `result`, not SPOOL_OK, says of one job: */
int complain_job(struct spool *, int result, const char *id);

/* Prints what `b` holds and frees it.  DONE, or FAILED after a complaint. */
int print_buf(struct buf *b);

/* Microseconds since 1970; 0: the clock cannot be read any more. */
int64_t now_us(void);

#endif
