/*
 * worker/words.h: a command of plain words.  Pure.
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

/* Whether a shell would hand on such variables as they are: a PWD that is
 * right, and nothing that shells drop or heed.  Sets *path if one is PATH. */
bool is_plain_env(char *const *env, size_t n, const char *cwd, bool *path);

/* The words of such a command, in one piece of memory that the caller frees;
 * NULL: it is for the shell.  env has n variables before the worker's own. */
const char ** plain_words(const struct own_env *own, const char *command, char *const *env,
    size_t n, const char *cwd);

#endif
