/*
 * worker/words.c: a command of plain words.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "job/job.h"
#include "worker/words.h"

/* The names are those of POSIX.1-2024 (2.4 Reserved Words, 2.15 Special
 * Built-Ins, 1.6 Built-In Utilities) and what dash 0.5.12, bash 5.2 and busybox
 * 1.36 add. */
static bool
is_shell_word(const char *word)
{
	static const char *const words[] = {
		/* reserved */
		"case", "coproc", "do", "done", "elif", "else", "esac", "fi",
		"for", "function", "if", "in", "select", "then", "time",
		"until", "while",
		/* built in, but for true and false, which do the same */
		".", ":", "alias", "bg", "bind", "break", "builtin", "caller",
		"cd", "chdir", "command", "compgen", "complete", "compopt",
		"continue", "declare", "dirs", "disown", "echo", "enable",
		"eval", "exec", "exit", "export", "fc", "fg", "getopts",
		"hash", "help", "histcmd", "history", "jobs", "kill", "let",
		"local", "logout", "mapfile", "newgrp", "popd", "printf",
		"pushd", "pwd", "read", "readarray", "readonly", "return",
		"set", "shift", "shopt", "source", "suspend", "test", "times",
		"trap", "type", "typeset", "ulimit", "umask", "unalias",
		"unset", "wait"
	};
	size_t i;

	for (i = 0; i < sizeof words / sizeof words[0]; i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

bool
is_plain_env(char *const *env, size_t n, const char *cwd, bool *path)
{
	static const char *const heeded[] = { "BASHOPTS", "IFS", "LINENO",
		"OPTIND", "PPID", "SHELLOPTS" };
	size_t i;

	for (; n--; env++) {
		size_t len = job_env_name(*env);

		if (!len || (*env)[len] != '=')
			return false;
		for (i = 0; i < sizeof heeded / sizeof heeded[0]; i++)
			if (!strncmp(*env, heeded[i], len) && !heeded[i][len])
				return false;
		if (!strncmp(*env, "PWD=", 4) && strcmp(*env + 4, cwd))
			return false;
		*path |= !strncmp(*env, "PATH=", 5);
	}
	return true;
}

const char **
plain_words(const struct own_env *own, const char *command, char *const *env,
    size_t n, const char *cwd)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./- ";
	size_t len = strspn(command, plain);
	bool path = own->has_path;
	const char **argv;
	char *p;

	/* -c may take what begins with these for options */
	if (command[len] || *command == '-' || *command == '+')
		return NULL;
	if (!own->plain || *cwd != '/' || strstr(cwd, "/.") ||
	    !is_plain_env(env, n, cwd, &path) || !path)
		return NULL;
	argv = malloc((len / 2 + 2) * sizeof *argv + len + 1);
	if (!argv)
		return NULL;
	p = (char *)(argv + len / 2 + 2);
	memcpy(p, command, len + 1);
	n = 0;
	while (*(p += strspn(p, " "))) {
		argv[n++] = p;
		p += strcspn(p, " ");
		if (*p)
			*p++ = '\0';
	}
	argv[n] = NULL;
	if (!n || strchr(argv[0], '=') || is_shell_word(argv[0])) {
		free(argv);
		return NULL;
	}
	return argv;
}
