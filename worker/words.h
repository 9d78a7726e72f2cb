/*
 * worker/words.h: a command of plain words, which needs no shell.  Pure: memory
 * in, memory out.
 *
 * To start a shell would take three times as long as to start the command, so
 * a command of plain words is executed as make(1) does it.  That must not make
 * a difference: whatever means something to some shell, or might, is left to
 * /bin/sh; so is a command that cannot be executed, for the shell's message and
 * status.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKER_WORDS_H
#define WORKER_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* What a worker's own environment is like. */
struct own_env {
	bool plain;      /* is_plain_env() */
	bool has_path;
};

/* Whether a shell would hand on n variables as they are: none that shells drop
 * or heed, and PWD, if there, is `cwd`.  Sets *path if one of them is PATH. */
bool is_plain_env(char *const *env, size_t n, const char *cwd, bool *path);

/*
 * Cuts a command of plain words into its words, in one piece of memory that
 * the caller frees.  NULL: the command is for the shell.  `env` has n
 * variables that are not the worker's own.
 */
const char **plain_words(const struct own_env *, const char *command,
    char *const *env, size_t n, const char *cwd);

#endif
