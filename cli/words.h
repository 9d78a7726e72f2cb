/*
 * words.h: the options and the command of enqueue --.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORDS_H
#define WORDS_H

#include "cli/call.h"
#include "job/field.h"

extern const struct option_def enqueue_options[];

enum { ENV_OPTION = 9, WAIT_OPTION = 11 };

/* The object that the command line stands for, of nodes that the caller
 * frees. */
struct words_tree {
	struct json object, argv, env;
	struct json *node;
	size_t n;
};

bool words_to_tree(const struct call *c, struct words_tree *t);

#endif
